import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from measure import timing
from measure.build import step_seconds
from measure.errors import Problem
from measure.records import LAB_ENVIRONMENT, MEMORY, TIMES, Samples, Times, load, record_path
from measure.steps import Step, all_steps, find_step

TIMED = [find_step(path.stem) for path in sorted(timing.PLANS.glob("*.toml"))]
CHANGES = [(step, kind) for step in TIMED for kind in timing.plan_of(step).changes]


@pytest.mark.parametrize(("step", "kind"), CHANGES, ids=lambda value: getattr(value, "name", value))
def test_a_change_changes_its_files_alone_and_is_another_each_time(step, kind):
    def texts(folder):
        paths = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_text() for path in paths}

    seen = []
    for _ in range(2):
        with timing.changed(step, kind) as (copy, _):
            seen.append(texts(copy.folder))
            assert copy == replace(step, folder=copy.folder)
            assert [variant.name for variant in copy.variants] == [variant.name for variant in step.variants]
    plan = timing.plan_of(step)
    changes = plan.compiled if kind == "compiled" else plan.dependency
    files = [plan.code] if kind == "edit" else [change.file for change in changes]
    assert sorted(name for name in seen[0] if seen[0][name] != seen[1][name]) == files
    if kind == "edit" and plan.answer:
        original = (step.folder / plan.code).read_text()
        assert plan.answer.before in original
        assert plan.answer.before not in seen[0][plan.code]
        assert len(seen[0][plan.code].splitlines()) == len(original.splitlines())
    elif kind == "edit":
        assert seen[0][plan.code].startswith((step.folder / plan.code).read_text().rstrip("\n"))
    for change in changes if kind != "edit" else []:
        found = [
            re.search(re.escape(change.after).replace("NONCE", "[0-9a-f]{64}"), one[change.file])[0] for one in seen
        ]
        assert ("NONCE" in change.after) == (found[0] != found[1])
        assert change.before not in seen[0][change.file]


def test_a_change_that_fits_no_more_is_told(tmp_path, monkeypatch):
    step = find_step("extra-need-for-speed")
    text = (timing.PLANS / f"{step.name}.toml").read_text().replace("before = '''", "before = '''no such line")
    (tmp_path / f"{step.name}.toml").write_text(text)
    monkeypatch.setattr(timing, "PLANS", tmp_path)
    with pytest.raises(Problem, match="no such line"), timing.changed(step, "compiled"):
        pass


def test_a_kind_that_changes_nothing_is_refused():
    """Else the builder's cache would be timed in its place."""
    with pytest.raises(Problem, match="no change of kind compiled"), timing.changed(find_step("step-1"), "compiled"):
        pass


def test_a_step_without_edits_is_told(tmp_path):
    with pytest.raises(Problem, match="nothing to time"):
        timing.plan_of(Step("step-9-demo", tmp_path))


def test_a_plans_kinds_are_fields_of_a_record():
    for step in TIMED:
        plan = timing.plan_of(step)
        names = {variant.name for variant in step.variants}
        assert {*plan.fresh, *(one for some in plan.only.values() for one in some)} <= names
        assert plan.only.keys() <= {*plan.builds, "answer"}
        for name in names:
            assert set(plan.kinds(name)) <= set(TIMES)
    assert set(TIMES.values()) <= set(Times.model_fields)


def test_the_new_version_of_a_dependency_is_locked_too():
    """A change of version that pip refuses, because a hash is wrong, would time a failure."""
    for step in TIMED:
        plan = timing.plan_of(step)
        for change in plan.dependency + plan.compiled:
            if "sha256:" in change.before:
                assert "sha256:" in change.after
                assert not set(re.findall(r"sha256:\w+", change.before)) & set(re.findall(r"sha256:\w+", change.after))


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
    engine = SimpleNamespace(environment="lab-amd64", recipe=lambda name: "0" * 64)
    monkeypatch.setattr(timing, "native_platform", lambda: "linux/amd64")
    monkeypatch.setattr(timing, "_build", lambda *_: pytest.fail("nothing may be built"))
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


