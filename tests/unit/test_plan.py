"""Plans change what they say, and time what a page compares: no more and no less."""

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.base.names import LAB_ENVIRONMENT
from measure.base.platforms import PLATFORMS
from measure.pages import site
from measure.record import enough, plan
from measure.record.records import MEMORY, TIMES, Record, Samples, Times, load, record_path
from measure.steps.compose import Step, find_step
from measure.tell import folklore
from measure.tell.page import FUNCTIONS, Page
from measure.tell.reading import Records
from tests.claims import rule_parts

TIMED = [find_step(path.stem) for path in sorted(plan.PLANS.glob("*.toml"))]
CHANGES = [(step, kind) for step in TIMED for kind in plan.plan_of(step).changes]


@pytest.mark.parametrize(("step", "kind"), CHANGES, ids=lambda value: getattr(value, "name", value))
def test_a_change_changes_its_files_alone_and_is_another_each_time(step, kind):
    def texts(folder):
        paths = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_text() for path in paths}

    seen = []
    for _ in range(2):
        with plan.changed(step, kind) as (copy, _):
            seen.append(texts(copy.folder))
            assert copy == replace(step, folder=copy.folder)
            assert [variant.name for variant in copy.variants] == [variant.name for variant in step.variants]
    planned = plan.plan_of(step)
    changes = planned.compiled if kind == "compiled" else planned.dependency
    files = sorted(planned.code) if kind == "edit" else sorted(change.file for change in changes)
    assert sorted(name for name in seen[0] if seen[0][name] != seen[1][name]) == files
    if kind == "edit" and planned.answer:
        (code,) = planned.code
        original = (step.folder / code).read_text()
        assert planned.answer.before in original
        assert planned.answer.before not in seen[0][code]
        assert len(seen[0][code].splitlines()) == len(original.splitlines())
    elif kind == "edit":
        for code in planned.code:
            *before, last = seen[0][code].splitlines()
            assert before == (step.folder / code).read_text().rstrip("\n").splitlines()
            assert re.fullmatch(r"(#|//) [0-9a-f]{32}", last)
            assert last.startswith("//") == (not code.endswith(".py"))
    for change in changes if kind != "edit" else []:
        found = [
            re.search(re.escape(change.after).replace("NONCE", "[0-9a-f]{64}"), one[change.file])[0] for one in seen
        ]
        assert ("NONCE" in change.after) == (found[0] != found[1])
        assert change.before not in seen[0][change.file]


def test_a_change_that_fits_no_more_is_told(tmp_path, monkeypatch):
    step = find_step("extra-need-for-speed")
    text = (plan.PLANS / f"{step.name}.toml").read_text().replace("before = '''", "before = '''no such line")
    (tmp_path / f"{step.name}.toml").write_text(text)
    monkeypatch.setattr(plan, "PLANS", tmp_path)
    with pytest.raises(Problem, match="no such line"), plan.changed(step, "compiled"):
        pass


def test_a_kind_that_changes_nothing_is_refused():
    """Else the builder's cache would be timed in its place."""
    with pytest.raises(Problem, match="no change of kind compiled"), plan.changed(find_step("step-1"), "compiled"):
        pass


def test_a_step_without_a_plan_is_told(tmp_path):
    with pytest.raises(Problem, match="nothing to time"):
        plan.plan_of(Step("step-9-demo", tmp_path))


def test_the_new_version_of_a_dependency_is_locked_too():
    """A change of version that pip refuses, because a hash is wrong, would time a failure."""
    for step in TIMED:
        planned = plan.plan_of(step)
        for change in planned.dependency + planned.compiled:
            if "sha256:" in change.before:
                assert "sha256:" in change.after
                assert not set(re.findall(r"sha256:\w+", change.before)) & set(re.findall(r"sha256:\w+", change.after))


@pytest.mark.parametrize("step", TIMED, ids=lambda step: step.name)
def test_a_plan_is_of_its_steps_variants_and_changes_what_it_times(step):
    planned = plan.plan_of(step)
    names = {variant.name for variant in step.variants if not variant.teaching.fails_with}
    timed = {name for some in planned.time.values() for name in some}
    assert {name.removesuffix(plan.OTHER) for name in timed | {*planned.against}} <= names
    assert {other for some in planned.against.values() for other in some} <= timed
    assert {kind for name in names for kind in planned.kinds(name)} & {"edit", "lock", "compiled"} <= {*planned.changes}
    assert not ("import" in planned.time) ^ (planned.imports is not None)
    assert not ("answer" in planned.time) ^ (planned.answer is not None)
    assert set(TIMES.values()) <= set(Times.model_fields)


def test_one_variant_alone_is_timed_with_those_that_it_is_compared_with():
    planned = plan.plan_of(find_step("extra-need-for-speed"))
    assert planned.alone("links").time == {"base": ["plain", "links"]}
    assert planned.alone("links").watch is None
    alone = planned.alone("recommended")
    assert alone.time["base"] == ["plain", "cache-mounts", "recommended"]
    assert "cold" not in alone.time
    assert alone.watch


