"""Base images under their official names, built when a Dockerfile that is about to be built names them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_fixed

from lab import extras, lifecycle, services
from lab.config import HERE, SUITE, Lab
from lab.processes import bounded, inside
from lab.tree import apt_settings, remove, run_logged
from measure.dockerfiles import external_images
from measure.errors import Problem, say
from measure.files import write_whole
from measure.oci import MANIFEST_TYPES, ORIGIN_LABEL, RECIPE_LABEL
from measure.steps import PLATFORMS

FOLDER = HERE / "bases"
#: What the stand-in for apk installs from. Not an image: archives, which the index service hands out.
APK_PACKAGES = "apk:packages"
#: Bases that only other bases may name.
INTERNAL = {"cpython:3.14", "musl:3.14", APK_PACKAGES}
#: Compiles every base, those for other platforms too, and is therefore always among the platforms that are built.
BUILD_PLATFORM = "linux/amd64"
#: How the root file system of debian:trixie is made.
ROOTFS_OPTIONS = ("--variant=minbase",)
#: The CPython release that the official images of 2026-09-19 have. The checksum is theirs too (PYTHON_SHA256 in
#: docker-library/python), and Debian's source package holds the very same file.
PYTHON_VERSION = "3.14.7"
PYTHON_SHA256 = "3b48dac8fb59f62eaa67ac83c1eb12bda1b7a08406dd286e252c11a66be27f81"
#: Pinned name, version and hashes of the compiler that the stand-in for apk installs.
ZIG = HERE / "zig.txt"


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
        digest.update(" ".join((SUITE, *ROOTFS_OPTIONS)).encode())
    if name in ("cpython:3.14", "musl:3.14"):
        digest.update(f"{PYTHON_VERSION} {PYTHON_SHA256}".encode())
    if name == APK_PACKAGES:
        digest.update(ZIG.read_bytes())
    for needed in base.needs:
        digest.update(recipe_sha256(needed).encode())
    return digest.hexdigest()


def _order(names: Iterable[str]) -> list[str]:
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


def check(names: Iterable[str]) -> None:
    """Raises Problem when the lab cannot provide one of these images."""
    unknown = sorted(set(names) - set(available()))
    if unknown:
        raise Problem(
            f"The lab cannot provide {', '.join(unknown)}.",
            why=f"It has no Docker Hub behind it. It can build: {', '.join(available())}.",
            next="use one of these in FROM, or an engine that reaches Docker Hub: ENGINE=host make …",
        )


def recipe_of(name: str) -> str | None:
    """Hash of the recipe that the lab builds this image by; None for an image that it cannot build."""
    return recipe_sha256(name) if name in available() else None


def digest(lab: Lab, name: str) -> str | None:
    """Digest of the image that the lab's registry has under this official name, or None."""
    repository, tag = name.split(":")
    url = f"http://{lab.registry}/v2/library/{repository}/manifests/{tag}"
    answer = httpx.head(url, headers={"Accept": MANIFEST_TYPES}, timeout=10, trust_env=False)
    return answer.headers["Docker-Content-Digest"] if answer.is_success else None


def _state(lab: Lab) -> dict:
    try:
        return json.loads(lab.bases_file.read_text())
    except (OSError, ValueError):
        return {}


def _key(lab: Lab, name: str) -> str:
    """What a built base depends on: its recipe and what the lab adds."""
    return hashlib.sha256((recipe_sha256(name) + extras.identity(lab)).encode()).hexdigest()


def _apk_folder(lab: Lab) -> Path:
    """Where the packages for the stand-in for apk lie, as they are to be made now."""
    return lab.apk / recipe_sha256(APK_PACKAGES)[:12]


def _rootfs(lab: Lab, context: Path, platforms: list[str]) -> dict[str, str]:
    """Make Debian's root file system for each platform, or take the one made before."""
    key = hashlib.sha256(" ".join((SUITE, *ROOTFS_OPTIONS)).encode()).hexdigest()[:12]
    for platform in platforms:
        architecture = platform.split("/")[1]
        finished = lab.sources / f"rootfs-{architecture}-{key}.tar"
        if not finished.exists():
            partial = finished.with_suffix(".partial")
            options = [*ROOTFS_OPTIONS, "--format=tar", *(f"--aptopt={line}" for line in apt_settings())]
            command = ["mmdebstrap", *options, f"--architectures={architecture}", SUITE, str(partial)]
            run_logged(
                bounded(inside(lab, "env", f"TMPDIR={lab.work}", *command)),
                lab.logs / f"rootfs-{architecture}.log",
                what=f"Making Debian's root file system for {platform}",
            )
            partial.rename(finished)
        os.link(finished, context / f"rootfs-{architecture}.tar")
    return {}


def _mirror(lab: Lab) -> str:
    """Address of the Debian mirror that the tree was made from."""
    return (lab.tree / "etc/apt/sources.list").read_text().split()[1]


