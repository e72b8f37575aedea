"""Charts as SVG that stands in the page itself: one measure each, in the page's text colour, legible on a phone.

A chart is drawn as wide as the text on a phone and scaled up elsewhere, so that its letters are never too small.
Positions are worked out here; altair makes an SVG of them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from measure.base.units import megabytes

#: Each stands out from white and from near-black by 3 to 1 at least, and white letters on it by 4.5 to 1 (WCAG 2.2,
#: 1.4.11 and 1.4.3). The last one, grey, is for bars beside a recommended one.
COLOURS = ("#2f6fc0", "#b5590c", "#15805a", "#9350b5", "#6b7280")
#: In the chart's own units, pixels on a phone. The longest bar leaves room for the number behind it.
_WIDTH, _LONGEST, _BAR, _LINE, _GAP = 320, 238, 16, 18, 6
#: The narrowest part of a bar that has room for a number.
_ROOM = 52
#: How texts are written: the names of bars, that of the recommended one, and numbers on a bar.
_STYLES = {
    "plain": {"align": "left", "color": "currentColor"},
    "bold": {"align": "left", "color": "currentColor", "fontWeight": "bold"},
    "inside": {"align": "center", "color": "white"},
}


@dataclass(frozen=True)
class Bar:
    """One bar: the group it stands in, what it measures, its length in bytes, or in what else `text` says it is."""

    group: str
    series: str
    size: float
    text: str = ""
    #: Is it the recommended one?
    marked: bool = False

    @property
    def label(self) -> str:
        """What is written at its end."""
        return self.text or megabytes(round(self.size))


@dataclass(frozen=True)
class Stack:
    """One bar that is made of parts, each with its bytes."""

    name: str
    parts: dict[str, int]
    #: Is it the recommended one?
    marked: bool = False


class _Drawing:
    """What is drawn, from the top down."""

    def __init__(self) -> None:
        self._rects: list[dict[str, Any]] = []
        self._texts: dict[str, list[dict[str, Any]]] = {style: [] for style in _STYLES}
        self._y = 0.0

    def head(self, text: str, *, marked: bool) -> None:
        """The line above a group of bars."""
        self._write(0, self._y + _LINE / 2, text, "bold" if marked else "plain")
        self._y += _LINE

    def bar(self, parts: Iterable[tuple[str, float, str]], label: str, *, marked: bool) -> None:
        """A bar of parts, each with its kind, its width and what is written on it, and the number at its end."""
        x = 0.0
        middle = self._y + _BAR / 2
        for kind, width, text in parts:
            self._rects.append({"kind": kind, "x": x, "x2": x + max(width, 1), "y": self._y, "y2": self._y + _BAR})
            if text:
                self._write(x + width / 2, middle, text, "inside")
            x += width + (1 if width else 0)  # parts stand apart, also in print
        self._write(x + 4, middle, label, "bold" if marked else "plain")
        self._y += _BAR + 2

    def space(self) -> None:
        """What is between two groups."""
        self._y += _GAP

    def _write(self, x: float, y: float, text: str, style: str) -> None:
        self._texts[style].append({"x": x, "y": y, "text": text})

    def svg(self, kinds: dict[str, str], *, legend: bool) -> str:
        """All of it, with a colour for each kind of bar."""
        import altair  # half a second, and of the site's own packages: a run does without
        import vl_convert

        place = {"x": altair.X("x:Q", scale=None, axis=None), "y": altair.Y("y:Q", scale=None, axis=None)}
        shown = altair.Legend(orient="top", title=None, columns=3, columnPadding=14, symbolType="square")
        scale = altair.Scale(domain=list(kinds), range=list(kinds.values()))
        colour = altair.Color("kind:N", scale=scale, legend=shown if legend else None)
        bars = altair.Chart(altair.Data(values=self._rects)).mark_rect()
        layers = [bars.encode(**place, x2="x2", y2="y2", color=colour)]
        for style, texts in self._texts.items():
            if texts:
                mark = altair.Chart(altair.Data(values=texts)).mark_text(
                    baseline="middle", fontSize=12, **_STYLES[style]
                )
                layers.append(mark.encode(**place, text="text:N"))
        chart = altair.layer(*layers, width=_WIDTH, height=self._y).configure(
            background="transparent",
            padding=2,
            view=altair.ViewConfig(stroke=None),
            legend=altair.LegendConfig(labelColor="currentColor", labelFontSize=12),
            font="sans-serif",
        )
        return vl_convert.vegalite_to_svg(chart.to_json())


def bars(drawn: Iterable[Bar], caption: str) -> str:
    """Horizontal bars, grouped, each with its number at its end; an HTML figure with an alternative text.

    Groups and series keep the order in which they first appear. Where each group has one bar, the recommended one has a
    colour and the others are grey.
    """
    drawn = list(drawn)
    series = list(dict.fromkeys(bar.series for bar in drawn))
    single = len(series) == 1
    marked = {bar.group for bar in drawn if bar.marked}
    kinds = dict(zip(series, COLOURS, strict=False))
    if single and marked:
        kinds = {"recommended": COLOURS[0], "other": COLOURS[-1]}
    longest = max(bar.size for bar in drawn) or 1
    drawing = _Drawing()
    for group in dict.fromkeys(bar.group for bar in drawn):
        drawing.head(group, marked=group in marked)
        for bar in sorted((bar for bar in drawn if bar.group == group), key=lambda bar: series.index(bar.series)):
            kind = ("recommended" if bar.marked else "other") if single and marked else bar.series
            drawing.bar([(kind, bar.size / longest * _LONGEST, "")], bar.label, marked=bar.marked)
        drawing.space()
    said = "; ".join(f"{b.group}{'' if single else f', {b.series}'}: {b.label}" for b in drawn)
    return _figure(drawing.svg(kinds, legend=not single), caption, f"{caption.rstrip('.')}: {said}")


def stacks(drawn: Iterable[Stack], caption: str) -> str:
    """Horizontal bars that are made of parts, each with the sum at its end; an HTML figure with an alternative text."""
    drawn = list(drawn)
    names = list(dict.fromkeys(name for stack in drawn for name in stack.parts))
    longest = max(sum(stack.parts.values()) for stack in drawn) or 1
    drawing, said = _Drawing(), []
    for stack in drawn:
        total = megabytes(sum(stack.parts.values()))
        drawing.head(stack.name, marked=stack.marked)
        widths = {name: size / longest * _LONGEST for name, size in stack.parts.items()}
        parts = [(n, w, megabytes(stack.parts[n]) if w >= _ROOM else "") for n, w in widths.items()]
        drawing.bar(parts, total, marked=stack.marked)
        drawing.space()
        said.append(f"{stack.name}: {', '.join(f'{n} {megabytes(s)}' for n, s in stack.parts.items())}, in all {total}")
    kinds = dict(zip(names, COLOURS, strict=False))
    return _figure(drawing.svg(kinds, legend=True), caption, f"{caption.rstrip('.')}: {'; '.join(said)}")


def _figure(svg: str, caption: str, alternative: str) -> str:
    """An SVG as an HTML figure on one line, so that Markdown leaves it alone."""
    head = re.search(r"<svg[^>]*>", svg)[0]
    view = re.search(r'viewBox="[^"]*"', head)[0]
    label = html.escape(alternative, quote=True)
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" {view} role="img" aria-label="{label}">'
    body = re.sub(r' aria-\w+="[^"]*"| role="[^"]*"', "", svg[svg.index(head) + len(head) :])
    body = re.sub(r"\s*\n\s*", "", body)
    return f'<figure class="chart">{opening}{body}<figcaption>{html.escape(caption)}</figcaption></figure>'
