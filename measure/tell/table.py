"""How numbers are shown to people on a terminal."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from measure.base.units import change, megabytes, signed
from measure.record.compare import SIZES, Change, LayerChange, Row, instruction
from measure.record.records import Record, Size
from measure.steps.compose import Step, Variant

#: Results go to standard output, at least wide enough for the tables.
out = Console(highlight=False)
if out.width < 100 and not out.is_terminal:
    out = Console(highlight=False, width=100)


def table(step: Step, records: list[Record], platforms: list[str]) -> Table:
    """The table of variants: transfer and unpacked size for each platform, and the change against the first variant.

    It fits a terminal of 80 columns, however many platforms there are.
    """
    first = step.variants[0].name
    by_key = {(record.variant, record.platform): record for record in records}

    def cells(variant: Variant, platform: str) -> list[str]:
        record, reference = by_key.get((variant.name, platform)), by_key.get((first, platform))
        if record is None or record.size is None:
            return ["-", "", "-", "", "none" if record is None else "failed"]
        found = []
        for name in ("transfer_bytes", "unpacked_tar_bytes"):
            size = getattr(record.size, name)
            base = getattr(reference.size, name) if reference and reference.size else None
            found += [megabytes(size), "" if variant.name == first else change(size, base)]
        return [*found, "ok"]

    title = f"{step.name}: transfer size (compressed) and unpacked size (tar)"
    return _by_platform(title, ["transfer", "change", "unpacked", "change", "build"], step, platforms, cells)


def contents_table(step: Step, records: list[Record], platforms: list[str]) -> Table:
    """What is in each variant's image: who it runs as, what it has, what it wastes."""
    by_key = {(record.variant, record.platform): record for record in records}

    def cells(variant: Variant, platform: str) -> list[str]:
        record = by_key.get((variant.name, platform))
        if record is None or record.contents is None or record.size is None:
            return ["-"] * 7
        inside = record.contents
        tools = {"cc": inside.has_compiler, "sh": inside.has_shell, "pip": inside.has_pip}
        return [
            inside.user,
            str(len(inside.os_packages)),
            str(len(inside.python_packages)),
            " ".join(name for name, there in tools.items() if there) or "none",
            str(len(inside.setuid_files)),
            megabytes(inside.pyc_bytes),
            megabytes(record.size.wasted.own_bytes),
        ]

    columns = ["user", "OS", "py", "tools", "suid", ".pyc", "wasted"]
    title = f"{step.name}: what is in the images"
    return _by_platform(title, columns, step, platforms, cells)


def _by_platform(
    title: str, columns: list[str], step: Step, platforms: list[str], cells: Callable[[Variant, str], list[str]]
) -> Table:
    """A table with one row for each variant on each platform it makes sense on."""
    shown = Table(title=title, padding=(0, 1))
    for name in ("platform", "variant"):
        shown.add_column(name)
    for name in columns:
        shown.add_column(name, justify="left" if name in ("build", "user", "tools") else "right")
    for platform in platforms:
        variants = [variant for variant in step.variants if variant.platforms([platform])]
        for variant in variants:
            short = platform.split("/")[1] if variant is variants[0] else ""
            shown.add_row(short, variant.name, *cells(variant, platform), end_section=variant is variants[-1])
    return shown


def layers_table(size: Size) -> Table:
    """The layers of an image, lowest first: their sizes, what of them is wasted, and the instruction that made them."""
    shown = Table(title="layers, lowest first", expand=True)
    for name in ("of", "transfer", "unpacked", "wasted"):
        shown.add_column(name, justify="left" if name == "of" else "right", no_wrap=True)
    shown.add_column("made by", no_wrap=True, overflow="ellipsis", ratio=1)
    for layer in size.layers:
        sizes = (layer.transfer_bytes, layer.unpacked_tar_bytes, layer.wasted_bytes)
        owner = "base" if layer.of_base else "own"
        shown.add_row(owner, *(megabytes(one) for one in sizes), escape(instruction(layer.created_by)))
    return shown


def difference_table(title: str, rows: list[Row], most: int = 15) -> Table:
    """Rows of a difference: bytes in one image and in the other, and the growth; the `most` rows that moved most."""
    shown = Table(title=title)
    shown.add_column("", overflow="fold")
    for name in ("before", "after", "change"):
        shown.add_column(name, justify="right")
    kept = sorted(rows, key=lambda row: -abs(row.growth))[:most]
    for row in sorted(kept, key=lambda row: -row.growth):
        before, after = ("-" if one is None else megabytes(one) for one in (row.before, row.after))
        name = f"{escape(row.name)} [dim]{escape(row.note)}[/]" if row.note else escape(row.name)
        shown.add_row(name, before, after, signed(row.growth))
    if left_out := len(rows) - len(kept):
        growth = sum(row.growth for row in rows) - sum(row.growth for row in kept)
        shown.add_row(f"[dim]and {left_out} more[/]", "", "", signed(growth))
    return shown


def bytes_table(title: str, rows: list[Row], most: int = 15) -> Table:
    """Rows of a difference to the byte: recorded, now, and the change; the `most` rows that moved most, in their order.

    For a look at what is nearly the same, where megabytes would say nothing.
    """
    shown = Table(title=title)
    shown.add_column("bytes", overflow="fold")
    for name in ("recorded", "now", "change"):
        shown.add_column(name, justify="right", no_wrap=True)
    kept = sorted(rows, key=lambda row: -abs(row.growth))[:most]
    for row in rows:
        if row in kept:
            cells = ("-" if one is None else f"{one:,}" for one in (row.before, row.after))
            percent = f" ({change(row.after, row.before)})" if row.both and abs(row.growth) * 2000 >= row.before else ""
            shown.add_row(escape(row.name), *cells, f"{row.growth:+,}{percent}" if row.growth else "0")
    if left_out := len(rows) - len(kept):
        shown.add_row(f"[dim]and {left_out} more[/]", "", "", "")
    return shown


def layer_changes_table(found: list[LayerChange]) -> Table:
    """The layers that are not the same to the byte, and the bytes that each grew by."""
    grown = [one for one in found if one.grew]
    shown = Table(title=f"layers that are not the same to the byte: {len(grown)} of {len(found)}", expand=True)
    for name in SIZES.values():
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("made by", no_wrap=True, overflow="ellipsis", ratio=1)
    for one in grown:
        where = "" if one.before and one.after else "new: " if one.after else "gone: "
        shown.add_row(*(f"{one.growth(field):+,}" for field in SIZES), escape(f"{where}{one.name}"))
    return shown


def changes_table(title: str, found: list[Change]) -> Table:
    """What is another in a second image, packages and facts, by name."""
    shown = Table(title=title)
    for name in ("", "recorded", "now"):
        shown.add_column(name, overflow="fold")
    for one in found:
        shown.add_row(escape(one.name), escape(one.before), escape(one.after))
    return shown