def python_source(lab: Lab) -> tuple[Path, str, str]:
    """CPython's source archive, its version and SHA-256.

    First the pinned release. Debian keeps only the newest ones, so once that is gone, any 3.14 that Debian has as a
    source package serves; base image and fidelity table tell which one it was.
    """
    pinned = lab.sources / f"python-{PYTHON_VERSION}.tar.xz"
    if not pinned.exists():
        if others := sorted(lab.sources.glob("fallback-*.tar.xz"), key=lambda path: path.stat().st_mtime):
            return others[-1], others[-1].name[len("fallback-") : -len(".tar.xz")], _sha256(others[-1])
        url = f"{_mirror(lab)}/pool/main/p/python3.14/python3.14_{PYTHON_VERSION}.orig.tar.xz"
        partial = lab.sources / "python.partial"
        fetch = ["/usr/lib/apt/apt-helper", "download-file", url, str(partial), f"SHA256:{PYTHON_SHA256}"]
        log = lab.logs / "python-source.log"
        try:
            run_logged(bounded(inside(lab, *fetch)), log, what="Fetching CPython's source")
        except Problem:
            if "404" not in log.read_text():
                raise
            say(f"Debian's mirror no longer has CPython {PYTHON_VERSION}; taking the newest 3.14 it has")
            version = _python_source_package(lab, partial)
            path = lab.sources / f"fallback-{version}.tar.xz"
            partial.rename(path)
            return path, version, _sha256(path)
        partial.rename(pinned)
    return pinned, PYTHON_VERSION, PYTHON_SHA256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _python_source_package(lab: Lab, target: Path) -> str:
    """Fetch CPython's source by apt from Debian's testing or unstable; returns its version."""
    work = lab.work / "python-source"
    (work / "lists/partial").mkdir(parents=True, exist_ok=True)
    suites = [f"deb-src {_mirror(lab)} {suite} main\n" for suite in ("testing", "unstable")]
    (work / "sources.list").write_text("".join(suites))
    options = f"-o Dir::Etc::sourcelist={work}/sources.list -o Dir::Etc::sourceparts=/nonexistent"
    options += f" -o Dir::State::lists={work}/lists -o APT::Sandbox::User=root"
    script = (
        f"cd {work} && apt-get {options} update &&"
        f" for v in $(apt-cache {options} showsrc python3.14 | sed -n 's/^Version: //p' | sort -rV);"
        f" do apt-get {options} source --download-only python3.14=$v && exit; done; exit 1"
    )
    run_logged(
        bounded(inside(lab, "bash", "-c", script)),
        lab.logs / "python-source.log",
        what="Fetching CPython's source package",
    )
    archive = next(work.glob("python3.14_*.orig.tar.xz"))
    archive.rename(target)
    return archive.name.removeprefix("python3.14_").removesuffix(".orig.tar.xz")


def _cpython_inputs(lab: Lab, context: Path, _platforms: list[str]) -> dict[str, str]:
    path, _, _ = python_source(lab)
    if not (context / "python.tar.xz").exists():
        os.link(path, context / "python.tar.xz")
    return {}


def _python_arguments(lab: Lab, _context: Path, _platforms: list[str]) -> dict[str, str]:
    _, version, sha256 = python_source(lab)
    return {"PYTHON_VERSION": version, "PYTHON_SHA256": sha256}


def _zig(lab: Lab, context: Path, platforms: list[str]) -> dict[str, str]:
    for platform in platforms:
        architecture = platform.split("/")[1]
        machine = {"amd64": "x86_64", "arm64": "aarch64"}[architecture]
        os.link(extras.wheel(lab, ZIG, machine), context / f"ziglang-{architecture}.whl")
    return {}


def _alpine(lab: Lab, context: Path, platforms: list[str]) -> dict[str, str]:
    repositories = context / "extras/alpine/etc/apk/repositories"
    repositories.parent.mkdir(parents=True)
    repositories.write_text(extras.apk_repositories(lab, _apk_folder(lab).name))
    return _python_arguments(lab, context, platforms)


#: What a base needs besides the files in lab/bases: makes it, for these platforms, in the build context, and returns
#: build arguments.
INPUTS = {
    "debian:trixie": _rootfs,
    "cpython:3.14": _cpython_inputs,
    "musl:3.14": _cpython_inputs,
    APK_PACKAGES: _zig,
    "python:3.14": _python_arguments,
    "python:3.14-slim": _python_arguments,
    "python:3.14-alpine": _alpine,
}


