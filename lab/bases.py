"""Base images under their official names, built when a Dockerfile that is about to be built names them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_chain, wait_fixed

from lab import extras, lifecycle, services, sources
from lab.config import Lab
from lab.recipe import (
    APK_PACKAGES,
    BUILD_PLATFORM,
    FOLDER,
    GO,
    INTERNAL,
    KEPT,
    NGINX,
    NODE,
    ZIG,
    available,
    known,
    order,
    recipe_sha256,
)
from lab.tree import remove, run_logged
from measure.base import progress
from measure.base.errors import Problem, say
from measure.base.files import check_disk, read_json, write_whole
from measure.base.names import MANIFEST_TYPES, ORIGIN_LABEL, RECIPE_LABEL
from measure.base.platforms import MACHINES, PLATFORMS, short


def check(names: Iterable[str]) -> None:
    """Raises Problem when the lab cannot provide one of these images."""
    unknown = sorted(set(names) - set(available()))
    if unknown:
        raise Problem(
            f"The lab cannot provide {', '.join(unknown)}.",
            why=f"It has no Docker Hub behind it. It can build: {', '.join(available())}.",
            next="use one of these in FROM, or an engine that reaches Docker Hub: ENGINE=host make …",
        )


def digest(lab: Lab, name: str, platform: str = "") -> str | None:
    """Digest of what the lab's registry has under this official name, or of the image in it for a platform; or None.

    An index gets another digest when a platform is added to it; the image for a platform keeps its own.
    """
    repository, tag = name.split(":")
    url = f"http://{lab.registry}/v2/library/{repository}/manifests/{tag}"
    answer = httpx.get(url, headers={"Accept": MANIFEST_TYPES}, timeout=10, trust_env=False)
    if not answer.is_success:
        return None
    images = {"/".join(one["platform"][part] for part in ("os", "architecture")): one["digest"]
              for one in answer.json().get("manifests", []) if "platform" in one}  # fmt: skip
    return images.get(platform) if platform and images else answer.headers["Docker-Content-Digest"]


def _key(lab: Lab, name: str) -> str:
    """What a built base depends on: its recipe and what the lab adds."""
    return hashlib.sha256((recipe_sha256(name) + extras.identity(lab)).encode()).hexdigest()


def apk_folder(lab: Lab) -> Path:
    """Where the packages for the stand-in for apk lie, as they are to be made now."""
    return lab.apk / recipe_sha256(APK_PACKAGES)[:12]


def _rootfs(lab: Lab, context: Path, platforms: list[str]) -> None:
    """Make Debian's root file system for each platform, or take the one made before."""
    for platform in platforms:
        os.link(sources.rootfs(lab, platform), context / f"rootfs-{short(platform)}.tar")


def _cpython_inputs(lab: Lab, context: Path, _platforms: list[str]) -> None:
    path, _, _ = sources.python_source(lab)
    if not (context / "python.tar.xz").exists():
        os.link(path, context / "python.tar.xz")


def _python_arguments(lab: Lab, _context: Path, _platforms: list[str]) -> dict[str, str]:
    _, version, sha256 = sources.python_source(lab)
    return {"PYTHON_VERSION": version, "PYTHON_SHA256": sha256}


def _wheels(lab: Lab, requirements: Path, context: Path, platforms: list[str]) -> None:
    """The wheel that a file of one requirement names, for each platform: ziglang-arm64.whl."""
    name = requirements.read_text().splitlines()[-1].partition("==")[0].replace("-", "_")
    for platform in platforms:
        os.link(extras.wheel(lab, requirements, MACHINES[platform]), context / f"{name}-{short(platform)}.whl")


def _zig(lab: Lab, context: Path, platforms: list[str]) -> None:
    _wheels(lab, ZIG, context, platforms)


def _brought(requirements: Path, variable: str) -> Callable[[Lab, Path, list[str]], dict[str, str]]:
    """What makes the inputs of a base that one wheel brings, whose version is a build argument."""

    def make(lab: Lab, context: Path, platforms: list[str]) -> dict[str, str]:
        _wheels(lab, requirements, context, platforms)
        return {variable: re.search(r"==(\S+)", requirements.read_text())[1]}

    return make


