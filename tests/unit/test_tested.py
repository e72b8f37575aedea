"""What `make test` selects, what is read from pytest's output, and the record of `make test-all`."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
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
from tests.goes import Goes

ARCH = NATIVE.split("/")[1]
#: Each test notes that it ran. While there is a file `stop`, one is interrupted.
TESTED = """
import pathlib, pytest
here = pathlib.Path(__file__).parent

@pytest.fixture(autouse=True)
def noted(request):
    with (here / "ran").open("a") as file:
        print(request.node.name, file=file)

def test_one():
    pass

@pytest.mark.parametrize("what", ["a", "ab"])
def test_one_more(what):
    assert what == "ab"

@pytest.fixture
def broken():
    raise OSError("no disk")

def test_whose_fixture_is_broken(broken):
    pass

def test_that_skips():
    pytest.skip("about the lab; run it with ENGINE=lab")

def test_that_is_stopped():
    if (here / "stop").exists():
        raise KeyboardInterrupt

def test_last():
    pass
"""


@pytest.fixture
def go(tmp_path, monkeypatch):
    """Runs a phase of a few tests, in a go of its own; returns the phase."""
    (tmp_path / "test_a.py").write_text(TESTED)
    monkeypatch.setitem(runner.PHASES, "images", ["-p", "tests.conftest", f"--rootdir={tmp_path}", str(tmp_path)])
    monkeypatch.setattr(runner, "selection", lambda run: ["--deselect=test_a.py::test_last"] if run == "test" else [])

    def gone(run: str = "test-all") -> runner.Phase:
        phase = gone.phase = runner.Phase("images", run, Goes(tmp_path / "goes"))
        list(phase.shown())
        return phase

    return gone


def test_what_pytest_reported_and_why_it_skipped_is_in_the_result(go, tmp_path):
    phase = go("test")
    found = phase.result()
    assert (found.passed, found.failed, found.ok) == (3, 2, False)
    assert found.slow == {} and 0 < found.seconds < 60
    assert found.skipped == [tested.Skipped(reason="about the lab; run it with ENGINE=lab", tests=1)]
    shown = "\n".join(runner.summary("test", [phase], 99))
    assert "FAILED test_a.py::test_one_more[a] - AssertionError: assert 'a' == 'ab'" in shown
    assert "skipped in images, 1: about the lab; run it with ENGINE=lab" in shown
    assert "FAILED test_a.py::test_whose_fixture_is_broken - OSError: no disk" in shown
    assert re.search(r"images +\d+ s  FAILED  3 passed, 2 failed, 1 skipped, 1 left to make test-all\n", shown)
    (tmp_path / "test_a.py").write_text("import nothing_of_that_name")
    assert go("test").wrong.keys() > {"test_a.py"}, "a file that cannot be read has failed too"


def test_a_phase_that_broke_off_has_failed_though_nothing_was_reported(tmp_path):
    phase = runner.Phase("images", "test", Goes(tmp_path))
    phase.codes = [pytest.ExitCode.INTERNAL_ERROR]
    assert (phase.result().ok, phase.result().passed, phase.result().failed) == (False, 0, 0)
    phase.codes = [pytest.ExitCode.NO_TESTS_COLLECTED]
    assert not phase.result().ok


def test_a_run_that_was_stopped_goes_on_where_it_was(go, tmp_path):
    (tmp_path / "stop").touch()
    with pytest.raises(KeyboardInterrupt):
        go()
    assert go.phase.codes == [pytest.ExitCode.INTERRUPTED]
    assert not go.phase.result().ok
    (tmp_path / "stop").unlink()
    found = go().result()
    assert (found.passed, found.failed, found.ok, len(found.skipped)) == (4, 2, False, 1), "what failed has failed"
    names = ["test_one", "test_one_more[a]", "test_one_more[ab]", "test_whose_fixture_is_broken", "test_that_skips",
             "test_that_is_stopped"]  # fmt: skip
    assert (tmp_path / "ran").read_text().split() == [*names, "test_that_is_stopped", "test_last"]
    again = go()
    assert again.codes == [pytest.ExitCode.NO_TESTS_COLLECTED]
    assert again.result().model_dump(exclude={"seconds"}) == found.model_dump(exclude={"seconds"})


@pytest.mark.parametrize("phases", [("images",), ("images", "making")], ids=["one phase", "two at once"])
def test_a_run_in_the_background_of_a_shell_is_stopped_and_kept(tmp_path, phases):
    """There SIGINT is ignored by what is started; a run that went on with its next phase forgot what it had done."""
    (tmp_path / "test_a.py").write_text("import time\ndef test_one(): pass\ndef test_two(): time.sleep(60)\n")
    code = f"""
import sys
from tests import __main__ as runner
runner.lint = lambda: []
runner.git = lambda *words: "" if "status" in words else "0123"
for phase in {phases}:
    runner.PHASES[phase] = ["-p", "tests.conftest", "--rootdir={tmp_path}", "{tmp_path}"]
runner.RUNS["test-all"] = ("lint", {phases})
runner.environment_of = lambda kind: "lab"
sys.argv = ["tests", "test-all"]
sys.exit(runner.main())
"""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "ENGINE": "lab"}
    started = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )  # fmt: skip

    def begun() -> bool:
        logs = [path.read_text() for path in (tmp_path / "cache").rglob("*@*.jsonl")]
        return len(logs) == len(phases) and all('"test_a.py::test_one"' in log for log in logs)

    try:
        eventually(begun)
        os.killpg(started.pid, signal.SIGINT)
        out, _ = started.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
    assert "Stopped. make test-all goes on where it was" in out
    assert begun(), "what was done is kept"


def test_only_a_commit_is_gone_on_with_and_no_run_that_is_over(cache, capsys):
    def goes(*, dirty: bool, stopped: bool) -> Goes:
        with contextlib.suppress(KeyboardInterrupt), runner.goes_of("test-all", "0123", "lab", dirty=dirty) as found:
            (found.now / "images@1.jsonl").write_text('{"$report_type": "TestReport", "nodeid": "a", "when": "half')
            if stopped:
                raise KeyboardInterrupt
        return found

    assert not goes(dirty=True, stopped=True).folder.exists(), "changes that are not committed have no name"
    assert capsys.readouterr().out == ""
    first = goes(dirty=False, stopped=True)
    assert capsys.readouterr().out == "\nStopped. make test-all goes on where it was, while the commit is the same.\n"
    second = goes(dirty=False, stopped=False)
    assert (second.earlier, second.first) == ([first.now], pytest.approx(first.begun, abs=0.001))
    assert "This run was stopped before: 0 tests of 0123 are not run again." in capsys.readouterr().out
    assert goes(dirty=False, stopped=True).earlier == [], "the run before ended"


def test_a_phase_tells_what_it_does_and_that_it_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "SILENCE", 0.2)
    script = "import time; print('begun', flush=True); time.sleep(1); print('\u00e9nd'); raise SystemExit(4)"
    monkeypatch.setattr(runner, "commands", lambda *_: [[runner.sys.executable, "-c", script]])
    phase = runner.Phase("images", "test", Goes(tmp_path))
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
        skipped = [tested.Skipped(reason="about the lab; run it with ENGINE=lab", tests=3)]
        phases = [tested.Phase(name="images", seconds=12, ok=passed, passed=40, failed=2, skipped=skipped)]
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
