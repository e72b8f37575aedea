"""A finished list of requirements, held against the second platform: what depends on the processor, what has no wheel.

Format: pip's documentation, "Requirements File Format"; each requirement as `packaging` reads it (PEP 508).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from rich.table import Table

from measure.base import progress
from measure.base.errors import Problem
from measure.base.packages import normal
from measure.studies.wheels.asking import PYTHON, accepted, candidates, indexed, page
from measure.studies.wheels.model import Machine
from measure.tell.table import out

MACHINES: tuple[Machine, ...] = ("x86_64", "aarch64")
#: What markers read of the two platforms: Linux with CPython; only the processor differs.
_SAME = {
    "implementation_name": "cpython", "os_name": "posix", "platform_python_implementation": "CPython",
    "platform_system": "Linux", "python_version": ".".join(map(str, PYTHON)), "sys_platform": "linux",
    "python_full_version": ".".join(map(str, (*PYTHON, 0))), "implementation_version": ".".join(map(str, (*PYTHON, 0))),
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What there is to say of one requirement: the processors that its marker lets it in on, and those with a wheel."""

    requirement: Requirement
    wanted: tuple[Machine, ...]
    wheels: tuple[Machine, ...]

    @property
    def marked(self) -> bool:
        """Does its marker depend on the processor?"""
        return len(self.wanted) == 1

    @property
    def missing(self) -> list[Machine]:
        """The processors that it is wanted on and has no wheel for."""
        return [machine for machine in self.wanted if machine not in self.wheels]


def requirements(text: str, name: str) -> Iterator[Requirement]:
    """The requirements of a list, one for each line; options and hashes are left out.

    Raises Problem, which calls the list `name`, for a line that is none, as an address or another list is.
    """
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        words = re.sub(r"(^|\s)#.*", "", line)
        words = re.split(r"\s--[a-z]", words)[0].strip()
        if not words or re.match(r"--?[a-z]", words):
            continue
        try:
            yield Requirement(words)
        except InvalidRequirement as error:
            next = "export a list with versions alone: poetry export, pip-compile, or uv export"
            raise Problem(f"{name} has a line that is no requirement: {words}", why=str(error), next=next) from None


def wanted(requirement: Requirement) -> tuple[Machine, ...]:
    """The processors on which a requirement's marker lets it in, on Linux with the CPython of the images."""
    environments = {machine: default_environment() | _SAME | {"platform_machine": machine} for machine in MACHINES}
    marker = requirement.marker
    return tuple(machine for machine, one in environments.items() if marker is None or marker.evaluate(one))


def ask(listed: list[Requirement], transport: httpx.BaseTransport | None = None) -> list[Asked]:
    """Ask the index for the wheels for Debian of these requirements, each in its version, or in any if it has none.

    `transport` stands in for the network. Raises Problem when the index does not answer for all of them.
    """
    found = []
    with indexed(transport) as (client, index):
        for one in listed:
            name = normal(one.name)
            tagged = [file for file in candidates(page(client, index, name), name) if file.tags]
            fit = [file for file in tagged if one.specifier.contains(file.version, prereleases=True)]
            there = (m for m in MACHINES if any(tag in accepted("manylinux", m) for file in fit for tag in file.tags))
            found.append(Asked(one, wanted(one), tuple(there)))
    return found


def check_list(path: Path) -> None:
    """Print what a list of requirements means for the second platform.

    Raises Problem when a marker in it depends on the processor, when something has no wheel for one of them, and for a
    file that is no such list.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        next = "make second-platform LIST=requirements.txt"
        raise Problem(f"{path} cannot be read.", why=str(error), next=next) from None
    listed = [one for one in requirements(text, path.name) if wanted(one)]
    with progress.task(f"asking the package index about {len(listed)} packages"):
        found = ask(listed)
    table = Table("package", "version", "asks for the processor", "no wheel for", title=f"{path.name} on two platforms")
    wrong = [one for one in found if one.marked or one.missing]
    for one in wrong:
        marker = f"only on {one.wanted[0]}" if one.marked else ""
        table.add_row(one.requirement.name, str(one.requirement.specifier), marker, ", ".join(one.missing))
    if not wrong:
        out.print(f"All {len(found)} packages of {path.name} are the same on both platforms, and have wheels for both.")
        return
    out.print(table)
    marked, missing = [one for one in wrong if one.marked], [one for one in wrong if one.missing]
    raise Problem(
        f"{len(marked)} of {len(found)} packages depend on the processor, {len(missing)} have no wheel for one.",
        why="pip reads markers for its own processor, and can fetch nothing that is not there.",
        next="docs/steps/extra-second-platform.md: uv for markers, a cross compiler for what has no wheel",
    )
