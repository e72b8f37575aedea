"""`make clean`: what `make step-N` left is removed; records stay."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from python_on_whales import DockerClient
from python_on_whales.exceptions import DockerException

from measure.base.errors import Problem, say
from measure.base.files import ROOT, cache_folder
from measure.base.names import EXERCISE_LABEL
from measure.base.platforms import PLATFORMS
from measure.build import lab_engine
from measure.build.choosing import choose
from measure.build.engine import BUILDER_NAME, server_version
from measure.build.host_engine import has_builder
from measure.build.layout import layout, layout_in_use
from measure.run import probe
from measure.steps.compose import all_measured


def clean_caches() -> None:
    """Delete what builds were exported to, and what was read from them. Raises Problem while a run is building."""
    with layout_in_use(alone=True) as alone:
        if not alone:
            raise Problem("A run is building here just now.", next="make clean, once it has ended")
        for folder in (layout(), *(cache_folder() / name for name in ("layers", "contexts", "step-venvs", "kit"))):
            shutil.rmtree(folder, ignore_errors=True)
        (cache_folder() / "durations.json").unlink(missing_ok=True)
    say("exported layers removed")


def clean_engine(made: Callable[[DockerClient], list[str]]) -> None:
    """Clear the engine that runs, if one does, of containers, images (those `made` by studies too) and the builder."""
    try:
        engine = choose(create_builder=False) if _engine_up() else None
    except DockerException:
        engine = None
    if engine is None:
        return
    docker = engine.docker
    probe.remove_all(engine)
    variants = [(step, variant) for step in all_measured() for variant in step.variants]
    images = [f"{step.name}:{v.name}-{p.split('/')[1]}" for step, v in variants for p in PLATFORMS]
    images += [f"{step.name}-{v.service}" for step, v in variants]  # Compose's names
    images += made(docker)
    images += [
        tag for one in docker.image.list(filters=[("label", f"{EXERCISE_LABEL}={ROOT}")]) for tag in one.repo_tags
    ]
    if existing := [image for image in images if docker.image.exists(image)]:
        docker.image.remove(existing, force=True)
        say(f"{len(existing)} images removed")
    if has_builder(str(docker.client_config.client_call[0])):
        docker.buildx.remove(BUILDER_NAME)
        say(f"builder {BUILDER_NAME} removed")


def _engine_up() -> bool:
    if lab_engine.is_up():
        return True
    binary = shutil.which("docker")
    return bool(binary) and os.environ.get("ENGINE") != "lab" and server_version(binary) is not None
