"""Dockerfiles as pages show them: some instructions marked, or each with a number that leads to what is said of it."""

from __future__ import annotations

import html
from itertools import accumulate

from measure.base import dockerfiles
from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.tell.page import Page, page_function
from measure.tell.steps import dockerfile


def _shown(page: Page, name: str) -> tuple[str, list[str], str]:
    """A Dockerfile's block as pages show it: its first line, its lines, and its last line."""
    head, *text, end = dockerfile(page, name).splitlines()
    return head, text, end


def _begins(text: list[str]) -> list[bool]:
    """Of each line, whether an instruction begins there."""
    return [bool(line) and not before.endswith("\\") for before, line in zip(["", *text], text, strict=False)]


@page_function
def marked(page: Page, name: str, *words: str) -> str:
    """A Dockerfile as a block to copy; instructions that have one of these words stand out."""
    head, text, end = _shown(page, name)
    of = list(accumulate(_begins(text)))  # the number of each line's instruction
    chosen = {number for number, line in zip(of, text, strict=True) if any(word in line for word in words)}
    if len(chosen) < len(words):
        raise Problem(f"Not each of {', '.join(words)} is in {name}.", next=f"less {name}")
    lines = [at for at, (number, line) in enumerate(zip(of, text, strict=True), 1) if line and number in chosen]
    return "\n".join([f'{head} hl_lines="{" ".join(map(str, lines))}"', *text, end])


@page_function
def numbered(page: Page, name: str) -> str:
    """A Dockerfile to copy, as HTML: before each instruction a number that leads to its row of a table, see `row`.

    Numbers are no text, so that copying leaves them out. They are those of instructions, without comments.
    """
    from pygments import highlight  # of the site's own packages: a run does without
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import DockerLexer

    _, text, _ = _shown(page, name)
    coloured = highlight("\n".join(text), DockerLexer(stripnl=False), HtmlFormatter(nowrap=True)).splitlines()
    number, lines = 0, []
    for begins, line in zip(_begins(text), coloured, strict=True):
        number += begins
        label = f"What line {number} is worth"
        link = f'<a class="line" href="#line-{number}" aria-label="{label}" data-line="{number}"></a>'
        # A line that is really empty would end the HTML for some readers of Markdown.
        lines.append(f"{link * begins}{line}" if line else "&#10;")
    body = "\n".join(lines).replace("&#10;\n", "&#10;")
    title = f'<span class="filename">{html.escape(name)}</span>'
    return f'<div class="language-dockerfile highlight numbered">{title}<pre><code>{body}\n</code></pre></div>'


@page_function
def row(page: Page, name: str, words: str) -> str:
    """The first cell of a row about the one instruction of a Dockerfile that is, or begins with, these words."""
    found = dockerfiles.read(ROOT / name).instructions
    there = [found.index(words)] if words in found else [at for at, line in enumerate(found) if line.startswith(words)]
    if len(there) != 1:
        raise Problem(f"{len(there)} instructions of {name} begin with {words!r}.", next=f"less {name}")
    return f'<span id="line-{there[0] + 1}"></span>{there[0] + 1} `{words}`'
