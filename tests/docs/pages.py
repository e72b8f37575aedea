"""The command blocks of a page, and how what was seen is held against what the page says you will see.

A block of language `sh` is run. A comment `<!-- no-run: reason -->` right before it says that it is not, and why. A
block titled "You will see" right after it says what it prints: there `…` stands for any text, alone for any lines.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from lab.config import Lab
from measure.base.files import ROOT
from measure.pages import site
from measure.record.records import Record
from measure.steps.compose import all_steps, find_step
from measure.tell.reading import Records

_FENCE = re.compile(
    r"(?:^(?P<indent> *)<!-- no-run: (?P<reason>.*?) -->\n)?"
    r"^ *``` ?sh\n(?P<commands>.*?)^ *```\n"
    r'(?:\n+^ *``` text title="You will see"\n(?P<output>.*?)^ *```\n)?',
    re.MULTILINE | re.DOTALL,
)
#: A number with a decimal before a unit: what was measured.
_MEASURED = r"[+-]?\d+\.\d+(?= ?(?:MB|kB|%|s\b))"
_NUMBER = r"[+-]?\d+\.\d+"


@dataclass(frozen=True)
class Block:
    """Commands on a page, what the page says they print (None where it says nothing), and why they are not run."""

    commands: str
    output: str | None
    not_run: str | None


def blocks(text: str) -> list[Block]:
    """The command blocks of a rendered page, in order."""
    return [Block(m["commands"], m["output"], m["reason"]) for m in _FENCE.finditer(text)]


def all_pages() -> dict[str, tuple[Path, str]]:
    """Every page with commands: its name, the folder to begin in (below the top folder), and its rendered text."""
    records = Records()
    found: dict[str, tuple[Path, str]] = {"README.md": (Path(), (ROOT / "README.md").read_text())}
    for path in sorted(site.PAGES.rglob("*.md")):
        name = path.relative_to(site.PAGES)
        found[f"docs/{name}"] = (Path(), site.render_page(records, name, path.read_text()))
    for step in all_steps():
        found[f"{step.name}/README.md"] = (Path(step.name), (step.folder / "README.md").read_text())
    return found


def script(of: list[Block]) -> str:
    """A shell script that runs blocks one after another in one shell, and marks where the output of each begins."""
    lines = ["exec 2>&1", "set -e"]
    for number, block in enumerate(of):
        lines += [f"echo '@@ {number}'", block.commands.rstrip()]
    return "\n".join([*lines, "echo '@@ end'", ""])


def outputs(text: str) -> list[str]:
    """What each block of a script printed."""
    return re.split(r"^@@ \w+\n", text, flags=re.MULTILINE)[1:]


def _tidy(text: str) -> str:
    """A text without white space that does not count; `same` in a table is a number like its neighbours."""
    lines = (re.sub(r"\s+", " ", line).strip() for line in text.strip("\n").splitlines())
    return "".join(f"{line}\n" for line in lines).replace(" same │", " +0.0 % │")


def matches(expected: str, seen: str) -> bool:
    """Does an output fit what a page says, but for what `…` stands for, and for measured numbers?

    `…` alone on a line stands for any number of lines, none included. Numbers are held against each other where they
    are exact: in the records that the commands of the pages write.
    """
    pattern = ""
    for part in re.split(rf"(^…\n|…|{_MEASURED})", _tidy(expected), flags=re.MULTILINE):
        any_text = {"…\n": r"(?:.*\n)*?", "…": ".*"}
        pattern += _NUMBER if re.fullmatch(_NUMBER, part) else any_text.get(part, re.escape(part))
    return re.fullmatch(pattern, _tidy(seen)) is not None


_NEW_VERSION = re.compile(r"(?P<name>\S+) \d\S*(, \d\S*)* → \d\S*(, \d\S*)*")


def pinned_changes(record: Record, words: list[str]) -> list[str]:
    """Of the changes against a record, in words, those that are no new version of something that nobody pinned.

    A base image has the distribution's packages as they are on the day that it is built. Poetry is installed in one
    version, and what it needs in the newest one: an image that ships Poetry gets other packages any day. Python
    packages elsewhere are pinned.
    """
    last_stage = find_step(record.step).variant(record.variant).dockerfile.read_text().rpartition("\nFROM ")[2]
    ships_poetry = re.search(r"pip install .*\bpoetry\b", last_stage)
    of_distribution = {package.name for package in record.contents.os_packages}
    found = [(one, _NEW_VERSION.fullmatch(one)) for one in words]
    return [one for one, new in found if not new or not (ships_poetry or new["name"] in of_distribution)]


def lab_environment() -> dict[str, str]:
    """What a shell needs so that `docker` talks to the lab."""
    lab = Lab.from_environment()
    return {**lab.client_environment(), "PATH": f"{lab.docker.parent}:{os.environ['PATH']}"}
