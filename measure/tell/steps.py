"""What pages say of steps as they are written: what variants teach, files and their differences, what `make` prints."""

from __future__ import annotations

import difflib
import io
import re
from dataclasses import replace

from rich.console import Console

from measure.base import dockerfiles
from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.base.platforms import MACHINES, PLATFORMS
from measure.steps.compose import RECOMMENDED, find_step
from measure.tell.page import Page, front_matter, markdown_table, page_function, short
from measure.tell.table import table


@page_function
def intro(page: Page) -> str:
    """What the page says first: its question, the answer in at most three sentences, and what reading it takes."""
    takes = f"{page.meta['minutes']} minutes. {page.meta.get('needs', '')}".rstrip()
    answer = [page.fill(sentence) for sentence in page.meta["answer"]]
    head = f'!!! abstract "{page.meta["question"]}"'
    return "\n".join([head, "", f"    {' '.join(answer)}", "", takes, "{ .takes }"])


@page_function
def variants(page: Page, step: str) -> str:
    """What each variant of a step teaches, and the question that it answers."""
    found = find_step(step)
    rows = [[variant.name, variant.teaching.teaches, variant.teaching.question] for variant in found.variants]
    return markdown_table(["variant", "what it shows", "question"], rows)


@page_function
def ways(page: Page, step: str) -> str:
    """The Dockerfiles of a step, what each shows, and the port on which `docker compose up SERVICE` serves it."""
    found = find_step(step)
    rows = [
        [
            f"`{variant.dockerfile.relative_to(found.folder)}`",
            f"{variant.teaching.title}{'; **copy this one**' * (variant.name == RECOMMENDED)}",
            str(variant.published),
        ]
        for variant in found.variants
    ]
    return markdown_table(["file", "what it shows", "port"], rows)


@page_function
def minutes(page: Page, step: str) -> str:
    """How long a step takes, as its page says."""
    meta = front_matter((ROOT / f"docs/steps/{short(find_step(step).name)}.md").read_text())
    return f"It takes about {meta['minutes']} minutes."


@page_function
def failure(page: Page, name: str) -> str:
    """The line that a build which is meant to fail ended with, as it was recorded."""
    record = page.records.get(name)
    if record.failure is None:
        raise Problem(f"{name} did not fail on {record.platform}.", next="make steps")
    title = f"{record.step}/{record.dockerfile} on {record.platform}, exit code {record.failure.exit_code}"
    return f'``` text title="{title}"\n{record.failure.line}\n```'


@page_function
def diff(page: Page, before: str, after: str, context: int = 1, *, comments: bool = True) -> str:
    """The difference between two files of the repository, as a block, without comments that only the first has.

    Without `comments`, where the page shows the second file too, it has no comment of either.
    """
    texts = [(ROOT / name).read_text().splitlines() for name in (before, after)]
    lines = list(difflib.unified_diff(*texts, before, after, lineterm="", n=context))
    if not lines:
        raise Problem(f"{before} and {after} do not differ.", next=f"diff {before} {after}")
    left_out = ("@@", "-#") if comments else ("@@", "-#", "+#", " #")
    return "\n".join(["``` diff", *(line for line in lines if not line.startswith(left_out)), "```"])


@page_function
def dockerfile(page: Page, name: str) -> str:
    """A Dockerfile of the repository as a block to copy: without comments, an empty line only between its stages."""
    found = (line for line in (ROOT / name).read_text().splitlines() if not re.match(r"\s*(#|$)", line))
    text = "\n".join(found).replace("\nFROM ", "\n\nFROM ")
    return f'``` dockerfile title="{name}"\n{text}\n```'


@page_function
def lines(page: Page, name: str) -> str:
    """How many lines a file of the repository has, those that are empty or a comment (#) left out."""
    found = (line.strip() for line in (ROOT / name).read_text().splitlines())
    return str(sum(bool(line) and not line.startswith("#") for line in found))


@page_function
def requirements(page: Page, name: str) -> str:
    """How many packages a list of requirements pins."""
    return str(len(re.findall(r"^[\w.\[\]-]+==", (ROOT / name).read_text(), re.MULTILINE)))


@page_function
def stages(page: Page, dockerfile: str) -> str:
    """How many stages a Dockerfile of the repository has."""
    return str(len(dockerfiles.read(ROOT / dockerfile).stages))


@page_function
def terminal(page: Page, step: str, *, quick: bool = False, rows: bool = True) -> str:
    """The end of what `make step-N` prints (`quick`: with QUICK=1); `…` stands for what differs from run to run.

    Without `rows`, of its table only the title and the head: for pages that show the numbers elsewhere.
    """
    found = replace(find_step(step), quick=quick)
    text = io.StringIO()
    Console(file=text, width=100).print(table(found, page.records.of_step(found.name), list(PLATFORMS)))
    lines = [line.rstrip() for line in text.getvalue().splitlines()]
    if not rows:
        lines = [lines[0], "…", lines[2], "…"]
    for platform in () if found.experiment else PLATFORMS:
        answer = f"{{'libc': 'glibc …', 'machine': '{MACHINES[platform]}', 'python': '3.14.…', 'step': '{found.name}', "
        lines.append(f"{platform} answers: {answer}'variant': 'recommended'}}")
    lines += ["Against the recorded numbers: …", "…", f"Records: results/…/{found.name}/"]
    return "\n".join(lines)
