"""What differs between two records: by layer, package and directory, and since what was recorded before."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from measure.base.errors import Problem
from measure.base.units import SAME, as_word, change, megabytes, signed
from measure.record.records import Record
from measure.weigh.contents import Contents
from measure.weigh.oci import Layer

#: How many changes of a record are told one by one.
MOST = 6
#: How much of an instruction is told.
WIDEST = 60
SIZES = {"transfer_bytes": "transfer", "unpacked_tar_bytes": "unpacked"}
CONTEXT, FILES = "build context", "files, in all layers"
#: What an image has or has not, and how that is called.
FACTS = {"user": "user", "has_compiler": "compiler", "has_shell": "shell", "has_pip": "pip"}
#: The distribution's, and Python's.
PACKAGES = ("os_packages", "python_packages")

#: Bytes by name; None where a thing is there and its size is unknown.
Sums = dict[str, int | None]


@dataclass(frozen=True)
class Row:
    """One thing in two images: its bytes here and there, None where it is not."""

    name: str
    before: int | None
    after: int | None
    note: str = ""

    @property
    def growth(self) -> int:
        """Bytes that it grew by."""
        return (self.after or 0) - (self.before or 0)

    @property
    def both(self) -> bool:
        """Is it in both images?"""
        return self.before is not None and self.after is not None


@dataclass(frozen=True)
class Difference:
    """What grew and shrank from one image to another; every list begins with what grew most."""

    sizes: list[Row]
    layers: list[Row] = field(default_factory=list)
    os_packages: list[Row] = field(default_factory=list)
    python_packages: list[Row] = field(default_factory=list)
    directories: list[Row] = field(default_factory=list)


def rows_of(before: Sums, after: Sums, notes: dict[str, str] | None = None) -> list[Row]:
    """What is not the same in two sums of bytes by name; what grew most stands first."""
    names = [name for name in {**before, **after} if before.get(name, -1) != after.get(name, -1)]
    rows = [Row(name, before.get(name), after.get(name), (notes or {}).get(name, "")) for name in names]
    return sorted(rows, key=lambda row: (-row.growth, row.name))


def instruction(created_by: str) -> str:
    """The instruction that made a layer, without what the builder adds to it."""
    text = re.sub(r"^RUN (\|\d+ .*? )?/bin/sh -c ", "RUN ", created_by)
    return re.sub(r"\s+", " ", text.removesuffix("# buildkit")).strip()


def _layers(record: Record) -> Sums:
    sums: Sums = {}
    for layer in record.size.layers:
        name = f"{'base: ' if layer.of_base else ''}{instruction(layer.created_by)}"
        sums[name] = (sums.get(name) or 0) + layer.unpacked_file_bytes
    return sums


def compare(before: Record, after: Record) -> Difference:
    """Compare two built images by their records. Raises Problem when one of them is of a build that failed."""
    for record in (before, after):
        if record.size is None or record.contents is None:
            raise Problem(
                f"{record.step}/{record.variant} on {record.platform} was not built, so it cannot be compared.",
                why=record.failure.line if record.failure else "",
                next="compare two variants that build: make steps",
            )
    sizes = [Row(label, getattr(before.size, name), getattr(after.size, name)) for name, label in SIZES.items()]
    sizes += [
        Row(FILES, before.size.unpacked_file_bytes, after.size.unpacked_file_bytes),
        Row("wasted, own layers", before.size.wasted.own_bytes, after.size.wasted.own_bytes),
        Row("wasted, base layers", before.size.wasted.base_bytes, after.size.wasted.base_bytes),
        Row("bytecode", before.contents.pyc_bytes, after.contents.pyc_bytes),
        Row(CONTEXT, before.size.context_bytes, after.size.context_bytes),
    ]
    packages: dict[str, list[Sums]] = {kind: [] for kind in PACKAGES}
    versions: defaultdict[str, list[str]] = defaultdict(list)
    for record in (before, after):
        for kind, found in packages.items():
            found.append({})
            for package in getattr(record.contents, kind):
                name = package.name if kind == "os_packages" else f"{package.name} ({package.location})"
                found[-1][name] = package.bytes
                versions[name].append(package.version)
    notes = {name: " → ".join(dict.fromkeys(found)) for name, found in versions.items()}
    return Difference(
        sizes=sizes,
        layers=rows_of(_layers(before), _layers(after)),
        **{kind: rows_of(*found, notes) for kind, found in packages.items()},
        directories=rows_of(before.contents.directories, after.contents.directories),
    )


@dataclass(frozen=True)
class Change:
    """Something of an image that is another in a second one; '-' where it is not there."""

    name: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.name} {self.before} → {self.after}"


def _seen(contents: Contents) -> dict[tuple[str, str], str]:
    """What can be seen in an image, in words, by kind and name: a package in several places has all its versions."""
    seen = {("", word): as_word(getattr(contents, name)) for name, word in FACTS.items()}
    seen |= {("setuid", path): "yes" for path in contents.setuid_files}
    for kind in PACKAGES:
        versions: defaultdict[str, list[str]] = defaultdict(list)
        for package in getattr(contents, kind):
            versions[package.name].append(package.version)
        seen |= {(kind, name): ", ".join(sorted(found)) for name, found in versions.items()}
    return seen


def content_changes(before: Record, after: Record) -> list[Change]:
    """What is in one of two built images and not in the other: user, tools, setuid files, packages and their versions.

    Packages of the same version with other bytes are included, from `SAME` of the image's size on.
    """
    old, new, found = _seen(before.contents), _seen(after.contents), []
    for kind, name in sorted({*old, *new}, key=lambda one: (one[0] in PACKAGES, one[1])):
        was, now = (seen.get((kind, name), "-" if kind in PACKAGES else "no") for seen in (old, new))
        if was != now:
            found.append(Change(f"setuid {name}" if kind == "setuid" else name, was, now))
    named = {one.name for one in found}
    bound = SAME * before.size.unpacked_tar_bytes
    difference = compare(before, after)
    for row in difference.os_packages + difference.python_packages:
        if row.both and abs(row.growth) > bound and row.name.partition(" ")[0] not in named:
            found.append(Change(row.name, megabytes(row.before), megabytes(row.after)))
    return found


@dataclass(frozen=True)
class LayerChange:
    """A layer in two images, paired by order and instruction; None where it is missing."""

    before: Layer | None
    after: Layer | None

    @property
    def layer(self) -> Layer:
        """The layer, as the second image has it where it does."""
        return self.after or self.before

    @property
    def name(self) -> str:
        """What made it."""
        return f"{'base: ' if self.layer.of_base else ''}{instruction(self.layer.created_by)}"

    def growth(self, field: str) -> int:
        """Bytes of this field that it grew by."""
        return sum(sign * getattr(layer, field) for sign, layer in ((-1, self.before), (1, self.after)) if layer)

    @property
    def grew(self) -> bool:
        """Is there a size that is not the same to the byte?"""
        return not (self.before and self.after) or any(self.growth(field) for field in SIZES)


def layer_changes(before: Record, after: Record) -> list[LayerChange]:
    """The layers of two built images, side by side, lowest first: those that are the same too."""
    old, new = before.size.layers, after.size.layers
    keys = [[(layer.of_base, instruction(layer.created_by)) for layer in layers] for layers in (old, new)]
    pairs: list[LayerChange] = []
    for tag, i, j, k, m in SequenceMatcher(None, *keys, autojunk=False).get_opcodes():
        if tag == "equal":
            pairs += [LayerChange(a, b) for a, b in zip(old[i:j], new[k:m], strict=True)]
        else:
            pairs += [LayerChange(a, None) for a in old[i:j]] + [LayerChange(None, b) for b in new[k:m]]
    return pairs


def changes(before: Record, now: Record) -> list[str]:
    """What of two records of one variant is not the same, in words; empty where all is the same within `SAME`."""
    if before.outcome != now.outcome:
        return [f"{before.outcome} before, {now.outcome} now"]
    if now.size is None:
        return [] if before.failure == now.failure else ["it fails in another way"]
    words = []
    for name, label in SIZES.items():
        old, new = getattr(before.size, name), getattr(now.size, name)
        if abs(new - old) > SAME * old:
            words.append(f"{label} {signed(new - old)} ({change(new, old)})")
    bound = SAME * before.size.unpacked_tar_bytes
    found = compare(before, now)
    # The sum of the files follows from the unpacked size, so it is told only where that is the same.
    told = {*SIZES.values(), CONTEXT, *([FILES] if words else [])}
    parts = [row for row in found.sizes if row.name not in told]
    words += [f"{row.name} {signed(row.growth)}" for row in parts if abs(row.growth) > bound]
    if before.size.context_bytes != now.size.context_bytes:
        words.append(f"{CONTEXT} {now.size.context_bytes - before.size.context_bytes:+,} bytes")
    words += _layer_words(before, now, bound)
    return words + [str(one) for one in content_changes(before, now)]


def _layer_words(before: Record, now: Record, bound: float) -> list[str]:
    """The layers that moved by more bytes, unpacked, than this; those of the base image as one."""
    found = layer_changes(before, now)
    base = sum(one.growth("unpacked_tar_bytes") for one in found if one.layer.of_base)
    words = [f"base image {signed(base)}"] if abs(base) > bound else []
    for one in found:
        growth = one.growth("unpacked_tar_bytes")
        if not one.layer.of_base and abs(growth) > bound:
            name = one.name if len(one.name) <= WIDEST else f"{one.name[: WIDEST - 1]}…"
            words.append(f"layer {name} {signed(growth)}")
    return words


def since_recorded(pairs: Iterable[tuple[Record | None, Record]], kept: Sequence[str] = ()) -> list[str]:
    """What changed against the records that were there before, in lines for people. `kept`: what was not built anew."""
    pairs = list(pairs)
    new = [now for before, now in pairs if before is None]
    changed, close, same = [], 0, 0
    for before, now in pairs:
        if before is None:
            continue
        words = changes(before, now)
        if len(words) > MOST:
            words = [*words[:MOST], f"and {len(words) - MOST} more (`git diff results`)"]
        if words:
            changed.append(f"  {now.variant} · {now.platform}: {'; '.join(words)}")
        elif before.size == now.size:
            same += 1
        else:
            close += 1
    parts = [(same, "the same to the byte"), (close, f"the same within {SAME:.1%}"), (len(changed), "changed")]
    parts += [(len(new), "new"), (len(kept), f"not built, because that takes minutes ({', '.join(kept)})")]
    summary = ", ".join(f"{count} {words}" for count, words in parts if count)
    return [f"Against the recorded numbers: {summary or 'nothing to compare'}{':' if changed else '.'}", *changed]
