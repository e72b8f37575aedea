"""Which records hold, and which do not: without an engine."""

import json
import shutil

import pytest

from measure.base.platforms import PLATFORMS
from measure.record import records
from measure.record.check import check, recipes
from measure.record.records import Failure, as_json, record_path
from measure.steps.compose import find_step
from measure.steps.inputs import inputs_of
from tests.conftest import fresh_clone, python_m
from tests.handmade import record


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A record that holds for each variant of step 1 on each platform, in a place of its own."""
    monkeypatch.setattr(records, "RESULTS", tmp_path)
    step = find_step("step-1")
    for variant in step.variants:
        for platform in PLATFORMS:
            one = record(variant=variant.name, platform=platform, inputs=inputs_of(step, variant, recipes("lab-amd64")))
            one.path.parent.mkdir(parents=True, exist_ok=True)
            one.path.write_text(as_json(one))
    return tmp_path


def found(environment: str = "lab-amd64") -> list[tuple[str, str, str]]:
    return [(f.state, f.path.name, f.why) for f in check(environment, [find_step("step-1")])]


def rewrite(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def recommended(platform: str = "linux/arm64"):
    return record_path("lab-amd64", "step-1-kiss", "recommended", platform)


@pytest.mark.parametrize(
    ("what", "state", "why"),
    [
        ("nothing", "", ""),
        ("gone", "missing", "not measured yet"),
        ("recipe", "stale", "the recipe of python:3.14-slim changed"),
        ("hash", "stale", "its inputs_sha256 is not that of its inputs"),
        ("place", "stale", "it is the record of "),
        ("failure", "stale", "the build failed, and compose.yaml means it to work"),
        ("form", "invalid", "It has the form of version 1; this is version 2."),
        ("text", "invalid", ": Invalid JSON"),
    ],
)
def test_a_record_that_does_not_hold_says_why(results, what, state, why):
    old = records.load(recommended())
    match what:
        case "gone":
            recommended().unlink()
        case "recipe":
            inputs = old.inputs.model_copy(update={"recipes_sha256": {"python:3.14-slim": "0" * 64}})
            rewrite(recommended(), inputs=inputs.model_dump(), inputs_sha256="0" * 64)
        case "hash":
            rewrite(recommended(), inputs_sha256="0" * 64)
        case "place":
            shutil.copy(recommended("linux/amd64"), recommended())
        case "failure":
            failure = {"outcome": "failed", "size": None, "failure": Failure(exit_code=1, line="no")}
            recommended().write_text(as_json(old.model_copy(update=failure)))
        case "form":
            rewrite(recommended(), schema_version=1)
        case "text":
            recommended().write_text("\x00\x00")
    shown = found()
    assert [(one, name) for one, name, _ in shown] == ([(state, "recommended.linux-arm64.json")] if state else [])
    assert not state or shown[0][2].startswith(why)


def test_records_of_variants_and_steps_that_are_no_more(results):
    for name in ("step-1-kiss/old.linux-amd64.json", "step-0-gone/recommended.linux-amd64.json"):
        (results / "lab-amd64" / name).parent.mkdir(exist_ok=True)
        (results / "lab-amd64" / name).write_text("{}")
    states = [(state, name) for state, name, _ in found()]
    assert states == [("orphaned", "recommended.linux-amd64.json"), ("orphaned", "old.linux-amd64.json")]


def test_someone_elses_environment_misses_only_what_they_measured_in_part(results):
    theirs = record(environment="dockerhub-arm64", variant="naive", platform="linux/arm64", inputs=_inputs("naive"))
    theirs.path.parent.mkdir(parents=True)
    theirs.path.write_text(as_json(theirs))
    others = [variant.name for variant in find_step("step-1").variants if variant.name != "naive"]
    missing = [("missing", f"{name}.linux-arm64.json") for name in others]
    assert [(state, name) for state, name, _ in found("dockerhub-arm64")] == missing
    assert found("dockerhub-riscv64") == []


def _inputs(name: str):
    step = find_step("step-1")
    return inputs_of(step, step.variant(name), recipes("dockerhub-arm64"))


def test_the_command_lists_what_does_not_hold_and_fails(tmp_path):
    """In a clone, as a user who edits: a README and a stray venv make nothing stale, a Dockerfile or a recipe does."""
    clone = fresh_clone(tmp_path / "clone")
    step = clone / "step-1-kiss"

    def checked():
        return python_m("measure", "check", cwd=clone, seconds=60)

    first = checked()
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.startswith("All ")

    (step / "naive.Dockerfile.dockerignore").unlink()  # now no variant ships the README
    before = checked().stdout
    (step / "README.md").write_text("another text\n")
    (step / ".venv/lib").mkdir(parents=True)
    (step / ".venv/lib/stray.py").write_text("stray")
    assert checked().stdout == before

    text = (step / "Dockerfile").read_text()
    (step / "Dockerfile").write_text(text.replace("WORKDIR /app", "WORKDIR /srv"))
    after = checked()
    assert after.returncode == 1
    for platform in ("amd64", "arm64"):
        line = f"stale    results/lab-amd64/step-1-kiss/recommended.linux-{platform}.json: the Dockerfile changed"
        assert line in after.stdout.splitlines()
    assert "step-1-kiss/full" not in after.stdout
    assert "Next: make step-1" in after.stderr

    recipe = clone / "lab/bases/python-3.14-slim.Dockerfile"
    recipe.write_text(recipe.read_text() + "RUN true\n")
    lines = checked().stdout.splitlines()
    assert [line for line in lines if "recommended.linux-amd64.json: the recipe of python:3.14-slim changed" in line]
    assert [line for line in lines if "recipes.json: psycopg2: the recipe of python:3.14-slim changed" in line]
    assert not any("step-1-kiss/full" in line for line in lines)
