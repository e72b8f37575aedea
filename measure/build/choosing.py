"""Which Docker engine builds: the user's own, or the lab's where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection

from measure.base.errors import Problem, say
from measure.build import lab_engine
from measure.build.engine import Engine, server_version, why_silent
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
    if default := os.environ.pop("DOCKER_DEFAULT_PLATFORM", ""):  # what has no platform is meant for the engine's own
        say(f"leaving DOCKER_DEFAULT_PLATFORM={default} aside: each platform is asked for by its name")
    forced = os.environ.get("ENGINE", "")
    if forced not in ("", "host", "lab"):
        raise Problem(f"ENGINE={forced} means nothing.", next="ENGINE=host or ENGINE=lab, or leave it out")
    if forced != "lab" and not lab_engine.is_lab():
        if engine := host_engine(platforms, create_builder=create_builder):
            if foretell:
                say(foretell("host"))
            return engine
        if forced == "host":
            lab = "" if lab_engine.why_not_here() else ", or let the lab bring its own engine: ENGINE=lab make …"
            raise Problem(
                "No Docker engine answers.", why=why_silent(shutil.which("docker")), next=f"docker version{lab}"
            )
        if problem := lab_engine.why_not_here():
            silent = why_silent(shutil.which("docker"))
            # Its advice may be to take the engine that just did not answer.
            raise Problem(
                f"No Docker engine answers, and the lab cannot help: {problem.what}",
                why=f"{silent}\n{problem.why}",
                next="docker version" if "ENGINE=host" in problem.next else problem.next,
            )
    lines = [foretell("lab")] if foretell else []
    if not lab_engine.is_lab() and forced != "lab" and not lab_engine.is_up():
        own = "bringing up the lab's own (`make lab-status` tells about it)"
        lines.insert(0, f"no Docker engine on this machine: {own}")
    if lines:
        say(", then ".join(lines))
    return lab_engine.lab_engine(platforms)
