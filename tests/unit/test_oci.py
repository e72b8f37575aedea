import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from measure import oci
from measure.errors import Problem


def layer(members: dict[str, bytes], link: tuple[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        if link:
            info = tarfile.TarInfo(link[0])
            info.type, info.linkname = tarfile.LNKTYPE, link[1]
            archive.addfile(info)
    return buffer.getvalue()


class Layout:
    """A hand-made OCI image layout."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "blobs/sha256").mkdir(parents=True)

    def add(self, content: bytes) -> tuple[str, int]:
        digest = hashlib.sha256(content).hexdigest()
        (self.root / "blobs/sha256" / digest).write_bytes(content)
        return f"sha256:{digest}", len(content)

    def image(self, tars: list[bytes], history: list[dict]) -> str:
        config, config_size = self.add(json.dumps({"config": {"Labels": {"a": "b"}}, "history": history}).encode())
        layers = [self.add(gzip.compress(tar)) for tar in tars]
        manifest = {
            "config": {"digest": config, "size": config_size},
            "layers": [{"digest": digest, "size": size} for digest, size in layers],
        }
        return self.add(json.dumps(manifest).encode())[0]


@pytest.fixture
def layout(tmp_path, monkeypatch):
    monkeypatch.setattr(oci, "cache_folder", lambda: tmp_path / "cache")
    return Layout(tmp_path / "layout")


def test_sizes_of_a_hand_made_image(layout):
    tars = [layer({"a": b"x" * 1000, "b": b"y" * 24}, link=("c", "a")), layer({"d": b""})]
    digest = layout.image(
        tars, [{"created_by": "ADD"}, {"created_by": "ENV", "empty_layer": True}, {"created_by": "RUN"}]
    )
    image = oci.read_image(layout.root, digest)
    assert image.transfer_bytes == sum(len(gzip.compress(tar)) for tar in tars)
    assert image.unpacked_tar_bytes == sum(map(len, tars))
    assert image.unpacked_file_bytes == 1024  # the hard link has no bytes of its own
    assert [(one.created_by, one.files) for one in image.layers] == [("ADD", 2), ("RUN", 1)]
    assert image.labels == {"a": "b"}


def test_an_index_with_one_image_is_followed(layout):
    inner = layout.image([layer({"a": b"1"})], [{"created_by": "RUN"}])
    index, _ = layout.add(json.dumps({"manifests": [{"digest": inner}]}).encode())
    assert oci.read_image(layout.root, index).digest == inner


def test_a_layer_is_read_once(layout, monkeypatch):
    digest = layout.image([layer({"a": b"1"})], [{"created_by": "RUN"}])
    first = oci.read_image(layout.root, digest)
    monkeypatch.setattr(oci, "weigh_layer", lambda path: pytest.fail("read twice"))
    assert oci.read_image(layout.root, digest) == first


def test_a_damaged_layout_is_told(layout):
    digest = layout.image([layer({"a": b"1"})], [{"created_by": "RUN"}])
    path = layout.root / "blobs" / digest.replace(":", "/")
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(Problem, match="damaged"):
        oci.read_image(layout.root, digest)
