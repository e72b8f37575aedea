"""Verdicts on claims are computed from records: they turn with a number, and fall silent without one."""

import functools
import json
import re
import shutil
from pathlib import PurePosixPath

import pytest

from measure.base.files import RESULTS
from measure.record import records
from measure.tell import folklore, pages
from measure.tell.folklore import Claim, Facts, Means, WrongClaim, claims, decide, told
from measure.tell.pages import Page, Records
from tests.docs.test_site import typed

CLAIMS = claims()
MEANS = Means(holds="yes", depends="partly", no_longer="no")


def page() -> Page:
    """The page, with the records as they are now."""
    return Page(Records(), PurePosixPath("results/folklore.md"), {})


#: The same for tests that change no record: whether records hold is found out once.
unchanged = functools.cache(page)


def claim(holds: str, depends: str | None = None, **changes) -> Claim:
    usual = {"id": "a-claim", "theme": "Theme", "says": "Say it", "who": "as one usually hears it", "when": "undated"}
    usual |= {"quoted": False}
    means = MEANS if depends else Means(holds="yes", no_longer="no")
    return Claim(**{**usual, "holds": holds, "depends": depends, "means": means, **changes})


@pytest.fixture(scope="module")
def decided():
    """The repository's claims, with their verdicts, by identifier."""
    here = unchanged()
    return {one.id: decide(one, here) for one in CLAIMS}


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A copy of the records, to be changed."""
    copy = tmp_path / "results"
    shutil.copytree(RESULTS, copy)
    for module in (records, pages):
        monkeypatch.setattr(module, "RESULTS", copy)
    return copy


def rewrite(path, change) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


# The claims of the repository


def test_there_are_enough_claims_and_most_are_decided(decided):
    assert len(CLAIMS) >= 30
    assert sum(bool(one.url) and one.when != "undated" for one in CLAIMS) >= 30, "where and when it was said"
    assert sum(one.verdict != "undecided" for one in decided.values()) >= 25
    assert {one.verdict for one in decided.values()} >= {"holds", "it depends", "no longer"}


def test_only_what_says_what_it_waits_for_is_undecided(decided):
    """A name that is written wrongly would leave a claim undecided for ever."""
    undecided = {one.claim.id: one.words for one in decided.values() if one.verdict == "undecided"}
    assert undecided.keys() <= {one.id for one in CLAIMS if one.waits_for}, undecided


@pytest.mark.parametrize("one", CLAIMS, ids=lambda one: one.id)
def test_a_claim_has_a_source_and_a_date_or_says_that_it_has_none(one):
    assert one.who.strip()
    assert re.fullmatch(r"undated|20\d\d(-\d\d(-\d\d)?)?", one.when)
    assert one.url or one.when == "undated", "a date without a place to look it up"


def test_identifiers_are_unique_and_the_same_one_twice_is_told(tmp_path, monkeypatch):
    names = [one.id for one in CLAIMS]
    assert len(names) == len(set(names))
    twice = tmp_path / "claims.toml"
    twice.write_text(folklore.CLAIMS.read_text() + "\n" + folklore.CLAIMS.read_text())
    monkeypatch.setattr(folklore, "CLAIMS", twice)
    with pytest.raises(folklore.Problem, match="twice"):
        claims()


@pytest.mark.parametrize("one", CLAIMS, ids=lambda one: one.id)
def test_the_words_of_every_outcome_can_be_filled_in_and_no_number_in_them_was_typed(one, decided):
    """Also those that are not shown today."""
    for verdict in ("holds", "it depends", "no longer"):
        words = {"holds": one.means.holds, "it depends": one.means.depends, "no longer": one.means.no_longer}[verdict]
        if words is None:
            continue
        assert typed(words) == []
        if decided[one.id].verdict != "undecided":
            try:
                assert told(one, verdict, Facts(unchanged()))
            except WrongClaim:
                raise
            except folklore.Problem as problem:  # what another outcome would show may not be there
                assert verdict != decided[one.id].verdict, problem


def test_a_verdict_names_its_records_and_the_commands_that_take_them_again(decided):
    for one in decided.values():
        if one.verdict == "undecided":
            continue
        assert one.records and one.commands, one.claim.id
        assert all(command.startswith("make ") for command in one.commands)
    faster = decided["order-matters"]
    assert faster.commands == ["make time-step-2"]
    assert [re.match(r"\[(.+?)\]", link)[1] for link in faster.records] == ["step-2/naive", "step-2/recommended"]


# A verdict follows the records

SLIM = "lab-amd64/step-1-kiss/slim.linux-amd64.json"


def verdict_of(identifier: str):
    (one,) = [one for one in claims() if one.id == identifier]
    return decide(one, page())


def test_a_number_that_is_turned_around_turns_the_verdict(results, decided):
    assert verdict_of("slim-saves-80-percent").verdict == decided["slim-saves-80-percent"].verdict == "holds"
    rewrite(results / SLIM, lambda record: record["size"].update(unpacked_tar_bytes=2_000_000_000))
    rewrite(results / SLIM, lambda record: record["size"].update(transfer_bytes=2_000_000_000))
    assert verdict_of("slim-saves-80-percent").verdict == "no longer"


def test_one_of_two_numbers_makes_it_depend(results):
    rewrite(results / SLIM, lambda record: record["size"].update(unpacked_tar_bytes=2_000_000_000))
    one = verdict_of("slim-saves-80-percent")
    assert one.verdict == "it depends"
    assert "2000.0" not in one.words
    assert "on disk" in one.words


def test_a_time_that_is_turned_around_turns_the_verdict(results, decided):
    assert decided["order-matters"].verdict == "holds"
    path = results / "lab-amd64/step-2-poetry/naive.linux-amd64.json"
    rewrite(path, lambda record: record["time"]["rebuild_after_edit_s"].update(samples=[0.1], median=0.1))
    assert verdict_of("order-matters").verdict == "no longer"


def test_a_wheel_that_is_gone_turns_the_verdict(results, decided):
    assert decided["alpine-psycopg2-binary"].verdict == "no longer"

    def without(table):
        (row,) = [row for row in table["packages"] if row["name"] == "psycopg2-binary"]
        for answer in row["answers"]:
            if answer["libc"] == "musllinux":
                answer.pop("wheel")
                answer["said"] = "No matching distribution found"

    rewrite(results / "wheels.json", without)
    assert verdict_of("alpine-psycopg2-binary").verdict == "holds"


def test_without_its_record_a_claim_is_undecided(results):
    (results / SLIM).unlink()
    one = verdict_of("slim-saves-80-percent")
    assert one.verdict == "undecided"
    assert "slim.linux-amd64.json is missing: not measured yet" in one.words
    assert (one.records, one.commands) == ([], ["make step-1"])


def test_with_a_stale_record_a_claim_is_undecided(results):
    rewrite(results / SLIM, lambda record: record["inputs"].update(dockerfile_sha256="0" * 64))
    rewrite(results / SLIM, lambda record: record.update(inputs_sha256="0" * 64))
    one = verdict_of("slim-saves-80-percent")
    assert one.verdict == "undecided"
    assert "is stale: the Dockerfile changed" in one.words
    assert one.commands == ["make step-1"]


def test_without_its_times_a_claim_is_undecided(results):
    rewrite(results / "lab-amd64/step-2-poetry/naive.linux-amd64.json", lambda record: record.pop("time"))
    one = verdict_of("order-matters")
    assert (one.verdict, one.commands) == ("undecided", ["make time-step-2"])


def test_times_of_two_sittings_decide_nothing(results):
    path = results / "lab-amd64/step-2-poetry/naive.linux-amd64.json"
    rewrite(path, lambda record: record["time"].update(measured_at="2020-01-01T00:00:00Z"))
    one = verdict_of("order-matters")
    assert (one.verdict, one.commands) == ("undecided", ["make time-step-2"])
    assert "not timed in one sitting" in one.words


def test_a_build_that_should_fail_and_does_not_decides_nothing(results, decided):
    assert decided["slim-cannot-compile"].verdict == "it depends"
    fine = json.loads((results / "lab-amd64/extra-compiling-deps/recommended.linux-amd64.json").read_text())

    def builds(record):
        del record["failure"]
        record.update(outcome="built", size=fine["size"], contents=fine["contents"])

    rewrite(results / "lab-amd64/extra-compiling-deps/broken.linux-amd64.json", builds)
    assert verdict_of("slim-cannot-compile").verdict == "undecided"


# Rules


@pytest.mark.parametrize(
    ("holds", "depends", "verdict"),
    [
        ('size("step-1/slim") < size("step-1")', None, "holds"),
        ('size("step-1/slim") > size("step-1")', None, "no longer"),
        ("1 > 2", "2 > 1", "it depends"),
        ("1 > 2", "2 > 3", "no longer"),
        ('failed("extra-compiling-deps/broken", "pg_config")', None, "holds"),
        ('failed("extra-compiling-deps/broken", "no such words")', None, "no longer"),
        ('has("step-4", "numpy") and not has("step-4", "compiler")', None, "holds"),
        ('"libpq-dev" in built_with("psycopg2") and adds("psycopg2") > 100e6', None, "holds"),
        ('base("python:3.14") > then("base image, full")', None, "holds"),
    ],
)
def test_rules(holds, depends, verdict):
    assert decide(claim(holds, depends), unchanged()).verdict == verdict


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ('nothing("step-1") > 1', "there is no nothing"),
        ("1 > 2 and whatever", "there is no whatever"),
        ("range(3)", "there is no range"),
        ('size("step-1")', "neither true nor false"),
        ('size("step-1", "no-such-kind") > 1', "no-such-kind"),
        ('size("step-1" > 1', "unexpected|expected"),
        ('then("no such image") > 1', "a-claim"),
        ('layer("step-1", "no such words") > 1', "a-claim"),
        ('size.__globals__ == 1', "a-claim"),
        ("1 / 0 > 1", "zero"),
    ],
)  # fmt: skip
def test_a_rule_that_is_wrong_is_an_error_that_names_the_claim(rule, message):
    with pytest.raises(WrongClaim, match=message) as error:
        decide(claim(rule), unchanged())
    assert "a-claim" in error.value.what
    assert error.value.why.startswith("in ")


def test_words_that_are_wrong_are_an_error_that_names_the_claim():
    wrong = claim("1 > 0", means=Means(holds="{{ nothing() }}", no_longer="no"))
    with pytest.raises(WrongClaim, match="The claim a-claim: 'nothing' is undefined"):
        decide(wrong, unchanged())


def test_words_whose_record_is_missing_leave_the_claim_undecided(results):
    (results / SLIM).unlink()
    words = Means(holds="{{ size('step-1/slim') }}", no_longer="no")
    assert decide(claim("1 > 0", means=words), page()).verdict == "undecided"


def test_what_a_claim_waits_for_is_said():
    waiting = claim('size("step-1/nothing") > 1', waits_for="a variant")
    one = decide(waiting, unchanged())
    assert one.verdict == "undecided"
    assert one.words == "step-1-kiss has no variant called nothing. It waits for a variant."


@pytest.mark.parametrize(
    "wrong", [{"when": "last year"}, {"id": "Not An Anchor"}, {"url": "http://example.com"}, {"quoted": True}]
)
def test_a_claim_that_is_not_complete_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        claim("1 > 0", **wrong)
