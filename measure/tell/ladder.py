"""The ladder at a glance: some images of several steps, as one chart with a switch, and as a narrow table."""

from __future__ import annotations

import html

from measure.base.platforms import PLATFORMS, other_than
from measure.base.units import duration
from measure.record.records import Record
from measure.steps.compose import RECOMMENDED
from measure.tell.charts import Bar
from measure.tell.page import Page, emphasised, markdown_table, page_function, short
from measure.tell.reading import against
from measure.tell.sizes import MEASURES, chart


@page_function
def glance(page: Page, *names: str, copy: str) -> str:
    """One chart of some images, `NAME: words for it`, as tabs: transfer, unpacked, on the other platform, a rebuild.

    The image called `copy` is marked as the recommended one.
    """
    words = dict(name.split(": ", 1) for name in names)
    titles = {name: f"{name}: {said}" for name, said in words.items()}

    def sizes(kind: str, platform: str) -> str:
        named = [(title, page.built(name, platform)) for name, title in titles.items()]
        return chart(page, named, MEASURES[kind], kind, titles[copy])

    native = PLATFORMS[0]
    other = other_than(native)
    tabs = {
        "Transfer": sizes("transfer", native),
        "Unpacked": sizes("unpacked", native),
        f"Transfer, {other.split('/')[1]}": sizes("transfer", other),
        "Rebuild after one line": _rebuilds(page, titles, copy),
    }
    return _switch("glance", tabs)


def _switch(name: str, tabs: dict[str, str]) -> str:
    """Parts of which one is seen at a time, in the form that pymdownx.tabbed writes and the theme styles.

    It is CSS alone: it works without JavaScript, and on paper all parts are there. On one line, so that Markdown leaves
    it alone; the extension would put each chart into a paragraph, where HTML allows none.
    """
    ids = {title: f"__tabbed_{name}_{number}" for number, title in enumerate(tabs, start=1)}
    inputs = "".join(f'<input id="{one}" name="__tabbed_{name}" type="radio"/>' for one in ids.values())
    inputs = inputs.replace("/>", ' checked="checked"/>', 1)
    labels = "".join(f'<label for="{one}">{html.escape(title)}</label>' for title, one in ids.items())
    blocks = "".join(f'<div class="tabbed-block">{drawn}</div>' for drawn in tabs.values())
    return (
        f'<div class="tabbed-set tabbed-alternate" data-tabs="{name}:{len(tabs)}">'
        f'{inputs}<div class="tabbed-labels">{labels}</div>'
        f'<div class="tabbed-content">{blocks}</div></div>'
    )


def _rebuilds(page: Page, titles: dict[str, str], copy: str) -> str:
    """A chart of what a build takes after one line of the application's code changed."""
    drawn, cpus = [], {}
    for name, title in titles.items():
        record, found = page.samples(name, "edit")
        cpus[record.time.cpu or "a processor that is not recorded"] = None
        drawn.append(Bar(title, "edit", found.median, duration(found.median), name == copy))
    where = f"natively on {page.records.native}, on {' and '.join(cpus)}"
    return page.chart(drawn, f"Median seconds of a build after one line of code changed, {where}. "
                             "Each step was timed in a sitting of its own.")  # fmt: skip


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
    """An image's name: that of its step for the recommended one, as pages call it."""
    return short(record.step) if record.variant == RECOMMENDED else f"{short(record.step)}/{record.variant}"
