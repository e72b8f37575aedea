"""The same small service in several languages, one folder of a step each: a table of languages by variants."""

from __future__ import annotations

from collections import defaultdict

from measure.base import units
from measure.base.platforms import PLATFORMS
from measure.steps.compose import RECOMMENDED, Step, Variant, find_step
from measure.tell.page import Page, markdown_table, page_function

#: What each language has, by the end of a variant's name; the one to copy is called as its language, or recommended.
NAIVE, SMALLEST = "naive", "smallest"


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
def languages(page: Page, step: str, kind: str = "transfer", platform: str = PLATFORMS[0]) -> str:
    """A size of each language's images: the naive one, the one to copy and the smallest, with what each saves."""
    found = find_step(step)
    rows = []
    for language, variants in by_language(found).items():
        sizes = [page.size(f"{step}/{variants[name].name}", kind, platform) for name in (NAIVE, RECOMMENDED, SMALLEST)]
        (naive, before), *others = sizes
        row = [language.capitalize(), page.bytes(naive, before)]
        for record, size in others:
            exact = f"{before:,} bytes before, {size:,} bytes after"
            row += [page.bytes(record, size), page.number(units.change(size, before), record, exact)]
        rows.append(row)
    return markdown_table(["language", NAIVE, f"**{RECOMMENDED}**", "change", SMALLEST, "change"], rows, "lrrrrr")
