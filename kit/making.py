"""`make kit`: out of a lab that is up, one archive with all that the exercises need where there is no network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from filelock import FileLock

from kit.packages import debian_packages, python_packages, resolved
from kit.wanted import IMAGES, TOOLING, Wanted, pins
from lab import bases
from lab.config import Lab
from lab.processes import bounded, inside
from lab.recipe import APK_PACKAGES, KEPT, order, recipe_sha256
from lab.tree import run_logged
from measure.base import progress
from measure.base.errors import Problem, say
from measure.base.files import ROOT, cache_folder, check_disk, sha256_of, write_whole
from measure.base.names import RECIPE_LABEL
from measure.base.platforms import MACHINES, PLATFORMS, short
from measure.base.units import megabytes
from measure.build.choosing import choose
from measure.build.engine import Engine

HERE = Path(__file__).parent
#: What an installation runs, and looks at first.
SCRIPTS = {"install": "install.py", "serve.py": "serve.py"}
#: The image that pip and apt run in, to find out what they download.
IMAGE = "python:3.14-slim"


def make(wanted: Wanted, *, engine: bool, target: Path | None = None) -> tuple[Path, dict]:
    """Make a kit; `engine` tells whether the lab's engine goes in, for laptops without Docker.

    Parts that are in the cache from the last time are taken as they are. The archive goes to `target`, by default into
    the repository's folder. Returns the archive, and what kit.json says of it. Raises Problem; then there is no
    archive, or the one before.
    """
    os.environ["ENGINE"] = "lab"
    _git("rev-parse", "HEAD")  # before anything is built
    folder = cache_folder() / "kit"
    check_disk(folder)
    stage = folder / wanted.name
    stage.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock", timeout=1800), progress.task("make kit", told=False) as task:
        chosen, lab = choose(wanted.platforms), Lab.from_environment()
        for image, platforms in wanted.bases.items():
            chosen.provide([image], platforms)
        parts = _parts(wanted, lab, chosen, stage, task.at)
        if engine:
            packed = _engine(lab, folder)
            (stage / packed.name).unlink(missing_ok=True)
            os.link(packed, stage / packed.name)
            parts["engine"] = [packed.name]
        told = _described(wanted, stage, parts)
        archive = (target or ROOT / f"{wanted.name}{'' if engine else '-docker'}.tar").absolute()
        _pack(stage, [*SCRIPTS, "kit.json", "SHA256SUMS", *chain(*parts.values())], archive)
    for part, size in told["bytes"].items():
        say(f"{part}: {megabytes(size)}")
    say(f"{archive}: {megabytes(archive.stat().st_size)}")
    return archive, told


def _git(*words: str) -> str:
    """What git says of this folder, and of none around it. Raises Problem where it is no repository, or without git."""
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(ROOT.parent)}
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, env=environment, capture_output=True, text=True)
    except FileNotFoundError:
        done = subprocess.CompletedProcess(words, 1, stderr="There is no git here.")
    if done.returncode:
        why = f"{done.stderr.strip()}\nThe kit has this repository in it, as git gives it."
        raise Problem("No kit can be made of this folder.", why=why, next="make kit  # in a clone of the repository")
    return done.stdout.strip()


def _parts(wanted: Wanted, lab: Lab, engine: Engine, stage: Path, at: Callable[[str], None]) -> dict[str, list[str]]:
    """Make all parts but the engine; the paths below `stage` that each consists of."""
    at("base images")
    parts = {"base images": _bases(wanted, lab, stage)}
    at("Python packages")
    web, machines = stage / "web", wanted.machines
    needed = resolved(engine, IMAGE, wanted.resolved(), at)
    for name, versions in wanted.requirements().items():
        needed[name] = needed.get(name, set()) | versions
    python_packages(lab, web, needed, IMAGES, machines, at)
    debian_packages(engine, web, IMAGE, wanted.debian(), at)
    tooling = pins((ROOT / "requirements.txt").read_text()) | {"pip": set()}
    python_packages(lab, stage / "tooling", tooling, TOOLING, [MACHINES[one] for one in wanted.platforms], at)
    at("the repository and its site")
    _git("bundle", "create", "--quiet", str(stage / "repository.bundle"), "HEAD")
    if _git("status", "--porcelain"):
        say("what is not committed is not in the kit")
    parts |= {"packages": ["web"], "tooling": ["tooling"], "repository": ["repository.bundle"]}
    if (ROOT / "site/index.html").exists():
        _copied(ROOT / "site", stage / "site")
        parts["site"] = ["site"]
    return parts


def _bases(wanted: Wanted, lab: Lab, stage: Path) -> list[str]:
    """The base images as an OCI layout under their official names, and what the stand-in for apk installs from."""
    layout = stage / "bases"
    shutil.rmtree(layout, ignore_errors=True)
    names = [name for name in order(wanted.bases) if name in wanted.bases or name in KEPT]
    held = {name: wanted.bases.get(name, wanted.platforms) for name in names}
    for name in set(names) - {APK_PACKAGES}:
        every = len(held[name]) == len(PLATFORMS)
        which = ["--all"] if every else ["--override-os=linux", f"--override-arch={short(held[name][0])}"]
        copy = ["skopeo", *(() if every else which), "--insecure-policy", "copy", *(which if every else ())]
        places = [f"docker://{lab.registry}/library/{name}", f"oci:{layout}:{name}"]
        log = lab.logs / "kit.log"
        run_logged(bounded(inside(lab, *copy, "--src-tls-verify=false", *places)), log, what=f"copying {name}")
    index = json.loads((layout / "index.json").read_text())
    for one in index["manifests"]:  # the name that an engine gives it when it loads this layout
        reference = one["annotations"]["org.opencontainers.image.ref.name"]
        one["annotations"]["io.containerd.image.name"] = f"docker.io/library/{reference}"
    write_whole(layout / "index.json", json.dumps(index))
    write_whole(
        stage / "bases.json",
        json.dumps({name: {"platforms": held[name], "recipe": recipe_sha256(name)} for name in names}),
    )
    if APK_PACKAGES not in names:
        return ["bases"]
    _copied(bases.apk_folder(lab), stage / "apk")
    for machine in set(MACHINES.values()) - {MACHINES[platform] for platform in held[APK_PACKAGES]}:
        shutil.rmtree(stage / "apk" / machine, ignore_errors=True)
    return ["bases", "apk"]


def _copied(source: Path, target: Path) -> None:
    """A copy of a folder in the place of an older one."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def _engine(lab: Lab, folder: Path) -> Path:
    """The engine's tree, packed once for all kits: its name changes with what it is made of."""
    packed = folder / f"{lab.tree.name}.tar.xz"
    if not packed.exists():
        with _whole(packed) as partial:
            # Where people's folders are bound into the tree, it has empty ones of their names.
            left_out = [f"--exclude={lab.tree.name}/{folder}/*" for folder in ("home", "root", "tmp")]
            script = 'set -o pipefail; tar --create --numeric-owner "${@:2}" | xz --threads=0 -3 > "$1"'
            command = ["bash", "-c", script, "bash", str(partial), *left_out, lab.tree.name]
            run_logged(bounded(command), lab.logs / "kit.log", what="packing the engine", cwd=lab.home)
    return packed


