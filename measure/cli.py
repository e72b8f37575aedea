"""`python -m measure`: what the Makefile's recipes call. Here are the commands that build and measure."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from python_on_whales.exceptions import DockerException
from rich.markup import escape

from measure.base import progress
from measure.base.dockerfiles import external_images
from measure.base.errors import Problem, friendly, say
from measure.base.files import cache_folder
from measure.base.names import LAB_ENVIRONMENT
from measure.base.platforms import native_platform
from measure.build import lab_engine
from measure.build.choosing import choose
from measure.build.engine import BUILDER_NAME
from measure.build.layout import layout, layout_in_use
from measure.cli_reading import app
from measure.record.check import check
from measure.record.records import environments, record_files
from measure.run import probe
from measure.run.forecast import NATIVE, Forecast
from measure.run.ladder import Command, journals, measure_ladder
from measure.run.step import measure_step, provide_bases, session
from measure.run.timing import time_step
from measure.run.verify import verify as verify_record
from measure.steps.compose import all_measured, find_step
from measure.studies.floor import finding as floor_finding
from measure.studies.floor import model as floor_records
from measure.studies.recipes import model as recipe_records
from measure.studies.recipes import proving as recipe_proving
from measure.studies.wheels.asking import measure_wheels
from measure.tell.table import out

StepName = Annotated[str, typer.Argument(help="A step's folder, or its beginning, like step-1")]


@app.command()
@friendly
def step(name: StepName) -> None:
    """Build each variant of a step on each platform, weigh and record it, start it, print the table.

    QUICK=1 leaves out the variants that take many minutes to build, and says which.
    """
    found = find_step(name)
    chosen = replace(found, quick=bool(os.environ.get("QUICK")))
    names = [variant.name for variant in chosen.variants]  # a wrong compose file is told before an engine is brought up
    if left_out := [variant.name for variant in found.variants if variant.name not in names]:
        say(f"leaving out {', '.join(left_out)}, which take many minutes to build (QUICK=1)")
    with progress.task(found.command, told=False, kept=False) as task:
        forecast = Forecast(chosen, task)
        engine = choose(foretell=forecast.tell)
        with session(engine):
            measure_step(engine, chosen, native_rows=lambda: forecast.keep(NATIVE))
        forecast.keep()


def _whole_ladder(command: Command) -> None:
    """Every step, with the platforms and the variants that the environment asks for."""
    steps = [replace(found, quick=bool(os.environ.get("QUICK"))) for found in all_measured()]
    with progress.task(f"make {command}", told=False):
        measure_ladder(choose(), steps, command)


@app.command(name="all")
@friendly
def build_all() -> None:
    """Build, weigh, start and record every step; go on after a failure; print one summary. Resumes after Ctrl-C."""
    _whole_ladder("all")


@app.command(name="record")
@friendly
def record_all() -> None:
    """The same, with all timings: every plan in measure/record/timings/."""
    _whole_ladder("record")


@app.command(name="time")
@friendly
def time_rebuilds(
    name: StepName,
    once: Annotated[bool, typer.Option("--once", help="One sample of each, and nothing is recorded")] = False,
    variant: Annotated[str | None, typer.Option("--variant", help="Record this one alone")] = None,
) -> None:
    """Time what pages compare of a step's variants, in turns, until it is enough, and record it."""
    found = find_step(name)
    with progress.task(f"{found.timing_command}{' --once' if once else ''}", told=False):
        engine = choose()
        provide_bases(engine, [(one, native_platform()) for one in found.variants])
        time_step(engine, found, once=once, only=variant)


@app.command()
@friendly
def wheels(
    names: Annotated[
        list[str] | None, typer.Argument(help="Packages; all of measure/studies/wheels/wheels.toml by default")
    ] = None,
) -> None:
    """Ask pip, in a container, which wheels packages have for Python 3.14, and record it."""
    measure_wheels(choose(), names or [])


@app.command()
@friendly
def recipes(
    names: Annotated[list[str] | None, typer.Argument(help="Packages; by default those not proved yet")] = None,
) -> None:
    """Prove which apt packages a package needs to be built from source and to run, and record it."""
    with progress.task("make recipes", told=False, kept=False):
        recipe_proving.measure_recipes(choose(), names or [])


@app.command()
@friendly
def floor(name: StepName) -> None:
    """Find out which files an image looks at while it runs, prove that it needs no more, and record how large they are.

    Of a step's recommended image, and of the one without a distribution where it has one.
    """
    with progress.task(f"make floor-{name}", told=False):
        floor_finding.measure_floors(choose(), find_step(name))


@app.command()
@friendly
def run(name: StepName) -> None:
    """`docker compose up --build` for a step, in the foreground, on whichever engine there is."""
    found = find_step(name)
    recommended = found.recommended
    with progress.task(f"make run-{name}", told=False, kept=False):
        engine = choose()
        engine.provide([*external_images(recommended.dockerfile), *recommended.images], [native_platform()])
    say(f"http://localhost:{recommended.published} answers when it is up; Ctrl-C stops it")
    compose = [*engine.docker.client_config.client_call, "compose", "--file", str(found.compose_file)]
    up = subprocess.Popen([*compose, "up", "--build"])
    # Ctrl-C reaches Compose too, which then stops the containers: wait until it has.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    code = up.wait()
    subprocess.run([*compose, "down"])
    raise typer.Exit(0 if code == 130 else code)


