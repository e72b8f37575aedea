"""Wheels today: what counts as a wheel, what is kept of older answers, and what is never taken for a "no"."""

import json
from datetime import UTC, datetime
from pathlib import PurePosixPath

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from rich.console import Console

import measure.pages  # noqa: F401
from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.base.packages import normal
from measure.record import records
from measure.studies.wheels import asking as wheels
from measure.studies.wheels import model as wheels_model
from measure.studies.wheels.model import TARGETS, Answer, Asked, Package, Wheel, WheelTable
from measure.studies.wheels.table import wheels_table
from measure.tell.page import Page
from measure.tell.reading import Records

DAY = datetime(2026, 11, 20, 12, tzinfo=UTC)
ASKED = Asked(at=DAY, python="3.14.7", pip="26.2.1", glibc="2.41", musl="1.2")


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
    monkeypatch.setattr(wheels_model, "LIST", tmp_path / "wheels.toml")
    wheels_model.LIST.write_text('packages = ["one", "two"]')


@pytest.fixture
def pip_answers(monkeypatch):
    """Makes pip answer with rows, or with what the script in the container printed, and returns the names asked for."""
    asked = []

    def answer(given):
        def ask(_engine, names):
            asked.append(names)
            return wheels.understand(given) if isinstance(given, str) else given

        monkeypatch.setattr(wheels, "ask", ask)
        monkeypatch.setattr(wheels.probe, "remove_orphans", lambda engine: None)
        return asked

    return answer


def recorded() -> dict[str, str]:
    return {row.name: row.latest for row in wheels_model.load().packages}


def test_the_tags_are_the_end_of_the_files_name():
    wheel = Wheel(file="a_b-1.0-1-cp311-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", version="1.0")
    assert wheel.tag == "cp311-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64"
    assert wheel.abi == "abi3"


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


def test_an_answer_is_either_a_wheel_or_pips_words():
    with pytest.raises(ValidationError, match="a wheel, or pip's words"):
        Answer(libc="manylinux", machine="x86_64")


@pytest.mark.parametrize(
    ("why", "told"),
    [
        (
            "Could not fetch URL http://index/simple/one/: connection error: refused - skipping",
            "did not answer for one",
        ),
        ("Could not fetch URL http://index/one/: 404 Client Error: Not Found - skipping", "knows no one"),
        ("pip is told to ask no index", "did not answer for one"),
    ],
)
def test_an_index_that_does_not_answer_is_never_a_no(listed, pip_answers, why, told):
    """Neither a first record nor an older one is written."""
    pip_answers(json.dumps({"failed": "one", "why": why}))
    with pytest.raises(Problem, match=told) as problem:
        wheels.measure_wheels(None, [])
    assert why in problem.value.why
    assert not wheels_model.record_path().exists()


@pytest.mark.parametrize("printed", ["", "Traceback", "[]", "{}", '{"packages": [{"name": "one"}]}'])
def test_an_answer_that_is_not_understood_is_an_error(printed):
    with pytest.raises(Problem, match="not understood"):
        wheels.understand(printed)


def test_all_rows_are_renewed_or_none(listed, pip_answers):
    asked = pip_answers([package("one"), package("two")])
    wheels.measure_wheels(None, [])
    assert asked == [["one", "two"]]
    before = wheels_model.record_path().read_bytes()
    pip_answers(json.dumps({"failed": "two", "why": "connection error"}))
    with pytest.raises(Problem):
        wheels.measure_wheels(None, [])
    assert wheels_model.record_path().read_bytes() == before


def test_with_names_only_their_rows_are_renewed(listed, pip_answers):
    pip_answers([package("one"), package("two")])
    wheels.measure_wheels(None, [])
    asked = pip_answers([package("two", latest="3.0")])
    wheels.measure_wheels(None, ["Two"])
    assert asked[-1] == ["two"]
    assert recorded() == {"one": "2.0", "two": "3.0"}
    assert list(recorded()) == ["one", "two"]


def test_a_package_that_is_not_listed_is_shown_and_not_recorded(listed, pip_answers, capsys):
    pip_answers([package("three")])
    wheels.measure_wheels(None, ["three"])
    shown = capsys.readouterr()
    assert "three" in shown.out
    assert "not recorded" in shown.err
    assert not wheels_model.record_path().exists()


def test_a_row_whose_package_is_listed_no_more_goes():
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
    wheels_model.record_path().write_text(records.as_json(table))
    with pytest.raises(Problem, match="stale") as problem:
        wheels_model.complete()
    assert told in problem.value.why
    assert problem.value.next == command


def test_a_file_that_is_no_table_is_told(listed):
    wheels_model.record_path().write_text('{"schema_version": 0}')
    with pytest.raises(Problem, match="not valid"):
        wheels_model.load()


@pytest.mark.parametrize(("name", "spelt"), [("PyYAML", "pyyaml"), ("ruamel.yaml_clib", "ruamel-yaml-clib")])
def test_names_are_spelt_as_the_index_does(name, spelt):
    assert normal(name) == spelt


@pytest.mark.parametrize("name", ["", "--help", "a b", "one==1", "https://index/x"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(Problem, match="not the name"):
        normal(name)


@pytest.mark.parametrize(
    ("name", "versions", "expected"),
    [
        ("psycopg2-binary", ("2.0", None, "2.0", "2.0"), ["1.2 MB", "no", "1.2 MB", "1.2 MB"]),
        ("short", ("2.0", "1.9", None, "2.0"), ["1.2 MB", "1.9: 1.2 MB", "no", "1.2 MB"]),
    ],
)
def test_tables_fit_80_columns_and_say_which_version_is_old(name, versions, expected):
    console = Console(width=80, record=True)
    console.print(wheels_table([package(name, versions)]))
    last = console.export_text().splitlines()[-1]
    assert [cell.strip() for cell in last.split("│")] == [name, "2.0", "yes", *expected]


def test_the_page_shows_files_and_pips_words(listed, monkeypatch):
    rows = [package("one", ("2.0", "1.9", None, None)), package("two", sdist=False)]
    wheels_model.record_path().write_text(records.as_json(WheelTable(packages=rows)))
    page = Page(Records(), PurePosixPath("results/wheels.md"), {}).functions()
    first, second = (line for line in page["wheels"]().splitlines() if line.startswith(("| one", "| two")))
    assert '<span title="one-2.0-cp311-abi3-manylinux2014_x86_64.whl, 1,234,567 bytes">1.2 MB</span>' in first
    assert ">1.9: 1.2 MB</span>" in first
    assert first.count('title="ERROR: No matching distribution found for one">no</span>') == 2
    assert second.startswith("| two | 2.0 | no | abi3 |")
    assert "Asked on 2026-11-20 (UTC), for CPython" in page["wheels"]()
    assert "some: **1 of 2**, `one`" in page["wheel_groups"]()


def test_the_list_has_twenty_packages_and_those_with_a_recipe():
    names = wheels_model.listed()
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
    assert len(wheels_model.complete().packages) == len(wheels_model.listed())
