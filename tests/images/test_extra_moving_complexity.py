"""extra-moving-complexity: one stage gives the image that three gave, and refuses what they refused."""

import re
import time
from pathlib import Path

import pytest

from measure.build import images as builder
from measure.build.images import BuildError
from measure.steps.compose import Step, find_step
from tests.conftest import NATIVE, changed

pytestmark = pytest.mark.study
STEP = find_step("extra-moving-complexity")


def other_hash(path: Path, package: str) -> str:
    """A hash of a package in a lock, to be changed."""
    return re.search(rf'name = "{package}"\n.*?hash = "(sha256:\w+)"', path.read_text(), re.DOTALL)[1]


def test_pip_refuses_a_package_that_is_not_the_one_that_was_listed(engine, folder):
    path, copy = folder / "requirements.txt", Step(STEP.name, folder)
    hashes = re.search(r"^flask==.*?(?=^\w)", path.read_text(), re.DOTALL | re.MULTILINE)[0]
    with changed(path, hashes, re.sub(r"sha256:\w{4}", "sha256:0000", hashes)), pytest.raises(BuildError) as failure:
        builder.load_into_engine(engine, copy, copy.recommended, NATIVE)
    assert failure.value.line_with("THESE PACKAGES DO NOT MATCH THE HASHES")


@pytest.mark.parametrize(
    ("edited", "words"),
    [
        ("s/HASH/" + "0" * 64 + "/", "THESE PACKAGES DO NOT MATCH THE HASHES"),
        ("s/, hashes = {[^}]*}//", "Missing required value in"),
    ],
)
def test_pip_refuses_a_pylock_toml_with_a_wrong_hash_or_none(engine, docker, folder, edited, words):
    copy, copied = Step(STEP.name, folder), "COPY --from=lock /app/pylock.toml /pylock.toml\n"
    edited = edited.replace("HASH", other_hash(folder / "poetry.lock", "flask").removeprefix("sha256:"))
    edit = f"{copied}RUN sed --in-place '{edited}' /pylock.toml\n"
    with changed(folder / "pylock.Dockerfile", copied, edit), pytest.raises(BuildError) as failure:
        builder.load_into_engine(engine, copy, copy.variant("pylock"), NATIVE, tags="pylock:edited")
    assert failure.value.line_with(words)
    assert docker("image", "inspect", "pylock:edited").returncode != 0


def test_the_solution_refuses_a_list_that_is_not_the_locks_and_the_recommended_one_does_not_see_it(engine, folder):
    lock, copy = folder / "poetry.lock", Step(STEP.name, folder)
    with changed(lock, other_hash(lock, "flask"), f"sha256:{0:064}"):
        builder.load_into_engine(engine, copy, copy.recommended, NATIVE)
        with pytest.raises(BuildError) as failure:
            builder.load_into_engine(engine, copy, copy.variant("solution"), NATIVE)
    assert failure.value.line_with("flask==3.1.3 has other hashes")


def test_the_solution_leaves_nothing_behind_and_installs_nothing_anew_for_the_tests_packages(engine, docker, folder):
    copy = Step(STEP.name, folder)
    name = builder.load_into_engine(engine, copy, copy.variant("solution"), NATIVE)
    left = ["ls", "/poetry.lock", "/check_requirements.py"]
    assert docker("run", "--rm", name, *left).stdout == ""
    lock = folder / "poetry.lock"
    with changed(lock, other_hash(lock, "pytest"), f"sha256:{time.time_ns():064}"):
        again = docker("build", "--progress", "plain", "--file", "solution.Dockerfile", ".", cwd=folder)
    assert again.returncode == 0, again.stderr
    steps = dict(re.findall(r"^#(\d+) \[.*?\] RUN .*?(pip install|check_requirements)", again.stderr, re.MULTILINE))
    cached = set(re.findall(r"^#(\d+) CACHED$", again.stderr, re.MULTILINE))
    assert {what: number in cached for number, what in steps.items()} == {
        "pip install": True,
        "check_requirements": False,
    }
