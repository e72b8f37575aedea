"""The commands that read what is there: records, steps, pages. They load no engine."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer
from rich.markup import escape

from measure.base.errors import Problem, friendly, say
from measure.base.files import RESULTS, ROOT, shown, write_whole
from measure.base.names import LAB_ENVIRONMENT
from measure.base.platforms import PLATFORMS
from measure.base.units import megabytes
from measure.record.check import check
from measure.record.compare import compare
from measure.record.records import Record, load, parse, record_path
from measure.schemas import schemas
from measure.steps.compose import RECOMMENDED, all_measured, find_step
from measure.tell.table import contents_table, difference_table, layers_table, out, table

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="What the Makefile's recipes call."
)
Environment = Annotated[
    str, typer.Option("--environment", "-e", envvar="ENVIRONMENT", help="A folder of results/", show_default=True)
]
Platform = Annotated[str, typer.Option("--platform", "-p", help="Which of a variant's records")]


@app.command()
@friendly
def steps() -> None:
    """List the steps and what each variant teaches."""
    for found in all_measured():
        out.print(f"[bold]{found.name}[/]")
        for variant in found.variants:
            out.print(f"  {variant.name}: {variant.teaching.title}. {variant.teaching.teaches}")


@app.command()
@friendly
def show(
    name: Annotated[str, typer.Argument(help="A step, like step-1, or one variant of it, like step-1/slim")],
    environment: Environment = LAB_ENVIRONMENT,
    platform: Platform = PLATFORMS[0],
) -> None:
    """Print what is recorded of a step: sizes, contents, and whether it still holds. Of a variant: its layers too."""
    step_name, _, variant_name = name.partition("/")
    found = find_step(step_name)
    if variant_name:
        record = _record(f"{name}@{platform}", environment)
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
        paths = [record_path(environment, found.name, v.name, p) for v in found.variants for p in v.platforms()]
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
    before: Annotated[str, typer.Argument(help="step-1/slim, step-1/slim@linux/arm64, a file, or REVISION:file")],
    after: Annotated[str, typer.Argument(help="the same for the other record")],
    environment: Environment = LAB_ENVIRONMENT,
) -> None:
    """Compare two records: what grew, by layer, package and directory."""
    one, other = _record(before, environment), _record(after, environment)
    difference = compare(one, other)
    for record, word in ((one, "before"), (other, "after")):
        out.print(f"{word}: {record.step}/{record.variant} on {record.platform} ({record.environment})")
    for title, rows in vars(difference).items():
        if rows:
            out.print(difference_table(title.replace("_", " ").replace("os ", "OS ").replace("python", "Python"), rows))


def _record(name: str, environment: str) -> Record:
    """The record that a person means: STEP/VARIANT[@PLATFORM], a file, or REVISION:FILE for one that git has."""
    path = Path(name)
    if name.endswith(".json") and ":" in name and not path.exists():
        text = subprocess.run(["git", "show", name], cwd=ROOT, capture_output=True, text=True)
        if text.returncode:
            raise Problem(f"git has no {name}.", why=text.stderr.strip(), next="git log -- results")
        return parse(text.stdout, name)
    if not name.endswith(".json"):
        words, _, platform = name.partition("@")
        step_name, _, variant_name = words.partition("/")
        found = find_step(step_name)
        variant = found.variant(variant_name or RECOMMENDED)
        path = record_path(environment, found.name, variant.name, platform or PLATFORMS[0])
    if (record := load(path)) is None:
        raise Problem(f"There is no record {shown(path)}.", next="make steps  # then make step-N, which writes it")
    return record


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
    _site().serve(f"localhost:{port}", environment)


@app.command()
@friendly
def readme() -> None:
    """Make the results table in README.md anew from the records."""
    path = ROOT / "README.md"
    write_whole(path, _site().readme(path.read_text()))
    say("README.md is up to date")


@app.command()
@friendly
def schema() -> None:
    """Write the JSON Schemas of the records anew, after a change in the models."""
    for name, text in schemas().items():
        write_whole(RESULTS / name, text)
        say(f"{shown(RESULTS / name)} written")
