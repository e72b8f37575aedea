"""Other builders: which line of an error tells, when a Dockerfile has to be tried again, and what pages say."""

import subprocess
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import pytest

import measure.pages  # noqa: F401
from measure.base.errors import Problem
from measure.record import records
from measure.record.records import Failure
from measure.steps.compose import all_steps
from measure.studies.builders import model
from measure.studies.builders.model import Attempt, Started, Tried, Versions
from measure.studies.builders.trying import Builders, failed, telling
from measure.tell.page import Page
from measure.tell.reading import Records
from tests.conftest import NATIVE

CHMOD = Failure(exit_code=1, line="the --chmod option requires BuildKit")
LOGS = {
    # What the two builders print when an instruction fails, and when they refuse one.
    "E: Unable to locate package gc": [
        "Step 2/9 : RUN apt-get install gc", " ---> Running in 1a2b3c4d5e6f", "Reading package lists...",
        "E: Unable to locate package gc", "", "The command '/bin/sh -c apt-get' returned a non-zero code: 100",
    ],
    "Error: pg_config executable not found.": [
        "STEP 2/9: RUN pip install", "      error: subprocess-exited-with-error",
        "      Error: pg_config executable not found.",
        'Error: building at STEP "RUN pip install": while running runtime: exit status 1',
    ],
    "the --chmod option requires BuildKit. Refer to https://…/go/buildkit/": [
        "Step 3/9 : COPY --chmod=644 a b", "error: something of before",
        "the --chmod option requires BuildKit. Refer to https://docs.example.com/go/buildkit/",
    ],
    "no output": [],
}  # fmt: skip


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Two variants of step 3, that are all there is, and records that go to an empty folder."""
    step = next(one for one in all_steps() if one.name.startswith("step-3"))
    monkeypatch.setattr(records, "RESULTS", tmp_path)
    monkeypatch.setattr(model, "listed", lambda platform: iter(found))
    found = [(step, step.variant(name)) for name in ("recommended", "purge")]
    return found


def tried(step, variant, **changes) -> Tried:
    usual = {
        "step": step.name, "variant": variant.name, "platform": "linux/amd64",
        "inputs_sha256": model.inputs_sha256(variant, model.recipes("lab-amd64")),
        "classic": Attempt(failure=CHMOD), "podman": Attempt(started=Started(answers=True, keeps_check=False)),
        "podman_docker": Attempt(started=Started(answers=True, keeps_check=True, healthy=True)),
        "versions": Versions(docker="26", podman="5", buildah="1"), "measured_at": datetime.now(UTC),
    }  # fmt: skip
    return Tried(**{**usual, **changes})


@pytest.mark.parametrize("line", LOGS)
def test_the_line_that_tells_is_found_in_what_each_builder_prints(line):
    assert telling(LOGS[line], lesson="pg_config executable") == line


def test_a_failure_that_says_nothing_of_a_dockerfile_is_none(two):
    _, variant = two[0]
    assert failed(1, ["the --chmod option requires BuildKit"], variant).failure == CHMOD
    for line in ("WARNING: Retrying (Retry(total=4", "Error: pinging container registry 127.0.0.1:1", "no space left"):
        with pytest.raises(Problem, match="nothing is recorded"):
            failed(1, [line, "Error: it failed"], variant)


def test_what_changed_is_stale_what_was_not_tried_is_missing_and_what_is_gone_is_orphaned(two, tmp_path, monkeypatch):
    (step, _), (_, purge) = two
    assert model.findings("other") == []
    assert [one.state for one in model.findings("lab-amd64")] == ["missing", "missing"]
    for one in two:
        model.save("lab-amd64", tried(*one))
    assert model.findings("lab-amd64") == []
    model.save("lab-amd64", tried(step, purge, inputs_sha256="x"))
    assert [(one.state, one.command) for one in model.findings("lab-amd64")] == [("stale", "make builders STEP=step-3")]
    with pytest.raises(Problem, match="stale"):
        model.complete("lab-amd64")
    two[1] = (step, replace(purge, name="other"))
    assert [one.state for one in model.findings("lab-amd64")] == ["missing", "orphaned"]
    model.save("lab-amd64", tried(*two[0]))
    assert [one.variant for one in model.load("lab-amd64").tried] == ["recommended"]
    (tmp_path / "podman").mkdir()
    monkeypatch.setattr(model, "RESOURCES", tmp_path / "podman")  # its image is made of something else
    assert [one.state for one in model.findings("lab-amd64")] == ["stale", "missing"]


def test_the_page_puts_the_same_into_one_row_and_shows_what_the_builders_say(two, monkeypatch):
    monkeypatch.setattr(Records, "get", lambda *_: SimpleNamespace(failure=None))
    for one in two:
        model.save("lab-amd64", tried(*one))
    page = Page(Records(), PurePosixPath("guide/where.md"), {}).functions()
    (row,) = page["builders"]().splitlines()[2:]
    assert row.startswith(
        "| [step-3](../steps/step-3.md) | **recommended**, purge | builds | fails | builds, answers, "
    )
    assert row.endswith("| builds, answers, without its health check | builds, answers, healthy |")
    assert "| `the --chmod option requires BuildKit` | step-3/recommended, step-3/purge |" in page["builder_errors"]()
    ended = Attempt(started=Started(answers=False, line="a | b"))
    model.save("lab-amd64", tried(*two[1], podman=ended, podman_docker=None))
    fresh = Page(Records(), PurePosixPath("guide/where.md"), {}).functions()
    assert fresh["builders"]().splitlines()[-1].endswith("| fails | builds, ends | the same |")
    assert "| podman | `a \\| b` | step-3/purge |" in fresh["builder_errors"]()


def test_only_images_without_a_name_are_removed_the_last_one_first(two, monkeypatch):
    asked, log = [], [" ---> aaaaaaaaaaaa", "Step 2/2 : RUN a", " ---> bbbbbbbbbbbb", " ---> cccccccccccc", "no buildx"]

    def docker(self, *words, **environment):
        asked.append(words)
        return (1, log) if words[0] == "build" else (0, ["1" if words[-1] == "aaaaaaaaaaaa" else "0"])

    monkeypatch.setattr(Builders, "docker", docker)
    assert Builders(None, "x").by_classic(two[0][1], Path("/x")).failure.line == "no buildx"
    assert [words[-1] for words in asked if words[1] == "rm"][1:] == ["cccccccccccc", "bbbbbbbbbbbb"]


def test_where_podman_fails_nobody_waits_for_the_other_builder(cache, two, monkeypatch):
    def by_podman(*_):
        raise Problem("no network", next="x")

    def by_classic(*_):
        time.sleep(0.5)  # its client is not there yet
        return subprocess.run(["sleep", "60"])

    monkeypatch.setattr(Builders, "by_classic", by_classic)
    monkeypatch.setattr(Builders, "by_podman", by_podman)
    begun = time.monotonic()
    with pytest.raises(Problem, match="no network"):
        Builders(SimpleNamespace(recipe=lambda _: None, platform=NATIVE), "x").attempt(*two[0])
    assert time.monotonic() - begun < 30
