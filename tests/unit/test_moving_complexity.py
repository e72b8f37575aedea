"""extra-moving-complexity: a list that is not the lock's is refused by the hook and by CI, and the hook mends it."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from measure.base.dockerfiles import read
from measure.base.files import ROOT
from measure.steps.compose import find_step
from measure.steps.inputs import git_files
from tests.conftest import TOOLS, run, venv_with

STEP = find_step("extra-moving-complexity")
FLASK = "sha256:0ef0e52b8a9cd932855379197dd8f94047b359ca0a78695144304cb45f87c9eb"
OTHER = "sha256:" + "0" * 64
#: What CI calls.
CHECK = (sys.executable, "check_requirements.py")
NAME = "requirements.txt is what poetry.lock says"


@pytest.fixture(scope="module")
def tools():
    return venv_with(TOOLS)


class Project:
    """A copy of the step's folder that is the top of a repository, as after `git clone`."""

    def __init__(self, folder, home, tools=None) -> None:
        for path in git_files(STEP.folder):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(STEP.folder / path, folder / path)
        self.folder = folder
        who = {f"GIT_{role}_{what}": "x@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        self.environment = {**os.environ, **who, "HOME": str(home), "PRE_COMMIT_HOME": str(home / "pre-commit")}
        if tools:
            self.environment["PATH"] = f"{tools}:{os.environ['PATH']}"

    def __call__(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command there; without a network, where that can be had."""
        offline = ["unshare", "--net"] if os.geteuid() == 0 else []
        return run(*offline, *command, cwd=self.folder, env=self.environment)

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def change(self, name: str, old: str, new: str) -> None:
        assert old in self.text(name)
        (self.folder / name).write_text(self.text(name).replace(old, new))

    def commit(self, *files: str, verify: bool = True) -> subprocess.CompletedProcess[str]:
        self("git", "add", *files).check_returncode()
        return self("git", "commit", "--message", "x", *([] if verify else ["--no-verify"]))

    def commits(self) -> int:
        return int(self("git", "rev-list", "--count", "HEAD").stdout)


@pytest.fixture
def project(tmp_path, tools):
    """The copy, with its first commit made and its hook installed."""
    (tmp_path / "project").mkdir()
    found = Project(tmp_path / "project", tmp_path, tools)
    found("git", "init", "--quiet").check_returncode()
    assert found("pre-commit", "install").returncode == 0
    first = found.commit(".")
    assert first.returncode == 0, first.stdout + first.stderr
    assert re.search(f"{NAME}\\.+Passed", first.stdout + first.stderr)
    return found


def test_a_lock_without_its_export_is_refused_and_the_hook_mends_it(project):
    project.change("poetry.lock", FLASK, OTHER)
    refused = project.commit("poetry.lock")
    assert refused.returncode == 1
    assert "files were modified by this hook" in refused.stderr
    assert project.commits() == 1
    assert OTHER in project.text("requirements.txt"), "the right list lies there to be added"
    assert project.commit("requirements.txt").returncode == 0
    assert project.commits() == 2
    assert project("git", "status", "--short").stdout == ""


def test_a_pyproject_without_its_lock_is_refused_in_poetrys_own_words(project):
    before = project.text("requirements.txt")
    project.change("pyproject.toml", '"flask (>=3.1,<4.0)",', '"flask (>=3.1,<4.0)",\n    "six",')
    refused = project.commit("pyproject.toml")
    assert refused.returncode == 1
    assert "pyproject.toml changed significantly since poetry.lock was last generated" in refused.stderr
    assert project.text("requirements.txt") == before


def test_what_the_hook_was_told_to_overlook_ci_refuses(project):
    project.change("poetry.lock", FLASK, OTHER)
    assert project.commit("poetry.lock", verify=False).returncode == 0
    assert project(*CHECK).returncode == 1
    assert project("pre-commit", "run", "--all-files").returncode == 1, "a CI that has Poetry may ask the hook itself"
    assert project.commit("requirements.txt").returncode == 0
    assert project(*CHECK).returncode == 0
    assert project("pre-commit", "run", "--all-files").returncode == 0


def test_other_commits_do_not_wait_for_poetry(project, tools):
    project.change("src/whichimage/__init__.py", "small enough", "simple enough")
    done = project.commit("src")
    assert done.returncode == 0
    assert "Skipped" in done.stderr


def test_where_there_is_no_poetry_the_commit_is_refused_and_says_what_is_missing(project):
    configuration = ".pre-commit-config.yaml"
    project.change(configuration, "entry: poetry export", "entry: no-poetry-here export")
    project.change("poetry.lock", FLASK, OTHER)
    refused = project.commit(configuration, "poetry.lock")
    assert refused.returncode == 1
    assert "Executable `no-poetry-here` not found" in refused.stderr


def test_poetry_writes_the_list_without_an_index_and_asks_one_for_pylock_toml(tmp_path, tools):
    (tmp_path / "project").mkdir()
    project = Project(tmp_path / "project", tmp_path, tools)
    project.environment |= dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    export = ("poetry", "export", "--only", "main", "--output")
    (project.folder / "requirements.txt").unlink()
    assert project(*export, "requirements.txt").returncode == 0
    assert FLASK in project.text("requirements.txt")
    refused = project(*export, "pylock.toml", "--format", "pylock.toml")
    assert refused.returncode == 1
    assert "All attempts to connect to" in refused.stderr
    assert not (project.folder / "pylock.toml").exists()


LIST, FLASKS = "requirements.txt", "flask==3.1.3"
#: What is wrong with the list or the lock, and what CI says of it.
WRONG = {
    "another version in the lock": ("poetry.lock", '"3.1.3"', '"3.1.4"', "flask==3.1.4 is in poetry.lock alone"),
    "another hash in the lock": ("poetry.lock", FLASK, OTHER, "flask==3.1.3 has other hashes"),
    "another hash in the list": (LIST, FLASK, OTHER, "flask==3.1.3 has other hashes"),
    "a hash too few": (LIST, f"    --hash={FLASK} \\\n", "", "flask==3.1.3 has other hashes"),
    "a package too few": (LIST, FLASKS, "# one\nclick==8.5.1", "flask==3.1.3 is in poetry.lock alone"),
    "a package too many": (LIST, FLASKS, f"six==1.17.0\n{FLASKS}", "six==1.17.0 is in requirements.txt alone"),
    "another list": (LIST, FLASKS, f"-r other.txt\n{FLASKS}", "-r is in requirements.txt alone"),
}


@pytest.mark.parametrize(("name", "old", "new", "told"), WRONG.values(), ids=WRONG)
def test_ci_refuses_without_poetry_and_says_what_differs(tmp_path, name, old, new, told):
    project = Project(tmp_path, tmp_path)
    assert project(*CHECK).returncode == 0
    project.change(name, old, new)
    refused = project(*CHECK)
    assert refused.returncode == 1
    assert told in refused.stderr
    assert "Next: " in refused.stderr


def test_the_applications_own_tests_refuse_too(tmp_path):
    project = Project(tmp_path, tmp_path)
    own = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/test_requirements.py")
    assert project(*own).returncode == 0
    project.change("poetry.lock", FLASK, OTHER)
    assert "flask==3.1.3 has other hashes" in project(*own).stdout


def test_the_hook_fetches_nothing():
    """Its first commit above was made without a network; and this is why it could be."""
    (repository,) = yaml.safe_load((STEP.folder / ".pre-commit-config.yaml").read_text())["repos"]
    (hook,) = repository["hooks"]
    assert (repository["repo"], hook["language"]) == ("local", "system")


def test_the_dockerfile_is_one_stage_and_what_it_is_compared_with_is_step_3s():
    assert len(STEP.recommended.parsed.stages) == 1
    for variant in STEP.variants:
        exports = "poetry==" in variant.dockerfile.read_text()
        assert exports == (variant.name in ("in-dockerfile", "pylock"))
    exported, listed = "COPY --from=lock /app/requirements.txt", "COPY requirements.txt"
    lines = STEP.variant("in-dockerfile").parsed.instructions
    begin = lines.index("FROM python:3.14-slim AS builder")
    step_3 = read(ROOT / "step-3-multistage/Dockerfile").instructions
    assert [line.replace(exported, listed) for line in lines[begin:]] == step_3
    (poetry, export) = (tool for tool in TOOLS if tool.startswith("poetry"))
    assert all(any(tool in line for line in lines[:begin]) for tool in (poetry, export))
    pylock = STEP.variant("pylock").parsed.instructions
    assert [one[:19] for one, other in zip(pylock, lines, strict=True) if one != other] == [
        "RUN poetry export -",
        "COPY --from=lock /a",
        "RUN pip --python /o",
    ]
