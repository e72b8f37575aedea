"""One name for one thing: the terms' source, and the page that has them."""

import re
from pathlib import PurePosixPath

import pytest

import measure.pages  # noqa: F401
from measure.base.errors import Problem
from measure.tell.glossary import SOURCE, Term, read_terms, terms
from measure.tell.page import Page
from measure.tell.reading import Records
from tests.docs.test_site import typed

WRONG = {
    'name = "a"\nmeans = "A thing."': "avoid",
    'name = "a"\nmeans = "no sentence"\navoid = []': "means",
    'name = ""\nmeans = "A thing."\navoid = []': "name",
    "name =": "Invalid value",
}


def source(folder, *terms: str):
    path = folder / "glossary.toml"
    path.write_text("".join(f"[[term]]\n{term}\n" for term in terms))
    return path


@pytest.mark.parametrize(("term", "why"), WRONG.items())
def test_a_wrong_source_is_refused_by_name(tmp_path, term, why):
    with pytest.raises(Problem, match=r"glossary\.toml is not valid") as problem:
        read_terms(source(tmp_path, term))
    assert why in problem.value.why


def test_a_name_stands_for_one_thing_alone(tmp_path):
    first = 'name = "processor"\nmeans = "It runs instructions."\navoid = ["CPU"]'
    with pytest.raises(Problem, match=r"more than once: cpu\.$"):
        read_terms(source(tmp_path, first, 'name = "cpu"\nmeans = "Another one."\navoid = []'))


@pytest.mark.parametrize(
    ("text", "found"),
    [("a CPU.", True), ("two cpus", True), ("(virtualenv)", True), ("GPU", False), ("my-cpu", False), ("venvy", False)],
)
def test_a_name_that_is_avoided_is_found_as_a_word_and_in_the_plural(text, found):
    term = Term(name="x", means="It is.", avoid=("CPU", "virtualenv", "venv"))
    assert bool(term.avoided.search(text)) == found
    assert not Term(name="x", means="It is.", avoid=()).avoided.search(text)


def test_no_sentence_uses_a_name_that_is_avoided_and_no_number_is_typed():
    for one in terms():
        words = re.sub(r"`[^`]*`", "", one.means)
        assert not [other.name for other in terms() if other.avoided.search(words)], one.name
    assert typed(SOURCE.read_text()) == []


def test_the_page_has_each_term_with_an_anchor_and_links_from_where_it_is():
    text = Page(Records(), PurePosixPath("guide/glossary.md")).functions()["glossary"]()
    rows = text.splitlines()[2:]
    assert len(rows) == len(terms())
    assert '<span id="base-image"></span>**base image** | The image that' in rows[0]
    assert "](floor.md)" in text
    assert "“CPU”" in text
