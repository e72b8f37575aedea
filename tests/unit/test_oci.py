import gzip
import json
import re

import pytest

from measure.base.errors import Problem
from measure.weigh import layers, oci
from tests.handmade import Layout, tar


@pytest.fixture
def layout(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Layout(tmp_path / "layout")


def test_sizes_of_a_hand_made_image(layout):
    tars = [tar({"a": b"x" * 1000, "b": b"y" * 24}, links={"c": "a"}), tar({"d": b""})]
    digest = layout.image(
        tars, [{"created_by": "ADD"}, {"created_by": "ENV", "empty_layer": True}, {"created_by": "RUN"}]
    )
    image = oci.read_image(layout.root, digest)
    assert image.transfer_bytes == sum(len(gzip.compress(one, mtime=0)) for one in tars)
    assert image.unpacked_tar_bytes == sum(map(len, tars))
    assert image.unpacked_file_bytes == 1024  # the hard link has no bytes of its own
    assert [(one.created_by, one.files) for one in image.layers] == [("ADD", 2), ("RUN", 1)]
    assert image.labels == {"a": "b"}


def index(layout, *entries: dict) -> str:
    return layout.add(json.dumps({"manifests": entries}).encode())[0]


def entry(digest: str, platform: str = "", kind: str = "manifest", **more) -> dict:
    names = zip(("os", "architecture", "variant"), platform.split("/"), strict=False)
    return {"digest": digest, "mediaType": f"application/vnd.oci.image.{kind}.v1+json", "platform": dict(names), **more}


ATTESTATION = {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
GONE = f"sha256:{'0' * 64}"


def test_of_an_index_the_image_for_the_platform_is_read_and_attestations_are_none(layout):
    """Images that nobody asked for need not be there."""
    one, other = (layout.image([tar({"a": bytes(size)})]) for size in (1, 2))
    attested = [
        entry(one, "linux/arm64/v8"), entry(GONE, "unknown/unknown"), entry(GONE, "linux/amd64", **ATTESTATION)
    ]  # fmt: skip

    def size(digest: str, platform: str = "") -> int:
        return oci.read_image(layout.root, digest, platform).unpacked_file_bytes

    assert size(index(layout, {"digest": one})) == size(index(layout, {"digest": one}), "linux/amd64") == 1
    assert size(index(layout, *attested)) == size(index(layout, *attested), "linux/arm64") == 1
    both = index(layout, *attested, entry(GONE, "linux/arm/v6"), entry(other, "linux/amd64"))
    nested = index(layout, entry(both, kind="index"), entry(GONE, "linux/arm/v7"))
    for digest in (both, nested):
        assert [size(digest, platform) for platform in ("linux/arm64", "linux/x86_64")] == [1, 2]
        with pytest.raises(Problem, match=r"has several images\.") as problem:
            size(digest)
        assert "linux/arm64, linux/arm/v6, linux/amd64" in problem.value.why
        with pytest.raises(Problem, match="has no image for linux/s390x"):
            size(digest, "linux/s390x")
    with pytest.raises(Problem, match="has no image"):
        size(index(layout, attested[1]))


def test_the_padding_after_the_archives_end_counts_as_tar_bytes(layout):
    padded = tar({"a": b"1"}) + bytes(5120)
    assert oci.read_image(layout.root, layout.image([padded])).unpacked_tar_bytes == len(padded)


def test_layers_of_the_base_are_marked(layout):
    digest = layout.image([tar({"a": b"1"}), tar({"b": b"2"})])
    image = oci.read_image(layout.root, digest)
    own = image.on([image.layers[0].digest])
    assert [layer.of_base for layer in own.layers] == [True, False]
    with pytest.raises(Problem, match="does not begin with its base"):
        image.on([image.layers[1].digest])


def test_a_layer_is_read_once_and_an_image_too(layout, monkeypatch):
    shared = tar({"a": b"1"})
    digest = layout.image([shared])
    first = oci.read_image(layout.root, digest)
    other = layout.image([shared, tar({"b": b"2"})])
    read = []
    original = layers.read_layer
    monkeypatch.setattr(layers, "read_layer", lambda path: read.append(path.name) or original(path))
    assert oci.read_image(layout.root, digest) == first
    assert read == []
    oci.read_image(layout.root, other)
    assert len(read) == 1


def test_facts_that_another_version_of_the_reader_cached_are_not_taken(layout, monkeypatch):
    digest = layout.image([tar({"a": b"1"})])
    oci.read_image(layout.root, digest)
    for module in (layers, oci):
        monkeypatch.setattr(module, "reader_version", lambda: "other")
    monkeypatch.setattr(layers, "read_layer", lambda path: pytest.fail("read again, as it should be"))
    with pytest.raises(pytest.fail.Exception, match="as it should be"):
        oci.read_image(layout.root, digest)


def test_cached_facts_that_are_cut_short_are_read_again(layout, tmp_path):
    digest = layout.image([tar({"a": b"1"})])
    first = oci.read_image(layout.root, digest)
    for path in (tmp_path / "cache").rglob("*.json*"):
        path.write_bytes(path.read_bytes()[:20])
    assert oci.read_image(layout.root, digest) == first


@pytest.mark.parametrize("harm", ["changed", "cut", "gone"])
@pytest.mark.parametrize("part", ["manifest", "layer"])
def test_a_damaged_layout_is_told_and_can_be_written_anew(layout, part, harm):
    content = tar({"a": b"1" * 4000})
    digest = layout.image([content])
    manifest = json.loads(layout.blob(digest).read_bytes())
    path = layout.blob(digest if part == "manifest" else manifest["layers"][0]["digest"])
    good = path.read_bytes()
    if harm == "changed":
        path.write_bytes(gzip.compress(tar({"a": b"2" * 4000}), mtime=0) if part == "layer" else good[:-1] + b" ")
    elif harm == "cut":
        path.write_bytes(good[: len(good) // 2])
    else:
        path.unlink()
    with pytest.raises(Problem, match="damaged"):
        oci.read_image(layout.root, digest)
    assert not path.exists()
    assert oci.read_image(layout.root, layout.image([content])).unpacked_file_bytes == 4000


def test_a_layer_that_is_no_tar_is_told(tmp_path):
    path = tmp_path / "blob"
    path.write_bytes(gzip.compress(b"no tar at all" * 100))
    with pytest.raises(Problem, match="damaged"):
        layers.read_layer(path)


def test_a_zstd_layer_is_refused_by_name(tmp_path):
    path = tmp_path / "blob"
    path.write_bytes(b"\x28\xb5\x2f\xfd rest")
    with pytest.raises(Problem, match="zstd") as problem:
        layers.read_layer(path)
    assert re.match(r"docker buildx build --output type=oci,dest=\S+,compression=gzip\S* \.$", problem.value.next)
