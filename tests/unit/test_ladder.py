"""`make all` and `make record`: what goes on after a failure and after an interruption, and what the summary says."""

import re
import shutil
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from measure.base.errors import Problem
from measure.base.platforms import PLATFORMS
from measure.build.images import BuildError
from measure.record import records
from measure.record.check import recipes
from measure.record.records import MEMORY, TIMES, Failure, Samples, Times, as_json, load, record_path
from measure.run import ladder, probe
from measure.run.step import Outcome
from measure.steps.compose import Step, find_step
from measure.steps.inputs import inputs_of
from tests.handmade import record

NAMES = ["step-1-kiss", "step-2-poetry", "step-4-slim-vs-alpine"]
VARIANTS = {name: len(find_step(name).variants) for name in NAMES}


@pytest.fixture(autouse=True)
def place(cache, tmp_path, monkeypatch):
    """Records and cache in a place of their own; the machine is one for linux/amd64."""
    monkeypatch.setattr(records, "RESULTS", tmp_path / "results")


@pytest.fixture
def engine():
    return SimpleNamespace(
        environment="lab-amd64",
        kind="lab",
        builder="default",
        platforms=list(PLATFORMS),
        platform=PLATFORMS[0],
        recipe=recipes("lab-amd64"),
    )


@pytest.fixture
def done(monkeypatch):
    """What was measured and timed, in order. Its `wrong` says what happens in a step instead: an exception."""

    def measure(engine, step, done, *, start_again):
        assert not start_again
        calls.append(("images", step.name))
        for variant in step.variants:
            for platform in variant.platforms(engine.platforms):
                inputs = inputs_of(step, variant, engine.recipe)
                lesson = variant.teaching.fails_with
                broken = f"{step.name}/{variant.name}" in calls.wrong
                failed = {"outcome": "failed", "size": None, "failure": Failure(exit_code=1, line=lesson or "")}
                one = record(environment=engine.environment, step=step.name, variant=variant.name, platform=platform,
                             inputs=inputs, **(failed if lesson or broken else {}))  # fmt: skip
                records.save(one)
                done(Outcome(variant, platform, one))
        if error := calls.wrong.get(("images", step.name)):
            raise error

    def time(engine, step):
        calls.append(("times", step.name))
        if error := calls.wrong.get(("times", step.name)):
            raise error
        for variant in step.variants:
            path = record_path(engine.environment, step.name, variant.name, PLATFORMS[0])
            one = dict.fromkeys((TIMES | MEMORY).values(), Samples.of([len(calls)]))
            taken = Times(**one, load_before=0, measured_at=datetime.now(UTC) - calls.ago)
            write(load(path).model_copy(update={"time": taken}))

    class Calls(list):
        """The calls, and what is to go wrong in them."""

    calls = Calls()
    calls.wrong, calls.ago = {}, timedelta(0)
    monkeypatch.setattr(ladder, "session", lambda engine: nullcontext(calls.append(("session", ""))))
    monkeypatch.setattr(ladder, "measure_step", measure)
    monkeypatch.setattr(ladder, "time_step", time)
    return calls


def write(one):
    one.path.parent.mkdir(parents=True, exist_ok=True)
    one.path.write_text(as_json(one))


def steps(*names: str, quick: bool = False) -> list[Step]:
    return [Step(name, find_step(name).folder, quick) for name in names or NAMES]


def run(engine, command: str = "all", *names: str, quick: bool = False) -> None:
    ladder.measure_ladder(engine, steps(*names, quick=quick), command)


SESSION = ("session", "")


def images(*names: str) -> list[tuple[str, str]]:
    return [SESSION, *(("images", name) for name in names or NAMES)]


def rows(text: str) -> dict[str, list[str]]:
    """The cells of the summary's table, by the first one."""
    cells = ([cell.strip() for cell in re.split("[│┃]", line)[1:-1]] for line in text.splitlines() if "│" in line)
    return {name: rest for name, *rest in cells}


