"""A finished list, held against the second platform: markers that ask for the processor, wheels that are missing."""

import pytest

from measure.base.errors import Problem
from measure.studies.wheels import listing
from tests.unit.test_wheels import index, listed  # noqa: F401 - a fixture

LIST = """\
# by a tool
--index-url https://index.example/simple
-r more.txt
six==1.17.0 ; python_version >= "3.11" and python_version < "4.0" \\
    --hash=sha256:00 \\
    --hash=sha256:11
Fast_Thing[extra] == 2.0 ; platform_machine in "aarch64 arm64"  # for Graviton
colorama==0.4.6 ; sys_platform == "win32"
plain
"""
WHEELS = {
    "six": {"six-1.17.0-py2.py3-none-any.whl": {}},
    "fast-thing": {"fast_thing-2.0-cp314-cp314-manylinux_2_28_aarch64.whl": {}, "fast_thing-2.0.tar.gz": {}},
    "plain": {
        "plain-1.0-cp314-cp314-manylinux_2_17_x86_64.whl": {},
        "plain-1.0-cp314-cp314-musllinux_1_2_aarch64.whl": {},
    },
}


def test_a_list_is_read_as_pip_reads_it():
    names = [one.name for one in listing.requirements(LIST, "list.txt")]
    assert names == ["six", "Fast_Thing", "colorama", "plain"]


@pytest.mark.parametrize("line", ["https://index.example/six.whl", "./folder", "six = 1.17"])
def test_a_line_that_is_no_requirement_is_told(line):
    with pytest.raises(Problem, match=r"list\.txt has a line that is no requirement"):
        list(listing.requirements(f"{line}\n", "list.txt"))


@pytest.mark.parametrize(
    ("marker", "wanted"),
    [
        ('platform_machine == "aarch64"', ("aarch64",)),
        ('platform_machine != "aarch64" and sys_platform == "linux"', ("x86_64",)),
        ('"64" in platform_machine', ("x86_64", "aarch64")),
        ('sys_platform == "darwin"', ()),
        ('python_full_version < "3.14"', ()),
    ],
)
def test_a_marker_is_read_for_both_processors(marker, wanted):
    (one,) = listing.requirements(f"six ; {marker}", "list.txt")
    assert listing.wanted(one) == wanted


@pytest.mark.usefixtures("listed")
def test_what_is_marked_and_what_has_no_wheel_is_told_apart():
    found = listing.ask(list(listing.requirements(LIST, "list.txt")), index(WHEELS | {"colorama": {}}))
    said = {one.requirement.name: (one.marked, one.missing) for one in found}
    assert said == {
        "six": (False, []), "Fast_Thing": (True, []), "colorama": (False, []), "plain": (False, ["aarch64"])
    }  # fmt: skip


@pytest.mark.usefixtures("listed")
def test_the_command_fails_where_anything_is_wrong_and_says_what(tmp_path, monkeypatch, capsys):
    path = tmp_path / "list.txt"
    path.write_text(LIST)
    ask = listing.ask
    monkeypatch.setattr(listing, "ask", lambda some: ask(some, index(WHEELS)))  # nobody asks for colorama
    with pytest.raises(Problem, match="1 of 3 packages depend on the processor, 1 have no wheel for one"):
        listing.check_list(path)
    assert "only on aarch64" in capsys.readouterr().out
    path.write_text("six==1.17.0\n")
    listing.check_list(path)
    assert "All 1 packages" in capsys.readouterr().out
    with pytest.raises(Problem, match="cannot be read"):
        listing.check_list(tmp_path / "none.txt")
