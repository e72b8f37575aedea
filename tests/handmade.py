"""Hand-made layers, OCI image layouts and records with known answers."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

from measure.record.records import BaseImage, Provenance, Record, Size, Wasted
from measure.steps.inputs import Inputs
from measure.weigh.contents import Contents
from measure.weigh.layers import LayerFacts, read_layer
from measure.weigh.oci import Layer

#: A member of a hand-made layer: bytes are a regular file, a text is a symbolic link, None is a directory.
Members = dict[str, bytes | str | None]


def tar(members: Members, links: dict[str, str] | None = None, modes: dict[str, int] | None = None) -> bytes:
    """A tar stream of these members, then of these hard links."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.mode = (modes or {}).get(name, 0o644)
            if isinstance(content, bytes):
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                info.type = tarfile.DIRTYPE if content is None else tarfile.SYMTYPE
                info.linkname = content or ""
                archive.addfile(info)
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.LNKTYPE, target
            archive.addfile(info)
    return buffer.getvalue()


def read(folder: Path, *tars: bytes) -> list[LayerFacts]:
    """What is read from layers, given as tar streams, that are written into a folder."""
    paths = [folder / str(number) for number in range(len(tars))]
    for path, content in zip(paths, tars, strict=True):
        path.write_bytes(content)
    return [read_layer(path) for path in paths]


class Layout:
    """A hand-made OCI image layout."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "blobs/sha256").mkdir(parents=True)

    def add(self, content: bytes) -> tuple[str, int]:
        digest = hashlib.sha256(content).hexdigest()
        (self.root / "blobs/sha256" / digest).write_bytes(content)
        return f"sha256:{digest}", len(content)

    def blob(self, digest: str) -> Path:
        return self.root / "blobs" / digest.replace(":", "/")

    def image(self, tars: list[bytes], history: list[dict] | None = None, user: str = "") -> str:
        """Digest of the manifest of an image with these layers."""
        settings = {"Labels": {"a": "b"}, "User": user}
        return add_image(self, tars, history=history, settings=settings)["digest"]


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def config(tars: list[bytes], history: list[dict] | None = None, settings: dict | None = None, **more) -> bytes:
    """The configuration of an image with these layers."""
    content = {
        "os": "linux",
        "architecture": "amd64",
        "config": settings or {},
        "history": history or [{"created_by": f"RUN /bin/sh -c {number} # buildkit"} for number in range(len(tars))],
        "rootfs": {"type": "layers", "diff_ids": [sha256(one) for one in tars]},
    }
    return json.dumps(content | more).encode()


def packed(content: bytes, way: str) -> bytes:
    """A layer as it is stored: plain, gzip or zstd."""
    if way == "zstd":
        return subprocess.run(["zstd", "-q", "-c"], input=content, check=True, capture_output=True).stdout
    return gzip.compress(content, mtime=0) if way == "gzip" else content


MEDIA = {"gzip": "+gzip", "zstd": "+zstd", "plain": ""}


def add_image(made: Layout, tars: list[bytes], way: str = "gzip", **described) -> dict:
    """Add an image to a layout; what an index says of it."""
    digest, size = made.add(config(tars, **described))
    layers = []
    for one in tars:
        layer, length = made.add(packed(one, way))
        kind = f"application/vnd.oci.image.layer.v1.tar{MEDIA[way]}"
        layers.append({"mediaType": kind, "digest": layer, "size": length})
    manifest = {
        "schemaVersion": 2,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": size},
        "layers": layers,
    }
    digest, size = made.add(json.dumps(manifest).encode())
    entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": size}
    made.entries = [*getattr(made, "entries", []), entry]
    return entry


def inputs(**changes) -> Inputs:
    """Inputs that no real build has."""
    hashes = {"dockerfile_sha256": "1" * 64, "options_sha256": "2" * 64, "context_sha256": "3" * 64}
    return Inputs(**{**hashes, "recipes_sha256": {"python:3.14": "0" * 64}, **changes})


def contents(**changes) -> Contents:
    """What is in an image of which nothing is known."""
    empty = {
        "user": "root", "has_compiler": False, "has_shell": True, "has_pip": True, "files": 1, "file_bytes": 3,
        "pyc_files": 0, "pyc_bytes": 0, "setuid_files": [], "os_packages": [], "python_packages": [], "directories": {},
    }  # fmt: skip
    return Contents(**{**empty, **changes})


def layer(**changes) -> Layer:
    """A layer with one small file in it."""
    sizes = {"transfer_bytes": 1, "unpacked_tar_bytes": 2, "unpacked_file_bytes": 1, "wasted_bytes": 0, "files": 1}
    return Layer(**{"digest": "sha256:1", "created_by": "RUN", **sizes, **changes})


def size(transfer: int = 1, **changes) -> Size:
    """A size whose other figures follow from the transfer size."""
    figures = {"transfer_bytes": transfer, "unpacked_tar_bytes": 3 * transfer, "unpacked_file_bytes": 2 * transfer}
    rest = {"wasted": Wasted(base_bytes=0, own_bytes=0), "context_bytes": 7, "layers": []}
    return Size(**{**figures, **rest, **changes})


def record(**changes) -> Record:
    """A record of an image that was never built."""
    provenance = Provenance(
        bases=[BaseImage(name="python:3.14", origin="lab", recipe_sha256="0" * 64)],
        execution="native",
        engine="26.1.5",
        buildx="v0.13.1",
        builder_driver="docker",
        index_cache=True,
        command="make step-1",
        measured_at=datetime(2099, 1, 1, tzinfo=UTC),  # later than any change in the way of measuring
    )
    usual = {
        "environment": "lab-amd64", "step": "step-1-kiss", "variant": "full", "platform": "linux/arm64",
        "dockerfile": "full.Dockerfile", "inputs": inputs(), "outcome": "built", "size": size(),
        "contents": contents(), "provenance": provenance,
    }  # fmt: skip
    usual |= changes
    return Record(**{"inputs_sha256": usual["inputs"].sha256, **usual})


def wheel(folder: Path, name: str = "thing", code: str = "") -> Path:
    """A package of one module, as small as can be.

    Its description comes first, as maturin has it: then an interrupted package looks installed.
    """
    info = f"{name}-1.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    names = [*files, f"{info}/RECORD", f"{name}.py"]
    files |= {f"{info}/RECORD": "".join(f"{one},,\n" for one in names), f"{name}.py": code}
    path = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for one, content in files.items():
            archive.writestr(one, content)
    return path
