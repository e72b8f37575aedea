"""An engine for the image tests: the one that `make step-1` would use, the lab brought up if need be."""

from __future__ import annotations

import os

import pytest

from lab import lifecycle
from lab.config import Lab
from measure import engine as engines
from measure.build import load_into_engine
from measure.engine import Engine
from measure.steps import Step, Variant, all_steps


@pytest.fixture(scope="session")
def engine() -> Engine:
    lab = Lab.from_environment()
    was_up = lifecycle.healthy(lab)
    before = dict(os.environ)
    chosen = engines.choose()
    yield chosen
    images = [f"{s.name}:{v.name}-{a}" for s in all_steps() for v in s.variants for a in ("amd64", "arm64")]
    chosen.docker.image.remove([name for name in images if chosen.docker.image.exists(name)], force=True)
    os.environ.clear()
    os.environ.update(before)
    if not was_up:
        lifecycle.down(lab)


@pytest.fixture(scope="session")
def image(engine):
    """Builds a variant for a platform into the engine, once, and returns the image's name."""
    built: dict[tuple[str, str, str], str] = {}

    def build(step: Step, variant: Variant, platform: str) -> str:
        key = (step.name, variant.name, platform)
        if key not in built:
            built[key] = load_into_engine(engine, step, variant, platform)
        return built[key]

    return build
