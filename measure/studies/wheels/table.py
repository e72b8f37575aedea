"""The wheels of today on a terminal."""

from __future__ import annotations

from rich.table import Table

from measure.base.units import megabytes
from measure.studies.wheels.model import TARGETS, Answer, Package


def wheel_cell(package: Package, answer: Answer) -> str:
    """What a table says of a wheel: its size, or `no`; the version before it when that is not the latest."""
    if answer.wheel is None:
        return "no"
    size = "yes" if answer.wheel.bytes is None else megabytes(answer.wheel.bytes)
    return size if answer.wheel.version == package.latest else f"{answer.wheel.version}: {size}"


def wheels_table(rows: list[Package]) -> Table:
    """The wheels that pip would choose, by package, libc and processor, for a terminal of 80 columns."""
    shown = Table(title="wheels today: what pip would download", show_edge=False, pad_edge=False)
    shown.add_column("package")
    shown.add_column("latest")
    shown.add_column("sdist")
    for libc, machine in TARGETS:
        shown.add_column(f"{libc}\n{machine}", justify="right")
    for row in rows:
        cells = (wheel_cell(row, row.answer(*target)) for target in TARGETS)
        shown.add_row(row.name, row.latest, "yes" if row.sdist else "no", *cells)
    return shown
