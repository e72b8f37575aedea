"""An image as its OCI image layout describes it: how large it is, layer by layer, and what is in it.

Transfer size is what crosses the network: the sum of the manifest's layer sizes. Unpacked size is what lands on the
disk, in two countings: the bytes of the layers' tar streams, and the bytes of the regular files in them.
Formats: OCI image spec v1.1, image-layout.md, manifest.md, config.md and layer.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from measure.base.errors import Problem
from measure.base.files import cache_folder, write_whole
from measure.base.model import Strict, kept
from measure.base.platforms import in_file, normal
from measure.weigh.contents import Contents, read_contents
from measure.weigh.filesystem import FileSystem
from measure.weigh.layers import LayerFacts, read_stream, reader_version, remembered

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
#: A manifest, an index or a configuration is not longer than this.
_MOST_JSON = 64_000_000
#: How deep an index of images may lie in others.
_MOST_NESTED = 8
#: Layers that are read at the same time.
_MOST_THREADS = 8


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


class Blobs(Protocol):
    """Where the parts of images are, by digest."""

    @property
    def next(self) -> str:
        """What to type when a layer is damaged."""

    def open(self, digest: str) -> IO[bytes]:
        """One that can be read and sought in. Raises FileNotFoundError when it is not there."""

    def damaged(self, digest: str, why: str) -> Problem:
        """What is told of one that is missing, or is not what its digest says."""


@dataclass(frozen=True)
class Folder:
    """The layout that builds are exported to: what is damaged in it is deleted, and written anew by the next one."""

    layout: Path
    next: str = "make clean, then the same command again"

    def open(self, digest: str) -> IO[bytes]:
        """See `Blobs`."""
        return (self.layout / "blobs" / digest.replace(":", "/")).open("rb")

    def damaged(self, digest: str, why: str) -> Problem:
        """Remove a blob that is not what its name says, so that the next export writes it again, and tell."""
        path = self.layout / "blobs" / digest.replace(":", "/")
        path.unlink(missing_ok=True)
        return Problem(
            f"A file of the exported image is damaged: {path.name[:12]}.",
            why=f"{why} It is deleted now.",
            next="the same command again, which writes it anew",
        )


def checked(digest: Any) -> str:
    """A digest, which names a file here too: raises Problem when it is none, or another sum than SHA-256."""
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise Problem(
            f"The image names a part by {str(digest)[:80]!r}, which is no SHA-256 digest.",
            why="Builders and registries name parts by sha256: and 64 hexadecimal digits.",
            next="docker buildx build --output type=oci,dest=image.tar .  # an image as builders write it",
        )
    return digest


def _json(blobs: Blobs, digest: str) -> dict[str, Any]:
    checked(digest)
    try:
        with blobs.open(digest) as file:
            content = file.read(_MOST_JSON)
    except FileNotFoundError:
        raise blobs.damaged(digest, "It is missing.") from None
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
        raise blobs.damaged(digest, "Its content has another digest.")
    try:
        found = json.loads(content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise blobs.damaged(digest, "It should be JSON, and is not.")
    return found


def images_in(blobs: Blobs, index: dict[str, Any], depth: int = 0) -> Iterator[tuple[str, str]]:
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
        content = {} if kind.endswith(("manifest.v1+json", "manifest.v2+json")) else _json(blobs, one["digest"])
        if "manifests" in content:
            if depth > _MOST_NESTED:
                raise blobs.damaged(one["digest"], "Its indexes of images are nested without an end in sight.")
            yield from images_in(blobs, content, depth + 1)
        else:
            words = (platform.get(name) for name in ("os", "architecture", "variant"))
            yield normal("/".join(filter(None, words))) if platform else "", one["digest"]


def manifest_of(layout: Path | Blobs, digest: str, platform: str = "") -> dict[str, Any]:
    """The manifest with this digest, or that of the image for a platform in the index with this digest.

    Without a platform the index must hold one image only. Raises Problem when it holds none or several, and when the
    layout is damaged.
    """
    blobs = Folder(layout) if isinstance(layout, Path) else layout
    manifest = _json(blobs, digest)
    if "manifests" not in manifest:
        return manifest
    found = list(images_in(blobs, manifest))
    fitting = [one for of, one in found if not platform or of in ("", normal(platform))]
    if len(set(fitting)) != 1:
        raise Problem(
            f"{digest[:19]} has {'several images' if fitting else 'no image'}{f' for {platform}' if platform else ''}.",
            why=f"It is an index of images for: {', '.join(of or 'no platform that it says' for of, _ in found)}.",
            next="PLATFORMS=linux/amd64 make …  # one that it is for",
        )
    return _json(blobs, fitting[0])


def diff_ids(layout: Path | Blobs, manifest: dict[str, Any]) -> list[str]:
    """The digests of the layers' tar streams, by which an engine names them, as an image's configuration lists them."""
    blobs = Folder(layout) if isinstance(layout, Path) else layout
    return (_json(blobs, manifest["config"]["digest"]).get("rootfs") or {}).get("diff_ids") or []


@dataclass(frozen=True)
class Opened:
    """An image that was read: what it says of itself, its layers, and the files that these add up to."""

    digest: str
    config: dict[str, Any]
    #: What the manifest says of each layer: digest and size.
    described: list[dict[str, Any]]
    facts: list[LayerFacts]
    files: FileSystem

    @property
    def settings(self) -> dict[str, Any]:
        """How it runs: user, command, environment."""
        return self.config.get("config") or {}

    @property
    def history(self) -> list[dict[str, Any]]:
        """What made it, step by step, those steps included that made no layer."""
        return self.config.get("history") or []

    @property
    def made_by(self) -> list[str]:
        """The instruction that made each layer; '' where the history does not tell."""
        made = [one.get("created_by") or "" for one in self.history if not one.get("empty_layer")]
        return made if len(made) == len(self.facts) else [""] * len(self.facts)


def open_image(blobs: Blobs, digest: str, manifest: dict[str, Any]) -> Opened:
    """Read the image that a manifest describes, its layers side by side. Raises Problem when a part is damaged."""
    config = _json(blobs, manifest["config"]["digest"])
    layers, listed = manifest["layers"], (config.get("rootfs") or {}).get("diff_ids") or []
    if len(layers) != len(listed):
        why = f"The manifest has {len(layers)} layers, and the configuration {len(listed)}."
        raise blobs.damaged(digest, why)
    return opened(blobs, digest, config, layers)


def opened(
    blobs: Blobs, digest: str, config: dict[str, Any], layers: list[dict[str, Any]], *, unpacked: bool = False
) -> Opened:
    """Read the layers of an image side by side, the largest first: what unpacks and hashes holds no lock of Python.

    Each must have the digest that it is named by: of the layer as it is stored, or `unpacked`, of its tar stream.
    """

    def read(number: int) -> LayerFacts:
        layer = layers[number]
        found = _facts(blobs, layer, hashed=unpacked)
        if (found.diff_id if unpacked else found.digest) != layer["digest"]:
            raise blobs.damaged(layer["digest"], "Its content has another digest.")
        return found

    order = sorted(range(len(layers)), key=lambda number: -layers[number].get("size", 0))
    with ThreadPoolExecutor(max(1, min(len(order), os.cpu_count() or 1, _MOST_THREADS))) as pool:
        waiting = {number: pool.submit(read, number) for number in order}
        try:
            facts = [waiting[number].result() for number in range(len(layers))]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return Opened(digest, config, layers, facts, FileSystem(facts))


def _facts(blobs: Blobs, layer: dict[str, Any], *, hashed: bool) -> LayerFacts:
    digest = checked(layer["digest"])
    try:
        with blobs.open(digest) as file:
            if (size := layer.get("size")) is not None and file.seek(0, os.SEEK_END) != size:
                raise blobs.damaged(digest, "It is missing or cut short.")
            length, name = file.seek(0, os.SEEK_END), digest.removeprefix("sha256:")
            file.seek(0)
            # Of one tar stream there may be several layers: as it is, and compressed.
            key = f"{name}.of-{length}" if hashed else name
            return remembered(key, lambda: read_stream(file, name, blobs.next, hashed=hashed))
    except FileNotFoundError:
        raise blobs.damaged(digest, "It is missing or cut short.") from None


def read_image(layout: Path, digest: str, platform: str = "") -> Image:
    """Read the image with this manifest or index digest from an OCI image layout folder.

    Of an index, the image for this platform, or the only one. What was read before comes from the cache. Raises Problem
    when there is none, and when the layout is damaged.
    """
    name = f"image-{digest.split(':')[1]}" + (f".{in_file(platform)}" if platform else "")
    cached = cache_folder() / "layers" / reader_version() / f"{name}.json"
    if found := kept(Image, cached):
        return found
    blobs = Folder(layout)
    image = image_of(open_image(blobs, digest, manifest_of(blobs, digest, platform)))
    write_whole(cached, image.model_dump_json())
    return image


def image_of(found: Opened) -> Image:
    """What there is to say about an image that was read."""
    layers = [
        Layer(
            digest=layer["digest"],
            created_by=created_by,
            transfer_bytes=layer["size"],
            unpacked_tar_bytes=facts.tar_bytes,
            unpacked_file_bytes=facts.file_bytes,
            wasted_bytes=wasted,
            files=facts.files,
        )
        for layer, created_by, facts, wasted in zip(
            found.described, found.made_by, found.facts, found.files.wasted_bytes(len(found.facts)), strict=True
        )
    ]
    contents = read_contents(found.files, found.settings.get("User", ""))
    return Image(digest=found.digest, labels=found.settings.get("Labels") or {}, layers=layers, contents=contents)
