"""What grew since another report of the image: by line of the Dockerfile, and by package."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from measure.mine.model import Growth, Report

#: Bytes of the transfer by which what is the same may differ.
NOISE_BYTES = 10_000


def _line_name(text: str) -> str:
    """A line by what it says, without versions of what it names: a pinned version that moved is the same line."""
    return re.sub(r"\d+(\.\d+)+\S*", "…", text)


def _lines(report: Report) -> dict[str, tuple[str, int | None, int]]:
    """Where each line stands, its transfer and its unpacked bytes, by a name that survives an edit elsewhere."""
    found: dict[str, tuple[str, int | None, int]] = {}
    for line in report.lines:
        name = "base" if line.of_base else _line_name(line.instruction)
        where, transfer, unpacked = found.get(name, (line.where, 0, 0))
        both = None if transfer is None or line.transfer_bytes is None else transfer + line.transfer_bytes
        found[name] = (where, both, unpacked + line.unpacked_tar_bytes)
    return found


def _packages(report: Report) -> dict[str, tuple[str, int | None, int]]:
    found: dict[str, tuple[str, int | None, int]] = {}
    for one in report.packages:
        place = f" in {one.location}" if one.kind == "python" else ""
        found[f"{one.name}{place}"] = (f"{one.name} {one.version}", one.transfer_bytes, one.bytes or 0)
    return found


def _rows(
    kind: str, before: Mapping[str, tuple[str, int | None, int]], after: Mapping[str, tuple[str, int | None, int]]
) -> Iterable[Growth]:
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if old and new and _same(old, new):
            continue
        there = new or old
        known = all(one is None or one[1] is not None for one in (old, new))
        yield Growth(
            kind=kind,
            where=there[0],
            name=name if kind == "line" else "",
            transfer_bytes=(new[1] if new else 0) - (old[1] if old else 0) if known else None,
            bytes=(new[2] if new else 0) - (old[2] if old else 0),
            is_new=old is None,
            is_gone=new is None,
        )


def _same(old: tuple[str, int | None, int], new: tuple[str, int | None, int]) -> bool:
    """Are they as large, unpacked? What they take of the transfer moves by some bytes with what stands beside them."""
    if old[2] != new[2]:
        return False
    one, other = old[1] or 0, new[1] or 0
    return abs(one - other) <= max(NOISE_BYTES, one // 100)


def grown(before: Report, after: Report) -> list[Growth]:
    """What is not the same, lines before packages, and what grew most before the rest."""
    lines = sorted(_rows("line", _lines(before), _lines(after)), key=lambda row: (-row.bytes, row.where))
    packages = sorted(_rows("package", _packages(before), _packages(after)), key=lambda row: (-row.bytes, row.where))
    return [*lines, *packages]
