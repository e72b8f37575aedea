"""Messages: their source, the page of all of them, and the pages that show their own."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest

import measure.pages  # noqa: F401
from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.tell.messages import ALL, SOURCE, Message, groups, read_groups
from measure.tell.page import Page, in_cell
from tests.docs.test_site import typed

MESSAGES = {one.id: one for group in groups() for one in group.message}
#: Where they are provoked.
TESTS = [
    ROOT / "tests" / name
    for name in (
        "unit/test_messages_of_tools.py",
        "images/test_messages.py",
        "images/test_newer_client.py",
        "images/test_postgres.py",
        "images/test_extra_second_platform.py",
        "images/test_extra_other_languages.py",
        "images/test_extra_shipping.py",
    )
]


def seen(name: str, output: str) -> None:
    """The message is in an output, in the words that the pages have."""
    assert MESSAGES[name].is_in(output), f"not there: {MESSAGES[name].says}\n{output}"


def test_every_message_is_provoked_by_a_test_or_says_why_not():
    texts = "".join(path.read_text() for path in TESTS)
    for one in MESSAGES.values():
        tested = f'"{one.id}"' in texts
        assert tested == bool(one.says and not one.unproved), f"{one.id}: a test, or a reason why there is none"


def test_there_are_enough_of_them_and_nobody_typed_a_number():
    assert sum(bool(one.says) for one in MESSAGES.values()) >= 40
    assert typed(SOURCE.read_text()) == []
    assert [one.id for one in MESSAGES.values() if one.says and len(one.says.replace("…", "").split()) < 3] == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('id = "a"', "cause"),
        ('id = "a"\ncause = ""\ncure = ""\nsee = ""', "it says what is seen"),
        ('id = "a"\nnote = "x"\ncause = ""\ncure = ""\nsee = ""\nunproved = "y"', "leave `unproved` out"),
        ('id = "a"\nsays = "x"\ncause = ""\ncure = ""\nsee = ""\nmore = ""', "more"),
        ('id = "a"\nsays = "x"\ncause = ""\ncure = ""\nsee = ""\n[[group.message]]\nid = "a"\nsays = "y"\n'
         'cause = ""\ncure = ""\nsee = ""', "more than one message is called a"),
        ("id =", "Invalid value"),
    ],
)  # fmt: skip
def test_a_wrong_source_is_refused_by_name(tmp_path, line, why):
    path = tmp_path / "messages.toml"
    path.write_text(f'[[group]]\ntitle = "x"\n[[group.message]]\n{line}\n')
    with pytest.raises(Problem, match=re.escape("messages.toml is not valid")) as problem:
        read_groups(path)
    assert why in problem.value.why


def page(path: str) -> Page:
    return Page(None, PurePosixPath(path))


def test_the_page_of_all_has_each_message_once_and_its_links_lead_from_there():
    table = page(str(ALL)).call("messages")
    for one in MESSAGES.values():
        assert table.count(f'<h3 id="{one.id}">{in_cell(one.term)}</h3>') == 1
    rows = [row for row in table.splitlines() if row.startswith("| ")]
    assert len(rows) == 2 + len(groups()) + len(MESSAGES)
    assert "](where-it-runs.md#kubernetes)" in table
    assert "](../steps/step-3.md#the-dockerfile-to-copy)" in table
    assert "](guide/" not in table


def test_a_page_shows_its_own_messages_and_no_other():
    named = {path for one in MESSAGES.values() for path in one.pages}
    for path in sorted(named):
        assert "{{ troubleshooting() }}" in (ROOT / "docs" / path).read_text(), path
        text = page(path).call("troubleshooting")
        terms = {re.split(r"\n:   ", part)[0] for part in text.split("\n\n")[:-1]}
        assert terms == {one.term for one in MESSAGES.values() if path in one.pages}
        assert text.count("**Remedy:** ") == len(terms), "a cure is told from a cause"
    assert "](../results/wheels.md)" in page("steps/step-4.md").call("troubleshooting")
    with pytest.raises(Problem, match=re.escape("No message belongs to docs/index.md")):
        page("index.md").call("troubleshooting")


def test_a_message_is_found_whatever_differs_and_however_it_is_broken_into_lines():
    message = Message(id="x", says="secret …: not found", cause="", cure="", see="")
    assert message.is_in("ERROR: failed to solve: secret token:\n  not found\n")
    assert not message.is_in("ERROR: failed to solve: secret token: found")
    assert not Message(id="x", note="a page that is blank", cause="", cure="", see="").is_in("anything")
