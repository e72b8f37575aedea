"""Which Docker engine builds, and with which builder: the user's own, or the lab's where there is none."""

from __future__ import annotations

import functools
import json
import os
import platform as machine
import re
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
from python_on_whales import DockerClient
from python_on_whales.exceptions import DockerException

from lab import bases, fresh, lifecycle, services
from lab.config import Lab
from measure.errors import Problem, say
from measure.records import LAB_ENVIRONMENT, Environment
from measure.steps import PLATFORMS

#: The builder that is made when the engine's own can neither export OCI nor build for several platforms.
BUILDER_NAME = "python-images-measured"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
#: What runc says of a container, or of an instruction of a build, whose first process it lost before it began: one in
#: thousands, on a machine that has memory left and nothing in its log.
STILLBORN = "waiting for init preliminary setup: read init-p: connection reset by peer"


def native_platform() -> str:
    """The platform of this machine, as Docker writes it, like linux/amd64."""
    return f"linux/{ARCHITECTURES.get(machine.machine(), machine.machine())}"


@dataclass
class Engine:
    """A Docker engine ready to build with, and what is to be known about it."""

    docker: DockerClient
    kind: str  #: "lab" or "host"
    version: str
    buildx: str  #: its version
    builder: str | None  #: name of the buildx builder; None for the client's current one
    driver: str
    platforms: list[str]
    #: Makes base images available for these platforms before a build; raises Problem for one that cannot be had.
    provide: Callable[..., None] = field(default=lambda names, platforms=PLATFORMS: None)
    #: Hash of the recipe that a base image was built by; None for one from a registry.
    recipe: Callable[[str], str | None] = field(default=lambda name: None)
    #: Digest that a base image's name stands for; None where it cannot be told.
    digest: Callable[[str], str | None] = field(default=lambda name: None)
    #: Says why builds may be failing now, or ''.
    diagnose: Callable[[], str] = field(default=lambda: "")
    #: Another engine that has nothing yet, and a registry for builders' caches; None where there is none.
    fresh: Callable[[], AbstractContextManager[Engine]] | None = None
    cache_registry: str | None = None
    #: Digests of the layers of base images seen so far, by name and platform.
    base_layers: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    #: The platform of the machine that builds for a platform, where the user chose the builder; as far as it was asked.
    nodes: dict[str, str] = field(default_factory=dict)

    @property
    def chosen(self) -> bool:
        """Did the user choose the builder (BUILDER=name)? Then other machines may be the ones that build."""
        return self.builder not in (None, "default", BUILDER_NAME)

    @property
    def environment(self) -> str:
        """Name of the folder in results/ that this machine's records go to: ENVIRONMENT, or else by kind of machine.

        Raises Problem for what is no name of a folder, and for the lab's name on another engine.
        """
        return environment_of(self.kind)


def environment_of(kind: str) -> str:
    """Name of the folder in results/ for an engine of this kind, "lab" or "host": see `Engine.environment`."""
    default = LAB_ENVIRONMENT if kind == "lab" else f"dockerhub-{native_platform().split('/')[1]}"
    name = os.environ.get("ENVIRONMENT") or default
    if not re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*", name):
        why = "It becomes a folder of results/: small letters, digits, and - or . between them."
        raise Problem(f"ENVIRONMENT={name} is no name.", why=why, next=f"ENVIRONMENT={default}, or leave it out")
    if name == LAB_ENVIRONMENT and kind != "lab":
        why = "Records there are of the lab's base images, and this engine has others."
        raise Problem(f"ENVIRONMENT={name} is the lab's.", why=why, next=f"ENVIRONMENT={default}, or leave it out")
    return name


def _docker_json(command: list[str], seconds: int = 20) -> dict | None:
    """Run a docker command that prints JSON; None when it fails, or does not answer within `seconds`."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
        return json.loads(result.stdout) if result.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def _server_version(binary: str) -> str | None:
    """Version of the engine that a client reaches, or None."""
    answer = _docker_json([binary, "version", "--format", "json"])
    return ((answer or {}).get("Server") or {}).get("Version")


def image_ids(engine: Engine, names: Collection[str]) -> dict[str, str]:
    """IDs of the images that the engine's own store has under these names, of those that it has. One call for all."""
    if not names:
        return {}
    client, form = engine.docker.client_config.client_call, "{{.Id}} {{json .RepoTags}}"
    # It fails where one is missing, and tells of the others; where all are, it prints an empty line.
    answer = subprocess.run([*client, "image", "inspect", "--format", form, *names], capture_output=True, text=True)
    found = {}
    for line in filter(None, answer.stdout.splitlines()):
        identity, _, tags = line.partition(" ")
        found |= dict.fromkeys(json.loads(tags) or [], identity)
    return {name: found[name] for name in names if name in found}


