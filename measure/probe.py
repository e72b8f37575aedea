"""Start an image, ask it, stop it."""

from __future__ import annotations

import os
import posixpath
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
from python_on_whales import Container, DockerClient
from python_on_whales.exceptions import DockerException
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from measure.engine import Engine
from measure.errors import Problem, say
from measure.steps import Variant

#: Containers that this tool starts carry this label with its process ID, so that those of a killed run are found.
LABEL = "org.python-images-measured.run"
#: So are the Compose projects that it starts, by their names, which have it too.
_PROJECT = re.compile(r"measure-(\d+)-[0-9a-f]+")


@dataclass(frozen=True)
class Answer:
    """What a started image answered, and the seconds from `docker run` to the first answer."""

    start: dict
    health: dict
    seconds: float


def remove_orphans(engine: Engine) -> None:
    """Remove containers and Compose projects of runs that were killed before they could."""
    for container in engine.docker.container.list(all=True, filters=[("label", LABEL)]):
        owner = container.config.labels.get(LABEL, "")
        if not owner.isdigit() or not psutil.pid_exists(int(owner)):
            engine.docker.remove(container, force=True, volumes=True)
            say(f"removed the container {container.name}, which a killed run left")
    for project in engine.docker.compose.ls(all=True):
        match = _PROJECT.fullmatch(project.name)
        if match and not psutil.pid_exists(int(match[1])):
            _compose(engine, compose_project_name=project.name).compose.down(volumes=True, quiet=True)
            say(f"removed the Compose project {project.name}, which a killed run left")


def _compose(engine: Engine, **settings: Any) -> DockerClient:
    """The engine's client with settings for Compose."""
    return DockerClient(client_call=engine.docker.client_config.client_call, **settings)


@contextmanager
def dependencies(engine: Engine, variant: Variant) -> Iterator[dict[str, Any]]:
    """Start the services that a variant's service depends on, as its compose file says, and remove them in the end.

    They run on the engine's own platform, whichever the variant is for. Yields what `docker run` needs to have what
    Compose would give the service: their network, and the service's secrets. Raises Problem when they do not start.
    """
    if not variant.depends_on:
        yield {}
        return
    engine.provide(variant.images)
    docker = _compose(
        engine,
        compose_files=[variant.context / "compose.yaml"],
        compose_project_name=f"measure-{os.getpid()}-{uuid.uuid4().hex[:12]}",
        compose_profiles=["*"],
    )
    config = docker.compose.config(return_json=True)
    secrets = config["services"][variant.service].get("secrets") or []
    try:
        try:
            docker.compose.up(variant.depends_on, detach=True, wait=True, wait_timeout=120, quiet=True)
        except DockerException as error:
            names = " ".join(variant.depends_on)
            raise Problem(
                f"{names}, which {variant.service} depends on, does not start.",
                why="\n".join((error.stderr or "").splitlines()[-10:]),
                next=f"docker compose --file {variant.step}/compose.yaml up {names}",
            ) from None
        yield {
            "networks": [config["networks"]["default"]["name"]],
            "volumes": [
                (config["secrets"][one["source"]]["file"], posixpath.join("/run/secrets", one["target"]), "ro")
                for one in secrets
            ],
        }
    finally:
        docker.compose.down(volumes=True, quiet=True)


@contextmanager
def running(
    engine: Engine, image: str, variant: Variant, platform: str, **options: Any
) -> Iterator[tuple[Container, str]]:
    """Run an image in the background, and beside it what it depends on; yields its container and its base URL.

    The URL is on loopback. Removes all of it in the end.
    """
    with dependencies(engine, variant) as more, _running(engine, image, variant, platform, **more, **options) as found:
        yield found


@contextmanager
def _running(
    engine: Engine, image: str, variant: Variant, platform: str, **options: Any
) -> Iterator[tuple[Container, str]]:
    name = f"measure-{uuid.uuid4().hex[:12]}"
    try:
        container = engine.docker.run(
            image,
            detach=True,
            name=name,
            platform=platform,
            envs=variant.environment,
            publish=[("127.0.0.1:", variant.port)],
            labels={LABEL: str(os.getpid())},
            pull="never",
            **options,
        )
        published = container.network_settings.ports[f"{variant.port}/tcp"][0]
        yield container, f"http://127.0.0.1:{published['HostPort']}"
    finally:
        try:
            engine.docker.remove(name, force=True, volumes=True)
        except DockerException as error:
            if "No such container" not in str(error):
                raise


def wait_for(url: str, seconds: float) -> httpx.Response:
    """Ask until the first answer, at most `seconds`. Raises tenacity.RetryError when there is none."""
    for attempt in Retrying(
        stop=stop_after_delay(seconds), wait=wait_fixed(0.05), retry=retry_if_exception_type(httpx.TransportError)
    ):
        with attempt:
            return httpx.get(url, timeout=10, trust_env=False)
    raise AssertionError("unreachable")


def ask(engine: Engine, image: str, variant: Variant, platform: str, seconds: float = 60) -> Answer:
    """Start an image, ask / and /health, stop it.

    Raises Problem, with the container's last output, when it does not answer within `seconds`.
    """
    with dependencies(engine, variant) as more:
        return _ask(engine, image, variant, platform, seconds, **more)


def _ask(engine: Engine, image: str, variant: Variant, platform: str, seconds: float, **options: Any) -> Answer:
    begun = time.monotonic()
    with _running(engine, image, variant, platform, **options) as (container, url):
        try:
            first = wait_for(url, seconds)
            waited = time.monotonic() - begun
            health = httpx.get(f"{url}/health", timeout=10, trust_env=False)
            first.raise_for_status()
            health.raise_for_status()
        except (RetryError, httpx.HTTPError) as error:
            logs = "\n".join(str(container.logs()).splitlines()[-10:])
            raise Problem(
                f"{image} does not answer on {platform}.",
                why=f"{error}\n{logs}",
                next=f"docker run --rm -it --platform {platform} -p 8000:{variant.port} {image}",
            ) from None
    return Answer(first.json(), health.json(), waited)
