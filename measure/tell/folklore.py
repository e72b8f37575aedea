"""Folklore, measured: advice as people state it, and a verdict on each that is computed from records.

Each claim is a function in folklore/claims/, with what is said, by whom and when beside it:

    @claim(short="…", says="…", who="…", when="2019-07-26", url="https://…")
    def slim_saves_80_percent(facts: Facts, say: Say) -> Told:
        if facts.size("step-1", "unpacked") <= 0.2 * facts.size("step-1/full", "unpacked"):
            return holds(f"One word more, and the image is **{say.change('step-1/full', 'step-1')} in transfer**.")
        return no_longer("…")

The number that a verdict comes down to is bold, once in its words: the table of all claims shows it alone. A claim is
called whenever the site is built, so a verdict is never older than its records. A record that is missing or stale
decides nothing: undecided. A rule says so itself where its records hold and cannot decide. The function's name, with
dashes, is the anchor that people link to: it stays as it is.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from measure.base.errors import Problem
from measure.base.model import Strict
from measure.record import then
from measure.steps.compose import find_step
from measure.tell.page import Page, in_cell, markdown_table, page_function
from measure.tell.reading import Records

#: The page that has every claim.
CLAIMS_PAGE = PurePosixPath("results/folklore.md")
Verdict = Literal["holds", "it depends", "no longer", "undecided"]
#: The one number of a verdict, with the words that it needs.
_NUMBER = re.compile(r"\*\*(.+?)\*\*")


class Told(NamedTuple):
    """What came of a claim, and what that means, in Markdown."""

    verdict: Verdict
    words: str


def holds(words: str) -> Told:
    """It is so."""
    return Told("holds", words)


def depends(words: str) -> Told:
    """It is so for some and not for others; the words say on what it depends."""
    return Told("it depends", words)


def no_longer(words: str) -> Told:
    """It is not so today, whatever it was when it was said."""
    return Told("no longer", words)


def undecided(words: str) -> Told:
    """The records hold, and cannot decide it; the words say why, and what would."""
    return Told("undecided", words)


#: What the last outcome of a rule is called where its conditions are shown.
LAST = {one.__name__: one("").verdict for one in (holds, depends, no_longer, undecided)}


@dataclass
class Facts:
    """What a claim can ask of records, in plain numbers and truths; sizes are in bytes. Notes what it rests on.

    What studies found is asked by functions of theirs, like `measure.studies.wheels.page.has_wheel`. All of them raise
    Problem when a record does not hold.
    """

    page: Page
    #: Links to files of results/, and what to type to take again what they say.
    files: dict[str, None] = field(default_factory=dict)
    commands: dict[str, None] = field(default_factory=dict)

    @property
    def records(self) -> Records:
        """The records that are asked."""
        return self.page.records

    def rests_on(self, path: Path, command: str) -> None:
        """Note that the verdict rests on a file of results/, which a command writes."""
        self.files[self.page.file(path, f"`{path.name}`")] = None
        self.commands[command] = None

    def size(self, name: str, kind: str = "transfer") -> int:
        """A size of an image: transfer, unpacked, wasted, or a field's name, like context_bytes or pyc_bytes."""
        return self.page.size(name, kind)[1]

    def count(self, name: str, what: str) -> int:
        """How many there are in an image: os_packages, python_packages, setuid_files."""
        return len(getattr(self.page.built(name).contents, what))

    def has_pip(self, name: str) -> bool:
        """Is there a pip in an image?"""
        return self.page.built(name).contents.has_pip

    def failed(self, name: str) -> bool:
        """Did the build fail?"""
        return self.records.get(name).failure is not None

    def layer(self, name: str, words: str, field: str = "unpacked_tar_bytes") -> int:
        """A size of the one layer of an image whose instruction has these words."""
        return self.page.layer(name, words, field)[1]

    def folder(self, name: str, path: str) -> int:
        """Bytes of the files in one of an image's folders, of those that a record lists."""
        return self.page.folder(name, path)[1]

    def ratio(self, slow: str, fast: str, kind: str, of: str | None = None) -> float:
        """How many times as long one thing takes as another; `of` is the second one's kind of time, if it differs."""
        _, a, b = self.page.ratio((slow, kind), (fast, of or kind))
        return a.median / b.median

    def then(self, title: str) -> int:
        """Bytes of an old image, as somebody told them (measure/record/then.toml)."""
        (found,) = {image.bytes for source in then.sources() for image in source.image if image.title == title}
        return found


