"""The same small service in several languages, one folder of a step each: a table of languages by variants."""

from __future__ import annotations

from collections import defaultdict

from measure.record.plan import OTHER
from measure.steps.compose import RECOMMENDED, Step, Variant, find_step
from measure.tell.page import Page, markdown_table, page_function
from measure.tell.sizes import size
from measure.tell.times import memory, ratio, seconds

#: What each language has, by the end of a variant's name; the one to copy is called as its language, or recommended.
NAIVE, SMALLEST = "naive", "smallest"
#: What the table has of each image, but for the build for the other platform.
HEAD = ["transfer", "unpacked", "cold build", "one line of code", "start", "memory", "by its floor"]


def by_language(step: Step) -> dict[str, dict[str, Variant]]:
    """By language (a folder's name), and by kind (naive, recommended, smallest), the variants of a step."""
    found: defaultdict[str, dict[str, Variant]] = defaultdict(dict)
    for variant in step.variants:
        language = variant.context.name
        kind = variant.name.removeprefix(language).removeprefix("-") or RECOMMENDED
        if kind in (NAIVE, RECOMMENDED, SMALLEST):
            found[language][kind] = variant
    return dict(found)


@page_function
def languages(page: Page, step: str) -> str:
    """Each language's images by all that was measured of them: the naive one, the one to copy and the smallest.

    The build for the other platform is that of the one to copy, by the time of its build for the machine's own.
    """
    rows = []
    for language, variants in by_language(find_step(step)).items():
        for kind, variant in variants.items():
            name, label = f"{step}/{variant.name}", language.capitalize()
            rows.append([
                f"**{label}**" if kind == RECOMMENDED else f"{label}, {kind}",
                *(size(page, name, one) for one in ("transfer", "unpacked")),
                *(seconds(page, name, one) for one in ("cold", "edit", "start")),
                memory(page, name, "memory-loaded"),
                page.call("times_floor", name),
                ratio(page, (name + OTHER, "cold"), (name, "cold")) if kind == RECOMMENDED else "",
            ])  # fmt: skip
    return markdown_table(["image", *HEAD, "second platform"], rows, "l" + "r" * (len(HEAD) + 1))
