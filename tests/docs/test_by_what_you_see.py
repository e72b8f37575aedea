"""A message's own words lead to what it means, through the site's search."""

import json
import re
import string
from html import unescape

import pytest

from measure.tell.messages import ANYTHING, groups
from tests.docs.test_browser import leads_to, opened, search_field  # noqa: F401

SAID = [one.says for group in groups() for one in group.message if one.says]


def words(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", "", unescape(text)).split())


def test_the_search_index_has_each_message_in_its_own_words(built):
    entries = json.loads((built / "search/search_index.json").read_text())["docs"]
    entries = [entry for entry in entries if entry["location"].startswith("guide/by-what-you-see")]
    indexed = words(" ".join(f"{entry['title']} {entry['text']}" for entry in entries))
    for said in SAID:
        for part in said.split(ANYTHING):
            assert words(part) in indexed, said


@pytest.mark.browser
@pytest.mark.parametrize("message", ["failed to parse platform", "No usable temporary directory", "UnknownIssuer"])
def test_the_search_field_leads_to_it(opened, message):  # noqa: F811
    leads_to(opened(), message, "By what you see", "guide/by-what-you-see")


@pytest.mark.browser
def test_no_first_letter_breaks_the_search(opened):  # noqa: F811
    """lunr, the theme's search, mixes up ends of words that are digits: see measure/tell/search.py, which mends it.

    A letter asks for all words that begin with it, so these few ask for every word of the site. What breaks is a
    warning on the console, which fails the test.
    """
    page = opened()
    field = search_field(page)
    for letter in string.ascii_lowercase + string.digits:
        field.fill("")
        page.wait_for_function("document.querySelector('.md-search-result__meta').innerText.includes('Type to start')")
        field.press_sequentially(letter)
        page.wait_for_function("!document.querySelector('.md-search-result__meta').innerText.includes('Type to start')")
