"""How pages show times, each with its spread and nothing that was not timed; Dockerfiles to copy, and a terminal."""

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import PurePosixPath
from types import SimpleNamespace

import pytest

import measure.pages  # noqa: F401
from measure.base.dockerfiles import read
from measure.base.errors import Problem
from measure.base.files import shown
from measure.record import records
from measure.record.enough import Compared
from measure.record.records import Samples, Times, load, record_path
from measure.steps.compose import all_steps
from measure.tell.page import FUNCTIONS, Page, page_function
from measure.tell.reading import Records
from tests.docs.pages import matches

LONG = (
    "[builder 2/5] RUN apt-get update     && apt-get install -y --no-install-recommends gcc libc6-dev libpq-dev | tee"
)


@pytest.fixture
def page():
    times = Times(
        edit_to_answer_s=Samples.of([2.0, 3.0, 4.0]),
        steps_s={"answer": {LONG: Samples.of([1.0, 1.5]), "seldom": Samples.of([0.5]), "often": Samples.of([1, 1])}},
        load_before=0.1,
        measured_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    record = load(record_path("lab-amd64", "step-4-slim-vs-alpine", "slim", "linux/amd64"))
    timed = record.model_copy(update={"time": times})
    found = SimpleNamespace(get=lambda *_: timed, native="linux/amd64", environment="lab-amd64")
    return Page(found, PurePosixPath("steps/x.md"))


def call(page, name, *words, **options):
    return page.functions()[name](*words, **options)


def test_a_name_is_taken_once_and_a_function_of_a_study_is_there_too():
    assert {"size", "seconds", "compare", "claims", "floor", "bench", "wheels", "recipes", "fidelity"} <= {*FUNCTIONS}

    def size(page):
        return ""

    with pytest.raises(ValueError, match="both have a page function size"):
        page_function(size)


@pytest.mark.parametrize(
    ("name", "words", "options", "told"),
    [
        ("seconds", ("step-4/slim", "answer", "nowhere"), {}, "0 parts of step-4/slim's answer have 'nowhere'"),
        ("seconds", ("step-4/slim", "answer", "e"), {}, "parts of step-4/slim's answer have 'e'"),
        ("seconds", ("step-4/slim", "answer", "seldom"), {}, "parts of step-4/slim's answer have 'seldom'"),
        ("seconds", ("step-4/slim", "fresh-edit"), {}, "no times of fresh-edit"),
        ("memory", ("step-4/slim", "memory-idle"), {}, "no times of memory-idle"),
        ("timings", ("step-4", "watch: under watch"), {"only": ("slim",)}, "no times of watch"),
        ("parts", ("step-4/slim", "base"), {}, "no times of base"),
        ("package", ("step-4/slim", "poetry"), {}, "step-4/slim has no poetry"),
        ("folder", ("step-4/slim", "/nowhere"), {}, "does not list /nowhere"),
    ],
)
def test_what_a_record_does_not_have_is_refused(page, name, words, options, told):
    with pytest.raises(Problem, match=told):
        call(page, name, *words, **options)


def test_parts_are_shown_where_most_samples_have_them_and_the_whole_in_the_end(page):
    rows = call(page, "parts", "step-4/slim", "answer").splitlines()[2:]
    assert len(rows) == 3
    assert rows[0].startswith("| `[builder 2/5] RUN apt-get update")
    assert "…`" in rows[0]
    assert "0.5" not in "".join(rows)
    assert rows[-1].startswith("| **all of it** | [3.0&nbsp;s]")
    assert "2.0 s to 4.0 s in 3 samples" in rows[-1]


def test_one_part_a_package_and_a_folder_are_asked_for_by_name(page):
    contents = page.records.get("").contents
    (pip,) = (one for one in contents.python_packages if one.name == "pip")
    assert call(page, "seconds", "step-4/slim", "answer", "gcc libc6-dev").startswith("[1.2&nbsp;s]")
    assert f"{pip.bytes:,} bytes" in call(page, "package", "step-4/slim", "pip")
    assert f"{contents.directories['/usr/local/lib']:,} bytes" in call(page, "folder", "step-4/slim", "/usr/local/lib")


def test_a_busy_machine_is_told_where_one_points_at_a_number(page, tmp_path, monkeypatch):
    assert "busy" not in call(page, "seconds", "step-4/slim", "answer")
    page.records.get("").time.load_before = 1.0
    assert "in 3 samples; on a busy machine: load 1.0 before" in call(page, "seconds", "step-4/slim", "answer")
    monkeypatch.setattr(records, "RESULTS", tmp_path)
    (tmp_path / "lab-amd64").mkdir()
    taken = [{"what": "some work", "unit": "s", "samples": [3.0]}]
    (tmp_path / "lab-amd64/bench.json").write_text(json.dumps({"load_before": 1.2, "timings": taken}))
    assert call(page, "bench", "some work").endswith('bench.json "taken once; load of the machine before: 1.2")')


def test_the_processor_of_times_is_told_where_it_is_known(page):
    assert call(page, "processor", "step-4") == ""
    page.records.get("").time.cpu = "Some Processor"
    assert call(page, "processor", "step-4") == ", on a machine with Some Processor"


def test_what_only_the_lab_can_time_is_missing_elsewhere(page):
    """A page of another environment's numbers can be made all the same."""
    page.records.environment = "dockerhub-arm64"
    assert call(page, "seconds", "step-4/slim", "fresh-edit") == "(not taken here)"
    with pytest.raises(Problem, match="no times of cold"):
        call(page, "seconds", "step-4/slim", "cold")


def test_times_are_those_of_the_environments_own_platform(page):
    page.records.native = "linux/arm64"
    asked = []
    timed = page.records.get("")
    page.records.get = lambda *names: asked.append(names) or timed
    call(page, "seconds", "step-4/slim", "answer")
    call(page, "timings", "step-4", "answer: to the answer", only=("slim",))
    assert {platform for _, platform in asked} == {"linux/arm64"}


def test_memory_is_shown_in_megabytes(page):
    page.records.get("").time.resident_idle_bytes = Samples.of([30_000_000, 31_000_000, 35_000_000])
    table = call(page, "timings", "step-4", "answer: to the answer", "memory-idle: memory", only=("slim",))
    assert "[31.0&nbsp;MB]" in table
    assert "30.0 MB to 35.0 MB in 3 samples" in table


def test_only_some_variants_are_shown(page):
    table = call(page, "timings", "step-4", "answer: to the answer", only=("slim", "full"))
    assert [row.split(" | ")[0] for row in table.splitlines()[2:]] == ["| full", "| slim"]


def test_a_comparison_that_a_record_keeps_is_shown_whatever_became_of_the_other_one(page):
    call(page, "seconds", "step-4/slim", "answer")
    one = page.records.get("")
    kept = Compared(against="full", median=5.0, ratio=0.601, low=0.5, high=0.722, found="differs")
    later = one.time.measured_at + timedelta(days=9)
    times = one.time.model_copy(update={"compared": {"answer": [kept]}, "measured_at": later})
    page.records.get = lambda *_: one.model_copy(update={"variant": "alpine", "time": times})
    text = call(page, "compared", "step-4/alpine", "answer")
    plain = re.sub(r"\]\([^)]*\)\{ \.measured \}|\[", "", text).replace("&nbsp;", " ")
    assert plain == "3.0 s, with `full` 5.0 s"
    assert "0.60 times as long, 98% interval 0.50 to 0.72, by 3 samples, taken on 2026-01-10" in text
    with pytest.raises(Problem, match="step-4/alpine is compared with nothing in cold") as problem:
        call(page, "compared", "step-4/alpine", "cold")
    assert problem.value.next == "make time-step-4 VARIANT=alpine"


def test_times_of_two_sittings_are_not_compared(page):
    """The same machine is faster at one hour than at another."""
    one = page.records.get("")
    later = one.time.model_copy(update={"measured_at": one.time.measured_at + timedelta(hours=1)})
    other = one.model_copy(update={"variant": "alpine", "time": later})
    names = ("step-4/slim", "answer"), ("step-4/alpine", "answer")
    assert "[1.0&nbsp;times]" in call(page, "ratio", *names)
    page.records.get = lambda name, _: other if "alpine" in name else one
    with pytest.raises(Problem, match="slim and step-4-slim-vs-alpine/alpine were not timed in one sitting") as problem:
        call(page, "ratio", *names)
    assert problem.value.next == "make time-step-4"
    page.timed.clear()
    with pytest.raises(Problem, match="not timed in one sitting"):
        call(page, "timings", "step-4", "answer: to the answer", only=("slim", "alpine"))
    page.timed.clear()
    call(page, "seconds", "step-4/slim", "answer")
    with pytest.raises(Problem, match="not timed in one sitting"):  # in a sentence, not in a table
        call(page, "seconds", "step-4/alpine", "answer")


@pytest.mark.parametrize("step", all_steps(), ids=lambda step: step.name)
def test_a_dockerfile_to_copy_has_each_instruction_and_no_comment(page, step, tmp_path):
    written = step.recommended.dockerfile
    head, *block, end = call(page, "dockerfile", shown(written)).splitlines()
    assert (head, end) == (f'``` dockerfile title="{shown(written)}"', "```")
    assert not [line for line in block if line.startswith("#")]
    assert [after for line, after in pairwise(block) if not line] == [line for line in block[1:] if "FROM " in line[:5]]
    (tmp_path / "Dockerfile").write_text("\n".join(block))
    assert read(tmp_path / "Dockerfile").instructions == read(written).instructions


def test_a_terminal_without_rows_has_no_size_and_fits_what_is_printed():
    page = Page(Records(), PurePosixPath("steps/x.md"))
    whole, short = call(page, "terminal", "step-1"), call(page, "terminal", "step-1", rows=False)
    assert " MB " in whole
    assert " MB " not in short
    assert matches(short, whole)
    assert not matches(short, whole.replace("aarch64", "x86_64"))
    assert max(len(line) for line in short.splitlines() if " answers: " not in line) <= 88
