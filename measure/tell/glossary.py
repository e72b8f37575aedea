"""One name for one thing: the terms of the site, what they mean, and what pages do not call them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from pydantic import Field

from measure.base.errors import Problem
from measure.base.files import shown
from measure.base.model import Strict, read_toml
from measure.tell.messages import linked
from measure.tell.page import Page, in_cell, markdown_table, page_function

SOURCE = Path(__file__).with_name("glossary.toml")


class Term(Strict):
    """A term, one sentence in Markdown that says what it means, and the names that are not used for it."""

    name: str = Field(min_length=1)
    means: str = Field(pattern=r"^[A-Z].*\.$")
    avoid: tuple[str, ...]

    @property
    def anchor(self) -> str:
        """Where it stands on the page."""
        return self.name.replace(" ", "-")

    @property
    def avoided(self) -> re.Pattern[str]:
        """Finds the names that are not used for it, and their plurals."""
        names = "|".join(map(re.escape, self.avoid)) or r"(?!)"
        return re.compile(rf"(?<![\w-])(?:{names})s?(?![\w-])", re.IGNORECASE)


class _Source(Strict):
    term: list[Term]


def read_terms(path: Path = SOURCE) -> list[Term]:
    """All terms. Raises Problem when the file is not valid, or a name is avoided that is a term itself."""
    found = read_toml(_Source, path).term
    names = [name.lower() for one in found for name in (one.name, *one.avoid)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Problem(f"{shown(path)} has more than once: {', '.join(twice)}.", next=f"mend {shown(path)}")
    return found


@cache
def terms() -> list[Term]:
    """All terms of the site."""
    return read_terms()


@page_function
def glossary(page: Page) -> str:
    """Every term in a table, with what it means and the names that are not used for it."""
    rows = []
    for one in sorted(terms(), key=lambda term: term.name.lower()):
        avoided = ", ".join(f"“{name}”" for name in one.avoid)
        rows.append([f'<span id="{one.anchor}"></span>**{one.name}**', in_cell(linked(page, one.means)), avoided])
    return markdown_table(["term", "what it means", "not"], rows)
