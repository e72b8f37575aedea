"""advice.json says what the pages say, of records that are."""

import html
import json
import re
from datetime import datetime

import pytest

from measure.base.files import RESULTS
from measure.record.records import Record, load, record_path
from measure.tell.advice import Advice, Published
from measure.tell.folklore import CLAIMS
from measure.tell.site import PAGES, front_matter


@pytest.fixture(scope="module")
def published(built) -> Published:
    return Published.model_validate_json((built / "advice.json").read_text())


def words(text: str) -> str:
    """The text that a reader sees of some HTML."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", text)).split())


def place(built, one: Advice) -> str:
    """The part of a page that a piece of advice is from, as HTML."""
    folder, _, anchor = one.page.partition("#")
    text = (built / folder / "index.html").read_text()
    if one.kind == "answer":
        return text.split('<div class="admonition abstract">')[1].split("</div>")[0]
    # A verdict is in the line that unfolds the claim, above its heading.
    before, _, after = text.partition(f'<h3 id="{anchor}">')
    return before.rpartition('<details class="claim">')[2] + after.split('<details class="rule">')[0]


def test_each_sentence_stands_on_its_page(built, published):
    for one in published.advice:
        shown = words(place(built, one))
        assert one.sentence in shown, one.page
        assert one.question.replace("“", "") in shown, one.page
        assert not one.verdict or one.verdict in shown, one.page


def test_each_answer_of_each_page_and_each_verdict_is_there(published):
    answers = [one for path in PAGES.rglob("*.md") for one in front_matter(path.read_text()).get("answer", [])]
    assert len([one for one in published.advice if one.kind == "answer"]) == len(answers)
    verdicts = [one.page.partition("#")[2] for one in published.advice if one.kind == "verdict"]
    assert verdicts == [claim.id for claim in CLAIMS]


def test_each_record_is_one_that_is_with_the_dates_that_it_has(built, published):
    rows = (built / "results/index.html").read_text()

    def record(name: str) -> Record | None:
        image, platform = name.split(" on ")
        return load(record_path(published.environment, *image.split("/"), platform))

    of_records = [of for one in published.advice for of in one.records]
    assert of_records
    for of in of_records:
        found = record(of.id)
        assert found, of.id
        assert of.measured_at == found.provenance.measured_at
        assert of.timed_at == (found.time.measured_at if found.time else None)
        assert f'id="{of.page.partition("#")[2]}"' in rows


def test_each_file_is_on_the_site_and_as_old_as_it_says(built, published):
    found = {of.file: of.measured_at for one in published.advice for of in one.files}
    assert found
    for file, latest in found.items():
        text = (built / file).read_text()
        assert json.loads(text) == json.loads((RESULTS / file.removeprefix("results/records/")).read_text())
        dates = re.findall(r'"\w+": ?"(\d{4}-\d\d-\d\dT[^"]+)"', text)
        assert latest == max(map(datetime.fromisoformat, dates)), file


def test_a_number_in_a_sentence_rests_on_something(published):
    without = [
        one.sentence
        for one in published.advice
        if re.search(r"\d ?(?:MB|kB|s|%)(?!\w)", one.sentence) and not one.records and not one.files
    ]
    assert without == []


def test_llms_txt_stands_beside_it_and_leads_to_pages_that_are(built, published):
    text = (built / "llms.txt").read_text()
    assert text.startswith(f"# {published.site}\n\n> {published.summary}\n")
    links = re.findall(r"\]\(([^)]+)\)", "\n".join(re.findall(r"^- \[.*?\]\([^)]+\)", text, re.MULTILINE)))
    assert len(links) > len(published.advice)
    for link in links:
        assert (built / link.partition("#")[0] / "index.html").exists(), link
    for one in published.advice:
        assert one.sentence in text
