"""The lists of packages that steps commit are exports of their locks: builds without Poetry install what was locked.

Needs no Poetry: names, versions and hashes are compared.
"""

import re
import tomllib

import pytest

from measure.base.files import ROOT
from measure.steps.compose import all_steps

#: Each list, and the groups of its folder's poetry.lock that it was exported with.
LISTS = {
    "step-3-multistage/requirements.txt": {"main"},
    "step-3-multistage/requirements-dev.txt": {"main", "dev"},
    "step-4-slim-vs-alpine/requirements.txt": {"main"},
    "extra-compiling-deps/requirements.txt": {"main", "production"},
    "extra-compiling-deps/requirements-binary.txt": {"main", "binary"},
    "extra-need-for-speed/requirements.txt": {"main", "production"},
    "extra-moving-complexity/requirements.txt": {"main"},
    "extra-second-platform/requirements.txt": {"main", "wheel"},
    "extra-second-platform/requirements-source.txt": {"main", "source"},
}
#: One that is no export: tests/unit/test_second_platform.py says what it is.
TRAP = "extra-second-platform/requirements-markers.txt"
#: The variants whose builds export the list themselves, or have Poetry install: it is what they are about.
WITH_POETRY = {
    "step-2-poetry": {"naive", "recommended", "no-venv", "solution"},
    "step-3-multistage": {"single", "purge", "export"},
    "extra-moving-complexity": {"in-dockerfile"},
}


def locked(name: str) -> dict[str, set[str]]:
    """The hashes that the lock beside a list has of each NAME==VERSION of the list's groups."""
    packages = tomllib.loads((ROOT / name).with_name("poetry.lock").read_text())["package"]
    return {
        f"{one['name']}=={one['version']}": {file["hash"] for file in one["files"]}
        for one in packages
        if LISTS[name] & set(one["groups"])
    }


def listed(name: str) -> dict[str, set[str]]:
    """The hashes that a list has of each NAME==VERSION."""
    entries = re.split(r"\n(?=\S)", (ROOT / name).read_text().replace("\\\n", ""))
    return {re.split("[ ;]", entry)[0]: set(re.findall(r"--hash=(\S+)", entry)) for entry in entries}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_an_export_of_its_lock(name):
    assert listed(name) == locked(name)


def test_every_list_beside_a_lock_is_compared():
    found = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("*/requirements*.txt")}
    assert {name for name in found if (ROOT / name).with_name("poetry.lock").exists()} == {*LISTS, TRAP}


@pytest.mark.parametrize("step", all_steps(), ids=lambda step: step.name)
def test_poetry_is_in_the_builds_that_are_about_it_and_in_no_other(step):
    called = re.compile("poetry (install|export)")
    found = {one.name for one in step.variants if any(map(called.search, one.parsed.instructions))}
    assert found == WITH_POETRY.get(step.name, set())
