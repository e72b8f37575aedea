"""The engine that the user has, and which of its builders builds."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit

from python_on_whales import DockerClient

from measure.base.errors import Problem, say
from measure.base.files import ROOT, cache_folder
from measure.base.platforms import narrow
from measure.build.engine import (
    BUILDER_NAME,
    Engine,
    builders_platforms,
    buildx_version,
    docker_json,
    driver,
    inspected,
    platform_of,
    server_version,
)


def has_builder(binary: str) -> bool:
    """Was the builder made that bears our name?"""
    try:
        return bool(inspected(binary, BUILDER_NAME))
    except Problem:
        return False


def _builder(binary: str, info: dict, *, create: bool) -> tuple[str | None, str]:
    """The builder to use, and its driver. Makes one when the engine's own can neither export OCI nor cross-build.

    `info` is what `docker info` says of the engine.
    """
    if name := os.environ.get("BUILDER"):
        return name, driver(binary, name)
    current = dict(reversed(inspected(binary)))  # its own name and driver come before those of its nodes
    if current.get("Driver") != "docker":  # chosen by `docker buildx use`: it may be on another machine
        return current.get("Name"), current.get("Driver", "unknown")
    if any("containerd.snapshotter" in value for _, value in info.get("DriverStatus") or []):
        return None, "docker"
    if not has_builder(binary):
        why = f"this engine's store ({info.get('Driver')}) can neither export OCI nor build for several platforms"
        if not create:
            say(f"{why}: a docker-container builder called {BUILDER_NAME} would be made")
        else:
            say(f"{why}: making a docker-container builder called {BUILDER_NAME} (`make clean` removes it)")
            make = [binary, "buildx", "create", "--name", BUILDER_NAME, "--driver", "docker-container"]
            made = subprocess.run(make, capture_output=True, text=True)
            if made.returncode:
                raise Problem(
                    "The builder cannot be made.", why=made.stderr.strip(), next=f"docker {' '.join(make[1:])}"
                )
    return BUILDER_NAME, "docker-container"


def check_snap(binary: str, folders: Collection[Path]) -> None:
    """Raises Problem when docker is a snap, which sees no file but in the home folder, and none in ~/.cache."""
    if "/snap/bin/" not in binary:
        return
    home = Path.home()
    hidden = [one for one in folders if not one.is_relative_to(home) or str(one).startswith(f"{home}/.")]
    if hidden:
        own = home / "measured"
        not_seen = " and ".join(map(str, hidden))
        why = f"It sees what is in {home} and has no dot in front, and nothing else: not {not_seen}."
        next = f"mkdir -p {own} && TMPDIR={own} XDG_CACHE_HOME={own} make …"
        if ROOT in hidden:
            next = f"mv {ROOT} {home}"
        next += "  # or install Docker's own package"
        raise Problem("Docker is a snap here, and does not see what it is to build.", why=why, next=next)


def elsewhere(binary: str) -> str:
    """Where an engine is that a client reaches over a network; '' for one that is on this machine, or seems to be."""
    words = ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    host = subprocess.run([binary, *words], capture_output=True, text=True).stdout.strip()
    address = urlsplit(host)
    near = address.scheme not in ("ssh", "tcp", "http", "https") or address.hostname in (
        "127.0.0.1",
        "::1",
        "localhost",
    )
    return "" if near else host


def host_engine(platforms: Collection[str], *, create_builder: bool) -> Engine | None:
    """The engine that docker on PATH reaches, or None. Raises Problem when buildx or Compose is missing."""
    binary = shutil.which("docker")
    version = server_version(binary) if binary else None
    if not (binary and version):
        return None
    check_snap(binary, [Path(tempfile.gettempdir()), cache_folder(made=False), ROOT])
    for plugin, package in (("buildx", "docker-buildx-plugin"), ("compose", "docker-compose-plugin")):
        if subprocess.run([binary, plugin, "version"], capture_output=True).returncode:
            raise Problem(
                f"Docker has no {plugin} here.", why=f"`docker {plugin} version` fails.", next=f"install {package}"
            )
    docker = DockerClient(client_call=[binary])
    info = docker_json([binary, "info"]) or {}
    name, driver = _builder(binary, info, create=create_builder)
    supported = builders_platforms(binary, name, start=create_builder)

    @functools.cache
    def digest(image: str, _platform: str) -> str | None:
        command = [binary, "buildx", "imagetools", "inspect", image]
        return (docker_json(command, "{{json .Manifest}}") or {}).get("digest")

    return Engine(
        docker=docker,
        kind="host",
        version=version,
        buildx=buildx_version(docker),
        builder=name,
        driver=driver,
        platforms=narrow(supported or {platform_of(info)}, platforms),
        platform=platform_of(info),
        elsewhere=elsewhere(binary),
        digest=digest,
    )
