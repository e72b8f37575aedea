"""Every Dockerfile with the builders that are not BuildKit: the same comes of it as is recorded."""

import re

import pytest

from measure.run.step import provide_bases
from measure.steps.compose import RECOMMENDED
from measure.studies.builders import model
from measure.studies.builders.trying import other_builders
from tests.conftest import NATIVE

pytestmark = pytest.mark.study
ALL = [pytest.param(*one, id=f"{one[0].name}-{one[1].name}") for one in model.listed(NATIVE)]
SHOWN = [one for one in ALL if one.values[1].name == RECOMMENDED and one.id.startswith(("step-3", "step-4"))]


@pytest.fixture(scope="module")
def tried(engine):
    """Tries a Dockerfile, once."""
    found = {}
    with other_builders(engine) as builders:

        def attempt(step, variant):
            key = (step.name, variant.name)
            if key not in found:
                provide_bases(engine, [(variant, NATIVE)])
                found[key] = builders.attempt(step, variant)
            return found[key]

        yield attempt


@pytest.mark.parametrize(("step", "variant"), SHOWN)
def test_podman_builds_and_runs_it_and_probes_it_in_dockers_format(tried, step, variant):
    found = tried(step, variant)
    assert found.podman.words == "builds, answers, without its health check"
    assert found.podman_docker.words == "builds, answers, healthy"


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("step", "variant"), ALL)
def test_what_came_of_it_is_what_is_recorded(engine, tried, step, variant):
    recorded = model.load(engine.environment).by_key.get((step.name, variant.name))
    if recorded is None:
        pytest.skip("nobody tried it on this engine")
    now = tried(step, variant)
    for builder in ("classic", "podman", "podman_docker"):
        assert getattr(now, builder) == getattr(recorded, builder), builder


def test_below_user_a_working_folder_is_for_that_user_but_not_by_the_builder_of_old(engine, tmp_path):
    lines = ("FROM python:3.14-slim", "USER 10001", "WORKDIR /work", "RUN stat --format 'it belongs to %u' /work")
    (tmp_path / "Dockerfile").write_text("\n".join([*lines, ""]))
    engine.provide(["python:3.14-slim"], [NATIVE])
    with other_builders(engine) as builders:
        builders.copy(tmp_path, "/workdir")
        build, tag = ("build", "--no-cache", "--tag"), f"{model.IMAGE}:workdir"
        said = {
            "podman": builders.podman(*build, tag, "/workdir"),
            "classic": builders.docker(*build, tag, "--force-rm", str(tmp_path), DOCKER_BUILDKIT="0"),
            "buildkit": builders.docker("buildx", *build, tag, "--progress=plain", str(tmp_path)),
        }
        builders.docker("image", "rm", "--force", tag)
    found = {name: re.findall(r"it belongs to (\d+)", "\n".join(log)) for name, (_, log) in said.items()}
    assert found == {"podman": ["10001"], "classic": ["0"], "buildkit": ["10001"]}, said
