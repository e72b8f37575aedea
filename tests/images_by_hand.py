"""Hand-made images as people have them in files, for the tests of what is told of a reader's own image."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

from tests.handmade import Layout, add_image, config, tar

SITE = "opt/venv/lib/python3.14/site-packages"


def layout(root: Path, tars: list[bytes], way: str = "gzip", name: str = "", **described) -> Layout:
    """An OCI image layout of one image, its index written."""
    made = Layout(root)
    add_image(made, tars, way, **described)
    write_index(made, name)
    return made


def write_index(made: Layout, name: str = "", entries: list[dict] | None = None) -> None:
    entries = made.entries if entries is None else entries
    if name:
        entries = [{**one, "annotations": {"org.opencontainers.image.ref.name": name}} for one in entries]
    (made.root / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (made.root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))


def as_archive(folder: Path, to: Path) -> Path:
    """A folder as an archive, as docker buildx writes it."""
    with tarfile.open(to, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.add(path, path.relative_to(folder), recursive=False)
    return to


def docker_archive(to: Path, tars: list[bytes], *, linked: bool = False, **described) -> Path:
    """An archive as docker save wrote it before it wrote layouts; a layer that is there twice is a link (`linked`)."""
    content = config(tars, **described)
    files: dict[str, bytes | str] = {}
    layers = []
    for number, one in enumerate(tars):
        layers.append(f"{number}/layer.tar")
        files[layers[-1]] = f"../{number - 1}/layer.tar" if linked and number and one == tars[number - 1] else one
    digest = hashlib.sha256(content).hexdigest()
    listed = [{"Config": f"{digest}.json", "RepoTags": ["mine:latest"], "Layers": layers}]
    files |= {f"{digest}.json": content, "manifest.json": json.dumps(listed).encode()}
    to.write_bytes(tar(files))
    return to


def members(content: bytes) -> list[tarfile.TarInfo]:
    """What an independent reader says of a tar stream."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return archive.getmembers()


def package(name: str, files: dict[str, bytes], requires: tuple[str, ...] = (), site: str = SITE) -> dict[str, bytes]:
    """The files of an installed Python package, its metadata and its list of files among them."""
    folder = f"{name}-1.0.dist-info"
    lines = "".join(f"Requires-Dist: {one}\n" for one in requires)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{lines}\nSome words.\n".encode()
    names = [*files, f"{folder}/METADATA", f"{folder}/RECORD"]
    record = "".join(f"{one},,\n" for one in names).encode()
    return {
        f"{site}/{one}": text
        for one, text in {**files, f"{folder}/METADATA": metadata, f"{folder}/RECORD": record}.items()
    }
