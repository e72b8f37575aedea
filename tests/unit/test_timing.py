"""A sitting: who is timed, how often, what is recorded of it, and what stops it."""

from types import SimpleNamespace

import pytest

from lab.recipe import recipe_of
from measure.base.buildlog import step_seconds
from measure.base.errors import Problem
from measure.base.names import LAB_ENVIRONMENT
from measure.record import enough, plan
from measure.record.records import load, record_path
from measure.run import sample, timing
from measure.steps.compose import Step, find_step
from measure.steps.copying import clean_copy

#: Turn by turn, the noise of a quiet machine.
QUIET = [1.0, 1.01, 0.99, 1.005, 0.995, 1.008, 0.992]


def test_the_steps_of_a_build_are_read_from_what_the_builder_prints():
    log = """#0 building with "default" instance using docker driver
#1 [internal] load build definition from plain.Dockerfile
#1 DONE 0.0s
#7 [builder 2/5] RUN apt-get update     && apt-get install -y gcc
#7 0.312 Get:1 …
#8 [stage-1 2/7] RUN python -m venv --without-pip /opt/venv
#8 CACHED
#7 DONE 12.4s
#9 [builder 5/5] RUN pip install
#9 ...
#9 [builder 5/5] RUN pip install
#9 4.250 #1 of 2
#9 DONE 8.1s
#12 exporting to image
#12 exporting layers 0.3s done
#12 DONE 0.4s"""
    assert step_seconds(log.splitlines()) == {
        "[builder 2/5] RUN apt-get update     && apt-get install -y gcc": 12.4,
        "[builder 5/5] RUN pip install": 8.1,
        "exporting to image": 0.4,
    }


def test_times_are_not_put_into_the_record_of_something_else(monkeypatch):
    """The records are of the lab's recipes; with another recipe they are of another image."""
    engine = SimpleNamespace(
        environment="lab-amd64", platform="linux/amd64", platforms=["linux/amd64"], recipe=lambda name: "0" * 64
    )
    monkeypatch.setattr(sample, "build", lambda *_: pytest.fail("nothing may be built"))
    with pytest.raises(Problem, match="no record of what is in the folder now"):
        timing.time_step(engine, find_step("step-2"))


