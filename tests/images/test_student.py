"""A machine student goes through the whole workshop as a person would: by `make` commands and edits alone, timed."""

import os
import shutil
import signal
import subprocess
import time

import pytest

from measure.base.files import ROOT
from measure.build.engine import image_ids
from measure.exercises import hinting, model
from measure.run.probe import LABEL
from tests.conftest import eventually, fresh_clone, run
from tests.docs.pages import lab_environment


@pytest.fixture(scope="module")
def clone(engine, tmp_path_factory):
    """A fresh clone that shares this one's tools."""
    folder = fresh_clone(tmp_path_factory.mktemp("student") / "clone")
    (folder / ".venv").symlink_to(ROOT / ".venv")
    os.utime(folder / "requirements.txt", (0, 0))  # so that make takes the tools for up to date
    return folder


@pytest.fixture(scope="module")
def make(engine, clone):
    """Runs `make` in the clone; returns all that it printed."""
    environment = {**os.environ, **(lab_environment() if engine.kind == "lab" else {})}

    def call(*words, code=0):
        done = run("make", *words, cwd=clone, env=environment, seconds=900)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return call


def edit(clone, exercise):
    """What the student learned: the solution's files, typed into the own copy."""
    shutil.copytree(exercise.folder / "solution", clone / "workshop/yours" / exercise.name, dirs_exist_ok=True)


def go_through(clone, make, listed):
    """Each exercise: it is tried, a hint is asked for, it is solved, and the next one is laid out."""
    for number, exercise in enumerate(listed):
        begun = time.monotonic()
        tried = make("exercise")
        assert f"Exercise {exercise.number}: {exercise.check.title}" in tried
        assert "✗" in tried
        assert "All goals hold" not in tried
        assert f"Hint 1 of {hinting.LEVELS}" in make("hint")
        edit(clone, exercise)
        solved = make("exercise")
        assert "All goals hold." in solved, solved
        if following := listed[number + 1 :]:
            assert f"Exercise {following[0].number}: {following[0].check.title}" in solved
        print(f"{exercise.name}: {time.monotonic() - begun:.1f} s")


@pytest.mark.workshop
@pytest.mark.timeout(3600)
def test_a_student_goes_through_the_whole_workshop(clone, make):
    go_through(clone, make, model.exercises())
    assert "All exercises are done." in make("exercise")
    assert "→" not in make("exercises")
    assert make("exercises").count("✓") == len(model.exercises())


@pytest.mark.workshop
def test_hints_lead_to_the_solution_and_an_edit_of_the_check_is_said(clone, make):
    exercise = model.find(8)
    shutil.rmtree(clone / "workshop/yours", ignore_errors=True)
    assert f"Exercise 8: {exercise.check.title}" in make("exercise-8")
    for level in range(1, hinting.LEVELS + 1):
        told = make("hint-8")
        assert f"Hint {level} of {hinting.LEVELS}" in told
    assert "+COPY --chown=10001" in told
    assert "COPY --chown=10001" in make("solution-8")
    check = clone / "workshop" / exercise.name / "check.toml"
    check.write_text(check.read_text().replace("hidden_mb = 0.5", "hidden_mb = 50"))
    again = make("exercise-8")
    assert "check.toml was changed since the last commit" in again
    assert "All goals hold." in again


@pytest.mark.workshop
def test_bad_input_is_told(clone, make):
    """A build that fails, an application that eats memory or disk, a file that is not there, no such exercise."""
    make("exercise-1")
    folder = clone / "workshop/yours" / model.find(1).name
    dockerfile, text = folder / "Dockerfile", (folder / "Dockerfile").read_text()
    dockerfile.write_text(text.replace("RUN pip install", "RUN pipp install"))
    failed = make("exercise-1")
    assert "pipp: not found" in failed
    assert "✗ it builds" in failed
    dockerfile.write_text(text.replace("CMD [", "CMNDD ["))
    assert "CMNDD is no instruction" in make("exercise-1", code=2)
    dockerfile.write_text(text.partition("CMD")[0] + 'CMD ["python", "-c", "a = bytearray(10**10)"]\n')
    assert "512m of memory" in make("exercise-1") or "exit code 137" in make("exercise-1")
    dockerfile.write_text(
        text.partition("CMD")[0] + 'CMD ["python", "-c", "open(\'/tmp/a\', \'wb\').truncate(10**10)"]\n'
    )
    assert "File too large" in make("exercise-1")
    dockerfile.unlink()
    assert "There is no file called Dockerfile" in make("exercise-1", code=2)
    assert "There is no exercise 99" in make("exercise-99", code=2)


@pytest.mark.workshop
def test_golf_scores_what_behaves(clone, make):
    assert "No score" in make("golf")
    shutil.copy(ROOT / "step-4-slim-vs-alpine/Dockerfile", clone / "workshop/yours/golf/Dockerfile")
    scored = make("golf")
    assert "times the floor" in scored
    assert "← this one" in scored


@pytest.mark.workshop
def test_this_machine_is_ready(make):
    assert "Ready." in make("workshop-check")


@pytest.mark.workshop
def test_ctrl_c_leaves_nothing_and_keeps_the_copy(engine, clone, make):
    """While its container waits for a health check that never comes."""
    exercise = next(one for one in model.exercises() if one.check.goals.healthy_s)
    make(f"exercise-{exercise.number}")
    environment = {**os.environ, **(lab_environment() if engine.kind == "lab" else {})}
    command = [clone / ".venv/bin/python", "-m", "measure", "exercise", str(exercise.number)]
    started = subprocess.Popen(command, cwd=clone, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    own = [("label", f"{LABEL}={started.pid}")]
    try:
        eventually(lambda: engine.docker.container.list(filters=own))
        started.send_signal(signal.SIGINT)
        told = started.communicate(timeout=60)[0].decode()
    finally:
        started.kill()
    assert started.returncode == 130
    assert "Stopped by you" in told
    assert engine.docker.container.list(all=True, filters=own) == []
    assert image_ids(engine, [f"exercise:{exercise.name}"]) == {}
    assert (clone / "workshop/yours" / exercise.name / "Dockerfile").exists()
