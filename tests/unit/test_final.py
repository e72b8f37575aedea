"""The page of the final result tells of each line of the Dockerfile; the ladder shows what is recorded, and no more."""

import re
from functools import cache
from pathlib import PurePosixPath

import pytest

from measure.base.files import ROOT
from measure.base.platforms import PLATFORMS
from measure.base.units import duration, megabytes
from measure.pages import site
from measure.record.records import Samples, Times
from measure.steps.compose import find_step
from measure.tell.page import Page, Readme
from measure.tell.reading import Records

STEP = find_step("step-4")
NAMES = ("step-1/naive", "step-2/recommended", "step-4/recommended")


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


def cells(text: str) -> dict[str, list[list[str]]]:
    """The rows of a page's tables, without links, by the name that they begin with."""
    found: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        if line.startswith("| ["):
            plain = re.sub(r'\[([^\]]*)\]\([^)"]*(?:"[^"]*")?\)(\{[^}]*\})?', r"\1", line).replace("&nbsp;", " ")
            name, *rest = [cell.strip() for cell in plain.strip("|").split("|")]
            found.setdefault(name, []).append(rest)
    return found


def ladder(kind=Page) -> tuple[str, Records]:
    records = Records()
    page = kind(records) if kind is Readme else kind(records, PurePosixPath("index.md"))
    return page.functions()["ladder"](*NAMES), records


@pytest.mark.parametrize("kind", [Page, Readme])
def test_the_ladder_shows_both_platforms(kind):
    text, records = ladder(kind)
    for name in NAMES:
        sizes = [records.get(name, platform).size for platform in PLATFORMS]
        expected = [megabytes(n) for size in sizes for n in (size.transfer_bytes, size.unpacked_tar_bytes)]
        transfer, change, unpacked, other_change, *other = cells(text)[name][0]
        assert [transfer, unpacked, *other] == expected
        assert (change == other_change == "") == (name == NAMES[0])
    assert text.count("<svg") == (0 if kind is Readme else 2)


def test_the_ladder_shows_a_time_where_there_is_one_and_nothing_elsewhere(monkeypatch):
    """Whatever is recorded today: one variant has a start, another one a cold build, the third has nothing."""
    records = Records()
    taken = {
        "step-1/naive": {"cold_build_s": Samples.of([12.0, 14.0, 13.0])},
        "step-2/recommended": {"start_to_first_response_s": Samples.of([0.5])},
        "step-4/recommended": {},
    }
    original = Records.get

    def get(self, name, platform=PLATFORMS[0]):
        record = original(self, name, platform)
        times = next(times for key, times in taken.items() if find_step(key.split("/")[0]).name == record.step)
        measured = Times(**times, load_before=0, measured_at=record.provenance.measured_at) if times else None
        return record.model_copy(update={"time": measured})

    monkeypatch.setattr(Records, "get", get)
    text = Page(records, PurePosixPath("index.md")).functions()["ladder"](*NAMES)
    found = {name: rows[1] for name, rows in cells(text).items()}
    assert found == {
        "step-1/naive": [duration(13.0), "", "", ""],
        "step-2/recommended": ["", "", "", duration(0.5)],
        "step-4/recommended": ["", "", "", ""],
    }
    assert "processors differ" not in text
    taken["step-4/recommended"] = {"start_to_first_response_s": Samples.of([0.6]), "cpu": "Abacus 9"}
    text = Page(records, PurePosixPath("index.md")).functions()["ladder"](*NAMES)
    assert "processors differ: step-1 and step-2 on one that is not recorded; step-4 on Abacus 9." in text
    taken.update({name: {} for name in NAMES})
    text = Page(records, PurePosixPath("index.md")).functions()["ladder"](*NAMES)
    assert all(len(rows) == 1 for rows in cells(text).values()), "no table without a single time"
    assert text.count("<svg") == 1
