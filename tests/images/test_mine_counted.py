"""What a report says of an image in a file, counted by others: skopeo, in each form that people have one in."""

import json
import shutil
import tarfile
import tempfile
from pathlib import Path

import pytest

from lab.config import Lab
from measure.mine import building
from measure.mine.archives import read_archive
from measure.mine.reporting import report_of
from measure.weigh.layers import read_stream
from tests.conftest import run
from tests.manners_of_others import source

pytestmark = pytest.mark.study


@pytest.fixture(scope="module")
def skopeo(engine):
    """Runs skopeo, the system's or else the lab's, and the folder that it is given files in, as it sees it."""
    tree = Lab.from_environment().tree
    if not (there := shutil.which("skopeo")) and engine.kind != "lab":
        pytest.skip("there is no skopeo; apt-get install skopeo, or run it with ENGINE=lab")
    before, root = ([], Path("/")) if there else (["chroot", tree], tree)
    with tempfile.TemporaryDirectory(dir=root / "tmp") as folder:

        def call(*words: str) -> str:
            done = run(*before, "skopeo", *(word.replace("@", f"/{Path(folder).relative_to(root)}") for word in words))
            assert done.returncode == 0, done.stderr
            return done.stdout

        yield call, Path(folder)


@pytest.fixture(scope="module")
def forms(engine, skopeo):
    """One image in each form: as the builder and the engine write it, and as skopeo does."""
    call, folder = skopeo
    of = source("celery-worker")
    with building.built(of) as archive:
        shutil.copy(archive, folder / "oci-archive.tar")
    docker = building.client_of(of)
    with building.loaded(docker, of) as name:
        docker.ask("save", name, "--output", str(folder / "saved.tar"))
    whole = "oci-archive:@/oci-archive.tar"
    call("copy", "--insecure-policy", whole, "docker-archive:@/docker-archive.tar:mine:1")
    call("copy", "--insecure-policy", whole, "oci:@/layout:mine")
    plain = "docker-archive:@/docker-archive.tar"
    call("copy", "--insecure-policy", "--dest-compress-format", "zstd", plain, "oci:@/zstd:mine")
    return {
        "oci-archive.tar": whole, "saved.tar": "docker-archive:@/saved.tar", "layout": "oci:@/layout:mine",
        "docker-archive.tar": plain, "zstd": "oci:@/zstd:mine",
    }  # fmt: skip


def diff_ids(path: Path, image) -> list[str]:
    """The digests of the layers' tar streams, as they are read here: of a layout each layer is read once more."""
    found = []
    for facts in image.facts:
        if facts.diff_id:
            found.append(facts.diff_id)
        elif path.is_dir():
            with (path / "blobs" / facts.digest.replace(":", "/")).open("rb") as file:
                found.append(read_stream(file, facts.digest, hashed=True).diff_id)
        else:
            with tarfile.open(path) as archive:
                file = archive.extractfile(f"blobs/{facts.digest.replace(':', '/')}")
                found.append(read_stream(file, facts.digest, hashed=True).diff_id)
    return found


@pytest.mark.parametrize("form", ["oci-archive.tar", "saved.tar", "docker-archive.tar", "layout", "zstd"])
def test_digests_sizes_and_diff_ids_are_those_that_skopeo_tells(skopeo, forms, form):
    """Of an archive in Docker's form skopeo tells the tar streams, of the others the layers as they are stored."""
    call, folder = skopeo
    image, platform, _ = read_archive(folder / form)
    told, config = (json.loads(call("inspect", *option, forms[form])) for option in ([], ["--config"]))
    ids = diff_ids(folder / form, image)
    assert ids == config["rootfs"]["diff_ids"]
    layers = [(one["Digest"], one["Size"]) for one in told["LayersData"]]
    unpacked = list(zip(ids, (facts.tar_bytes for facts in image.facts), strict=True))
    if forms[form].startswith("docker-archive:"):
        assert layers == unpacked
    else:
        assert layers == [(facts.digest, facts.packed_bytes) for facts in image.facts]
        assert any("zstd" in one["MIMEType"] for one in told["LayersData"]) == (form == "zstd")
        sizes = report_of(image, platform).sizes
        assert sizes.transfer_bytes == sum(size for _, size in layers)
    in_dockers = json.loads(call("inspect", forms["docker-archive.tar"]))["LayersData"]
    assert unpacked == [(one["Digest"], one["Size"]) for one in in_dockers]
    assert platform == f"{told['Os']}/{told['Architecture']}"
