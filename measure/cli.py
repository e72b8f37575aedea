"""`python -m measure`: what the Makefile's recipes call.

Each command imports what it needs when it is called: `--help` and the site load no Docker client.
"""

from __future__ import annotations

import signal
import subprocess
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer
from rich.markup import escape

from measure import cli_studies
from measure.base.errors import Problem, friendly, say
from measure.base.files import RESULTS, shown, write_whole
from measure.base.names import LAB_ENVIRONMENT
from measure.base.platforms import PLATFORMS, native_platform
from measure.base.switches import is_on
from measure.cli_studies import StepName, here
from measure.exercises import cli as cli_exercises
from measure.mine import cli as cli_mine

if TYPE_CHECKING:
    from types import ModuleType


app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
#: What has records of its own, beside those of the steps: each says what is wrong with them, and how many there are.
STUDIES = [
    *(f"measure.studies.{name}.model" for name in ("recipes", "floor", "wheels", "fidelity", "sameness", "builders")),
    "measure.studies.shipping.model",
    "measure.studies.shipping.fleets",
]
app.add_typer(cli_studies.app)
app.add_typer(cli_mine.app)
app.add_typer(cli_exercises.app)


@app.command()
@friendly
def step(name: StepName) -> None:
    """Build each variant of a step on each platform, weigh and record it, start it, print the table.

    QUICK=1 leaves out the variants that take many minutes to build, and says which.
    """
    from measure.base import progress
    from measure.build.choosing import choose
    from measure.run.forecast import NATIVE, Forecast
    from measure.run.step import measure_step, session

    chosen = here(name, quick=is_on("QUICK"))
    names = [variant.name for variant in chosen.variants]  # a wrong compose file is told before an engine is brought up
    if left_out := [variant.name for variant in here(name).variants if variant.name not in names]:
        say(f"leaving out {', '.join(left_out)}, which take many minutes to build (QUICK=1)")
    with progress.task(chosen.command, told=False, kept=False) as task:
        forecast = Forecast(chosen, task)
        engine = choose(foretell=forecast.tell)
        with session(engine):
            measure_step(engine, chosen, native_rows=lambda: forecast.keep(NATIVE))
        forecast.keep()


def _whole_ladder(command: str) -> None:
    """Every step, with the platforms and the variants that the environment asks for."""
    from measure.base import progress
    from measure.build.choosing import choose
    from measure.run.ladder import measure_ladder
    from measure.steps.compose import all_measured

    quick = is_on("QUICK")
    steps = [replace(found, quick=quick, native=native_platform()) for found in all_measured()]
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
    variant: Annotated[str | None, typer.Option("--variant", help="Record this one alone")] = None,
) -> None:
    """Time what pages compare of a step's variants, in turns, until it is enough, and record it."""
    from measure.base import progress
    from measure.build.choosing import choose
    from measure.run.step import provide_bases
    from measure.run.timing import time_step, timed_images

    found = here(name)
    with progress.task(found.timing_command, told=False):
        engine = choose()
        provide_bases(engine, timed_images(engine, found))
        time_step(engine, found, only=variant)


@app.command()
@friendly
def run(name: StepName) -> None:
    """`docker compose up --build` for a step, in the foreground, on whichever engine there is."""
    from measure.base import progress
    from measure.base.dockerfiles import external_images
    from measure.build.choosing import choose

    found = here(name)
    recommended = found.recommended
    with progress.task(f"make run-{name}", told=False, kept=False):
        engine = choose()
        engine.provide([*external_images(recommended.dockerfile), *recommended.images], [native_platform()])
    place = urlsplit(engine.elsewhere).hostname or "localhost"
    say(f"http://{place}:{recommended.published} answers when it is up; Ctrl-C stops it")
    compose = [*engine.docker.client_config.client_call, "compose", "--file", str(found.compose_file)]
    up = subprocess.Popen([*compose, "up", "--build"])
    # Ctrl-C reaches Compose too, which then stops the containers: wait until it has.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    code = up.wait()
    subprocess.run([*compose, "down"])
    raise typer.Exit(0 if code == 130 else code)