def test_all_does_every_step_and_counts_what_came_of_it(engine, done, capsys):
    run(engine)
    assert done == images()
    shown = capsys.readouterr().out
    assert "make all on linux/amd64, linux/arm64" in shown
    due = {name: sum(len(v.platforms(PLATFORMS)) for v in find_step(name).variants) for name in NAMES}
    for name in NAMES:
        assert rows(shown)[name][:5] == [str(due[name]), "", str(due[name]), "", ""]
    assert rows(shown)["all"][:5] == [str(sum(due.values())), "0", str(sum(due.values())), "0", "0"]
    assert "failed:" not in shown and "skipped:" not in shown


def test_what_is_meant_to_fail_and_what_is_kept_is_counted_as_that(engine, done, capsys, monkeypatch):
    built = ladder.measure_step

    def measure(engine, step, done, **options):
        def as_kept(outcome):
            outcome.kept = outcome.variant.name == "full"
            done(outcome)

        built(engine, step, as_kept, **options)

    monkeypatch.setattr(ladder, "measure_step", measure)
    run(engine, "all", "extra-compiling-deps")
    step = find_step("extra-compiling-deps")
    refused = sum(len(v.platforms(PLATFORMS)) for v in step.variants if v.teaching.fails_with)
    good = sum(len(v.platforms(PLATFORMS)) for v in step.variants if not v.teaching.fails_with) - 2
    shown = capsys.readouterr().out
    assert refused
    assert rows(shown)[step.name][:6] == [str(good), str(refused), str(good + refused), "", "", "2"]
    assert "kept: builds that take minutes, and whose records hold" in shown


def test_record_times_what_has_a_plan_and_says_what_has_none(engine, done, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(ladder.plan, "PLANS", tmp_path)
    (tmp_path / "step-1-kiss.toml").write_text("[time]\nstart = ['full']\n")
    run(engine, "record", "step-1-kiss", "step-3-multistage")
    assert done == [SESSION, ("images", "step-1-kiss"), ("times", "step-1-kiss"), ("images", "step-3-multistage")]
    shown = capsys.readouterr().out
    assert rows(shown)["step-1-kiss"][3] == str(VARIANTS["step-1-kiss"])
    assert "skipped: step-3-multistage: times: no plan in measure/record/timings/" in shown


def test_without_the_machines_own_platform_nothing_is_timed(engine, done, capsys):
    engine.platforms = ["linux/arm64"]
    run(engine, "record", "step-1-kiss")
    assert done == images("step-1-kiss")
    shown = capsys.readouterr().out
    assert "skipped: step-1-kiss: times: they are taken on linux/amd64 alone" in shown
    assert "skipped: linux/amd64: not asked for, or not for this builder" in shown


def test_quick_says_what_it_leaves_out(engine, done, capsys):
    run(engine, quick=True)
    slow = ", ".join(v.name for v in find_step("step-4").variants if not v.teaching.quick)
    shown = capsys.readouterr().out
    assert f"skipped: step-4-slim-vs-alpine: {slow}: many minutes to build each (QUICK=1)" in shown
    assert "is missing: not measured yet (not in this run)" in shown  # their records, here


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Problem("No base.", why="It is\naway.", next="wait"), "No base. It is away."),
        (OSError(28, "No space left on device"), "The system refused. [Errno 28] No space left on device"),
        (BuildError(1, ["#1 ERROR: no"]), "The build failed with exit code 1. ERROR: no"),
    ],
)
def test_a_step_that_fails_is_not_timed_and_does_not_stop_the_others(engine, done, capsys, error, said):
    done.wrong["images", NAMES[1]] = error
    probe.ending.set()  # as a step that fails in the middle leaves it
    with pytest.raises(Problem) as problem:
        run(engine, "record")
    assert [name for what, name in done if what == "images"] == NAMES
    assert ("times", NAMES[1]) not in done
    assert not probe.ending.is_set()
    assert problem.value.what == f"1 of 3 failed: {NAMES[1]}."
    assert problem.value.next == "mend it, then make step-2"
    shown = capsys.readouterr().out
    assert f"failed: {NAMES[1]}: {said}" in shown
    assert f"skipped: {NAMES[1]}: times: the step failed" in shown
    assert [rows(shown)[name][4] for name in NAMES] == ["", "1", ""]