#: What pages may call, bound to the page that the words are for: numbers in words are written like on any page.
Say = SimpleNamespace
Rule = Callable[[Facts, Say], Told]


class Claim(Strict):
    """A piece of advice, as people state it, and the rule that decides it."""

    #: The anchor that people link to.
    id: str = Field(pattern=r"^[a-z][a-z0-9-]+$")
    theme: str
    #: The advice in a few words of ours: what the table of all claims has.
    short: str = Field(pattern=r'^[^"|]+$')
    #: The advice, in the words it was given in (… where some are left out), or else as one usually hears it.
    says: str
    #: Is it somebody's words, letter by letter?
    quoted: bool = True
    #: Who said it, and where; or that it is as one usually hears it.
    who: str
    #: A date as precise as it is known, like 2021-07; or `undated`, where the source shows none or there is no source.
    when: str = Field(pattern=r"^(undated|\d{4}(-\d\d(-\d\d)?)?)$")
    url: str | None = Field(default=None, pattern=r"^https://")
    rule: Rule

    @model_validator(mode="after")
    def _in_step(self) -> Self:
        if self.quoted and not self.url:
            raise ValueError("what is quoted has a `url`; what is not says `quoted=False`")
        return self

    @property
    def parsed(self) -> ast.FunctionDef:
        """The rule as it is written: conditions with their outcomes, and a last outcome."""
        return ast.parse(inspect.getsource(self.rule)).body[0]

    @property
    def told(self) -> str:
        """The rule's conditions, in Markdown."""
        *conditions, last = self.parsed.body
        parts = [f"{one.body[0].value.func.id} if `{ast.unparse(one.test)}`" for one in conditions]
        outcome = LAST[last.value.func.id]
        return f"It {'; else it '.join(parts)}; else {outcome}." if parts else f"No record can decide it: {outcome}."


#: Every claim, in the order in which folklore/claims/ has them.
CLAIMS: list[Claim] = []


def claims_of(theme: str) -> Callable[..., Callable[[Rule], Rule]]:
    """The decorator for a theme's claims; takes a `Claim`'s source. Raises ValueError if incomplete, or named twice."""

    def claim(**source: str | bool) -> Callable[[Rule], Rule]:
        def register(rule: Rule) -> Rule:
            found = Claim(id=rule.__name__.replace("_", "-"), theme=theme, rule=rule, **source)
            if any(one.id == found.id for one in CLAIMS):
                raise ValueError(f"there are two claims {found.id}")
            CLAIMS.append(found)
            return rule

        return register

    return claim


@dataclass(frozen=True)
class Decided:
    """A claim with its verdict. All texts are Markdown."""

    claim: Claim
    verdict: Verdict
    #: What the verdict means; where there is none, why.
    words: str
    #: Links to the records that it rests on.
    records: list[str]
    #: What to type to take those records again.
    commands: list[str]
    #: The page as the claim asked it, whose `records` are `Seen`.
    asked: Page

    @property
    def number(self) -> str:
        """The number that it comes down to; '' where there is none."""
        found = _NUMBER.search(self.words)
        return found[1] if found else ""


