"""What each base image is made of, and by which recipe: needs neither an engine nor a lab that is up."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lab.config import HERE, SUITE
from measure.base.dockerfiles import external_images

#: Compiles every base, those for other platforms too: what a base is built from is always there for this one.
BUILD_PLATFORM = "linux/amd64"
#: How the root file system of debian:trixie is made.
ROOTFS_OPTIONS = ("--variant=minbase",)
#: For another platform: without running what is unpacked, but for ldconfig, which writes for the processor it runs on.
FOREIGN_OPTIONS = ("--mode=chrootless", "--skip=check/chrootless", '--customize-hook=chroot "$1" ldconfig')
ROOTFS_RECIPE = " ".join((SUITE, *ROOTFS_OPTIONS, *FOREIGN_OPTIONS))
#: The CPython release that the official images of 2026-09-19 have. The checksum is theirs too (PYTHON_SHA256 in
#: docker-library/python), and Debian's source package holds the very same file.
PYTHON_VERSION = "3.14.7"
PYTHON_SHA256 = "3b48dac8fb59f62eaa67ac83c1eb12bda1b7a08406dd286e252c11a66be27f81"
FOLDER = HERE / "bases"
#: What the stand-in for apk installs from. Not an image: archives, which the index service hands out.
APK_PACKAGES = "apk:packages"
#: Bases that only other bases may name.
INTERNAL = {"buildpack:trixie", "cpython:3.14", "installer:trixie", "musl:3.14", APK_PACKAGES}
#: Those of them that are kept too.
KEPT = {"buildpack:trixie", APK_PACKAGES}
#: Pinned name, version and hashes of the compiler that the stand-in for apk installs.
ZIG = HERE / "zig.txt"
#: Likewise of Go.
GO = HERE / "go.txt"
#: Likewise of nginx.
NGINX = HERE / "nginx.txt"
#: Likewise of Node.js.
NODE = HERE / "node.txt"
#: Which base each of these goes into.
PINNED = {APK_PACKAGES: ZIG, "golang:1.27-trixie": GO, "nginx:1.31-alpine-slim": NGINX, "node:24-trixie": NODE}


@dataclass(frozen=True)
class Base:
    """One base image that the lab can build: its official name, and the Dockerfile it is built from."""

    name: str
    dockerfile: Path

    @property
    def needs(self) -> list[str]:
        """Names of the bases that this one is built from."""
        return external_images(self.dockerfile)

    def static_files(self) -> list[Path]:
        """The files of lab/bases that this base's Dockerfile copies."""
        words = set(re.findall(r"[\w.-]+", self.dockerfile.read_text()))
        found = [self.dockerfile]
        for path in sorted(FOLDER.iterdir()):
            if path.name in words and path.suffix != ".Dockerfile":
                found += sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        return found


@cache
def known() -> dict[str, Base]:
    """Every base that the lab can build, by official name: `python-3.14-slim.Dockerfile` is python:3.14-slim."""
    paths = sorted(FOLDER.glob("*.Dockerfile"))
    names = (path.name.removesuffix(".Dockerfile").replace("-", ":", 1) for path in paths)
    return {name: Base(name, path) for name, path in zip(names, paths, strict=True)}


def available() -> list[str]:
    """The names that a step's Dockerfile may build FROM."""
    return sorted(set(known()) - INTERNAL)


@cache
def recipe_sha256(name: str) -> str:
    """Identity of a base's recipe: its Dockerfile, the files it copies, how its inputs are made, and its own bases."""
    base = known()[name]
    digest = hashlib.sha256()
    for path in base.static_files():
        digest.update(f"{path.relative_to(FOLDER)}\0".encode() + path.read_bytes() + b"\0")
    if name == "debian:trixie":
        digest.update(ROOTFS_RECIPE.encode())
    if name in ("cpython:3.14", "musl:3.14"):
        digest.update(f"{PYTHON_VERSION} {PYTHON_SHA256}".encode())
    if name in PINNED:
        digest.update(PINNED[name].read_bytes())
    for needed in base.needs:
        digest.update(recipe_sha256(needed).encode())
    return digest.hexdigest()


def order(names: Iterable[str]) -> list[str]:
    """The bases to build for `names`, each after those it needs."""
    ordered: list[str] = []

    def visit(name: str) -> None:
        for needed in known()[name].needs:
            visit(needed)
        if name not in ordered:
            ordered.append(name)

    for name in names:
        visit(name)
    return ordered


@cache
def equals() -> list[dict[str, str]]:
    """Recipes that were shown to make the same image, file by file, as an earlier one: see equal.toml."""
    return tomllib.loads((HERE / "equal.toml").read_text())["recipe"]


def recipe_of(name: str) -> str | None:
    """The recipe's hash, or that of the first one shown to make the same image; None for what the lab cannot build."""
    if name not in available():
        return None
    sha256 = recipe_sha256(name)
    return next((one["first"] for one in equals() if one["now"] == sha256), sha256)
