"""Platforms, as Docker writes them: linux/amd64."""

from __future__ import annotations

import os
import platform as machine
from collections.abc import Collection, Iterable

from measure.base.errors import Problem, say

#: What `make step-N` measures by default.
PLATFORMS = ("linux/amd64", "linux/arm64")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def native_platform() -> str:
    """The platform of this machine, as Docker writes it, like linux/amd64."""
    return f"linux/{ARCHITECTURES.get(machine.machine(), machine.machine())}"


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
