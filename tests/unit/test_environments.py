"""Records of several environments: where they are written, and which of them a page shows."""

from __future__ import annotations

from pathlib import PurePosixPath
from types import SimpleNamespace

import pytest

from measure.base.errors import Problem
from measure.base.platforms import PLATFORMS, native_platform
from measure.build.engine import Engine
from measure.record import records
from measure.record.check import check, recipes
from measure.record.records import (
    Environment,
    Record,
    as_json,
    environment_path,
    environments,
    load_environment,
    save_environment,
)
from measure.steps.compose import find_step
from measure.steps.inputs import inputs_of
from measure.tell import reading
from measure.tell.page import Page
from measure.tell.reading import Records
from measure.tell.site import render_page
from tests.handmade import record, size

STEP = find_step("step-1")
TRANSFER = 50_000_000
NAMES = [variant.name for variant in STEP.variants]


def described(name: str, bases: str = "docker.io", **changes) -> Environment:
    about = {
        "cpu": "one", "cores": 2, "memory_bytes": 8 * 10**9, "system": "Linux", "engine": "29", "buildx": "0.29",
        "builder_driver": "docker", "store": "overlayfs",
    }  # fmt: skip
    return Environment(name=name, bases=bases, **{**about, **changes})


@pytest.fixture
def results(tmp_path, monkeypatch):
    """The lab's records of step 1, all of the same size, and a place for those of others."""
    monkeypatch.setattr(records, "RESULTS", tmp_path)
    monkeypatch.setattr(reading, "all_measured", lambda: [STEP])
    save_environment(described("lab-amd64", "lab"))
    for variant in STEP.variants:
        for platform in PLATFORMS:
            write("lab-amd64", variant.name, platform, size(TRANSFER))
    return tmp_path


def write(environment: str, variant: str, platform: str, of: records.Size, **changes) -> Record:
    """A record that holds, as its environment has it."""
    found = inputs_of(STEP, STEP.variant(variant), recipes(environment))
    made = record(environment=environment, variant=variant, platform=platform, size=of, inputs=found)
    made = made.model_copy(update=changes)
    made.path.parent.mkdir(parents=True, exist_ok=True)
    made.path.write_text(as_json(made))
    return made


@pytest.fixture
def elsewhere(results):
    """Another environment with records of the same step."""
    save_environment(described("github-amd64"))
    for name in NAMES:
        write("github-amd64", name, "linux/amd64", size(49_450_000))
    return results


def page(name: str = "results/index.md", environment: str = "lab-amd64") -> Page:
    return Page(Records(environment=environment), PurePosixPath(name), {"learn": ["x"], "minutes": 1})


def test_a_page_takes_its_numbers_from_one_environment_and_names_it(elsewhere):
    text = f'{{{{ size("step-1/{NAMES[1]}") }}}} are {{{{ environment() }}}}\n'
    shown = render_page(Records(), PurePosixPath("steps/x.md"), text)
    assert shown.startswith("[50.0&nbsp;MB]")
    assert shown.endswith("were measured in [`lab-amd64`](../results/methodology.md#environments).\n{ .environment }\n")
    shown = render_page(Records(environment="github-amd64"), PurePosixPath("steps/x.md"), text)
    assert shown.startswith("[49.5&nbsp;MB](../results/index.md#step-1-kiss-")
    assert "were measured in [`github-amd64`]" in shown
    assert ".environment" not in render_page(Records(), PurePosixPath("steps/x.md"), "no number\n")


def test_the_table_of_environments(elsewhere):
    rows = page().functions()["environments"]().splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == ["| **`lab-amd64`**", "| `github-amd64`"]
    assert [row.split(" | ")[2:] for row in rows] == [
        ["the lab", f"{2 * len(NAMES)} |"],
        ["Docker Hub", f"{len(NAMES)} |"],
    ]


def test_records_of_the_labs_bases_under_another_name_hold_by_the_labs_recipes(results):
    save_environment(described("lab-of-mine", "lab"))
    write("lab-of-mine", "full", "linux/amd64", size(1))
    assert {finding.state for finding in check("lab-of-mine", [STEP])} == {"missing"}
    assert "lab-of-mine" in environments()


def engine(kind: str) -> Engine:
    return Engine(
        docker=SimpleNamespace(), kind=kind, version="1", buildx="1", builder=None, driver="docker", platforms=[]
    )


def test_each_kind_of_machine_has_an_environment_and_a_name_can_be_told(monkeypatch):
    monkeypatch.delenv("ENVIRONMENT", raising=False)
    assert engine("lab").environment == "lab-amd64"
    assert engine("host").environment == f"dockerhub-{native_platform().split('/')[1]}"
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert engine("host").environment == "dockerhub-arm64"
    monkeypatch.setenv("ENVIRONMENT", "github-arm64")
    assert engine("host").environment == "github-arm64"


@pytest.mark.parametrize(
    ("name", "message"), [("../x", "is no name"), ("A b", "is no name"), ("lab-amd64", "is the lab's")]
)
def test_a_name_that_cannot_be_is_told(monkeypatch, name, message):
    monkeypatch.setenv("ENVIRONMENT", name)
    with pytest.raises(Problem, match=message) as problem:
        _ = engine("host").environment
    assert "ENVIRONMENT=dockerhub-" in problem.value.next


def test_records_of_two_kinds_do_not_mix(results, capsys):
    save_environment(described("mine"))
    with pytest.raises(Problem, match="of another kind") as problem:
        save_environment(described("mine", "lab"))
    assert "come from Docker Hub, and here they come from the lab" in problem.value.why
    assert load_environment("mine").bases == "docker.io"
    save_environment(described("mine", cpu="another"))
    assert "mine/environment.json is written anew: cpu was one. Times" in capsys.readouterr().err
    before = environment_path("mine").stat().st_mtime_ns
    save_environment(described("mine", cpu="another"))
    assert environment_path("mine").stat().st_mtime_ns == before
    assert capsys.readouterr().err == ""


def test_a_description_that_is_none_is_told(results):
    (results / "mine").mkdir()
    (results / "mine/environment.json").write_text("{}")
    with pytest.raises(Problem, match=r"environment\.json is not valid"):
        load_environment("mine")
