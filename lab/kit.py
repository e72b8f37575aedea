"""What the workshop's offline kit brings, put where the lab keeps it: then nothing is built, and nothing fetched."""

from __future__ import annotations

import json
import lzma
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from lab import bases, lifecycle, services, tree
from lab.config import Lab
from lab.processes import bounded, end, inside
from lab.recipe import APK_PACKAGES, recipe_sha256
from measure.base import progress
from measure.base.errors import Problem
from measure.base.files import check_disk


def take(lab: Lab, kit: Path) -> None:
    """Fill the lab's folder from an unpacked kit, and bring the lab up. What is there already is not taken again.

    Raises Problem when the kit was made from other recipes than those of this repository, or lacks the engine.
    """
    if problem := lifecycle.why_not_here() or lifecycle.other_engine(lab):
        raise problem
    held: dict[str, dict] = json.loads((kit / "kit.json").read_text())["bases"]
    if changed := [name for name, one in held.items() if one["recipe"] != recipe_sha256(name)]:
        why = f"It has {', '.join(changed)} of other recipes than this folder's."
        raise Problem("This kit is not of this version.", why=why, next="./install  # in the kit's folder")
    check_disk(lab.home)
    with lifecycle.locked(lab):
        try:
            _tree(lab, kit)
            _web(lab, kit)
            tree.client(lab)
            if APK_PACKAGES in held:
                _folder(lab, kit / "apk", bases.apk_folder(lab))
        finally:
            lifecycle.clear_scratch(lab)
    lifecycle.up(lab)
    services.renew_index(lab)
    with lifecycle.locked(lab):
        for name, one in held.items():
            if set(one["platforms"]) <= set(bases.holds(lab, name)):
                continue
            if name != APK_PACKAGES:
                _push(lab, kit, name)
            bases.note(lab, {name: one["platforms"]})


def _tree(lab: Lab, kit: Path) -> None:
    """The engine's tree, whole or not at all."""
    archive = kit / f"{lab.tree.name}.tar.xz"
    if lab.tree.exists():
        return
    if not archive.exists():
        why = f"It has no {archive.name}: it was made for laptops with Docker, or for another version."
        raise Problem("This kit has no engine for this machine.", why=why, next="make kit  # where there is a network")
    partial = lab.home / f"{lab.tree.name}.partial"
    tree.remove(partial)
    partial.mkdir()
    command = ["tar", "--extract", "--numeric-owner", "--strip-components=1", "--directory", str(partial)]
    with progress.task("unpacking the engine", kept=False), lzma.open(archive) as stream:
        child = subprocess.Popen(command, stdin=subprocess.PIPE)
        try:
            with suppress(BrokenPipeError):  # tar says why it ended
                shutil.copyfileobj(stream, child.stdin, 1 << 20)
                child.stdin.close()
            if child.wait():
                raise Problem("The engine could not be unpacked.", why="tar says why above.", next=f"df -h {lab.home}")
        except BaseException:
            end(child, 5)
            raise
    partial.rename(lab.tree)


def _web(lab: Lab, kit: Path) -> None:
    """What package managers get: of the kit that was taken last, and whole."""
    sums = lab.kit / "SHA256SUMS"
    if not sums.exists() or sums.read_text() != (kit / sums.name).read_text():
        tree.remove(lab.kit)
        _folder(lab, kit / "web", lab.kit)
        shutil.copy(kit / sums.name, sums)


def _folder(lab: Lab, source: Path, target: Path) -> None:
    """A copy of a folder, whole or not at all, unless there is one."""
    if target.exists():
        return
    partial = lab.work / target.name
    shutil.copytree(source, partial)
    target.parent.mkdir(exist_ok=True)
    partial.rename(target)


def _push(lab: Lab, kit: Path, name: str) -> None:
    """A base image from the kit's OCI layout into the registry, with the digest that it has there."""
    copy = ["skopeo", "copy", "--insecure-policy", "--all", "--preserve-digests", "--dest-tls-verify=false"]
    places = [f"oci:{kit}/bases:{name}", f"docker://{lab.registry}/library/{name}"]
    log = lab.logs / "kit.log"
    tree.run_logged(bounded(inside(lab, *copy, *places)), log, what=f"taking {name} from the kit")
