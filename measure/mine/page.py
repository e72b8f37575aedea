"""A report as one page that needs nothing beside itself: a map of what takes how much, and all tables."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from measure.base.units import megabytes
from measure.mine import showing
from measure.mine.model import Report

#: The map's size in its own units, and how many parts it has place for.
_WIDTH, _HEIGHT, _PARTS = 1000.0, 420.0, 60
_STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
caption, th { text-align: left; } caption { font-weight: 600; padding: .3rem 0; }
td, th { padding: .2rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
td.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; } svg rect { stroke: Canvas; }
svg text { font: 12px system-ui, sans-serif; fill: #fff; }
.base { fill: #5c6370; } .python { fill: #2f6fb3; } .os { fill: #8a5a12; } .other { fill: #3f7d46; }
"""


@dataclass(frozen=True)
class Part:
    """A part of the image on the map."""

    name: str
    size: int
    kind: str


@dataclass(frozen=True)
class Box:
    """A part and where it is drawn."""

    part: Part
    x: float
    y: float
    width: float
    height: float


def parts_of(report: Report) -> list[Part]:
    """What the map shows: the base as one, own packages, and what is in no package; the largest first."""
    packages = [one for one in report.packages if not one.of_base and one.bytes]
    base = sum(line.unpacked_tar_bytes for line in report.lines if line.of_base)
    own = sum(line.unpacked_tar_bytes for line in report.lines if not line.of_base)
    parts = [Part(one.name, one.bytes or 0, one.kind) for one in packages]
    rest = own - sum(part.size for part in parts)
    parts += [
        Part(name, size, kind)
        for name, size, kind in (("base", base, "base"), ("other files", rest, "other"))
        if size > 0
    ]
    parts.sort(key=lambda part: -part.size)
    kept, left = parts[:_PARTS], parts[_PARTS:]
    return kept + ([Part(f"{len(left)} more packages", sum(part.size for part in left), "other")] if left else [])


def boxes(parts: list[Part], width: float = _WIDTH, height: float = _HEIGHT) -> Iterator[Box]:
    """Where each part is drawn: rows along the shorter side, as square as it gets (squarified, Bruls et al. 2000)."""
    x = y = 0.0
    waiting, left = list(parts), float(sum(part.size for part in parts))
    while waiting:
        side, area = min(width, height), width * height
        row: list[Part] = []
        while waiting and (not row or _worst([*row, waiting[0]], side, area / left) <= _worst(row, side, area / left)):
            row.append(waiting.pop(0))
        total = sum(part.size for part in row)
        thick = total * area / left / side
        along = 0.0
        for part in row:
            length = side * part.size / total
            upright = width >= height
            yield Box(part, x + (0 if upright else along), y + (along if upright else 0),
                      thick if upright else length, length if upright else thick)  # fmt: skip
            along += length
        if width >= height:
            x, width = x + thick, width - thick
        else:
            y, height = y + thick, height - thick
        left -= total


def _worst(row: list[Part], side: float, scale: float) -> float:
    """How far from a square the worst part of a row is."""
    areas = [part.size * scale for part in row]
    total = sum(areas)
    return max(max(side * side * area / total**2, total**2 / (side * side * area)) for area in areas)


def _map(report: Report) -> str:
    drawn = []
    for box in boxes(parts_of(report)):
        label = f"{box.part.name} {megabytes(box.part.size)}"
        place = f'x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}"'
        text = ""
        if box.width > 7 * len(label) and box.height > 18:
            text = f'<text x="{box.x + 5:.1f}" y="{box.y + 15:.1f}">{html.escape(label)}</text>'
        drawn.append(f'<g><title>{html.escape(label)}</title><rect class="{box.part.kind}" {place}/>{text}</g>')
    size = f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}"
    return f'<svg viewBox="{size}" role="img" aria-label="What takes how much, unpacked">{"".join(drawn)}</svg>'


def _table(title: str, columns: list[str], rows: Iterable[list[str]], numbers: tuple[int, ...]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>"
        + "".join(f"<td{' class=n' if n in numbers else ''}>{html.escape(cell)}</td>" for n, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f"<table><caption>{html.escape(title)}</caption><tr>{head}</tr>{body}</table>"


def page(report: Report) -> str:
    """A report as HTML: no script, nothing from elsewhere."""
    title = showing.headline(report)
    parts = [f"<h1>{html.escape(title)}</h1>"]
    if report.sizes:
        parts.append("".join(f"<p>{html.escape(text)}</p>" for text in showing.size_lines(report.sizes)))
    if report.next_steps:
        steps = [
            [showing.saving(step), step.what, step.where, step.page] for step in report.next_steps
        ]  # fmt: skip
        parts.append(_table("Next steps", ["saves", "what", "where", "page"], steps, ()))
    if report.lines:
        parts.append(_map(report))
        columns = ["line", "transfer", "unpacked", "hidden", "made by"]
        parts.append(_table("By line", columns, showing.line_rows(report, None), (1, 2, 3)))
    for kind, name in (("python", "By Python package"), ("os", "By package of the distribution")):
        if rows := showing.package_rows(showing.own(report.packages, kind), None):
            parts.append(_table(name, ["package", "bytes", "of it", "why"], rows, (1,)))
    if report.timed:
        parts.append(_table("Seconds by line", showing.TIMED, showing.timed_rows(report.timed), (1, 2)))
    texts = [*showing.told(report), *showing.tried_lines(report.tried)]
    parts.append(f"<ul>{''.join(f'<li>{html.escape(text)}</li>' for text in texts)}</ul>")
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )
