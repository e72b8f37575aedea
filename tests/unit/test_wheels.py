"""Wheels today: which wheel is chosen, what is kept of older answers, and what is never taken for a "no"."""

import json
from datetime import UTC, datetime
from pathlib import PurePosixPath

import httpx
import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from rich.console import Console

import measure.pages  # noqa: F401
from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.base.packages import normal
from measure.record import records
from measure.studies.wheels import asking
from measure.studies.wheels import model as wheels
from measure.studies.wheels.model import TARGETS, Answer, Asked, Package, Wheel, WheelTable
from measure.studies.wheels.table import wheels_table
from measure.tell.page import Page
from measure.tell.reading import Records

DAY = datetime(2026, 11, 20, 12, tzinfo=UTC)
ASKED = Asked(at=DAY, python="3.14", glibc="2.41", musl="1.2")


def package(name: str, versions: tuple[str | None, ...] = ("2.0",) * 4, **changes) -> Package:
    """A row whose wheels have these versions, in the order of TARGETS; None is no wheel."""
    answers = []
    for (libc, machine), version in zip(TARGETS, versions, strict=True):
        if version is None:
            said = f"ERROR: No matching distribution found for {name}"
            answers.append(Answer(libc=libc, machine=machine, said=said))
        else:
            platform = {"manylinux": "manylinux2014", "musllinux": "musllinux_1_2"}[libc]
            file = f"{name}-{version}-cp311-abi3-{platform}_{machine}.whl"
            wheel = Wheel(file=file, version=version, bytes=1_234_567)
            answers.append(Answer(libc=libc, machine=machine, wheel=wheel))
    return Package(**{"name": name, "latest": "2.0", "sdist": True, "answers": answers, "asked": ASKED} | changes)


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """Records go to an empty folder, and two packages are listed."""
    monkeypatch.setattr(records, "RESULTS", tmp_path)
    monkeypatch.setattr(wheels, "LIST", tmp_path / "wheels.toml")
    monkeypatch.setattr(asking.lab_engine, "host_index", lambda: "http://me:secret@index/simple")
    wheels.LIST.write_text('packages = ["one", "two"]')


def index(pages: dict) -> httpx.MockTransport:
    """An index that has these files, each with what is said of it, or answers like this."""

    def answer(request: httpx.Request) -> httpx.Response:
        found = pages.get(request.url.path.split("/")[2], httpx.Response(404))
        if isinstance(found, Exception):
            raise found
        if isinstance(found, httpx.Response):
            return found
        files = [{"filename": name, "url": "…", "hashes": {}, **more} for name, more in found.items()]
        return httpx.Response(200, headers={"Content-Type": asking.JSON}, content=json.dumps({"files": files}))

    return httpx.MockTransport(answer)


@pytest.mark.parametrize(
    ("versions", "states", "group"),
    [
        (("2.0", "2.0", "2.0", "2.0"), "yes yes yes yes", "all"),
        (("2.0", "2.0", "2.0", None), "yes yes yes no", "manylinux"),
        (("2.0", "2.0", "1.9", "1.9"), "yes yes old old", "manylinux"),
        (("1.9", None, "2.0", "2.0"), "old no yes yes", "musllinux"),
        (("2.0", None, "2.0", None), "yes no yes no", "some"),
        ((None, None, None, None), "no no no no", "none"),
        (("1.9", "1.9", "1.9", "1.9"), "old old old old", "none"),
    ],
)
def test_a_wheel_of_an_older_version_is_not_a_yes(versions, states, group):
    row = package("one", versions)
    assert [row.state(*target) for target in TARGETS] == states.split()
    assert row.group == group


def test_an_answer_is_a_wheel_or_words_and_tags_are_the_end_of_the_files_name():
    with pytest.raises(ValidationError, match="a wheel, or words"):
        Answer(libc="manylinux", machine="x86_64")
    wheel = Wheel(file="a_b-1.0-1-cp311-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", version="1.0")
    assert wheel.tag == "cp311-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64"
    assert wheel.abi == "abi3"


#: Each says by its name, or beside it, what is to become of it.
OLDER = {
    "older-1.0-cp311-abi3-musllinux_1_1_x86_64.whl": {"size": 1234},
    "older-2.0.tar.gz": {},
    "older-3.0b1.tar.gz": {},  # a pre-release
    "older-2.0-cp314-cp314-manylinux_2_17_x86_64.whl": {},
    "older-2.0-cp311-abi3-manylinux_2_17_x86_64.whl": {},  # for older Pythons, too
    "older-2.0-cp314-cp314-manylinux_2_41_aarch64.whl": {},
    "older-2.0-cp314-cp314-manylinux_2_99_x86_64.whl": {},  # wants a newer glibc
    "older-2.0-cp313-cp313-musllinux_1_2_aarch64.whl": {},  # for another Python
    "older-2.1-cp314-cp314-manylinux_2_17_x86_64.whl": {"yanked": "broken"},
    "older-2.2-cp314-cp314-manylinux_2_17_x86_64.whl": {"requires-python": ">=3.15"},
    "older-2.3.tar.gz": {"requires-python": "no specifier"},
    "other-9.0-cp314-cp314-manylinux_2_17_x86_64.whl": {},
    "older-2.0-x86_64.whl": {},
    "older.exe": {},
}


