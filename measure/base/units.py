"""How sizes are written for people. Records hold bytes; these are made from them only to be shown."""

from __future__ import annotations


def megabytes(size: float) -> str:
    """A size for people: decimal megabytes (10**6 bytes), one decimal; kilobytes where that would say 0.0 MB."""
    return f"{size / 1e6:.1f} MB" if size >= 50_000 or size == 0 else f"{size / 1e3:.1f} kB"


def signed(size: int) -> str:
    """A change in size for people, with its sign: decimal megabytes; kilobytes or bytes where that would say 0.0."""
    if abs(size) < 50:
        return f"{size:+d} bytes" if abs(size) != 1 else f"{size:+d} byte"
    return f"{size / 1e6:+.1f} MB" if abs(size) >= 50_000 else f"{size / 1e3:+.1f} kB"


def change(size: int, first: int | None) -> str:
    """The change of a size against the first one, in percent; '' where there is no first one."""
    return f"{(size - first) / first * 100:+.1f} %" if first else ""


def duration(seconds: float) -> str:
    """A duration for people: minutes from two of them on, else seconds, both with a decimal below ten; milliseconds."""
    if seconds >= 120:
        return f"{seconds / 60:.1f} min" if seconds < 600 else f"{seconds / 60:.0f} min"
    if seconds < 0.1:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