@pytest.mark.parametrize(("loads", "found", "slept"), [([4, 1.5, 0.5], 0.5, 10), ([0.5], 0.5, 0), ([3] * 99, 3, 300)])
def test_a_sitting_waits_for_a_quiet_machine_but_not_for_ever(monkeypatch, loads, found, slept):
    clock, left = [0.0], iter(loads)
    monkeypatch.setattr(timing.os, "getloadavg", lambda: (next(left), 9, 9))
    monkeypatch.setattr(timing.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(timing.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    assert timing.quiet_load() == found
    assert clock[0] == slept


class Stand:
    """Stands in for engine and clock: says what a sample takes, and keeps what was built and recorded."""

    def __init__(self, monkeypatch) -> None:
        self.seconds = lambda variant, kind: {"full": 1.0, "recommended": 1.5}.get(variant, 2.0)
        self.built: list[str] = []
        self.started: list[str] = []
        self.saved: dict = {}
        #: Called at each build.
        self.meanwhile = lambda: None
        self._taken: dict[tuple[str, str], int] = {}
        monkeypatch.setattr(timing, "quiet_load", lambda: 0.1)
        monkeypatch.setattr(timing, "save_times", self._save)
        for name in ("build", "build_after", "edit_to_answer", "start", "memory", "import_time"):
            monkeypatch.setattr(sample, name, getattr(self, f"_{name}"))
        monkeypatch.setattr(sample, "watch", lambda engine, step, times: [0.9] * times)
        info = SimpleNamespace(docker_root_dir="/no/such/place")
        docker = SimpleNamespace(system=SimpleNamespace(info=lambda: info))
        self.engine = SimpleNamespace(
            environment="lab-amd64", fresh=None, chosen=False, driver="docker", cache_registry="", docker=docker,
            platform="linux/amd64", platforms=["linux/amd64", "linux/arm64"], recipe=recipe_of,
        )  # fmt: skip

    def _save(self, taken):
        self.saved = {path.stem.removesuffix(".linux-amd64"): times for path, (_, times) in taken.items()}

    def _value(self, variant, kind):
        number = self._taken[variant, kind] = self._taken.get((variant, kind), -1) + 1
        noise = QUIET[(number + len(variant)) % len(QUIET)]
        return self.seconds(variant, kind) * noise

    def _build(self, _engine, _step, variant, **_):
        self.built.append(f"{variant.name}")
        return 1.0, {}

    def _build_after(self, _engine, _step, variant, kind, platform="linux/amd64"):
        self.built.append(f"{variant.name} {kind}")
        self.meanwhile()
        return self._value(variant.name + platform.removeprefix("linux/amd64"), kind), {"exporting": 0.5}

    def _edit_to_answer(self, engine, step, variant):
        return self._build_after(engine, step, variant, "answer")

    def _start(self, _engine, _step, variant, question):
        self.started.append(variant.name)
        kinds = ["start", *(question.seconds if question else [])]
        return {kind: self._value(variant.name, kind) for kind in kinds}

    def _import_time(self, _engine, _step, variant, _module):
        return self._value(variant.name, "import")

    def _memory(self, _engine, _step, variant):
        return {kind: 1e7 * self._value(variant.name, kind) for kind in ("memory-idle", "memory-loaded")}

    def sit(self, step: str | Step, **settings) -> dict:
        """The times that were recorded, by variant."""
        timing.time_step(self.engine, step if isinstance(step, Step) else find_step(step), **settings)
        return self.saved


@pytest.fixture
def stand(monkeypatch):
    return Stand(monkeypatch)


def test_a_sitting_that_would_fill_the_disk_does_not_begin(monkeypatch, tmp_path):
    """Step 2's recommended variant is built cold and after a changed package, five times each at most."""
    step = find_step("step-2")
    record = load(record_path(LAB_ENVIRONMENT, step.name, "recommended", "linux/amd64"))
    needed = timing.room_needed(plan.plan_of(step), {"recommended": record}, 5)
    own = [layer for layer in record.size.layers if not layer.of_base]
    assert needed == timing.STAGES * 10 * sum(layer.unpacked_tar_bytes + layer.transfer_bytes for layer in own)
    info = SimpleNamespace(docker_root_dir=str(tmp_path))
    engine = SimpleNamespace(docker=SimpleNamespace(system=SimpleNamespace(info=lambda: info)))
    monkeypatch.setattr(timing.shutil, "disk_usage", lambda _: SimpleNamespace(free=needed))
    timing.check_room(engine, needed)
    with pytest.raises(Problem, match="Too little disk space for a sitting") as problem:
        timing.check_room(engine, needed + 1)
    assert "docker builder prune" in problem.value.next
    info.docker_root_dir = "/no/such/place"  # of an engine on another machine
    timing.check_room(engine, needed + 1)


def test_what_the_plan_says_is_timed_in_turns_told_and_recorded_with_its_rule(stand, capsys):
    times = stand.sit("step-1")
    assert "naive · cold, 1: 2.0 s" in capsys.readouterr().err
    assert {*times} == {"naive", "full", "recommended", "solution"}
    turn = [f"{name} {kind}" for name in ("naive", "full", "recommended") for kind in ("cold", "edit", "lock")]
    assert stand.built == ["naive", "full", "recommended", "solution"] + 3 * turn + [
        "naive", "full", "recommended", "solution",
    ]  # fmt: skip
    naive = times["naive"]
    assert [len(one.samples) for one in (naive.cold_build_s, naive.rebuild_after_edit_s)] == [3, 3]
    assert naive.steps_s["cold"]["exporting"].samples == [0.5] * 3
    assert naive.rules == {"builds": enough.BUILDS, "starts": enough.STARTS}
    (found,) = naive.compared["lock"]
    assert (found.against, found.found) == ("full", "differs")
    assert found.median == times["full"].rebuild_after_lock_s.median
    assert found.low < 2 < found.high
    assert times["recommended"].compared is None
    assert times["solution"].cold_build_s is None
    assert times["solution"].compared["start"][0].against == "recommended"
    assert times["solution"].rules.keys() == {"starts"}


def test_what_cannot_be_told_apart_takes_all_turns_and_nothing_else_does(stand):
    noise = iter([1, 1.6, 0.7, 1.3, 0.6] * 9)
    stand.seconds = lambda variant, kind: (
        4 * next(noise) if (variant, kind) == ("full", "lock") else {"naive": 8.0}.get(variant, 4.0)
    )
    times = stand.sit("step-1")
    counts = {
        name: [len(getattr(times[name], f"rebuild_after_{kind}_s").samples) for kind in ("edit", "lock")]
        for name in ("naive", "full", "recommended")
    }
    assert counts == {"naive": [3, 5], "full": [3, 5], "recommended": [3, 5]}
    assert times["full"].compared["lock"][0].found == "open"


def test_a_build_of_minutes_is_timed_twice_where_that_is_clear(stand):
    stand.seconds = lambda variant, kind: {"slim-source": 330.0, "alpine-source": 230.0}.get(variant, 20.0)
    times = stand.sit("step-4")
    assert [len(times[name].cold_build_s.samples) for name in ("slim-source", "alpine-source")] == [2, 2]
    assert times["slim-source"].start_to_first_response_s is None
    assert {*times["slim"].reported_s} == {"python_seconds", "numpy_seconds"}
    assert times["slim"].resident_idle_bytes.samples


def test_one_variant_alone_is_recorded_and_those_that_it_is_compared_with_are_left_as_they_are(stand):
    times = stand.sit("step-2", only="naive")
    assert {*stand.built} >= {"naive edit", "recommended edit"}
    assert not [one for one in stand.built if "no-venv" in one]
    assert {*times} == {"naive"}
    assert times["naive"].compared["edit"][0].against == "recommended"
    with pytest.raises(Problem, match="no variant called nobody"):
        stand.sit("step-2", only="nobody")
    with pytest.raises(Problem, match="nothing to time of extra-compiling-deps/broken"):
        stand.sit("extra-compiling-deps", only="broken")


def test_what_is_compared_with_another_is_timed_with_it_alone_when_it_is_asked_for(stand):
    stand.seconds = lambda variant, kind: 25.0
    times = stand.sit("extra-need-for-speed", only="links")
    assert {*times} == {"links"}
    assert times["links"].compared["base"][0].against == "plain"
    assert {one for one in stand.built if " " in one} == {"links base", "plain base"}
    assert stand.started == []


def test_without_the_labs_own_builder_what_only_that_can_time_is_left_out(stand, capsys):
    stand.engine.driver = "docker-container"
    times = stand.sit("extra-need-for-speed")
    assert not {one.split()[1] for one in stand.built if " " in one} & {"base", "fresh-edit", "fresh-lock"}
    assert times["recommended"].watch_to_answer_s.samples == [0.9] * timing.WATCHED
    assert {*times["recommended"].compared} == {"lock", "answer", "start", "import", "memory-loaded"}
    told = capsys.readouterr().err
    assert "leaving out fresh machines" in told and "leaving out a changed base image" in told


@pytest.mark.parametrize("name", ["full.Dockerfile", "requirements.txt"])
def test_what_was_timed_is_not_recorded_where_a_file_changed_meanwhile(stand, capsys, name):
    with clean_copy(find_step("step-1").folder) as folder:

        def edit():
            (folder / name).write_text((folder / name).read_text() + "\n# more\n")
            stand.meanwhile = lambda: None

        stand.meanwhile = edit
        with pytest.raises(Problem, match=r"No times were recorded: .*full.* changed while it was timed"):
            stand.sit(Step("step-1-kiss", folder))
    assert stand.saved == {}
    assert "step-1-kiss: medians" in capsys.readouterr().out


def test_a_build_that_fails_is_told_with_the_builders_own_words(monkeypatch):
    def fail(*_, **__):
        raise sample.builder.BuildError(1, ["#5 [2/3] RUN false", "#5 0.1 no such luck", "#5 ERROR: exit code: 1"])

    step = find_step("step-2")
    monkeypatch.setattr(sample.builder, "load_into_engine", fail)
    with pytest.raises(Problem, match="recommended does not build") as problem:
        sample.build(SimpleNamespace(platform="linux/amd64"), step, step.recommended)
    assert "no such luck" in problem.value.why
    assert problem.value.next == "make step-2, then make time-step-2"


def test_a_build_for_the_other_platform_is_timed_as_one_and_marked_in_its_own_record(stand):
    """Nothing of it runs: a start under emulation would say nothing."""
    stand.seconds = lambda variant, kind: 60.0 if variant.startswith("emulated") else 12.0
    taken = stand.sit("extra-second-platform")
    emulated, same = taken["emulated.linux-arm64"], taken["recommended"]
    assert (emulated.builder, same.builder) == ("linux/amd64", None)
    assert emulated.compared["cold"][0].against == "recommended@other"
    assert emulated.compared["cold"][0].found == "differs"
    assert emulated.start_to_first_response_s is None
    assert "emulated" not in taken


def test_what_the_builder_cannot_build_is_left_out_and_told(stand, capsys):
    stand.engine.platforms = ["linux/amd64"]
    assert set(stand.sit("extra-second-platform")) == {"native", "recommended"}
    assert "leaving out" in capsys.readouterr().err