def test_old_wheels_unfit_ones_prereleases_and_sdists_are_told_apart(listed):
    pages = {
        "older": OLDER,
        "bare": {"bare-1.0.tar.gz": {}, "bare-2.0.dev1.tar.gz": {}},
        "early": {"early-1.0rc1-py3-none-any.whl": {}, "early-1.0rc2-1-py3-none-any.whl": {},
                  "early-1.0rc2-2-py3-none-any.whl": {"requires-python": None, "yanked": False}},
    }  # fmt: skip
    older, bare, early = asking.ask(list(pages), index(pages))
    assert (older.latest, older.sdist) == ("2.0", True)
    assert [older.state(*target) for target in TARGETS] == ["yes", "yes", "old", "no"]
    assert older.answer("manylinux", "x86_64").wheel.file == "older-2.0-cp314-cp314-manylinux_2_17_x86_64.whl"
    assert older.answer("manylinux", "x86_64").wheel.bytes is None
    assert older.answer("musllinux", "x86_64").wheel.bytes == 1234
    assert "fits CPython 3.14 and musllinux on aarch64" in older.answer("musllinux", "aarch64").said
    assert (bare.group, bare.latest, bare.sdist) == ("none", "1.0", True)
    assert (early.group, early.latest, early.sdist) == ("all", "1.0rc2", False)
    assert early.answer("manylinux", "x86_64").wheel.file == "early-1.0rc2-2-py3-none-any.whl"


@pytest.mark.parametrize(
    ("answer", "what", "why"),
    [
        (httpx.ConnectError("connection refused"), "did not answer for one; nothing is recorded", "refused"),
        (httpx.Response(404), "knows no one", ""),
        (httpx.Response(503), "did not answer for one", "503"),
        (httpx.Response(406), "did not answer for one", "no pages in JSON"),
        (httpx.Response(200, html="<a href=one-1.0.tar.gz>"), "did not answer for one", "no pages in JSON"),
        (httpx.Response(200, headers={"Content-Type": asking.JSON}, text="<html>"), "did not answer", "PEP 691"),
        (httpx.Response(200, json={"files": [{"name": "a"}]}), "did not answer for one", "files.0.filename"),
        ({}, "nothing of one for CPython 3.14", "neither a wheel nor"),
    ],
)
def test_an_index_that_does_not_answer_is_never_a_no(listed, answer, what, why):
    with pytest.raises(Problem, match=what) as problem:
        asking.ask(["one"], index({"one": answer}))
    assert why in problem.value.why
    assert "secret" not in problem.value.why
    assert problem.value.next


def test_the_newest_glibc_is_that_of_the_images():
    contents = records.load(records.record_path("lab-amd64", "step-1-kiss", "recommended", "linux/amd64")).contents
    (libc,) = [one.version for one in contents.os_packages if one.name == "libc6"]
    assert libc.startswith(".".join(map(str, asking.GLIBC)))


def test_the_rows_asked_for_are_renewed_and_those_listed_are_kept(listed, monkeypatch, capsys):
    asked = []

    def measure(*rows: Package, names: tuple[str, ...] = ()) -> dict[str, str]:
        monkeypatch.setattr(asking, "ask", lambda names: asked.append(names) or list(rows))
        asking.measure_wheels(list(names))
        return {row.name: row.latest for row in wheels.load().packages}

    assert measure(package("three"), names=("three",)) == {}
    shown = capsys.readouterr()
    assert "three" in shown.out and "not recorded" in shown.err
    assert measure(package("one"), package("two")) == {"one": "2.0", "two": "2.0"}
    found = measure(package("two", latest="3.0"), names=("Two",))
    assert list(found.items()) == [("one", "2.0"), ("two", "3.0")]
    assert asked == [["three"], ["one", "two"], ["two"]]
    old = WheelTable(packages=[package("gone"), package("two"), package("one")])
    assert [row.name for row in old.renewed([], ["one", "two", "new"]).packages] == ["one", "two"]


@pytest.mark.parametrize(
    ("rows", "told", "command"),
    [
        (["one"], "lists two", "make wheels PACKAGES=two"),
        ([], "lists one, two", "make wheels"),
        (["one", "two", "three"], "lists fewer", "make wheels"),
    ],
)
def test_a_table_of_other_packages_than_those_listed_is_stale(listed, rows, told, command):
    table = WheelTable(packages=[package(name) for name in rows])
    wheels.record_path().write_text(records.as_json(table))
    with pytest.raises(Problem, match="stale") as problem:
        wheels.complete()
    assert told in problem.value.why
    assert problem.value.next == command