def _described(wanted: Wanted, stage: Path, parts: dict[str, list[str]]) -> dict:
    """Write kit.json, which is returned, and SHA256SUMS."""
    for script, source in SCRIPTS.items():
        shutil.copy(HERE / source, stage / script)
    sizes = {part: sum(file.stat().st_size for file in _files(stage, paths)) for part, paths in parts.items()}
    told = {
        "name": wanted.name,
        "version": _git("rev-parse", "HEAD"),
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "pythons": [f"3.{python.removeprefix('cp3')}" for python in TOOLING],  # that the tooling installs on
        "chapters": wanted.chapters,
        "platforms": wanted.platforms,
        "recipe": f'{{{{index .Config.Labels "{RECIPE_LABEL}"}}}}',  # as docker inspect takes it
        "images": sorted(wanted.bases),
        "bases": json.loads((stage / "bases.json").read_text()),
        "bytes": sizes,
    }
    write_whole(stage / "kit.json", json.dumps(told, indent=1))
    lines = []
    for file in _files(stage, [*SCRIPTS, "kit.json", *chain(*parts.values())]):
        progress.pause(0)
        lines.append(f"{sha256_of(file)}  {file.relative_to(stage)}\n")
    write_whole(stage / "SHA256SUMS", "".join(lines))
    return told


def _files(stage: Path, paths: list[str]) -> list[Path]:
    """Every file at or below these paths, in order."""
    found = [path for top in paths for path in (stage / top, *sorted((stage / top).rglob("*")))]
    return [path for path in found if path.is_file()]


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """The name to write a large file under, which is renamed in the end, or deleted where that is not reached."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _pack(stage: Path, paths: list[str], archive: Path) -> None:
    """One tar file, not compressed: what is large in it is already. And a file with its checksum beside it."""
    files = _files(stage, paths)
    size = sum(file.stat().st_size for file in files)
    archive.parent.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(archive.parent).free) < size + 100_000_000:
        why = f"{megabytes(free)} are free in {archive.parent}, and the archive has {megabytes(size)}."
        raise Problem("Too little disk space for the kit.", why=why, next="make kit KIT=/big/disk/kit.tar")

    def nobody(one: tarfile.TarInfo) -> tarfile.TarInfo:
        one.uid = one.gid = 0
        one.uname = one.gname = ""
        return one

    with progress.task("packing the kit", kept=False), _whole(archive) as partial:
        with tarfile.open(partial, "w") as tar:
            for file in files:
                progress.pause(0)
                tar.add(file, f"{stage.name}/{file.relative_to(stage)}", filter=nobody)
        checksum = sha256_of(partial)
    write_whole(archive.with_name(f"{archive.name}.sha256"), f"{checksum}  {archive.name}\n")
