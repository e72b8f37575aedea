import gzip
import json
import re
import sys

import pytest

from measure.base.errors import Problem
from measure.weigh import layers, oci
from tests.handmade import Layout, tar


@pytest.fixture
def layout(cache, tmp_path):
    return Layout(tmp_path / "layout")


def test_sizes_of_a_hand_made_image(layout):
    """The padding after an archive's end counts as tar bytes."""
    tars = [tar({"a": b"x" * 1000, "b": b"y" * 24}, links={"c": "a"}), tar({"d": b""}) + bytes(5120)]
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


def test_layers_of_the_base_are_marked(layout):
    digest = layout.image([tar({"a": b"1"}), tar({"b": b"2"})])
    image = oci.read_image(layout.root, digest)
    own = image.on([image.layers[0].digest])
    assert [layer.of_base for layer in own.layers] == [True, False]
    with pytest.raises(Problem, match="does not begin with its base"):
        image.on([image.layers[1].digest])


def test_what_was_read_is_read_once_unless_it_is_cut_short_or_another_version_read_it(layout, monkeypatch, tmp_path):
    read = []
    original = oci.read_stream
    monkeypatch.setattr(
        oci, "read_stream", lambda raw, name, *rest, **more: read.append(name) or original(raw, name, *rest, **more)
    )
    shared = tar({"a": b"1"})
    digest, other = layout.image([shared]), layout.image([shared, tar({"b": b"2"})])
    first = oci.read_image(layout.root, digest)
    assert (oci.read_image(layout.root, digest), len(read)) == (first, 1)
    oci.read_image(layout.root, other)
    assert len(read) == 2
    for path in (tmp_path / "cache").rglob("*.json*"):
        path.write_bytes(path.read_bytes()[:20])
    assert (oci.read_image(layout.root, digest), len(read)) == (first, 3)
    for module in (layers, oci):
        monkeypatch.setattr(module, "reader_version", lambda: "other")
    assert (oci.read_image(layout.root, digest), len(read)) == (first, 4)


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


def test_a_layer_that_is_no_tar_or_in_zstd_with_nothing_for_it_is_told_with_what_can_be_typed(tmp_path, monkeypatch):
    for name in ("compression", "backports"):
        monkeypatch.setitem(sys.modules, name, None)
    path = tmp_path / "blob"
    for content, what, next in (
        (gzip.compress(b"no tar at all" * 100), "damaged", "make clean"),
        (b"\x28\xb5\x2f\xfd rest", "zstd", r"docker buildx build --output type=oci,dest=\S+,compression=gzip\S* \.$"),
    ):
        path.write_bytes(content)
        with pytest.raises(Problem, match=what) as problem:
            layers.read_layer(path)
        assert re.match(next, problem.value.next)


@pytest.mark.parametrize("digest", ["sha256:../../../etc/passwd", "sha512:" + "0" * 128, "", None, 3])
def test_what_is_no_digest_names_no_file(layout, digest):
    with pytest.raises(Problem, match="no SHA-256 digest"):
        oci.read_image(layout.root, index(layout, {"digest": digest}))


def test_indexes_that_are_nested_without_end_and_lists_that_are_none_are_told(layout):
    digest = layout.image([tar({"a": b"1"})])
    for _ in range(12):
        digest = index(layout, entry(digest, kind="index"))
    with pytest.raises(Problem, match="damaged") as problem:
        oci.read_image(layout.root, digest)
    assert "nested" in problem.value.why
    with pytest.raises(Problem, match="damaged"):
        oci.read_image(layout.root, layout.add(b"[1]")[0])


def test_a_history_that_does_not_tell_of_each_layer_tells_of_none(layout):
    digest = layout.image([tar({"a": b"1"}), tar({"b": b"2"})], [{"created_by": "ADD"}])
    assert [one.created_by for one in oci.read_image(layout.root, digest).layers] == ["", ""]


def test_layers_that_the_configuration_does_not_list_are_told(layout):
    digest = layout.image([tar({"a": b"1"})])
    manifest = json.loads(layout.blob(digest).read_bytes())
    manifest["layers"] *= 2
    with pytest.raises(Problem, match="damaged") as problem:
        oci.read_image(layout.root, layout.add(json.dumps(manifest).encode())[0])
    assert problem.value.why.startswith("The manifest has 2 layers, and the configuration 1.")
