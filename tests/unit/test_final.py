"""The page of the final result tells of each line of the Dockerfile; a narrow table shows what is recorded."""

import re
from functools import cache
from pathlib import PurePosixPath

import pytest

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


def told(page: str) -> list[str]:
    """The instructions in the first column of the table of lines, in order."""
    section = page.split("## What earned each line its place")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


def test_the_page_tells_of_every_line_of_the_dockerfile_in_order():
    assert told(final()) == STEP.recommended.parsed.instructions
    assert f'--8<-- "{STEP.recommended.dockerfile.relative_to(ROOT)}"' in final()


def test_each_line_has_a_number_with_its_record_and_a_page_or_says_that_it_has_none():
    section = final().split("## What earned each line its place")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert len(rows) == len(told(final()))
    for row in rows:
        _, _, worth, where, _ = row.split("|")
        measured = "](results/index.md#" in worth or "](results/records/" in worth
        assert measured != ("no number" in worth), row
        assert not measured or "](steps/" in where, row


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
