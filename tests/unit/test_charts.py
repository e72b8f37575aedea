"""Charts: one measure, readable on a phone, told in words too; and where bytes and seconds are."""

import html
import re
from datetime import UTC, datetime
from pathlib import PurePosixPath
from types import SimpleNamespace

import pytest

import measure.pages  # noqa: F401
from measure.record.records import BaseImage, Samples, Times, load, record_files
from measure.tell.charts import COLOURS, Bar, Stack, bars, stacks
from measure.tell.page import Page
from measure.tell.where import bytes_of
from measure.weigh.contents import PythonPackage
from measure.weigh.oci import Layer
from tests import handmade
from tests.handmade import record

ENVIRONMENT = "lab-amd64"


def alternative(figure: str) -> str:
    return html.unescape(re.search(r'aria-label="([^"]*)"', figure)[1])


def texts(figure: str) -> list[str]:
    return [html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", figure)]


def luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", COLOURS)
def test_colours_stand_out_in_light_and_dark_and_carry_white_letters(colour):
    """WCAG 2.2; the dark page is the theme's."""
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5
    assert (luminance(colour) + 0.05) / (luminance("#1e2129") + 0.05) >= 3


def test_bars_of_one_measure_mark_the_recommended_one_and_need_no_legend():
    drawn = [Bar("naive", "transfer", 4e8), Bar("recommended", "transfer", 5e7, marked=True)]
    figure = bars(drawn, "Transfer <here>")
    assert alternative(figure) == "Transfer <here>: naive: 400.0 MB; recommended: 50.0 MB"
    assert texts(figure) == ["naive", "400.0 MB", "recommended", "50.0 MB"]
    assert figure.count(f'fill="{COLOURS[0]}"') == figure.count(f'fill="{COLOURS[-1]}"') == 1
    assert len(re.findall(r"<text[^>]*bold[^>]*>(?:recommended|50.0 MB)<", figure)) == 2
    assert "<figcaption>Transfer &lt;here&gt;</figcaption>" in figure
    assert "\n" not in figure


def test_bars_of_two_series_have_a_legend_and_keep_their_order():
    drawn = [Bar("full", "then", 2e6), Bar("full", "now", 1e6), Bar("slim", "now", 1e5)]
    figure = bars(drawn, "Files")
    assert {"then", "now"} <= {*texts(figure)}
    assert alternative(figure) == "Files: full, then: 2.0 MB; full, now: 1.0 MB; slim, now: 100.0 kB"
    assert f'fill="{COLOURS[-1]}"' not in figure


def test_a_bar_of_parts_has_numbers_where_they_fit_and_all_of_them_in_words():
    figure = stacks([Stack("step-1", {"base": 80_000_000, "Python": 30_000_000, "application": 2_000})], "Where")
    told = "Where: step-1: base 80.0 MB, Python 30.0 MB, application 2.0 kB, in all 110.0 MB"
    assert alternative(figure) == told
    assert {"80.0 MB", "30.0 MB", "110.0 MB"} <= {*texts(figure)}
    assert "2.0 kB" not in texts(figure)


@pytest.mark.parametrize(
    "drawn", [[Bar("builder: RUN pip --python /opt/venv install --no-c…", "x", 1163.9e6)], [Bar("b", "x", 0, "none")]]
)
def test_a_chart_is_no_wider_than_a_phone_shows_in_full_size(drawn):
    assert float(re.search(r'viewBox="0 0 ([\d.]+) ', bars(drawn, "x"))[1]) <= 328


# Where the bytes are


@pytest.mark.parametrize("path", record_files(ENVIRONMENT), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_parts_of_every_image_are_its_bytes(path):
    one = load(path)
    if one.size is None:
        pytest.skip("it is meant to fail")
    parts = bytes_of(one)
    assert sum(parts.values()) == one.size.unpacked_file_bytes
    assert min(parts.values()) >= 0


def layer(words: str, size: int, *, of_base: bool = False) -> Layer:
    return handmade.layer(created_by=words, of_base=of_base, unpacked_tar_bytes=size, unpacked_file_bytes=size)


def image(layers: list[Layer], packages: list[tuple[str, str, int | None]], directories: dict[str, int]):
    one = record()
    size = one.size.model_copy(
        update={"layers": layers, "unpacked_file_bytes": sum(one.unpacked_file_bytes for one in layers)}
    )
    installed = [PythonPackage(name=n, version="1", location=l, bytes=b) for n, l, b in packages]  # noqa: E741
    contents = one.contents.model_copy(update={"python_packages": installed, "directories": directories})
    return one.model_copy(update={"size": size, "contents": contents})


def test_bytes_are_of_base_python_packages_application_or_left():
    base = [layer("COPY /", 100, of_base=True), layer("RUN PYTHON_VERSION=3", 50, of_base=True)]
    packages = [("pip", "/usr/local/lib/python3.14/site-packages", 9), ("flask", "/app/.venv/lib", 20)]
    packages += [("pip", "/app/.venv/lib", 3), ("listed-nowhere", "/usr/lib/python3/dist-packages", None)]
    one = image([*base, layer("RUN", 40)], packages, {"/app": 30})
    found = {"base": 100, "Python": 50, "packages": 23, "left by the build": 10, "application": 7}
    assert bytes_of(one) == found


def test_without_a_base_image_python_is_what_is_in_its_folder():
    packages = [("flask", "/opt/venv/lib", 20)]
    one = image([layer("COPY", 70), layer("COPY x", 5)], packages, {"/usr/local": 30, "/app": 5})
    found = {"base": 20, "Python": 30, "packages": 20, "left by the build": 0, "application": 5}
    assert bytes_of(one) == found


# Where the seconds go, and the chart with a switch


@pytest.fixture
def page():
    def get(name: str, platform: str = "linux/amd64"):
        step, _, variant = name.partition("/")
        bases = [BaseImage(name="python:3.14", origin="lab")]
        provenance = record().provenance.model_copy(update={"bases": bases})
        found = {"step": step, "variant": variant or "recommended", "platform": platform, "provenance": provenance}
        return record().model_copy(update={**found, "time": times})

    parts = {"[builder 2/5] RUN   pip install": Samples.of([1, 1]), "[stage-1 3/6] COPY . .": Samples.of([0.5, 0.5])}
    times = Times(
        rebuild_after_edit_s=Samples.of([2.0, 3.0, 4.0]), steps_s={"edit": parts}, load_before=0, cpu="Some Processor",
        measured_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    found = SimpleNamespace(get=get, native="linux/amd64", environment=ENVIRONMENT)
    return Page(found, PurePosixPath("index.md"))


def test_parts_of_a_build_are_named_without_their_numbers_and_the_whole_comes_last(page):
    figure = page.functions()["where_seconds"]("step-1", "edit")
    assert texts(figure) == ["builder: RUN pip install", "1.0 s", "COPY . .", "0.5 s", "all of it", "3.0 s"]
    assert "Where the seconds of a build after one line of code changed go, step-1, medians." in alternative(figure)


def test_one_chart_has_a_switch_for_the_other_measures(page):
    text = page.functions()["glance"]("step-1/naive: the first", "step-1: slim", copy="step-1")
    assert "\n" not in text
    labels = re.findall(r'<label for="(\w+)">([^<]+)</label>', text)
    assert [name for _, name in labels] == ["Transfer", "Unpacked", "Transfer, arm64", "Rebuild after one line"]
    assert re.findall(r'<input id="(\w+)"', text) == [one for one, _ in labels]
    assert text.count("checked=") == 1
    figures = re.findall(r'<div class="tabbed-block">(<figure.+?</figure>)</div>', text)
    assert len(figures) == len(labels)
    for figure in figures:
        assert texts(figure)[::2] == ["step-1/naive: the first", "step-1: slim"]
        assert figure.count(f'fill="{COLOURS[0]}"') == 1
    assert "base images: the lab's stand-ins" in alternative(figures[0])
    assert "linux/arm64" in alternative(figures[2])
    told = "natively on linux/amd64, on Some Processor. Each step was timed in a sitting of its own"
    assert told in alternative(figures[3])


def test_bytes_of_images_are_a_chart_and_a_folded_table(page):
    text = page.functions()["where_bytes"]("step-1", "step-1/naive")
    chart, folded = text.split("\n\n??? note ")
    assert alternative(chart).count("left by the build") == 2
    assert folded.startswith('"How we know: the bytes of each part"\n\n    | files | step-1 | step-1/naive |')
    assert folded.count("{ .measured }") == 10