@pytest.mark.parametrize("text", ["packages", "", "packages = 1", "\xff"])
def test_a_list_that_is_not_valid_is_told(listed, text):
    wheels.LIST.write_bytes(text.encode("latin-1"))
    with pytest.raises(Problem, match=r"wheels\.toml is not valid"):
        wheels.listed()


def test_names_are_spelt_as_the_index_does_and_what_is_none_is_refused():
    assert [normal(name) for name in ("PyYAML", "ruamel.yaml_clib")] == ["pyyaml", "ruamel-yaml-clib"]
    for name in ("", "--help", "a b", "one==1", "https://index/x"):
        with pytest.raises(Problem, match="not the name"):
            normal(name)


def test_tables_fit_80_columns_and_say_which_version_is_old():
    console = Console(width=80, record=True)
    console.print(wheels_table([package("short", ("2.0", "1.9", None, "2.0"))]))
    last = [cell.strip() for cell in console.export_text().splitlines()[-1].split("│")]
    assert last == ["short", "2.0", "yes", "1.2 MB", "1.9: 1.2 MB", "no", "1.2 MB"]


def test_the_page_shows_files_and_pips_words(listed):
    rows = [package("one", ("2.0", "1.9", None, None)), package("two", sdist=False)]
    wheels.record_path().write_text(records.as_json(WheelTable(packages=rows)))
    page = Page(Records(), PurePosixPath("results/wheels.md"), {}).functions()
    first, second = (line for line in page["wheels"]().splitlines() if line.startswith(("| one", "| two")))
    assert '<span title="one-2.0-cp311-abi3-manylinux2014_x86_64.whl, 1,234,567 bytes">1.2 MB</span>' in first
    assert ">1.9: 1.2 MB</span>" in first
    assert first.count('title="ERROR: No matching distribution found for one">no</span>') == 2
    assert second.startswith("| two | 2.0 | no | abi3 |")
    assert "Asked on 2026-11-20 (UTC), for CPython 3.14;" in page["wheels"]()
    assert "some: **1 of 2**, `one`" in page["wheel_groups"]()
    assert page["wheel_count"]("musllinux").startswith("[1 of 2](")
    (row,) = (line for line in page["wheels_of"]("one").splitlines() if line.startswith("| `"))
    assert row.startswith("| `one` 2.0 | <span ")
    assert row.count(">no</span>") == 2
    with pytest.raises(Problem, match="No one asked for wheels of three"):
        page["wheels_of"]("three")


def test_the_guide_says_what_has_to_be_compiled_and_takes_names_apart(listed):
    wheels.LIST.write_text('packages = ["all", "half", "older", "gone"]')
    half, old = package("half", ("2.0", "2.0", "2.0", None)), package("older", ("2.0", "2.0", "1.9", "1.9"))
    rows = [package("all"), half, old, package("gone", (None,) * 4, sdist=False)]
    wheels.record_path().write_text(records.as_json(WheelTable(packages=rows)))
    page = Page(Records(), PurePosixPath("guide/packages.md"), {}).functions()
    assert page["wheel_count"]().startswith("[1 of 4](../results/records/wheels.json)")
    assert page["to_compile"]().splitlines()[2:] == [
        "| `half` | wheel | x86_64: wheel, aarch64: compile |",
        "| `older` | wheel | older wheel |",
        "| `gone` | not to be had | not to be had |",
        "",
        "Wheels on both, for both processors: `all`.",
    ]
    names = page["wheel_names"](("half", "manylinux", "x86_64"), ("half", "musllinux", "x86_64")).splitlines()[2:]
    assert names == [
        "| `half` | `2.0` | `cp311` | `abi3` | `manylinux2014_x86_64` |",
        "| `half` | `2.0` | `cp311` | `abi3` | `musllinux_1_2_x86_64` |",
    ]
    for missing in (("half", "musllinux", "aarch64"), ("nobody", "manylinux", "x86_64")):
        with pytest.raises(Problem, match=f"no {missing[1]} wheel of {missing[0]}"):
            page["wheel_names"](missing)


def test_the_list_has_twenty_packages_and_those_with_a_recipe():
    names = wheels.listed()
    assert len(set(names)) == len(names) >= 20
    assert [normal(name) for name in names] == names
    recipes = "psycopg2 lxml pillow numpy pyyaml cffi mysqlclient pycurl python-ldap pyodbc pandas h5py gevent uwsgi"
    assert {*recipes.split(), "shapely", "cryptography"} <= set(names)


def test_the_record_keeps_to_its_schema_and_names_no_index():
    text = (ROOT / "results/wheels.json").read_text()
    schema = json.loads((ROOT / "results/wheels.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.loads(text))
    assert "://" not in text
    assert len(wheels.complete().packages) == len(wheels.listed())
