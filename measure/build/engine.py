"""Which Docker engine builds, and with which builder: the user's own, or the lab's where there is none."""

from __future__ import annotations

import json
import os
import platform as machine
import re
import subprocess
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from python_on_whales import DockerClient
from python_on_whales.exceptions import DockerException

from measure.base.errors import Problem, as_problem
from measure.base.names import LAB_ENVIRONMENT
from measure.base.platforms import PLATFORMS, native_platform, normal, short
from measure.record.records import Environment

#: The builder that is made when the engine's own can neither export OCI nor build for several platforms.
BUILDER_NAME = "python-images-measured"
#: What runc says of a container, or of an instruction of a build, whose first process it lost before it began: one in
#: thousands, on a machine that has memory left and nothing in its log.
STILLBORN = "waiting for init preliminary setup: read init-p: connection reset by peer"
#: What bake is told by its environment, whatever a reader's own says. Attestations would add megabytes that are no part
#: of the image. From buildx 0.20 on, bake builds nothing outside the folder that it is called in unless it is allowed
#: to, and asks for that on a terminal; we build copies in temporary folders. Older ones have no option that says so.
#: And bake hands SOURCE_DATE_EPOCH on to every build, where it is set, as Nix has it; a variant sets its own.
BAKE_VARIABLES = {
    "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
    "BUILDX_BAKE_ENTITLEMENTS_FS": "0",
    "SOURCE_DATE_EPOCH": "",
}


@dataclass(frozen=True)
class Registry:
    """A registry on loopback that was empty when it began."""

    address: str
    #: Where it keeps its blobs: sha256/DIGEST's first two digits/DIGEST/data.
    blobs: Path
    #: A line for each request, in the combined form of web servers.
    log: Path


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
    #: That of the machine that it runs on, which need not be this one.
    platform: str = field(default_factory=native_platform)
    #: Its address where it is on another machine: what it starts is not to be asked on this one's loopback.
    elsewhere: str = ""
    #: Makes base images available for these platforms before a build; raises Problem for one that cannot be had.
    provide: Callable[..., None] = field(default=lambda names, platforms=PLATFORMS: None)
    #: Hash of the recipe that a base image was built by; None for one from a registry.
    recipe: Callable[[str], str | None] = field(default=lambda name: None)
    #: Digest that a base image's name stands for, if it can be told of the image for a platform; None: unknown.
    digest: Callable[[str, str], str | None] = field(default=lambda name, platform: None)
    #: Says why builds may be failing now, or ''.
    diagnose: Callable[[], str] = field(default=lambda: "")
    #: Another engine that has nothing yet, and a registry for builders' caches; None where there is none.
    fresh: Callable[[], AbstractContextManager[Engine]] | None = None
    #: Another registry, that has nothing yet; None where there is none.
    registry: Callable[[], AbstractContextManager[Registry]] | None = None
    cache_registry: str | None = None
    #: Digests of the layers of base images seen so far, by name, platform, and how they are written.
    base_layers: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)
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
        return environment_of(self.kind, self.platform)


@as_problem.register
def _(error: DockerException) -> Problem:
    lines = (error.stderr or str(error)).strip().splitlines()
    return Problem("Docker refused.", why="\n".join(lines[-6:]), next="docker info  # does the engine answer?")


@as_problem.register
def _(error: httpx.HTTPError) -> Problem:
    return Problem("A service does not answer.", why=str(error), next="make lab-status")


def environment_of(kind: str, platform: str | None = None) -> str:
    """Folder in results/ for a kind of engine, "lab" or "host", on a platform or this one: see `Engine.environment`."""
    default = LAB_ENVIRONMENT if kind == "lab" else f"dockerhub-{short(platform or native_platform())}"
    name = os.environ.get("ENVIRONMENT") or default
    if not re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*", name):
        why = "It becomes a folder of results/: small letters, digits, and - or . between them."
        raise Problem(f"ENVIRONMENT={name} is no name.", why=why, next=f"ENVIRONMENT={default}, or leave it out")
    if name == LAB_ENVIRONMENT and kind != "lab":
        why = "Records there are of the lab's base images, and this engine has others."
        raise Problem(f"ENVIRONMENT={name} is the lab's.", why=why, next=f"ENVIRONMENT={default}, or leave it out")
    return name


