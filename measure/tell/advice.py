"""What the site advises, as data: advice.json and llms.txt, which `site.render` puts at the site's root.

advice.json is one object. Addresses in it are relative to it; dates are in UTC; a member without a value is left out.

    site         the name of the site
    summary      what the site is, in a sentence
    environment  the environment whose records all numbers are from, a folder of results/
    advice       a list: the answers of the pages in the order of the navigation, then the verdicts on claims
      kind       "answer" for a sentence of the box that a page begins with, "verdict" for what is said of a claim
      page       the address of the place where it stands
      question   what it answers: the page's question; for a verdict, the claim in the words in which it is made
      verdict    of a claim: "holds", "it depends", "no longer", or "undecided" when a record is missing or stale, or
                 when no record can decide it
      sentence   the words as plain text, with their numbers; a verdict may have more than one sentence
      records    a list of the records that the words rest on
        id           STEP/VARIANT on PLATFORM
        page         the address of its row in the table of all records, which leads to its file
        measured_at  when the image was built and weighed
        timed_at     when it was timed, if it was
      files      a list of other files of results/ that the words rest on
        file         its address
        measured_at  the latest date in it

llms.txt has the same sentences for those who read Markdown, in the form of the proposal of llmstxt.org: a title, a
summary, lists of links. The lists of pages have each page's question; the last two have the answers and the verdicts.
"""

from __future__ import annotations

import html
import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Literal

import yaml

from measure.base.files import ROOT
from measure.base.model import Strict
from measure.record import records as recorded
from measure.record.records import Record
from measure.tell import folklore
from measure.tell.page import RESULTS_PAGE, Page, anchor, records_file
from measure.tell.reading import Records

FOLKLORE = PurePosixPath("results/folklore.md")
JSON, TEXT = PurePosixPath("advice.json"), PurePosixPath("llms.txt")
_FILE = re.compile(r"\]\((?P<path>[^)\s]+\.json)\b")
#: What the dates in files of results/ are called.
_DATES = re.compile(r'"(?:measured_at|at)": *"([^"]+)"')


class RecordOf(Strict):
    """A record that words rest on."""

    id: str
    page: str
    measured_at: datetime
    timed_at: datetime | None = None


class FileOf(Strict):
    """A file of results/ that is no record, and that words rest on."""

    file: str
    measured_at: datetime | None = None


class Advice(Strict):
    """A piece of advice, and what it rests on."""

    kind: Literal["answer", "verdict"]
    page: str
    question: str
    verdict: folklore.Verdict | None = None
    sentence: str
    records: list[RecordOf]
    files: list[FileOf]


class Published(Strict):
    """The whole of advice.json."""

    site: str
    summary: str
    environment: str
    advice: list[Advice]


#: Each section of the navigation, with its pages: a title and a path below docs/.
Navigation = dict[str, list[tuple[str, PurePosixPath]]]


