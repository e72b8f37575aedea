"""What goes wrong, by what one sees: each message once, for the page of all and for the page that it belongs to."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Self

from pydantic import Field, model_validator

from measure.base.errors import Problem
from measure.base.files import shown
from measure.base.model import Strict, read_toml
from measure.tell.page import Page, in_cell, markdown_table, page_function

SOURCE = Path(__file__).with_name("messages.toml")
#: The page that lists all of them.
ALL = PurePosixPath("guide/by-what-you-see.md")
#: What stands in a message for what differs.
ANYTHING = "…"
#: A Markdown link to a page of the site, as messages.toml has it: its path begins at docs/.
_LINK = re.compile(r"\]\((?!https://)(?P<path>[^)#]+)")


class Message(Strict):
    """What one sees, why, and what to do; texts are Markdown. `says` has the words of a tool, letter by letter."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    says: str = ""
    note: str = ""
    cause: str
    cure: str
    see: str
    pages: tuple[str, ...] = ()
    #: Why no test provokes the message.
    unproved: str = ""

    @model_validator(mode="after")
    def _seen(self) -> Self:
        if not (self.says or self.note):
            raise ValueError("it says what is seen, in `says` or in `note`")
        if self.unproved and not self.says:
            raise ValueError("where a tool says nothing, no test can read it: leave `unproved` out")
        return self

    @property
    def term(self) -> str:
        """What one sees, in Markdown."""
        ticks = "``" if "`" in self.says else "`"
        return f"{ticks}{self.says}{ticks}{self.note}" if self.says else self.note

    def is_in(self, output: str) -> bool:
        """Is the message in what a tool printed? White space and line breaks do not count."""
        pattern = re.escape(_plain(self.says)).replace(re.escape(ANYTHING), ".*")
        return bool(self.says) and re.search(pattern, _plain(output)) is not None


class Group(Strict):
    """The messages of one occasion."""

    title: str
    message: list[Message]


class _Source(Strict):
    group: list[Group]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [message.id for group in self.group for message in group.message]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"more than one message is called {', '.join(sorted(twice))}")
        return self


def read_groups(path: Path = SOURCE) -> list[Group]:
    """All messages, by occasion. Raises Problem when the file is not valid."""
    return read_toml(_Source, path).group


@cache
def groups() -> list[Group]:
    """All messages of the site, by occasion."""
    return read_groups()


def _plain(text: str) -> str:
    """A text on one line."""
    return " ".join(text.split())


def linked(page: Page, text: str) -> str:
    """A text whose links lead from this page to the site's others."""
    return _LINK.sub(lambda match: f"]({page.link(PurePosixPath(match['path']))}", text)


@page_function
def messages(page: Page) -> str:
    """Every message in one table, with its cause, its cure and where more is said; the occasions are links above it.

    Each message is a heading, so that the search finds it by its own words and leads to it.
    """
    rows, occasions = [], []
    for group in groups():
        anchor = re.sub(r"\W+", "-", group.title.lower())
        occasions.append(f"[{group.title}](#{anchor})")
        rows.append([f'<h2 id="{anchor}">{group.title}</h2>', "", "", ""])
        for one in group.message:
            texts = (one.term, one.cause, one.cure, one.see)
            what, *others = (in_cell(linked(page, text)) for text in texts)
            rows.append([f'<h3 id="{one.id}">{what}</h3>', *others])
    head = ["What you see", "Why", "What to do", "More"]
    table = markdown_table(head, rows)
    return f'{" · ".join(occasions)}\n\n<div class="messages" markdown>\n\n{table}\n\n</div>'


@page_function
def troubleshooting(page: Page) -> str:
    """The messages that belong to this page. Raises Problem when there are none."""
    here = [one for group in groups() for one in group.message if str(page.path) in one.pages]
    if not here:
        raise Problem(f"No message belongs to docs/{page.path}.", next=f"less {shown(SOURCE)}")
    parts = [f"{one.term}\n:   {linked(page, f'{one.cause} **Remedy:** {one.cure}')}" for one in here]
    return "\n\n".join([*parts, f"[By what you see]({page.link(ALL)}) has every message of this site in one table."])


@page_function
def count_messages(page: Page) -> str:
    """How many messages in their tool's own words there are, and how many of them a test provokes."""
    said = [one for group in groups() for one in group.message if one.says]
    return f"{len(said)} messages, {sum(not one.unproved for one in said)} of which a test provokes and reads"
