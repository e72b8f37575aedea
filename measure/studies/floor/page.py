"""What pages say of floors: how small an image could be, and what it ships that nothing looks at."""

from __future__ import annotations

from measure.base.errors import Problem
from measure.base.units import megabytes
from measure.steps.compose import RECOMMENDED, find_step
from measure.studies.floor.model import NONE, Floor, complete, record_path
from measure.tell.page import Page, markdown_table, page_function, short
from measure.tell.reading import KINDS


def _floor(page: Page, name: str) -> Floor:
    step, _, variant = name.partition("/")
    key = (find_step(step).name, variant or RECOMMENDED)
    for one in page.records.once(complete).floors:
        if one.key[:2] == key:
            return one
    raise Problem(f"{name} has no floor.", next=f"make floor-{step}")


def _figure(page: Page, text: str, exact: str) -> str:
    return page.figure(record_path(page.records.environment), text, exact)


def _bytes(page: Page, size: int) -> str:
    return _figure(page, megabytes(size), f"{size:,} bytes")


@page_function
def floor(page: Page, name: str, kind: str = "transfer") -> str:
    """The size of an image of just those files that an image looks at: `transfer`, `unpacked`, or `file_bytes`."""
    return _bytes(page, getattr(_floor(page, name).floor, KINDS.get(kind, kind)))


@page_function
def times_floor(page: Page, name: str) -> str:
    """An image's size as a multiple of its floor's; `none` for the one that has none."""
    if name.endswith(f"/{NONE}"):
        return "none"
    one = _floor(page, name)
    exact = f"{one.image.transfer_bytes:,} bytes against {one.floor.transfer_bytes:,} bytes"
    return _figure(page, f"{one.times('transfer_bytes'):.2f} times", exact)


@page_function
def untouched_bytes(page: Page, name: str) -> str:
    """The bytes of an image's files that nothing looks at."""
    return _bytes(page, _floor(page, name).untouched_bytes)


@page_function
def looked_for(page: Page, name: str) -> str:
    """How many paths an image looks for that are not there."""
    return _figure(page, str(len(_floor(page, name).missing)), "the record has them all")


@page_function
def floors(page: Page) -> str:
    """Every image whose floor was found, its size and its floor's."""
    rows = []
    for one in page.records.once(complete).floors:
        row = [f"[{short(one.step)}/{one.variant}]({page.step_page(one.step)})"]
        for field in KINDS.values():
            sizes = (_bytes(page, getattr(weight, field)) for weight in (one.image, one.floor))
            row += [*sizes, f"{one.times(field):.2f}"]
        rows.append(row)
    head = ["image", *(word for kind in KINDS for word in (kind, "floor", "times"))]
    return markdown_table(head, rows, "lrrrrrr")


@page_function
def untouched(page: Page, name: str) -> str:
    """The largest things that an image ships and that nothing looks at."""
    rows = []
    for one in _floor(page, name).untouched:
        what = f"`{one.name}`" if one.name.startswith(("/", "site-packages")) else one.name
        rows.append([what, str(one.files), _bytes(page, one.bytes)])
    return markdown_table(["what ships and is never looked at", "how many", "files"], rows, "lrr")
