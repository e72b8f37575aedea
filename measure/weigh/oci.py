"""An image as its OCI image layout describes it: how large it is, layer by layer, and what is in it.

Transfer size is what crosses the network: the sum of the manifest's layer sizes. Unpacked size is what lands on the
disk, in two countings: the bytes of the layers' tar streams, and the bytes of the regular files in them.
Formats: OCI image spec v1.1, image-layout.md, manifest.md, config.md and layer.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from measure.base.errors import Problem
from measure.base.files import cache_folder, write_whole
from measure.base.model import Strict
from measure.base.platforms import in_file, normal
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
        """The same image, with its base's layers marked, by digest. Raises Problem when it begins otherwise."""
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


def _images(layout: Path, index: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Platform, '' where it is not said, and digest of each image in an index, those of an index in it included.

    What BuildKit attests of an image stands beside it, for the platform unknown/unknown (BuildKit's documentation,
    "Image attestation storage"); that is none.
    """
    for one in index["manifests"]:
        platform = one.get("platform") or {}
        of = (one.get("annotations") or {}).get("vnd.docker.reference.type")
        if of == "attestation-manifest" or platform.get("architecture") == "unknown":
            continue
        kind = one.get("mediaType", "")
        # Only those that are asked for need be there, so that a manifest is not opened.
        content = {} if kind.endswith(("manifest.v1+json", "manifest.v2+json")) else _json(layout, one["digest"])
        if "manifests" in content:
            yield from _images(layout, content)
        else:
            words = (platform.get(name) for name in ("os", "architecture", "variant"))
            yield normal("/".join(filter(None, words))) if platform else "", one["digest"]


def manifest_of(layout: Path, digest: str, platform: str = "") -> dict[str, Any]:
    """The manifest with this digest, or that of the image for a platform in the index with this digest.

    Without a platform the index must hold one image only. Raises Problem when it holds none or several, and when the
    layout is damaged.
    """
    manifest = _json(layout, digest)
    if "manifests" not in manifest:
        return manifest
    found = list(_images(layout, manifest))
    fitting = [one for of, one in found if not platform or of in ("", normal(platform))]
    if len(set(fitting)) != 1:
        raise Problem(
            f"{digest[:19]} has {'several images' if fitting else 'no image'}{f' for {platform}' if platform else ''}.",
            why=f"It is an index of images for: {', '.join(of or 'no platform that it says' for of, _ in found)}.",
            next="PLATFORMS=linux/amd64 make …  # one that it is for",
        )
    return _json(layout, fitting[0])


def read_image(layout: Path, digest: str, platform: str = "") -> Image:
    """Read the image with this manifest or index digest from an OCI image layout folder.

    Of an index, the image for this platform, or the only one. What was read before comes from the cache. Raises Problem
    when there is none, and when the layout is damaged.
    """
    name = f"image-{digest.split(':')[1]}" + (f".{in_file(platform)}" if platform else "")
    cached = cache_folder() / "layers" / reader_version() / f"{name}.json"
    try:
        return Image.model_validate_json(cached.read_text())
    except (OSError, ValidationError):
        image = _read_image(layout, digest, platform)
        write_whole(cached, image.model_dump_json())
        return image


def _read_image(layout: Path, digest: str, platform: str) -> Image:
    manifest = manifest_of(layout, digest, platform)
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