@app.command()
@friendly
def steps() -> None:
    """List the steps and what each variant teaches."""
    from measure.steps.compose import all_measured
    from measure.tell.table import out

    for found in all_measured():
        out.print(f"[bold]{found.name}[/]")
        for variant in found.variants:
            out.print(f"  {variant.name}: {variant.teaching.title}. {variant.teaching.teaches}")


Environment = Annotated[
    str, typer.Option("--environment", "-e", envvar="ENVIRONMENT", help="A folder of results/", show_default=True)
]
Platform = Annotated[str, typer.Option("--platform", "-p", help="Which of a variant's records")]


@app.command(name="check")
@friendly
def check_records(name: Annotated[str | None, typer.Argument(help="A step; all by default")] = None) -> None:
    """List the records that are stale, missing, orphaned or invalid; exit code 1 when there are any. No engine."""
    from measure.record.check import check
    from measure.record.records import environments, record_files
    from measure.steps.compose import find_step
    from measure.tell.table import out

    asked = [find_step(name)] if name else None
    found, count = [], 0
    for environment in environments() or [LAB_ENVIRONMENT]:
        found += check(environment, asked)
        count += len(record_files(environment))
        for study in () if name else map(import_module, STUDIES):
            found += study.findings(environment)
            count += study.count(environment)
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
    from measure.base import progress
    from measure.run.verify import verify as verify_record

    with progress.task("make verify", told=False, kept=False):
        verify_record(name)


@app.command()
@friendly
def show(
    name: Annotated[str, typer.Argument(help="A step, like step-1, or one variant of it, like step-1/full")],
    environment: Environment = LAB_ENVIRONMENT,
    platform: Platform = PLATFORMS[0],
) -> None:
    """Print what is recorded of a step: sizes, contents, and whether it still holds. Of a variant: its layers too."""
    from measure.base.units import megabytes
    from measure.record.check import check
    from measure.record.records import load, meant, record_path
    from measure.steps.compose import find_step
    from measure.tell.table import contents_table, layers_table, out, table

    step_name, _, variant_name = name.partition("/")
    found = find_step(step_name)
    if variant_name:
        record = meant(f"{name}@{platform}", environment)
        out.print(f"[bold]{record.step}/{record.variant}[/] on {record.platform}: {record.outcome}")
        if record.failure:
            out.print(escape(record.failure.line), soft_wrap=True)
        if record.size:
            out.print(layers_table(record.size))
            out.print(f"build context: {megabytes(record.size.context_bytes)}")
        if record.contents:
            packages = (f"{p.name} {p.version}" for p in record.contents.python_packages)
            out.print(f"Python packages: {', '.join(packages)}", soft_wrap=True)
        out.print(f"Record: {shown(record.path)}", soft_wrap=True)
    else:
        paths = [record_path(environment, found.name, v.name, p) for v in found.variants for p in PLATFORMS]
        records = [record for record in map(load, paths) if record]
        if not records:
            raise Problem(f"Nothing of {found.name} is recorded in {environment}.", next=found.command)
        platforms = [p for p in PLATFORMS if any(record.platform == p for record in records)]
        out.print(table(found, records, platforms))
        out.print(contents_table(found, records, platforms))
        out.print(f"Records: {shown(paths[0].parent)}/", soft_wrap=True)
    for finding in check(environment, [found]):
        say(str(finding))


