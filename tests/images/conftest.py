"""What the tests of a step's images share."""

import pytest

from measure.run.step import provide_bases
from measure.steps.copying import clean_copy
from tests.conftest import NATIVE


@pytest.fixture
def folder(engine, request):
    """A copy of the folder of the module's STEP to change; the base images of its variants are there."""
    step = request.module.STEP
    provide_bases(engine, [(variant, NATIVE) for variant in step.variants])
    with clean_copy(step.folder) as copy:
        yield copy
