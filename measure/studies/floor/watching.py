"""What an image does and looks at from its start to its end: it is asked everything, as it is and under strace.

It starts, is asked on every route, answers its health check, loses what it depends on, and stops. strace comes in a
volume with its own loader and libraries, so that it runs in an image that has none, and none of its files is the
image's. What else is needed runs beside the container, so an image may be of any language.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from python_on_whales import Container, DockerClient
from python_on_whales.exceptions import DockerException

from measure.base.errors import Problem
from measure.base.files import shown
from measure.base.platforms import native_platform
from measure.build import images as builder
from measure.build.engine import Engine
from measure.run import probe
from measure.steps.compose import Variant
from measure.studies.floor.model import Answered
from measure.studies.floor.trace import Look, looks

#: What runs in containers: prints the routes of an application of Flask; strace itself.
RESOURCES = Path(__file__).with_name("resources")
ROUTES, TRACER_DOCKERFILE = (RESOURCES / name for name in ("routes.py", "tracer.Dockerfile"))
#: What any other application is asked: what each language promises, by extra-other-languages/README.md.
CONTRACT = [(method, path) for method in ("GET", "HEAD") for path in ("/", "/health", "/image.json")]
#: What a browser asks for by itself when it has got a page.
_LINKED = re.compile(r'<(?:script|link|img)\b[^>]*\b(?:src|href)="(/[^"]+)"')
#: Where strace is in a container, and writes to.
TRACER = "/tracer"
#: The images that are made here and removed again have these names, and the number of this process as their tag.
TRACER_IMAGE, FLOOR_IMAGE = "measure-tracer", "measure-floor"
#: A query that makes no sense to any route, and a page that no application has: what fails has files of its own.
NONSENSE = "?n=nonsense"
NOWHERE = "/no/such/page"
#: Sends SIGTERM to what strace started first: its trace has the lowest number.
_STOP = f"kill $(ls {TRACER}/out | sed -n 's/^app[.]//p' | sort -n | head -n 1)"
#: Seconds that a container may take to answer first, to get healthy, or to stop.
PATIENCE = 120
#: The exit code of what SIGKILL ended.
KILLED = 137
#: What to type when a container does not do what it should.
_STATUS = "make lab-status"


@dataclass(frozen=True)
class Run:
    """What a container did from its start to its end."""

    answered: list[Answered]
    #: Whether the health check succeeded; once more without what the application depends on. None where there is none.
    healthy: list[bool | None]
    exit_code: int


def health_command(config: dict[str, Any]) -> list[str] | None:
    """The command of an image's health check, of its configuration; None when it has none."""
    kind, *words = (config.get("Healthcheck") or {}).get("Test") or ["NONE"]
    return {"CMD": words, "CMD-SHELL": ["/bin/sh", "-c", *words]}.get(kind)


