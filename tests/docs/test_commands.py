"""Each command block of each page, run in order in a fresh clone: it works, and prints what the page says."""

import os
import re
import shutil
from pathlib import Path

import pytest

from measure.base.files import ROOT, shown
from measure.base.names import LAB_ENVIRONMENT
from measure.base.platforms import PLATFORMS
from measure.record.compare import changes
from measure.record.records import load, record_files
from tests.conftest import fresh_clone, left_of_runs, run
from tests.docs.pages import all_pages, blocks, lab_environment, matches, outputs, pinned_changes, script

#: What everybody runs.
FIRST = ("README.md", "docs/steps/step-1.md")
#: Commands that talk of the lab, or of records that were made with it.
OF_THE_LAB = re.compile(r"make lab-|results/lab-")
#: The pages that have commands: their folder and their text.
PAGES = {name: (folder, text) for name, (folder, text) in all_pages().items() if blocks(text)}
CASES = [pytest.param(name, marks=[] if name in FIRST else pytest.mark.commands) for name in PAGES]


@pytest.fixture(scope="module")
def clone(tmp_path_factory, engine):
    """A fresh clone, and an engine whose `docker` is on the path."""
    return fresh_clone(tmp_path_factory.mktemp("commands") / "clone")


@pytest.mark.timeout(6000)  # with nothing cached, the lab builds its base images first
@pytest.mark.parametrize("name", CASES)
def test_the_commands_of_a_page_do_what_it_says(clone, engine, name, tmp_path):
    """A step's own README is followed in a copy of its folder alone: it depends on nothing outside itself.

    What they print is compared where the engine is the lab's: with base images from elsewhere it is not the same.
    """
    folder, text = PAGES[name]
    run_these = [block for block in blocks(text) if not block.not_run]
    environment = {**os.environ, "PLATFORMS": ",".join(PLATFORMS)}
    if engine.kind == "lab":
        environment |= lab_environment()
    elif OF_THE_LAB.search(script(run_these)):
        pytest.skip("a command is about the lab, or about a record of it; run it with ENGINE=lab")
    place = clone
    if folder != Path():
        place = tmp_path / folder
        shutil.copytree(clone / folder, place)
    result = run("bash", "-c", script(run_these), cwd=place, seconds=5900, env=environment)
    seen = outputs(result.stdout)
    assert result.returncode == 0, f"this failed:\n{run_these[len(seen) - 1].commands}\n{seen[-1]}"
    for block, output in zip(run_these, seen, strict=False):
        if block.output is not None and engine.kind == "lab":
            told = f"{block.commands}\n--- the page says\n{block.output}\n--- and this was seen\n{output}"
            assert matches(block.output, output), told


def test_nothing_pinned_changed_in_any_record_that_the_pages_made(clone, engine):
    """To the thousandth: the numbers that the commands print are these. Runs after the pages, in the same clone."""
    for path in record_files(LAB_ENVIRONMENT):
        before, now = load(path), load(clone / path.relative_to(ROOT))
        if before.size and now.size:
            assert pinned_changes(before, changes(before, now)) == [], shown(path)


def test_the_pages_leave_nothing_behind_but_records(clone, engine):
    """Runs after the pages, in the same clone."""
    assert left_of_runs(engine) == []
    changed = [line[3:] for line in run("git", "status", "--short", cwd=clone).stdout.splitlines()]
    before = [line[3:] for line in run("git", "status", "--short").stdout.splitlines()]
    assert [name for name in changed if name not in before and not name.startswith("results/")] == []
