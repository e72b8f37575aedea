"""Sizes of an image, read from its OCI image layout.

Transfer size is what crosses the network: the sum of the manifest's layer sizes. Unpacked size is what lands on the
disk, in two countings: the bytes of the layers' tar streams, and the bytes of the regular files in them.
Formats: OCI image spec v1.1, image-layout.md, manifest.md, config.md and layer.md.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict

from measure.errors import Problem
from measure.files import cache_folder, write_whole

#: Labels that a stand-in base image carries: how it came to be, and the hash of its recipe. Official images have none.
ORIGIN_LABEL = "org.python-images-measured.base.origin"
RECIPE_LABEL = "org.python-images-measured.base.recipe"

#: What to accept when a registry is asked for a manifest (OCI image spec; Docker's image manifest v2, schema 2).
MANIFEST_TYPES = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)


class Layer(BaseModel):
    """One layer of an image; sizes in bytes."""

    model_config = ConfigDict(extra="forbid")

    digest: str
    created_by: str
    transfer_bytes: int
    unpacked_tar_bytes: int
    unpacked_file_bytes: int
    files: int


class Image(BaseModel):
    """What an OCI image layout says about one image for one platform; sizes in bytes."""

    model_config = ConfigDict(extra="forbid")

    digest: str
    labels: dict[str, str]
    layers: list[Layer]

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


class _Counter:
    """A stream that counts the bytes read through it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.count = stream, 0

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(size)
        self.count += len(data)
        return data


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


def _json(layout: Path, digest: str) -> dict[str, Any]:
    content = _blob(layout, digest).read_bytes()
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
        raise Problem(f"A file of the image layout {layout} is damaged: {digest}.", next="make clean, then again")
    return json.loads(content)


def weigh_layer(path: Path) -> dict[str, int]:
    """Tar bytes, bytes of regular files and number of regular files of a gzipped layer. Streams; unpacks nothing.

    A hard link counts as no bytes: it shares those of the file it names.
    """
    size = files = 0
    with gzip.open(path) as stream:
        counter = _Counter(stream)
        with tarfile.open(fileobj=counter, mode="r|") as archive:
            for member in archive:
                if member.isreg():
                    size += member.size
                    files += 1
        while counter.read(1 << 20):
            pass
    return {"unpacked_tar_bytes": counter.count, "unpacked_file_bytes": size, "files": files}


def _layer_facts(layout: Path, digest: str) -> dict[str, int]:
    """The facts of a layer, from the cache when this layer was weighed before: a digest never changes its content."""
    cached = cache_folder() / "layers" / f"{digest.split(':')[1]}.json"
    try:
        return json.loads(cached.read_text())
    except (OSError, ValueError):
        facts = weigh_layer(_blob(layout, digest))
        write_whole(cached, json.dumps(facts))
        return facts


def read_image(layout: Path, digest: str) -> Image:
    """Read the image with this manifest or index digest from an OCI image layout folder.

    An index must hold one image only, as one built for one platform without attestations does. Raises Problem when the
    layout is damaged.
    """
    manifest = _json(layout, digest)
    if "manifests" in manifest:
        (only,) = manifest["manifests"]
        return read_image(layout, only["digest"])
    config = _json(layout, manifest["config"]["digest"])
    history = [entry for entry in config.get("history", []) if not entry.get("empty_layer")]
    layers = [
        Layer(
            digest=layer["digest"],
            created_by=entry.get("created_by", ""),
            transfer_bytes=layer["size"],
            **_layer_facts(layout, layer["digest"]),
        )
        for layer, entry in zip(manifest["layers"], history, strict=True)
    ]
    labels = (config.get("config") or {}).get("Labels") or {}
    return Image(digest=digest, labels=labels, layers=layers)
