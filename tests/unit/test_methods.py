"""A record that is older than a change in the way of measuring is marked, where that touches it; a newer one is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

import pytest

from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.record import methods, records
from measure.record.check import recipes
from measure.record.records import Record, Samples, Times, as_json, load, save
from measure.steps.compose import find_step
from measure.steps.inputs import inputs_of
from measure.tell import pages, site
from measure.tell.pages import Page, Readme, Records
from tests import handmade
from tests.conftest import run

STEP = find_step("step-1")
AT = datetime(2026, 12, 1, 12, tzinfo=UTC)
BEFORE, AFTER = AT - timedelta(seconds=1), AT
LOG = """
[[change]]
id = "counts"
at = 2026-12-01T12:00:00Z
fields = [{fields}]
what = "Bytes are counted."
before = "They were guessed."
commit = "abc"
"""


@pytest.fixture
def changed(tmp_path, monkeypatch):
    """Writes a log of one change, which touches these fields."""

    def write(*fields: str, text: str = LOG) -> methods.Change:
        path = tmp_path / "methods.toml"
        path.write_text(text.format(fields=", ".join(f'"{field}"' for field in fields)))
        monkeypatch.setattr(methods, "PATH", path)
        methods._read.cache_clear()
        return methods.log()[0]

    return write


def measured(at: datetime, timed: datetime | None = None, **changes) -> Record:
    one = handmade.record(**changes)
    one = one.model_copy(update={"provenance": one.provenance.model_copy(update={"measured_at": at})})
    times = Times(cold_build_s=Samples.of([2.0]), load_before=0, measured_at=timed) if timed else None
    return one.model_copy(update={"time": times})


def test_only_what_is_older_than_a_change_of_its_own_fields(changed):
    change = changed("size.wasted", "contents.user")
    assert methods.since(measured(BEFORE)) == [change]
    assert methods.since(measured(AFTER)) == []
    assert methods.since(measured(BEFORE), "size.wasted") == [change]
    assert methods.since(measured(BEFORE), "size") == [change]
    assert methods.since(measured(BEFORE), "size.transfer_bytes") == []
    assert methods.since(measured(BEFORE), "contents.user_id") == []


def test_times_have_a_date_of_their_own(changed):
    change = changed("time.cold_build_s", "time.reported_s")
    assert methods.since(measured(BEFORE, timed=AFTER)) == []
    assert methods.since(measured(AFTER, timed=BEFORE)) == [change]
    assert methods.since(measured(BEFORE)) == [], "what was not timed is not older"
    assert methods.since(measured(BEFORE, timed=BEFORE), "time.import_s") == []
    assert methods.of_image(measured(BEFORE, timed=BEFORE)) == []


def test_a_failed_build_has_no_size_to_be_older(changed):
    changed("size", "contents")
    failed = measured(BEFORE, outcome="failed", size=None, contents=None)
    assert methods.since(failed) == []


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """A page on which step 1 is recorded, slim at one time and the others later."""
    for module in (records, pages):
        monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(pages, "all_measured", lambda: [STEP])
    for variant in STEP.variants:
        for platform in ("linux/amd64", "linux/arm64"):
            found = inputs_of(STEP, variant, recipes("lab-amd64"))
            old = variant.name == "slim" and platform == "linux/amd64"
            one = measured(BEFORE if old else AFTER, variant=variant.name, platform=platform, inputs=found)
            one.path.parent.mkdir(parents=True, exist_ok=True)
            one.path.write_text(as_json(one))
    return lambda text, name="results/index.md": site.render_page(Records(), PurePosixPath(name), text)


def test_an_older_record_is_marked_in_the_table_of_all_records_and_a_newer_one_is_not(changed, shown):
    changed("size.transfer_bytes")
    text = shown("{{ results() }}")
    mark = "[†](methodology.md#method-counts"
    rows = [line for line in text.splitlines() if line.startswith("| <span id")]
    assert [("step-1-kiss-slim-linux-amd64" in row) for row in rows] == [(mark in row) for row in rows]
    (marked,) = [row for row in rows if mark in row]
    assert marked.count("†") == 1
    assert f'</span>{mark} "measured before the way of measuring changed on 2026-12-01")' in marked.split(" | ")[3]
    assert text.endswith(
        "[changed since](methodology.md#when-the-way-of-measuring-changes) it was measured.\n{ .environment }\n"
    )


def test_numbers_on_pages_are_marked_by_the_fields_that_they_show(changed, shown):
    changed("size.transfer_bytes")
    marked = {
        '{{ size("step-1/slim") }}': True,
        '{{ size("step-1/slim", "unpacked") }}': False,
        '{{ size("step-1/naive") }}': False,
        '{{ size("step-1/slim", platform="linux/arm64") }}': False,
        '{{ change("step-1/slim", "step-1/naive") }}': True,
        '{{ change("step-1/naive", "step-1") }}': False,
        '{{ saved("step-1/naive", "step-1/slim") }}': True,
        '{{ contents("step-1") }}': False,
    }
    for expression, is_marked in marked.items():
        text = shown(expression, "steps/x.md")
        assert ("[†](../results/methodology.md#method-counts" in text) == is_marked, expression
        assert ("† The way to measure" in text) == is_marked, expression
    assert shown('{{ sizes("step-1") }}', "steps/x.md").count("[†]") == 1


def test_times_are_marked_by_their_own_date(changed, monkeypatch):
    changed("time.cold_build_s")
    for timed, is_marked in ((BEFORE, True), (AFTER, False)):
        monkeypatch.setattr(Records, "get", lambda *_, timed=timed: measured(BEFORE, timed=timed))
        text = Page(Records(), PurePosixPath("x.md"), {})._seconds("step-1/slim", "cold")
        assert ("†" in text) == is_marked


def test_the_readme_marks_too(changed, shown):
    changed("size.transfer_bytes")
    text = Readme(Records())._size("step-1/slim")
    assert "MB†](" in text.replace(" kB†", " MB†")
    assert "measured before the way of measuring changed" in text
    assert "†" not in Readme(Records())._size("step-1/naive")


def test_the_change_log_says_how_many_records_are_older(changed, shown):
    changed("size")
    (row,) = shown("{{ methods() }}", "results/methodology.md").splitlines()[2:3]
    assert row.startswith(
        '| <span id="method-counts"></span>2026&#8209;12&#8209;01 | Bytes are counted. *Before:* They were guessed.'
    )
    assert row.endswith("| `size` | 1&nbsp;† |")


def test_a_table_of_records_to_download_names_the_changes(changed):
    changed("size")
    assert site._flat(measured(BEFORE))["older_than"] == "counts"
    assert site._flat(measured(AFTER))["older_than"] == ""


def test_the_same_numbers_by_the_new_way_get_the_new_date(changed, shown):
    changed("size")
    old, new = measured(BEFORE), measured(AFTER)
    save(old)
    save(measured(BEFORE - timedelta(days=1)))
    assert load(old.path).provenance.measured_at == BEFORE, "nothing changed between these two"
    save(new)
    assert load(old.path).provenance.measured_at == AFTER


@pytest.mark.parametrize(
    "text",
    [
        "[[change]]\nid = 'x'\n",
        LOG.replace("2026-12-01T12:00:00Z", "2026-12-01T12:00:00"),
        LOG + "who = 'me'\n",
        "[[change",
    ],
)
def test_a_log_that_is_wrong_is_told(changed, text):
    with pytest.raises(Problem, match=r"methods\.toml is not valid"):
        changed("size", text=text)


def leads_somewhere(schema: dict, field: str) -> bool:
    """Is there such a field in records, by their published schema?"""
    place = schema
    for name in field.split("."):
        options = [place, *place.get("anyOf", [])]
        refs = [schema["$defs"][one["$ref"].rpartition("/")[2]] for one in options if "$ref" in one]
        found = [one["properties"][name] for one in [*options, *refs] if name in one.get("properties", {})]
        if not found:
            return False
        place = found[0]
    return True


def test_the_log_of_this_repository_names_fields_that_there_are_and_commits_of_its_history():
    schema = Record.model_json_schema()
    assert not leads_somewhere(schema, "size.none")
    ids = [change.id for change in methods.log()]
    assert ids
    assert len(set(ids)) == len(ids)
    shallow = run("git", "rev-parse", "--is-shallow-repository", cwd=ROOT).stdout.strip() != "false"
    for change in methods.log():
        assert [field for field in change.fields if not leads_somewhere(schema, field)] == [], change.id
        assert change.at < datetime.now(UTC)
        assert shallow or run("git", "cat-file", "-e", f"{change.commit}^{{commit}}", cwd=ROOT).returncode == 0
