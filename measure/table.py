"""How numbers are shown to people on a terminal."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from measure.compare import SIZES, Change, LayerChange, Row, instruction
from measure.floor_table import Floor
from measure.recipe_table import RecipeRecord
from measure.records import Record, Size
from measure.steps import Step, Variant
from measure.units import change, duration, megabytes, signed
from measure.wheel_table import TARGETS, Answer, Package

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


def recipes_table(records: list[RecipeRecord]) -> Table:
    """What was proved of recipes: the apt packages, what they add to an image (transfer size), the time to build."""
    shown = Table(title="build dependencies, verified (transfer size of the packages)", show_edge=False, pad_edge=False)
    for name in ("package", "to build", "adds", "to run", "adds", "built in"):
        shown.add_column(name, justify="right" if name in ("adds", "built in") else "left")
    for record in records:
        recipe, built = record.recipe, record.built
        cells = [record.outcome, "", "", "", ""]
        if built:
            build_cost, run_cost = (megabytes(cost.transfer_bytes) for cost in (built.build_cost, built.run_cost))
            run = [" ".join(recipe.run), run_cost] if recipe.run else ["nothing", ""]
            cells = [" ".join(recipe.build), build_cost, *run, duration(built.seconds)]
        shown.add_row(f"{recipe.package} {recipe.version}", *cells)
    return shown


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
