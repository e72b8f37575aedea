"""What came of a build is recorded, remembered where it failed as it was meant to, and printed with its step."""

import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from measure import build as builder
from measure import probe, records, remembered, run, schedule
from measure.build import BuildError
from measure.check import recipes
from measure.layout import layout
from measure.remembered import Memory
from measure.steps import find_step
from tests.handmade import record

STEP = find_step("extra-compiling-deps")
BROKEN = STEP.variant("broken")
PLATFORM = "linux/amd64"


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """An engine whose base image has the digest that a test gives it; records and cache are its own."""
    monkeypatch.setattr(records, "RESULTS", tmp_path / "results")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = SimpleNamespace(
        environment="lab-amd64", kind="lab", builder="default", version="1", buildx="1", driver="docker", chosen=False,
        recipe=recipes("lab-amd64"), base="sha256:1", diagnose=lambda: None,
    )  # fmt: skip
    found.digest = lambda name: found.base
    return found


@pytest.fixture
def builds(monkeypatch):
    """What was built. Each build prints `says`, and fails."""
    calls = []

    def build(engine, step, variant, platform, progress, **settings):
        calls.append((variant.name, platform))
        raise BuildError(1, [builds.says])

    builds = SimpleNamespace(calls=calls, says=f"E: {BROKEN.teaching.fails_with}")
    monkeypatch.setattr(builder, "build", build)
    return builds


def measure(engine, variant=BROKEN, platform: str = PLATFORM) -> run.Outcome:
    """As a run of its own does it."""
    return run._measure(Memory(engine, STEP, {}), variant, platform, lambda line: None)


def memories() -> list[Path]:
    return [*(layout() / "remembered").glob("*.json")]


def test_what_failed_as_it_was_meant_to_is_not_built_again(engine, builds):
    first, again = measure(engine), measure(engine)
    assert builds.calls == [("broken", PLATFORM)]
    assert first.entry is None and again.entry
    assert again.expected and again.record == first.record
    assert records.load(again.record.path) == first.record


def test_it_is_recorded_where_its_record_is_gone(engine, builds):
    measure(engine).record.path.unlink()
    assert records.load(measure(engine).record.path)
    assert len(builds.calls) == 1


def test_a_mishap_is_built_again(engine, builds):
    """What fails by another error than the one that it teaches, and what was meant to be built."""
    builds.says = "no space left on device"
    measure(engine), measure(engine)
    measure(engine, STEP.recommended), measure(engine, STEP.recommended)
    assert len(builds.calls) == 4
    assert memories() == []


def test_what_ended_the_run_is_not_kept(engine, builds):
    probe.ending.set()
    try:
        measure(engine)
    finally:
        probe.ending.clear()
    assert not measure(engine).entry


def test_what_teaches_another_lesson_now_is_built_again(engine, builds):
    """The words that it should fail with are no part of the build, and are asked for all the same."""
    measure(engine)
    other = replace(BROKEN, teaching=BROKEN.teaching.model_copy(update={"fails_with": "another error"}))
    builds.says = "E: another error"
    outcome = measure(engine, other)
    assert outcome.expected and not outcome.entry


def test_bases_are_recorded_under_the_digest_that_their_names_have_in_the_end(engine, builds):
    """A platform that is added to a base image beside the native builds gives it another digest."""
    outcome = measure(engine)
    engine.base = "sha256:2"
    run._name_bases(engine, outcome)
    assert {base.digest for base in outcome.record.provenance.bases} == {"sha256:2"}
    assert records.load(outcome.record.path) == outcome.record
    engine.base = None  # nobody can tell
    run._name_bases(engine, outcome)
    assert {base.digest for base in outcome.record.provenance.bases} == {"sha256:2"}


@pytest.fixture
def whole(engine, monkeypatch):
    """A step as a whole: nothing is built, everything is there; its engine notes which bases it provides."""
    engine.platforms, engine.provided = ["linux/amd64", "linux/arm64"], []
    engine.provide = lambda names, platforms: engine.provided.append((names, sorted(platforms)))
    monkeypatch.setattr(run, "native_platform", lambda: "linux/amd64")
    monkeypatch.setattr(schedule, "native_platform", lambda: "linux/amd64")
    monkeypatch.setattr(schedule, "EARLY", 0.0)
    monkeypatch.setattr(run, "check_disk", lambda *_: None)
    monkeypatch.setattr(probe, "remove_own", lambda *_: None)
    monkeypatch.setattr(remembered, "image_ids", lambda engine, names: {})
    monkeypatch.setattr(builder, "stop_clients", lambda: None)
    monkeypatch.setattr(
        run, "weighed", lambda engine, step, variant, platform, progress: record(
            step=step.name, variant=variant.name, platform=platform, inputs=run.inputs_of(step, variant, engine.recipe)
        )
    )  # fmt: skip
    monkeypatch.setattr(run, "_start", lambda memory, outcome, *, again: probe.Answer({"on": outcome.platform}, {}))
    yield engine
    probe.ending.clear()


def test_the_native_rows_and_their_answer_are_printed_first_and_all_of_them_in_the_end(whole, capsys):
    printed = threading.Event()

    def provide(names, platforms):
        whole.provided.append((names, sorted(platforms)))
        assert "linux/amd64" in platforms or printed.wait(30)

    whole.provide = provide
    run.measure_step(whole, find_step("step-1"), native_rows=printed.set)
    names = ["python:3.14", "python:3.14-slim"]
    assert whole.provided == [(names, ["linux/amd64"]), (names, ["linux/arm64"])]
    first, _, last = capsys.readouterr().out.partition("The same table with the other platforms follows.")
    assert "The image for linux/amd64 answers: {'on': 'linux/amd64'}" in first
    assert "│ amd64" in first and "arm64 " not in first.partition("┏")[2]
    assert "│ amd64" in last and "│ arm64" in last
    assert last.index("linux/amd64 answers") < last.index("linux/arm64 answers") < last.index("Records: ")


def test_what_ends_a_run_removes_its_containers_and_is_raised(whole, monkeypatch):
    removed = []
    monkeypatch.setattr(probe, "remove_own", removed.append)

    def interrupt(outcome):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.measure_step(whole, find_step("step-1"), interrupt)
    assert removed == [whole]
