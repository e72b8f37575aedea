"""What the exercises of some chapters need: base images, packages of Python and Debian. From their own files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

from measure.base.dockerfiles import read
from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.base.packages import normal
from measure.base.platforms import MACHINES, native_platform, short
from measure.exercises.model import CHAPTERS, WORKSHOP, Exercise, exercises
from measure.exercises.trying import platform_of
from measure.studies.wheels import listing

#: What pip builds a source distribution with, where that does not say otherwise; and what it looks for a newer one of.
ALWAYS = ("setuptools", "pip")
#: The Python of the images, and those that the tooling may run on.
IMAGES, TOOLING = ("cp314",), ("cp311", "cp312", "cp313", "cp314")


def numbers(text: str) -> list[int]:
    """The chapters that `1-3`, `2` or `1,4-5` names; all for ''. Raises Problem for what names none."""
    found: set[int] = set()
    for part in filter(None, text.replace(" ", "").split(",")):
        first, _, last = part.partition("-")
        some = range(int(first), int(last or first) + 1) if re.fullmatch(r"\d+(-\d+)?", part) else range(0)
        if not some or not set(some) <= CHAPTERS.keys():
            raise Problem(f"CHAPTERS={text} means nothing.", why=f"There are {len(CHAPTERS)}.", next="CHAPTERS=1-3")
        found |= set(some)
    return sorted(found) or list(CHAPTERS)


def ranges(chapters: list[int]) -> str:
    """Chapters in order, as somebody would type them: `1-3,5`."""
    runs: list[list[int]] = []
    for one in chapters:
        if runs and one == runs[-1][-1] + 1:
            runs[-1].append(one)
        else:
            runs.append([one])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


@dataclass(frozen=True)
class Wanted:
    """What a kit is to hold: for which chapters, and for which platforms."""

    chapters: list[int]
    platforms: list[str] = field(default_factory=lambda: [native_platform()])

    @property
    def name(self) -> str:
        """Of the kit's archive, without .tar."""
        some = "" if len(self.chapters) == len(CHAPTERS) else f"-chapters-{ranges(self.chapters)}"
        return "-".join(["python-images-workshop", *map(short, self.platforms)]) + some

    @cached_property
    def exercises(self) -> list[Exercise]:
        """The exercises of these chapters, golf too."""
        return [one for one in (*exercises(), Exercise(WORKSHOP / "golf")) if one.check.chapter in self.chapters]

    @cached_property
    def bases(self) -> dict[str, list[str]]:
        """The platforms that each base image is needed for."""
        found: dict[str, set[str]] = {}
        for one in self.exercises:
            for path in one.folder.glob("s*/Dockerfile"):
                for image in read(path).external_images:
                    found.setdefault(image, set()).update(self.platforms, [platform_of(one)])
        return {image: sorted(platforms) for image, platforms in found.items()}

    @cached_property
    def machines(self) -> list[str]:
        """The processors of these platforms, as wheels name them."""
        return sorted({MACHINES[platform] for platforms in self.bases.values() for platform in platforms})

    def resolved(self) -> list[str]:
        """What brings packages along that nobody has pinned: test tools, and Poetry and uv where people may choose."""
        found = {line for one in self.exercises for path in one.folder.glob("s*/requirements-*.txt")
                 for line in path.read_text().splitlines() if "==" in line}  # fmt: skip
        if any(one.check.app for one in self.exercises):
            files = [*ROOT.glob("step-2-poetry/Dockerfile"), *ROOT.glob("extra-need-for-speed/*Dockerfile")]
            found |= {pin for path in files for pin in re.findall(r"\b(?:poetry|uv)==[\d.]+", path.read_text())}
        return sorted(found)

    def requirements(self) -> dict[str, set[str]]:
        """The pinned versions of each Python package that an exercise installs; none for one that is not pinned."""
        paths = [path for one in self.exercises for path in one.folder.glob("s*/requirements*.txt")]
        paths += [ROOT / one.check.app / "requirements.txt" for one in self.exercises if one.check.app]
        return pins("\n".join(path.read_text() for path in paths)) | {name: set() for name in ALWAYS}

    def debian(self) -> list[list[str]]:
        """The packages of each `apt-get install` in a Dockerfile."""
        found = set()
        for one in self.exercises:
            for path in one.folder.glob("s*/Dockerfile"):
                lines = [step.value for step in read(path).structure if step.word == "RUN"]
                found |= {match[1] for line in lines for match in re.finditer(r"apt-get install ([^&;|]+)", line)}
        return [[word for word in words.split() if not word.startswith("-")] for words in sorted(found)]


def pins(text: str) -> dict[str, set[str]]:
    """The versions that lists of requirements, as pip reads them, pin of each package."""
    found: dict[str, set[str]] = {}
    for one in listing.requirements(text, "requirements.txt"):
        versions = {pin.version for pin in one.specifier if pin.operator == "=="}
        found.setdefault(normal(one.name), set()).update(versions)
    return found


def version_of(filename: str, pythons: tuple[str, ...], machines: list[str]) -> Version | None:
    """The version of a file that pip would take on one of these; None for any other, and for a pre-release."""
    try:
        if not filename.endswith(".whl"):
            version = parse_sdist_filename(filename)[1]
            return None if version.is_prerelease else version
        _, version, _, tags = parse_wheel_filename(filename)
    except (InvalidSdistFilename, InvalidWheelFilename):
        return None
    newest = max(int(python[3:]) for python in pythons)
    for tag in tags:
        old = tag.abi == "abi3" and re.fullmatch(r"cp3\d+", tag.interpreter) and int(tag.interpreter[3:]) <= newest
        python = tag.interpreter in ("py3", "py2.py3") or (tag.interpreter in pythons and tag.abi == tag.interpreter)
        place = tag.platform == "any" or re.fullmatch(rf"(many|musl)linux.*_({'|'.join(machines)})", tag.platform)
        if (old or python) and place and not version.is_prerelease:
            return version
    return None
