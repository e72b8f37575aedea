"""Errors for people: what went wrong, why, and what to type next."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec

import typer
from rich.console import Console
from rich.markup import escape

P = ParamSpec("P")

#: Everything that is said about the work goes to standard error; standard output is for results.
console = Console(stderr=True, highlight=False)


class Problem(Exception):  # noqa: N818 - it is shown to a person, who has a problem, not an "error"
    """Something the user can understand and mend.

    `what` went wrong, `why` it did (the evidence, may have several lines), and the `next` command to type.
    """

    def __init__(self, what: str, *, why: str = "", next: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self.next = what, why, next

    def show(self) -> None:
        """Print the problem on standard error."""
        console.print(f"[bold red]✗ {escape(self.what)}[/]", soft_wrap=True)
        for line in self.why.splitlines():
            console.print(f"  [dim]{escape(line)}[/]", soft_wrap=True)
        if self.next:
            console.print(f"  [bold]Next:[/] {escape(self.next)}", soft_wrap=True)


def say(message: str) -> None:
    """Tell the user, in one line on standard error, what was done or found."""
    console.print(f"[dim]·[/] {escape(message)}", soft_wrap=True)


def friendly(command: Callable[P, None]) -> Callable[P, None]:
    """Decorate a command so that a Problem ends it with a message and exit code 1, and Ctrl-C with exit code 130."""

    @functools.wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except Problem as problem:
            problem.show()
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            console.print("[bold red]✗ Stopped by you.[/] Nothing is left running and no record was half-written.")
            raise typer.Exit(130) from None

    return wrapper
