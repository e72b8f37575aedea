"""`measure-mine`: weigh an image of one's own. What it needs is imported when it is called."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from measure.base.errors import Problem, friendly

if TYPE_CHECKING:
    from measure.mine.budgets import Budget
    from measure.mine.building import Source
    from measure.mine.model import Report
    from measure.mine.reporting import Asked

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
#: What a command ends with when the image is over the budget.
OVER = 3
#: How the names of files end; what ends otherwise, and is no file, may be an image's name.
_FILES = (".tar", ".gz", ".tgz", ".zst", ".oci", ".json")


@app.command()
@friendly
def mine(
    subject: Annotated[
        str, typer.Argument(help="A folder with a Dockerfile, an archive, an OCI layout folder, or an image's name")
    ] = ".",
    dockerfile: Annotated[
        Path | None, typer.Option("-f", "--file", help="The Dockerfile that it is built from")
    ] = None,
    target: Annotated[str | None, typer.Option(help="The stage that is built; else the last one")] = None,
    service: Annotated[str, typer.Option(help="A service of the folder's compose file, or of that file")] = "",
    build_arg: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, as docker build takes it")] = None,
    image: Annotated[str, typer.Option(help="Which of several images in an archive: its name")] = "",
    platform: Annotated[str, typer.Option(help="Which platform's image: linux/arm64")] = "",
    build: Annotated[bool, typer.Option("--build", help="Of a folder: build its image, and weigh that too")] = False,
    start: Annotated[bool, typer.Option("--start", help="Of a folder: start its image too, and stop it")] = False,
    timed: Annotated[
        bool, typer.Option("--time", help="Of a folder: seconds by line, with an empty cache and after an edit")
    ] = False,
    floor: Annotated[
        bool, typer.Option("--floor", help="Of a folder: which files its image looks at, and how small that would be")
    ] = False,
    try_step: Annotated[
        int | None,
        typer.Option("--try", metavar="N", help="Of a folder: do next step N in a Dockerfile beside yours, weigh both"),
    ] = None,
    against: Annotated[
        str, typer.Option(help="What grew since: an archive, a layout, or a report as --json says it")
    ] = "",
    budget: Annotated[Path | None, typer.Option(help="A budget.toml: exit code 3 when the image is over it")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Everything, as results/mine.schema.json describes it")
    ] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="For a pull request's comment")] = False,
    as_html: Annotated[
        Path | None, typer.Option("--html", help="A file to write a page to, with a map of sizes")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every line and every package")] = False,
) -> None:
    """What each line of a Dockerfile and each package costs, and the next step with what it saves.

    No image runs, but for --start, --floor and --try.

    An image is in a file after `docker save IMAGE --output image.tar`.
    """
    from measure.mine.budgets import read_budget
    from measure.mine.reporting import Asked

    limits = read_budget(budget) if budget else None
    args: tuple[tuple[str, str], ...] = ()
    if build_arg:
        from measure.steps.compose import arguments

        args = tuple(arguments(build_arg).items())
    asked = Asked(dockerfile=dockerfile, target=target, args=args, image=image, platform=platform, subject=subject)
    made = _reported(asked, build=build, service=service, start=start, time=timed, floor=floor, number=try_step)
    made = _held(made, asked, against, limits)
    _tell(made, as_json=as_json, as_markdown=as_markdown, as_html=as_html, everything=everything)
    for one in made.breaches:
        Problem(f"Over the budget: {one.told}.", why=one.blame).show()
    if made.breaches:
        raise typer.Exit(OVER)


def _held(made: Report, asked: Asked, against: str, limits: Budget | None) -> Report:
    """A report with what grew since an older one, and what of it is over a budget; where there are such."""
    from measure.mine.budgets import breaches, grown

    before = None
    if against:
        before = _other(replace(asked, subject=against, image="", platform=made.platform or asked.platform))
        made = made.model_copy(update={"against": against, "growth": grown(before, made)})
    return made.model_copy(update={"breaches": breaches(limits, made, before)}) if limits else made


def _reported(
    asked: Asked,
    *,
    build: bool,
    service: str = "",
    start: bool = False,
    time: bool = False,
    floor: bool = False,
    number: int | None = None,
) -> Report:
    """The report of what the reader named: an image in a file, a folder, or an image that the engine has."""
    from measure.mine.archives import is_image
    from measure.mine.reporting import report

    path, builds = Path(asked.subject), start or time or floor or number is not None
    if service:
        asked, path = _of_service(asked, path, service, builds=build or builds, tries=number is not None)
    if asked.dockerfile and not asked.dockerfile.is_file():
        raise Problem(
            f"There is no file {asked.dockerfile}.", next="the same command with -f and the Dockerfile's path"
        )
    if builds and (not path.is_dir() or is_image(path)):
        raise Problem(
            f"{asked.subject} is no folder with a Dockerfile.",
            why="--start, --time, --floor and --try build it.",
            next="measure-mine FOLDER, with -f and the Dockerfile's path if need be",
        )
    if path.exists() and is_image(path):
        return report(replace(asked, archive=path))
    with contextlib.ExitStack() as stack:
        if not path.exists() and (asked.subject.startswith((".", "/", "~")) or path.suffix in _FILES):
            raise Problem(f"There is no file or folder {asked.subject}.", next="ls  # what is here")
        if not path.exists():
            from measure.mine.building import saved

            return report(replace(asked, archive=stack.enter_context(saved(asked.subject))))
        dockerfile = asked.dockerfile or path / "Dockerfile"
        if not dockerfile.is_file():
            raise _no_dockerfile(path, asked.subject)
        asked = replace(asked, folder=path, dockerfile=dockerfile)
        if not (build or builds):
            return report(asked)
        from measure.mine.building import Source, built

        source = Source(path, dockerfile, asked.target, asked.platform, asked.args)
        made = report(replace(asked, archive=stack.enter_context(built(source))))
    return _more(made, source, start=start, time=time, floor=floor, number=number)


def _where(path: Path) -> str:
    """The options of docker compose for the file, or the folder, that a reader named; none for the folder he is in."""
    return "" if path == Path() else f"--file {path} " if path.is_file() else f"--project-directory {path} "


def _of_service(asked: Asked, path: Path, service: str, *, builds: bool, tries: bool) -> tuple[Asked, Path]:
    """What is asked, with what a service of a compose file says where the reader says nothing, and its context."""
    from measure.mine.services import INLINE
    from measure.mine.services import service as service_of

    found = service_of(path, service)
    args = tuple({**found.args, **dict(asked.args)}.items())
    dockerfile, target = asked.dockerfile or found.dockerfile, asked.target or found.target
    if tries and dockerfile.name == INLINE:
        raise Problem(
            f"The Dockerfile of {service} stands in the compose file.",
            why="--try writes a changed one beside it, and there is no file to write beside.",
            next=f"a Dockerfile in {found.context} with its text, and --file with that",
        )
    if builds and found.others:
        raise Problem(
            f"{service} is built from {', '.join(found.others)} too, by its additional_contexts.",
            why="No builder is told of these here: what FROM and COPY --from name would be another image.",
            next=f"docker compose {_where(path)}build {service}  # then docker save IMAGE --output image.tar, to weigh",
        )
    return replace(asked, dockerfile=dockerfile, target=target, args=args), found.context


def _no_dockerfile(folder: Path, shown: str) -> Problem:
    from measure.mine.services import FILES

    way = "-f and the Dockerfile's path"
    if any(folder.glob("docker-bake*.*")):
        way += ": `docker buildx bake --print` says it for each target"
    if (other := folder / "Containerfile").is_file():
        way = f"-f {other}"
    elif any((folder / name).is_file() for name in FILES):
        way = "--service and the name of a service of its compose file"
    return Problem(
        f"{shown} has no Dockerfile, and is no image.",
        why="A folder is weighed by its Dockerfile, or as an OCI image layout (index.json and blobs/).",
        next=f"the same command with {way}",
    )


def _more(made: Report, source: Source, *, start: bool, time: bool, floor: bool, number: int | None) -> Report:
    """A report with what takes builds and containers: a step that is done, a start, a floor, seconds by line."""
    found: dict[str, object] = {}
    if number is not None:
        from measure.mine.trying import tried

        found["tried"] = tried(source, made, number)
    if start:
        from measure.mine import building, running

        docker = building.client_of(source)
        with building.loaded(docker, source) as image:
            found["started"] = running.start(docker, image)
    if floor:
        from measure.mine import building, running

        found["floor"] = running.floor(building.client_of(source), source)
    if time:
        from measure.mine.running import timed

        found["timed"] = timed(source)
    return made.model_copy(update=found)


def _other(asked: Asked) -> Report:
    """What the image is held against: a report in JSON, or an image, its lines named by the same Dockerfile."""
    from pydantic import ValidationError

    from measure.base.model import reasons
    from measure.mine.model import Report

    name, path = asked.subject, Path(asked.subject)
    if path.is_file() and path.suffix == ".json":
        try:
            return Report.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise Problem(
                f"{name} is no report.", why=reasons(error), next="measure-mine … --json > report.json"
            ) from None
    made = _reported(asked, build=False)
    if not made.sizes:
        raise Problem(
            f"{name} is a folder, and no image to hold this one against.",
            next="measure-mine FOLDER --build --json > before.json  # and then --against before.json",
        )
    return made


def _tell(made: Report, *, as_json: bool, as_markdown: bool, as_html: Path | None, everything: bool) -> None:
    if as_html:
        from measure.base.files import write_whole
        from measure.mine.page import page

        write_whole(as_html, page(made))
    if as_json:
        typer.echo(made.model_dump_json(indent=1))
    elif as_markdown:
        from measure.mine.showing import markdown

        typer.echo(markdown(made), nl=False)
    else:
        from measure.base.screen import out
        from measure.mine.showing import show

        show(made, out, everything=everything)


def main() -> None:
    """Where the installed command begins."""
    app(prog_name="measure-mine")
