"""The reader's own copies of exercises, and what is done: below workshop/yours/, which git ignores."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field, ValidationError

from measure.base.errors import Problem, say
from measure.base.files import ROOT, shown, write_whole
from measure.base.model import Strict
from measure.exercises.model import WORKSHOP, Exercise, exercises

YOURS = WORKSHOP / "yours"


class Hinted(Strict):
    """How many hints were given for a goal that fails."""

    goal: str
    level: int


class Score(Strict):
    """A round of golf: the image's compressed bytes."""

    transfer_bytes: int
    dockerfile_sha256: str


class Progress(Strict):
    """What is done, by the exercise's name: the version that it was done in."""

    done: dict[str, str] = Field(default_factory=dict)
    hinted: dict[str, Hinted] = Field(default_factory=dict)
    golf: list[Score] = Field(default_factory=list)


def _file() -> Path:
    return YOURS / "progress.json"


def load() -> Progress:
    """What is done so far. One that cannot be read counts as nothing done, and is said."""
    try:
        return Progress.model_validate_json(_file().read_bytes())
    except FileNotFoundError:
        return Progress()
    except (ValidationError, OSError):
        say(f"{shown(_file())} cannot be read: beginning anew")
        return Progress()


def save(progress: Progress) -> None:
    """Keep it, whole or not at all. Raises OSError, the old one still there."""
    write_whole(_file(), progress.model_dump_json(indent=1))


def is_done(exercise: Exercise, progress: Progress) -> bool:
    """Was this version of it done?"""
    return progress.done.get(exercise.name) == exercise.version


def current(progress: Progress) -> Exercise | None:
    """The first exercise that is not done; None when all are."""
    return next((one for one in exercises() if not is_done(one, progress)), None)


def fill(exercise: Exercise, folder: Path, *, solved: bool = False) -> None:
    """Write an exercise's start into a folder, and over it, if asked for, its solution."""
    if exercise.check.app:
        left_out = shutil.ignore_patterns("*Dockerfile*", "tests", "README.md", "compose.yaml", "__pycache__")
        shutil.copytree(ROOT / exercise.check.app, folder, dirs_exist_ok=True, ignore=left_out)
    for part in ("start", "solution") if solved else ("start",):
        for path, content in exercise.files(part).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
    for path, megabytes in exercise.check.made.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        # The same bytes each time, and such as do not compress.
        (folder / path).write_bytes(random.Random(path).randbytes(int(megabytes * 1e6)))  # noqa: S311


def yours(exercise: Exercise) -> Path:
    """The reader's own copy of an exercise's start, made if it is not there. Raises Problem where that is no folder."""
    folder = YOURS / exercise.name
    if folder.exists() and not folder.is_dir():
        raise Problem(f"{shown(folder)} is no folder.", next=f"rm {shown(folder)}, then the same command again")
    if not folder.exists():
        YOURS.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=YOURS, prefix=".new-") as new:
            inner = Path(new) / exercise.name
            inner.mkdir()
            fill(exercise, inner)
            inner.replace(folder)
    return folder


@contextmanager
def solved(exercise: Exercise) -> Iterator[Path]:
    """A folder with an exercise's solution, for as long as it is needed."""
    with tempfile.TemporaryDirectory(prefix="measure-") as folder:
        fill(exercise, Path(folder), solved=True)
        yield Path(folder)
