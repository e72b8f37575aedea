"""What a reader has before them on a page of the built site, and where its words and numbers go beyond their limits.

`python -m tests.docs.prose` counts what is found on each page of site/, as `make docs` has built it; with the name of a
page, like steps/step-1.md, it prints every finding there. With --exceptions it prints the part of limits.toml that lets
all of them pass. The limits, and the exceptions from them, are in that file.
"""

from __future__ import annotations

import math
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath

from pydantic import Field

from measure.base.model import Strict
from measure.tell.advice import address
from measure.tell.glossary import terms
from measure.tell.site import PAGES, SITE, front_matter

SOURCE = Path(__file__).with_name("limits.toml")
#: Rules that a browser finds out: see test_screens.py.
IN_A_BROWSER = ("screens", "first", "wide")
#: Elements that end one stretch of text and begin another.
BLOCKS = {
    *("p", "li", "td", "th", "dd", "dt", "figcaption", "summary", "pre", "text", "h1", "h2", "h3", "h4", "h5", "h6"),
    *("div", "ul", "ol", "dl", "table", "thead", "tbody", "tr", "article", "details", "figure", "svg", "blockquote"),
}
VOID = {"br", "hr", "img", "input", "link", "meta", "wbr", "col", "source"}
#: Those whose text is sentences.
PROSE = {"p", "li", "td", "dd", "figcaption"}
#: What stands for code and for somebody else's words in a sentence: one word, without a number.
CODE, QUOTE = "⟨code⟩", "⟨quote⟩"
#: Digits that begin a word, with their unit; no part of a version, a path or a longer word.
NUMBER = re.compile(
    r"(?<![\w./:@#\u2013-])[+\u2212-]?\d+(?:[.,]\d+)*(?!\d)(?:(?:[kMG]?B|m?s|\u00d7|x)\b)?(?![\w/:@]|[.\u2013-]\w)"
)
#: Where one sentence ends and the next one begins; some names begin with a small letter everywhere.
ENDS = re.compile(
    r"(?<=[.!?])[)\u201d\u2019\"']*\s+(?=[\u201c\"(\[+\u2212-]?(?:[A-Z0-9\u27e8]|(?:apk|apt|glibc|gunicorn|musl|pip|uv)\b))"
)
#: A sentence whose subject is a clause: What it saves is little.
RELATIVE = re.compile(
    r"^(?:(?:And|But|So|For) )?[Ww](?:hat|hoever|hatever) .*\b(?:is|are|was|were)\b.*[^?]$", re.DOTALL
)


class Phrase(Strict):
    """Words that pages do not have: a regular expression, and what is written instead."""

    pattern: str
    instead: str


class Allowed(Strict):
    """A page that goes beyond limits: up to which ones, by rule, and why."""

    why: str = Field(min_length=10)
    most: dict[str, float]


class Limits(Strict):
    """The limits of pages, by rule: how many findings a page may have. A rule that is not named allows none."""

    limits: dict[str, float]
    #: Words in a sentence, and numbers in it.
    words: int
    numbers_in_a_sentence: int
    #: Answers to a page's question, and the numbers in them.
    answers: int
    numbers_in_answers: int
    #: What looks like a number and is a name; regular expressions.
    names: tuple[str, ...]
    #: Classes of elements that list sources and are no sentences.
    sources: tuple[str, ...]
    #: Titles of blocks of code that are output; regular expressions.
    output: tuple[str, ...]
    #: Screens that a page may take, by a regular expression of its path.
    screens: dict[str, float]
    phrase: list[Phrase]
    #: By page.
    exceptions: dict[str, Allowed]

    def usual(self, page: str, rule: str) -> float:
        """How many findings of a rule a page may have that is no exception."""
        if rule == "screens":
            return next((most for pattern, most in self.screens.items() if re.search(pattern, page)), math.inf)
        return self.limits.get(rule, 0)

    def most(self, page: str, rule: str) -> float:
        """How many findings of a rule a page may have."""
        allowed = self.exceptions[page].most if page in self.exceptions else {}
        return allowed.get(rule, self.usual(page, rule))


def read_limits(path: Path = SOURCE) -> Limits:
    """The limits of pages."""
    return Limits.model_validate(tomllib.loads(path.read_text()))


