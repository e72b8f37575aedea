"""The study's command of `python -m measure`; it imports what it needs when it is called."""

from __future__ import annotations

from typing import Annotated

import typer

from measure.base.errors import friendly

app = typer.Typer()


@app.command()
@friendly
def builders(
    name: Annotated[str | None, typer.Argument(help="A step; by default all that changed since")] = None,
) -> None:
    """Build every Dockerfile with podman and with Docker without buildx, start podman's images, and record it."""
    from measure.base import progress
    from measure.build.choosing import choose
    from measure.studies.builders.trying import measure_builders

    with progress.task("make builders", told=False, kept=False):
        measure_builders(choose(), name)
