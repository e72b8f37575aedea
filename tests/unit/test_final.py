"""The page of the final result tells of each line of the Dockerfile; a narrow table shows what is recorded."""

import html
import re
from functools import cache
from pathlib import PurePosixPath

import pytest

from measure.base.dockerfiles import read
from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.base.platforms import PLATFORMS
from measure.base.units import change, megabytes
from measure.pages import site
from measure.steps.compose import find_step
from measure.tell.page import Page, Readme
from measure.tell.reading import Records

STEP = find_step("step-4")
NAMES = ("step-1/naive", "step-2", "step-4")


@cache
def final() -> str:
    return site.render_page(Records(), PurePosixPath("final.md"), (site.PAGES / "final.md").read_text())


def section() -> str:
    """The table of lines."""
    return final().split("## What each line is worth")[1].split("\n## ")[0]


def test_the_page_tells_of_every_line_of_the_dockerfile_in_order():
    instructions = STEP.recommended.parsed.instructions
    rows = re.findall(r'^\| <span id="line-(\d+)"></span>(\d+) `([^`]+)` \|', section(), re.MULTILINE)
    assert [row[:2] for row in rows] == [(str(number), str(number)) for number, _ in enumerate(instructions, 1)]
    assert all(line.startswith(words) for line, (_, _, words) in zip(instructions, rows, strict=True))
    assert f'--8<-- "{STEP.recommended.dockerfile.relative_to(ROOT)}"' in final()


def test_each_line_of_the_dockerfile_leads_to_its_row_and_what_is_copied_has_no_number(tmp_path):
    block = re.search(r"<code>(.*?)</code>", final(), re.DOTALL)[1]
    text = html.unescape(re.sub(r"<[^>]+>", "", block))
    (tmp_path / "Dockerfile").write_text(text)
    instructions = read(tmp_path / "Dockerfile").instructions
    assert instructions == STEP.recommended.parsed.instructions
    links = re.findall(r'^(?:&#10;)?<a class="line" href="#line-(\d+)"[^>]*></a>(?:<[^>]+>)?(\w+)', block, re.MULTILINE)
    assert links == [(str(number), line.split()[0]) for number, line in enumerate(instructions, 1)]
    assert "\n\n" not in block, "it would end the HTML"


def test_each_line_has_a_number_with_its_record_and_a_page_or_says_that_it_has_none():
    rows = [line for line in section().splitlines() if line.startswith("| <span")]
    assert len(rows) == len(STEP.recommended.parsed.instructions)
    for row in rows:
        _, _, worth, _ = row.split("|")
        measured = "](results/index.md#" in worth or "](results/records/" in worth
        assert measured != ("no number" in worth), row
        assert not measured or "](steps/" in worth, row


def test_a_row_is_of_one_instruction():
    page = Page(Records(), PurePosixPath("final.md")).functions()
    file = "step-4-slim-vs-alpine/Dockerfile"
    assert page["row"](file, "FROM python:3.14-slim") == '<span id="line-6"></span>6 `FROM python:3.14-slim`'
    with pytest.raises(Problem, match=r"2 instructions of .* begin with 'FROM'"):
        page["row"](file, "FROM")


def test_marked_lines_are_those_of_the_named_instructions():
    page = Page(Records(), PurePosixPath("x.md")).functions()
    file = "extra-need-for-speed/Dockerfile"
    head, *lines, _ = page["marked"](file, "type=cache", "compileall").splitlines()
    plain, *same, _ = page["dockerfile"](file).splitlines()
    numbers = re.fullmatch(re.escape(plain) + r' hl_lines="([\d ]+)"', head)[1].split()
    assert lines == same
    marked = [lines[int(number) - 1].split()[0] for number in numbers]
    assert marked == ["RUN", "pip", "RUN"]
    with pytest.raises(Problem, match="Not each of type=cache, nowhere is in"):
        page["marked"](file, "type=cache", "nowhere")


def test_it_is_step_3s_dockerfile_too():
    """With one thread for NumPy's OpenBLAS more."""
    step_3, step_4 = (step.recommended.parsed.instructions for step in (find_step("step-3"), STEP))
    assert [line.replace(" OPENBLAS_NUM_THREADS=1", "") for line in step_4] == step_3


def test_the_exercise_names_every_line_with_the_packages_name():
    named = [line for line in STEP.recommended.parsed.instructions if "whichimage" in line]
    solution = final().split('??? success "Solution"')[1].split("\n## ")[0]
    assert named == [line for line in re.findall("`([^`]+)`", solution) if "whichimage" in line]


@pytest.mark.parametrize("kind", [Page, Readme])
def test_a_narrow_table_shows_one_platform_and_the_change_against_its_first_image(kind):
    records = Records()
    page = kind(records) if kind is Readme else kind(records, PurePosixPath("index.md"))
    for platform in PLATFORMS:
        rows = page.functions()["compare"](*NAMES, platform=platform).splitlines()[2:]
        plain = [re.sub(r'\[([^\]]*)\]\([^)"]*(?:"[^"]*")?\)(\{[^}]*\})?', r"\1", row) for row in rows]
        cells = [[cell.strip() for cell in row.replace("&nbsp;", " ").strip("|").split("|")] for row in plain]
        sizes = [records.get(name, platform).size for name in NAMES]
        first = sizes[0].transfer_bytes
        assert cells == [
            [name, megabytes(size.transfer_bytes), change(size.transfer_bytes, first if size is not sizes[0] else None),
             megabytes(size.unpacked_tar_bytes)]
            for name, size in zip(NAMES, sizes, strict=True)
        ]  # fmt: skip
