import re
from types import SimpleNamespace

import pytest

from measure import timing
from measure.errors import Problem
from measure.records import Samples
from measure.steps import Step, find_step

TIMED = [find_step(path.stem) for path in sorted(timing.PLANS.glob("*.toml"))]
CHANGES = [(step, kind) for step in TIMED for kind in timing.plan_of(step).builds if kind != "cold"]


@pytest.mark.parametrize(("step", "kind"), CHANGES, ids=lambda value: getattr(value, "name", value))
def test_a_change_changes_its_files_alone_and_is_another_each_time(step, kind):
    def texts(folder):
        paths = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_text() for path in paths}

    seen = []
    for _ in range(2):
        with timing.changed(step, kind) as copy:
            seen.append(texts(copy.folder))
            assert copy.name == step.name
    plan = timing.plan_of(step)
    files = [plan.code] if kind == "edit" else [change.file for change in plan.dependency]
    assert sorted(name for name in seen[0] if seen[0][name] != seen[1][name]) == files
    if kind == "edit":
        assert seen[0][plan.code].startswith((step.folder / plan.code).read_text().rstrip("\n"))
    for change in plan.dependency if kind == "lock" else []:
        found = [
            re.search(re.escape(change.after).replace("NONCE", "[0-9a-f]{64}"), one[change.file])[0] for one in seen
        ]
        assert ("NONCE" in change.after) == (found[0] != found[1])
        assert change.before not in seen[0][change.file]


def test_a_change_that_fits_no_more_is_told(tmp_path, monkeypatch):
    step = find_step("step-1")
    text = (timing.PLANS / f"{step.name}.toml").read_text().replace('before = "', 'before = "no such line ')
    (tmp_path / f"{step.name}.toml").write_text(text)
    monkeypatch.setattr(timing, "PLANS", tmp_path)
    with pytest.raises(Problem, match="no such line"), timing.changed(step, "lock"):
        pass


def test_a_step_without_edits_is_told(tmp_path):
    with pytest.raises(Problem, match="nothing to time"):
        timing.plan_of(Step("step-9-demo", tmp_path))


def test_times_are_not_put_into_the_record_of_something_else(monkeypatch):
    """The records are of the lab's recipes; with another recipe they are of another image."""
    engine = SimpleNamespace(environment="lab-amd64", recipe=lambda name: "0" * 64)
    monkeypatch.setattr(timing, "native_platform", lambda: "linux/amd64")
    monkeypatch.setattr(timing, "_build", lambda *_: pytest.fail("nothing may be built"))
    with pytest.raises(Problem, match="no record of what is in the folder now"):
        timing.time_step(engine, find_step("step-2"))


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