def _node(lab: Lab, context: Path, platforms: list[str]) -> dict[str, str]:
    npmrc = context / "extras/node/usr/local/etc/npmrc"
    npmrc.parent.mkdir(parents=True)
    npmrc.write_text("cafile=/etc/ssl/certs/ca-certificates.crt\n")
    return _brought(NODE, "NODE_VERSION")(lab, context, platforms)


def _alpine(lab: Lab, context: Path, platforms: list[str]) -> dict[str, str]:
    repositories = context / "extras/alpine/etc/apk/repositories"
    repositories.parent.mkdir(parents=True)
    repositories.write_text(extras.apk_repositories(lab, apk_folder(lab).name))
    return _python_arguments(lab, context, platforms)


#: What a base needs besides the files in lab/bases: makes it, for these platforms, in the build context. Returns build
#: arguments, where there are some.
INPUTS = {
    "debian:trixie": _rootfs,
    "cpython:3.14": _cpython_inputs,
    "musl:3.14": _cpython_inputs,
    APK_PACKAGES: _zig,
    "golang:1.27-trixie": _brought(GO, "GOLANG_VERSION"),
    "nginx:1.31-alpine-slim": _brought(NGINX, "NGINX_VERSION"),
    "node:24-trixie": _node,
    "python:3.14": _python_arguments,
    "python:3.14-slim": _python_arguments,
    "python:3.14-alpine": _alpine,
}


def _target(lab: Lab, name: str, context: Path, platforms: list[str], kept: bool) -> dict:
    """One target of the bake file: a base built for these platforms and, if it is kept, pushed under its name."""
    arguments = INPUTS[name](lab, context, platforms) if name in INPUTS else None
    target = {
        "context": str(context),
        "dockerfile": known()[name].dockerfile.name,
        # The bases it stands on are built in the same run, so that independent ones run side by side.
        "contexts": {needed: f"target:{_slug(needed)}" for needed in known()[name].needs},
        "args": arguments or {},
        "labels": {ORIGIN_LABEL: "lab", RECIPE_LABEL: recipe_sha256(name)},
        "platforms": platforms,
    }
    if not kept:
        return target
    if name == APK_PACKAGES:
        return target | {"output": [f"type=local,dest={lab.work / 'apk'},platform-split=false"]}
    # Not unpacked: the builder has a copy of its own, and the engine's is deleted.
    pushed = f"type=image,name={lab.registry}/library/{name},push=true,unpack=false"
    return target | {"output": [pushed]}


#: What apt says of a mirror that is just being updated, or cannot be reached for a moment.
UNREACHED = re.compile("Failed to fetch|Hash Sum mismatch|Mirror sync|Temporary failure|Connection timed out")
#: Seconds before it is asked again, and once more.
PATIENCE = (5, 60)


def _slug(name: str) -> str:
    return re.sub(r"[:.]", "-", name)


