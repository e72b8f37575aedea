"""What the lab's benches record."""

from measure.base.files import RESULTS
from measure.base.names import LAB_ENVIRONMENT
from measure.studies.bench.bench import Bench, ladder_timings


def test_the_recorded_ladder_gives_the_reasons_that_are_known_now():
    bench = Bench.model_validate_json((RESULTS / LAB_ENVIRONMENT / "ladder.json").read_bytes())
    cold, unchanged = (timing.samples for timing in bench.timings)
    assert bench.timings == ladder_timings(cold, unchanged)


def test_a_reason_is_given_where_a_goal_was_missed_and_nowhere_else():
    missed, met = ladder_timings([1801.0], [59.0, 60.0, 70.0])
    assert missed.reason and met.reason is None
