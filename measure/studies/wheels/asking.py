"""Asks the package index which wheels there are, and chooses as pip does: no engine, no container, no pip.

Formats: the index's pages in JSON (PEP 691, with the sizes of PEP 700); names of files and tags as `packaging` reads
them, which pip brings along too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import httpx
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import (
    BuildTag,
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version
from pydantic import BaseModel, Field, ValidationError

from measure.base import progress
from measure.base.errors import Problem, say
from measure.base.files import shown, write_whole
from measure.base.model import reasons
from measure.base.packages import normal
from measure.build import lab_engine
from measure.record.records import as_json
from measure.studies.wheels import model
from measure.studies.wheels.model import TARGETS, Answer, Asked, Libc, Machine, Package, Wheel, WheelTable
from measure.studies.wheels.table import wheels_table
from measure.tell.table import out

JSON = "application/vnd.pypi.simple.v1+json"
PYTHON = (3, 14)
#: The newest C libraries that a wheel may want: that of the Debian release that images stand on, and that of every
#: Alpine since 3.13, of January 2021 (PEP 656).
GLIBC, MUSL = (2, 41), (1, 2)
#: The oldest glibc that there are wheels for, and the older names of some (PEP 600).
OLDEST = {"x86_64": 5, "aarch64": 17}
OLDER_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_AGAIN = "the same command again"


class File(BaseModel):
    """A file on an index's page, as far as it is looked at."""

    filename: str
    requires_python: str | None = Field(default=None, alias="requires-python")
    #: Withdrawn, perhaps with a reason (PEP 592).
    yanked: bool | str = False
    #: Bytes; an index need not tell.
    size: int | None = None


class Page(BaseModel):
    """What an index says of a package, as far as it is looked at."""

    files: list[File]


@dataclass(frozen=True)
class Candidate:
    """A file that pip would take on some system. A source distribution has no tags."""

    file: File
    version: Version
    tags: frozenset[Tag] = frozenset()
    build: BuildTag = ()


def page(client: httpx.Client, index: str, name: str) -> Page:
    """What an index says of a package. Raises Problem when it does not say it: that is never a "no"."""
    what = f"The package index did not answer for {name}; nothing is recorded."
    try:
        answer = client.get(f"{index.rstrip('/')}/{name}/", headers={"Accept": JSON})
        if answer.status_code == 404:
            raise Problem(f"The package index knows no {name}.", next=f"see {shown(model.LIST)}")
        if answer.status_code == 406 or (answer.is_success and "json" not in answer.headers.get("Content-Type", "")):
            next = "PIP_INDEX_URL=ADDRESS make wheels  # of an index that has it"
            raise Problem(what, why="It has no pages in JSON (PEP 691).", next=next)
        answer.raise_for_status()
        return Page.model_validate_json(answer.content)
    except httpx.HTTPError as error:
        without_password = re.sub(r"//[^/@\s]*@", "//", str(error))
        raise Problem(what, why=without_password, next=_AGAIN) from None
    except ValidationError as error:
        raise Problem(what, why=f"Its page is not as PEP 691 says.\n{reasons(error)}", next=_AGAIN) from None


def candidates(found: Page, name: str) -> Iterator[Candidate]:
    """The files that pip would take for this Python on some system: none that is withdrawn, or of a wrong name."""
    for file in found.files:
        try:
            if file.yanked or not SpecifierSet(file.requires_python or "").contains(".".join(map(str, PYTHON))):
                continue
            if file.filename.endswith(".whl"):
                project, version, build, tags = parse_wheel_filename(file.filename)
            else:
                (project, version), build, tags = parse_sdist_filename(file.filename), (), frozenset()
        except (InvalidSpecifier, InvalidVersion, InvalidSdistFilename, InvalidWheelFilename):
            continue
        if project == name:
            yield Candidate(file, version, tags, build)


