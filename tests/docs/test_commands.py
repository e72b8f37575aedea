"""Each command block of each page, run in order in a fresh clone: it works, and prints what the page says."""

import os
import shutil
from pathlib import Path

import pytest

from measure.compare import changes
from measure.records import LAB_ENVIRONMENT, load, record_files, shown
from measure.steps import PLATFORMS, ROOT
from tests.conftest import fresh_clone, run
from tests.docs.pages import (
    all_pages,
    blocks,
    lab_environment,
    matches,
    outputs,
    pinned_changes,
    script,
    without_new_versions,
)

#: The front page's commands are run for both platforms, as a reader's are. The others natively, unless everything is
#: asked for: to emulate all variants of all steps takes longer than CI may.
BOTH = ("README.md", "docs/index.md") if os.environ.get("TESTS") != "all" else all_pages()
NATIVE = ("linux/amd64",)


def _pages() -> dict[str, tuple[Path, str, str]]:
    """Name, folder, text and PLATFORMS of each page that has commands."""
    found = {}
    for platforms in (PLATFORMS, NATIVE):
        for name, (folder, text) in all_pages(platforms).items():
            if blocks(text) and (name in BOTH) == (platforms == PLATFORMS):
                found[name] = (folder, text, ",".join(platforms))
    return found


PAGES = _pages()


@pytest.fixture(scope="module")
def clone(tmp_path_factory, engine):
    """A fresh clone, and an engine whose `docker` is on the path."""
    return fresh_clone(tmp_path_factory.mktemp("commands") / "clone")


@pytest.mark.timeout(3000)  # with nothing cached, the lab builds its base images first
@pytest.mark.parametrize("name", PAGES)
def test_the_commands_of_a_page_do_what_it_says(clone, engine, name, tmp_path):
    """A step's own README is followed in a copy of its folder alone: it depends on nothing outside itself."""
    if engine.kind != "lab":
        pytest.skip("pages show the lab's own output too; run it with ENGINE=lab")
    folder, text, platforms = PAGES[name]
    run_these = [block for block in blocks(text) if not block.not_run]
    environment = {**os.environ, **lab_environment(), "PLATFORMS": platforms}
    place = clone
    if folder != Path():
        place = tmp_path / folder
        shutil.copytree(clone / folder, place)
    result = run("bash", "-c", script(run_these), cwd=place, seconds=2900, env=environment)
    seen = outputs(result.stdout)
    assert result.returncode == 0, f"this failed:\n{run_these[len(seen) - 1].commands}\n{seen[-1]}"
    for block, output in zip(run_these, seen, strict=False):
        if block.output is not None:
            told = f"{block.commands}\n--- the page says\n{block.output}\n--- and this was seen\n{output}"
            assert matches(block.output, without_new_versions(output)), told


def test_nothing_pinned_changed_in_any_record_that_the_pages_made(clone, engine):
    """All changes, also those that `make` does not tell one by one. Runs after the pages, in the same clone."""
    for path in record_files(LAB_ENVIRONMENT):
        before, now = load(path), load(clone / path.relative_to(ROOT))
        if before.size and now.size:
            assert pinned_changes(before, changes(before, now)) == [], shown(path)


def test_the_pages_leave_nothing_behind_but_records(clone, engine):
    """Runs after the pages, in the same clone."""
    assert engine.docker.container.list(all=True) == []
    changed = [line[3:] for line in run("git", "status", "--short", cwd=clone).stdout.splitlines()]
    before = [line[3:] for line in run("git", "status", "--short").stdout.splitlines()]
    assert [name for name in changed if name not in before and not name.startswith("results/")] == []
