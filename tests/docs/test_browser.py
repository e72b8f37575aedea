"""The site as a reader sees it: every page in a real browser, wide and narrow, light and dark."""

import json
import re
from urllib.parse import urldefrag, urljoin

import pytest
from axe_playwright_python.sync_playwright import Axe

from measure.base.files import RESULTS
from measure.base.names import LAB_ENVIRONMENT
from measure.base.units import megabytes
from measure.exercises.model import CHAPTERS, exercises
from measure.tell.messages import ANYTHING, groups
from measure.tell.site import PAGES
from tests.conftest import eventually

PAGE_PATHS = sorted(
    str(path.relative_to(PAGES)).removesuffix(".md").removesuffix("index").rstrip("/") for path in PAGES.rglob("*.md")
)
#: Those that everybody opens in a browser: a chart, a step, a table that sorts, and the longest prose.
FOUR = ("", "steps/step-1", "results", "results/methodology")
CASES = [
    pytest.param(path, id=path or "index", marks=[] if path in FOUR else pytest.mark.browser) for path in PAGE_PATHS
]
#: Milliseconds that a page may take for anything.
PATIENCE = 120_000
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 380, "height": 800}


@pytest.fixture
def opened(browser, url):
    """Opens a page; when the test ends, nothing may have been wrong on it and nothing asked for elsewhere."""
    pages, wrong = [], []

    def open_page(path: str = "", *, viewport=WIDE, scheme="light"):
        page = browser.new_page(viewport=viewport, color_scheme=scheme)
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: message.type in ("error", "warning") and wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: request.url.startswith((url, "data:", "blob:")) or wrong.append(request.url))
        answer = page.goto(urljoin(url, f"{path}/" if path else ""))
        assert answer.ok, path
        page.wait_for_load_state("networkidle")
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", CASES)
def test_a_page_opens_fits_a_phone_and_is_accessible(opened, path, scheme):
    page = opened(path, viewport=NARROW, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    for viewport in (NARROW, WIDE):
        page.set_viewport_size(viewport)
        page.wait_for_timeout(500)  # colours and places change by and by: until they begin to, and until they have
        page.wait_for_function("document.getAnimations().every(one => one.playState !== 'running')")
        found = Axe().run(page).response["violations"]
        serious = [
            (fault["id"], [node["html"][:200] for node in fault["nodes"]][:3])
            for fault in found
            if fault["impact"] in ("serious", "critical")
        ]
        assert serious == []


def test_dark_and_light_follow_the_system_and_the_switch(opened):
    def background(page):
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light, dark = opened(scheme="light"), opened(scheme="dark")
    assert background(light) == "rgb(255, 255, 255)"
    assert background(dark) != background(light)
    light.locator("label[title='Switch to dark mode']").click()
    light.wait_for_function("document.body.dataset.mdColorScheme === 'slate'")
    eventually(lambda: background(light) == background(dark))


def table(page) -> list[list]:
    """The rows of the table of records, as texts."""
    return page.locator(".sortable tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(c => c.innerText))"
    )


def test_the_numbers_in_the_table_are_those_of_the_records(opened):
    page = opened("results")
    rows = {tuple(row[:3]): row for row in table(page)}
    records = [json.loads(path.read_text()) for path in (RESULTS / LAB_ENVIRONMENT).glob("*/*.json")]
    assert len(rows) == len(records)
    for record in records:
        row = rows[record["step"], record["variant"], record["platform"]]
        identifier = f"{record['step']}-{record['variant']}-{record['platform'].replace('/', '-')}"
        cells = page.locator(f"tr:has(#{identifier}) td")
        if record["outcome"] == "failed":
            assert row[3] == "fails"
            continue
        size, contents = record["size"], record["contents"]
        exact = [size["transfer_bytes"], size["unpacked_tar_bytes"], size["unpacked_file_bytes"]]
        exact += [size["wasted"]["own_bytes"], size["context_bytes"]]
        assert row[3:8] == [megabytes(value) for value in exact]
        for index, value in enumerate(exact, start=3):
            assert cells.nth(index).locator("span").get_attribute("title") == f"{value:,} bytes"
        assert row[8:11] == [str(len(contents["os_packages"])), str(len(contents["python_packages"])), contents["user"]]
        assert row[11:13] == [record["provenance"]["execution"], record["provenance"]["bases"][0]["origin"]]


def test_a_number_in_the_text_leads_to_its_record(opened):
    page = opened("steps/step-1")
    number = page.locator("a.measured", has_text="MB").first
    step, variant, platform = re.search(r"; (.+)/(.+) on (.+)$", number.get_attribute("title")).groups()
    number.click()
    page.wait_for_url("**/results/#*")
    row = page.locator("tr:has(:target)")
    assert row.locator("td").all_inner_texts()[:3] == [step, variant, platform]
    href = row.get_by_role("link", name="JSON").get_attribute("href")
    record = page.request.get(urljoin(page.url, href)).json()
    assert (record["step"], record["variant"], record["platform"]) == (step, variant, platform)


def test_a_click_on_a_heading_sorts_by_size_in_all_units_and_a_second_one_turns_it_around(opened):
    page = opened("results")

    def sizes() -> list[int]:
        titles = page.locator(".sortable tbody td:nth-child(4) span").evaluate_all("all => all.map(one => one.title)")
        return [int(title.replace(",", "").split()[0]) for title in titles]

    # Sizes are shown with one decimal, so that equal ones stand in any order.
    def rounded() -> list[int]:
        return [round(size / 1e5) for size in sizes()]

    button = page.get_by_role("button", name="transfer")
    button.click()
    assert rounded() == sorted(rounded())
    assert page.get_by_role("columnheader", name="transfer").get_attribute("aria-sort") == "ascending"
    button.press("Enter")
    assert rounded() == sorted(rounded(), reverse=True)
    page.get_by_role("button", name="wasted").click()
    titles = page.locator(".sortable tbody td:nth-child(7) span").evaluate_all("all => all.map(one => one.title)")
    wasted = [int(title.replace(",", "").split()[0]) for title in titles]
    assert wasted == sorted(wasted, key=lambda size: size if size < 1e3 else round(size, -2 if size < 1e6 else -5))
    page.get_by_role("button", name="variant").click()
    variants = [row[1] for row in table(page)]
    assert variants == sorted(variants)
    assert page.get_by_role("columnheader", name="transfer").get_attribute("aria-sort") is None


def search_field(page):
    """Where one types what to search for, with the index there."""
    field = page.get_by_role("textbox", name="Search")
    field.click()  # only now the index is fetched
    page.wait_for_function("document.querySelector('.md-search-result__meta').innerText.includes('Type to start')")
    return field


def leads_to(page, words: str, title: str, path: str) -> None:
    """Whoever types these words is led to this page by the first result with its title."""
    search_field(page).press_sequentially(words)
    result = page.locator(".md-search-result__item").filter(has_text=title).first
    result.wait_for()
    result.locator("a").first.click()
    page.wait_for_url(f"**/{path}/**")


def test_search_finds(opened):
    leads_to(opened(), "dockerignore", "keep it simple", "steps/step-1")


#: Messages with what the theme's search takes for operators, with quotation marks, and with words that every page has.
MESSAGES = ("chmod-needs-buildkit", "uv-knows-no-such-platform", "gcc-not-found", "secret-not-found", "no-daemon")


def test_search_finds_a_message_by_its_own_words(opened):
    says = {one.id: one.says.replace(ANYTHING, "x") for group in groups() for one in group.message}
    page = opened()
    field = search_field(page)
    for name in MESSAGES:
        field.fill(says[name])
        field.press("End")
        first = page.locator(".md-search-result__item").first
        first.locator(f"a[href*='guide/by-what-you-see/'][href*='#{name}']").first.wait_for(state="attached")


@pytest.mark.browser
def test_every_link_and_anchor_resolves(opened, url):
    """Links to elsewhere are not followed; they must be https."""
    anchors: dict[str, set[str]] = {}
    wanted: list[tuple[str, str]] = []
    for path in PAGE_PATHS:
        page = opened(path)
        address = urldefrag(page.url)[0]
        anchors[address] = set(page.locator("[id]").evaluate_all("all => all.map(one => one.id)"))
        links = page.locator("a[href]").evaluate_all("all => all.map(one => one.href)")
        wanted += [(address, link) for link in links]
    request = page.request
    files = {}
    for source, link in wanted:
        target, anchor = urldefrag(link)
        if not target.startswith(url):
            assert target.startswith("https://"), f"{source}: {link}"
            continue
        if target in anchors:
            assert not anchor or anchor in anchors[target], f"{source}: {link}"
        elif target not in files:
            files[target] = request.get(target).ok
            assert files[target], f"{source}: {link}"
    assert len(wanted) > 100


def test_a_page_that_is_not_there_is_told(browser, url):
    page = browser.new_page()
    page.route("**/*", lambda route: route.continue_())
    page.goto(urljoin(url, "404.html"))
    assert page.get_by_role("heading", name="404").is_visible()
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("viewport", [WIDE, {"width": 360, "height": 740}], ids=["wide", "phone"])
def test_each_slide_fits(opened, viewport):
    page = opened("workshop/slides", viewport=viewport)
    page.wait_for_function("Reveal.isReady()")
    page.evaluate("Reveal.configure({transition: 'none'})")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    slides = page.query_selector_all(".slides section[data-markdown]")
    assert len(slides) == 2 * len(exercises()) + len(CHAPTERS)
    for slide in slides:
        page.evaluate("one => { const at = Reveal.getIndices(one); Reveal.slide(at.h, at.v) }", slide)
        parts = slide.query_selector_all(":scope > :not(aside)")
        assert parts[0].inner_text()
        for box in (part.bounding_box() for part in parts):
            assert 0 <= box["x"] <= box["x"] + box["width"] <= viewport["width"], slide.inner_text()
        first, last = parts[0].bounding_box(), parts[-1].bounding_box()
        assert last["y"] + last["height"] - first["y"] < viewport["height"], slide.inner_text()
