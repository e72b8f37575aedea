"""What pages and claims say of the wheels of today."""

from __future__ import annotations

import re

from measure.base.errors import Problem
from measure.base.units import megabytes
from measure.studies.wheels.model import TARGETS, Answer, Libc, Machine, Package, complete, record_path
from measure.studies.wheels.table import wheel_cell
from measure.tell.folklore import Facts
from measure.tell.page import Page, markdown_table, page_function, pointed, unbroken

_GROUPS = {
    "all": "wheels for glibc and for musl, on both processors",
    "manylinux": "for glibc on both processors, but not for musl on both",
    "musllinux": "for musl on both processors, but not for glibc on both",
    "some": "for neither libc on both processors, but some",
    "none": "none at all",
}


@page_function
def wheels(page: Page) -> str:
    """The wheels that pip would choose, with the day it was asked."""
    found = complete()
    head = ["package", "latest", "sdist", "ABI", *(f"{libc}, {machine}" for libc, machine in TARGETS)]
    rows = []
    for row in found.packages:
        abis = dict.fromkeys(one.wheel.abi for one in row.answers if one.wheel)
        cells = [row.name, row.latest, "yes" if row.sdist else "no", ", ".join(abis)]
        rows.append(cells + [_cell(row, row.answer(*target)) for target in TARGETS])
    asked = [row.asked for row in found.packages]
    days, pythons, glibcs, musls = (
        " and ".join(sorted(set(values)))
        for values in zip(*((f"{a.at:%Y-%m-%d}", a.python, a.glibc, a.musl) for a in asked), strict=True)
    )
    caption = (
        f"Asked on {days} (UTC), for CPython {pythons}; glibc {glibcs} and musl {musls} are the "
        f"newest that a wheel may want. {page.file(record_path(), 'The record')} has every file's name."
    )
    return f"{markdown_table(head, rows, 'llllrrrr')}\n\n{caption}"


@page_function
def wheels_of(page: Page, *names: str) -> str:
    """The wheels that pip would choose of some packages alone. Raises Problem for one that was not asked for."""
    rows = []
    for name in names:
        row = _row(name)
        rows.append([f"`{row.name}` {row.latest}", *(_cell(row, row.answer(*target)) for target in TARGETS)])
    table = markdown_table(["package", *(f"{libc}, {machine}" for libc, machine in TARGETS)], rows, "lrrrr")
    return f"{table}\n\nSizes are those of the wheels. {page.file(record_path(), 'The record')} has their names."


def _cell(package: Package, answer: Answer) -> str:
    """What the table says of one; the pointer shows the file's name, or the words where there is none."""
    wheel = answer.wheel
    exact = f", {wheel.bytes:,} bytes" if wheel and wheel.bytes is not None else ""
    return pointed(wheel_cell(package, answer), wheel.file + exact if wheel else answer.said)


def _row(name: str) -> Package:
    """What is recorded of a package. Raises Problem for one that was not asked for."""
    row = complete().package(name)
    if row is None:
        raise Problem(f"No one asked for wheels of {name}.", next=f"make wheels PACKAGES={name}")
    return row


def _bytes(package: str, libc: Libc, machine: Machine) -> int:
    row = complete().package(package)
    wheel = row.answer(libc, machine).wheel if row else None
    if wheel is None or wheel.bytes is None:
        raise Problem(f"There is no size of a {libc} wheel of {package}.", next=f"make wheels PACKAGES={package}")
    return wheel.bytes


@page_function
def wheel_size(page: Page, package: str, libc: Libc, machine: Machine = "x86_64") -> str:
    """Size of the file of the wheel that pip would choose today."""
    return page.file(record_path(), unbroken(megabytes(_bytes(package, libc, machine))))


@page_function
def wheel_groups(page: Page) -> str:
    """The packages by what they have wheels of their latest version for."""
    rows = complete().packages
    lines = []
    for group, title in _GROUPS.items():
        if names := [f"`{row.name}`" for row in rows if row.group == group]:
            lines.append(f"- {title}: **{len(names)} of {len(rows)}**, {', '.join(names)}")
    return "\n".join(lines)


@page_function
def wheel_count(page: Page, libc: Libc | None = None) -> str:
    """Of how many of the listed packages the latest version has wheels on both processors: for a C library, or both.

    Like every number of this record, it is of no environment.
    """
    rows = complete().packages
    count = sum(row.group in ("all", libc) for row in rows)
    return page.file(record_path(), f"{count} of {len(rows)}")


@page_function
def to_compile(page: Page) -> str:
    """The packages that pip has to compile somewhere, and where; those that have wheels everywhere in a sentence."""
    packages = complete().packages
    rows = []
    for row in (row for row in packages if row.group != "all"):
        rows.append([f"`{row.name}`", *(_where(row, libc) for libc in ("manylinux", "musllinux"))])
    wheels = ", ".join(f"`{row.name}`" for row in packages if row.group == "all")
    table = markdown_table(["package", "on Debian", "on Alpine"], rows)
    return f"{table}\n\nWheels on both, for both processors: {wheels}."


def _where(package: Package, libc: Libc) -> str:
    """What pip does for one libc, on both processors or on each."""
    does = {"yes": "wheel", "old": "older wheel", "no": "compile" if package.sdist else "not to be had"}
    on = {machine: does[package.state(libc, machine)] for of, machine in TARGETS if of == libc}
    if len(set(on.values())) == 1:
        return next(iter(on.values()))
    return ", ".join(f"{machine}: {what}" for machine, what in on.items())


@page_function
def wheel_names(page: Page, *wanted: tuple[str, Libc, Machine]) -> str:
    """The files that pip would choose, their names taken apart: a package, a libc and a processor for each row."""
    rows = []
    for name, libc, machine in wanted:
        row = complete().package(name)
        wheel = row.answer(libc, machine).wheel if row else None
        if wheel is None:
            raise Problem(f"There is no {libc} wheel of {name}.", next=f"make wheels PACKAGES={name}")
        python, abi, platforms = wheel.tag.split("-")
        oldest = min(platforms.split("."), key=lambda tag: [int(part) for part in re.findall(r"\d+", tag)[:2]])
        cells = (f"`{cell}`" for cell in (wheel.file.split("-")[0], wheel.version, python, abi, oldest))
        rows.append(list(cells))
    return markdown_table(["package", "version", "Python", "ABI", "platform"], rows)


@page_function
def glibc_wheel(page: Page, package: str) -> str:
    """Does a wheel make building unnecessary on Debian?"""
    row = complete().package(package)
    if row is None:
        return "not asked"
    there = [machine for libc, machine in TARGETS if libc == "manylinux" and row.state(libc, machine) == "yes"]
    return {0: "no", 1: f"on {there[0] if there else ''} alone", 2: "yes"}[len(there)]


def has_wheel(facts: Facts, package: str, libc: Libc, machine: Machine = "x86_64") -> bool:
    """Has the latest version of a package a wheel?"""
    facts.rests_on(record_path(), f"make wheels PACKAGES={package}")
    return _row(package).state(libc, machine) == "yes"


def wheel_bytes(facts: Facts, package: str, libc: Libc, machine: Machine = "x86_64") -> int:
    """Bytes of the wheel of a package's latest version."""
    facts.rests_on(record_path(), f"make wheels PACKAGES={package}")
    return _bytes(package, libc, machine)


def with_wheels(facts: Facts, libc: Libc, machine: Machine = "x86_64") -> int:
    """Of how many of the listed packages is there a wheel of the latest version?"""
    facts.rests_on(record_path(), "make wheels")
    return sum(row.state(libc, machine) == "yes" for row in complete().packages)
