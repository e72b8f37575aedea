"""A machine student goes through the whole workshop as a person would: by `make` commands and edits alone, timed."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time

import psutil
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


def done_before(clone, exercise):
    """The student has done all that comes before: so each exercise is a test of its own, and can be run alone."""
    shutil.rmtree(clone / "workshop/yours", ignore_errors=True)
    before = {one.name: one.version for one in model.exercises() if one.number < exercise.number}
    (clone / "workshop/yours").mkdir()
    kept(clone).write_text(json.dumps({"done": before}))
    return before


def kept(clone):
    return clone / "workshop/yours/progress.json"


@pytest.mark.workshop
@pytest.mark.parametrize("exercise", model.exercises(), ids=lambda one: one.name)
def test_a_student_goes_through_the_whole_workshop(clone, make, exercise):
    """It is tried, a hint is asked for, it is solved, and the next one is laid out."""
    before = done_before(clone, exercise)
    tried = make("exercise")
    assert f"Exercise {exercise.number}: {exercise.check.title}" in tried
    assert "✗" in tried
    assert "All goals hold" not in tried
    assert f"Hint 1 of {hinting.LEVELS}" in make("hint")
    edit(clone, exercise)
    solved = make("exercise")
    assert "All goals hold." in solved, solved
    assert json.loads(kept(clone).read_text())["done"] == before | {exercise.name: exercise.version}
    if exercise != model.exercises()[-1]:
        following = model.find(exercise.number + 1)
        assert f"Exercise {following.number}: {following.check.title}" in solved
        assert (clone / "workshop/yours" / following.name / "Dockerfile").exists()
    else:
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
    dockerfile.unlink()
    assert "There is no file called Dockerfile" in make("exercise-1", code=2)
    assert "There is no exercise 99" in make("exercise-99", code=2)
    shutil.rmtree(folder)
    folder.write_text("")
    assert "is no folder" in make("exercise-1", code=2)
    folder.unlink()


@pytest.mark.workshop
@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("a = bytearray(10**10)", "512m of memory|exit code 137"),
        ("open('/tmp/a', 'wb').truncate(10**10)", "File too large"),
        ("import time; [open(f'/tmp/{n}', 'wb').write(bytes(2 * 10**8)) for n in range(3)]; time.sleep(600)",
         r"wrote more than 500\.0 MB to its disk"),
        ("import socket, time; a = socket.create_server(('', 8000)); time.sleep(600)",
         "it takes the request and says nothing"),
        ("import time; time.sleep(600)", "no answer within 8 s: nothing listens there"),
    ],
    ids=["memory", "one large file", "many files", "hangs", "does not listen"],
)  # fmt: skip
def test_a_container_that_takes_too_much_is_bounded_and_said(clone, make, code, told):
    make("exercise-1")
    dockerfile = clone / "workshop/yours" / model.find(1).name / "Dockerfile"
    begin = dockerfile.read_text().partition("CMD")[0]
    dockerfile.write_text(f"{begin}CMD {json.dumps(['python', '-c', code])}\n")
    begun = time.monotonic()
    assert re.search(told, make("exercise-1"))
    assert time.monotonic() - begun < 60


FULL_DISK = """
mount -t tmpfs -o size=64k tmpfs workshop/yours && .venv/bin/python -m measure exercise 3
code=$?; ls -A workshop/yours; exit $code
"""


@pytest.mark.workshop
def test_a_full_disk_is_said_and_leaves_no_half_a_copy(clone):
    """The folder of the copies on a small file system, seen by this run alone: exercise 3 has megabytes to copy."""
    if os.geteuid():
        pytest.skip("mounts a file system, which needs root")
    (clone / "workshop/yours").mkdir(exist_ok=True)
    result = run("unshare", "--mount", "--propagation", "private", "bash", "-c", FULL_DISK, cwd=clone)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "No space left on device" in result.stderr
    assert "Next: df -h" in result.stderr
    assert "Traceback" not in result.stderr
    assert "Dockerfile" not in result.stdout
    assert model.find(3).name not in result.stdout.splitlines()


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


def in_its_build(child):
    """For some seconds already: what was built before comes from the cache by then."""
    with contextlib.suppress(psutil.NoSuchProcess):  # one of them has just ended
        kin = psutil.Process(child.pid).children(recursive=True)
        return any("bake" in one.cmdline() and time.time() - one.create_time() > 3 for one in kin)


def in_its_container(child, engine):
    return engine.docker.container.list(all=True, filters=[("label", f"{LABEL}={child.pid}")])


#: When Ctrl-C comes: the exercise, what its Dockerfile gets, a further word, and how that moment is seen.
MOMENTS = {
    "build": (1, "RUN sleep 613\n", (), lambda child, engine, log: in_its_build(child)),
    "health check that never comes": (18, "", (), lambda child, engine, log: in_its_container(child, engine)),
    "wait for a save": (1, "", ("--watch",), lambda child, engine, log: "watching" in log.read_text()),
}


@pytest.mark.workshop
@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_leaves_nothing_and_keeps_the_copy_and_what_is_done(engine, clone, make, tmp_path, moment):
    number, more, words, is_now = MOMENTS[moment]
    exercise, log = model.find(number), tmp_path / "log"
    done_before(clone, exercise)
    before = kept(clone).read_bytes()
    make(f"exercise-{number}")
    with (clone / "workshop/yours" / exercise.name / "Dockerfile").open("a") as dockerfile:
        dockerfile.write(more)
    environment = {**os.environ, **(lab_environment() if engine.kind == "lab" else {}), "TMPDIR": str(tmp_path)}
    command = [clone / ".venv/bin/python", "-m", "measure", "exercise", str(number), *words]
    with log.open("wb") as file:
        child = subprocess.Popen(command, cwd=clone, env=environment, stdout=file, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: is_now(child, engine, log), told=log.read_text)
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=60) == 130
    finally:
        child.kill()
    assert "Stopped by you" in log.read_text()
    assert in_its_container(child, engine) == []
    assert image_ids(engine, [f"exercise:{exercise.name}"]) == {}
    eventually(lambda: not [one for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"] == ["sleep", "613"]])
    assert [path.name for path in tmp_path.iterdir()] == ["log"], "a temporary folder is left"
    assert (clone / "workshop/yours" / exercise.name / "Dockerfile").exists()
    assert kept(clone).read_bytes() == before