@dataclass(frozen=True)
class Block:
    """A stretch of text: the element that it stands in, and the classes of all around it."""

    element: str
    text: str
    classes: frozenset[str]
    #: Is it in a part that is folded?
    folded: bool
    #: The title of the block of code that it is.
    title: str = ""


@dataclass
class Reader(HTMLParser):
    """Reads what a page of the site says, without its navigation."""

    blocks: list[Block] = field(default_factory=list)
    tables: int = 0  #: in view

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[tuple[str, frozenset[str], bool]] = []  # element, classes, does it fold what is in it
        self._text: list[str] = []
        self._title = ""

    def _end_of_text(self) -> None:
        text, self._text = "".join(self._text), []
        names = [name for name, _, _ in self._open]
        if not text.strip() or "article" not in names or "script" in names or "style" in names:
            return
        inside = "pre" if "pre" in names else next((name for name in reversed(names) if name in BLOCKS), "article")
        classes = frozenset().union(*(classes for _, classes, _ in self._open))
        if "filename" in classes:
            self._title = text.strip()
            return
        title, self._title = (self._title, "") if inside == "pre" else ("", self._title)
        shown = text if inside == "pre" else " ".join(text.replace("\u00a0", "␣").split()).replace("␣", "\u00a0")
        self.blocks.append(Block(inside, shown, classes, self._folded(), title))

    def _folded(self) -> bool:
        """Is the place in a folded part, and not in the line that unfolds it?"""
        folds = [place for place, (_, _, folds) in enumerate(self._open) if folds]
        within = [name for name, _, _ in self._open[folds[0] + 1 :]] if folds else []
        return bool(folds) and (len(folds) > 1 or within[:1] != ["summary"])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        classes = frozenset((values.get("class") or "").split())
        if tag in BLOCKS or "filename" in classes:
            self._end_of_text()
        if tag == "br":
            self._text.append(" ")
        if tag in VOID:
            return
        if tag == "code" and not self._in("pre"):
            self._text.append(CODE)
        self._open.append((tag, classes, tag == "details" and "open" not in values))
        if tag == "table" and self._in("article") and not self._folded():
            self.tables += 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Nothing: what closes itself has no text."""

    def handle_endtag(self, tag: str) -> None:
        if tag in BLOCKS or (self._open and "filename" in self._open[-1][1]):
            self._end_of_text()
        while self._open and tag in (name for name, _, _ in self._open):
            if self._open.pop()[0] == tag:
                break

    def handle_data(self, data: str) -> None:
        inline = self._in("code") and not self._in("pre")
        if not inline and not any("headerlink" in classes for _, classes, _ in self._open[-1:]):
            self._text.append(data)

    def _in(self, tag: str) -> bool:
        return any(name == tag for name, _, _ in self._open)


def read(html: str) -> Reader:
    """What a page says."""
    reader = Reader()
    reader.feed(html)
    return reader


def numbers(text: str, names: tuple[str, ...] = ()) -> list[str]:
    """The numbers in a text, but for those that are a part of a name. 20 of 27 is one, a share."""
    for name in names:
        text = re.sub(name, "⟨name⟩", text)
    return NUMBER.findall(re.sub(r"(\d)\sof\s(?:the\s)?\d+\b", r"\1 of all", text))


def sentences(text: str) -> list[str]:
    """The sentences of a text, without what is quoted."""
    return [one for one in ENDS.split(re.sub(r"“[^”]*”|\"[^\"]*\"", QUOTE, text)) if re.search(r"\w", one)]


def in_view(page: Reader, limits: Limits) -> Iterator[str]:
    """Every number that is seen while folded parts are closed: in words, tables, charts and the output of commands."""
    for block in page.blocks:
        if not block.folded and (block.element != "pre" or any(re.search(one, block.title) for one in limits.output)):
            yield from numbers(block.text, limits.names)


def _of_sentence(one: str, limits: Limits) -> Iterator[tuple[str, str]]:
    """The findings in a sentence: a rule, and what is wrong."""
    listed = re.sub(rf"{CODE}(?:,? (?:and |or )?{CODE})+", CODE, one)  # names one after another are read at a glance
    count = len([word for word in listed.split() if re.search(r"\w", word)])
    if count > limits.words:
        yield "words", f"{count} words: {one}"
    found = numbers(one, limits.names)
    if len(found) > limits.numbers_in_a_sentence:
        yield "sentence", f"{len(found)} numbers: {one}"
    if RELATIVE.match(one):
        yield "phrases", f"a clause as the subject; name the thing: {one}"


def _of_text(text: str, limits: Limits) -> Iterator[tuple[str, str]]:
    """The findings in any text that is not code: a rule, and what is wrong."""
    text = re.sub(r"“[^”]*”|\"[^\"]*\"", QUOTE, text)
    for phrase in limits.phrase:
        for found in re.finditer(phrase.pattern, text):
            yield "phrases", f"“{found[0]}”; {phrase.instead}: …{text[max(0, found.start() - 40) : found.end() + 40]}…"
    for term in terms():
        for found in term.avoided.finditer(text):
            yield (
                "terms",
                f"“{found[0]}” is called {term.name}: …{text[max(0, found.start() - 40) : found.end() + 40]}…",
            )


def _of_answer(page: Reader, meta: dict, limits: Limits) -> Iterator[str]:
    """What is wrong with a page's question and answer."""
    if "learn" in meta or not str(meta.get("question", "")).endswith("?"):
        yield "the front matter has no `question` that ends in a question mark, or still has `learn`"
    given = meta.get("answer")
    if not isinstance(given, list) or not 1 <= len(given) <= limits.answers:
        yield f"the front matter has no `answer` of one to {limits.answers} sentences"
    box = [one for one in page.blocks if "abstract" in one.classes and "admonition-title" not in one.classes]
    if len(found := [number for one in box for number in numbers(one.text, limits.names)]) > limits.numbers_in_answers:
        yield f"the answer has {len(found)} numbers: {', '.join(found)}"
    if len(found := [sentence for one in box for sentence in sentences(one.text)]) > limits.answers:
        yield f"the answer has {len(found)} sentences"