def plain(markdown: str) -> str:
    """Markdown of a sentence as the plain text that a page shows of it."""
    text = re.sub(r"\{ ?[.#][^}]*\}", "", markdown)  # which class a number has
    text = re.sub(r"!?\[([^\[\]]*)\]\((?:[^()\s]|\([^()\s]*\))*(?: \"[^\"]*\")?\)", r"\1", text)
    parts = re.split(r"(`+)(.+?)\1", text)  # text, ticks, code, text, …: code is shown as it is
    for place in range(0, len(parts), 3):
        words = re.sub(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1", r"\2", re.sub(r"<[^>]+>", "", parts[place]))
        parts[place] = html.unescape(re.sub(r"(?<!\w)([*_])(?=\S)(.+?)(?<=\S)\1(?!\w)", r"\2", words))
    return " ".join("".join(part for place, part in enumerate(parts) if place % 3 != 1).split())


def address(path: PurePosixPath) -> str:
    """Where the site serves a page, from the site's root."""
    folder = path.parent if path.name == "index.md" else path.with_suffix("")
    return "./" if folder == PurePosixPath() else f"{folder}/"


def answers(page: Page) -> Iterator[Advice]:
    """The sentences that a page answers its question with."""
    for sentence in page.meta.get("answer", ()):
        asking = page.alone()
        words = asking.fill(sentence)
        records, files = _records(asking), _files(asking, words)
        where, question = address(page.path), plain(page.meta["question"])
        yield Advice(kind="answer", page=where, question=question, sentence=plain(words), records=records, files=files)


def verdicts(page: Page) -> Iterator[Advice]:
    """What is said of each claim, on the page that tells of all of them."""
    for one in folklore.decided(page):
        yield Advice(
            kind="verdict",
            page=f"{address(page.path)}#{one.claim.id}",
            question=plain(one.claim.says),
            verdict=one.verdict,
            sentence=plain(one.words),
            records=_records(one.asked),
            files=_files(one.asked, " ".join([one.words, *one.records])),
        )


def _records(asking: Page) -> list[RecordOf]:
    """The records that a page was asked for while it stood alone."""
    return [_record(record) for record in asking.records.asked.values()]


def _record(record: Record) -> RecordOf:
    return RecordOf(
        id=f"{record.step}/{record.variant} on {record.platform}",
        page=f"{address(RESULTS_PAGE)}#{anchor(record)}",
        measured_at=record.provenance.measured_at,
        timed_at=record.time.measured_at if record.time else None,
    )


def _files(asking: Page, words: str) -> list[FileOf]:
    """The files of results/ that some words of a page lead to."""
    root = records_file(recorded.RESULTS)
    found = []
    for path in dict.fromkeys(match["path"] for match in _FILE.finditer(words)):
        place = PurePosixPath(posixpath.normpath(asking.path.parent / path))
        if place.is_relative_to(root):
            text = (recorded.RESULTS / place.relative_to(root)).read_text()
            dates = [datetime.fromisoformat(date) for date in _DATES.findall(text)]
            found.append(FileOf(file=str(place), measured_at=max(dates, default=None)))
    return found


def navigation(nav: Iterable[Mapping[str, Any]]) -> Navigation:
    """The sections of a navigation as MkDocs has it; a page that stands in none is a section of its own."""
    found: Navigation = {}
    for entry in nav:
        for title, inside in entry.items():
            pages = [{title: inside}] if isinstance(inside, str) else inside
            found[title] = [(name, PurePosixPath(path)) for one in pages for name, path in one.items()]
    return found


def as_text(published: Published, sections: Navigation, questions: Mapping[PurePosixPath, str]) -> str:
    """llms.txt."""
    lines = [f"# {published.site}", "", f"> {published.summary}", ""]
    lines += [
        "Each number below is computed from a record of a measurement, and none is typed. "
        f"[{JSON}]({JSON}) has the same sentences with the records that each of them rests on, and their dates."
    ]
    titles = {}
    for section, pages in sections.items():
        lines += ["", f"## {section}", ""]
        for title, path in pages:
            titles[address(path)] = title
            note = f": {questions[path]}" if path in questions else ""
            lines.append(f"- [{title}]({address(path)}){note}")
    of_kind = {kind: [one for one in published.advice if one.kind == kind] for kind in ("answer", "verdict")}
    lines += ["", "## Answers", ""]
    lines += [f"- [{titles.get(one.page, one.page)}]({one.page}): {one.sentence}" for one in of_kind["answer"]]
    lines += ["", "## Verdicts on what people say", ""]
    for one in of_kind["verdict"]:
        claim = re.sub(r"([\[\]])", r"\\\1", one.question)
        lines.append(f"- [{claim}]({one.page}): {one.verdict}. {one.sentence}")
    return "\n".join([*lines, ""])


def files(records: Records, metas: Mapping[PurePosixPath, dict[str, Any]]) -> dict[PurePosixPath, str]:
    """Both files, by their place on the site; `metas` has each page's front matter. Raises Problem as pages do."""
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    sections = navigation(settings["nav"])
    order = [path for pages in sections.values() for _, path in pages if path in metas]
    found = [one for path in order for one in answers(Page(records, path, metas[path]))]
    found += verdicts(Page(records, FOLKLORE))
    name, summary = settings["site_name"], settings["site_description"]
    published = Published(site=name, summary=summary, environment=records.environment, advice=found)
    questions = {path: plain(metas[path]["question"]) for path in order if "question" in metas[path]}
    data = json.dumps(published.model_dump(mode="json", exclude_none=True), indent=1, ensure_ascii=False)
    return {JSON: f"{data}\n", TEXT: as_text(published, sections, questions)}
