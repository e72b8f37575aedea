"""The OCI image layout, in the user's cache, that builds are exported to: all runs and clones share its layers.

It keeps the latest build of each variant. Format: OCI image spec v1.1, image-layout.md.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from measure.base.errors import Problem
from measure.base.files import cache_folder, read_json, write_whole
from measure.steps.compose import Step, Variant
from measure.weigh.layers import reader_version
from measure.weigh.oci import Layer, manifest_of


def layout() -> Path:
    """The layout's folder. Layers that are there already stay."""
    folder = cache_folder() / "layout"
    folder.mkdir(exist_ok=True)
    return folder


def blob(digest: str) -> Path:
    """Where the layout has, or would have, what has this digest."""
    return layout() / "blobs" / digest.replace(":", "/")


@contextlib.contextmanager
def layout_in_use(*, alone: bool = False) -> Iterator[bool]:
    """Held while images are exported to the layout and read from it, by as many runs and clones as there are.

    `alone` asks for it without any other, in order to delete; yields whether it was had. The kernel takes it back from
    a run that is killed.
    """
    with (cache_folder() / "layout.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH)
            yield True
        except BlockingIOError:
            yield False


def _kept() -> dict[str, str]:
    """Digest of the latest build of each variant, by folder, variant and platform."""
    return read_json(layout() / "kept.json")


def _name(step: Step, variant: Variant, platform: str) -> str:
    return f"{step.folder}:{variant.name}:{platform}"


def latest(step: Step, variant: Variant, platform: str) -> str | None:
    """Digest of a variant's latest build here for this platform; None when there is none. Its layers are kept."""
    return _kept().get(_name(step, variant, platform))


def keep(step: Step, variant: Variant, platform: str, digest: str) -> None:
    """Keep this image as the variant's latest build, where it is not that already. The layout must be in use."""
    if latest(step, variant, platform) == digest:
        return
    with FileLock(cache_folder() / "kept.lock", timeout=60):
        kept = _kept() | {_name(step, variant, platform): digest}
        # A clone that was deleted needs its layers no more.
        kept = {key: value for key, value in kept.items() if Path(key.split(":")[0]).exists()}
        write_whole(layout() / "kept.json", json.dumps(kept, indent=1))


def holds(digest: str, layers: list[Layer]) -> bool:
    """Is the image with this digest there, of these layers, and each of its files as long as it should be?

    One that is not is deleted, so that the next export writes it again. The layout must be in use.
    """
    try:
        manifest = manifest_of(layout(), digest)
    except (Problem, ValueError):
        return False
    whole = [layer["digest"] for layer in manifest["layers"]] == [layer.digest for layer in layers]
    for part in (manifest["config"], *manifest["layers"]):
        path = blob(part["digest"])
        if not path.exists() or path.stat().st_size != part["size"]:
            path.unlink(missing_ok=True)
            whole = False
    return whole


def tidy() -> None:
    """Delete layers that no variant's latest build uses any more, and what an interrupted export left.

    Does nothing while another run or clone uses the layout: the last one tidies.
    """
    with layout_in_use(alone=True) as alone:
        if not alone:
            return
        for path in layout().glob("export-*"):
            shutil.rmtree(path, ignore_errors=True)
        used = _used()
        for path in (layout() / "blobs" / "sha256").glob("*"):
            if f"sha256:{path.name}" not in used:
                path.unlink()
        # What was read from layers that are gone, or by another version of the reader.
        for path in (cache_folder() / "layers").glob("*/*"):
            digest = path.name.removeprefix("image-").split(".")[0]
            if path.parent.name != reader_version() or f"sha256:{digest}" not in used:
                path.unlink()


def _used() -> set[str]:
    """Digests of all that the latest builds are made of."""
    used: set[str] = set()
    waiting = list(_kept().values())
    while waiting:
        digest = waiting.pop()
        path = blob(digest)
        if digest in used or not path.exists():
            continue
        used.add(digest)
        if path.stat().st_size < 1_000_000 and path.read_bytes()[:1] == b"{":
            content = json.loads(path.read_bytes())
            parts = [*content.get("manifests", []), *content.get("layers", []), content.get("config")]
            waiting += [part["digest"] for part in parts if isinstance(part, dict) and "digest" in part]
    return used
