"""`make verify` with real builds: a record of today holds, and one that was altered does not, and says why."""

from __future__ import annotations

import os

import pytest

from measure.record.records import Record, as_json
from measure.run.step import provide_bases, weighed
from measure.steps.compose import find_step
from measure.weigh.oci import Layer
from tests.conftest import NATIVE, OTHER, python_m, run

pytestmark = pytest.mark.study


@pytest.fixture
def recorded(engine):
    """What there is to record of a variant today. It is not written to results/."""

    def weigh(step_name: str, variant_name: str) -> Record:
        step = find_step(step_name)
        variant = step.variant(variant_name)
        provide_bases(engine, [(variant, NATIVE)])
        return weighed(engine, step, variant, NATIVE, lambda line: None)

    return weigh


@pytest.fixture
def verified(tmp_path):
    """What `make verify` says of a record in a place of its own; it leaves results/ alone, whatever it finds."""

    def verify(record: Record):
        path = tmp_path / "record.json"
        path.write_text(as_json(record))
        before = run("git", "status", "--short", "results").stdout
        # PLATFORMS does not count: the record says for which platform it is.
        environment = {**os.environ, "PLATFORMS": OTHER}
        result = python_m("measure", "verify", str(path), seconds=900, env=environment)
        assert run("git", "status", "--short", "results").stdout == before
        return result

    return verify


@pytest.mark.timeout(3000)  # with nothing cached, the lab builds its base images first
def test_a_record_of_today_holds_though_nothing_is_cached_and_an_altered_one_does_not(recorded, verified):
    record = recorded("step-1", "full")
    result = verified(record)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"step-1-kiss/full on {NATIVE}, recorded on " in result.stdout
    assert "It holds: the same" in result.stdout
    assert "to the byte." not in result.stdout.split("It holds: ")[1], "it came out of the builder's cache"

    result = verified(altered(record))
    assert result.returncode == 3, result.stdout + result.stderr
    assert "does not hold here and now" in result.stderr
    for words in ("layer RUN pip install", "+2.0 MB", "user app → 10001", "libc6 1.0 → 2", "Flask - → 3", "six 1.17"):
        assert words in result.stderr, result.stderr
    assert "Next: make step-1" in result.stderr
    shown = " ".join(result.stdout.split())
    assert "layers that are not the same to the byte" in shown
    assert "largest files of the layer RUN pip install" in shown
    assert "/site-packages/" in shown


def altered(record: Record) -> Record:
    """The record of an image that runs as another user, of older and other packages, in a layer that is smaller."""

    def smaller(layer: Layer) -> Layer:
        if "pip install" not in layer.created_by:
            return layer
        other = {"digest": f"sha256:{'0' * 64}", "unpacked_tar_bytes": layer.unpacked_tar_bytes - 2_000_000}
        return layer.model_copy(update=other)

    layers = [smaller(layer) for layer in record.size.layers]
    size = record.size.model_copy(
        update={"layers": layers, "unpacked_tar_bytes": sum(layer.unpacked_tar_bytes for layer in layers)}
    )
    system = [
        one.model_copy(update={"version": "1.0"}) if one.name == "libc6" else one for one in record.contents.os_packages
    ]
    python = [
        one.model_copy(update={"name": "six", "version": "1.17"}) if one.name.lower() == "flask" else one
        for one in record.contents.python_packages
    ]
    contents = record.contents.model_copy(update={"user": "app", "os_packages": system, "python_packages": python})
    return record.model_copy(update={"size": size, "contents": contents})


@pytest.mark.timeout(3000)
def test_a_variant_that_is_meant_to_fail_holds_when_it_fails_in_the_same_way(recorded, verified):
    record = recorded("extra-compiling-deps", "broken")
    result = verified(record)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "It holds: it fails in the same way." in result.stdout
    assert f"now: exit code {record.failure.exit_code}: {record.failure.line}" in result.stdout
