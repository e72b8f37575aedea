"""Is a laptop ready for the workshop? Each check returns what it found, or raises a Problem with the cure."""

from __future__ import annotations

import functools
import shutil
import time

import psutil

from measure.base import progress as told
from measure.base.dockerfiles import external_images
from measure.base.errors import Problem
from measure.base.files import DISK_NEEDED_BYTES, cache_folder, check_disk
from measure.base.platforms import native_platform
from measure.base.units import duration
from measure.build.choosing import choose
from measure.build.engine import Engine
from measure.build.images import BuildError, build_text
from measure.exercises import model, progress
from measure.exercises.trying import platform_of
from measure.run.probe import check_near

#: Memory that must be free, in bytes: a container's bound, and as much again for the builder.
MEMORY_BYTES = 1_000_000_000


@functools.cache
def _engine() -> Engine:
    return choose([native_platform()])


def _docker() -> str:
    engine = _engine()
    check_near(engine)
    return f"{engine.kind} engine {engine.version}, buildx {engine.buildx}"


def _disk() -> str:
    check_disk(cache_folder())
    free = shutil.disk_usage(cache_folder()).free
    return f"{free / 1e9:.0f} GB free, at least {DISK_NEEDED_BYTES / 1e9:.0f} needed"


def _memory() -> str:
    free = psutil.virtual_memory().available
    if free < MEMORY_BYTES:
        raise Problem(
            f"Too little memory: {free / 1e9:.1f} GB available, {MEMORY_BYTES / 1e9:.0f} needed.",
            why="A container of an exercise may take half of it, the builder the rest.",
            next="close a browser; in Docker Desktop: Settings, Resources, Memory",
        )
    return f"{free / 1e9:.1f} GB available"


def _bases() -> str:
    """Each base image of an exercise, for the platform that the exercise is for, and for this machine's own."""
    needed: dict[str, set[str]] = {}
    for one in model.exercises():
        for path in one.folder.glob("s*/Dockerfile"):
            for image in external_images(path):
                needed.setdefault(image, {native_platform()}).add(platform_of(one))
    with told.task("base images", kept=False):
        for image, platforms in sorted(needed.items()):
            _engine().provide([image], sorted(platforms))
            for platform in sorted(platforms):
                _built(f"FROM --platform={platform} {image}\n", f"{image} cannot be had for {platform}")
    return ", ".join(sorted(needed))


def _build() -> str:
    first, begun = model.find(1), time.monotonic()
    with told.task("one build from nothing", kept=False), progress.solved(first) as folder:
        text = (folder / "Dockerfile").read_text()
        _built(text, "The package index does not answer", context=folder, **{"no-cache": True})
    return f"{duration(time.monotonic() - begun)}, the package index answers"


def _built(text: str, otherwise: str, **settings: object) -> None:
    try:
        build_text(_engine(), text, lambda _: None, **settings)
    except BuildError as error:
        why = "\n".join([*error.tail[-5:], "Without a network only what was fetched before is there."])
        raise Problem(f"{otherwise}.", why=why, next="docker pull python:3.14-slim  # does it say more?") from None


CHECKS = {
    "Docker": _docker,
    "disk": _disk,
    "memory": _memory,
    "base images": _bases,
    "a build": _build,
}
