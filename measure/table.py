"""How numbers are shown to people on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from measure.records import Record
from measure.steps import Step

#: Results go to standard output, at least wide enough for the tables.
out = Console(highlight=False)
if out.width < 100 and not out.is_terminal:
    out = Console(highlight=False, width=100)


def megabytes(size: int) -> str:
    """A size for people: decimal megabytes (10**6 bytes), one decimal."""
    return f"{size / 1e6:.1f} MB"


def change(size: int, first: int | None) -> str:
    """The change of a size against the first one, in percent; '' where there is no first one."""
    return f"{(size - first) / first * 100:+.1f} %" if first else ""


def table(step: Step, records: list[Record], platforms: list[str]) -> Table:
    """The table of variants: transfer and unpacked size for each platform, and the change against the first variant.

    It fits a terminal of 80 columns, however many platforms there are.
    """
    shown = Table(title=f"{step.name}: transfer size (compressed) and unpacked size (tar)")
    shown.add_column("platform")
    shown.add_column("variant")
    for name in ("transfer", "change", "unpacked", "change"):
        shown.add_column(name, justify="right")
    shown.add_column("build")
    by_key = {(record.variant, record.platform): record for record in records}
    first = step.variants[0].name
    for platform in platforms:
        reference = by_key.get((first, platform))
        for variant in step.variants:
            record = by_key.get((variant.name, platform))
            cells = ["-", "", "-", ""]
            if record is None:
                result = "none"
            elif record.size is None:
                result = "failed"
            else:
                result = "ok"
                cells = []
                for name in ("transfer_bytes", "unpacked_tar_bytes"):
                    size = getattr(record.size, name)
                    base = getattr(reference.size, name) if reference and reference.size else None
                    cells += [megabytes(size), "" if variant.name == first else change(size, base)]
            short = platform.split("/")[1] if variant.name == first else ""
            shown.add_row(short, variant.name, *cells, result, end_section=variant is step.variants[-1])
    return shown
