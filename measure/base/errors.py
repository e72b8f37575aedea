"""Errors for people: what went wrong, why, and what to type next."""

from __future__ import annotations

import errno
import functools
import subprocess
from collections.abc import Callable
from typing import ParamSpec

import typer
from rich.console import Console
from rich.markup import escape

P = ParamSpec("P")

#: Everything that is said about the work goes to standard error; standard output is for results.
console = Console(stderr=True, highlight=False)


class Problem(Exception):  # noqa: N818 - it is shown to a person, who has a problem, not an "error"
    """Something to understand and mend: `what` went wrong, `why` (the evidence, in lines), and the `next` command."""

    #: What a command that it ends exits with.
    exit_code = 1

    def __init__(self, what: str, *, why: str = "", next: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self.next = what, why, next
        if why:
            self.add_note(why)  # a traceback, as of a failed test, is of no use without the evidence

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


@functools.singledispatch
def as_problem(error: Exception) -> Problem | None:
    """A Problem for an error from outside (command, network, disk: `@as_problem.register`); None for one of ours."""
    return None


@as_problem.register
def _(error: Problem) -> Problem:
    return error


@as_problem.register
def _(error: subprocess.CalledProcessError) -> Problem:
    why = f"{' '.join(map(str, error.cmd))}\n{error.stderr or ''}".strip()
    return Problem(f"{error.cmd[0]} failed with exit code {error.returncode}.", why=why, next="make lab-status")


@as_problem.register
def _(error: OSError) -> Problem:
    hint = "df -h" if error.errno == errno.ENOSPC else "look at the path above, then the same command again"
    return Problem("The system refused.", why=str(error), next=hint)


def friendly(command: Callable[P, None]) -> Callable[P, None]:
    """Decorate a command so that a Problem ends it with a message and its exit code, and Ctrl-C with exit code 130."""

    @functools.wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            console.print(
                "[bold red]✗ Stopped by you.[/] What was begun is cleared up; the same command goes on from here."
            )
            raise typer.Exit(130) from None
        except Exception as error:
            if problem := as_problem(error):
                problem.show()
                raise typer.Exit(problem.exit_code) from None
            raise

    return wrapper
