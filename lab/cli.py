"""`python -m lab`: the lab's commands, which the Makefile calls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lab import lifecycle, processes, services
from lab.config import Lab
from measure.base import progress
from measure.base.errors import friendly, say
from measure.base.platforms import PLATFORMS

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
out = Console(highlight=False)


@app.command()
@friendly
def up() -> None:
    """Bring up the engine, the registry and the package-index cache."""
    lab = Lab.from_environment()
    was_up = lifecycle.healthy(lab)
    lifecycle.up(lab)
    out.print("The lab is up." if not was_up else "The lab is up already.")


@app.command()
@friendly
def down() -> None:
    """Stop the lab; keep what is expensive to make."""
    for line in lifecycle.down(Lab.from_environment()):
        say(line)
    out.print("The lab is down.")


@app.command()
@friendly
def clean() -> None:
    """Stop the lab and delete all of it: the host is as it was."""
    for line in lifecycle.clean(Lab.from_environment()):
        say(line)
    out.print("The lab is gone.")


@app.command()
@friendly
def status() -> None:
    """What runs, where, and how much disk and memory it takes."""
    lab = Lab.from_environment()
    addresses = {
        services.ENGINE: f"unix://{lab.socket}",
        services.REGISTRY: f"http://{lab.registry}",
        services.INDEX: f"{lab.index}/simple/",
    }
    memory = lifecycle.resident_bytes(lab)
    table = Table("service", "process", "address", "answers", "memory")
    for name, address in addresses.items():
        process = processes.find(lab, name)
        pid = str(process.pid) if process else "-"
        answer = "yes" if services.answers(lab, name) else "no"
        table.add_row(name, pid, address, answer, f"{memory[name] / 1e6:.0f} MB" if name in memory else "-")
    out.print(table)
    out.print(f"cache: {lab.home}, {lifecycle.size_bytes(lab.home) / 1e9:.2f} GB")


@app.command()
@friendly
def env() -> None:
    """Print the variables that point a Docker client at the lab."""
    lab = Lab.from_environment()
    print('# eval "$(make -s lab-env)" sets these in your shell')
    for name, value in lab.client_environment().items():
        print(f"export {name}={value}")
    print(f"export PATH={lab.docker.parent}:$PATH")


@app.command()
@friendly
def take(kit: Annotated[Path, typer.Argument(help="The unpacked kit's folder")]) -> None:
    """Bring up the lab from what an offline kit brings: nothing is built, and nothing fetched."""
    from lab.kit import take as taken

    taken(Lab.from_environment(), kit.absolute())


@app.command()
@friendly
def provide(
    names: Annotated[list[str], typer.Argument(help="Base images, like python:3.14-slim")],
    platforms: Annotated[str, typer.Option(help="For which platforms")] = ",".join(PLATFORMS),
) -> None:
    """Make base images available under their official names, building those that are missing."""
    from lab import bases

    lab = Lab.from_environment()
    with progress.task("providing base images", told=False, kept=False):
        lifecycle.up(lab)
        bases.provide(lab, names, platforms.split(","))
