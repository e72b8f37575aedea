"""A page that is being rendered, and the register of what its expressions may call.

Pages are Markdown with Jinja expressions, like `{{ size("step-1/full") }}`. A function with `@page_function` can be
called from every page by its name; it gets the page first. It gives plain Markdown, so that any builder that reads
Markdown can read the result. Names of images are STEP/VARIANT, like step-1/full.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from measure.base.files import shown
from measure.base.platforms import PLATFORMS
from measure.base.units import megabytes
from measure.record import records as recorded
from measure.record.records import Record
from measure.steps.compose import RECOMMENDED, find_step
from measure.tell.charts import Bar, Stack, bars, stacks
from measure.tell.reading import Reading, Records

#: The page that each number leads to.
RESULTS_PAGE = PurePosixPath("results/index.md")
METHODOLOGY = PurePosixPath("results/methodology.md")
#: How a number that leads to its record ends, in Markdown.
MEASURED = "{ .measured }"

#: What a page says of itself before its text, as YAML.
FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)

#: What pages may call, by name.
FUNCTIONS: dict[str, Callable[..., str]] = {}


def front_matter(text: str) -> dict[str, Any]:
    """What a page says of itself before its text."""
    match = FRONT_MATTER.match(text)
    return yaml.safe_load(match[1]) if match else {}


def page_function(function: Callable[..., str]) -> Callable[..., str]:
    """Let pages call a function by its name. Raises ValueError when another one has that name."""
    name = function.__name__
    known = FUNCTIONS.setdefault(name, function)
    if (known.__module__, known.__qualname__) != (function.__module__, function.__qualname__):
        raise ValueError(f"{function.__module__} and {known.__module__} both have a page function {name}")
    return function


class Page(Reading):
    """A page that is being rendered. Its path decides how links lead to others, its front matter what it says first."""

    def __init__(self, records: Records, path: PurePosixPath, meta: dict[str, Any] | None = None) -> None:
        super().__init__(records)
        self.path, self.meta = path, meta or {}

    def functions(self) -> dict[str, Callable[..., str]]:
        """What the page's expressions may call, by name."""
        return {name: partial(function, self) for name, function in FUNCTIONS.items()}

    def fill(self, text: str) -> str:
        """Markdown with its expressions filled in. Raises Problem, and what Jinja raises for a wrong expression."""
        from measure.tell import expressions  # of the site's own packages: a run does without

        return expressions.ENVIRONMENT.from_string(text).render(self.functions())

    def call(self, name: str, *words: str) -> str:
        """What another page function gives, by its name: so a study's can be asked by one that does not know it."""
        return FUNCTIONS[name](self, *words)

    def link(self, target: PurePosixPath | str) -> str:
        """The path from this page to another file of the site."""
        return os.path.relpath(target, self.path.parent)

    def number(self, text: str, record: Record, exact: str) -> str:
        """A number that leads to its record; `exact` is seen where one points at it."""
        title = f"{exact}; {record.step}/{record.variant} on {record.platform}"
        return f'[{unbroken(text)}]({self.link(RESULTS_PAGE)}#{anchor(record)} "{title}"){MEASURED}'

    def bytes(self, record: Record, size: int) -> str:
        """A size that leads to its record."""
        return self.number(megabytes(size), record, f"{size:,} bytes")

    def file(self, path: Path, text: str) -> str:
        """A link to a file of results/, which the site carries along."""
        return f"[{text}]({self.link(records_file(path))})"

    def figure(self, path: Path, text: str, exact: str) -> str:
        """A number that leads to a file of results/; `exact` is seen where one points at it."""
        return f'[{unbroken(text)}]({self.link(records_file(path))} "{exact}"){MEASURED}'

    def total(self, text: str, exact: str) -> str:
        """A number that is worked out from many records: it leads to the page that has all of them."""
        return f'[{unbroken(text)}]({self.link(RESULTS_PAGE)} "{exact}"){MEASURED}'

    def chart(self, drawn: list[Bar] | list[Stack], caption: str) -> str:
        """A chart, where the page can show one."""
        return stacks(drawn, caption) if isinstance(drawn[0], Stack) else bars(drawn, caption)

    def step_page(self, step: str) -> str:
        """Where the page of a step is."""
        return self.link(PurePosixPath(f"steps/{short(step)}.md"))

    def record_link(self, record: Record) -> str:
        """A link to a record, by its name."""
        platform = "" if record.platform == PLATFORMS[0] else f" on {record.platform}"
        name = f"{short(record.step)}/{record.variant}"
        return f"[{name}]({self.link(RESULTS_PAGE)}#{anchor(record)}){platform}"

    def origin(self) -> str:
        """Which environment the page's numbers are from, in a sentence for its end."""
        link = f"[`{self.records.environment}`]({self.link(METHODOLOGY)}#environments)"
        return f"Numbers on this page that lead to a record were measured in {link}.\n{{ .environment }}"


class Readme(Page):
    """The README, which is read where the site is not: its numbers lead to the files of results/."""

    def __init__(self, records: Records) -> None:
        super().__init__(records, PurePosixPath("README.md"))

    def number(self, text: str, record: Record, exact: str) -> str:
        """A number that leads to the file of its record."""
        return f'[{text}]({shown(record.path)} "{exact}")'

    def total(self, text: str, exact: str) -> str:
        """A number that is worked out from many records: it leads to the folder that has all of them."""
        return f'[{text}](results "{exact}")'

    def chart(self, drawn: list[Bar] | list[Stack], caption: str) -> str:
        """None: GitHub shows no SVG that stands in the text."""
        return ""

    def step_page(self, step: str) -> str:
        """The folder of a step."""
        return find_step(step).name


def markdown_table(head: list[str], rows: list[list[str]], right: str = "") -> str:
    """A Markdown table. `right` has an r for each column that is aligned to the right, and an l for the others."""
    aligned = right.ljust(len(head), "l")
    rule = ["---:" if letter == "r" else "---" for letter in aligned]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *rows])


def anchor(record: Record) -> str:
    """Where a record stands on the page of results."""
    return f"{record.step}-{record.variant}-{record.platform.replace('/', '-')}"


def records_file(path: Path) -> PurePosixPath:
    """Where the site keeps a file of results/."""
    return PurePosixPath("results/records") / path.relative_to(recorded.RESULTS).as_posix()


def short(step: str) -> str:
    """What a step is called in text, like step-1."""
    return find_step(step).command.removeprefix("make ")


def emphasised(variant: str) -> str:
    """The name of a variant in a table: the recommended one stands out."""
    return f"**{variant}**" if variant == RECOMMENDED else variant


def unbroken(text: str) -> str:
    """A text that is not broken at its spaces."""
    return text.replace(" ", "&nbsp;")


def pointed(text: str, exact: str) -> str:
    """A text that shows more where one points at it."""
    return f'<span title="{exact}">{text}</span>'


def code(text: str) -> str:
    """A line of output as code in a cell of a Markdown table."""
    return f"`` {in_cell(text)} ``" if "`" in text else f"`{in_cell(text)}`"


def in_cell(text: str) -> str:
    """A text that may stand in a cell of a Markdown table."""
    return text.replace("|", "\\|")
