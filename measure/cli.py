"""`python -m measure`: what the Makefile's recipes call."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from typing import Annotated

import typer
from python_on_whales.exceptions import DockerException

from measure import probe
from measure.build import layout, layout_lock
from measure.dockerfiles import external_images
from measure.engine import BUILDER_NAME, choose
from measure.errors import friendly, say
from measure.files import cache_folder
from measure.run import measure_step
from measure.steps import all_steps, find_step
from measure.table import out

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
StepName = Annotated[str, typer.Argument(help="A step's folder, or its beginning, like step-1")]


@app.command()
@friendly
def step(name: StepName) -> None:
    """Build each variant of a step on each platform, weigh and record it, start it, print the table."""
    found = find_step(name)
    _ = found.variants  # a compose file that does not parse is told before an engine is brought up
    measure_step(choose(), found)


@app.command()
@friendly
def run(name: StepName) -> None:
    """`docker compose up --build` for a step, in the foreground, on whichever engine there is."""
    found = find_step(name)
    recommended = found.recommended
    engine = choose()
    engine.provide(external_images(recommended.dockerfile))
    say(f"http://localhost:{recommended.published} answers when it is up; Ctrl-C stops it")
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
    for found in all_steps():
        out.print(f"[bold]{found.name}[/]")
        for variant in found.variants:
            out.print(f"  {variant.name}: {variant.teaching.title}. {variant.teaching.teaches}")


@app.command()
@friendly
def engine() -> None:
    """Say which engine and builder would be used, and start nothing on a host engine."""
    found = choose(create_builder=False)
    out.print(f"{found.kind} engine {found.version}, builder {found.builder or 'current'} ({found.driver})")
    out.print(f"platforms: {', '.join(found.platforms)}; records go to results/{found.environment}/")


@app.command()
@friendly
def clean() -> None:
    """Remove what `make step-N` left: containers, images, the builder it made, exported layers. Records stay."""
    with layout_lock():
        for folder in (layout(), cache_folder() / "layers", cache_folder() / "step-venvs"):
            shutil.rmtree(folder, ignore_errors=True)
    (cache_folder() / "layout.lock").unlink(missing_ok=True)
    say("exported layers removed")
    try:
        docker = choose(create_builder=False).docker if _engine_up() else None
    except DockerException:
        docker = None
    if docker is None:
        return
    for container in docker.container.list(all=True, filters=[("label", probe.LABEL)]):
        docker.remove(container, force=True)
    images = [f"{s.name}:{v.name}-{arch}" for s in all_steps() for v in s.variants for arch in ("amd64", "arm64")]
    images += [f"{s.name}-{v.service}" for s in all_steps() for v in s.variants]  # Compose's names
    existing = [image for image in images if docker.image.exists(image)]
    if existing:
        docker.image.remove(existing, force=True)
        say(f"{len(existing)} images removed")
    if any(builder.name == BUILDER_NAME for builder in docker.buildx.list()):
        docker.buildx.remove(BUILDER_NAME)
        say(f"builder {BUILDER_NAME} removed")


def _engine_up() -> bool:
    """Does an engine run already? `clean` must not bring one up."""
    from lab import lifecycle
    from lab.config import Lab

    if lifecycle.healthy(Lab.from_environment()):
        return True
    binary = shutil.which("docker")
    return bool(binary) and os.environ.get("ENGINE") != "lab" and not subprocess.run(
        [binary, "version"], capture_output=True, timeout=20
    ).returncode  # fmt: skip
