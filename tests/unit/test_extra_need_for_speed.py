"""The extra about speed: its variants differ in what they teach, and its goals are met."""

import pytest

from measure.base.names import LAB_ENVIRONMENT
from measure.record.records import load, record_path
from measure.steps.compose import find_step

STEP = find_step("extra-need-for-speed")


#: Of a variant and the one that it adds an idea to: how many instructions of that one it changes or leaves out, and how
#: many it has that that one has not.
DIFFERENCES = {
    ("plain", "cache-mounts"): (3, 3),
    ("plain", "bind-mounts"): (2, 1),
    ("plain", "links"): (3, 3),
    ("plain", "compiled"): (0, 2),
    ("plain", "no-pyc"): (1, 1),
    ("plain", "uv"): (1, 2),
    ("uv", "uv-cache-mount"): (1, 1),
    ("plain", "recommended"): (2, 4),
    ("recommended", "solution"): (1, 1),
}


def differing(one: str, other: str) -> tuple[list[str], list[str]]:
    """The instructions that only the first of two variants has, and those that only the second has."""
    before, after = (STEP.variant(name).parsed.instructions for name in (one, other))
    return [line for line in before if line not in after], [line for line in after if line not in before]


@pytest.mark.parametrize("pair", DIFFERENCES, ids="-".join)
def test_a_variant_adds_one_idea_to_its_neighbour(pair):
    gone, new = differing(*pair)
    assert (len(gone), len(new)) == DIFFERENCES[pair]


def test_the_one_to_copy_has_what_proved_worth_it_and_takes_it_from_where_it_was_measured():
    _, new = differing("plain", "recommended")
    measured = {line for name in ("cache-mounts", "compiled") for line in STEP.variant(name).parsed.instructions}
    not_measured = [line for line in new if line not in measured]
    assert all("CODE_OWNER" in line for line in not_measured), "that is for `docker compose watch`"


@pytest.mark.parametrize(
    "name, kind", [("cache-mounts", "rebuild_after_lock_s"), ("compiled", "start_to_first_response_s")]
)
def test_what_the_one_to_copy_took_over_was_faster_in_each_sample(name, kind):
    with_it, without = (
        getattr(load(record_path(LAB_ENVIRONMENT, STEP.name, variant, "linux/amd64")).time, kind).samples
        for variant in (name, "plain")
    )
    assert max(with_it) < min(without)


@pytest.mark.parametrize("kind, seconds", [("edit_to_answer_s", 3), ("watch_to_answer_s", 1.5)])
def test_a_changed_line_is_answered_with_in_time(kind, seconds):
    """What the page promises, on the two cores that it was recorded with."""
    record = load(record_path(LAB_ENVIRONMENT, STEP.name, "recommended", "linux/amd64"))
    assert getattr(record.time, kind).median < seconds