def asked_for() -> list[str]:
    """The platforms in PLATFORMS, or else those that the project is about."""
    return [p.strip() for p in os.environ.get("PLATFORMS", "").split(",") if p.strip()] or list(PLATFORMS)


def narrow(supported: Iterable[str], only: Collection[str] = ()) -> list[str]:
    """The platforms asked for that the builder can build: `only` these, or those in PLATFORMS.

    Says so when some are left out. Raises Problem when none is left.
    """
    asked = list(only) or asked_for()
    supported = list(supported)
    possible = [p for p in asked if p in supported]
    left_out = [p for p in asked if p not in supported]
    if not possible:
        here = f"PLATFORMS={native_platform()} make …"
        raise Problem(
            f"The builder cannot build for {', '.join(asked)}.",
            why=f"It says it can build for {', '.join(supported) or 'nothing'}.",
            next="the same with BUILDER=name, for a builder that can" if only else here,
        )
    if left_out:
        say(f"leaving out {', '.join(left_out)}: this builder cannot build it (QEMU's binfmt entries are missing?)")
    return possible


def _driver(docker: DockerClient, builder: str) -> str:
    """The driver of the builder with this name. Raises Problem when there is none."""
    try:
        return docker.buildx.inspect(builder).driver
    except DockerException as error:
        raise Problem(
            f"There is no builder called {builder}.", why=(error.stderr or "").strip(), next="docker buildx ls"
        ) from None


def _platforms(binary: str, builder: str | None, *, start: bool) -> set[str]:
    """The platforms that the nodes of a builder can build for, together; empty when it does not say."""
    options = [*([builder] if builder else []), *(["--bootstrap"] if start else [])]
    nodes = subprocess.run([binary, "buildx", "inspect", *options], capture_output=True, text=True)
    listed = [line.partition(":")[2] for line in nodes.stdout.splitlines() if line.strip().startswith("Platforms:")]
    return {p.strip().rstrip("*") for line in listed for p in line.split(",")}


def _builder(docker: DockerClient, binary: str, *, create: bool) -> tuple[str | None, str]:
    """The builder to use, and its driver. Makes one when the engine's own can neither export OCI nor cross-build."""
    if name := os.environ.get("BUILDER"):
        return name, _driver(docker, name)
    current = docker.buildx.inspect()
    if current.driver != "docker":
        return None, current.driver
    info = _docker_json([binary, "info", "--format", "json"]) or {}
    if any("containerd.snapshotter" in value for _, value in info.get("DriverStatus") or []):
        return None, "docker"
    if not any(builder.name == BUILDER_NAME for builder in docker.buildx.list()):
        why = f"this engine's store ({info.get('Driver')}) can neither export OCI nor build for several platforms"
        if not create:
            say(f"{why}: a docker-container builder called {BUILDER_NAME} would be made")
        else:
            say(f"{why}: making a docker-container builder called {BUILDER_NAME} (`make clean` removes it)")
            docker.buildx.create(name=BUILDER_NAME, driver="docker-container")
    return BUILDER_NAME, "docker-container"


def _host_engine(platforms: Collection[str], *, create_builder: bool) -> Engine | None:
    binary = shutil.which("docker")
    version = _server_version(binary) if binary else None
    if not (binary and version):
        return None
    for plugin, package in (("buildx", "docker-buildx-plugin"), ("compose", "docker-compose-plugin")):
        if subprocess.run([binary, plugin, "version"], capture_output=True).returncode:
            raise Problem(
                f"Docker has no {plugin} here.", why=f"`docker {plugin} version` fails.", next=f"install {package}"
            )
    docker = DockerClient(client_call=[binary])
    name, driver = _builder(docker, binary, create=create_builder)
    supported = _platforms(binary, name, start=create_builder)

    @functools.cache
    def digest(image: str) -> str | None:
        command = [binary, "buildx", "imagetools", "inspect", image, "--format", "{{json .Manifest}}"]
        return (_docker_json(command) or {}).get("digest")

    return Engine(
        docker=docker,
        kind="host",
        version=version,
        buildx=_buildx_version(docker),
        builder=name,
        driver=driver,
        platforms=narrow(supported or {native_platform()}, platforms),
        digest=digest,
    )


def _buildx_version(docker: DockerClient) -> str:
    """Version of buildx, like v0.13.1; its own answer is `github.com/docker/buildx VERSION COMMIT`."""
    return docker.buildx.version().split()[1]


