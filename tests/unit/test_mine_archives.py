"""An image in each form that people have it in is the same image; what is wrong with one is one message."""

import gzip
import hashlib
import json
import os
import random
import subprocess
import sys
import tarfile

import pytest

from measure.base.errors import Problem
from measure.base.platforms import native_platform
from measure.mine import archives
from measure.mine.archives import read_archive
from measure.mine.model import Report
from measure.mine.reporting import Asked, report, report_of
from tests.handmade import Layout, tar
from tests.images_by_hand import (
    add_image,
    as_archive,
    config,
    docker_archive,
    layout,
    members,
    package,
    write_index,
)

TARS = [tar({"etc/x": b"x" * 5000, "a": b"a" * 100}), tar({"a": b"b" * 70, "etc/.wh.x": b""})]


pytestmark = pytest.mark.usefixtures("cache")


def told(path, **asked):
    image, platform, _ = read_archive(path, **asked)
    return report_of(image, platform).sizes


def test_every_form_of_an_image_gives_the_same_sizes(tmp_path):
    ways = {
        "folder": layout(tmp_path / "folder", TARS).root,
        "archive": as_archive(tmp_path / "folder", tmp_path / "image.tar"),
        "plain": layout(tmp_path / "plain", TARS, "plain").root,
        "docker": docker_archive(tmp_path / "docker.tar", TARS),
        "packed": tmp_path / "docker.tar.gz",
    }
    ways["packed"].write_bytes(gzip.compress(ways["docker"].read_bytes()))
    ways["zstd"] = layout(tmp_path / "zstd", TARS, "zstd").root
    for name, path in ways.items():
        sizes = told(path)
        assert sizes.unpacked_tar_bytes == sum(map(len, TARS)), name
        assert sizes.unpacked_file_bytes == sum(one.size for content in TARS for one in members(content)), name
        assert sizes.hidden_bytes == 5100, name
        assert (sizes.transfer_bytes is None) == (name in ("plain", "docker", "packed")), name
    assert told(ways["folder"]).transfer_bytes == sum(len(gzip.compress(one, mtime=0)) for one in TARS)
    assert not list((tmp_path / "cache").rglob("*.tar")), "what was unpacked for a while is gone"


def test_layers_that_are_there_twice_may_be_links(tmp_path):
    twice = [TARS[0], TARS[0]]
    assert told(docker_archive(tmp_path / "a.tar", twice, linked=True)) == told(
        docker_archive(tmp_path / "b.tar", twice)
    )


def test_of_several_images_that_of_the_name_or_the_platform_is_meant(tmp_path):
    made = Layout(tmp_path / "layout")
    other = "arm64" if native_platform() == "linux/amd64" else "amd64"
    here = add_image(made, TARS, architecture=native_platform().split("/")[1])
    there = add_image(made, TARS[:1], architecture=other)
    for entry, architecture in ((here, native_platform().split("/")[1]), (there, other)):
        entry["platform"] = {"os": "linux", "architecture": architecture}
    attested = {"digest": f"sha256:{'0' * 64}", "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
    digest, size = made.add(json.dumps({"manifests": [here, there, attested]}).encode())
    nested = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest, "size": size}
    write_index(made, "one:1", [nested])
    image, platform, others = read_archive(made.root)
    assert (len(image.facts), platform, others) == (2, native_platform(), [f"one:1 linux/{other}"])
    image, platform, others = read_archive(made.root, platform=f"linux/{other}")
    assert (len(image.facts), platform) == (1, f"linux/{other}")
    with pytest.raises(Problem, match="holds no such image") as problem:
        read_archive(made.root, platform="linux/s390x")
    assert f"one:1 linux/{other}" in problem.value.why
    # Two of one platform: by their names.
    write_index(made, "", [{**here, "annotations": {"io.containerd.image.name": "docker.io/library/a:1"}},
                           {**there, "platform": here["platform"],
                            "annotations": {"io.containerd.image.name": "docker.io/library/b:1"}}])  # fmt: skip
    with pytest.raises(Problem, match="holds several images"):
        read_archive(made.root)
    assert len(read_archive(made.root, "b:1")[0].facts) == 1


