"""Verdicts on claims are computed from records: they turn with a number, and fall silent without one."""

import ast
import functools
import json
import re
import shutil
from pathlib import PurePosixPath
from typing import get_args

import pytest

import measure.pages  # noqa: F401
from measure.base.files import RESULTS
from measure.record import records
from measure.tell.folklore import (
    CLAIMS,
    LAST,
    Decided,
    Verdict,
    claims_of,
    decide,
    depends,
    holds,
    no_longer,
    undecided,
)
from measure.tell.page import Page
from measure.tell.reading import Records
from tests.claims import rule_parts
from tests.docs.test_site import typed

BY_ID = {claim.id: claim for claim in CLAIMS}
#: The claims that no record here can decide.
OPEN = {"musl-makes-python-slower"}


def page() -> Page:
    return Page(Records(), PurePosixPath("results/folklore.md"))


#: The same for tests that change no record: whether records hold is found out once.
unchanged = functools.cache(page)


@pytest.fixture(scope="module")
def decided() -> dict[str, Decided]:
    """The repository's claims, with their verdicts, by identifier."""
    return {claim.id: decide(claim, unchanged()) for claim in CLAIMS}


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A copy of the records, to be changed."""
    copy = tmp_path / "results"
    shutil.copytree(RESULTS, copy)
    monkeypatch.setattr(records, "RESULTS", copy)
    return copy


def rewrite(path, change) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


# The claims of the repository


def test_there_are_enough_claims_and_each_is_decided(decided):
    """A name that is written wrongly would leave a claim undecided for ever; few are meant to be."""
    assert len(CLAIMS) >= 30
    assert sum(bool(one.url) and one.when != "undated" for one in CLAIMS) >= 30, "where and when it was said"
    assert all(one.url or one.when == "undated" for one in CLAIMS), "a date without a place to look it up"
    assert {one.claim.id: one.words for one in decided.values() if not one.records} == {}
    assert {one.claim.id for one in decided.values() if one.verdict == "undecided"} == OPEN
    assert {one.verdict for one in decided.values()} == {*get_args(Verdict)}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_every_outcome_can_be_told_and_no_number_in_it_was_typed(claim, decided):
    """Also those that are not shown today; what another outcome would show may have no record."""
    told = [decide(claim.model_copy(update={"rule": part}), unchanged()) for part in rule_parts(claim)]
    assert {one.verdict for one in told} >= {decided[claim.id].verdict}
    assert all(one.words for one in told)
    assert {one.words.count("**") for one in told} <= {0, 2}, "one number is bold, at most"
    words = [one.value for one in ast.walk(ast.Module(claim.parsed.body, [])) if isinstance(one, ast.Constant)]
    assert typed("\n".join(word for word in words if isinstance(word, str))) == []


def test_a_verdict_comes_down_to_one_number(decided):
    """What failed has none, and counts of wheels lead to no record."""
    shown = {name: one.number for name, one in decided.items()}
    assert sum(bool(number) for number in shown.values()) > len(shown) - 3
    assert all(number in one.words for number, one in zip(shown.values(), decided.values(), strict=True))
    assert all(number.count("](") <= 1 for number in shown.values())
    assert len({claim.short for claim in CLAIMS}) == len(CLAIMS)


def test_the_table_and_the_folded_claims_lead_to_each_other(decided):
    table, text = (unchanged().functions()[name]() for name in ("claims_table", "claims"))
    rows = table.splitlines()[2:]
    assert len(rows) == len(CLAIMS)
    for claim, row in zip(CLAIMS, rows, strict=True):
        one = decided[claim.id]
        assert f"[{claim.short}](#{claim.id})" in row
        assert f"**{one.verdict}**" in row and one.number in row
        folded = re.search(
            rf'^\?\?\? claim "[^"]+ {re.escape(claim.short)}"\n((?:\n|    .*\n)+)', f"{text}\n", re.MULTILINE
        )
        assert f"{{ #{claim.id} }}" in folded[1] and claim.told in folded[1]


def test_claims_are_counted(decided):
    count = unchanged().functions()["count_claims"]
    assert count() == str(len(CLAIMS))
    assert count("holds") == str([one.verdict for one in decided.values()].count("holds"))


def test_a_verdict_names_its_records_and_the_commands_that_take_them_again(decided):
    for one in decided.values():
        assert one.records and one.commands, one.claim.id
        assert all(command.startswith("make ") for command in one.commands)
    faster = decided["order-matters"]
    assert faster.commands == ["make time-step-2"]
    assert [re.match(r"\[(.+?)\]", link)[1] for link in faster.records] == ["step-2/naive", "step-2/recommended"]


# A verdict follows the records

SLIM = "lab-amd64/step-1-kiss/recommended.linux-amd64.json"
NAIVE = "lab-amd64/step-2-poetry/naive.linux-amd64.json"


def verdict_of(identifier: str) -> Decided:
    return decide(BY_ID[identifier], page())


def test_a_number_that_is_turned_around_turns_the_verdict(results):
    assert verdict_of("slim-saves-80-percent").verdict == "holds"
    rewrite(results / SLIM, lambda record: record["size"].update(unpacked_tar_bytes=2_000_000_000))
    one = verdict_of("slim-saves-80-percent")
    assert one.verdict == "it depends"
    assert "It depends on what you call size" in one.words
    rewrite(results / SLIM, lambda record: record["size"].update(transfer_bytes=2_000_000_000))
    assert verdict_of("slim-saves-80-percent").verdict == "no longer"


def test_a_time_that_is_turned_around_turns_the_verdict(results):
    assert verdict_of("order-matters").verdict == "holds"
    rewrite(results / NAIVE, lambda record: record["time"]["rebuild_after_edit_s"].update(samples=[0.1], median=0.1))
    assert verdict_of("order-matters").verdict == "no longer"


def test_a_wheel_that_is_gone_turns_the_verdict(results):
    assert verdict_of("alpine-psycopg2-binary").verdict == "no longer"

    def without(table):
        (row,) = [row for row in table["packages"] if row["name"] == "psycopg2-binary"]
        for answer in row["answers"]:
            if answer["libc"] == "musllinux":
                answer.pop("wheel")
                answer["said"] = "No matching distribution found"

    rewrite(results / "wheels.json", without)
    assert verdict_of("alpine-psycopg2-binary").verdict == "holds"


def stale(record) -> None:
    record["inputs"].update(dockerfile_sha256="0" * 64)
    record.update(inputs_sha256="0" * 64)


@pytest.mark.parametrize(
    ("path", "change", "identifier", "told", "command"),
    [
        (SLIM, None, "slim-saves-80-percent", "recommended.linux-amd64.json is missing", "make step-1"),
        (SLIM, stale, "slim-saves-80-percent", "is stale: the Dockerfile changed", "make step-1"),
        (NAIVE, lambda record: record.pop("time"), "order-matters", "has no times of edit", "make time-step-2"),
        (
            NAIVE, lambda record: record["time"].update(measured_at="2020-01-01T00:00:00Z"), "order-matters",
            "not timed in one sitting", "make time-step-2",
        ),
    ],
    ids=["missing", "stale", "no times", "two sittings"],
)  # fmt: skip
def test_without_a_record_that_holds_a_claim_is_undecided(results, path, change, identifier, told, command):
    if change:
        rewrite(results / path, change)
    else:
        (results / path).unlink()
    one = verdict_of(identifier)
    assert (one.verdict, one.records, one.commands) == ("undecided", [], [command])
    assert told in one.words


def test_a_build_that_should_fail_and_does_not_decides_nothing(results):
    assert verdict_of("slim-cannot-compile").verdict == "it depends"
    fine = json.loads((results / "lab-amd64/extra-compiling-deps/recommended.linux-amd64.json").read_text())

    def builds(record):
        del record["failure"]
        record.update(outcome="built", size=fine["size"], contents=fine["contents"])

    rewrite(results / "lab-amd64/extra-compiling-deps/broken.linux-amd64.json", builds)
    assert verdict_of("slim-cannot-compile").verdict == "undecided"


def test_what_no_record_can_decide_says_so_with_its_reason_and_its_records():
    """The two interpreters are not compiled alike: whichever is faster, that says nothing about musl."""
    claim = BY_ID["musl-makes-python-slower"]
    assert claim.told == "No record can decide it: undecided."
    assert len(claim.parsed.body) == 1, "no condition that a time could meet"
    one = decide(claim, unchanged())
    assert one.verdict == "undecided"
    assert "compiles the two interpreters with different switches" in one.words
    assert [re.match(r"\[(.+?)\]", link)[1] for link in one.records] == ["step-4/alpine", "step-4/slim"]
    assert one.commands == ["make time-step-4"]
    told = unchanged().functions()["claims"]().split(f"{{ #{claim.id} }}")[1].split("??? rule")[0]
    assert "Again: `make time-step-4`." in told, "not Next: to measure would mend nothing"


# How a claim is written

SOURCE = {"short": "Say it", "says": "Say it", "who": "as one usually hears it", "when": "undated", "quoted": False}


@pytest.mark.parametrize(
    "wrong",
    [{"when": "last year"}, {"url": "http://example.com"}, {"quoted": True}, {"why": "x"}, {"short": 'Say "it"'}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_claim_that_is_not_complete_is_refused(wrong):
    def new(facts, say):
        return holds("yes")

    with pytest.raises(ValueError, match=next(iter(wrong))):
        claims_of("Theme")(**{**SOURCE, **wrong})(new)


def test_a_name_is_taken_once():
    def squash(facts, say):
        return no_longer("no")

    with pytest.raises(ValueError, match="two claims squash"):
        claims_of("Theme")(**SOURCE)(squash)


@pytest.mark.parametrize("wrong", ["say.nothing()", "facts.size('step-1', 'no-such-kind')", "facts.then('x')", "1 / 0"])
def test_a_rule_that_is_wrong_is_an_error_that_names_the_claim(wrong):
    """It is no missing record, which measuring could mend."""
    claim = CLAIMS[0].model_copy(update={"rule": lambda facts, say: eval(wrong, {"facts": facts, "say": say})})
    with pytest.raises(TypeError, match="the claim slim-saves-80-percent: "):
        decide(claim, unchanged())


def test_the_conditions_of_a_rule_are_shown():
    assert BY_ID["numpy-100-times"].told.startswith("It holds if `facts.ratio('step-4/slim', 'step-4/slim', ")
    assert BY_ID["chown-doubles"].told.endswith("'unpacked_file_bytes')`; else no longer.")
    assert all(claim.told.count(" if `") == len(claim.parsed.body) - 1 for claim in CLAIMS)


@pytest.mark.parametrize(
    ("last", "told"),
    [(holds, "holds"), (depends, "it depends"), (no_longer, "no longer"), (undecided, "undecided")],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_the_last_outcome_of_a_rule_is_shown_as_what_it_is(last, told):
    assert last("so it is") == (told, "so it is")
    assert LAST[last.__name__] == told
