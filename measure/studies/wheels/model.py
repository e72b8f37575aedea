"""Wheels today: for each package, libc and processor, the wheel that pip would choose, or none; and if it is whole."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from measure.base.errors import Problem
from measure.base.files import shown
from measure.base.model import Strict, read
from measure.base.names import LAB_ENVIRONMENT
from measure.record import records
from measure.record.check import Finding, demand

LIST = Path(__file__).with_name("wheels.toml")
Libc = Literal["manylinux", "musllinux"]
Machine = Literal["x86_64", "aarch64"]
#: What is asked of each package, in the order of the columns.
TARGETS: tuple[tuple[Libc, Machine], ...] = (
    ("manylinux", "x86_64"),
    ("manylinux", "aarch64"),
    ("musllinux", "x86_64"),
    ("musllinux", "aarch64"),
)


class Wheel(Strict):
    """A wheel that pip chooses. Its file's name ends in the tags for Python, ABI and platform (PEP 427)."""

    file: str
    version: str
    #: None where the index does not tell.
    bytes: int | None = None

    @property
    def tag(self) -> str:
        """The part of the name that says where it fits, like cp311-abi3-musllinux_1_2_x86_64."""
        return "-".join(self.file.removesuffix(".whl").split("-")[-3:])

    @property
    def abi(self) -> str:
        """The tag for the ABI: cp314 for CPython 3.14 alone, abi3 for all from a version on."""
        return self.tag.split("-")[1]


class Answer(Strict):
    """What pip takes for one libc and processor: a wheel, or, in words, that there is none."""

    libc: Libc
    machine: Machine
    wheel: Wheel | None = None
    said: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.wheel is None) == (self.said is None):
            raise ValueError("an answer is a wheel, or words that there is none")
        return self


class Asked(Strict):
    """When and with what a row was asked for: UTC, versions, and the newest glibc and musl that wheels may want."""

    at: datetime
    python: str
    #: Of rows for which pip itself was asked, in a container.
    pip: str | None = None
    glibc: str
    musl: str


class Package(Strict):
    """A row of the table."""

    name: str
    #: The newest version that pip would take for any of the four, as a wheel or from source.
    latest: str
    #: Has that version a source distribution?
    sdist: bool
    answers: list[Answer] = Field(min_length=4, max_length=4)
    asked: Asked

    def answer(self, libc: Libc, machine: Machine) -> Answer:
        """What there is for a libc and a processor."""
        return next(one for one in self.answers if (one.libc, one.machine) == (libc, machine))

    def state(self, libc: Libc, machine: Machine) -> Literal["yes", "old", "no"]:
        """Is there a wheel of the latest version, of an older one alone (which is not a yes), or none?"""
        wheel = self.answer(libc, machine).wheel
        if wheel is None:
            return "no"
        return "yes" if wheel.version == self.latest else "old"

    @property
    def group(self) -> Literal["all", "manylinux", "musllinux", "some", "none"]:
        """For which libc the latest version has wheels on both processors; `some` is one processor alone."""
        yes = [target for target in TARGETS if self.state(*target) == "yes"]
        complete: list[Libc] = [libc for libc in ("manylinux", "musllinux") if [one for one, _ in yes].count(libc) == 2]
        if len(complete) == 1:
            return complete[0]
        return "all" if complete else "some" if yes else "none"


class WheelTable(Strict):
    """The whole table, as recorded."""

    schema_version: Literal[1] = 1
    packages: list[Package]

    def package(self, name: str) -> Package | None:
        """The row of a package, None when there is none."""
        return next((row for row in self.packages if row.name == name), None)

    def renewed(self, rows: Iterable[Package], listed: list[str]) -> WheelTable:
        """The table with these rows in place of older ones, and no row but those listed, in the list's order."""
        by_name = {row.name: row for row in [*self.packages, *rows]}
        return WheelTable(packages=[by_name[name] for name in listed if name in by_name])


def record_path() -> Path:
    """Where the table is recorded. It is of no environment: the index is the same for all."""
    return records.RESULTS / "wheels.json"


def listed() -> list[str]:
    """Names of the packages of the table, in order. Raises Problem when the data file is not valid."""
    try:
        return list(tomllib.loads(LIST.read_text())["packages"])
    except (ValueError, KeyError, TypeError) as error:
        raise Problem(f"{shown(LIST)} is not valid.", why=str(error), next=f"mend {shown(LIST)}") from None


def load() -> WheelTable:
    """The recorded table; an empty one when there is no file. Raises Problem when it is not valid."""
    return read(WheelTable, record_path(), "make wheels") or WheelTable(packages=[])


def count(environment: str) -> int:
    """How many packages are recorded, which stand beside those of the lab. Raises Problem as `load` does."""
    return len(load().packages) if environment == LAB_ENVIRONMENT else 0


def findings(environment: str) -> list[Finding]:
    """Whether the recorded table is of other packages than those listed. Raises Problem as `load` does."""
    if environment != LAB_ENVIRONMENT:
        return []
    there, wanted = [row.name for row in load().packages], listed()
    missing = [name for name in wanted if name not in there]
    if not missing and len(there) == len(wanted):
        return []
    why = f"{shown(LIST)} lists {', '.join(missing) or 'fewer packages'}"
    again = f"make wheels{f' PACKAGES={missing[0]}' if len(missing) == 1 else ''}"
    return [Finding("stale", record_path(), why, again)]


def complete() -> WheelTable:
    """The recorded table. Raises Problem when it is not of just the packages that are listed."""
    demand(record_path(), findings(LAB_ENVIRONMENT))
    return load()
