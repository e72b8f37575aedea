"""What a reader has on the first screen, and how many screens a page takes, at 1280 by 900 in a real browser."""

import re

import pytest

from tests.docs.prose import read_limits
from tests.docs.test_browser import CASES, WIDE, opened  # noqa: F401

LIMITS = read_limits()
#: Pages that show a Dockerfile, or another file to copy, on the first screen.
WITH_CODE = re.compile(r"^steps/")
#: Lines of that file that are to be seen, in pixels.
FIRST_LINES = 60


def source(path: str) -> str:
    """The page below docs/ that the site serves there."""
    return f"{path}.md" if path and path != "results" else f"{path}/index.md".lstrip("/")


def top(page, selector: str) -> float:
    """How far below the page's top the first such element in view begins, in pixels."""
    found = page.locator(f"{selector}:visible")
    assert found.count(), f"no {selector}"
    return found.first.bounding_box()["y"]


def beyond_the_first_screen(page, name: str) -> list[str]:
    """What begins below the first screen, of what is to be seen there."""
    wanted = {
        ".admonition.abstract": 0,
        **({".md-content .highlight pre": FIRST_LINES} if WITH_CODE.match(name) else {}),
    }
    return [selector for selector, height in wanted.items() if top(page, selector) + height > WIDE["height"]]


@pytest.mark.parametrize("path", CASES)
def test_a_page_takes_few_screens_and_the_first_one_has_the_answer(opened, path):  # noqa: F811
    name, page = source(path), opened(path, viewport=WIDE)
    found = {"screens": page.evaluate("document.documentElement.scrollHeight") / WIDE["height"]}
    found["first"] = beyond_the_first_screen(page, name)
    found["wide"] = too_wide(page)  # the last one: it opens what is folded
    over = {rule: value for rule, value in found.items() if size(value) > LIMITS.most(name, rule)}
    assert not over, f"docs/{name} goes beyond tests/docs/limits.toml: {over}"
    allowed = LIMITS.exceptions[name].most if name in LIMITS.exceptions else {}
    needless = [rule for rule in allowed if rule in found and size(found[rule]) <= LIMITS.usual(name, rule)]
    assert needless == [], f"exceptions that {name} does not need"


def size(value: float | list) -> float:
    """How much was found."""
    return len(value) if isinstance(value, list) else value


def too_wide(page) -> list[str]:
    """The blocks of code that scroll sideways, those in folded parts too, by their first line."""
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    blocks = page.locator(".md-content pre > code").evaluate_all(
        """all => all.filter(one => one.scrollWidth > one.clientWidth || one.parentElement.scrollWidth >
             one.parentElement.clientWidth).map(one => [one.closest('.highlight')?.querySelector('.filename')
             ?.innerText ?? '', one.innerText.trim().split('\\n')[0]])"""
    )
    return [f"{title} {line}" for title, line in blocks]
