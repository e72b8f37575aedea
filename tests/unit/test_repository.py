"""Rules that hold for the whole repository."""

import ast
import re

import pytest

from lab import bases
from measure.base.files import ROOT
from measure.steps.compose import all_measured
from tests.conftest import run


def tracked(folder: str) -> list[str]:
    return run("git", "ls-files", folder).stdout.split()


@pytest.mark.parametrize("path", ["poetry.lock", *tracked("*/poetry.lock")])
def test_a_lock_names_no_index(path):
    lock = (ROOT / path).read_text()
    assert "legacy" not in lock
    assert not re.search(r'^url\s*=|"https?://', lock, re.MULTILINE)


def test_no_file_names_a_package_registry_or_a_path_of_this_machine():
    debian = [f"{host}.debian" for host in ("deb", "ftp", "security", "snapshot")]
    words = [f"{host}.org" for host in ("pypi", *debian, "pythonhosted", "registry.npmjs", "proxy.golang")]
    own = "|".join(re.escape(word) for word in words) + "|" + re.escape(str(ROOT)) + "\\b"
    found = run("git", "grep", "-nIE", own).stdout
    assert found == ""


@pytest.mark.parametrize("step", all_measured(), ids=lambda step: step.name)
def test_step_folders_know_nothing_of_the_lab(step):
    for name in tracked(str(step.folder)):
        assert not re.search(r"\blab\b", (ROOT / name).read_text()), name


def test_steps_name_images_that_the_lab_can_provide():
    for step in all_measured():
        for variant in step.variants:
            bases.check([*variant.external_images, *variant.images])


def test_every_make_target_is_in_make_help():
    listed = run("make", "help").stdout
    targets = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in targets:
        assert re.search(rf"^  {target} ", listed, re.MULTILINE), target


def test_every_kind_of_record_is_listed_beside_the_records():
    listed = (ROOT / "results/README.md").read_text()
    assert [path.name for path in (ROOT / "results").glob("*.schema.json") if path.name not in listed] == []
    assert [path.name for path in (ROOT / "results/lab-amd64").glob("*.json") if path.name not in listed] == []


def test_a_module_has_at_most_400_lines_and_a_function_60():
    found = []
    for name in tracked("*.py"):
        text = (ROOT / name).read_text()
        if (lines := len(text.splitlines())) > 400:
            found.append(f"{name}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno >= 60:
                found.append(f"{name}: {node.name} has {node.end_lineno - node.lineno + 1}")
    assert found == []
