"""How numbers are shown to people on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from measure.records import Record
from measure.steps import Step

#: Results go to standard output, at least wide enough for the table.
out = Console(highlight=False)
if out.width < 120 and not out.is_terminal:
    out = Console(highlight=False, width=120)


def megabytes(size: int) -> str:
    """A size for people: decimal megabytes (10**6 bytes), one decimal."""
    return f"{size / 1e6:.1f} MB"


def change(size: int, first: int | None) -> str:
    """The change of a size against the first one, in percent; '' where there is no first one."""
    return f"{(size - first) / first * 100:+.1f} %" if first else ""


def table(step: Step, records: list[Record], platforms: list[str]) -> Table:
    """The table of variants: transfer and unpacked size for each platform, and the change against the first variant."""
    shown = Table(title=f"{step.name}: transfer size (compressed) and unpacked size (tar) of each variant")
    shown.add_column("variant")
    for platform in platforms:
        short = platform.split("/")[1]
        shown.add_column(f"{short}\ntransfer", justify="right")
        shown.add_column("\nchange", justify="right")
        shown.add_column(f"{short}\nunpacked", justify="right")
        shown.add_column("\nchange", justify="right")
    shown.add_column("\nbuild")
    by_key = {(record.variant, record.platform): record for record in records}
    first = step.variants[0].name
    for variant in step.variants:
        cells, results = [], []
        for platform in platforms:
            record = by_key.get((variant.name, platform))
            reference = by_key.get((first, platform))
            if record is None:
                cells += ["-", "", "", ""]
                results.append("left out")
            elif record.size is None:
                cells += ["-", "", "", ""]
                results.append(f"failed ({record.failure.exit_code})")
            else:
                results.append("ok")
                for name in ("transfer_bytes", "unpacked_tar_bytes"):
                    size = getattr(record.size, name)
                    base = getattr(reference.size, name) if reference and reference.size else 0
                    cells += [megabytes(size), "" if variant.name == first else change(size, base)]
        shown.add_row(variant.name, *cells, ", ".join(dict.fromkeys(results)))
    return shown
