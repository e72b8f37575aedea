"""The ladder at a glance: some variants of several steps, their sizes and times, as charts and tables."""

from __future__ import annotations

from measure.base.platforms import PLATFORMS
from measure.base.units import duration
from measure.record.plan import plan_of
from measure.record.records import TIMES, Record
from measure.steps.compose import find_step
from measure.tell.charts import Bar
from measure.tell.page import Page, emphasised, markdown_table, page_function, short
from measure.tell.reading import KINDS, against
from measure.tell.sizes import chart
from measure.tell.times import seconds

#: The columns of the table of times.
_TIMED = {"cold": "cold build", "edit": "one line of code", "lock": "one dependency", "start": "first answer"}


@page_function
def ladder(page: Page, *names: str) -> str:
    """Charts and tables of some variants of several steps: sizes on both platforms, and what was timed of them."""
    named = [(_label(record), record) for record in map(page.built, names)]
    head = ["variant"]
    for platform in PLATFORMS:
        change = ["change"] if platform == PLATFORMS[0] else []  # on the other one it is nearly the same
        head += [word for kind in KINDS for word in (f"{platform.split('/')[1]}, {kind}", *change)]
    rows = []
    for _, record in named:
        row = [f"[{_label(record)}]({page.step_page(record.step)})"]
        for size, percent in against(record, named[0][1]):
            row += [page.bytes(record, size), percent]
        other = page.built(f"{record.step}/{record.variant}", PLATFORMS[1])
        rows.append([*row, *(page.bytes(other, getattr(other.size, field)) for field in KINDS.values())])
    drawn = chart(page, named, f"Image sizes on {' and '.join(PLATFORMS)}", PLATFORMS)
    found = (drawn, markdown_table(head, rows, "lrrrrrr"), _climb(page, names))
    return "\n\n".join(part for part in found if part)


@page_function
def compare(page: Page, *names: str, platform: str = PLATFORMS[0]) -> str:
    """A narrow table of some images on one platform: transfer, its change against the first one, unpacked."""
    records = [page.built(name, platform) for name in names]
    same = len({record.step for record in records}) == 1
    rows = []
    for record in records:
        (transfer, percent), (unpacked, _) = against(record, records[0])
        label = emphasised(record.variant) if same else f"[{_label(record)}]({page.step_page(record.step)})"
        rows.append([label, page.bytes(record, transfer), percent, page.bytes(record, unpacked)])
    return markdown_table(["image", "transfer", "change", "unpacked"], rows, "lrrr")


def _label(record: Record) -> str:
    return f"{short(record.step)}/{record.variant}"


def _climb(page: Page, names: tuple[str, ...]) -> str:
    """A chart and a table of what was timed of some variants; an empty cell where nothing was."""
    rows, drawn, timed = [], [], []
    for name in names:
        record = page.records.get(name, page.records.native)
        row = [f"[{_label(record)}]({page.step_page(record.step)})"]
        for kind, words in _TIMED.items():
            taken = record.time and plan_of(find_step(record.step)).takes(record.variant, kind)
            found = getattr(record.time, TIMES[kind]) if taken else None
            row.append(seconds(page, name, kind) if found else "")
            if found:
                drawn.append(Bar(_label(record), words, found.median, duration(found.median)))
                timed.append(record)
        rows.append(row)
    if not drawn:
        return ""
    where = f"natively on {page.records.native}"
    table = markdown_table(["variant", *_TIMED.values()], rows, "l" + "r" * len(_TIMED))
    chart = page.chart(drawn, f"Medians of seconds, {where}", _TIMED.values())
    return "\n\n".join(part for part in (chart, _taken(where, timed), table) if part)


def _taken(where: str, timed: list[Record]) -> str:
    """What a table of times shows, and when and on which processors they were taken."""
    days = {f"{record.time.measured_at:%Y-%m-%d}" for record in timed}
    said = (
        f"Medians of seconds, {where}: a build from nothing, builds after a change, `docker run` to the first "
        f"answer. Taken on {' and '.join(sorted(days))} (UTC), each step in a sitting of its own; what is empty "
        "was not timed."
    )
    machines: dict[str, dict[str, None]] = {}  # steps by processor, each once and in order
    for record in timed:
        machines.setdefault(record.time.cpu or "one that is not recorded", {})[short(record.step)] = None
    if len(machines) > 1:
        on = "; ".join(f"{' and '.join(steps)} on {machine}" for machine, steps in machines.items())
        said += f" Compare within a step, not across, because processors differ: {on}."
    return said