def _build(lab: Lab, platforms: dict[str, list[str]], kept: list[str]) -> None:
    """Build these bases, each for its platforms, in one run of the builder; each stands after those it needs.

    Those to be kept are pushed; the others are built as far as these need them.
    """
    context = lab.work / "bases"
    remove(context)
    shutil.copytree(FOLDER, context)
    for folder in ("alpine", "debian", "python", "ca-certificates"):
        (context / "extras" / folder).mkdir(parents=True)
    extras.put(lab, context)
    targets = {_slug(name): _target(lab, name, context, wanted, name in kept) for name, wanted in platforms.items()}
    group = {"default": {"targets": [_slug(name) for name in kept]}}
    bake_file = context / "bake.json"
    bake_file.write_text(json.dumps({"target": targets, "group": group}, indent=1))
    environment = {**os.environ, **lab.client_environment(), "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    environment["BUILDX_NO_DEFAULT_LOAD"] = "1"  # what is not kept is not exported
    bake = [str(lab.docker), "buildx", "bake", "--builder", "default", "--progress", "plain", "--file", str(bake_file)]
    log = lab.logs / "bases.log"
    what = f"Building base images for {' and '.join(sorted({p for some in platforms.values() for p in some}))}"
    for attempt in Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, Problem) and bool(UNREACHED.search(log.read_text()))),
        stop=stop_after_attempt(1 + len(PATIENCE)),
        wait=wait_chain(*map(wait_fixed, PATIENCE)),
        sleep=progress.pause,
        before_sleep=lambda state: say(
            f"a mirror did not answer as it should; trying again in {state.next_action.sleep:.0f} s"
        ),
        reraise=True,
    ):
        with attempt:  # what is built already is in the builder's cache
            run_logged(["setpriv", "--pdeathsig", "TERM", *bake], log, what=what, env=environment)
    # The images live in the registry. The engine's own copies are in the way: under the registry's name they take up
    # space, and an older one under the official name would be preferred by FROM.
    copies = [copy for name in kept for copy in (f"{lab.registry}/library/{name}", name)]
    subprocess.run(
        [str(lab.docker), "image", "rm", "--force", *copies], env=environment, capture_output=True, timeout=120
    )
    if APK_PACKAGES in kept:
        remove(lab.apk)
        lab.apk.mkdir()
        (lab.work / "apk").rename(apk_folder(lab))
        services.renew_index(lab)


def provide(lab: Lab, names: Iterable[str], platforms: Iterable[str] = PLATFORMS, *, later: Iterable[str] = ()) -> None:
    """Make sure that the registry holds these official images for these platforms; build those that it does not hold.

    `later` are platforms that will be asked for next: what costs no processor that is needed now is made for them too.
    Raises Problem when the lab cannot provide one of them, or when a build fails.
    """
    names, asked = list(names), set(platforms)
    check(names)
    kept = [name for name in order(names) if name in names or name in KEPT]

    def missing() -> list[str]:
        return [name for name in kept if not asked <= set(holds(lab, name))]

    if not missing():
        return
    with lifecycle.locked(lab):
        if not (wanted := missing()):  # another process built them meanwhile
            return
        check_disk(lab.home)
        for folder in (lab.work, lab.sources):
            folder.mkdir(parents=True, exist_ok=True)
        build = _platforms(lab, wanted, asked)
        images, machines = ", ".join(sorted({*wanted} - INTERNAL)), " and ".join(sorted(asked))
        say(f"building base images for {machines}, once (the cache keeps them): {images}")
        try:
            with sources.beside(lab, later):
                _build(lab, build, wanted)
        finally:
            lifecycle.clear_scratch(lab)
        note(lab, {name: build[name] for name in wanted})


def note(lab: Lab, held: dict[str, list[str]]) -> None:
    """Write down that these bases are there for these platforms, made from their recipes as they are now."""
    new = {name: {"key": _key(lab, name), "platforms": platforms} for name, platforms in held.items()}
    write_whole(lab.bases_file, json.dumps(read_json(lab.bases_file) | new, indent=1))


def _platforms(lab: Lab, wanted: list[str], asked: set[str]) -> dict[str, list[str]]:
    """The bases to build so that these are there for the platforms asked for, each after those it needs; for which.

    What a base is there for already stays. What it is built from has to be there for the same platforms, or else the
    builder silently takes that of another one; and for the builder's own, on which it is compiled.
    """
    inner_first = order(wanted)
    found: dict[str, set[str]] = {n: asked | set(holds(lab, n)) if n in wanted else set() for n in inner_first}
    for name in reversed(inner_first):
        for needed in known()[name].needs:
            found[needed] |= found[name] | {BUILD_PLATFORM}
    return {name: [platform for platform in PLATFORMS if platform in found[name]] for name in inner_first}


def holds(lab: Lab, name: str) -> list[str]:
    """The platforms that the lab has this base for, made from the recipe as it is now."""
    entry = read_json(lab.bases_file).get(name)
    if not isinstance(entry, dict) or entry["key"] != _key(lab, name):
        return []
    there = apk_folder(lab).exists() if name == APK_PACKAGES else digest(lab, name) is not None
    return entry["platforms"] if there else []