def findings(page: Reader, meta: dict, limits: Limits) -> dict[str, list[str]]:
    """All that a page has of what limits are for, by rule."""
    found: dict[str, list[str]] = {"numbers": list(in_view(page, limits)), "tables": ["table"] * page.tables}
    found |= {rule: [] for rule in ("words", "sentence", "phrases", "terms")}
    found["answer"] = list(_of_answer(page, meta, limits))
    for block in page.blocks:
        if block.element in ("pre", "text") or block.classes & {*limits.sources}:
            continue
        told = list(_of_text(block.text, limits))
        if block.element in PROSE:
            told += [one for sentence in sentences(block.text) for one in _of_sentence(sentence, limits)]
        for rule, what in told:
            found[rule].append(what)
    return found


def pages() -> list[str]:
    """Every page of the site, by its path below docs/."""
    return sorted(path.relative_to(PAGES).as_posix() for path in PAGES.rglob("*.md"))


def findings_on(name: str, limits: Limits, site: Path = SITE) -> dict[str, list[str]]:
    """What a page of the built site has."""
    html = (site / address(PurePosixPath(name)) / "index.html").read_text()
    return findings(read(html), front_matter((PAGES / name).read_text()), limits)


def exceptions(limits: Limits) -> Iterator[str]:
    """A line of limits.toml for each page that goes beyond the usual limits."""
    for name in pages():
        known = limits.exceptions.get(name)
        over = {rule: most for rule, most in (known.most if known else {}).items() if rule in IN_A_BROWSER}
        over |= {rule: len(of) for rule, of in findings_on(name, limits).items() if len(of) > limits.usual(name, rule)}
        if over:
            most = ", ".join(f"{rule} = {number:g}" for rule, number in over.items())
            yield f'"{name}" = {{ why = "{known.why if known else "?"}", most = {{ {most} }} }}'


def main(words: list[str]) -> None:
    """Count the findings on each page, or print those on the pages that are named."""
    limits = read_limits()
    if words == ["--exceptions"]:
        print(*exceptions(limits), sep="\n")
        return
    for name in words or pages():
        found = findings_on(name, limits)
        if words:
            for rule in (rule for rule in found if rule != "tables"):
                print(f"{rule}: {len(found[rule])}, at most {limits.most(name, rule):g}", *found[rule], sep="\n    ")
        else:
            told = (f"{rule} {len(of)}{'!' * (len(of) > limits.most(name, rule))}" for rule, of in found.items())
            print(f"{name:36} {'  '.join(told)}")


if __name__ == "__main__":
    main(sys.argv[1:])
