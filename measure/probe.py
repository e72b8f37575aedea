"""Start an image, ask it, stop it."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
from python_on_whales import Container
from python_on_whales.exceptions import DockerException
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from measure.engine import Engine
from measure.errors import Problem, say
from measure.steps import Variant

#: Containers that this tool starts carry this label with its process ID, so that those of a killed run are found.
LABEL = "org.python-images-measured.run"


@dataclass(frozen=True)
class Answer:
    """What a started image answered, and the seconds from `docker run` to the first answer."""

    start: dict
    health: dict
    seconds: float


def remove_orphans(engine: Engine) -> None:
    """Remove containers of runs that were killed before they could."""
    for container in engine.docker.container.list(all=True, filters=[("label", LABEL)]):
        owner = container.config.labels.get(LABEL, "")
        if not owner.isdigit() or not psutil.pid_exists(int(owner)):
            engine.docker.remove(container, force=True, volumes=True)
            say(f"removed the container {container.name}, which a killed run left")


@contextmanager
def named_container(engine: Engine) -> Iterator[dict[str, Any]]:
    """Options for `docker run` by which a container is known as this process's own. It is always removed."""
    name = f"measure-{uuid.uuid4().hex[:12]}"
    try:
        yield {"name": name, "labels": {LABEL: str(os.getpid())}}
    finally:
        try:
            engine.docker.remove(name, force=True, volumes=True)
        except DockerException as error:
            if "No such container" not in str(error):
                raise


@contextmanager
def running(
    engine: Engine, image: str, variant: Variant, platform: str, **options: Any
) -> Iterator[tuple[Container, str]]:
    """Run an image in the background; yields its container and its base URL on loopback. Always removes it."""
    with named_container(engine) as known_as:
        container = engine.docker.run(
            image,
            detach=True,
            platform=platform,
            envs=variant.environment,
            publish=[("127.0.0.1:", variant.port)],
            pull="never",
            **known_as,
            **options,
        )
        published = container.network_settings.ports[f"{variant.port}/tcp"][0]
        yield container, f"http://127.0.0.1:{published['HostPort']}"


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
    begun = time.monotonic()
    with running(engine, image, variant, platform) as (container, url):
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