@pytest.fixture
def sitting(monkeypatch):
    """Stands in for engine and clock: a sitting of one variant in which a kind of build takes so many seconds, or 1.

    Calling it returns what was built and what was recorded.
    """

    def sit(step: str, only: str, seconds: dict[str, float] | None = None) -> tuple[list[str], list]:
        built, saved = [], []

        def build(_engine, _step, variant, *_, kind="", **__):
            built.append(variant.name)
            return (seconds or {}).get(kind, 1.0), {}

        made = load(record_path("lab-amd64", find_step(step).name, only, "linux/amd64"))
        monkeypatch.setattr(timing, "native_platform", lambda: "linux/amd64")
        monkeypatch.setattr(timing, "_records", lambda *_: {only: made})
        monkeypatch.setattr(timing, "_build", build)
        monkeypatch.setattr(timing, "_build_after", build)
        monkeypatch.setattr(timing, "_start", lambda *_: {"start": 0.5, "python_seconds": 1.0, "numpy_seconds": 1.0})
        monkeypatch.setattr(timing, "quiet_load", lambda: 0.1)
        monkeypatch.setattr(timing, "_memory", lambda *_: {"memory-idle": 1.0, "memory-loaded": 2.0})
        monkeypatch.setattr(timing, "save", saved.append)
        info = SimpleNamespace(docker_root_dir="/no/such/place")
        docker = SimpleNamespace(system=SimpleNamespace(info=lambda: info))
        engine = SimpleNamespace(environment="lab-amd64", fresh=None, cache_registry="", docker=docker)
        timing.time_step(engine, find_step(step), only=only)
        return built, saved

    return sit


def test_a_sitting_that_would_fill_the_disk_does_not_begin(monkeypatch, tmp_path):
    """Step 2's naive variant is built cold and after a changed package, five times each: ten times its own layers."""
    step = find_step("step-2")
    record = load(record_path(LAB_ENVIRONMENT, step.name, "naive", "linux/amd64"))
    needed = timing.room_needed(timing.plan_of(step), {"naive": record}, 5)
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


def test_one_variant_alone_is_timed_and_another_one_is_left_as_it_is(sitting):
    built, (record,) = sitting("step-2", "naive")
    assert set(built) == {"naive"}
    assert record.variant == "naive"
    assert record.time.rebuild_after_edit_s.samples == [1.0] * timing.SAMPLES
    with pytest.raises(Problem, match="no variant called nobody"):
        sitting("step-2", "nobody")
    with pytest.raises(Problem, match="nothing to time of extra-compiling-deps/broken"):
        sitting("extra-compiling-deps", "broken")


def test_a_build_of_over_three_minutes_is_timed_three_times_and_any_other_five_times(sitting):
    slow = timing.LONG + 1.0
    _, (record,) = sitting("step-4", "slim-source", {"cold": slow, "lock": timing.LONG})
    assert record.time.cold_build_s.samples == [slow] * 3
    assert record.time.rebuild_after_lock_s.samples == [timing.LONG] * 5
    assert record.time.rebuild_after_edit_s.samples == [1.0] * 5


@pytest.mark.parametrize("step", TIMED, ids=lambda step: step.name)
def test_each_native_record_of_the_lab_has_the_times_of_its_plan(step):
    """Five samples or more, three of what takes over three minutes; an application's with all that there is to time."""
    plan = timing.plan_of(step)
    for variant in step.variants:
        record = load(record_path(LAB_ENVIRONMENT, step.name, variant.name, "linux/amd64"))
        if record.outcome == "failed":
            continue
        times = dict(record.time)
        taken = [*plan.kinds(variant.name), *(["start"] if plan.start else []), *(MEMORY if plan.memory else [])]
        if step in all_steps():
            assert {"cold", "edit", "lock", "start", *MEMORY} <= {*taken}, variant.name
        for name, found in times.items():
            if isinstance(found, Samples):
                few = name not in MEMORY.values() and found.median > timing.LONG
                assert len(found.samples) >= (3 if few else 5), name
        for kind in taken:
            found = times[(TIMES | MEMORY)[kind]]
            assert found, f"{variant.name} has no {kind}: {step.timing_command}"


def test_a_build_that_fails_is_told_with_the_builders_own_words(monkeypatch):
    def fail(*_, **__):
        raise timing.builder.BuildError(1, ["#5 [2/3] RUN false", "#5 0.1 no such luck", "#5 ERROR: exit code: 1"])

    step = find_step("step-2")
    monkeypatch.setattr(timing.builder, "load_into_engine", fail)
    with pytest.raises(Problem, match="recommended does not build") as problem:
        timing._build(None, step, step.recommended)
    assert "no such luck" in problem.value.why
    assert problem.value.next == "make step-2, then make time-step-2"


def test_samples_keep_their_median():
    assert Samples.of([3.00049, 0.0012345, 2.0]).model_dump() == {"samples": [3.0, 0.001234, 2.0], "median": 2.0}
