"""Step 2: the lock decides, and a lock that does not fit is refused."""

import pytest

from measure.build import images as builder
from measure.build.images import BuildError
from measure.steps.compose import Step, find_step
from tests.conftest import NATIVE, changed

STEP = find_step("step-2")


@pytest.mark.study
@pytest.mark.parametrize("name", ["naive", "recommended", "no-venv"])
def test_a_lock_that_does_not_match_fails_the_build_with_poetrys_own_message(engine, folder, name):
    copy = Step(STEP.name, folder)
    wanted = changed(folder / "pyproject.toml", '"flask (>=3.1,<4.0)",', '"flask (>=3.1,<4.0)",\n    "six",')
    with wanted, pytest.raises(BuildError) as failure:
        builder.load_into_engine(engine, copy, copy.variant(name), NATIVE)
    assert failure.value.line_with("pyproject.toml changed significantly since poetry.lock was last generated")


def test_poetry_itself_finds_nothing_wrong_with_the_lock(engine, image):
    name = image(STEP, STEP.recommended, NATIVE)
    assert "All set!" in engine.docker.run(name, ["poetry", "check", "--lock"], remove=True)
