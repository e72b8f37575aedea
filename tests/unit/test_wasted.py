"""Bytes that are shipped and hidden, on hand-made layers whose answers are known."""

import pytest

from measure.base.errors import Problem
from measure.weigh import filesystem
from measure.weigh.filesystem import FileSystem
from tests.handmade import read, tar

K = b"x" * 1000
NAME = "d/" + "n" * 180
GONE = tar({".wh.a": b""})


@pytest.fixture
def stacked(tmp_path):
    """The file system of hand-made layers, given as tar streams."""
    return lambda *tars: FileSystem(read(tmp_path, *tars))


#: What it is, its layers, the bytes wasted in each, and what is visible but for directories.
CASES = [
    ("nothing hidden", [tar({"a": K}), tar({"b": K})], [0, 0], "/a /b"),
    ("a whiteout of a file", [tar({"d/a": K, "d/b": K}), tar({"d/.wh.a": b""})], [1000, 0], "/d/b"),
    ("of a directory", [tar({"d/a": K, "d/e/b": K, "f": K}), tar({".wh.d": b""})], [2000, 0], "/f"),
    # The opaque marker may stand anywhere in its layer's stream.
    ("an opaque directory, but for its own",
     [tar({"d/a": K, "d/e/b": K}), tar({"d/new": K, "d/.wh..wh..opq": b"", "d/later": K})], [2000, 0],
     "/d/later /d/new"),
    ("not what its own layer brings", [tar({"a": K}), tar({"a": K, ".wh.a": b""})], [1000, 0], "/a"),
    ("overwritten", [tar({"a": K}), tar({"a": K * 2}), tar({"a": b""})], [1000, 2000, 0], "/a"),
    ("another mode or owner", [tar({"a": K}), tar({"a": K}, modes={"a": 0o600})], [1000, 0], "/a"),
    ("twice in one layer", [tar({"a": K})[:1536] + tar({"a": K * 3})], [1000], "/a"),
    ("a hard link keeps them", [tar({"a": K}, links={"b": "a"}), GONE], [0, 0], "/b"),
    ("until the last one goes",
     [tar({"a": K}, links={"b": "a", "d/c": "b"}), tar({".wh.a": b"", ".wh.b": b""}), tar({".wh.d": b""})],
     [1000, 0, 0], ""),
    ("a hard link to a lower layer", [tar({"a": K}), tar({}, links={"b": "a"}), GONE], [0, 0, 0], "/b"),
    ("a hard link over a file", [tar({"a": K, "b": K * 5}), tar({"c": K}, links={"b": "c"})], [5000, 0], "/a /b /c"),
    ("a file over a directory", [tar({"d/a": K, "d/b": K}), tar({"d": b"1"})], [2000, 0], "/d"),
    ("a directory over a file", [tar({"d": K}), tar({"d/a": K})], [1000, 0], "/d/a"),
    ("a directory again", [tar({"d": None, "d/a": K}), tar({"d": None, "d/b": K})], [0, 0], "/d/a /d/b"),
    # As with /bin, which is usr/bin: a file and a whiteout land where the link leads.
    ("through symbolic links",
     [tar({"usr/bin/a": K, "usr/bin/b": K, "bin": "usr/bin"}), tar({"bin/a": K, "bin/.wh.b": b""})], [2000, 0],
     "/bin /usr/bin/a"),
    ("whiteouts of nothing, and reserved names",
     [tar({"a": K}), tar({".wh.b": b"", "gone/.wh.c": b"", ".wh..wh.aufs": b""})], [0, 0], "/a"),
    ("long names and leading dots", [tar({f"./{NAME}": K}), tar({NAME: K})], [1000, 0], f"/{NAME}"),
    ("all of it together",
     [tar({"a": K, "d/b": K * 2}, links={"e": "a"}), tar({"a": K * 3, ".wh.d": b""}), tar({".wh.e": b""})],
     [3000, 0, 0], "/a"),
]  # fmt: skip


@pytest.mark.parametrize(("tars", "wasted", "seen"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_hidden_is_wasted_and_the_rest_is_visible(stacked, tars, wasted, seen):
    files = stacked(*tars)
    assert files.wasted_bytes(len(tars)) == wasted
    visible = {path: node for path, node in files.walk() if node.kind != "directory"}
    assert sorted(visible) == seen.split()
    shown = {id(node.inode): node.inode.size for node in visible.values() if node.inode}
    assert sum(shown.values()) + sum(wasted) == sum(inode.size for inode in files._inodes)


def test_links_that_lead_in_a_circle_lead_nowhere(stacked):
    files = stacked(tar({"a": "b", "b": "a", "c": "/../c2", "c2": K}))
    assert files.find("a") is None
    assert files.find("c").inode.size == 1000


def test_a_hard_link_to_nothing_is_told(stacked):
    with pytest.raises(Problem, match="hard link b names a"):
        stacked(tar({}, links={"b": "a"}))


def test_what_hides_a_file_and_what_only_repeats_one_is_known(stacked):
    """As chown does: the same name, size and time in a layer above. A hard link still shows what a name lost."""
    files = stacked(
        tar({"a": K, "b": K, "c": K, "d": K}, links={"e": "d"}),
        tar({"a": K, ".wh.b": b"", "c": K * 2, ".wh.d": b""}, modes={"a": 0o600}),
    )
    found = [(inode.entry.path, inode.layer, inode.hidden_by) for inode in files.inodes]
    assert found == [("a", 0, 1), ("b", 0, 1), ("c", 0, 1), ("d", 0, None), ("a", 1, None), ("c", 1, None)]
    assert [inode.again.entry.path for inode in files.inodes if inode.again] == ["a"]


def test_paths_as_deep_as_a_system_takes_them_and_more_names_than_any_image_has(stacked, monkeypatch):
    deep = "/".join(["d"] * 2000)
    files = stacked(tar({f"{deep}/a": K}), tar({".wh.d": b""}))
    assert files.wasted_bytes(2) == [1000, 0]
    assert not list(files.walk())
    monkeypatch.setattr(filesystem, "_MOST_NAMES", 5)
    with pytest.raises(Problem, match="more than 5 files and folders"):
        stacked(tar({deep: K}))
