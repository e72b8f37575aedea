"""When a second stage pays: the same project with one stage and with two, by kind of project."""

from __future__ import annotations

from measure.base import units
from measure.base.units import signed
from measure.tell.page import Page, markdown_table, page_function

#: Two stages pay from this part of the image on.
PAYS = 0.1
#: Kinds of project: the image with one stage, and the one with two.
KINDS = (
    ("packages in Python or with wheels, and pip", "step-3/export", "step-3/recommended"),
    ("the same with NumPy", "step-4/slim", "step-4/recommended"),
    ("Poetry installs", "step-2/recommended", "step-3/recommended"),
    ("compilers and Poetry", "step-3/single", "step-3/recommended"),
    ("one package that is compiled", "extra-compiling-deps/slim", "extra-compiling-deps/recommended"),
    ("no distribution in the image", "step-4/recommended", "step-4/distroless"),
)


@page_function
def when_multi_stage(page: Page) -> str:
    """By kind of project, what more stages change in transfer, and whether that pays."""
    rows = []
    for words, before, after in KINDS:
        record, ours = page.size(after)
        _, theirs = page.size(before)
        exact = f"{theirs:,} bytes with {before}, {ours:,} bytes with {after}"
        cells = [words, f"[`{before}`]({page.step_page(page.built(before).step)})", f"`{after}`"]
        cells += [page.number(signed(ours - theirs), record, exact), units.change(ours, theirs)]
        rows.append([*cells, "yes" if ours <= (1 - PAYS) * theirs else "no"])
    return markdown_table(["kind of project", "before", "after", "transfer", "change", "pays"], rows, "lllrrl")
