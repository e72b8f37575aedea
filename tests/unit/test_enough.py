"""The rule for stopping, with made-up samples: it stops early, goes on, and gives up."""

import math
import statistics

import pytest

from measure.record.enough import BUILDS, LEVEL, QUANTILES, STARTS, Rule, Turns, compare, finished

RULE = Rule(most=5)
#: The noise of a quiet machine, turn by turn: a percent or so, and none that two variants share.
QUIET = [1.00, 1.01, 0.99, 1.005, 0.995]


def times(value: float, noise: list[float] = QUIET) -> list[float]:
    return [value * one for one in noise]


@pytest.mark.parametrize("degrees", QUANTILES)
def test_the_quantiles_are_students(degrees):
    """The density of t, integrated by Simpson's rule in x = tan(angle), where its tails end."""

    def density(angle: float) -> float:
        x = math.tan(angle)
        scale = math.gamma((degrees + 1) / 2) / (math.sqrt(degrees * math.pi) * math.gamma(degrees / 2))
        return scale * (1 + x * x / degrees) ** (-(degrees + 1) / 2) / math.cos(angle) ** 2

    steps, end = 20_000, math.atan(QUANTILES[degrees])
    width = end / steps
    inner = sum((4 if i % 2 else 2) * density(i * width) for i in range(1, steps))
    inside = 2 * width / 3 * (density(0) + inner + density(end))
    assert inside == pytest.approx(LEVEL, abs=2e-5)


def test_the_interval_is_students_around_the_mean_of_the_logarithms():
    found = compare("b", [10.0, 11.0, 12.5], [5.0, 5.2, 5.1], RULE)
    logs = [math.log(2), math.log(11 / 5.2), math.log(12.5 / 5.1)]
    half = QUANTILES[2] * statistics.stdev(logs) / math.sqrt(3)
    assert found.ratio == pytest.approx(math.exp(statistics.mean(logs)), rel=1e-3)
    assert found.high / found.ratio == pytest.approx(found.ratio / found.low, rel=1e-2)
    assert found.high / found.ratio == pytest.approx(math.exp(half), rel=1e-3)
    assert (found.against, found.median) == ("b", 5.1)


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        (times(2.0), times(1.0, QUIET[::-1]), "differs"),
        (times(1.0), times(2.0, QUIET[::-1]), "differs"),
        (times(1.0), times(1.002, QUIET[::-1]), "alike"),
        (times(1.0, [1, 3, 1]), times(1.0), "open"),
        (times(1.0, [1, 1.5, 0.7]), times(1.2), "open"),
    ],
)
def test_what_a_comparison_finds(ours, theirs, found):
    assert compare("", ours, theirs, RULE).found == found


def test_one_pair_says_nothing():
    assert compare("", [1.0], [9.0], RULE) is None
    assert compare("", [1.0, 1.1], [9.0], RULE) is None


def test_what_nobody_waits_for_is_alike_however_large_a_part_it_is():
    ours, theirs = [0.50, 0.58, 0.52, 0.49], [0.47, 0.48, 0.50, 0.51]
    assert compare("", ours, theirs, RULE).found == "open"
    assert compare("", ours, theirs, BUILDS).found == "alike"
    assert compare("", ours, theirs, STARTS).found == "open", "of a start it would be a lot"


def test_it_stops_early_goes_on_and_gives_up():
    clear, noisy = (times(2.0), times(1.0, QUIET[::-1])), (times(1.1, [1, 1.5, 0.7, 1.2, 0.8]), times(1.0))
    assert [finished(clear[0][:n], clear[1][:n], RULE) for n in range(1, 6)] == [False, False, True, True, True]
    assert [finished(noisy[0][:n], noisy[1][:n], RULE) for n in range(1, 6)] == [False, False, False, False, True]


def test_what_takes_long_gets_less():
    """Undecided, no more than the least; and less than that when it is clear."""
    rule = Rule(most=5, spent_s=120)
    noisy, short = times(40.0, [1, 1.5, 0.7, 1.2, 0.8]), times(40.0)
    assert [finished(noisy[:n], short[:n], rule) for n in (2, 3)] == [False, True]
    clear = times(300.0), times(20.0, QUIET[::-1])
    assert [finished(clear[0][:n], clear[1][:n], rule) for n in (1, 2)] == [False, True]
    long = times(200.0, [1, 2, 0.6]), times(190.0)
    assert [finished(long[0][:n], long[1][:n], rule) for n in (2, 3)] == [False, True]
    minute = times(50.0), times(20.0, QUIET[::-1])
    assert [finished(minute[0][:n], minute[1][:n], rule) for n in (2, 3)] == [False, True], "three, as it can be had"


def sit(turns: Turns, value) -> dict[str, dict[str, int]]:
    """Let the variants take turns; a sample is what `value` says of variant, kind and number. Returns the counts."""
    while True:
        for variant, kinds in turns.kinds.items():
            for kind in kinds:
                if turns.wants(variant, kind):
                    taken = turns.samples[variant][kind]
                    taken.append(value(variant, kind, len(taken)))
        if not turns.end():
            return {name: {kind: len(some) for kind, some in found.items()} for name, found in turns.samples.items()}


def test_only_what_is_undecided_takes_another_turn():
    def value(variant, kind, number):
        if (variant, kind) == ("c", "lock"):
            return 1.1 * [1, 1.5, 0.7, 1.2, 0.8][number]
        return {"a": 1.0, "b": 2.0, "c": 3.0}[variant] * QUIET[(number + ord(variant)) % 5]

    kinds = {"a": ["cold", "lock"], "b": ["cold", "lock"], "c": ["cold", "lock"], "d": ["cold"]}
    turns = Turns(RULE, {name: kinds[name] for name in "abc"}, {"b": ["a"], "c": ["a"]})
    assert sit(turns, value) == {"a": {"cold": 3, "lock": 5}, "b": {"cold": 3, "lock": 3}, "c": {"cold": 3, "lock": 5}}
    assert {kind: [one.found for one in some] for kind, some in turns.compared("c").items()} == {
        "cold": ["differs"], "lock": ["open"],
    }  # fmt: skip
    assert turns.compared("a") == {}


def test_what_is_compared_with_nothing_gets_the_most_and_less_where_it_takes_long():
    rule = Rule(most=5, spent_s=100)
    turns = Turns(rule, {"a": ["cold", "lock"], "b": ["cold"]}, {"a": ["gone"]})
    counts = sit(turns, lambda variant, kind, number: 40.0 if kind == "lock" else 1.0)
    assert counts == {"a": {"cold": 5, "lock": 3}, "b": {"cold": 5}}
