"""Bytes that are shipped and hidden, on hand-made layers whose answers are known."""

import pytest

from measure.base.errors import Problem
from measure.weigh import layers
from measure.weigh.filesystem import FileSystem
from tests.handmade import tar

K = b"x" * 1000


@pytest.fixture
def stacked(tmp_path):
    """The file system of hand-made layers, given as tar streams."""

    def stack(*tars: bytes) -> FileSystem:
        facts = []
        for number, content in enumerate(tars):
            path = tmp_path / str(number)
            path.write_bytes(content)
            facts.append(layers.read_layer(path))
        return FileSystem(facts)

    return stack


def visible(files: FileSystem) -> set[str]:
    return {path for path, node in files.walk() if node.kind != "directory"}


def test_nothing_is_wasted_where_nothing_is_hidden(stacked):
    files = stacked(tar({"a": K}), tar({"b": K}))
    assert files.wasted_bytes(2) == [0, 0]
    assert visible(files) == {"/a", "/b"}


def test_a_whiteout_hides_a_file(stacked):
    files = stacked(tar({"d/a": K, "d/b": K}), tar({"d/.wh.a": b""}))
    assert files.wasted_bytes(2) == [1000, 0]
    assert visible(files) == {"/d/b"}


def test_a_whiteout_hides_a_directory_with_all_that_is_in_it(stacked):
    files = stacked(tar({"d/a": K, "d/e/b": K, "f": K}), tar({".wh.d": b""}))
    assert files.wasted_bytes(2) == [2000, 0]
    assert visible(files) == {"/f"}


def test_an_opaque_directory_hides_what_lower_layers_have_and_not_its_own(stacked):
    """The opaque marker may stand anywhere in its layer's stream."""
    files = stacked(tar({"d/a": K, "d/e/b": K}), tar({"d/new": K, "d/.wh..wh..opq": b"", "d/later": K}))
    assert files.wasted_bytes(2) == [2000, 0]
    assert visible(files) == {"/d/new", "/d/later"}


def test_a_whiteout_does_not_hide_what_its_own_layer_brings(stacked):
    files = stacked(tar({"a": K}), tar({"a": K, ".wh.a": b""}))
    assert files.wasted_bytes(2) == [1000, 0]
    assert visible(files) == {"/a"}


def test_an_overwritten_file_is_wasted(stacked):
    files = stacked(tar({"a": K}), tar({"a": K * 2}), tar({"a": b""}))
    assert files.wasted_bytes(3) == [1000, 2000, 0]


def test_a_change_of_owner_ships_the_file_twice(stacked):
    files = stacked(tar({"a": K}), tar({"a": K}, modes={"a": 0o600}))
    assert files.wasted_bytes(2) == [1000, 0]


def test_a_file_written_twice_in_one_layer_is_wasted_once(stacked):
    buffer = tar({"a": K})[:1536] + tar({"a": K * 3})  # one stream with two members of one name
    files = stacked(buffer)
    assert files.wasted_bytes(1) == [1000]


def test_a_hard_link_keeps_the_bytes_visible(stacked):
    files = stacked(tar({"a": K}, links={"b": "a"}), tar({".wh.a": b""}))
    assert files.wasted_bytes(2) == [0, 0]
    assert visible(files) == {"/b"}


def test_bytes_are_wasted_when_the_last_hard_link_goes(stacked):
    files = stacked(tar({"a": K}, links={"b": "a", "d/c": "b"}), tar({".wh.a": b"", ".wh.b": b""}), tar({".wh.d": b""}))
    assert files.wasted_bytes(3) == [1000, 0, 0]


def test_a_hard_link_to_a_lower_layer_shares_its_bytes(stacked):
    files = stacked(tar({"a": K}), tar({}, links={"b": "a"}), tar({".wh.a": b""}))
    assert files.wasted_bytes(3) == [0, 0, 0]


def test_a_hard_link_over_a_file_hides_it(stacked):
    files = stacked(tar({"a": K, "b": K * 5}), tar({"c": K}, links={"b": "c"}))
    assert files.wasted_bytes(2) == [5000, 0]


def test_a_file_in_the_place_of_a_directory_hides_it(stacked):
    files = stacked(tar({"d/a": K, "d/b": K}), tar({"d": b"1"}))
    assert files.wasted_bytes(2) == [2000, 0]
    assert visible(files) == {"/d"}


def test_a_directory_in_the_place_of_a_file_hides_it(stacked):
    files = stacked(tar({"d": K}), tar({"d/a": K}))
    assert files.wasted_bytes(2) == [1000, 0]
    assert visible(files) == {"/d/a"}


def test_a_directory_again_hides_nothing(stacked):
    files = stacked(tar({"d": None, "d/a": K}), tar({"d": None, "d/b": K}))
    assert files.wasted_bytes(2) == [0, 0]


def test_paths_lead_through_symbolic_links(stacked):
    """As with /bin, which is usr/bin: a file and a whiteout land where the link leads."""
    files = stacked(tar({"usr/bin/a": K, "usr/bin/b": K, "bin": "usr/bin"}), tar({"bin/a": K, "bin/.wh.b": b""}))
    assert files.wasted_bytes(2) == [2000, 0]
    assert visible(files) == {"/usr/bin/a", "/bin"}


def test_links_that_lead_in_a_circle_lead_nowhere(stacked):
    files = stacked(tar({"a": "b", "b": "a", "c": "/../c2", "c2": K}))
    assert files.find("a") is None
    assert files.find("c").inode.size == 1000


def test_a_whiteout_of_nothing_and_reserved_names_hide_nothing(stacked):
    files = stacked(tar({"a": K}), tar({".wh.b": b"", "gone/.wh.c": b"", ".wh..wh.aufs": b""}))
    assert files.wasted_bytes(2) == [0, 0]
    assert visible(files) == {"/a"}


def test_long_names_and_leading_dots_are_the_same_path(stacked):
    name = "d/" + "n" * 180
    files = stacked(tar({f"./{name}": K}), tar({name: K}))
    assert files.wasted_bytes(2) == [1000, 0]


def test_what_is_visible_and_what_is_wasted_add_up(stacked):
    tars = [tar({"a": K, "d/b": K * 2}, links={"e": "a"}), tar({"a": K * 3, ".wh.d": b""}), tar({".wh.e": b""})]
    files = stacked(*tars)
    shown = {id(node.inode): node.inode.size for _, node in files.walk() if node.inode}
    assert sum(shown.values()) + sum(files.wasted_bytes(3)) == 6000
    assert files.wasted_bytes(3) == [3000, 0, 0]


def test_a_hard_link_to_nothing_is_told(stacked):
    with pytest.raises(Problem, match="hard link b names a"):
        stacked(tar({}, links={"b": "a"}))