def harmed(tmp_path, harm):
    """A layout with something wrong."""
    made = layout(tmp_path / "layout", TARS)
    manifest = json.loads(made.blob(made.entries[0]["digest"]).read_bytes())
    layer = made.blob(manifest["layers"][0]["digest"])
    if harm == "changed":
        layer.write_bytes(
            gzip.compress(tar({"etc/x": b"y" * 5000, "a": b"a" * 100}), mtime=0).ljust(layer.stat().st_size)
        )
    elif harm == "cut":
        layer.write_bytes(layer.read_bytes()[:50])
    elif harm == "cut within":
        content = gzip.compress(random.Random(1).randbytes(50_000))[:30_000]
        digest, size = made.add(content)
        manifest["layers"][0] |= {"digest": digest, "size": size}
        made.entries = []
        digest, size = made.add(json.dumps(manifest).encode())
        write_index(made, "", [{"digest": digest, "size": size}])
    elif harm == "gone":
        layer.unlink()
    elif harm == "led out":
        layer.unlink()
        layer.symlink_to("/etc/hostname")
    elif harm == "no layers":
        made.entries = []
        add_image(made, [])
        write_index(made)
    elif harm in ("windows", "chart", "no list"):
        made.entries = []
        add_image(made, TARS, os="windows" if harm == "windows" else "linux")
        if harm == "chart":
            digest = made.entries[0]["digest"]
            manifest = json.loads(made.blob(digest).read_bytes())
            manifest["layers"][0]["mediaType"] = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
            digest, size = made.add(json.dumps(manifest).encode())
            made.entries = [{"digest": digest, "size": size}]
        if harm == "no list":
            digest, size = made.add(b'{"layers": 3}')
            made.entries = [{"digest": digest, "size": size}]
        write_index(made)
    elif harm == "no json":
        (made.root / "index.json").write_text("{")
    return made.root


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("changed", "damaged"), ("cut", "damaged"), ("cut within", "damaged"), ("gone", "damaged"),
        ("led out", "damaged"),
        ("no layers", "nothing to weigh"), ("windows", "for windows"), ("chart", "no container image"),
        ("no list", "describes no image"), ("no json", "damaged"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_layout_is_one_message_and_nothing_of_it_is_changed(tmp_path, harm, words):
    root = harmed(tmp_path, harm)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    with pytest.raises(Problem, match=words) as problem:
        read_archive(root)
    assert problem.value.next
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


#: An archive whose one layer is somewhere else.
CONFIG = config(TARS[:1])
SHA = hashlib.sha256(CONFIG).hexdigest()
LISTED = json.dumps([{"Config": f"{SHA}.json", "Layers": ["a.tar"]}]).encode()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no image|no whole tar"), (b"no archive at all" * 90, "no whole tar"),
        (tar({"a": b"1"}), "holds no image"), (gzip.compress(random.Random(1).randbytes(999))[:400], "damaged"),
        (tar({"manifest.json": b"[]"}), "holds no image"),
        (tar({"manifest.json": b"[3]"}), "describes no image"),
        (tar({"manifest.json": b'[{"Config": "gone.json", "Layers": []}]'}), "not complete"),
        (tar({"index.json": b'{"manifests": [{"digest": "sha256:../../../../etc/passwd"}]}'}), "no SHA-256"),
        (tar({"index.json": b'{"manifests": 1}'}), "describes no image"),
        (tar({"a": b"1" * 5000})[:2000], "no whole tar"),
        (tar({"manifest.json": LISTED, f"{SHA}.json": CONFIG, "a.tar": "../../etc/passwd"}), "damaged"),
        (tar({"manifest.json": LISTED, f"{SHA}.json": CONFIG, "a.tar": "a.tar"}), "damaged"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_archive_is_one_message(tmp_path, content, words):
    path = tmp_path / "image.tar"
    path.write_bytes(content)
    with pytest.raises(Problem, match=words) as problem:
        read_archive(path)
    assert problem.value.next


def test_an_archive_with_another_configuration_than_its_name_says_is_damaged(tmp_path):
    name = f"{'0' * 64}.json"
    listed = json.dumps([{"Config": name, "RepoTags": [], "Layers": []}]).encode()
    path = tmp_path / "image.tar"
    path.write_bytes(tar({name: config([]), "manifest.json": listed}))
    with pytest.raises(Problem, match="damaged"):
        read_archive(path)


def test_an_archive_of_another_operating_system_is_told(tmp_path):
    with pytest.raises(Problem, match="for windows"):
        read_archive(docker_archive(tmp_path / "image.tar", TARS, os="windows"))


def test_a_name_that_is_there_twice_counts_as_the_last_and_a_whiteout_of_nothing_hides_nothing(tmp_path):
    end = 512 * 2  # one member and no end of the archive yet
    twice = tar({"a": b"1" * 100})[:end] + tar({"a": b"2" * 70, "b": b"3" * 8})
    nothing = tar({".wh.gone": b"", "no/where/.wh.gone": b"", "nowhere/.wh..wh..opq": b"", "c": b"4"})
    image, platform, _ = read_archive(layout(tmp_path / "layout", [twice, nothing]).root)
    made = report_of(image, platform)
    assert {path: node.inode.size for path, node in image.files.walk() if node.inode} == {"/a": 70, "/b": 8, "/c": 1}
    assert (made.sizes.unpacked_file_bytes, made.sizes.hidden_bytes) == (179, 100)
    assert [(line.hidden_bytes, line.hidden_by) for line in made.lines] == [(100, {"layer 1": 100}), (0, {})]


def many_entries(count):
    """A layer of so many empty files, each with a name of its own: only the number in it and the checksum differ."""
    head = bytearray(tar({"files/0000000": b""})[:512])
    head[148:156] = b" " * 8
    rest = sum(head) - 7 * ord("0")
    for number in range(count):
        digits = b"%07d" % number
        head[6:13], head[148:156] = digits, b"%06o\0 " % (rest + sum(digits))
        yield bytes(head)
    yield bytes(1024)


def zeros(bytes_each, times):
    """A layer that holds a file of zeros, as small as gzip makes it: the same member again and again."""
    head = tarfile.TarInfo("zeros")
    head.size = bytes_each * times
    yield gzip.compress(head.tobuf())
    member = gzip.compress(bytes(bytes_each), 9)
    for _ in range(times):
        yield member


#: Reports an archive in a process of its own; tells how it ended, and the most memory that it had.
MEASURED = """
import resource, sys
from measure.mine.cli import app
try:
    app()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


@pytest.mark.study
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("pieces", "is_packed", "code", "told"),
    [
        (lambda: many_entries(1_000_000), False, 0, "user root"),
        (lambda: many_entries(2_000_001), False, 1, "more than 2,000,000 entries"),
        (lambda: zeros(100_000_000, 40), True, 1, "reading stopped there"),
    ],
    ids=["a million entries", "two million", "4 GB of zeros"],
)
def test_what_is_huge_takes_bounded_memory_and_time(tmp_path, pieces, is_packed, code, told):
    made = Layout(tmp_path / "layout")
    with gzip.open(tmp_path / "layer", "wb", 1) if not is_packed else (tmp_path / "layer").open("wb") as file:
        file.writelines(pieces())
    add_image(made, TARS)
    manifest = json.loads(made.blob(made.entries[0]["digest"]).read_bytes())
    digest, size = made.add((tmp_path / "layer").read_bytes())
    manifest["layers"][0] |= {"digest": digest, "size": size}
    digest, size = made.add(json.dumps(manifest).encode())
    write_index(made, "", [{"digest": digest, "size": size}])
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, made.root], capture_output=True, text=True, timeout=200,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert told in " ".join((done.stdout + done.stderr).split())
    assert int(done.stderr.split()[-1]) * 1024 < 1e9


def test_more_members_than_an_image_has_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_MOST_MEMBERS", 3)
    path = tmp_path / "image.tar"
    path.write_bytes(tar({str(number): b"" for number in range(9)}))
    with pytest.raises(Problem, match="no whole tar") as problem:
        read_archive(path)
    assert "more than 3" in problem.value.why


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_whatever_an_image_holds_nothing_is_written_but_in_the_cache_folder(tmp_path, monkeypatch):
    """Ways out of the tree, devices, links to the host's files: names alone are looked at."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    evil = tar({"../../escaped": b"1", "/etc/absolute": b"2", "link": "/etc", "link/through": b"3", ".wh.gone": b""})
    device = bytearray(tar({"dev/null": b""}))
    device[156:157] = b"3"
    device[148:156] = b" " * 8
    device[148:156] = b"%06o\0 " % sum(device[:512])
    path = docker_archive(tmp_path / "evil.tar", [evil, bytes(device)])
    before = names(tmp_path)
    made = report(Asked(archive=path, subject="evil.tar"))
    assert (made.facts.escaping_names, made.facts.device_files) == (1, 1)
    assert names(tmp_path) in (before, {*before, "cache"})
    assert not list((tmp_path / "work").iterdir())
    assert names(tmp_path / "cache/python-images-measured") == {"layers", "mine"}


def test_a_second_report_comes_from_the_cache_until_something_changed(tmp_path, monkeypatch):
    path = docker_archive(tmp_path / "image.tar", TARS)
    first = report(Asked(archive=path))
    monkeypatch.setattr("measure.mine.reporting.read_archive", lambda *_: pytest.fail("it is read again"))
    assert report(Asked(archive=path)) == first
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    docker_archive(path, TARS[:1])
    assert report(Asked(archive=path)).sizes != first.sizes


@pytest.mark.parametrize("seed", range(60))
def test_whatever_is_changed_in_an_archive_ends_in_a_report_or_in_one_message(tmp_path, seed):
    """Bytes turned over, left out, repeated; in the lists too, whose values become others of other kinds."""
    chance = random.Random(seed)
    for number in range(4):
        path = tmp_path / f"{number}.tar"
        if number % 2:
            docker_archive(path, TARS)
            content = bytearray(path.read_bytes())
        else:
            root = layout(tmp_path / f"l{number}", TARS, chance.choice(("gzip", "plain"))).root
            content = bytearray(as_archive(root, path).read_bytes())
        for _ in range(chance.randrange(1, 8)):
            at = chance.randrange(len(content))
            match chance.randrange(4):
                case 0:
                    content[at] ^= 1 << chance.randrange(8)
                case 1:
                    del content[at : at + chance.randrange(2000)]
                case 2:
                    content[at:at] = content[at : at + 512 * chance.randrange(4)]
                case 3:
                    for old, new in (
                        (b'"sha256', b"3"),
                        (b"[", b"{"),
                        (b'"digest"', b'"other"'),
                        (b"linux", b"\x1b[2J"),
                    ):
                        if chance.random() < 0.3:
                            content = bytearray(bytes(content).replace(old, new.ljust(len(old))[: len(old)], 1))
        path.write_bytes(content)
        try:
            made = report(Asked(archive=path, subject="x"))
            assert "\x1b" not in json.dumps(made.model_dump(), ensure_ascii=False)
        except Problem as problem:
            assert problem.what


def garbled(chance, content):
    """A layer's stream with some bytes changed: headers, names, and what databases say."""
    content = bytearray(content)
    for _ in range(chance.randrange(1, 20)):
        new = chance.choice((b"\0", b"\xff", b"\n", b'"', b"/", b"..", b"7", b"\x80", b"x", b"S", b"L", b"\0\0\0"))
        at = chance.randrange(len(content) - len(new))
        content[at : at + len(new)] = new
    return bytes(content)


@pytest.mark.parametrize("seed", range(60))
def test_whatever_a_layer_holds_ends_in_a_report_or_in_one_message(tmp_path, monkeypatch, seed):
    monkeypatch.setattr("measure.weigh.tarring._checked", lambda header: None)
    chance = random.Random(seed)
    status = b"Package: a\nStatus: install ok installed\nVersion: 1\nDepends: b | c (>= 1)\n\nPackage: b\n"
    files = {
        **package("a", {"a.py": b"x", "__pycache__/a.cpython-314.pyc": bytes(16)}, ("b[c]>=1 ; python_version > '3'",)),
        "var/lib/dpkg/status": status, "var/lib/dpkg/info/a.list": b"/etc/x\n", "etc/x": "../..//y",
        "lib/apk/db/installed": b"P:a\nF:lib\nR:x\n", "root/.cache/pip/x": b"1",
        "var/lib/apt/extended_states": b"Package: a\nAuto-Installed: 1\n",
    }  # fmt: skip
    tars = [garbled(chance, tar(files)), garbled(chance, tar({**files, "etc/.wh.x": b"", "a/.wh..wh..opq": b""}))]
    try:
        made = report(Asked(archive=docker_archive(tmp_path / "a.tar", tars), subject="x"))
    except Problem as problem:
        assert problem.what
    else:
        Report.model_validate_json(made.model_dump_json())
