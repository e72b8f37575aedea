"""Start an image, ask it, stop it."""

from __future__ import annotations

import functools
import os
import posixpath
import re
import socket
import subprocess
import tarfile
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml
from python_on_whales import Container, DockerClient
from python_on_whales.components.container.models import ContainerState
from python_on_whales.exceptions import DockerException
from tenacity import (
    Retrying,
    retry_if_exception,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    stop_any,
    stop_when_event_set,
    wait_fixed,
)

from measure.base.errors import Problem, say
from measure.base.names import RUN_LABEL as LABEL
from measure.base.progress import ending, pause
from measure.build.engine import STILLBORN, Engine
from measure.steps.compose import Variant


@dataclass(frozen=True)
class Answer:
    """What a started image answered."""

    start: dict
    health: dict
    #: When the very same image said so, where it was not started again; UTC. None: it was asked just now.
    before: datetime | None = None

    def __str__(self) -> str:
        said = f"answered on {self.before:%Y-%m-%d %H:%M} UTC, and is not started again" if self.before else "answers"
        return f"{said}: {self.start}"


def remove_orphans(engine: Engine) -> None:
    """Remove what runs that were killed left: containers, networks and volumes."""
    for what in _remove_labelled(engine, LABEL, lambda owner: not owner.isdigit() or not psutil.pid_exists(int(owner))):
        say(f"removed the {what}, which a killed run left")


def remove_own(engine: Engine) -> None:
    """Remove the containers, networks and volumes that this process started, whatever they are doing."""
    _remove_labelled(engine, f"{LABEL}={os.getpid()}", lambda owner: True)


def remove_all(engine: Engine) -> None:
    """Remove all that any run started, and the bytecode that is kept for images."""
    _remove_labelled(engine, LABEL, lambda owner: True)
    engine.docker.volume.remove(engine.docker.volume.list(filters=[("label", BYTECODE_LABEL)]))


def _remove_labelled(engine: Engine, label: str, of: Callable[[str], bool]) -> list[str]:
    """Remove what carries a label whose value `of` accepts. Returns what it was, in words."""
    docker, filters, removed = engine.docker, [("label", label)], []
    for kind, listed, remove in (
        ("container", docker.container.list(all=True, filters=filters), lambda name: _remove(engine, name)),
        ("network", docker.network.list(filters=filters), docker.network.remove),
        ("volume", docker.volume.list(filters=filters), docker.volume.remove),
    ):
        for one in listed:
            try:
                labels = one.config.labels if kind == "container" else one.labels
                if of(labels.get(LABEL, "")):
                    name = one.name
                    remove(name)
                    removed.append(f"{kind} {name}")
            except DockerException as error:  # another run is removing it, or starting with it
                if not re.search("No such|not found|in use|active endpoints", str(error)):
                    raise
    return removed


def _remove(engine: Engine, container: str) -> None:
    """Remove a container, and its volumes without a name; one that is gone, or going, is no error."""
    try:
        engine.docker.remove(container, force=True, volumes=True)
    except DockerException as error:
        if not re.search("No such container|already in progress", str(error)):
            raise


def labelled(file: Path, owner: int, service: str = "", options: str = "") -> str:
    """A Compose file that labels all of another one as `owner`'s, and adds `options` (YAML) to a service."""
    content = yaml.safe_load(file.read_text())
    labels = f'labels: {{{LABEL}: "{owner}"}}'
    lines = []
    for part, names in (
        ("services", content["services"]),
        ("networks", {"default", *(content.get("networks") or {})}),
        ("volumes", content.get("volumes") or {}),
    ):
        lines += [f"{part}:"] if names else []
        lines += [f"  {name}: {{{labels}{options if (part, name) == ('services', service) else ''}}}" for name in names]
    return "\n".join(lines)


@contextmanager
def _compose(engine: Engine, file: Path, service: str = "", options: str = "") -> Iterator[DockerClient]:
    """A client for a Compose file as a project of this process's own, see `labelled`; taken down in the end."""
    with tempfile.TemporaryDirectory(prefix="measure-") as folder:
        own = Path(folder) / "compose.measure.yaml"
        own.write_text(labelled(file, os.getpid(), service, options))
        client = DockerClient(
            client_call=engine.docker.client_config.client_call,
            compose_files=[file, own],
            compose_project_name=f"measure-{uuid.uuid4().hex[:12]}",
            compose_profiles=["*"],
        )
        try:
            yield client
        finally:
            client.compose.down(volumes=True, quiet=True)