@app.command(name="check")
@friendly
def check_records(name: Annotated[str | None, typer.Argument(help="A step; all by default")] = None) -> None:
    """List the records that are stale, missing, orphaned or invalid; exit code 1 when there are any. No engine."""
    asked = [find_step(name)] if name else None
    found, count = [], 0
    for environment in environments() or [LAB_ENVIRONMENT]:
        found += check(environment, asked)
        count += len(record_files(environment))
        if not name and (environment == LAB_ENVIRONMENT or recipe_records.record_path(environment).exists()):
            found += recipe_records.findings(environment)
            count += len(recipe_records.load(environment).recipes)
        if not name and (environment == LAB_ENVIRONMENT or floor_records.record_path(environment).exists()):
            found += floor_records.findings(environment)
            count += len(floor_records.load(environment).floors)
    for finding in found:
        out.print(escape(str(finding)), soft_wrap=True)
    if found:
        commands = dict.fromkeys(finding.command for finding in found)
        raise Problem(f"{len(found)} of the records do not hold.", next="\n        ".join(commands))
    out.print(f"All {count} records hold.")


@app.command()
@friendly
def verify(
    name: Annotated[str, typer.Argument(help="A record: its path, or that below results/, with or without .json")] = "",
) -> None:
    """Build anew what a record describes, with nothing cached, and compare. Records nothing; exit code 3: not the same.

    The platform is the record's, whatever PLATFORMS says.
    """
    with progress.task("make verify", told=False, kept=False):
        verify_record(name)


@app.command()
@friendly
def engine() -> None:
    """Say which engine and builder would be used, and start nothing on a host engine."""
    found = choose(create_builder=False)
    out.print(f"{found.kind} engine {found.version}, builder {found.builder or 'current'} ({found.driver})")
    out.print(f"platforms: {', '.join(found.platforms)}; records go to results/{found.environment}/")


@app.command()
@friendly
def fidelity() -> None:
    """Compare the lab's base images with the official ones, print and record the comparison."""
    from measure.studies.fidelity import comparing

    lab_engine.up()
    comparing.compare()


@app.command()
@friendly
def bench(
    ladder: Annotated[bool, typer.Option("--ladder", help="Time `make all` in place of that; the bases stay")] = False,
    against: Annotated[str, typer.Option(help="A commit: time a new user's `make step-1` here and there")] = "",
    keep: Annotated[Path | None, typer.Option(help="With --against: leave both clones and their caches here")] = None,
) -> None:
    """Time the lab from nothing, its start, and `make step-1`, and record it. Deletes the lab's cache first."""
    from measure.studies.bench import bench as benchmark
    from measure.studies.bench import first_number

    if against:
        first_number.compare(against, keep)
    else:
        (benchmark.run_ladder if ladder else benchmark.run)()


@app.command()
@friendly
def clean() -> None:
    """Remove what `make step-N` left: containers, images, the builder it made, exported layers. Records stay."""
    with layout_in_use(alone=True) as alone:
        if not alone:
            raise Problem("A run is building here just now.", next="make clean, once it has ended")
        for folder in (
            layout(),
            *(cache_folder() / name for name in ("layers", "contexts", "step-venvs")),
            journals(),
        ):
            shutil.rmtree(folder, ignore_errors=True)
        (cache_folder() / "durations.json").unlink(missing_ok=True)
    say("exported layers removed")
    try:
        docker = choose(create_builder=False).docker if _engine_up() else None
    except DockerException:
        docker = None
    if docker is None:
        return
    for container in docker.container.list(all=True, filters=[("label", probe.LABEL)]):
        docker.remove(container, force=True)
    for label in (probe.BYTECODE_LABEL, probe.LABEL):
        docker.volume.remove(docker.volume.list(filters=[("label", label)]))
    images = [f"{s.name}:{v.name}-{arch}" for s in all_measured() for v in s.variants for arch in ("amd64", "arm64")]
    images += [f"{s.name}-{v.service}" for s in all_measured() for v in s.variants]  # Compose's names
    images += floor_finding.made(docker)
    existing = [image for image in images if docker.image.exists(image)]
    if existing:
        docker.image.remove(existing, force=True)
        say(f"{len(existing)} images removed")
    if any(builder.name == BUILDER_NAME for builder in docker.buildx.list()):
        docker.buildx.remove(BUILDER_NAME)
        say(f"builder {BUILDER_NAME} removed")


def _engine_up() -> bool:
    """Does an engine run already? `clean` must not bring one up."""
    if lab_engine.is_up():
        return True
    binary = shutil.which("docker")
    return bool(binary) and os.environ.get("ENGINE") != "lab" and not subprocess.run(
        [binary, "version"], capture_output=True, timeout=20
    ).returncode  # fmt: skip
