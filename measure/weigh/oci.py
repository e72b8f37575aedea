"""An image as its OCI image layout describes it: how large it is, layer by layer, and what is in it.

Transfer size is what crosses the network: the sum of the manifest's layer sizes. Unpacked size is what lands on the
disk, in two countings: the bytes of the layers' tar streams, and the bytes of the regular files in them.
Formats: OCI image spec v1.1, image-layout.md, manifest.md, config.md and layer.md.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from measure.base.errors import Problem
from measure.base.files import cache_folder, write_whole
from measure.base.model import Strict
from measure.weigh.contents import Contents, read_contents
from measure.weigh.filesystem import FileSystem
from measure.weigh.layers import layer_facts, reader_version


class Layer(Strict):
    """One layer of an image; sizes in bytes."""

    digest: str
    #: The instruction that made it, as the image's history tells it.
    created_by: str
    #: Does it come with the base image?
    of_base: bool = False
    transfer_bytes: int
    unpacked_tar_bytes: int
    unpacked_file_bytes: int
    #: Bytes of its files that nothing shows any more, because a later layer (or this one) deleted or replaced them.
    wasted_bytes: int
    #: Regular files in it.
    files: int


class Image(Strict):
    """What an OCI image layout says about one image for one platform; sizes in bytes."""

    digest: str
    labels: dict[str, str]
    layers: list[Layer]
    contents: Contents

    @property
    def transfer_bytes(self) -> int:
        """Sum of the compressed layers, as the manifest states them."""
        return sum(layer.transfer_bytes for layer in self.layers)

    @property
    def unpacked_tar_bytes(self) -> int:
        """Sum of the layers' tar streams."""
        return sum(layer.unpacked_tar_bytes for layer in self.layers)

    @property
    def unpacked_file_bytes(self) -> int:
        """Sum of the regular files in all layers, those that a later layer hides included."""
        return sum(layer.unpacked_file_bytes for layer in self.layers)

    def on(self, base: list[str]) -> Image:
        """The same image, with the layers marked that its base image, given by its layers' digests, brought along.

        Raises Problem when the image does not begin with these layers.
        """
        if [layer.digest for layer in self.layers[: len(base)]] != base:
            raise Problem(
                "The image does not begin with its base image's layers.",
                why="The base image changed while this image was being built.",
                next="the same command again",
            )
        layers = [layer.model_copy(update={"of_base": i < len(base)}) for i, layer in enumerate(self.layers)]
        return self.model_copy(update={"layers": layers})


def _damaged(path: Path, why: str) -> Problem:
    """Remove a blob that is not what its name says, so that the next export writes it again, and tell."""
    path.unlink(missing_ok=True)
    return Problem(
        f"A file of the exported image is damaged: {path.name[:12]}.",
        why=f"{why} It is deleted now.",
        next="the same command again, which writes it anew",
    )


def _json(layout: Path, digest: str) -> dict[str, Any]:
    path = layout / "blobs" / digest.replace(":", "/")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise _damaged(path, "It is missing.") from None
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
        raise _damaged(path, "Its content has another digest.")
    return json.loads(content)


def manifest_of(layout: Path, digest: str) -> dict[str, Any]:
    """The manifest with this digest, or that of the only image in the index with this digest.

    Raises Problem when the layout is damaged, ValueError when an index holds more than one image.
    """
    manifest = _json(layout, digest)
    if "manifests" in manifest:
        (only,) = manifest["manifests"]
        return manifest_of(layout, only["digest"])
    return manifest


def read_image(layout: Path, digest: str) -> Image:
    """Read the image with this manifest or index digest from an OCI image layout folder.

    An index must hold one image only, as one built for one platform without attestations does. What was read before
    comes from the cache. Raises Problem when the layout is damaged.
    """
    cached = cache_folder() / "layers" / reader_version() / f"image-{digest.split(':')[1]}.json"
    try:
        return Image.model_validate_json(cached.read_text())
    except (OSError, ValidationError):
        image = _read_image(layout, digest)
        write_whole(cached, image.model_dump_json())
        return image


def _read_image(layout: Path, digest: str) -> Image:
    manifest = manifest_of(layout, digest)
    config = _json(layout, manifest["config"]["digest"])
    history = [entry for entry in config.get("history", []) if not entry.get("empty_layer")]
    facts = []
    for layer, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        blob = layout / "blobs" / layer["digest"].replace(":", "/")
        if not blob.exists() or blob.stat().st_size != layer["size"]:
            raise _damaged(blob, "It is missing or cut short.")
        found = layer_facts(blob)
        if found.diff_id != diff_id:
            raise _damaged(blob, "What it unpacks to has another digest.")
        facts.append(found)
    files = FileSystem(facts)
    layers = [
        Layer(
            digest=layer["digest"],
            created_by=entry.get("created_by", ""),
            transfer_bytes=layer["size"],
            unpacked_tar_bytes=found.tar_bytes,
            unpacked_file_bytes=found.file_bytes,
            wasted_bytes=wasted,
            files=found.files,
        )
        for layer, entry, found, wasted in zip(
            manifest["layers"], history, facts, files.wasted_bytes(len(facts)), strict=True
        )
    ]
    settings = config.get("config") or {}
    contents = read_contents(files, settings.get("User", ""))
    return Image(digest=digest, labels=settings.get("Labels") or {}, layers=layers, contents=contents)