@contextmanager
def dependencies(engine: Engine, variant: Variant) -> Iterator[tuple[list[str], list[tuple[str, ...]]]]:
    """Start the services that a variant's service depends on, as its compose file says, and remove them in the end.

    They run on the engine's own platform, whichever the variant is for. Yields networks and volumes for `docker run`,
    with which a container has what Compose would give the service: neighbours and secrets. Raises Problem when they do
    not start.
    """
    if not variant.depends_on:
        yield [], []
        return
    engine.provide(variant.images, [engine.platform])
    with _compose(engine, variant.context / "compose.yaml") as docker:
        config = docker.compose.config(return_json=True)
        secrets = [
            (config["secrets"][one["source"]]["file"], posixpath.join("/run/secrets", one["target"]), "ro")
            for one in config["services"][variant.service].get("secrets") or []
        ]
        try:
            docker.compose.up(variant.depends_on, detach=True, wait=True, wait_timeout=120, quiet=True)
        except DockerException as error:
            names = " ".join(variant.depends_on)
            raise Problem(
                f"{names}, which {variant.service} depends on, does not start.",
                why="\n".join((error.stderr or "").splitlines()[-10:]),
                next=f"docker compose --file {variant.step}/compose.yaml up {names}",
            ) from None
        yield [config["networks"]["default"]["name"]], secrets


@dataclass(frozen=True)
class Project:
    """A Compose project of this process's own, and where its service answers."""

    command: list[str]
    url: str

    @contextmanager
    def printing(self, *words: str) -> Iterator[Iterator[str]]:
        """Run `docker compose` with these words; yields the lines that it prints, as they come. Ends it in the end.

        Raises Problem, with its last lines, when it fails by itself.
        """
        shown: list[str] = []
        child = subprocess.Popen(
            [*self.command, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip

        def lines() -> Iterator[str]:
            for line in child.stdout:
                shown.append(line.rstrip())
                yield shown[-1]
            if child.wait():
                tail = "\n".join(shown[-10:])
                raise Problem(f"docker compose {' '.join(words)} fails.", why=tail, next="make lab-status")

        try:
            yield lines()
        finally:
            child.terminate()
            child.communicate(timeout=30)

    def run(self, *words: str) -> None:
        """Run `docker compose` with these words to its end. Raises Problem when it fails."""
        with self.printing(*words) as lines:
            for _ in lines:
                continue


@contextmanager
def project(engine: Engine, folder: Path, service: str, image: str) -> Iterator[Project]:
    """A step's folder as a Compose project with a name and a port of its own, as `docker compose up SERVICE` has it.

    `image` is the name that Compose gives to what it builds. Containers and networks are always removed.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    inside = yaml.safe_load((folder / "compose.yaml").read_text())["services"][service]["ports"][0].split(":")[-1]
    options = f', image: "{image}", ports: !override ["127.0.0.1:{port}:{inside}"]'
    with _compose(engine, folder / "compose.yaml", service, options) as docker:
        yield Project([*docker.client_config.docker_compose_cmd], f"http://127.0.0.1:{port}")


@contextmanager
def named_container(engine: Engine) -> Iterator[dict[str, Any]]:
    """Options for `docker run` by which a container is known as this process's own. It is always removed."""
    name = f"measure-{uuid.uuid4().hex[:12]}"
    try:
        yield {"name": name, "labels": {LABEL: str(os.getpid())}}
    finally:
        _remove(engine, name)


@contextmanager
def exported(engine: Engine, image: str, platform: str) -> Iterator[tarfile.TarFile]:
    """All files of an image, as a container that never ran has them."""
    with tempfile.TemporaryDirectory(prefix="measure-") as folder:
        archive = Path(folder) / "exported.tar"
        with named_container(engine) as known_as:
            engine.docker.create(image, platform=platform, pull="never", **known_as).export(archive)
        with tarfile.open(archive) as files:
            yield files


def comes_to(
    container: Container, state: Callable[[ContainerState], object], seconds: float, begun: float | None = None
) -> float | None:
    """Seconds since `begun` (monotonic; now) until a container comes to this state; None: not within as many."""
    begun = time.monotonic() if begun is None else begun
    while time.monotonic() - begun < seconds:
        container.reload()
        if state(container.state):
            return time.monotonic() - begun
        pause(0.1)
    return None


def is_healthy(state: ContainerState) -> bool:
    """Did its health check succeed last?"""
    return state.health is not None and state.health.status == "healthy"


def check_near(engine: Engine) -> None:
    """Raises Problem for an engine on another machine: what is started there is not reached from here."""
    if engine.elsewhere:
        raise Problem(
            "What is started on another machine is not asked from here.",
            why=f"The engine is at {engine.elsewhere}, and its containers answer on that machine's own loopback alone.",
            next="the same command there; or here: unset DOCKER_HOST DOCKER_CONTEXT; docker context use default",
        )


@contextmanager
def running(
    engine: Engine,
    image: str,
    variant: Variant,
    platform: str,
    *,
    when_run: Callable[[], None] = lambda: None,
    **options: Any,
) -> Iterator[tuple[Container, str]]:
    """Run an image in the background, and before it what it depends on; yields its container and its base URL.

    `when_run` is called in between; again, when runc lost the container before it began, which is then run again, twice
    at most. The URL is on loopback. All of it is always removed. Raises Problem when it ends at once, and where the
    engine is on another machine.
    """
    check_near(engine)
    with dependencies(engine, variant) as (networks, volumes), named_container(engine) as known_as:
        run = functools.partial(
            engine.docker.run,
            image,
            detach=True,
            platform=platform,
            envs=variant.environment | options.pop("envs", {}),
            publish=[("127.0.0.1:", variant.port)],
            pull="never",
            networks=networks,
            volumes=[*volumes, *options.pop("volumes", [])],
            **known_as,
            **options,
        )
        for attempt in Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, DockerException) and STILLBORN in str(error)),
            stop=stop_after_attempt(3),
            before_sleep=lambda _: _remove(engine, known_as["name"]),
            reraise=True,
        ):
            with attempt:
                when_run()
                container = run()
        published = (container.network_settings.ports or {}).get(f"{variant.port}/tcp")
        if not published:  # it has no ports any more
            raise Problem(
                f"{image} does not start: it ended at once.",
                why=last_lines(container),
                next=f"docker run --rm -it --platform {platform} -p 8000:{variant.port} {image}",
            )
        yield container, f"http://127.0.0.1:{published[0]['HostPort']}"


