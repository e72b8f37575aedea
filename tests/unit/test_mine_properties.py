"""Whatever is in an image: what is read of it is what a file system, the tar module and gzip say."""

import contextlib
import shutil
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from measure.base.dockerfiles import WORDS, Dockerfile
from measure.base.errors import Problem
from measure.mine.archives import read_archive
from measure.mine.reporting import report_of
from tests.handmade import tar
from tests.images_by_hand import docker_archive, layout, members

#: The same ones each time; the file system is slow at times.
ALIKE = settings(derandomize=True, deadline=None, max_examples=80)
#: Few names, so that layers meet.
NAMES = some.sampled_from(["a", "b", "c"])
PATHS = some.lists(NAMES, min_size=1, max_size=3).map("/".join)
#: Bytes are a file, None a folder, a text a link: `whiteout` and `opaque` hide.
CONTENTS = some.one_of(some.binary(max_size=1500), some.none(), some.sampled_from(["whiteout", "opaque", "link"]))


def as_layer(named: dict) -> bytes:
    """A tar stream of what was drawn: no name that is a file and a folder at once, as in a real layer."""
    made: dict = {}
    for path, content in sorted(named.items()):
        above, _, name = path.rpartition("/")
        files = {one for one, what in made.items() if what is not None}
        if any(path == one or path.startswith(f"{one}/") for one in files):
            continue
        if content == "whiteout":
            made[f"{above}/.wh.{name}".lstrip("/")] = b""
        elif content == "opaque":
            made |= {path: None, f"{path}/.wh..wh..opq": b""}
        else:
            made[path] = "nowhere" if content == "link" else content
    return tar(made)


LAYERS = some.lists(some.dictionaries(PATHS, CONTENTS, min_size=1, max_size=6).map(as_layer), min_size=1, max_size=4)


def gone(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.is_symlink() or path.exists():
        path.unlink()


def applied(root: Path, layers: list[bytes]) -> None:
    """Layers put on one another in a real folder: first what a layer hides, then what it brings."""
    for content in layers:
        for one in members(content):
            name = Path(one.name).name
            if name == ".wh..wh..opq":
                for child in (root / one.name).parent.glob("*"):
                    gone(child)
            elif name.startswith(".wh."):
                gone((root / one.name).with_name(name.removeprefix(".wh.")))
        for one in members(content):
            if Path(one.name).name.startswith(".wh."):
                continue
            for above in reversed(list((root / one.name).parents)[: one.name.count("/")]):
                if above.is_symlink() or above.is_file():
                    above.unlink()
                above.mkdir(exist_ok=True)
            if not (one.isdir() and (root / one.name).is_dir() and not (root / one.name).is_symlink()):
                gone(root / one.name)
            if one.isdir():
                (root / one.name).mkdir(exist_ok=True)
            elif one.issym():
                (root / one.name).symlink_to(one.linkname)
            else:
                (root / one.name).write_bytes(bytes(one.size))


@contextlib.contextmanager
def folder():
    """A folder for one image, with a cache of its own."""
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", f"{place}/cache")
        yield Path(place)


@ALIKE
@given(LAYERS)
def test_what_is_visible_and_what_is_hidden_is_what_a_file_system_has(layers):
    with folder() as there:
        image, platform, _ = read_archive(layout(there / "layout", layers).root)
        root = there / "root"
        root.mkdir()
        applied(root, layers)
        files = {f"/{one.relative_to(root)}": one.stat().st_size for one in root.rglob("*") if is_file(one)}
        assert {path: node.inode.size for path, node in image.files.walk() if node.kind == "file"} == files
        brought = [one for layer in layers for one in members(layer) if one.isreg() and ".wh." not in one.name]
        sizes = report_of(image, platform).sizes
        assert sizes.unpacked_file_bytes == sum(one.size for one in brought)
        assert sizes.hidden_bytes == sum(one.size for one in brought) - sum(files.values())
        assert sizes.unpacked_tar_bytes == sum(map(len, layers))


def is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


@ALIKE
@given(LAYERS)
def test_lines_and_entries_add_up_however_the_image_is_stored(layers):
    with folder() as there:
        told = []
        for number, way in enumerate(("gzip", "plain")):
            image, platform, _ = read_archive(layout(there / str(number), layers, way).root)
            report = report_of(image, platform)
            assert sum(line.unpacked_tar_bytes for line in report.lines) == report.sizes.unpacked_tar_bytes
            for facts in image.facts:
                blob = there / str(number) / "blobs/sha256" / facts.digest.removeprefix("sha256:")
                assert facts.packed_bytes == blob.stat().st_size
                assert 0 <= sum(one.transfer_bytes for one in facts.entries) <= facts.packed_bytes
            told.append([line.model_dump(exclude={"transfer_bytes"}) for line in report.lines])
        image, platform, _ = read_archive(docker_archive(there / "saved.tar", layers))
        told.append([line.model_dump(exclude={"transfer_bytes"}) for line in report_of(image, platform).lines])
        assert told[0] == told[1] == told[2]


PIECES = some.sampled_from(
    ["FROM a", "FROM b AS c", "RUN x", "RUN <<EOF", "EOF", "\\", "\n", "# escape=`", "`", " ", "\r\n",
     "COPY --from=c / /",
     "ONBUILD RUN y", "\ufeff", "# why", "ADD <<-END /x", "\tEND", "CMD [\"a\"]", "'", '"', "$A", "ARG A=b", "nonsense"]
)  # fmt: skip


@settings(ALIKE, max_examples=400)
@given(some.lists(PIECES, max_size=14).map("\n".join) | some.lists(PIECES, max_size=14).map("".join))
def test_any_text_is_a_dockerfile_or_one_message(text):
    dockerfile = Dockerfile("Dockerfile", text)
    try:
        dockerfile.check()
        dockerfile.chain()
    except Problem as problem:
        assert problem.what and problem.next
        return
    lines = text.removeprefix("\ufeff").split("\n")
    last = 0
    for one in dockerfile.structure:
        assert one.word in WORDS
        assert last < one.first <= one.last <= len(lines), "no two stand in the same line"
        assert lines[one.first - 1].split()[0].upper().startswith(one.word[:1])
        last = one.last


def test_the_count_that_is_held_against_counts(tmp_path):
    """What hides in a real folder: a name, all of a folder, a file in a folder's place."""
    applied(tmp_path, [tar({"a/b": b"1", "a/c": b"22", "d": b"3"}), tar({"a/.wh.b": b"", "d/e": b"44"})])
    assert sorted(one.relative_to(tmp_path).as_posix() for one in tmp_path.rglob("*")) == ["a", "a/c", "d", "d/e"]
    applied(tmp_path, [tar({"a": None, "a/.wh..wh..opq": b"", "d": b"5"})])
    assert sorted(one.relative_to(tmp_path).as_posix() for one in tmp_path.rglob("*")) == ["a", "d"]
    with tarfile.open(fileobj=None, name=tmp_path / "x.tar", mode="w") as archive:
        archive.add(tmp_path / "d", "d")
    assert members((tmp_path / "x.tar").read_bytes())[0].size == 1
