import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from measure.base import dockerfiles
from measure.base.errors import Problem
from measure.base.names import LAB_ENVIRONMENT
from measure.base.platforms import PLATFORMS
from measure.record.records import load, record_path
from measure.steps.compose import RECOMMENDED, Step, all_measured, all_steps, experiments, find_step
from measure.weigh.contents import PythonPackage
from tests.conftest import python_m

GOOD = """
services:
  step-9-demo-first:
    build: {context: ., dockerfile: first.Dockerfile}
    environment: ["VARIANT=first"]
    x-measure: {title: A, teaches: B, question: C}
  step-9-demo:
    build: .
    ports: ["127.0.0.1:8000:9000"]
    depends_on: {database: {condition: service_healthy}}
    x-measure: {title: A, teaches: B, question: C, fails_with: pg_config, platforms: [linux/arm64/v8, linux/arm]}
  database:
    image: postgres:17
"""


def step(tmp_path: Path, text: str) -> Step:
    folder = tmp_path / "step-9-demo"
    folder.mkdir()
    (folder / "compose.yaml").write_text(text)
    return Step("step-9-demo", folder)


def test_variants_come_in_file_order_with_their_names_and_what_they_depend_on(tmp_path):
    """A service without x-measure is none."""
    first, recommended = step(tmp_path, GOOD).variants
    assert (first.name, first.dockerfile.name, first.environment) == ("first", "first.Dockerfile", {"VARIANT": "first"})
    assert (recommended.name, recommended.dockerfile.name, recommended.port) == (RECOMMENDED, "Dockerfile", 9000)
    assert recommended.teaching.fails_with == "pg_config"
    assert (first.depends_on, first.images) == ([], [])
    assert (recommended.depends_on, recommended.images) == (["database"], ["postgres:17"])
    assert first.platforms(["linux/arm64", "linux/arm/v7"]) == ["linux/arm64", "linux/arm/v7"]
    assert recommended.platforms(["linux/amd64", "linux/arm64"]) == ["linux/arm64"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("services: [", "not valid YAML"),
        ("", "is empty"),
        ("services: {}", "no recommended variant"),
        ("services: {step-9-demo: {build: ., x-measure: {title: A}}}", "not complete"),
    ],
)
def test_a_compose_file_that_says_too_little_is_told(tmp_path, text, message):
    with pytest.raises(Problem, match=message) as problem:
        _ = step(tmp_path, text).variants
    assert problem.value.next


def test_a_step_is_found_by_the_beginning_of_its_name_and_an_experiment_is_on_no_ladder():
    assert find_step("step-1").name == find_step("step-1-kiss").name == "step-1-kiss"
    assert [found.name for found in experiments()] == [one.name for one in all_measured() if one not in all_steps()]
    found = find_step("folklore-curl")
    assert (found.command, found.folder.name) == ("make folklore-curl", "curl")
    assert [variant.name for variant in found.variants] == ["curl", "urllib", "python"]


@pytest.mark.parametrize("found", experiments(), ids=lambda found: found.name)
def test_an_experiment_is_two_or_three_short_dockerfiles_of_which_each_is_a_variant(found):
    """None is recommended: there is nothing to copy home, and nothing to start."""
    assert {variant.dockerfile for variant in found.variants} == set(found.folder.glob("*Dockerfile"))
    assert 2 <= len(found.variants) <= 3
    for variant in found.variants:
        assert variant.name != RECOMMENDED
        assert f"{variant.name}.Dockerfile" == variant.dockerfile.name
        assert len(variant.dockerfile.read_text().splitlines()) <= 12


def test_an_unknown_step_is_told_with_those_there_are():
    result = python_m("measure", "step", "step-99")
    assert result.returncode == 1
    assert all(word in result.stderr for word in ("no step called step-99", "step-1-kiss", "Next: make help"))


@pytest.mark.parametrize("found", all_steps(), ids=lambda found: found.name)
def test_each_step_is_complete(found):
    for variant in found.variants:
        assert variant.dockerfile.exists()
        # What is served as files is told which variant it is when it is built.
        assert (variant.build.get("args", {}) | variant.environment)["VARIANT"] == variant.name
        for name in ("Dockerfile", ".dockerignore"):
            assert (variant.context / name).exists()
    for name in ("README.md", "compose.yaml"):
        assert (found.folder / name).exists()


FULL_TO_SLIM = ("FROM python:3.14", "FROM python:3.14-slim")
INSTALL = "RUN pip install --no-cache-dir --require-hashes --no-deps {}-r /requirements.txt"


@pytest.mark.parametrize(
    ("step", "before", "after", "expected"),
    [
        ("step-1", "full.Dockerfile", "Dockerfile", FULL_TO_SLIM),
        ("extra-compiling-deps", "full.Dockerfile", "broken.Dockerfile", FULL_TO_SLIM),
        (
            "extra-compiling-deps",
            "broken.Dockerfile",
            "only-binary.Dockerfile",
            (INSTALL.format(""), INSTALL.format("--only-binary=:all: ")),
        ),
    ],
)
def test_variants_that_differ_in_one_line_alone(step, before, after, expected):
    folder = find_step(step).folder
    one, other = (dockerfiles.read(folder / name).instructions for name in (before, after))
    assert [(a, b) for a, b in zip(one, other, strict=True) if a != b] == [expected]


def test_the_two_packages_called_psycopg2_have_one_version_and_never_meet():
    """Both install a folder called psycopg2, so that the one that comes second overwrites half of the first."""
    lock = tomllib.loads((find_step("extra-compiling-deps").folder / "poetry.lock").read_text())
    source, binary = (next(p for p in lock["package"] if p["name"] == name) for name in ("psycopg2", "psycopg2-binary"))
    assert source["version"] == binary["version"]
    assert source["groups"] == ["production"]
    assert sorted(binary["groups"]) == ["binary", "dev"]


def test_quick_leaves_out_what_takes_many_minutes_and_keeps_the_recommended_one():
    step = find_step("step-4")
    everything, quick = ([v.name for v in found.variants] for found in (step, replace(step, quick=True)))
    assert [name for name in everything if name not in quick] == ["slim-source", "alpine-source"]
    assert step.recommended.name in quick


def contents(step: str, variant: str, platform: str) -> tuple[set[str], dict[str, PythonPackage]]:
    """The packages in an image, as its record has them: the distribution's, and Python's but for the base's pip."""
    found = load(record_path(LAB_ENVIRONMENT, find_step(step).name, variant, platform)).contents
    python = {package.name.lower(): package for package in found.python_packages if package.name != "pip"}
    return {package.name for package in found.os_packages}, python


@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_ships_is_what_the_pages_say_of_it(platform):
    for step, variant in (("step-2", "recommended"), ("step-3", "targets")):
        _, python = contents(step, variant, platform)
        assert "flask" in python and "pytest" not in python
    step = find_step("extra-moving-complexity")
    first, *others = (contents(step.name, variant.name, platform)[1] for variant in step.variants)
    assert "flask" in first and not {"poetry", "poetry-core", "pytest"} & set(first)
    for other in others:
        assert {name: one.version for name, one in other.items()} == {name: one.version for name, one in first.items()}
    recommended, solution, binary = (
        contents("extra-compiling-deps", name, platform) for name in ("recommended", "solution", "binary")
    )
    assert recommended[0] == solution[0], "the packages that are listed by hand, and those that were found"
    assert "libpq5" in recommended[0] and "libpq5" not in binary[0]
    assert any("libpq" in name for name in binary[1]["psycopg2-binary"].vendored), "a libpq of its own"
