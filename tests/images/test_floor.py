"""The floor is found by running, and proved by running: what was looked at is needed, and nothing else is.

The commands of docs/guide/floor.md find and prove some, too.
"""

import pytest

from measure.base.dockerfiles import external_images
from measure.base.errors import Problem
from measure.run.step import provide_bases
from measure.steps.compose import all_steps, find_step
from measure.studies.floor import finding, model, watching

pytestmark = pytest.mark.study
CASES = [
    pytest.param(step, variant, id=f"{step.name}-{variant.name}")
    for step in all_steps()
    for variant in model.chosen(step)
]


@pytest.fixture(autouse=True, scope="module")
def bases_are_there(engine):
    if engine.chosen:
        pytest.skip("floors are found on the engine's own builder")
    provide_bases(engine, [(case.values[1], "linux/amd64") for case in CASES])
    engine.provide(external_images(watching.TRACER_DOCKERFILE), ["linux/amd64"])


@pytest.mark.parametrize(("step", "variant"), CASES)
def test_the_floor_is_as_recorded_and_does_all_that_the_image_does(engine, step, variant):
    found = finding.find(engine, step, variant, lambda _: None)
    assert found.exit_code == 0
    recorded = model.load(engine.environment).get(step.name, variant.name, "linux/amd64")
    assert recorded or engine.kind == "host", "of the lab there are some"
    if recorded:
        assert found.answered == recorded.answered
        assert found.healthy == recorded.healthy
        for kind in ("transfer_bytes", "unpacked_tar_bytes", "file_bytes"):
            assert getattr(found.floor, kind) == pytest.approx(getattr(recorded.floor, kind), rel=0.02)
    routes = {one.question.split(" ")[1].partition(",")[0] for one in found.answered if one.status == 200}
    assert {"/", "/health"} <= routes
    assert not engine.docker.volume.list(filters=[("name", watching.TRACER_IMAGE)])
    assert watching.made(engine.docker) == []


@pytest.fixture(scope="module")
def traced(engine):
    """One image that was traced, for several proofs."""
    step = find_step("step-4")
    with finding.traced(engine, step, step.variant("distroless"), lambda _: None) as found:
        yield step, step.variant("distroless"), found


@pytest.mark.parametrize("needed", ["libscipy_openblas", "/usr/local/lib/python3.14/json/decoder.py", "ld-linux-"])
def test_without_one_file_of_the_floor_it_does_not_run(engine, monkeypatch, traced, needed):
    step, variant, of = traced
    left = {name for name in of.touched.names if needed not in name}
    assert left < of.touched.names
    monkeypatch.setattr(watching, "PATIENCE", 5)
    with pytest.raises(Problem, match=r"does not (start|answer|get healthy)|more files than"):
        finding.compare(step, variant, of.run, finding.prove(engine, variant, of, left, lambda _: None)[1])
