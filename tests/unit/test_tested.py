"""What `make test` selects, what is read from pytest's output, and the record of `make test-all`."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePosixPath

import pytest
from jsonschema import Draft202012Validator

import measure.pages  # noqa: F401
from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.base.platforms import PLATFORMS
from measure.record import records, tested
from measure.steps.compose import all_steps, find_step
from measure.tell.page import Page
from measure.tell.reading import Records
from tests import __main__ as runner
from tests.conftest import NATIVE, OTHER, eventually, python_m
from tests.docs.test_browser import CASES, FOUR

ARCH = NATIVE.split("/")[1]
PRINTED = """tests/images/test_a.py::test_one PASSED [ 50%]
SKIPPED [2] tests/images/test_a.py:12: about the lab; run it with ENGINE=lab
SKIPPED [1] tests/images/test_b.py:7: about the lab; run it with ENGINE=lab
============== slowest durations ==============
61.25s call     tests/images/test_a.py::test_one
9.02s setup    tests/images/test_a.py::test_one
FAILED tests/images/test_a.py::test_two[x] - assert 1 == 2
==== 1 failed, 40 passed, 3 skipped, 7 deselected, 1 error in 12.34s ====
"""


def a_phase(printed: str = PRINTED, *codes: int) -> runner.Phase:
    phase = runner.Phase("images", "test")
    phase.printed, phase.codes, phase.seconds = printed, list(codes or (1,)), 12.34
    return phase


def test_what_pytest_counted_and_why_it_skipped_is_read_from_what_it_printed():
    found = a_phase().result()
    assert (found.passed, found.failed, found.ok, found.seconds) == (40, 2, False, 12.3)
    assert found.slow == {"tests/images/test_a.py::test_one": 61.25}
    assert found.skipped == [tested.Skipped(reason="about the lab; run it with ENGINE=lab", tests=3)]
    broken = a_phase("INTERNALERROR> killed\n", 3).result()  # it has failed though nothing was counted
    assert (broken.ok, broken.passed, broken.failed) == (False, 0, 0)
    shown = "\n".join(runner.summary("test", [a_phase()], 99))
    assert "FAILED tests/images/test_a.py::test_two[x]" in shown
    assert "skipped in images, 3: about the lab; run it with ENGINE=lab" in shown
    assert re.search(r"images +12 s  FAILED  40 passed, 2 failed, 3 skipped, 7 left to make test-all", shown)


def test_a_phase_tells_what_it_does_and_that_it_goes_on(monkeypatch):
    monkeypatch.setattr(runner, "SILENCE", 0.2)
    script = "import time; print('begun', flush=True); time.sleep(1); print('\u00e9nd'); raise SystemExit(4)"
    monkeypatch.setattr(runner, "commands", lambda *_: [[runner.sys.executable, "-c", script]])
    phase = runner.Phase("images", "test")
    told = list(phase.shown())
    assert told[0] == "== images\n"
    assert any("images goes on: " in text for text in told)
    assert phase.printed == "begun\n\u00e9nd\n"
    assert phase.codes == [4]


def test_make_test_leaves_out_what_has_a_marker_and_make_test_all_nothing():
    (option, words) = runner.selection("test")
    assert option == "-m"
    assert set(re.findall(r"\w+", words)) - {"not", "or"} == set(runner.markers())
    assert runner.selection("test-fast") == runner.selection("test")
    assert runner.selection("test-all") == []


def test_each_marker_is_one_of_some_tests():
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    for name in runner.markers():
        assert re.search(rf"mark\.{name}\b|\"{name}\": ", sources), name


@pytest.fixture(scope="module")
def selected() -> str:
    """The names of the tests with images that `make test` has, a line each."""
    result = python_m("pytest", "--collect-only", "--quiet", *runner.selection("test"), "tests/images")
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_make_test_has_each_recommended_image_natively_and_one_that_fails(selected):
    for step in all_steps():
        for what in ("test_it_tells_the_truth_about_itself", "logs_to_stdout_and_stops_when_told"):
            assert f"{what}[{step.name}-recommended-{ARCH}]" in selected
    assert selected.count("test_what_is_meant_to_fail") == 1
    assert "prints_the_table_and_both_platforms_answers" in selected
    assert selected.count(f"[python:3.14-slim-{ARCH}]") == 7


def test_make_test_has_nothing_emulated_but_step_1_no_alpine_and_no_variant_and_opens_four_pages(selected):
    assert len([case for case in CASES if not case.marks]) == len(FOUR) == 4
    of_records = re.compile(r"have_the_same_packages|no_compiler_ships")  # these start nothing
    started = [line for line in selected.replace("slim-vs-alpine", "").splitlines() if not of_records.search(line)]
    assert [
        line for line in started if re.search(f"{OTHER.split('/')[1]}|alpine|naive|distroless|solution", line)
    ] == []


@pytest.fixture
def save(cache, tmp_path, monkeypatch):
    """Saves a run of a day, in results of its own."""
    monkeypatch.setattr(records, "RESULTS", tmp_path / "results")

    def saved(day: int, *, passed: bool = True, dirty: bool = False) -> tested.TestRun:
        begun = datetime(2026, 1, day, tzinfo=UTC)
        phases = [a_phase(PRINTED, 0 if passed else 1).result()]
        run = tested.TestRun(environment="lab-amd64", begun_at=begun, commit="0123456789abcdef", dirty=dirty,
                             passed=passed, seconds=99, phases=phases)  # fmt: skip
        return tested.save(run)

    return saved


def test_a_run_that_failed_keeps_when_the_last_one_passed(save):
    assert "has not passed yet" in save(1, passed=False).told
    assert save(2).told.endswith("last passed on 2026-01-02 (UTC), at commit `0123456789ab`.")
    failed = save(3, passed=False)
    assert failed == tested.load("lab-amd64")
    assert not failed.passed
    assert failed.told.endswith("last passed on 2026-01-02 (UTC), at commit `0123456789ab`. It has failed since.")
    assert "`0123456789ab`, with changes." in save(4, dirty=True).told
    schema = json.loads((ROOT / "results/tests.schema.json").read_text())
    Draft202012Validator(schema).validate(json.loads(tested.path("lab-amd64").read_text()))


def test_what_is_no_record_is_told_and_replaced_by_the_next_run(save):
    save(1)
    tested.path("lab-amd64").write_text("{}")
    with pytest.raises(Problem, match=r"tests\.json is not valid"):
        tested.load("lab-amd64")
    assert save(2).passed


def test_the_page_says_when_it_last_passed_or_that_it_never_did(save):
    page = Page(Records(), PurePosixPath("results/methodology.md"), {})
    assert page.functions()["tests"]() == "No run of `make test-all` is recorded in `lab-amd64` yet."
    save(5)
    shown = page.functions()["tests"]()
    assert "last passed on 2026-01-05" in shown
    assert "| images | 12 s | 40 | 2 | 3 |" in shown
    assert "- 3 skipped in images: about the lab; run it with ENGINE=lab" in shown
    assert "](records/lab-amd64/tests.json)" in shown


def test_what_comes_late_is_waited_for_and_what_never_comes_fails():
    answers = iter([0, "", "there"])
    assert eventually(lambda: next(answers)) == "there"
    with pytest.raises(pytest.fail.Exception, match=r"did not come within 0\.3 s; seen last: 0\nthe log"):
        eventually(lambda: 0, 0.3, lambda: "the log")
    with pytest.raises(pytest.fail.Exception, match="FileNotFoundError"):
        eventually((ROOT / "no such file").read_text, 0.3)
    with pytest.raises(ZeroDivisionError):
        eventually(lambda: 1 / 0)


def test_one_platform_alone_is_the_machines_own_whichever_that_is():
    """Emulated, NumPy's build takes hours; on an arm64 machine it is native for linux/arm64."""
    for native in PLATFORMS:
        step = replace(find_step("step-4"), native=native)
        assert step.variant("slim-source").platforms(PLATFORMS) == [native]
        assert step.recommended.platforms(PLATFORMS) == list(PLATFORMS)
