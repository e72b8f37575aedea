"""Start an image, ask it, stop it."""

from __future__ import annotations

import os
import threading
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
from tenacity import (
    RetryError,
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    stop_any,
    stop_when_event_set,
    wait_fixed,
)

from measure.engine import Engine, native_platform
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


#: Set when the run is to end: nothing is waited for any more.
ending = threading.Event()


def remove_orphans(engine: Engine) -> None:
    """Remove containers of runs that were killed before they could."""
    for container in engine.docker.container.list(all=True, filters=[("label", LABEL)]):
        owner = container.config.labels.get(LABEL, "")
        if not owner.isdigit() or not psutil.pid_exists(int(owner)):
            engine.docker.remove(container, force=True, volumes=True)
            say(f"removed the container {container.name}, which a killed run left")


def remove_own(engine: Engine) -> None:
    """Remove the containers that this process started, whatever they are doing."""
    for container in engine.docker.container.list(all=True, filters=[("label", f"{LABEL}={os.getpid()}")]):
        engine.docker.remove(container, force=True, volumes=True)


@contextmanager
def named_container(engine: Engine) -> Iterator[dict[str, Any]]:
    """Options for `docker run` by which a container is known as this process's own. It is always removed."""
    name = f"measure-{uuid.uuid4().hex[:12]}"
    try:
        yield {"name": name, "labels": {LABEL: str(os.getpid())}}
    finally:
        try:
            engine.docker.remove(name, force=True, volumes=True)  # volumes without a name
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
            envs=variant.environment | options.pop("envs", {}),
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
        stop=stop_any(stop_after_delay(seconds), stop_when_event_set(ending)),
        wait=wait_fixed(0.05),
        retry=retry_if_exception_type(httpx.TransportError),
    ):
        with attempt:
            return httpx.get(url, timeout=10, trust_env=False)
    raise AssertionError("unreachable")


#: Volumes of bytecode carry this label with the name of the image that they belong to.
BYTECODE_LABEL = "org.python-images-measured.bytecode"


def _kept_bytecode(engine: Engine, image: str) -> dict[str, Any]:
    """Options for `docker run` that keep the bytecode which Python compiles, for the next start of the very same image.

    Compiling the standard library's modules, which official images bring without bytecode, is most of what a start
    takes under emulation. The volume belongs to one image: Python looks at a file's size, and its time in whole
    seconds, which another image may share.
    """
    name = f"measure-bytecode-{engine.docker.image.inspect(image).id.removeprefix('sha256:')[:24]}"
    volumes = engine.docker.volume.list(filters=[("label", f"{BYTECODE_LABEL}={image}")])
    for volume in volumes:
        if volume.name != name:
            engine.docker.volume.remove(volume)
    if not any(volume.name == name for volume in volumes):
        engine.docker.volume.create(name, labels={BYTECODE_LABEL: image})
    # On /tmp, because a volume takes over the rights of the folder that it covers, and there any user may write.
    return {"volumes": [(name, "/tmp")], "envs": {"PYTHONPYCACHEPREFIX": "/tmp/bytecode"}}  # noqa: S108


def ask(engine: Engine, image: str, variant: Variant, platform: str, seconds: float = 120) -> Answer:
    """Start an image, ask / and /health, stop it.

    Raises Problem, with the container's last output, when it does not answer within `seconds`.
    """
    begun = time.monotonic()
    options = {} if platform == native_platform() else _kept_bytecode(engine, image)
    with running(engine, image, variant, platform, **options) as (container, url):
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