def _target(lab: Lab, name: str, context: Path, platforms: list[str]) -> dict:
    """One target of the bake file: a base built for these platforms and pushed under its official name."""
    arguments = INPUTS.get(name, lambda _lab, _context, _platforms: {})(lab, context, platforms)
    target = {
        "context": str(context),
        "dockerfile": known()[name].dockerfile.name,
        # The bases it stands on are built in the same run, so that independent ones run side by side.
        "contexts": {needed: f"target:{_slug(needed)}" for needed in known()[name].needs},
        "args": arguments,
        "labels": {ORIGIN_LABEL: "lab", RECIPE_LABEL: recipe_sha256(name)},
        "platforms": platforms,
    }
    if name == APK_PACKAGES:
        return target | {"output": [f"type=local,dest={lab.work / 'apk'},platform-split=false"]}
    return target | {"tags": [f"{lab.registry}/library/{name}"], "output": ["type=registry"]}


#: What apt says of a mirror that is just being updated, or cannot be reached for a moment.
UNREACHED = re.compile("Failed to fetch|Hash Sum mismatch|Mirror sync|Temporary failure|Connection timed out")
#: Seconds before it is asked again.
PATIENCE = 60


def _slug(name: str) -> str:
    return re.sub(r"[:.]", "-", name)


def _build(lab: Lab, platforms: dict[str, list[str]]) -> None:
    """Build these bases, each for its platforms, in one run of the builder; each stands after those it needs."""
    context = lab.work / "bases"
    remove(context)
    shutil.copytree(FOLDER, context)
    for folder in ("alpine", "debian", "python", "ca-certificates"):
        (context / "extras" / folder).mkdir(parents=True)
    extras.put(lab, context)
    targets = {_slug(name): _target(lab, name, context, wanted) for name, wanted in platforms.items()}
    bake_file = context / "bake.json"
    bake_file.write_text(json.dumps({"target": targets, "group": {"default": {"targets": list(targets)}}}, indent=1))
    environment = {**os.environ, **lab.client_environment(), "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    bake = [str(lab.docker), "buildx", "bake", "--builder", "default", "--progress", "plain", "--file", str(bake_file)]
    log = lab.logs / "bases.log"
    what = f"Building base images for {' and '.join(sorted({p for some in platforms.values() for p in some}))}"
    for attempt in Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, Problem) and bool(UNREACHED.search(log.read_text()))),
        stop=stop_after_attempt(2),
        wait=wait_fixed(PATIENCE),
        before_sleep=lambda _: say(f"a mirror did not answer as it should; trying again in {PATIENCE} s"),
        reraise=True,
    ):
        with attempt:  # what is built already is in the builder's cache
            run_logged(["setpriv", "--pdeathsig", "TERM", *bake], log, what=what, env=environment)
    # The images live in the registry. The engine's own copies are in the way: under the registry's name they take up
    # space, and an older one under the official name would be preferred by FROM.
    copies = [copy for name in platforms for copy in (f"{lab.registry}/library/{name}", name)]
    subprocess.run(
        [str(lab.docker), "image", "rm", "--force", *copies], env=environment, capture_output=True, timeout=120
    )
    if APK_PACKAGES in platforms:
        remove(lab.apk)
        lab.apk.mkdir()
        (lab.work / "apk").rename(_apk_folder(lab))
        services.renew_index(lab)


def provide(lab: Lab, names: Iterable[str], platforms: Iterable[str] = PLATFORMS) -> None:
    """Make sure that the registry holds these official images for these platforms; build those that it does not hold.

    Raises Problem when the lab cannot provide one of them, or when a build fails.
    """
    names = list(names)
    check(names)
    order = _order(names)
    asked = {BUILD_PLATFORM, *platforms}

    def missing() -> list[str]:
        return [name for name in order if not asked <= set(_holds(lab, name))]

    if not missing():
        return
    with lifecycle.locked(lab):
        if not (wanted := missing()):  # another process built them meanwhile
            return
        lifecycle.check_disk(lab.home)
        for folder in (lab.work, lab.sources):
            folder.mkdir(parents=True, exist_ok=True)
        say(f"building base images, once (this takes a while; the cache keeps them): {', '.join(wanted)}")
        build = {name: [p for p in PLATFORMS if p in asked or p in _holds(lab, name)] for name in order}
        try:
            _build(lab, build)
        finally:
            lifecycle.clear_scratch(lab)
        built = {name: _entry(_key(lab, name), platforms) for name, platforms in build.items()}
        write_whole(lab.bases_file, json.dumps(_state(lab) | built, indent=1))


def _entry(key: str, platforms: list[str]) -> str | dict:
    """What the state file says about a base: its key alone where it was built for every platform there is."""
    return key if platforms == list(PLATFORMS) else {"key": key, "platforms": platforms}


def _holds(lab: Lab, name: str) -> list[str]:
    """The platforms that the lab has this base for, made from the recipe as it is now."""
    for platforms in (list(PLATFORMS), [BUILD_PLATFORM]):
        if _state(lab).get(name) == _entry(_key(lab, name), platforms):
            there = _apk_folder(lab).exists() if name == APK_PACKAGES else digest(lab, name) is not None
            return platforms if there else []
    return []
