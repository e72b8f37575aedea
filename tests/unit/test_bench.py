"""What the lab's benchmarks record."""

import pytest

from measure.base.files import RESULTS
from measure.base.names import LAB_ENVIRONMENT
from measure.studies.bench.bench import ANSWERS, FIRST, Bench, timing


@pytest.mark.parametrize("name", ["bench", "ladder", "first-number"])
def test_what_is_recorded_loads_with_its_goals(name):
    bench = Bench.model_validate_json((RESULTS / LAB_ENVIRONMENT / f"{name}.json").read_bytes())
    assert all(one.median > 0 and one.goal > 0 for one in bench.timings)
    assert name != "first-number" or FIRST in [one.what for one in bench.timings]


def test_a_timing_and_the_line_that_ends_it():
    assert timing("x", [3.0, 1.0, 2.0], 5).median == 2
    assert ANSWERS.match("The image for linux/amd64 answers") and ANSWERS.match("linux/amd64 answers: {}")
    assert not ANSWERS.match("linux/arm64 answers")