def decide(claim: Claim, page: Page) -> Decided:
    """Compute the verdict on a claim for a page. Raises TypeError, which names the claim, when its rule is wrong."""
    asking = page.alone()  # a claim is decided by what it asks for itself
    facts = Facts(asking)
    try:
        verdict, words = claim.rule(facts, Say(**asking.functions()))
    except Problem as problem:
        because = f": {problem.why.splitlines()[0].rstrip('.')}" if problem.why else ""
        commands = [] if problem.next in ("make help", "make steps") else [problem.next]
        return Decided(claim, "undecided", f"{problem.what.rstrip('.')}{because}.", [], commands, asking)
    except (TypeError, AttributeError, LookupError, ValueError, ArithmeticError) as error:
        raise TypeError(f"the claim {claim.id}: {error}") from error
    steps = [find_step(record.step) for record in asking.records.asked.values()]
    measuring = [step.timing_command if step.name in asking.timed else step.command for step in steps]
    links = [asking.record_link(record) for record in asking.records.asked.values()]
    again = list(dict.fromkeys([*measuring, *facts.commands]))
    return Decided(claim, verdict, words, [*links, *facts.files], again, asking)


@lru_cache(maxsize=1)
def decided(page: Page) -> list[Decided]:
    """Every claim with its verdict: a page's table and its text are of the same."""
    return [decide(claim, page) for claim in CLAIMS]


@page_function
def count_claims(page: Page, verdict: str = "") -> str:
    """How many claims there are, or how many have a verdict."""
    return str(sum(one.verdict == verdict for one in decided(page)) if verdict else len(CLAIMS))


@page_function
def badge_of(page: Page, word: Verdict) -> str:
    """A verdict, as it is shown."""
    return badge(word)


@page_function
def claims_table(page: Page) -> str:
    """Every claim in a few words, with a link to where it is told, its verdict and its number."""
    rows = [
        [f"[{in_cell(one.claim.short)}](#{one.claim.id})", badge(one.verdict), in_cell(one.number)]
        for one in decided(page)
    ]
    return markdown_table(["claim", "verdict", "number"], rows, "llr")


@page_function
def claims(page: Page) -> str:
    """Every claim, by theme, each folded: what is said, by whom, the verdict, why, and how to take its numbers again.

    The heading is inside: whoever follows a link to it finds it unfolded, by the browser or by the theme.
    """
    parts, theme = [], None
    for one in decided(page):
        claim = one.claim
        if claim.theme != theme:
            theme = claim.theme
            parts.append(f"## {theme}")
        who = f"[{claim.who}]({claim.url})" if claim.url else claim.who
        inside = [
            f"### {f'“{claim.says}”' if claim.quoted else claim.says} {{ #{claim.id} }}",
            f"{who}, {claim.when}\n{{ .said }}",
            one.words,
            *([f"{rests_on}\n{{ .rests-on }}"] if (rests_on := _rests_on(one)) else []),
            f'??? rule "The rule"\n\n    {claim.told}',
        ]
        folded = textwrap.indent("\n\n".join(inside), "    ")
        parts.append(f'??? claim "{badge(one.verdict)} {claim.short}"\n\n{folded}')
    return "\n\n".join(parts)


@page_function
def verdict(page: Page, identifier: str) -> str:
    """The verdict on one claim; it leads to where the claim is told. Raises Problem when there is no such claim."""
    found = next((one for one in CLAIMS if one.id == identifier), None)
    if found is None:
        raise Problem(f"There is no claim called {identifier}.", next="ls folklore/claims")
    return f"[{badge(decide(found, page).verdict)}]({page.link(CLAIMS_PAGE)}#{identifier})"


def badge(verdict: Verdict) -> str:
    """A verdict as pages show it."""
    return f"**{verdict}**{{ .verdict .{verdict.replace(' ', '-')} }}"


def _rests_on(one: Decided) -> str:
    """What a verdict was computed from, and what to type to measure that."""
    parts = [f"Records: {', '.join(one.records)}."] if one.records else []
    if one.commands:
        word = "Again" if one.records else "Next"
        parts.append(f"{word}: {', '.join(f'`{command}`' for command in one.commands)}.")
    return " ".join(parts)
