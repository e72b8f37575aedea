"""The workflows of GitHub Actions: what they say of this repository is so, and they may do no more than they need."""

import os
import re

import pytest
import yaml

from measure.base.files import ROOT
from measure.base.platforms import PLATFORMS
from tests.__main__ import actionlint, lint
from tests.conftest import program, run

WORKFLOWS = {path.name: path for path in sorted((ROOT / ".github/workflows").iterdir())}
#: Who may write, and what. All others only read the repository.
WRITERS = {
    ("measure.yml", "propose"): {"contents": "write", "pull-requests": "write"},
    ("docs.yml", "publish"): {"pages": "write", "id-token": "write"},
}


def loaded(name: str) -> dict:
    # BaseLoader leaves every value a text: YAML takes `on` for a truth otherwise.
    return yaml.load(WORKFLOWS[name].read_text(), yaml.BaseLoader)


JOBS = [pytest.param(name, job, id=f"{name}-{job}") for name in WORKFLOWS for job in loaded(name)["jobs"]]


def commands(name: str) -> list[str]:
    return [step["run"] for job in loaded(name)["jobs"].values() for step in job["steps"] if "run" in step]


def is_target(word: str) -> bool:
    """Is there a rule for it in the Makefile?"""
    rules = re.findall(r"^([a-z][a-z%-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return any(re.fullmatch(re.escape(rule).replace("%", ".+"), word) for rule in rules)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_each_target_that_is_made_is_in_the_makefile(name):
    words = re.findall(r"^ *make (\S+)", "\n".join(commands(name)), re.MULTILINE)
    assert words
    assert [word for word in words if not is_target(word)] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_each_script_that_is_run_is_there_and_may_be_run(name):
    for script in re.findall(r"^ *(\.github/\S+)", "\n".join(commands(name)), re.MULTILINE):
        assert run("git", "ls-files", "--stage", script).stdout.startswith("100755"), script


def test_ci_runs_the_readmes_test_command_as_it_is():
    assert (ROOT / ".ci/run").read_text().splitlines()[-1] == "exec make test"
    assert commands("ci.yml")[-1] == "make test"
    assert "make test" in (ROOT / "README.md").read_text()
    assert "push" in loaded("ci.yml")["on"]


def test_everything_is_tested_every_night_and_the_record_is_kept():
    (time,) = loaded("nightly.yml")["on"]["schedule"]
    assert time["cron"].endswith(" * * *")
    steps = loaded("nightly.yml")["jobs"]["everything"]["steps"]
    assert [step.get("run") for step in steps].count("make test-all") == 1
    assert steps[-1]["with"]["path"] == "results/*/tests.json"


@pytest.mark.parametrize(("name", "job"), [("nightly.yml", "images"), ("measure.yml", "record")])
def test_each_platform_has_a_runner_of_its_own_kind(name, job):
    found = loaded(name)["jobs"][job]
    rows = found["strategy"]["matrix"]["include"]
    assert [row["platform"] for row in rows] == list(PLATFORMS)
    for row in rows:
        assert row["runner"].endswith("-arm") == (row["platform"] == "linux/arm64")
    assert found["runs-on"] == "${{ matrix.runner }}"
    assert found["env"]["PLATFORMS"] == "${{ matrix.platform }}"
    if name == "measure.yml":  # whose records have environments of their own
        assert [row["environment"] for row in rows] == [f"github-{one.removeprefix('linux/')}" for one in PLATFORMS]
        assert (found["env"]["ENGINE"], found["env"]["ENVIRONMENT"]) == ("host", "${{ matrix.environment }}")
        assert "make record" in commands(name)


@pytest.mark.parametrize(("name", "job"), JOBS)
def test_each_job_ends_some_time_and_may_do_no_more_than_it_needs(name, job):
    workflow = loaded(name)
    found = workflow["jobs"][job]
    assert 0 < int(found["timeout-minutes"]) < 360  # what GitHub gives a job at most
    assert workflow["permissions"] == {"contents": "read"}
    assert found.get("permissions") == WRITERS.get((name, job))
    assert set(workflow["concurrency"]) == {"group", "cancel-in-progress"}
    for step in found["steps"]:
        if step.get("uses", "").startswith("actions/checkout@"):
            pushes = "git push" in str(found["steps"])
            assert step["with"]["persist-credentials"] == str(pushes).lower()


def test_actions_are_pinned_to_one_commit_each_with_its_version():
    pins = set()
    for path in WORKFLOWS.values():
        lines = [line for line in path.read_text().splitlines() if re.search(r"\buses:", line)]
        found = [re.fullmatch(r" +(?:- )?uses: ([\w./-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+", line) for line in lines]
        assert all(found), [line for line, match in zip(lines, found, strict=True) if not match]
        pins |= {match.groups() for match in found}
    actions = [action for action, _ in pins]
    assert sorted(actions) == sorted(set(actions))


def test_lint_checks_every_workflow_and_what_its_steps_run(tmp_path):
    tracked = run("git", "ls-files", ".github/workflows").stdout.split()
    assert actionlint(*tracked) in lint()
    assert {f".github/workflows/{name}" for name in WORKFLOWS} == set(tracked)
    result = run(*actionlint(*map(str, WORKFLOWS.values())))
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    text = WORKFLOWS["measure.yml"].read_text().replace('--force origin "$BRANCH"', "--force origin $BRANCH")
    (tmp_path / "measure.yml").write_text(text.replace("matrix.platform", "matrix.plattform"))
    complaints = run(*actionlint("measure.yml"), cwd=tmp_path).stdout
    assert "SC2086" in complaints and '"plattform" is not defined' in complaints


GH = """#!/bin/bash
echo "$@" >> "$(dirname "$0")/calls"
if [ "$2" = list ]; then cat "$(dirname "$0")/open"; fi
"""


def test_new_records_are_proposed_and_later_ones_replace_them(tmp_path):
    """The last step of `measure.yml` in a clone, with a gh that only notes what it is called with."""
    (script,) = [words for words in commands("measure.yml") if "gh pr create" in words]
    (tmp_path / "origin").mkdir()
    program(tmp_path / "bin/gh", GH)
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b")
    for words in (["init", "--quiet", "--initial-branch=main"], ["commit", "--quiet", "--allow-empty", "-m", "first"]):
        run(*git, *words, cwd=tmp_path / "origin").check_returncode()
    environment = {
        **os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "BRANCH": "records/main",
        "GITHUB_REF_NAME": "main", "RUN": "https://run.example",
    }  # fmt: skip
    create = "pr create --base main --head records/main"
    # How many are open, what was measured, what gh is called with.
    for opened, record, called in ((0, None, []), (0, "1", ["pr list --head", create]), (1, "2", ["pr list --head"])):
        (tmp_path / "bin/open").write_text(f"{opened}\n")
        (tmp_path / "bin/calls").write_text("")
        clone = tmp_path / f"clone-{record}"
        run("git", "clone", "--quiet", tmp_path / "origin", clone).check_returncode()
        (clone / "results").mkdir(exist_ok=True)
        if record:
            (clone / "results/new.json").write_text(record)
        # As GitHub runs it.
        result = run("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script, cwd=clone, env=environment)
        assert result.returncode == 0, result.stderr
        calls = (tmp_path / "bin/calls").read_text().splitlines()
        assert len(calls) == len(called) and all(map(str.startswith, calls, called))
        assert all("https://run.example" in call for call in calls if call.startswith(create))
        log = run("git", "log", "--format=%s", "records/main", cwd=tmp_path / "origin").stdout.splitlines()
        assert log == (["Records from GitHub's runners", "first"] if record else [])
