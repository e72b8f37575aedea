"""All that this package knows of the lab: its engine, and how to bring it up, ask it and end it."""

from __future__ import annotations

import functools
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from python_on_whales import DockerClient

from lab import bases, fresh, lifecycle, processes, recipe, services, sources
from lab.config import Lab
from measure.base.errors import Problem
from measure.base.files import read_json
from measure.base.platforms import PLATFORMS, narrow
from measure.build.engine import Engine, Registry, builders_platforms, buildx_version, driver, server_version


def lab_engine(platforms: Collection[str]) -> Engine:
    """The lab's engine, brought up; it is to build for these platforms. Raises Problem when it cannot be had."""
    lab = Lab.from_environment()
    lifecycle.up(lab)
    os.environ.update(lab.client_environment())
    docker = DockerClient(client_call=[str(lab.docker)])
    builder = os.environ.get("BUILDER", "default")
    supported = PLATFORMS if builder == "default" else builders_platforms(str(lab.docker), builder, start=True)

    def diagnose() -> str:
        reason = services.index_reachable(lab)
        return f"the package index is unreachable: {reason}" if reason else ""

    @contextmanager
    def another() -> Iterator[Engine]:
        with fresh.machine(lab) as address:
            yield replace(engine, docker=DockerClient(client_call=[str(lab.docker), "--host", address]), base_layers={})

    @contextmanager
    def empty_registry() -> Iterator[Registry]:
        with fresh.registry(lab) as found:
            yield Registry(*found)

    digest = functools.cache(lambda name, platform: bases.digest(lab, name, platform))

    def provide(names: Iterable[str], platforms: Iterable[str] = PLATFORMS) -> None:
        bases.provide(lab, names, platforms, later=set(engine.platforms) - set(platforms))
        digest.cache_clear()

    engine = Engine(
        docker=docker,
        kind="lab",
        version=server_version(str(lab.docker)) or "unknown",
        buildx=buildx_version(docker),
        builder=builder,
        driver=driver(str(lab.docker), builder),
        platforms=narrow(supported, platforms),
        provide=provide,
        recipe=recipe.recipe_of,
        digest=digest,
        diagnose=diagnose,
        fresh=another,
        registry=empty_registry,
        cache_registry=f"{lab.registry}/cache",
    )
    return engine


def why_not_here() -> Problem | None:
    """The reason why this machine cannot run the lab now, or None when it can."""
    return lifecycle.why_not_here() or lifecycle.other_engine(Lab.from_environment())


def is_lab() -> bool:
    """Does the environment point Docker clients at the lab?"""
    return os.environ.get("DOCKER_HOST") == f"unix://{Lab.from_environment().socket}"


def is_up() -> bool:
    """Is the lab up, and does it answer? Starts nothing."""
    return lifecycle.healthy(Lab.from_environment())


def was_made() -> bool:
    """Is there an engine's tree already?"""
    return Lab.from_environment().tree.exists()


def missing_bases(names: Iterable[str]) -> list[str]:
    """Those of these images that the lab can build and has not built yet, as far as can be told while it is down."""
    made = read_json(Lab.from_environment().bases_file)
    return [name for name in names if name in recipe.available() and name not in made]


def end_orphaned_builds() -> None:
    """End builds of the lab whose client has gone."""
    processes.end_orphaned_builds(Lab.from_environment())


def up() -> None:
    """Bring the lab up. Raises Problem when this machine cannot run it."""
    lifecycle.up(Lab.from_environment())


def down() -> None:
    """Stop the lab; what is expensive to make stays."""
    lifecycle.down(Lab.from_environment())


def clean() -> None:
    """Stop the lab and delete all of it."""
    lifecycle.clean(Lab.from_environment())


def provide(names: Iterable[str], platforms: Iterable[str] = PLATFORMS) -> None:
    """Make base images available; those that are missing are built. The lab must be up."""
    bases.provide(Lab.from_environment(), names, platforms)


def resident_bytes() -> int:
    """The memory that the lab's services keep."""
    return sum(lifecycle.resident_bytes(Lab.from_environment()).values())


def registry() -> str:
    """Host and port of the lab's registry, on loopback."""
    return Lab.from_environment().registry


def registry_blob(digest: str) -> Path:
    """Where the lab's registry keeps what has this digest."""
    value = digest.removeprefix("sha256:")
    return Lab.from_environment().home / "registry/docker/registry/v2/blobs/sha256" / value[:2] / value / "data"


def python_version() -> str:
    """The CPython release that the lab's base images are made of."""
    return sources.python_source(Lab.from_environment())[1]


def host_index() -> str:
    """Address of the package index that the host's pip is told to ask, which the lab's cache stands in front of."""
    return services.host_index_url()
