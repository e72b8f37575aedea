"""Platforms, as Docker writes them: linux/amd64."""

from __future__ import annotations

import os
import platform as machine
from collections.abc import Collection, Iterable

from measure.base.errors import Problem, say

#: What `make step-N` measures by default.
PLATFORMS = ("linux/amd64", "linux/arm64")
#: What `uname -m` says on each of them.
MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
#: Other names of an architecture, and what uname(1) says, as containerd normalises them (platforms/database.go).
_NAMES = {
    "x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386", "i686": "386",
    "armhf": "arm/v7", "armel": "arm/v6", "armv5l": "arm/v5", "armv6l": "arm/v6", "armv7l": "arm/v7", "arm": "arm/v7",
}  # fmt: skip
#: The variant of an architecture that goes without saying.
_UNSAID = {"amd64": "v1", "arm64": "v8"}


def normal(platform: str) -> str:
    """The one name of a platform (OS/ARCHITECTURE[/VARIANT], or Linux's architecture), as containerd has it."""
    words = platform.strip().lower().split("/")
    system, architecture, variant = ("linux", *words, "")[:3] if len(words) == 1 else (*words, "")[:3]
    known, _, implied = _NAMES.get(architecture, architecture).partition("/")
    variant = f"v{variant.removeprefix('v')}" if variant else implied
    return "/".join(filter(None, (system, known, "" if variant == _UNSAID.get(known) else variant)))


def short(platform: str) -> str:
    """A platform in a name, without its system: arm64, arm-v7."""
    return "-".join(platform.split("/")[1:])


def in_file(platform: str) -> str:
    """A platform in the name of a file: linux-arm64, linux-arm-v7."""
    return platform.replace("/", "-")


def native_platform() -> str:
    """The platform of the machine that runs this, as Docker writes it, like linux/amd64. An engine has its own.

    A Python for Intel's processors that runs on one of Apple's takes it for the former, and its kernel tells.
    """
    translated = machine.system() == "Darwin" and "ARM64" in machine.version()
    return "linux/arm64" if translated else normal(machine.machine())


def other_than(platform: str) -> str:
    """The one of the project's platforms that a machine of this platform does not have."""
    return next(one for one in PLATFORMS if one != platform)


def asked_for() -> list[str]:
    """The platforms in PLATFORMS, or else those that the project is about."""
    asked = os.environ.get("PLATFORMS", "").split(",")
    return list(dict.fromkeys(normal(p) for p in asked if p.strip())) or list(PLATFORMS)


def narrow(supported: Iterable[str], only: Collection[str] = ()) -> list[str]:
    """`only` these platforms, or PLATFORMS, as far as `supported`; says what is left out. Raises Problem for none."""
    asked = [normal(p) for p in only] or asked_for()
    supported = [normal(p) for p in supported]
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
