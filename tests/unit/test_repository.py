"""Rules that hold for the whole repository."""

import re
import tomllib

import pytest

from lab import bases
from measure.steps import ROOT, all_measured
from tests.conftest import run


def tracked(folder: str) -> list[str]:
    return run("git", "ls-files", folder).stdout.split()


def locked(*, without: str = "") -> dict[tuple[str, str], set[str]]:
    """Hashes in poetry.lock by package and version, those of the packages that only one group needs left out."""
    lock = tomllib.loads((ROOT / "poetry.lock").read_text())["package"]
    # colorama is for Windows alone, where nothing of this runs.
    kept = (p for p in lock if p["name"] != "colorama" and p["groups"] != [without])
    return {(p["name"], p["version"]): {f["hash"] for f in p["files"]} for p in kept}


def exported(name: str) -> dict[tuple[str, str], set[str]]:
    """Hashes in a requirements file by package and version."""
    found: dict[tuple[str, str], set[str]] = {}
    for line in (ROOT / name).read_text().splitlines():
        if match := re.match(r"([\w.-]+)==([^ ;]+)", line):
            current = found.setdefault((match[1], match[2]), set())
        elif match := re.search(r"--hash=(sha256:\w+)", line):
            current.add(match[1])
    return {key: hashes for key, hashes in found.items() if key[0] != "colorama"}


def test_the_requirements_are_exports_of_poetry_lock():
    assert exported("requirements.txt") == locked()
    assert exported("docs/requirements.txt") == locked(without="dev")


@pytest.mark.parametrize("path", ["poetry.lock", *tracked("*/poetry.lock")])
def test_a_lock_names_no_index(path):
    lock = (ROOT / path).read_text()
    assert "legacy" not in lock
    assert not re.search(r'^url\s*=|"https?://', lock, re.MULTILINE)


def test_no_file_names_a_package_registry_or_a_path_of_this_machine():
    own = "|".join(re.escape(word) for word in (r"pypi" + ".org", "pythonhosted" + ".org", "deb.debian" + ".org"))
    own += "|" + re.escape(str(ROOT)) + "\\b"
    found = run("git", "grep", "-nIE", own).stdout
    assert found == ""


@pytest.mark.parametrize("step", all_measured(), ids=lambda step: step.name)
def test_step_folders_know_nothing_of_the_lab(step):
    for name in tracked(str(step.folder)):
        assert not re.search(r"\blab\b", (ROOT / name).read_text()), name


def test_steps_name_images_that_the_lab_can_provide():
    for step in all_measured():
        for variant in step.variants:
            bases.check([*bases.external_images(variant.dockerfile), *variant.images])


def test_ci_calls_the_readmes_test_command():
    script = (ROOT / ".ci/run").read_text().splitlines()
    assert script[-1] == "exec make test"
    assert "make test" in (ROOT / "README.md").read_text()


def test_every_make_target_is_in_make_help():
    listed = run("make", "help").stdout
    targets = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in targets:
        assert re.search(rf"^  {target} ", listed, re.MULTILINE), target
