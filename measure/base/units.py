"""How sizes and times are written for people. Records hold bytes and seconds; these are made only to be shown.

*Unpacked* is the size of layers as tar streams, *files* that of the regular files in them.
"""

from __future__ import annotations

#: Two builds of the same thing differ by some bytes, because files carry the time of the build. Less than this part
#: of the size counts as the same.
SAME = 0.001


def megabytes(size: float) -> str:
    """A size for people: B, kB from 1,000 of them on, MB from 1,000 kB on (decimal), with one decimal."""
    if abs(size) < 1000:
        return f"{size:.0f} B"
    return f"{size / 1e6:.1f} MB" if abs(size) >= 999_950 else f"{size / 1e3:.1f} kB"


def signed(size: int) -> str:
    """A change in size for people, with its sign; `same` where there is none."""
    return f"{'+' if size > 0 else ''}{megabytes(size)}" if size else "same"


def change(size: int, first: int | None) -> str:
    """The change of a size against the first one, in percent; `same` where that would say 0.0; '' without a first."""
    if not first:
        return ""
    percent = (size - first) / first * 100
    return "same" if abs(percent) < 0.05 else f"{percent:+.1f} %"


def as_word(value: str | bool) -> str:
    """Yes or no; what is a word already stays."""
    return value if isinstance(value, str) else "yes" if value else "no"


def duration(seconds: float) -> str:
    """A duration for people: minutes from two of them on, else seconds, both with a decimal below ten; milliseconds."""
    if seconds >= 120:
        return f"{seconds / 60:.1f} min" if seconds < 600 else f"{seconds / 60:.0f} min"
    if seconds < 0.1:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