@cache
def accepted(libc: Libc, machine: Machine) -> dict[Tag, int]:
    """The tags that pip accepts for this Python with a C library on a processor: the better, the higher its number."""
    if libc == "manylinux":
        platforms = []
        for minor in range(GLIBC[1], OLDEST[machine] - 1, -1):
            names = [f"manylinux_{GLIBC[0]}_{minor}", OLDER_NAMES.get(minor)]
            platforms += [f"{name}_{machine}" for name in names if name]
    else:
        platforms = [f"musllinux_{MUSL[0]}_{minor}_{machine}" for minor in range(MUSL[1], -1, -1)]
    python = f"cp{PYTHON[0]}{PYTHON[1]}"
    tags = [*cpython_tags(PYTHON, [python], platforms), *compatible_tags(PYTHON, python, platforms)]
    return {tag: -place for place, tag in enumerate(tags)}


def best(some: list[Candidate], rank: dict[Tag, int]) -> Candidate | None:
    """What pip chooses: the newest version, of a pre-release only where there is nothing else; then the best tag."""

    def how_good(one: Candidate) -> tuple[Version, int, BuildTag]:
        return one.version, max((rank[tag] for tag in one.tags if tag in rank), default=-len(rank)), one.build

    return max([one for one in some if not one.version.is_prerelease] or some, default=None, key=how_good)


def row(found: Page, name: str, asked: Asked) -> Package:
    """All that is to be known about a package, from its page. Raises Problem when pip would take nothing of it."""
    files = list(candidates(found, name))
    answers, newest = [], []
    for libc, machine in TARGETS:
        rank = accepted(libc, machine)
        fit = [one for one in files if not one.tags or any(tag in rank for tag in one.tags)]
        if wheel := best([one for one in fit if one.tags], rank):
            chosen = Wheel(file=wheel.file.filename, version=str(wheel.version), bytes=wheel.file.size)
            answers.append(Answer(libc=libc, machine=machine, wheel=chosen))
        else:
            said = f"No wheel of {name} has a tag that fits CPython {asked.python} and {libc} on {machine}"
            answers.append(Answer(libc=libc, machine=machine, said=said))
        newest += [one.version for one in [best(fit, rank)] if one]
    if not newest:
        why = "Its page has neither a wheel nor a source distribution that pip would take."
        raise Problem(
            f"There is nothing of {name} for CPython {asked.python}.", why=why, next=f"see {shown(model.LIST)}"
        )
    latest = max(newest)
    sdist = any(one.version == latest and not one.tags for one in files)
    return Package(name=name, latest=str(latest), sdist=sdist, answers=answers, asked=asked)


@contextmanager
def indexed(transport: httpx.BaseTransport | None = None) -> Iterator[tuple[httpx.Client, str]]:
    """A client for the index that the host's pip is told to ask, and its address; `transport`: see `ask`."""
    trusted = httpx.create_ssl_context()
    trusted.load_default_certs()  # those of the system, beside httpx's own
    with httpx.Client(transport=transport, verify=trusted, timeout=30, follow_redirects=True) as client:
        yield client, lab_engine.host_index()


def ask(names: list[str], transport: httpx.BaseTransport | None = None) -> list[Package]:
    """Ask the index that the host's pip is told to ask about these packages. `transport` stands in for the network.

    Raises Problem when it does not answer for all of them.
    """
    python, glibc, musl = (".".join(map(str, version)) for version in (PYTHON, GLIBC, MUSL))
    asked = Asked(at=datetime.now(UTC).replace(microsecond=0), python=python, glibc=glibc, musl=musl)
    with indexed(transport) as (client, index):
        return [row(page(client, index, name), name, asked) for name in names]


def measure_wheels(names: list[str]) -> None:
    """Ask about these packages, all that are listed when there are none, record what is listed, print the rows.

    Rows that are not asked for stay. Nothing is recorded unless the index answered for every package.
    """
    listed = model.listed()
    asked = list(dict.fromkeys(map(normal, names))) or listed
    before = model.load() if names else WheelTable(packages=[])
    with progress.task(f"asking the package index about {len(asked)} packages"):
        rows = ask(asked)
    out.print(wheels_table(rows))
    if kept := [row for row in rows if row.name in listed]:
        write_whole(model.record_path(), as_json(before.renewed(kept, listed)))
        out.print(f"Record: {shown(model.record_path())}")
    if others := [row.name for row in rows if row not in kept]:
        say(f"not recorded, because {shown(model.LIST)} does not list it: {', '.join(others)}")
