"""advice.json and llms.txt: sentences as plain text, and what they rest on."""

import json
from pathlib import PurePosixPath
from types import SimpleNamespace

import pytest

import measure.pages  # noqa: F401
from measure.record.records import load, record_path
from measure.tell import advice
from measure.tell.advice import JSON, TEXT, Published, address, answers, navigation, plain
from measure.tell.page import Page
from measure.tell.reading import Records

STEP, START = PurePosixPath("steps/step-1.md"), PurePosixPath("index.md")


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ('[12.0&nbsp;MB](../x.md#a "1,000 bytes; step/x on y"){ .measured } less', "12.0 MB less"),
        ('[3&nbsp;s](x.md "3 s (busy)"){ .measured }, [4&nbsp;s](y.md){ .measured }', "3 s, 4 s"),
        ("[link](https://example.org/a_(b)) and ![alt](x.png)", "link and alt"),
        ("**bold**, *slanted*, _this too_ and __this__", "bold, slanted, this too and this"),
        ("`a_b` and `**kwargs` and ``x`y`` stay", "a_b and **kwargs and x`y stay"),
        ("snake_case_name, 2 * 3 * 4", "snake_case_name, 2 * 3 * 4"),
        ("**verdict**{ .verdict .holds } said", "verdict said"),
        ("a &lt; b\nand  <span>c</span>", "a < b and c"),
        ("{% raw %} [x] {y}", "{% raw %} [x] {y}"),
    ],
)
def test_markdown_becomes_the_text_that_a_page_shows(markdown, text):
    assert plain(markdown) == text


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("index.md", "./"),
        ("final.md", "final/"),
        ("results/index.md", "results/"),
        ("steps/step-1.md", "steps/step-1/"),
    ],
)
def test_a_page_is_where_the_site_serves_it(path, where):
    assert address(PurePosixPath(path)) == where


def test_a_page_outside_of_any_section_is_a_section():
    nav = [{"Start": "index.md"}, {"Steps": [{"One": "steps/step-1.md"}, {"Two": "steps/step-2.md"}]}]
    assert navigation(nav) == {
        "Start": [("Start", START)],
        "Steps": [("One", STEP), ("Two", PurePosixPath("steps/step-2.md"))],
    }


@pytest.fixture
def page():
    """A page whose answer has a size, a size of another image, and a file."""
    sentences = [
        '{{ size("step-1") }} is the `slim` image.',
        '{{ size("step-1/full") }} is [full](step-1.md#x), says [the table](../results/records/wheels.json).',
    ]
    slim, full = (load(record_path("lab-amd64", "step-1-kiss", one, "linux/amd64")) for one in ("recommended", "full"))
    found = {"step-1": slim, "step-1/full": full}
    records = SimpleNamespace(get=lambda name, *_: found[name], environment="lab-amd64", found=found)
    return Page(records, STEP, {"question": "How *large*?", "answer": sentences})


def test_each_sentence_has_its_own_records_with_their_dates(page):
    first, second = answers(page)
    slim, full = page.records.found.values()
    assert (first.kind, first.page, first.question, first.verdict) == ("answer", "steps/step-1/", "How large?", None)
    assert first.sentence.endswith(" MB is the slim image.")
    assert [one.id for one in first.records] == ["step-1-kiss/recommended on linux/amd64"]
    assert first.records[0].measured_at == slim.provenance.measured_at
    assert first.records[0].timed_at == (slim.time.measured_at if slim.time else None)
    assert first.records[0].page == "results/#step-1-kiss-recommended-linux-amd64"
    assert first.files == []
    assert [one.id for one in second.records] == ["step-1-kiss/full on linux/amd64"]
    assert second.records[0].measured_at == full.provenance.measured_at
    assert [one.file for one in second.files] == ["results/records/wheels.json"]
    assert second.files[0].measured_at.year >= 2026


def test_a_page_that_answers_nothing_advises_nothing(page):
    assert list(answers(Page(page.records, STEP, {"title": "x"}))) == []


def test_both_files_have_the_same_sentences_and_verdicts():
    metas = {STEP: {"question": "How large?", "answer": ['{{ size("step-1") }} is the image.']}, START: {"title": "x"}}
    found = advice.files(Records(), metas)
    published = Published.model_validate_json(found[JSON])
    assert "null" not in json.dumps(json.loads(found[JSON]))
    answered, *verdicts = published.advice
    assert answered.page == "steps/step-1/"
    assert {one.kind for one in verdicts} == {"verdict"}
    assert all(one.verdict and one.page.startswith("results/folklore/#") for one in verdicts)
    assert all(one.records or one.files for one in verdicts if one.verdict != "undecided")
    lines = found[TEXT].splitlines()
    assert lines[0] == f"# {published.site}"
    assert lines[2] == f"> {published.summary}"
    assert "- [Step 1: keep it simple](steps/step-1/): How large?" in lines
    assert f"- [Step 1: keep it simple](steps/step-1/): {answered.sentence}" in lines
    for one in verdicts:
        assert any(line.endswith(f"]({one.page}): {one.verdict}. {one.sentence}") for line in lines), one.page
    links = [line for line in lines if line.startswith("- ")]
    heads = [line for line in lines if line.startswith("## ")]
    assert len(links) + len(heads) == len([line for line in lines[5:] if line]), "lists of links and nothing else"
