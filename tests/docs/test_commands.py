"""Each command block of each page, run in order in a fresh clone: it works, and prints what the page says."""

import os

import pytest

from tests.conftest import fresh_clone, run
from tests.docs.pages import all_pages, blocks, lab_environment, matches, outputs, script

PAGES = {name: found for name, found in all_pages().items() if blocks(found[1])}


@pytest.fixture(scope="module")
def clone(tmp_path_factory, engine):
    """A fresh clone, and an engine whose `docker` is on the path."""
    return fresh_clone(tmp_path_factory.mktemp("commands") / "clone")


@pytest.mark.timeout(3000)  # with nothing cached, the lab builds its base images first
@pytest.mark.parametrize("name", PAGES)
def test_the_commands_of_a_page_do_what_it_says(clone, engine, name):
    if engine.kind != "lab":
        pytest.skip("pages show the lab's own output too; run it with ENGINE=lab")
    folder, text = PAGES[name]
    run_these = [block for block in blocks(text) if not block.not_run]
    result = run(
        "bash", "-c", script(run_these), cwd=clone / folder, seconds=2900, env={**os.environ, **lab_environment()}
    )
    seen = outputs(result.stdout)
    assert result.returncode == 0, f"this failed:\n{run_these[len(seen) - 1].commands}\n{seen[-1]}"
    for block, output in zip(run_these, seen, strict=False):
        if block.output is not None:
            told = f"{block.commands}\n--- the page says\n{block.output}\n--- and this was seen\n{output}"
            assert matches(block.output, output), told


def test_the_pages_leave_nothing_behind_but_records(clone, engine):
    """Runs after the pages, in the same clone."""
    assert engine.docker.container.list(all=True) == []
    changed = [line[3:] for line in run("git", "status", "--short", cwd=clone).stdout.splitlines()]
    before = [line[3:] for line in run("git", "status", "--short").stdout.splitlines()]
    assert [name for name in changed if name not in before and not name.startswith("results/")] == []
