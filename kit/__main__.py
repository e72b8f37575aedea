"""`python -m kit`: the offline kit's commands, which the Makefile calls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from measure.base.errors import friendly

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.command()
@friendly
def make(
    chapters: Annotated[str, typer.Option(envvar="CHAPTERS", help="Like 1-3; by default all")] = "",
    docker: Annotated[bool, typer.Option(envvar="DOCKER", help="For laptops with Docker: without the engine")] = False,
    kit: Annotated[Path | None, typer.Option(envvar="KIT", help="The archive; by default in this folder")] = None,
) -> None:
    """Make the workshop's offline kit, out of the lab, for the platforms in PLATFORMS (by default this machine's)."""
    import os

    from kit.making import make as made
    from kit.wanted import Wanted, numbers
    from measure.base.platforms import asked_for, native_platform

    platforms = asked_for() if os.environ.get("PLATFORMS") else [native_platform()]
    made(Wanted(numbers(chapters), platforms), engine=not docker, target=kit)


@app.command()
@friendly
def record() -> None:
    """Make two kits, install one with the network cut, solve exercises, and record sizes and times; root, minutes."""
    from kit.recording import run

    run()


app(prog_name="kit")