def test_builds_that_fail_are_counted_one_by_one_and_the_others_are_recorded(engine, done, capsys):
    done.wrong = {"step-1-kiss/full": True, ("images", "step-1-kiss"): Problem("Not as it should be: full.")}
    with pytest.raises(Problem, match="1 of 1 failed"):
        run(engine, "all", "step-1-kiss")
    good = str(2 * VARIANTS["step-1-kiss"] - 2)
    assert rows(capsys.readouterr().out)["step-1-kiss"][:5] == [good, "", good, "", "2"]


def test_a_timing_that_fails_leaves_the_images_counted(engine, done, capsys):
    done.wrong["times", NAMES[0]] = BuildError(1, ["#1 ERROR: no"])
    with pytest.raises(Problem, match="1 of 2 failed"):
        run(engine, "record", *NAMES[:2])
    assert done[-1] == ("times", NAMES[1])
    shown = capsys.readouterr().out
    assert f"failed: {NAMES[0]}: The build failed with exit code 1." in shown
    assert "times: the step failed" not in shown
    assert rows(shown)[NAMES[0]][0] == str(2 * VARIANTS[NAMES[0]])
    assert rows(shown)[NAMES[0]][3:5] == ["", "1"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), ValueError("a fault of ours"), SystemExit(1)])
def test_what_an_interrupted_run_timed_is_not_timed_again(engine, done, capsys, interruption):
    """Its images are another matter: what is built is remembered."""
    done.wrong["times", NAMES[1]] = interruption
    with pytest.raises(type(interruption)):
        run(engine, "record", *NAMES[:2])
    done.clear()
    done.wrong.clear()
    run(engine, "record", *NAMES[:2])
    assert done == [*images(*NAMES[:2]), ("times", NAMES[1])]
    shown = capsys.readouterr().out
    assert f"skipped: {NAMES[0]}: times: taken within 24 hours; make time-step-1 takes them again" in shown
    assert [rows(shown)[name][3] for name in NAMES[:2]] == [str(VARIANTS[name]) for name in NAMES[:2]]


@pytest.mark.parametrize("what", ["inputs", "plan", "records", "day", "environment"])
def test_what_changed_meanwhile_is_timed_again(engine, done, monkeypatch, what):
    done.ago = timedelta(hours=25 if what == "day" else 0)
    run(engine, "record", NAMES[0])
    done.clear()
    path = record_path("lab-amd64", NAMES[0], "full", "linux/amd64")
    match what:
        case "inputs":
            other = engine.recipe
            engine.recipe = lambda name: "0" * 64 if name == "python:3.14-slim" else other(name)
        case "plan":  # it takes what the record has not
            times = load(path).time.model_copy(update={"rebuild_after_lock_s": None})
            path.write_text(as_json(load(path).model_copy(update={"time": times})))
        case "records":
            path.write_text(as_json(load(path).model_copy(update={"time": None})))
        case "environment":
            engine.environment = "other"
    # Records of another recipe, and those that an environment has none for, do not hold in the end.
    with pytest.raises(Problem) if what in ("inputs", "environment") else nullcontext():
        run(engine, "record", NAMES[0])
    assert ("times", NAMES[0]) in done


def test_a_record_that_does_not_hold_in_the_end_is_a_failure(engine, done, capsys):
    stray = record_path("lab-amd64", NAMES[0], "old", "linux/amd64")
    stray.parent.mkdir(parents=True)
    stray.write_text("{}")
    with pytest.raises(Problem, match=f"1 of 3 failed: {NAMES[0]}"):
        run(engine)
    assert f"failed: {NAMES[0]}: the record old.linux-amd64.json is orphaned" in capsys.readouterr().out


def test_a_compose_file_that_is_wrong_fails_its_step_alone_and_is_told(engine, done, capsys, tmp_path):
    shutil.copytree(find_step(NAMES[1]).folder, tmp_path / NAMES[1])
    (tmp_path / NAMES[1] / "compose.yaml").write_text("services: [")
    with pytest.raises(Problem, match=f"1 of 2 failed: {NAMES[1]}") as problem:
        ladder.measure_ladder(engine, [Step(NAMES[1], tmp_path / NAMES[1]), *steps(NAMES[0])], "all")
    assert done == images(NAMES[0])
    assert problem.value.next == "mend it, then make step-2"
    assert f"failed: {NAMES[1]}: {NAMES[1]}/compose.yaml is not valid YAML." in capsys.readouterr().out
