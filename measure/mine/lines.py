"""Which line of a Dockerfile made which layer: its instructions against the image's history.

Builders write one step of history for each instruction but FROM: BuildKit (frontend/dockerfile/dockerfile2llb,
commitToHistory), Docker's older builder and buildah (`/bin/sh -c #(nop) …`).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path

from measure.base.dockerfiles import WORDS, Dockerfile, Instruction
from measure.mine.model import Line, plain
from measure.weigh.oci import Opened

#: So much of a here-document is held against the history, which has words before it.
_TOLD = 1000
_NOP = re.compile(r"^/bin/sh -c #\(nop\)\s+", re.DOTALL)
#: Build arguments, and the shell that SHELL says: `/bin/bash -o pipefail -c`, `conda run -n NAME /bin/bash -c`.
_SHELL = re.compile(
    r"^(\|\d+ (\S+\s+)*?)??(\S*(conda|mamba) run (\S+ ){0,8}?|\S*/env )?\S*sh (-\S+ |pipefail ){0,8}?-\w*c "
)
#: What official base images end with.
_BASE_ENDS = re.compile(r'^CMD \["(python3|python|bash|sh|/bin/bash|/bin/sh|node|irb)"\]$')


@dataclass(frozen=True)
class Step:
    """One step of an image's history: the instruction, what it says, and the number of its layer where it has one."""

    word: str
    body: str
    layer: int | None

    @property
    def text(self) -> str:
        """As it stands in a Dockerfile, on one line."""
        return f"{self.word} {self.body}".strip()


def steps_of(image: Opened) -> list[Step]:
    """The history of an image; the layers alone where it does not tell of each."""
    found, layer = [], 0
    for one in image.history:
        number = None if one.get("empty_layer") else layer
        # Nix, and Docker where it squashes an image, have a comment alone.
        text = str(one.get("created_by") or "")
        found.append(_step(text, number) if text else Step("", plain(str(one.get("comment") or "")), number))
        layer += number is not None
    if layer == len(image.facts) and any(step.text for step in found if step.layer is not None):
        return found
    return [Step("", plain(one["digest"]), number) for number, one in enumerate(image.described)]


def _step(created_by: str, layer: int | None) -> Step:
    text = created_by.strip().removesuffix("# buildkit").strip()
    text = _NOP.sub("", text)
    word = text.split(maxsplit=1)[0] if text else ""
    if word in WORDS:
        body = text[len(word) :].strip()
    else:
        word, body = "RUN" if text else "", text
    if word == "RUN":
        body = _run(_SHELL.sub("", body))
    return Step(word, plain(body), layer)


def _run(body: str) -> str:
    """What RUN runs: in exec form the words without their quotes, as most builders write it."""
    try:
        words = json.loads(body) if body.startswith("[") else None
    except (ValueError, RecursionError):
        words = None  # a test in shell form: [ -f x ]
    return " ".join(map(str, words)) if isinstance(words, list) else body


def _body(one: Instruction) -> str:
    """What an instruction says, as the history would."""
    if one.word == "RUN" and one.here:  # a here-document alone is what is run
        return plain("\n".join(one.here))
    body = re.sub(r"^(--\S+\s+)+", "", one.value) if one.word in ("RUN", "COPY", "ADD") else one.value
    return plain(_run(body) if one.word == "RUN" else body)


def _alike(one: Instruction, step: Step) -> bool:
    """Was the step made from this text of the instruction? Only of RUN is that told: others have variables put in."""
    if one.word != step.word:
        return False
    if one.word != "RUN":
        return True
    if one.here:  # a script that names its interpreter is run from a file, and not told; long ones are cut
        return one.here[0].startswith("#!") or plain(one.here[0], _TOLD) in step.body
    return _body(one) in step.body


def _pairs(own: list[Instruction], steps: list[Step]) -> dict[int, Instruction]:
    """The instruction that made each step, by the step's number; those of the base are not in it."""
    words = [one.word for one in own]
    first = len(steps) - len(own)
    if first >= 0 and [step.word for step in steps[first:]] == words:
        return {first + number: one for number, one in enumerate(own)}
    first = _after_base(steps)
    left = [f"{one.word} {_body(one) if one.word == 'RUN' else ''}" for one in own]
    right = [f"{step.word} {step.body if step.word == 'RUN' else ''}" for step in steps[first:]]
    found: dict[int, Instruction] = {}
    for _, begin, end, at, to in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        # Between lines that are the same, as many of the same words are lines that say something else now.
        if words[begin:end] == [step.word for step in steps[first + at : first + to]]:
            found |= {first + at + number: own[begin + number] for number in range(end - begin)}
    return found


