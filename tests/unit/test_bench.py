"""What the lab's benches record."""

import os

import pytest

from measure.base.errors import Problem
from measure.base.files import RESULTS
from measure.base.names import LAB_ENVIRONMENT
from measure.studies.bench.bench import Bench, ladder_timings, show
from measure.studies.bench.own_image import timings_of
from tests.conftest import program
from tests.handmade import tar
from tests.images_by_hand import as_archive, layout


def test_the_recorded_ladder_gives_the_reasons_that_are_known_now():
    bench = Bench.model_validate_json((RESULTS / LAB_ENVIRONMENT / "ladder.json").read_bytes())
    cold, unchanged = (timing.samples for timing in bench.timings)
    assert bench.timings == ladder_timings(cold, unchanged)


def test_a_reason_is_given_where_a_goal_was_missed_and_nowhere_else():
    missed, met = ladder_timings([1801.0], [43.0, 44.0, 70.0])
    assert missed.reason and met.reason is None


def test_reports_are_timed_beside_gzip_with_an_empty_cache_and_again(cache, tmp_path, monkeypatch, capsys):
    large = bytearray(b"1") * 200_000_000  # what is measured is not the memory of whoever measures
    archive = as_archive(layout(tmp_path / "layout", [tar({"a": bytes(5_000_000)})]).root, tmp_path / "image.tar")
    program(tmp_path / "bin/dive", f'#!/bin/bash\necho "$@" >> {tmp_path}/asked\n')
    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=os.pathsep)
    gzip, first, again, memory, dive, dives_memory = timings_of(archive, "an image", samples=2)
    assert (tmp_path / "asked").read_text().count(f"--source docker-archive {archive} --json ") == 2
    assert (dive.what, dives_memory.what) == ("an image: dive", "an image: dive's memory")
    assert len(dive.samples) == len(dives_memory.samples) == 2
    assert [len(one.samples) for one in (gzip, first, again, memory)] == [2] * 4
    assert gzip.goal is None and first.goal == pytest.approx(gzip.median / 2, abs=0.001)
    assert first.reason, "nothing starts Python in half the time that gzip takes for five megabytes"
    del large
    assert 20e6 < memory.median < 150e6 and memory.reason is None
    assert not list((tmp_path / "cache").rglob("cache-*")), "nothing is left"
    machine = {
        "cpu": "x",
        "cores": 2,
        "memory_bytes": 1,
        "system": "",
        "load_before": 0,
        "measured_at": "2026-01-01T00:00Z",
    }
    show(Bench(timings=[gzip, memory], **machine))
    assert "an image: gzip" in capsys.readouterr().out
    plain = as_archive(layout(tmp_path / "plain", [tar({"a": b"1"})], "plain").root, tmp_path / "plain.tar")
    with pytest.raises(Problem, match="no layer in gzip"):
        timings_of(plain, "an image")
