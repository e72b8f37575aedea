"""The studies' commands of `python -m measure`. Each imports what it needs when it is called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from measure.base.errors import friendly
from measure.base.platforms import native_platform

if TYPE_CHECKING:
    from measure.steps.compose import Step

app = typer.Typer()
StepName = Annotated[str, typer.Argument(help="A step's folder, or its beginning, like step-1")]


def here(name: str, *, quick: bool = False) -> Step:
    """A step as this machine measures it. Raises Problem when there is none of this name."""
    from measure.steps.compose import find_step

    return replace(find_step(name), quick=quick, native=native_platform())


@app.command()
@friendly
def wheels(
    names: Annotated[list[str] | None, typer.Argument(help="Packages; by default all of wheels.toml")] = None,
) -> None:
    """Ask the package index which wheels packages have for Python 3.14, and record it. Needs no engine."""
    from measure.studies.wheels.asking import measure_wheels

    measure_wheels(names or [])


@app.command(name="second-platform")
@friendly
def second_platform(path: Annotated[Path, typer.Argument(help="A list of requirements, as pip reads it")]) -> None:
    """Say what of a list depends on the processor, and what has no wheel for one; exit code 1 when anything does."""
    from measure.studies.wheels.listing import check_list

    check_list(path)


@app.command()
@friendly
def recipes(
    names: Annotated[list[str] | None, typer.Argument(help="Packages; by default those not proved yet")] = None,
) -> None:
    """Prove which apt packages a package needs to be built from source and to run, and record it."""
    from measure.base import progress
    from measure.build.choosing import choose
    from measure.studies.recipes.proving import measure_recipes

    with progress.task("make recipes", told=False, kept=False):
        measure_recipes(choose(), names or [])


@app.command()
@friendly
def builders(name: Annotated[str | None, typer.Argument(help="A step; else what changed")] = None) -> None:
    """Try Dockerfiles with podman, whose images are started, and with Docker without buildx, and record it."""
    from measure.studies.builders.trying import measure_builders

    measure_builders(name)


@app.command()
@friendly
def sameness() -> None:
    """Compare images that were built without emulation with those that were emulated, file by file, and record it."""
    from measure.base import progress
    from measure.build.choosing import choose
    from measure.studies.sameness.comparing import measure_sameness

    with progress.task("make sameness", told=False):
        measure_sameness(choose())


@app.command()
@friendly
def shipping() -> None:
    """Push each way to ship an image from fresh machines to fresh registries, pull and start it, and record it."""
    from measure.base import progress
    from measure.build.choosing import choose
    from measure.studies.shipping.pushing import measure_shipping

    with progress.task("make shipping", told=False):
        measure_shipping(choose())


@app.command()
@friendly
def fleet(name: Annotated[str, typer.Argument(help="A variant of step 4; else those that changed")] = "") -> None:
    """Build, push and pull fleets of services on each base, and record what they weigh together."""
    from measure.base import progress
    from measure.build.choosing import choose
    from measure.studies.shipping.fleet import measure_fleets

    with progress.task("make fleet", told=False, kept=False):
        measure_fleets(choose(), name)


@app.command()
@friendly
def floor(name: StepName) -> None:
    """Find out which files an image looks at while it runs, prove that it needs no more, and record how large they are.

    Of a step's recommended image, and of the one without a distribution where it has one.
    """
    from measure.base import progress
    from measure.build.choosing import choose
    from measure.studies.floor.finding import measure_floors

    with progress.task(f"make floor-{name}", told=False):
        measure_floors(choose(), here(name))