def _after_base(steps: list[Step]) -> int:
    """The number of the first own step, as far as the command that official images end with tells."""
    ends = [number for number, step in enumerate(steps[:-1]) if _BASE_ENDS.match(step.text)]
    return ends[-1] + 1 if ends else 0


@dataclass(frozen=True)
class Origin:
    """Where each layer of an image comes from."""

    #: For each layer: FILE:LINE, `base` or `layer N`, and the instruction.
    where: list[str]
    text: list[str]
    #: Layers that the base image brings: the lowest ones.
    base_layers: int
    #: Layers whose line says something else now.
    changed: set[int] = field(default_factory=set)

    def is_base(self, layer: int) -> bool:
        """Does this layer come with the base image?"""
        return layer < self.base_layers


def origin_of(image: Opened, dockerfile: Dockerfile | None, target: str | None) -> Origin:
    """Where each layer comes from. Raises Problem for a Dockerfile that no builder takes."""
    steps, count = steps_of(image), len(image.facts)
    pairs: dict[int, Instruction] = {}
    own: list[Instruction] = []
    if dockerfile:
        own = [one for stage in dockerfile.chain(target) for one in stage.instructions]
        pairs = _pairs(own, steps)
    where, text = [f"layer {number + 1}" for number in range(count)], [""] * count
    changed: set[int] = set()
    for number, step in enumerate(steps):
        if step.layer is None:
            continue
        text[step.layer] = step.text
        if one := pairs.get(number):
            where[step.layer] = f"{Path(dockerfile.name).name}:{one.first}"
            text[step.layer] = f"{one.word} {plain(one.value)}"
            if not _alike(one, step):
                changed.add(step.layer)
    base = _base_layers(steps, pairs, dockerfile, target, count, len(pairs) == len(own))
    return Origin(where, text, base, changed)


def _base_layers(
    steps: list[Step],
    pairs: dict[int, Instruction],
    dockerfile: Dockerfile | None,
    target: str | None,
    count: int,
    whole: bool,
) -> int:
    """Layers below the first own one: by the Dockerfile, else by the command that official images end with."""
    if dockerfile and dockerfile.base_image(target) is None:
        return 0
    first = _after_base(steps)
    if dockerfile and whole:
        first = min(pairs, default=len(steps))
    elif pairs and not first:
        first = min(pairs)
    before = steps[: first - _triggered(steps[:first])]
    return min(sum(step.layer is not None for step in before), count)


def _triggered(steps: list[Step]) -> int:
    """How many of the last steps the base's ONBUILD had done when the image was built.

    Docker's older builder and buildah list in its history what it asks for. BuildKit does not: there it counts as the
    base's.
    """
    asked = [step.body for step in steps if step.word == "ONBUILD"]
    counts = range(min(len(asked), len(steps)), 0, -1)
    return next((n for n in counts if [one.text for one in steps[-n:]] == asked[-n:]), 0)


def lines_of(image: Opened, origin: Origin, base: str | None) -> list[Line]:
    """What each line adds, the base as one line, the first line first."""
    hidden: list[dict[int, int]] = [{} for _ in image.facts]
    for inode in image.files.inodes:
        if not inode.names and inode.hidden_by is not None:
            by = hidden[inode.layer]
            by[inode.hidden_by] = by.get(inode.hidden_by, 0) + inode.size
    rows: list[Line] = []
    for number, facts in enumerate(image.facts):
        of_base = origin.is_base(number)
        by: dict[str, int] = {}
        for layer, size in sorted(hidden[number].items()):
            where = "base" if origin.is_base(layer) else origin.where[layer]
            by[where] = by.get(where, 0) + size
        row = Line(
            where="base" if of_base else origin.where[number],
            instruction=f"FROM {base}" if of_base and base else "base image" if of_base else origin.text[number],
            of_base=of_base,
            transfer_bytes=None if facts.is_plain else facts.packed_bytes,
            unpacked_tar_bytes=facts.tar_bytes,
            files=facts.files,
            hidden_bytes=sum(hidden[number].values()),
            hidden_by={where: size for where, size in by.items() if size},
            changed=number in origin.changed,
        )
        if rows and of_base and rows[-1].of_base:
            rows[-1] = _together(rows[-1], row)
        else:
            rows.append(row)
    return rows


def _together(one: Line, other: Line) -> Line:
    known = one.transfer_bytes is not None and other.transfer_bytes is not None
    return one.model_copy(
        update={
            "transfer_bytes": one.transfer_bytes + other.transfer_bytes if known else None,
            "unpacked_tar_bytes": one.unpacked_tar_bytes + other.unpacked_tar_bytes,
            "files": one.files + other.files,
            "hidden_bytes": one.hidden_bytes + other.hidden_bytes,
            "hidden_by": dict(Counter(one.hidden_by) + Counter(other.hidden_by)),
        }
    )
