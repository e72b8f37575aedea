"""What pages say of images that were compared file by file."""

from __future__ import annotations

from measure.studies.sameness.model import complete, listed, record_path
from measure.tell.page import Page, markdown_table, page_function, pointed


@page_function
def sameness(page: Page) -> str:
    """The pairs of images that were compared file by file: how many paths, and each difference with its reason."""
    environment = page.records.environment
    path = record_path(environment)
    rows = []
    for one in complete(environment).compared:
        pair = next(p for p in listed().pair if (p.variant, p.against) == (one.variant, one.against))
        reasons: dict[str, list[str]] = {}
        for difference in one.differences:
            reasons.setdefault(pair.because(difference.path), []).append(difference.path)
        names = f"`{one.variant}`, `{one.against}`"
        count = page.figure(path, f"{one.paths:,}", f"{len(one.differences)} differ")
        rows += [[names, count, str(len(some)), why, _named(some)] for why, some in reasons.items()]
    return markdown_table(["images", "paths", "differ", "because", "which"], rows, "lrrll")


def _named(paths: list[str]) -> str:
    """The paths that differ for one reason: deep ones without their folders, each name once; all of them in a title."""
    kinds = list(dict.fromkeys(path if path.count("/") < 3 else f"…/{path.rpartition('/')[2]}" for path in paths))
    return pointed(", ".join(f"`{kind}`" for kind in kinds), "; ".join(paths))
