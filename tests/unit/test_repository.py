"""Rules that hold for the whole repository."""

import re
import tomllib

import pytest

from lab import bases
from measure.steps import ROOT, all_steps
from tests.conftest import run


def tracked(folder: str) -> list[str]:
    return run("git", "ls-files", folder).stdout.split()


def test_requirements_txt_is_the_export_of_poetry_lock():
    lock = tomllib.loads((ROOT / "poetry.lock").read_text())["package"]
    locked = {(p["name"], p["version"]): {f["hash"] for f in p["files"]} for p in lock}
    exported: dict[tuple[str, str], set[str]] = {}
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if match := re.match(r"([\w.-]+)==([^ ;]+)", line):
            current = exported.setdefault((match[1], match[2]), set())
        elif match := re.search(r"--hash=(sha256:\w+)", line):
            current.add(match[1])
    windows_only = {("colorama", version) for name, version in locked if name == "colorama"}
    assert exported.keys() | windows_only == locked.keys() | windows_only
    for key, hashes in exported.items():
        assert hashes == locked[key], key


def test_the_lock_names_no_index():
    lock = (ROOT / "poetry.lock").read_text()
    assert "legacy" not in lock
    assert not re.search(r'^url\s*=|"https?://', lock, re.MULTILINE)


def test_no_file_names_a_package_registry_or_a_path_of_this_machine():
    own = "|".join(re.escape(word) for word in (r"pypi" + ".org", "pythonhosted" + ".org", "deb.debian" + ".org"))
    own += "|" + re.escape(str(ROOT)) + "\\b"
    found = run("git", "grep", "-nIE", own).stdout
    assert found == ""


@pytest.mark.parametrize("step", all_steps(), ids=lambda step: step.name)
def test_step_folders_know_nothing_of_the_lab(step):
    for name in tracked(step.name):
        assert not re.search(r"\blab\b", (ROOT / name).read_text()), name


def test_step_dockerfiles_name_bases_that_the_lab_can_provide():
    for step in all_steps():
        for variant in step.variants:
            bases.check(bases.external_images(variant.dockerfile))


def test_ci_calls_the_readmes_test_command():
    script = (ROOT / ".ci/run").read_text().splitlines()
    assert script[-1] == "exec make test"
    assert "make test" in (ROOT / "README.md").read_text()


def test_every_make_target_is_in_make_help():
    listed = run("make", "help").stdout
    targets = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in targets:
        assert re.search(rf"^  {target} ", listed, re.MULTILINE), target
