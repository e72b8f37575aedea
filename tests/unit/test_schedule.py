"""This machine's own platform first, the others beside and after; and what ends one ends all."""

import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import psutil
import pytest

from lab import tree
from measure.base import progress
from measure.base.errors import Problem
from measure.build import images as build
from measure.run import schedule
from measure.run.schedule import Sitting
from measure.steps.compose import find_step
from tests.conftest import eventually

STEP = find_step("step-1")
NATIVE, OTHER = "linux/amd64", "linux/arm64"
PAIRS = [(variant, platform) for variant in STEP.variants for platform in (NATIVE, OTHER)]
NAMES = [variant.name for variant in STEP.variants]


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    monkeypatch.setattr(schedule, "native_platform", lambda: NATIVE)
    monkeypatch.setattr(schedule, "EARLY", 0.0)
    yield
    progress.ending.clear()


@pytest.fixture
def events():
    """What happened, in order."""
    return []


def sitting(events, pairs=PAIRS, *, provide=lambda platform: None, build=None, start=None, early=None, done=None):
    """A sitting whose work is noted, and is done by what a test says."""

    def note(*event):
        events.append(event)

    def provided(some):
        for platform in dict.fromkeys(platform for _, platform in some):
            note("bases wanted", platform)
            provide(platform)
            note("bases", platform)

    def built(variant, platform):
        note("build", variant.name, platform)
        if build:
            build(variant, platform)
        outcome = SimpleNamespace(variant=variant, platform=platform, record=SimpleNamespace(outcome="built"))
        note("built", variant.name, platform)
        return outcome

    def started(outcome):
        platform = outcome.platform
        note("start", platform)
        return start(platform) if start else f"answer of {platform}"

    def shown(sitting):
        note("early", [(one.variant.name, one.platform) for one in sitting.outcomes])
        if early:
            early(sitting)

    work = SimpleNamespace(provide=provided, build=built, start=started, done=done or (lambda outcome: None),
                           early=shown, stop=lambda: note("stop"))  # fmt: skip
    return Sitting(work, list(pairs))


def test_what_is_native_is_built_shown_and_answered_while_the_other_bases_are_made(events):
    shown = threading.Event()

    def provide(platform):
        if platform == OTHER:
            assert shown.wait(300), "nothing native was shown while the others' base images were being made"

    one = sitting(events, provide=provide, early=lambda sitting: shown.set())
    one.run()
    early = next(place for place, event in enumerate(events) if event[0] == "early")
    assert events[early] == ("early", [(name, NATIVE) for name in NAMES])
    assert (
        events.index(("bases", NATIVE)) < events.index(("bases wanted", OTHER)) < early < events.index(("bases", OTHER))
    )
    assert events.index(("start", NATIVE)) < early
    for name in NAMES:
        assert events.index(("built", name, NATIVE)) < early < events.index(("build", name, OTHER))
    assert [(o.variant.name, o.platform) for o in one.outcomes] == [(v.name, platform) for v, platform in PAIRS]
    assert {platform: answer.result() for platform, answer in one.answers.items()} == {
        NATIVE: f"answer of {NATIVE}", OTHER: f"answer of {OTHER}",
    }  # fmt: skip
    assert "stop" not in [event[0] for event in events]


def test_no_other_build_begins_while_each_core_has_a_native_one(events, monkeypatch):
    monkeypatch.setattr(schedule.os, "cpu_count", lambda: 2)
    release = threading.Event()
    slow = set(NAMES[:2])
    one = sitting(events, build=lambda v, platform: v.name in slow and platform == NATIVE and release.wait(300))
    thread = threading.Thread(target=one.run)
    thread.start()
    eventually(lambda: sum(event[0] == "built" for event in [*events]) == len(NAMES) - 2 and ("bases", OTHER) in events)
    time.sleep(1.5)
    assert not [event for event in events if event[0] == "build" and event[2] == OTHER]
    release.set()
    thread.join(300)
    assert len(one.outcomes) == len(PAIRS)


@pytest.mark.parametrize("platform", [NATIVE, OTHER])
def test_one_platform_alone(events, platform):
    one = sitting(events, [pair for pair in PAIRS if pair[1] == platform])
    one.run()
    assert len(one.outcomes) == len(NAMES)
    assert [event for event in events if event[0] == "bases"] == [("bases", platform)]
    assert "early" not in [event[0] for event in events]


def test_other_bases_that_cannot_be_had_are_told_after_all_that_is_native(events):
    def provide(platform):
        if platform == OTHER:
            raise Problem("No base.")

    one = sitting(events, provide=provide, build=lambda *_: time.sleep(0.1))
    with pytest.raises(Problem, match="No base"):
        one.run()
    assert [(o.variant.name, o.platform) for o in one.outcomes] == [(name, NATIVE) for name in NAMES]
    assert one.answers[NATIVE].result() == f"answer of {NATIVE}"
    assert "early" in [event[0] for event in events]
    assert not [event for event in events if event[0] == "build" and event[2] == OTHER]


def test_an_image_that_does_not_answer_is_told_when_it_is_asked_for(events):
    def start(platform):
        raise Problem(f"No answer on {platform}.")

    one = sitting(events, start=start)
    one.run()
    assert len(one.outcomes) == len(PAIRS)
    with pytest.raises(Problem, match="No answer"):
        one.answers[NATIVE].result()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), ValueError("a fault of ours")])
def test_what_ends_the_run_ends_the_base_images_made_at_the_side(events, tmp_path, monkeypatch, interruption):
    """Ctrl-C reaches the main thread alone; the command that the other one waits for ends, and it clears up."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cleared, pid = [], tmp_path / "pid"

    def provide(platform):
        if platform == OTHER:
            script = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(3000)"
            try:
                tree.run_logged([sys.executable, "-c", script], tmp_path / "log", what="Building")
            finally:
                cleared.append(platform)

    def done(outcome):
        eventually(pid.read_text)
        raise interruption

    begun = time.monotonic()
    with pytest.raises(type(interruption)):
        sitting(events, provide=provide, done=done).run()
    assert time.monotonic() - begun < 600
    assert cleared == [OTHER]
    assert not psutil.pid_exists(int(pid.read_text()))
    assert progress.board.tasks == []
    assert "stop" in [event[0] for event in events]


def test_what_a_lab_runs_in_a_session_of_its_own_is_not_stopped_with_the_builds(monkeypatch):
    monkeypatch.setattr(build, "end_orphaned_builds", lambda: None)
    sleep = [sys.executable, "-c", "import time; time.sleep(300)"]
    service, client = subprocess.Popen(sleep, start_new_session=True), subprocess.Popen(sleep)
    try:
        build.stop_clients()
        assert not psutil.pid_exists(client.pid)
        assert service.poll() is None
    finally:
        for process in (service, client):
            process.kill()
            process.wait(60)
