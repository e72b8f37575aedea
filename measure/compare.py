"""What differs between two records: by layer, package and directory, and since what was recorded before."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from measure.errors import Problem
from measure.records import Record
from measure.units import change, signed

#: Two builds of the same thing differ by some bytes, because files carry the time of the build. Less than this part
#: of the size counts as the same.
SAME = 0.001
#: How many changes of a record are told one by one.
MOST = 6
SIZES = {"transfer_bytes": "transfer", "unpacked_tar_bytes": "unpacked"}


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


@dataclass(frozen=True)
class Difference:
    """What grew and shrank from one image to another; every list begins with what grew most."""

    sizes: list[Row]
    layers: list[Row] = field(default_factory=list)
    os_packages: list[Row] = field(default_factory=list)
    python_packages: list[Row] = field(default_factory=list)
    directories: list[Row] = field(default_factory=list)


def _rows(before: Sums, after: Sums, notes: dict[str, str] | None = None) -> list[Row]:
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
        Row("files, in all layers", before.size.unpacked_file_bytes, after.size.unpacked_file_bytes),
        Row("wasted, own layers", before.size.wasted.own_bytes, after.size.wasted.own_bytes),
        Row("wasted, base layers", before.size.wasted.base_bytes, after.size.wasted.base_bytes),
        Row("build context", before.size.context_bytes, after.size.context_bytes),
    ]
    packages, python, versions = [], [], {}
    for record in (before, after):
        packages.append({package.name: package.bytes for package in record.contents.os_packages})
        python.append({f"{p.name} ({p.location})": p.bytes for p in record.contents.python_packages})
        for package in record.contents.os_packages:
            versions.setdefault(package.name, []).append(package.version)
        for package in record.contents.python_packages:
            versions.setdefault(f"{package.name} ({package.location})", []).append(package.version)
    notes = {name: " → ".join(dict.fromkeys(found)) for name, found in versions.items()}
    return Difference(
        sizes=sizes,
        layers=_rows(_layers(before), _layers(after)),
        os_packages=_rows(*packages, notes),
        python_packages=_rows(*python, notes),
        directories=_rows(before.contents.directories, after.contents.directories),
    )


def since_recorded(pairs: Iterable[tuple[Record | None, Record]]) -> list[str]:
    """What changed against the records that were there before, in lines for people."""
    pairs = list(pairs)
    new = [now for before, now in pairs if before is None]
    same = [now for before, now in pairs if before and before.same_facts(now)]
    changed, close = [], 0
    for before, now in pairs:
        if before is None or before.same_facts(now):
            continue
        words = _changes(before, now)
        if words:
            changed.append(f"  {now.variant} · {now.platform}: {'; '.join(words)}")
        else:
            close += 1
    parts = [(len(same), "the same to the byte"), (close, f"the same within {SAME:.1%}"), (len(changed), "changed")]
    parts.append((len(new), "new"))
    summary = ", ".join(f"{count} {words}" for count, words in parts if count)
    return [f"Against the recorded numbers: {summary or 'nothing to compare'}{':' if changed else '.'}", *changed]


def _changes(before: Record, now: Record) -> list[str]:
    if before.outcome != now.outcome:
        return [f"{before.outcome} before, {now.outcome} now"]
    if now.size is None:
        return [] if before.failure == now.failure else ["it fails in another way"]
    words = []
    for name, label in SIZES.items():
        old, new = getattr(before.size, name), getattr(now.size, name)
        if abs(new - old) > SAME * old:
            words.append(f"{label} {signed(new - old)} ({change(new, old)})")
    if before.contents and now.contents:
        old_versions, new_versions = _versions(before), _versions(now)
        for name in sorted({*old_versions, *new_versions}):
            if old_versions.get(name) != new_versions.get(name):
                words.append(f"{name} {old_versions.get(name, '-')} → {new_versions.get(name, '-')}")
    return words if len(words) <= MOST else [*words[:MOST], f"and {len(words) - MOST} more (`git diff results`)"]


def _versions(record: Record) -> dict[str, str]:
    packages = [*record.contents.os_packages, *record.contents.python_packages]
    return {package.name: package.version for package in packages}