def _lab_engine(platforms: Collection[str]) -> Engine:
    lab = Lab.from_environment()
    lifecycle.up(lab)
    os.environ.update(lab.client_environment())
    docker = DockerClient(client_call=[str(lab.docker)])
    builder = os.environ.get("BUILDER", "default")
    supported = PLATFORMS if builder == "default" else _platforms(str(lab.docker), builder, start=True)

    def diagnose() -> str:
        reason = services.index_reachable(lab)
        return f"the package index is unreachable: {reason}" if reason else ""

    @contextmanager
    def another() -> Iterator[Engine]:
        with fresh.machine(lab) as address:
            yield replace(engine, docker=DockerClient(client_call=[str(lab.docker), "--host", address]), base_layers={})

    digest = functools.cache(lambda name: bases.digest(lab, name))

    def provide(names: Iterable[str], platforms: Iterable[str] = PLATFORMS) -> None:
        bases.provide(lab, names, platforms, later=set(engine.platforms) - set(platforms))
        digest.cache_clear()  # the index of an image is another one once a platform was added to it

    engine = Engine(
        docker=docker,
        kind="lab",
        version=_server_version(str(lab.docker)) or "unknown",
        buildx=_buildx_version(docker),
        builder=builder,
        driver=_driver(docker, builder),
        platforms=narrow(supported, platforms),
        provide=provide,
        recipe=bases.recipe_of,
        digest=digest,
        diagnose=diagnose,
        fresh=another,
        cache_registry=f"{lab.registry}/cache",
    )
    return engine


def kind_here() -> str:
    """Of which kind the engine is that `choose` would take, "lab" or "host", where there is one. Starts nothing."""
    forced, binary = os.environ.get("ENGINE", ""), shutil.which("docker")
    is_lab = os.environ.get("DOCKER_HOST") == f"unix://{Lab.from_environment().socket}"
    return forced or ("host" if not is_lab and binary and _server_version(binary) else "lab")


def choose(
    platforms: Collection[str] = (), *, create_builder: bool = True, foretell: Callable[[str], str] | None = None
) -> Engine:
    """The engine to use: ENGINE=host or ENGINE=lab forces one; else the host's, else, on Debian as root, the lab.

    It is to build for `platforms`; by default for those that PLATFORMS says. `foretell` says what will be done with an
    engine of this kind, host or lab, and how long it takes: the user is told first of all.
    Raises Problem when there is none and none can be brought up.
    """
    forced = os.environ.get("ENGINE", "")
    if forced not in ("", "host", "lab"):
        raise Problem(f"ENGINE={forced} means nothing.", next="ENGINE=host or ENGINE=lab, or leave it out")
    is_lab = os.environ.get("DOCKER_HOST") == f"unix://{Lab.from_environment().socket}"
    if forced != "lab" and not is_lab:
        if engine := _host_engine(platforms, create_builder=create_builder):
            if foretell:
                say(foretell("host"))
            return engine
        if forced == "host":
            raise Problem(
                "No Docker engine answers.",
                why=f"docker is {shutil.which('docker') or 'not installed'}; DOCKER_HOST is "
                f"{os.environ.get('DOCKER_HOST', 'not set')}.",
                next="start Docker, or let the lab bring its own engine: ENGINE=lab make …",
            )
    if problem := lifecycle.why_not_here():
        raise Problem(
            f"No Docker engine answers, and the lab cannot help: {problem.what}", why=problem.why, next=problem.next
        )
    lines = [foretell("lab")] if foretell else []
    if not is_lab and forced != "lab" and not lifecycle.healthy(Lab.from_environment()):
        own = "bringing up the lab's own (`make lab-status` tells about it)"
        lines.insert(0, f"no Docker engine on this machine: {own}")
    if lines:
        say(", then ".join(lines))
    return _lab_engine(platforms)


def cpu() -> str:
    """Name of this machine's processor, as /proc/cpuinfo has it, or its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, machine.processor() or machine.machine())


def describe(engine: Engine) -> Environment:
    """Describe the machine and the engine that records are measured with."""
    info = _docker_json([*engine.docker.client_config.client_call, "info", "--format", "json"]) or {}
    return Environment(
        name=engine.environment,
        platform=native_platform(),
        cpu=cpu(),
        cores=os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        system=f"{machine.system()} {machine.release()}",
        engine=engine.version,
        buildx=engine.buildx,
        builder_driver=engine.driver,
        store=info.get("Driver", "unknown"),
        bases="lab" if engine.kind == "lab" else "docker.io",
    )
