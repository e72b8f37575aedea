"""What pages say of times and memory: medians with their spread, parts, ratios, and tables of variants."""

from __future__ import annotations

from collections.abc import Callable

from measure.base.errors import Problem
from measure.base.names import LAB_ENVIRONMENT
from measure.base.units import duration, megabytes
from measure.record import enough
from measure.record.plan import LABS_OWN, OTHER, plan_of
from measure.record.records import MEMORY, TIMES, Record, Samples
from measure.steps.compose import find_step
from measure.tell.page import Page, code, emphasised, markdown_table, page_function


def median(page: Page, record: Record, found: Samples, shown: Callable[[float], str] = duration) -> str:
    """A median that leads to its record, with the lowest and the highest sample, and how many there are."""
    spread = f"{shown(min(found.samples))} to {shown(max(found.samples))} in {len(found.samples)} samples"
    busy = f"; on a busy machine: load {record.time.load_before} before" if record.time.busy else ""
    return page.number(shown(found.median), record, spread + busy)


@page_function
def seconds(page: Page, name: str, kind: str, part: str = "") -> str:
    """The median of what was timed, natively: see `Reading.samples` for the kinds.

    With `part`, of the one part of it alone whose instruction has these words; raises Problem when it is not one.
    Where another environment than the lab has not taken what only the lab can take, it says so.
    """
    if kind in LABS_OWN and page.records.environment != LAB_ENVIRONMENT:
        times = page.timed_record(name).time
        if times and getattr(times, TIMES[kind]) is None:
            return "(not taken here)"
    record, whole = page.samples(name, kind)
    if not part:
        return median(page, record, whole)
    found = [samples for words, samples in seen(record, kind, whole).items() if part in words]
    if len(found) != 1:
        raise Problem(f"{len(found)} parts of {name}'s {kind} have {part!r} in them.", next="make show-step-N")
    return median(page, record, found[0])


@page_function
def memory(page: Page, name: str, kind: str) -> str:
    """The median of the memory that a variant's processes keep: `memory-idle` or `memory-loaded`."""
    return median(page, *page.samples(name, kind), megabytes)


def seen(record: Record, kind: str, whole: Samples) -> dict[str, Samples]:
    """The parts of a kind of time, but for those that are too short to be seen in half of the samples."""
    parts = (record.time.steps_s or {}).get(kind, {})
    return {words: found for words, found in parts.items() if 2 * len(found.samples) > len(whole.samples)}


@page_function
def parts(page: Page, name: str, kind: str) -> str:
    """Where the time of a kind goes: its parts, each with its median, and the whole."""
    record, whole = page.samples(name, kind)
    rows = [[_part(words), median(page, record, found)] for words, found in seen(record, kind, whole).items()]
    return markdown_table(["part", "median"], [*rows, ["**all of it**", median(page, record, whole)]], "lr")


def _part(words: str) -> str:
    """A part of what was timed: an instruction, as the builder shows it, as code and cut; else words."""
    short = words if len(words) <= 90 else f"{words[:89]}…"
    return code(short) if words.startswith("[") else short


@page_function
def ratio(page: Page, slow: tuple[str, str], fast: tuple[str, str]) -> str:
    """How many times as long one thing takes as another; each is a name and a kind of time, of one sitting."""
    record, a, b = page.ratio(slow, fast)
    value = a.median / b.median
    text = f"{value:.0f} times" if value >= 10 else f"{value:.1f} times"
    shown_as = megabytes if slow[1] in MEMORY else duration
    return page.number(text, record, f"{shown_as(a.median)} against {shown_as(b.median)}")


@page_function
def compared(page: Page, name: str, kind: str) -> str:
    """What a record says of a variant and of the one that it was timed with, whenever that was.

    Their ratio and its interval are seen where one points at a number. Raises Problem when the record does not keep
    such a comparison.
    """
    record = page.timed_record(name)
    found = ((record.time and record.time.compared) or {}).get(kind)
    if not found:
        again = f"{find_step(record.step).timing_command} VARIANT={record.variant}"
        raise Problem(f"{name} is compared with nothing in {kind}.", next=again)
    one, ours = found[0], getattr(record.time, TIMES[kind])
    ratio = f"{one.ratio:.2f} times as long, {enough.LEVEL:.0%} interval {one.low:.2f} to {one.high:.2f}"
    exact = f"{ratio}, by {len(ours.samples)} samples, taken on {record.time.measured_at:%Y-%m-%d}"
    mine, other = (page.number(duration(median), record, exact) for median in (ours.median, one.median))
    where = f" for {record.platform}" if one.against.endswith(OTHER) else ""
    return f"{mine}, with `{one.against.removesuffix(OTHER)}`{where} {other}"


@page_function
def timings(page: Page, step: str, *columns: str, only: tuple[str, ...] = ()) -> str:
    """What was timed of a step's variants, or of `only` some; a column is `KIND: words for the head`.

    A cell is empty where the plan takes that kind of others alone.
    """
    kinds = dict(column.split(": ") for column in columns)
    planned = plan_of(find_step(step))
    rows = []
    names = [variant.name + mark for variant in find_step(step).variants for mark in ("", OTHER)]
    names = [name for name in names if (name in only if only else not name.endswith(OTHER))]
    taken = {kind: {name for name in names if planned.takes(name, kind)} for kind in kinds}
    for timed in names:
        name, variant = f"{step}/{timed}", timed.removesuffix(OTHER)
        if page.timed_record(name).outcome == "failed":
            rows.append([variant, "fails", *[""] * (len(kinds) - 1)])
            continue
        shown = [kind if timed in taken[kind] or not taken[kind] else "" for kind in kinds]
        cells = [kind and (memory if kind in MEMORY else seconds)(page, name, kind) for kind in shown]
        where = f", for {page.timed_record(name).platform}" if timed.endswith(OTHER) else ""
        rows.append([emphasised(variant) + where, *cells])
    return markdown_table(["variant", *kinds.values()], rows, "l" + "r" * len(kinds))


@page_function
def processor(page: Page, step: str) -> str:
    """The processor that a step was timed on, with a comma before it; '' where its records do not say."""
    times = page.records.get(step, page.records.native).time
    return f", on a machine with {times.cpu}" if times and times.cpu else ""


@page_function
def rules(page: Page) -> str:
    """When a sitting stops, by what is timed."""
    rows = []
    for name, rule in (("builds", enough.BUILDS), ("starts", enough.STARTS), ("memory", enough.MEMORY)):
        margin = f"{rule.margin:.0%}" + (f", or {rule.margin_s:.2f} s" if rule.margin_s else "")
        spent = f"{rule.spent_s:.0f} s" if rule.spent_s else ""
        rows.append([name, f"{rule.level:.0%}", str(rule.least), str(rule.most), margin, spent])
    head = ["of", "interval", "samples at least", "at most", "alike within", "long from"]
    return markdown_table(head, rows, "lrrrrr")
