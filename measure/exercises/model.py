"""An exercise: a folder below workshop/ with a start, a check.toml, hints, and a solution."""

from __future__ import annotations

import hashlib
import re
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field

from measure.base.errors import Problem
from measure.base.files import ROOT, shown
from measure.base.model import Strict, read_toml

WORKSHOP = ROOT / "workshop"
CHAPTERS = {
    1: "The first image",
    2: "Cache and build context",
    3: "Stages",
    4: "Base images and compiled packages",
    5: "Production",
}


class Goals(Strict):
    """What must hold of the reader's image. A number is a bound that was chosen, and no measurement. MB are 10^6 bytes.

    It builds and answers in any case: only what is for another platform than this machine's is not started.
    """

    #: Each path, and words that its answer has.
    answers: dict[str, str] = Field(default_factory=dict)
    #: At most so much: the compressed image, its own lines alone, bytes that a later line hides, caches, build context.
    transfer_mb: float | None = None
    own_mb: float | None = None
    hidden_mb: float | None = None
    caches_mb: float | None = None
    context_mb: float | None = None
    #: At most this part of a build from nothing, in the builder's seconds of the same run, is what a build takes after
    #: one more line in the file that `edit` names.
    again_part: float | None = None
    #: The user is a number, and not root's.
    non_root: bool = False
    #: What is not in the image: tools, Python packages, paths as patterns of fnmatch(3).
    without: list[Literal["compiler", "pip", "shell"]] = Field(default_factory=list)
    without_packages: list[str] = Field(default_factory=list)
    absent: list[str] = Field(default_factory=list)
    #: Patterns of paths that are.
    present: list[str] = Field(default_factory=list)
    #: Each Python package of the image has its exact version in requirements.txt.
    pinned: bool = False
    #: Stages that must build, too.
    targets: list[str] = Field(default_factory=list)
    #: The secret that the build is given, as argument TOKEN and as secret `token`, is nowhere in the image.
    secret: bool = False
    #: At most so many seconds until its health check succeeds, and from SIGTERM to its end.
    healthy_s: float | None = None
    stops_s: float | None = None


class Room(Strict):
    """For whoever teaches: what goes wrong in the room, what to ask, what to leave out."""

    goes_wrong: str
    ask: str
    skip: str


class Check(Strict):
    """A check.toml."""

    title: str
    chapter: int = Field(ge=1, le=len(CHAPTERS))
    minutes: int
    goals: Goals
    #: What to do, by the goal that fails; `builds` where it does not build.
    hints: dict[str, str]
    room: Room
    #: The file that gets one line more, to see what a change costs.
    edit: str = "app.py"
    #: Files that are made when the start is copied, and their megabytes: what no repository should have.
    made: dict[str, float] = Field(default_factory=dict)
    #: Built for the platform that this machine is not of, and not started. {native} and {other} in patterns of files
    #: stand for how the two processors are called there.
    platform: Literal["", "other"] = ""
    #: Its files can be read only, but for /tmp.
    read_only: bool = False
    #: A folder of the repository that the start is copied from, before its own files.
    app: str = ""


@dataclass(frozen=True)
class Exercise:
    """An exercise, by its folder."""

    folder: Path

    @property
    def name(self) -> str:
        """Like 03-what-is-sent."""
        return self.folder.name

    @property
    def number(self) -> int:
        """Its place in the order; 0 for one that has none."""
        return int(re.match(r"\d*", self.name)[0] or 0)

    @cached_property
    def check(self) -> Check:
        """Its check.toml. Raises Problem when it is not there or not valid."""
        path = self.folder / "check.toml"
        return read_toml(Check, path, f"git checkout {shown(path)}")

    @property
    def readme(self) -> str:
        """Its README.md."""
        return (self.folder / "README.md").read_text()

    @property
    def story(self) -> str:
        """What its README says before the goal, without title and minutes."""
        return self.readme.split("\n\n", 2)[2].partition("\n## ")[0].strip()

    def section(self, title: str) -> str:
        """The text of a section of its README, without the headline and without what folds it."""
        text = self.readme.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
        return re.sub(r"</?details>|<summary>.*</summary>", "", text).strip()

    @property
    def page(self) -> tuple[str, str]:
        """The page that teaches it, as its README links to it: the title, and the path below docs/ with its section."""
        return re.search(r"\[(.+?)\]\(\.\./\.\./docs/(\S+)\)", self.readme).groups()

    def files(self, name: str) -> dict[str, bytes]:
        """The files below `start` or `solution`, by their path there."""
        folder = self.folder / name
        return {
            str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
        }

    @property
    def version(self) -> str:
        """Changes with its check, its start and its solution: what was done is done for one version."""
        told = hashlib.sha256((self.folder / "check.toml").read_bytes())
        for part in ("start", "solution"):
            for path, content in self.files(part).items():
                told.update(f"{part}/{path}\0{len(content)}\0".encode() + content)
        return told.hexdigest()[:16]

    @property
    def edited(self) -> bool:
        """Was its check.toml changed since the last commit? Without git nobody can tell: then no."""
        command = ["git", "diff", "--quiet", "HEAD", "--", str(self.folder / "check.toml")]
        try:
            return subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 1
        except OSError:
            return False


def exercises(root: Path = WORKSHOP) -> list[Exercise]:
    """All exercises, in order."""
    return [Exercise(path.parent) for path in sorted(root.glob("[0-9][0-9]-*/check.toml"))]


def find(number: int, root: Path = WORKSHOP) -> Exercise:
    """The exercise with this number. Raises Problem when there is none."""
    found = {one.number: one for one in exercises(root)}
    if number not in found:
        raise Problem(f"There is no exercise {number}.", why=f"There are {len(found)}.", next="make exercises")
    return found[number]
