"""What came of a build is recorded; remembered, or kept where it takes minutes, it is not built again; and printed."""

import _thread
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from measure.build import images as builder
from measure.build.images import BuildError
from measure.build.layout import layout
from measure.record import records
from measure.record.check import recipes
from measure.run import probe, remembered, schedule
from measure.run import step as run
from measure.run.remembered import Memory
from measure.steps.compose import find_step
from measure.steps.inputs import inputs_of
from tests.handmade import record

STEP = find_step("extra-compiling-deps")
BROKEN = STEP.variant("broken")
PLATFORM = "linux/amd64"


@pytest.fixture
def engine(cache, tmp_path, monkeypatch):
    """An engine whose base image has the digest that a test gives it; records and cache are its own."""
    monkeypatch.setattr(records, "RESULTS", tmp_path / "results")
    found = SimpleNamespace(
        environment="lab-amd64", kind="lab", builder="default", version="1", buildx="1", driver="docker", chosen=False,
        recipe=recipes("lab-amd64"), base="sha256:1", platform=PLATFORM, diagnose=lambda: None, platforms=[PLATFORM],
    )  # fmt: skip
    found.digest = lambda name, platform: found.base
    monkeypatch.setattr(remembered, "image_ids", lambda engine, names: {})
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
    return run.measure(Memory(engine, STEP), variant, platform, lambda line: None)


def test_a_mishap_is_built_again_and_what_ended_the_run_is_not_kept(engine, builds):
    """What fails by another error than the one that it teaches, and what was meant to be built."""
    probe.ending.set()
    measure(engine)
    probe.ending.clear()
    builds.says = "no space left on device"
    measure(engine), measure(engine)
    measure(engine, STEP.recommended), measure(engine, STEP.recommended)
    assert len(builds.calls) == 5
    assert [*(layout() / "remembered").glob("*.json")] == []


def test_what_teaches_another_lesson_now_is_built_again(engine, builds):
    """The words that it should fail with are no part of the build, and are asked for all the same."""
    measure(engine)
    other = replace(BROKEN, teaching=BROKEN.teaching.model_copy(update={"fails_with": "another error"}))
    builds.says = "E: another error"
    outcome = measure(engine, other)
    assert outcome.expected and not outcome.entry


#: A variant that is not to be emulated, where that can be avoided.
ALPINE, EMULATED = STEP.variant("alpine"), "linux/arm64"


@pytest.fixture
def recorded(engine, builds, monkeypatch):
    """Writes a record of alpine as it is, with what a test changes in it."""
    builds.says = "a mishap"

    def write(variant=ALPINE, platform: str = EMULATED, **changes) -> records.Record:
        inputs = inputs_of(STEP, variant, engine.recipe)
        one = record(step=STEP.name, variant=variant.name, platform=platform, inputs=inputs)
        one = one.model_copy(update={"inputs_sha256": inputs.sha256, **changes})
        one.path.parent.mkdir(parents=True, exist_ok=True)
        one.path.write_text(records.as_json(one))
        return one

    return write


def test_what_takes_minutes_under_emulation_is_not_built_again_while_its_record_holds(engine, builds, recorded):
    one = recorded()
    text = one.path.read_text()
    outcome = measure(engine, ALPINE, EMULATED)
    assert (outcome.kept, outcome.expected, outcome.record) == (True, True, one)
    assert builds.calls == []
    assert one.path.read_text() == text


def test_on_its_own_processor_it_is_built_and_so_is_what_emulates_quickly(engine, builds, recorded):
    recorded(platform=PLATFORM)
    assert not measure(engine, ALPINE, PLATFORM).kept
    recorded(variant=STEP.variant("binary"))
    assert not measure(engine, STEP.variant("binary"), EMULATED).kept
    assert len(builds.calls) == 2
    slow = replace(ALPINE, teaching=ALPINE.teaching.model_copy(update={"quick": False, "emulate": True}))
    assert measure(engine, slow, PLATFORM).kept  # what takes minutes everywhere


@pytest.mark.parametrize("what", ["files", "record", "form", "outcome", "base", "unknown base"])
def test_it_is_built_again_when_its_record_does_not_hold(engine, builds, recorded, monkeypatch, what):
    pulled = records.BaseImage(name="python:3.14-alpine", origin="docker.io", digest="sha256:1")
    one = recorded()
    match what:
        case "files":
            recorded(inputs_sha256="0" * 64)
        case "record":
            one.path.unlink()
        case "form":
            one.path.write_text("{}")
        case "outcome":
            failure = records.Failure(exit_code=1, line="a mishap")
            recorded(outcome="failed", failure=failure, size=None, contents=None)
        case "base" | "unknown base":
            engine.recipe = lambda name: None
            one = recorded(provenance=one.provenance.model_copy(update={"bases": [pulled]}))
            assert measure(engine, ALPINE, EMULATED).kept
            engine.base = "sha256:2" if what == "base" else None
    assert not measure(engine, ALPINE, EMULATED).kept
    assert builds.calls == [("alpine", EMULATED)]


@pytest.fixture
def whole(engine, monkeypatch):
    """A step as a whole: nothing is built, everything is there; its engine notes which bases it provides."""
    engine.platforms, engine.provided = ["linux/amd64", "linux/arm64"], []
    engine.provide = lambda names, platforms: engine.provided.append((names, sorted(platforms)))
    monkeypatch.setattr(schedule, "EARLY", 0.0)
    monkeypatch.setattr(run, "check_disk", lambda *_: None)
    monkeypatch.setattr(probe, "remove_own", lambda *_: None)
    monkeypatch.setattr(remembered, "image_ids", lambda engine, names: {})
    monkeypatch.setattr(builder, "stop_clients", lambda: None)
    monkeypatch.setattr(
        run, "weighed", lambda engine, step, variant, platform, progress: record(
            step=step.name, variant=variant.name, platform=platform, inputs=inputs_of(step, variant, engine.recipe)
        )
    )  # fmt: skip
    monkeypatch.setattr(run.Run, "start", lambda self, outcome: probe.Answer({"on": outcome.platform}, {}))
    yield engine
    probe.ending.clear()


def test_the_native_rows_and_their_answer_are_printed_first_and_all_of_them_in_the_end(whole, capsys):
    printed = threading.Event()

    def provide(names, platforms):
        whole.provided.append((names, sorted(platforms)))
        assert "linux/amd64" in platforms or printed.wait(300)

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
    assert removed == [whole] * len(removed) != []


def test_ctrl_c_removes_a_container_whose_answer_is_waited_for(whole, monkeypatch):
    removed = threading.Event()
    monkeypatch.setattr(probe, "remove_own", lambda engine: removed.set() if engine is whole else None)

    def start(self, outcome):
        _thread.interrupt_main()  # Ctrl-C
        assert removed.wait(60), "it would answer only then"
        return probe.Answer({}, {})

    monkeypatch.setattr(run.Run, "start", start)
    with pytest.raises(KeyboardInterrupt):
        run.measure_step(whole, find_step("step-1"))
    assert removed.is_set()
