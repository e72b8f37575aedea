"""Where results go on a terminal, and what a table of plain texts looks like there."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

#: Results go to standard output, at least wide enough for the tables.
out = Console(highlight=False)
if out.width < 100 and not out.is_terminal:
    out = Console(highlight=False, width=100)


def plain_table(
    title: str, columns: list[str], rows: Iterable[list[str]] = (), left: tuple[str, ...] = ("",), cut: str = "made by"
) -> Table:
    """A table of plain texts; columns are aligned to the right but for those named, and the one called `cut` is cut."""
    shown = Table(title=title, expand=cut in columns)
    for name in columns:
        if name == cut:
            shown.add_column(name, no_wrap=True, overflow="ellipsis", ratio=1)
        else:
            shown.add_column(name, justify="left" if name in left else "right", overflow="fold")
    for row in rows:
        shown.add_row(*map(escape, row))
    return shown
