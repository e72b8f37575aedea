"""The experiments below folklore/: what they install works, however it was put there."""

import os

import pytest

from measure.dockerfiles import external_images
from measure.steps import experiments

EVERYTHING = os.environ.get("TESTS") == "all"
#: Bytecode without sources natively, because a page says that it works; the others when everything is asked for.
CASES = [
    pytest.param(step, variant, id=variant.service)
    for step in experiments()
    for variant in step.variants
    if (step.folder / "requirements.txt").exists() and (EVERYTHING or variant.name == "pyc-only")
]
#: Packages are in an environment, where there is one.
IMPORT = "$(ls /opt/venv/bin/python || echo python) -c '{}'"
WITH_NUMPY = "import flask, numpy; print(numpy.arange(4).sum())"
WITHOUT = "import flask, gunicorn; print(sum(range(4)))"


@pytest.mark.parametrize(("step", "variant"), CASES)
def test_what_an_experiment_installs_can_be_imported(engine, image, step, variant):
    engine.provide(sorted(external_images(variant.dockerfile)), ["linux/amd64"])
    installs_numpy = "numpy==" in (step.folder / "requirements.txt").read_text()
    script = IMPORT.format(WITH_NUMPY if installs_numpy else WITHOUT)
    assert engine.docker.run(image(step, variant, "linux/amd64"), ["sh", "-c", script], remove=True) == "6"


def test_bytecode_without_sources_has_none(engine, image):
    """And still there is all that was compiled."""
    (case,) = [case.values for case in CASES if case.values[1].name == "pyc-only"]
    engine.provide(sorted(external_images(case[1].dockerfile)), ["linux/amd64"])
    counts = "find /opt/venv/lib -name '*.py' | wc -l; find /opt/venv/lib -name '*.pyc' | wc -l"
    sources, compiled = engine.docker.run(image(*case, "linux/amd64"), ["sh", "-c", counts], remove=True).split()
    assert int(sources) == 0
    assert int(compiled) > 500
