"""Golf: the score of an image, and a board of the reader's own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from measure.base.errors import Problem
from measure.base.names import LAB_ENVIRONMENT
from measure.base.platforms import PLATFORMS
from measure.base.units import megabytes
from measure.exercises import progress
from measure.steps.compose import RECOMMENDED, find_step
from measure.studies.floor.model import load

#: The step whose application it is; its recommended image's floor is 1.
STEP = "step-4"


def floor_bytes() -> int:
    """Compressed bytes of an image of just the files that the application looks at, as recorded for the lab's bases."""
    found = load(LAB_ENVIRONMENT).get(find_step(STEP).name, RECOMMENDED, PLATFORMS[0])
    if found is None:
        raise Problem(f"The floor of {STEP} is not recorded.", next=f"make floor-{STEP}")
    return found.floor.transfer_bytes


def scored(folder: Path, transfer_bytes: int) -> Iterator[str]:
    """The score, kept on the board, and the board's best five."""
    floor, kept = floor_bytes(), progress.load()
    sha256 = hashlib.sha256((folder / "Dockerfile").read_bytes()).hexdigest()
    score = progress.Score(transfer_bytes=transfer_bytes, dockerfile_sha256=sha256)
    kept.golf = [one for one in kept.golf if one.dockerfile_sha256 != sha256] + [score]
    kept.golf.sort(key=lambda one: one.transfer_bytes)
    progress.save(kept)
    yield f"{megabytes(transfer_bytes)} is {transfer_bytes / floor:.2f} times the floor of {megabytes(floor)}"
    yield "Your board:"
    for place, one in enumerate(kept.golf[:5], 1):
        now = " ← this one" if one.dockerfile_sha256 == sha256 else ""
        yield f"  {place}. {one.transfer_bytes / floor:.2f} ({megabytes(one.transfer_bytes)}){now}"
