"""A message's own words lead to what it means, through the site's search."""

import json
import re
from html import unescape

import pytest

from measure.tell.messages import ANYTHING, groups
from tests.docs.test_browser import leads_to, opened  # noqa: F401

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
