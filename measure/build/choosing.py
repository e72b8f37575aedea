"""Which Docker engine builds: the user's own, or the lab's where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection

from measure.base.errors import Problem, say
from measure.build import lab_engine
from measure.build.engine import Engine, server_version
from measure.build.host_engine import host_engine


def kind_here() -> str:
    """Of which kind the engine is that `choose` would take, "lab" or "host", where there is one. Starts nothing."""
    forced, binary = os.environ.get("ENGINE", ""), shutil.which("docker")
    return forced or ("host" if not lab_engine.is_lab() and binary and server_version(binary) else "lab")


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
    if forced != "lab" and not lab_engine.is_lab():
        if engine := host_engine(platforms, create_builder=create_builder):
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
    if problem := lab_engine.why_not_here():
        raise Problem(
            f"No Docker engine answers, and the lab cannot help: {problem.what}", why=problem.why, next=problem.next
        )
    lines = [foretell("lab")] if foretell else []
    if not lab_engine.is_lab() and forced != "lab" and not lab_engine.is_up():
        own = "bringing up the lab's own (`make lab-status` tells about it)"
        lines.insert(0, f"no Docker engine on this machine: {own}")
    if lines:
        say(", then ".join(lines))
    return lab_engine.lab_engine(platforms)