@app.command()
@friendly
def diff(
    before: Annotated[str, typer.Argument(help="step-1/full, step-1/full@linux/arm64, a file, or REVISION:file")],
    after: Annotated[str, typer.Argument(help="the same for the other record")],
    environment: Environment = LAB_ENVIRONMENT,
) -> None:
    """Compare two records: what grew, by layer, package and directory."""
    from measure.record.compare import compare
    from measure.record.records import meant
    from measure.tell.table import difference_table, out

    one, other = meant(before, environment), meant(after, environment)
    difference = compare(one, other)
    for record, word in ((one, "before"), (other, "after")):
        out.print(f"{word}: {record.step}/{record.variant} on {record.platform} ({record.environment})")
    for title, rows in vars(difference).items():
        if rows:
            out.print(difference_table(title.replace("_", " ").replace("os ", "OS ").replace("python", "Python"), rows))


def _site() -> ModuleType:
    """What makes the site. Imported here and nowhere else, because a run does without its packages."""
    try:
        from measure.pages import site
    except ModuleNotFoundError as error:
        why = f"{error.name} is not installed: a run does without it."
        raise Problem("The site cannot be made.", why=why, next="make docs  # installs what it needs first") from None
    return site


@app.command()
@friendly
def docs(environment: Environment = LAB_ENVIRONMENT) -> None:
    """Build the site into site/, strictly, with every number from a record. Needs neither engine nor network."""
    _site().build(environment=environment)


@app.command()
@friendly
def serve(port: Annotated[int, typer.Option(envvar="PORT")] = 8000, environment: Environment = LAB_ENVIRONMENT) -> None:
    """Serve the site on http://localhost:PORT and reload it whenever a page, a record or a step changes."""
    _site().serve(port, environment)


@app.command()
@friendly
def readme() -> None:
    """Make the tables in README.md and in the steps' README.md anew, from the records and the compose files."""
    for path in _site().readmes():
        write_whole(path, _site().readme(path.read_text(), shown(path)))
        say(f"{shown(path)} is up to date")


@app.command()
@friendly
def schema() -> None:
    """Write the JSON Schemas of the records anew, after a change in the models."""
    from measure.schemas import schemas

    for name, text in schemas().items():
        write_whole(RESULTS / name, text)
        say(f"{shown(RESULTS / name)} written")


@app.command()
@friendly
def engine() -> None:
    """Say which engine and builder would be used, and start nothing on a host engine."""
    from measure.build.choosing import choose
    from measure.tell.table import out

    found = choose(create_builder=False)
    out.print(f"{found.kind} engine {found.version}, builder {found.builder or 'current'} ({found.driver})")
    out.print(f"platforms: {', '.join(found.platforms)}; records go to results/{found.environment}/")


@app.command()
@friendly
def fidelity() -> None:
    """Compare the lab's base images with the official ones, print and record the comparison."""
    from measure.build import lab_engine
    from measure.studies.fidelity import comparing

    lab_engine.up()
    comparing.compare()


@app.command()
@friendly
def bench(
    ladder: Annotated[bool, typer.Option("--ladder", help="Time `make all` in place of that; the bases stay")] = False,
    against: Annotated[str, typer.Option(help="A commit: time a new user's `make step-1` here and there")] = "",
    mine: Annotated[bool, typer.Option("--mine", help="Time a report on an image in a file; the bases stay")] = False,
    workshop: Annotated[bool, typer.Option("--workshop", help="Time an exercise's answer after a save")] = False,
) -> None:
    """Time the lab from nothing, its start, and `make step-1`, and record it. Deletes the lab's cache first."""
    from measure.exercises import bench as saves
    from measure.studies.bench import bench as benchmark
    from measure.studies.bench import first_number, own_image

    if against:
        first_number.compare(against)
    elif mine:
        own_image.run()
    elif workshop:
        saves.run()
    else:
        (benchmark.run_ladder if ladder else benchmark.run)()


@app.command()
@friendly
def clean() -> None:
    """Remove what `make step-N` left: containers, images, the builder it made, exported layers. Records stay."""
    from measure.run.cleaning import clean_caches, clean_engine
    from measure.studies.builders.trying import made as by_builders
    from measure.studies.floor.watching import made

    clean_caches()
    clean_engine(lambda docker: made(docker) + by_builders(docker))
