"""The guide's practices, verdicts and kinds of project: decided from records, with a number each, and none typed."""

import ast
import functools
from pathlib import PurePosixPath

import pytest

import measure.pages  # noqa: F401
from folklore.practices import PRACTICES
from measure.base.errors import Problem
from measure.tell.folklore import CLAIMS, Decided, decide
from measure.tell.page import MEASURED, Page
from measure.tell.reading import Records
from measure.tell.site import PAGES
from measure.tell.stages import KINDS, PAYS
from tests.claims import rule_parts
from tests.docs.test_site import typed

BY_A_TEST = {"secrets", "pins"}


@functools.cache
def page() -> Page:
    return Page(Records(), PurePosixPath("guide/practices.md"))


@pytest.fixture(scope="module")
def decided() -> dict[str, Decided]:
    return {claim.id: decide(claim, page()) for claim, _, _ in PRACTICES}


def test_each_is_decided_by_records_or_says_that_a_test_does_it(decided):
    assert {one.words for one in decided.values() if one.verdict == "undecided"} == set()
    assert {name for name, one in decided.items() if not one.records} == BY_A_TEST
    for name, one in decided.items():
        assert (MEASURED in one.words) != (name in BY_A_TEST), name
    assert {one.verdict for one in decided.values()} == {"holds", "it depends", "no longer"}


@pytest.mark.parametrize("claim", [claim for claim, _, _ in PRACTICES], ids=lambda claim: claim.id)
def test_every_outcome_can_be_told_and_no_number_in_it_was_typed(claim, decided):
    told = [decide(claim.model_copy(update={"rule": part}), page()) for part in rule_parts(claim)]
    assert {one.verdict for one in told} >= {decided[claim.id].verdict}
    words = [one.value for one in ast.walk(ast.Module(claim.parsed.body, [])) if isinstance(one, ast.Constant)]
    assert typed("\n".join(word for word in words if isinstance(word, str))) == []


def test_each_table_has_its_practices_and_no_claim_is_among_them(decided):
    shown = {aim: page().call("practices", aim) for aim in ("small", "fast", "safe")}
    for claim, where, target in PRACTICES:
        (row,) = [row for row in shown[claim.theme].splitlines() if row.startswith(f"| {claim.says} |")]
        assert ("| by a test |" in row) == (claim.id in BY_A_TEST)
        assert f"[{where}](" in row
        assert (PAGES / target.partition("#")[0]).exists()
    assert not {claim.id for claim, _, _ in PRACTICES} & {claim.id for claim in CLAIMS}
    assert len(shown["small"].splitlines()) == 2 + 6, "as many as the first screen may have"


def test_a_verdict_leads_to_its_claim():
    shown = page().call("verdict", "slim-saves-80-percent")
    assert shown == "[**holds**{ .verdict .holds }](../results/folklore.md#slim-saves-80-percent)"
    with pytest.raises(Problem, match="no claim called nobody-said-it"):
        page().call("verdict", "nobody-said-it")


def test_more_stages_pay_where_they_take_a_tenth_of_the_image_away():
    rows = page().call("when_multi_stage").splitlines()[2:]
    assert len(rows) == len(KINDS) <= 6
    for row, (words, before, after) in zip(rows, KINDS, strict=True):
        old, new = page().size(before)[1], page().size(after)[1]
        assert row.startswith(f"| {words} | [`{before}`](../steps/")
        assert f'"{old:,} bytes with {before}, {new:,} bytes with {after}' in row
        assert row.endswith("| yes |" if new <= (1 - PAYS) * old else "| no |")