def as_planned(record: Record) -> str:
    """What a plan calls the variant of a record of the lab."""
    return record.variant + (plan.OTHER if record.platform == "linux/arm64" else "")


Asked = defaultdict[tuple[str, str, str], set[str]]


def every_branch() -> None:
    """Ask what every claim asks for, whichever way it comes out."""
    page = Page(Records(), PurePosixPath("results/folklore.md"))
    for claim in folklore.CLAIMS:
        for part in rule_parts(claim):
            folklore.decide(claim.model_copy(update={"rule": part}), page)


def test_what_is_timed_is_what_a_page_asks_for(monkeypatch):
    """A time that no page shows costs minutes of each sitting; one that a page shows and no plan takes grows old."""
    asked: Asked = defaultdict(set)
    compared: Asked = defaultdict(set)
    samples, compare, place = Page.samples, FUNCTIONS["compared"], [""]

    def note(page, name, kind):
        record, found = samples(page, name, kind)
        asked[record.step, as_planned(record), kind].add(place[0])
        return record, found

    def note_compared(page, name, kind):
        record = page.timed_record(name)
        compared[record.step, as_planned(record), kind].add(place[0])
        return compare(page, name, kind)

    monkeypatch.setattr(Page, "samples", note)
    monkeypatch.setitem(FUNCTIONS, "compared", note_compared)
    records = Records()
    for path in sorted(site.PAGES.rglob("*.md")):
        place[0] = path.name
        site.render_page(records, PurePosixPath(path.relative_to(site.PAGES).as_posix()), path.read_text())
    place[0] = "README.md"
    site.readme((ROOT / "README.md").read_text())
    place[0] = "folklore/claims"
    every_branch()
    taken = set()
    for step in TIMED:
        planned = plan.plan_of(step)
        for name in [variant.name + mark for variant in step.variants for mark in ("", plan.OTHER)]:
            kinds = [*planned.kinds(name), *planned.starts(name), "watch", "memory-loaded"]
            taken |= {(step.name, name, kind) for kind in kinds if planned.takes(name, kind)}
    # To ask an experiment's application, it has to be started.
    free = {one for one in taken if one[0].startswith("folklore-") and one[2] == "start"}
    shown = asked | compared
    assert {one: shown[one] for one in shown if one not in taken} == {}, "shown and not taken"
    assert taken - free - shown.keys() == set(), "taken and not shown"


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("step", TIMED, ids=lambda step: step.name)
def test_each_record_of_the_lab_has_the_times_of_its_plan(step, platform):
    """As many samples as its rule wants; five or more, three of what takes over three minutes, where it has none."""
    planned = plan.plan_of(step)
    for variant in (one for one in step.variants if platform in one.platforms()):
        record = load(record_path(LAB_ENVIRONMENT, step.name, variant.name, platform))
        name = as_planned(record)
        if record.outcome == "failed" or record.time is None:
            assert not any(name in some for some in planned.time.values())
            continue
        assert record.time.builder == (None if platform == "linux/amd64" else "linux/amd64")
        for kind, field in (TIMES | MEMORY).items():
            found = getattr(record.time, field)
            if found is None:
                assert not planned.takes(name, kind), f"{name} has no {kind}: {step.timing_command}"
            elif record.time.rules is None:
                assert len(found.samples) >= (3 if found.median > 180 and kind not in MEMORY else 5), field
            elif kind != "watch":
                rule = record.time.rules[_group(kind)]
                spent = rule.spent_s is not None and sum(found.samples) > rule.spent_s
                assert (2 if spent else rule.least) <= len(found.samples) <= rule.most, field


def _group(kind: str) -> str:
    return "memory" if kind in MEMORY else "starts" if kind in ("start", "import") else "builds"


def test_a_comparison_is_what_its_samples_say():
    """Of both variants, where both records still are of that sitting."""
    for step in TIMED:
        paths = (record_path(LAB_ENVIRONMENT, step.name, v.name, p) for v in step.variants for p in v.platforms())
        records = {as_planned(record): record for record in map(load, paths)}
        for record in (one for one in records.values() if one.time and one.time.compared):
            for kind, some in record.time.compared.items():
                if kind not in TIMES | MEMORY:  # what an application reports of itself
                    continue
                rule = record.time.rules[_group(kind)] if record.time.rules else enough.BUILDS
                for one in (one for one in some if records[one.against].time.measured_at == record.time.measured_at):
                    times = (record.time, records[one.against].time)
                    both = [getattr(time, (TIMES | MEMORY)[kind]) for time in times]
                    assert enough.compare(one.against, *(two.samples for two in both), rule) == one


def test_samples_keep_their_median():
    assert Samples.of([3.00049, 0.0012345, 2.0]).model_dump() == {"samples": [3.0, 0.001234, 2.0], "median": 2.0}
