"""Every Dockerfile with the builders that are not BuildKit: the same comes of it as is recorded."""

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