def application(config: dict[str, Any]) -> str | None:
    """The application of Flask that an image serves, as its command names it: MODULE:NAME. None: it names none."""
    words = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
    # 0.0.0.0:8000 is none
    return next((word for word in words if re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", word)), None)


def questions(engine: Engine, image: str, variant: Variant, config: dict[str, Any]) -> list[str]:
    """What an application is asked: each route with each method that it takes, the same with nonsense, and no route.

    One of Flask says itself which routes it has: raises Problem when it does not. Others have those of `CONTRACT`.
    """
    name, routes = application(config), CONTRACT
    if name:
        with probe.named_container(engine) as known_as:
            told = engine.docker.run(
                image, ["-c", ROUTES.read_text(), name], entrypoint="python", pull="never",
                envs=variant.environment | {"PYTHONPATH": "src"}, **known_as,
            )  # fmt: skip
        routes = routes_of(told, variant)
    asked = [f"{method} {path}{query}" for query in ("", NONSENSE) for method, path in routes]
    return [*asked, f"GET {NOWHERE}"]


def routes_of(told: str, variant: Variant) -> list[tuple[str, str]]:
    """Methods and paths, from what an application printed of its routes. Raises Problem when that is not read."""
    try:
        return [(method, re.sub("<[^>]*>", "x", rule)) for method, rule in json.loads(told.splitlines()[-1])]
    except (ValueError, IndexError, TypeError):
        what = f"{variant.step}/{variant.name} does not say which routes it has."
        raise Problem(what, why=told[-500:], next=f"mend {shown(variant.context)}") from None


def exercise(
    engine: Engine,
    container: Container,
    url: str,
    asked: list[str],
    variant: Variant,
    check: list[str],
) -> tuple[list[Answered], list[bool | None]]:
    """Ask everything, check health; again without what it depends on. Raises Problem when it does not answer."""
    try:
        probe.wait_for(url, PATIENCE)
        answered, healthy = _ask(url, asked, ""), [_succeeds(container, check)]
        if variant.depends_on:
            _stop_neighbours(engine, container)
            answered += _ask(url, asked, ", alone")
            healthy.append(_succeeds(container, check))
    except httpx.HTTPError as error:
        why = f"{error}\n{probe.last_lines(container)}"
        raise Problem(f"{variant.step}/{variant.name} does not answer.", why=why, next=_STATUS) from None
    return answered, healthy


def _ask(url: str, asked: list[str], when: str) -> list[Answered]:
    """Ask all of it, and for what the pages that come name: scripts, styles and images."""
    answered, waiting = {}, [*asked]
    while waiting:
        question = waiting.pop(0)
        method, path = question.split(" ", 1)
        answer = httpx.request(method, f"{url}{path}", timeout=60, trust_env=False)
        answered[question] = Answered(question=f"{question}{when}", status=answer.status_code)
        linked = dict.fromkeys(f"GET {name}" for name in _LINKED.findall(answer.text))
        waiting += [one for one in linked if one not in answered and one not in waiting]
    return [*answered.values()]


def _stop_neighbours(engine: Engine, container: Container) -> None:
    container.reload()
    for network in container.network_settings.networks:
        for other in engine.docker.container.list(filters=[("network", network)]):
            if other.id != container.id:
                engine.docker.stop(other, time=10)


def _succeeds(container: Container, words: list[str]) -> bool | None:
    if not words:
        return None
    try:
        container.execute(words)
    except DockerException:
        return False
    return True


def _exit_code(container: Container, image: str) -> int:
    """The exit code of a container that was told to stop. Raises Problem when it does not."""
    if probe.comes_to(container, lambda state: not state.running, PATIENCE) is not None:
        return container.state.exit_code
    raise Problem(
        f"{image} does not stop within {PATIENCE} s of SIGTERM.", why=probe.last_lines(container), next=_STATUS
    )


def run_alone(engine: Engine, image: str, variant: Variant, config: dict[str, Any], asked: list[str]) -> Run:
    """Run as it is, exercise, stop. Raises Problem when it does not answer, get healthy by itself, or end."""
    health = health_command(config)
    try:
        with probe.running(engine, image, variant, native_platform()) as (container, url):
            if health and probe.comes_to(container, probe.is_healthy, PATIENCE) is None:
                raise Problem(f"{image} does not get healthy.", why=probe.last_lines(container), next=_STATUS)
            answered, healthy = exercise(engine, container, url, asked, variant, health or [])
            engine.docker.stop(container, time=60)
            return Run(answered, healthy, _exit_code(container, image))
    except DockerException as error:
        why = (error.stderr or str(error)).strip()
        raise Problem(f"{image} does not start.", why=why, next=_STATUS) from None


# Under strace


def trace(
    engine: Engine, image: str, variant: Variant, config: dict[str, Any], asked: list[str]
) -> tuple[Run, list[Look]]:
    """Run under strace, exercise, stop; returns what was done and looked at. Raises Problem without answer or end."""
    start = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
    health, loader = health_command(config), f"{TRACER}/loader"
    with tracer(engine) as volume, tempfile.TemporaryDirectory(prefix="measure-") as folder:
        options: dict[str, Any] = {"volumes": [(volume, TRACER)], "entrypoint": loader}
        options["command"] = _strace("app", start)
        with probe.running(engine, image, variant, native_platform(), **options) as (container, url):
            check = [loader, *_strace("health", health)] if health else []
            answered, healthy = exercise(engine, container, url, asked, variant, check)
            _stop(engine, container, volume)
            code = _exit_code(container, image)
            container.copy_from(f"{TRACER}/out", folder)
        found: list[Look] = []
        for path in sorted(Path(folder).rglob("*.*")):
            lines = path.read_text(errors="surrogateescape").splitlines()
            found += looks(lines, config.get("WorkingDir") or "/")
    return Run(answered, healthy, code), found


def _stop(engine: Engine, container: Container, volume: str) -> None:
    """Tell what runs under strace to end, from beside the container: an image may have no program that could."""
    with probe.named_container(engine) as known_as:
        beside: dict[str, Any] = {"pid": f"container:{container.id}", "volumes": [(volume, TRACER)], **known_as}
        try:
            engine.docker.run(f"{TRACER_IMAGE}:{os.getpid()}", ["sh", "-c", _STOP], pull="never", **beside)
        except DockerException as error:
            # What ends takes along all that sees its processes. Whether it ended is looked at next.
            if error.return_code != KILLED:
                raise


def _strace(name: str, words: list[str]) -> list[str]:
    """The arguments of the tracer's loader that run a program under strace, with its trace in files of this name."""
    options = ["-ff", "-qq", "-y", "-e", "trace=%file", "-e", "signal=none", "-o", f"{TRACER}/out/{name}"]
    return ["--library-path", f"{TRACER}/lib", f"{TRACER}/strace", *options, "--", *words]


@contextlib.contextmanager
def tracer(engine: Engine) -> Iterator[str]:
    """A volume with strace and a place for its traces. It is always removed."""
    volume = f"{TRACER_IMAGE}-{uuid.uuid4().hex[:12]}"
    with own_image(engine, TRACER_IMAGE) as name:
        builder.load_text(engine, TRACER_DOCKERFILE.read_text(), name)
        try:
            engine.docker.volume.create(volume, labels={probe.LABEL: str(os.getpid())})
            # A volume that is empty takes over what the image has where it is mounted.
            with probe.named_container(engine) as known_as:
                engine.docker.run(name, ["true"], volumes=[(volume, TRACER)], pull="never", **known_as)
            yield volume
        finally:
            if engine.docker.volume.exists(volume):
                engine.docker.volume.remove(volume)


@contextlib.contextmanager
def own_image(engine: Engine, kind: str) -> Iterator[str]:
    """A name for an image of this process's own. The image is always removed."""
    name = f"{kind}:{os.getpid()}"
    try:
        yield name
    finally:
        if engine.docker.image.exists(name):
            engine.docker.image.remove(name, force=True)


def made(docker: DockerClient) -> list[str]:
    """The images in an engine that were made here: none, but for those of a run that goes on or was killed."""
    found = (docker.image.list(name) for name in (TRACER_IMAGE, FLOOR_IMAGE))
    return [tag for images in found for image in images for tag in image.repo_tags]
