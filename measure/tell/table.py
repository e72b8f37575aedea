"""How numbers are shown to people on a terminal."""

from __future__ import annotations

from collections.abc import Callable

from rich.table import Table

from measure.base.screen import out, plain_table
from measure.base.units import change, megabytes, signed
from measure.record.compare import SIZES, Change, LayerChange, Row, instruction
from measure.record.records import Record, Size
from measure.steps.compose import Step, Variant
from measure.tell.reading import against

__all__ = ["changes_table", "contents_table", "difference_table", "layer_changes_table", "layers_table", "out", "table"]


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
        return [*(text for size, percent in against(record, reference) for text in (megabytes(size), percent)), "ok"]

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
    shown = plain_table(
        title, ["platform", "variant", *columns], left=("platform", "variant", "build", "user", "tools")
    )
    for platform in platforms:
        variants = [variant for variant in step.variants if variant.platforms([platform])]
        for variant in variants:
            short = platform.split("/")[1] if variant is variants[0] else ""
            shown.add_row(short, variant.name, *cells(variant, platform), end_section=variant is variants[-1])
    return shown


def layers_table(size: Size) -> Table:
    """The layers of an image, lowest first: their sizes, what of them is wasted, and the instruction that made them."""
    rows = []
    for layer in size.layers:
        sizes = (layer.transfer_bytes, layer.unpacked_tar_bytes, layer.wasted_bytes)
        rows.append(["base" if layer.of_base else "own", *map(megabytes, sizes), instruction(layer.created_by)])
    return plain_table("layers, lowest first", ["of", "transfer", "unpacked", "wasted", "made by"], rows, left=("of",))


def layer_changes_table(found: list[LayerChange]) -> Table:
    """The layers that are not the same to the byte, and the bytes that each grew by."""
    rows = []
    for one in (one for one in found if one.grew):
        where = "" if one.before and one.after else "new: " if one.after else "gone: "
        rows.append([*(f"{one.growth(field):+,}" for field in SIZES), f"{where}{one.name}"])
    title = f"layers that are not the same to the byte: {len(rows)} of {len(found)}"
    return plain_table(title, [*SIZES.values(), "made by"], rows)


def difference_table(title: str, rows: list[Row], most: int = 15, *, exact: bool = False) -> Table:
    """Rows of a difference, and the growth of each; the `most` rows that moved most, in their order.

    `exact`: to the byte, for a look at what is nearly the same, where megabytes would say nothing.
    """
    shown: Callable[[int], str] = "{:,}".format if exact else megabytes
    grown: Callable[[int], str] = (lambda size: f"{size:+,}" if size else "0") if exact else signed
    kept = sorted(rows, key=lambda row: -abs(row.growth))[:most]
    cells, left_out = [], [row for row in rows if row not in kept]
    for row in (row for row in rows if row in kept):
        sizes = ("-" if one is None else shown(one) for one in (row.before, row.after))
        seen = exact and row.both and row.growth and abs(row.growth) * 2000 >= row.before
        percent = f" ({change(row.after, row.before)})" if seen else ""
        cells.append([f"{row.name} {row.note}".strip(), *sizes, f"{grown(row.growth)}{percent}"])
    if left_out:
        cells.append([f"and {len(left_out)} more", "", "", grown(sum(row.growth for row in left_out))])
    columns = ["bytes", "recorded", "now", "change"] if exact else ["", "before", "after", "change"]
    return plain_table(title, columns, cells, left=(columns[0],))


def changes_table(title: str, found: list[Change]) -> Table:
    """What is another in a second image, packages and facts, by name."""
    columns = ["", "recorded", "now"]
    return plain_table(title, columns, ([one.name, one.before, one.after] for one in found), left=tuple(columns))
