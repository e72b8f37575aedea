"""The experiments below folklore/: what they install works, however it was put there."""

import pytest

from measure.steps.compose import experiments
from tests.conftest import NATIVE

pytestmark = pytest.mark.study
CASES = [
    pytest.param(step, variant, id=variant.service)
    for step in experiments()
    for variant in step.variants
    if (step.folder / "requirements.txt").exists()
]
#: Packages are in an environment, where there is one.
IMPORT = "$(ls /opt/venv/bin/python || echo python) -c '{}'"
WITH_NUMPY = "import flask, numpy; print(numpy.arange(4).sum())"
WITHOUT = "import flask, gunicorn; print(sum(range(4)))"


@pytest.mark.parametrize(("step", "variant"), CASES)
def test_what_an_experiment_installs_can_be_imported(engine, image, step, variant):
    installs_numpy = "numpy==" in (step.folder / "requirements.txt").read_text()
    script = IMPORT.format(WITH_NUMPY if installs_numpy else WITHOUT)
    assert engine.docker.run(image(step, variant, NATIVE), ["sh", "-c", script], remove=True) == "6"


def test_bytecode_without_sources_has_none(engine, image):
    """And still there is all that was compiled."""
    (case,) = [case.values for case in CASES if case.values[1].name == "pyc-only"]
    counts = "find /opt/venv/lib -name '*.py' | wc -l; find /opt/venv/lib -name '*.pyc' | wc -l"
    sources, compiled = engine.docker.run(image(*case, NATIVE), ["sh", "-c", counts], remove=True).split()
    assert int(sources) == 0
    assert int(compiled) > 500
