"""Floors on a terminal."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from measure.base.units import megabytes
from measure.studies.floor.model import Floor


def floors_table(floors: list[Floor]) -> Table:
    """How large images are, how large their floors, and how many times as large they are as these."""
    shown = Table(title="the floor: the files that the running application looks at", show_edge=False, pad_edge=False)
    shown.add_column("image")
    for kind in ("transfer", "unpacked"):
        for name in (kind, "floor", "times"):
            shown.add_column(name, justify="right")
    for floor in floors:
        cells = []
        for kind in ("transfer_bytes", "unpacked_tar_bytes"):
            sizes = (megabytes(getattr(one, kind)) for one in (floor.image, floor.floor))
            cells += [*sizes, f"{floor.times(kind):.2f}"]
        shown.add_row(f"{floor.step}/{floor.variant}", *cells)
    return shown


def untouched_table(floor: Floor) -> Table:
    """The largest things that an image ships and that nothing looks at."""
    title = f"{floor.step}/{floor.variant}: {megabytes(floor.untouched_bytes)} ship and are never looked at"
    shown = Table(title=title, show_edge=False, pad_edge=False)
    shown.add_column("the largest of it")
    for name in ("files", "bytes"):
        shown.add_column(name, justify="right")
    for one in floor.untouched:
        shown.add_row(escape(one.name), str(one.files), megabytes(one.bytes))
    return shown
