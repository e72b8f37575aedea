"""Charts as SVG that stands in the page itself: it takes the page's text colour, and scales down to a phone."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass

from measure.base.units import megabytes

#: Readable on white and on near-black (WCAG 2.2, contrast of graphics: 3 to 1 at least).
COLOURS = ("#2f7ed8", "#c9701a", "#1f9d6b", "#a355c9")
_WIDTH = 320  #: in the chart's own units; about a phone's width with the labels
_BAR = 16


@dataclass(frozen=True)
class Bar:
    """One bar: the group it stands in, what it measures, its length in bytes, or in what else `text` says it is."""

    group: str
    series: str
    size: float
    text: str = ""

    @property
    def label(self) -> str:
        """What is written at its end."""
        return self.text or megabytes(round(self.size))


def bars(bars: Iterable[Bar], caption: str, order: Iterable[str] = ()) -> str:
    """Horizontal bars, grouped, each with its size written at its end; an HTML figure with an alternative text.

    Groups and series keep the order in which they first appear; series that `order` names come first, in that order.
    """
    import altair  # half a second, and of the site's own packages: a run does without
    import vl_convert

    bars = list(bars)
    groups = list(dict.fromkeys(bar.group for bar in bars))
    present = {bar.series for bar in bars}
    series = list(dict.fromkeys([*(one for one in order if one in present), *(bar.series for bar in bars)]))
    rows = [{"group": b.group, "series": b.series, "size": b.size, "label": b.label} for b in bars]
    longest = max(row["size"] for row in rows)
    base = altair.Chart(altair.Data(values=rows)).encode(
        y=altair.Y("series:N", sort=series, axis=None, scale=altair.Scale(paddingInner=0.1)),
        x=altair.X("size:Q", axis=None, scale=altair.Scale(domain=[0, longest * 1.35])),
    )
    legend = altair.Legend(orient="top", title=None, columns=2, columnPadding=30) if len(series) > 1 else None
    colour = altair.Color("series:N", sort=series, scale=altair.Scale(range=list(COLOURS)), legend=legend)
    labels = base.mark_text(align="left", dx=4, fontSize=11, color="currentColor").encode(text="label:N")
    layered = (base.mark_bar().encode(color=colour) + labels).properties(width=_WIDTH, height=(_BAR + 2) * len(series))
    header = altair.Header(
        title=None, labelAnchor="start", labelFontSize=12, labelOrient="top", labelPadding=2, labelColor="currentColor"
    )
    chart = layered.facet(row=altair.Row("group:N", sort=groups, header=header), spacing=8).configure(
        background="transparent",
        view=altair.ViewConfig(stroke=None),
        legend=altair.LegendConfig(labelColor="currentColor", labelFontSize=12),
        font="sans-serif",
    )
    svg = vl_convert.vegalite_to_svg(chart.to_json())
    alternative = f"{caption}: " + "; ".join(f"{b.group}, {b.series}: {b.label}" for b in bars)
    return _figure(svg, caption, alternative)


def _figure(svg: str, caption: str, alternative: str) -> str:
    """An SVG as an HTML figure on one line, so that Markdown leaves it alone."""
    head = re.search(r"<svg[^>]*>", svg)[0]
    view = re.search(r'viewBox="[^"]*"', head)[0]
    label = html.escape(alternative, quote=True)
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" {view} role="img" aria-label="{label}">'
    body = re.sub(r' aria-\w+="[^"]*"| role="[^"]*"', "", svg[svg.index(head) + len(head) :])
    body = re.sub(r"\s*\n\s*", "", body)
    return f'<figure class="chart">{opening}{body}<figcaption>{html.escape(caption)}</figcaption></figure>'