def last_lines(container: Container) -> str:
    """The end of what a container printed: it is removed when a run ends, so it cannot be asked later."""
    return "\n".join(str(container.logs()).splitlines()[-10:])


def wait_for(url: str, seconds: float, words: str = "") -> httpx.Response:
    """Ask until an answer comes, with these words, at most `seconds`. Raises why none did: TransportError, ValueError.

    A busy machine is long about an answer: whoever asks it again meanwhile only waits behind himself.
    """
    end = time.monotonic() + seconds
    # To make a client for each question would keep a processor busy, which the container starts on.
    with httpx.Client(trust_env=False) as client:
        for attempt in Retrying(
            stop=stop_any(stop_after_delay(seconds), stop_when_event_set(ending)),
            wait=wait_fixed(0.02),
            retry=retry_if_exception_type((httpx.TransportError, ValueError)),
            reraise=True,
        ):
            with attempt:
                answer = client.get(url, timeout=httpx.Timeout(10, read=max(end - time.monotonic(), 1)))
                if words not in answer.text:
                    raise ValueError(f"{words} is not there yet")
                return answer
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
    """Start an image, ask / and /health, stop it. Raises Problem, with its last output, without answer in `seconds`."""
    options = {} if platform == engine.platform else _kept_bytecode(engine, image)
    with running(engine, image, variant, platform, **options) as (container, url):
        try:
            first, health = (wait_for(f"{url}{path}", seconds).raise_for_status() for path in ("/", "/health"))
        except httpx.HTTPError as error:
            container.reload()
            far = "\nIt runs, and no connection comes to it: this shell may be in a container of its own."
            unreached = isinstance(error, httpx.ConnectError) and container.state.running
            raise Problem(
                f"{image} does not answer on {platform}.",
                why=f"Asked for {seconds:.0f} s: {error}.\n{last_lines(container)}{far if unreached else ''}",
                next=f"docker run --rm -it --platform {platform} -p 8000:{variant.port} {image}",
            ) from None
    return Answer(first.json(), health.json())