def docker_json(command: list[str], form: str = "{{json .}}") -> dict | None:
    """Run a docker command that prints JSON in this form; None when it fails, or does not answer within 20 s.

    Not `--format json`: clients older than 23.0 take that for a text to print.
    """
    try:
        result = subprocess.run([*command, "--format", form], capture_output=True, text=True, timeout=20)
        return json.loads(result.stdout) if result.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def server_version(binary: str) -> str | None:
    """Version of the Docker engine that a client reaches, or None. podman reaches none, whatever it is called."""
    told = docker_json([binary, "version"]) or {}
    return None if is_podman(told) else (told.get("Server") or {}).get("Version")


def is_podman(version: dict) -> bool:
    """Is what `version` said podman's, which the package podman-docker calls docker? It alone writes OsArch as one."""
    return "OsArch" in (version.get("Client") or {})


def why_silent(binary: str | None) -> str:
    """Why a client reaches no engine, in its own words."""
    if binary is None:
        return "docker is not installed."
    if is_podman(docker_json([binary, "version"]) or {}):
        return f"{binary} is podman, which builds what a Dockerfile says, and has no buildx and no Docker engine."
    try:
        told = subprocess.run([binary, "version"], capture_output=True, text=True, timeout=20).stderr.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        told = str(error)
    return f"{told}\ndocker is {binary}; DOCKER_HOST is {os.environ.get('DOCKER_HOST', 'not set')}.".strip()


def platform_of(info: dict) -> str:
    """The platform of the machine that an engine runs on, by what `docker info` says."""
    found = info.get("OSType"), info.get("Architecture")
    return normal("/".join(found)) if all(found) else native_platform()


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


def inspected(binary: str, *options: str) -> list[tuple[str, str]]:
    """Names and values, in order, of what buildx tells about a builder, which is the current one without a name.

    Not by `buildx ls`: it asks every builder there is, also one whose machine is away, and before buildx 0.13, as with
    Docker 24, it tells nothing that can be read. Raises Problem when there is no such builder.
    """
    told = subprocess.run([binary, "buildx", "inspect", *options], capture_output=True, text=True)
    if told.returncode:
        name = next((f"called {option}" for option in options if not option.startswith("-")), "that is current")
        raise Problem(f"There is no builder {name}.", why=told.stderr.strip(), next="docker buildx ls")
    pairs = (line.partition(":")[::2] for line in told.stdout.splitlines())
    return [(name.strip(), value.strip()) for name, value in pairs]


def driver(binary: str, builder: str) -> str:
    """The driver of the builder with this name. Raises Problem when there is none."""
    return dict(reversed(inspected(binary, builder))).get("Driver", "unknown")


def builders_platforms(binary: str, builder: str | None, *, start: bool) -> set[str]:
    """The platforms that the nodes of a builder can build for, together; empty when it does not say."""
    try:
        told = inspected(binary, *([builder] if builder else []), *(["--bootstrap"] if start else []))
    except Problem:
        return set()
    listed = [value for name, value in told if name == "Platforms"]
    return {normal(p.strip().rstrip("*")) for line in listed for p in line.split(",") if p.strip()}


def buildx_version(docker: DockerClient) -> str:
    """Version of buildx, like v0.13.1; its own answer is `github.com/docker/buildx VERSION COMMIT`."""
    return docker.buildx.version().split()[1]


def cpu() -> str:
    """Name of this machine's processor, as /proc/cpuinfo has it, or its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, machine.processor() or machine.machine())


def describe(engine: Engine) -> Environment:
    """Describe the machine that records are measured on, which is the engine's, and the engine."""
    info = docker_json([*engine.docker.client_config.client_call, "info"]) or {}
    kernel = info.get("KernelVersion") or machine.release()
    return Environment(
        name=engine.environment,
        platform=engine.platform,
        cpu=cpu() if kernel == machine.release() else info.get("Architecture", "unknown"),
        cores=info.get("NCPU") or os.cpu_count() or 1,
        memory_bytes=info.get("MemTotal") or psutil.virtual_memory().total,
        system=f"{(info.get('OSType') or machine.system()).capitalize()} {kernel}",
        engine=engine.version,
        buildx=engine.buildx,
        builder_driver=engine.driver,
        store=info.get("Driver", "unknown"),
        bases="lab" if engine.kind == "lab" else "docker.io",
    )
