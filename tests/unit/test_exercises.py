"""The workshop without an engine: what its folders must have, what a verdict says, and what happens to progress."""

import contextlib
import os
import socket
import subprocess
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from measure.base.dockerfiles import Dockerfile
from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.build.images import BuildError
from measure.exercises import model, progress, trying
from measure.exercises.judging import judge
from measure.exercises.model import CHAPTERS, Exercise, Goals, exercises
from measure.exercises.trying import Started, Tried
from measure.mine.archives import read_archive
from measure.mine.model import Context
from measure.mine.reporting import report_of
from measure.tell.page import front_matter
from tests.handmade import tar
from tests.images_by_hand import layout, package
from tests.unit.test_lines import from_context

EACH = [pytest.param(one, id=one.name) for one in [*exercises(), Exercise(model.WORKSHOP / "golf")]]
NUMBERED = [pytest.param(one, id=one.name) for one in exercises()]


@pytest.fixture(autouse=True)
def elsewhere(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "YOURS", tmp_path / "yours")


def test_they_are_numbered_in_the_order_of_the_chapters():
    numbers = [one.number for one in exercises()]
    assert numbers == list(range(1, len(numbers) + 1))
    chapters = [one.check.chapter for one in exercises()]
    assert chapters == sorted(chapters)
    assert set(chapters) == set(CHAPTERS)


@pytest.mark.parametrize("exercise", EACH)
def test_each_has_what_a_reader_and_a_teacher_need(exercise):
    check = exercise.check
    assert check.title in exercise.readme.splitlines()[0]
    assert f"{check.minutes} minutes" in exercise.readme
    assert exercise.section("Goal")
    # Whoever reads it from the top is not told the answer: what to notice is folded, and printed without its marks.
    assert f"</summary>\n\n{exercise.section('Afterwards')}\n\n</details>\n" in exercise.readme
    title, where = exercise.page
    assert front_matter((ROOT / "docs" / where.partition("#")[0]).read_text())["title"] == title
    assert set(check.hints) <= {*Goals.model_fields, "builds"}
    asked = {name for name, value in check.goals if value not in (None, False, [], {})}
    assert asked <= {*check.hints, "answers"}, "a goal without a hint"
    assert "Dockerfile" in exercise.files("start")


@pytest.mark.parametrize("exercise", NUMBERED)
def test_its_dockerfiles_fit_on_a_screen_and_its_solution_changes_something(exercise):
    start, solution = exercise.files("start"), exercise.files("solution")
    assert any(start.get(path) != content for path, content in solution.items())
    for path, content in [*start.items(), *solution.items()]:
        if path.endswith("Dockerfile"):
            assert max(map(len, content.decode().splitlines())) <= 88


@pytest.mark.parametrize("part", ["start", "solution"])
def test_a_user_can_read_what_is_copied_whatever_the_umask(part):
    """As in the steps, octal; or the files belong to the user. What root installs from, root can read."""
    found = 0
    for exercise in exercises():
        text = (exercise.files("start") | exercise.files(part))["Dockerfile"].decode()
        dockerfile = Dockerfile("Dockerfile", text)
        if "USER " not in text:
            continue
        for line in from_context(dockerfile, None):
            if "requirements" not in line and "chown -R" not in text:
                found += 1
                assert "--chmod=644 " in line or "--chown=10001 " in line, (exercise.name, line)
    assert found


def test_a_goal_that_is_misspelt_is_refused(tmp_path):
    first = exercises()[0]
    text = (first.folder / "check.toml").read_text()
    (tmp_path / "check.toml").write_text(text.replace("[goals]", "[goals]\ntransfer_mib = 1"))
    with pytest.raises(Problem, match="is not valid") as problem:
        _ = Exercise(tmp_path).check
    assert "goals.transfer_mib" in problem.value.why


def test_a_check_file_that_was_edited_is_known(tmp_path, monkeypatch):
    folder = tmp_path / "01-one"
    folder.mkdir()
    (folder / "check.toml").write_text("title = 'one'\n")
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b.c")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "one")):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    monkeypatch.setattr(model, "ROOT", tmp_path)
    assert not Exercise(folder).edited
    (folder / "check.toml").write_text("title = 'two'\n")
    assert Exercise(folder).edited


NOTHING = Context(folder_files=0, folder_bytes=0, files=0, bytes=0, largest={}, ignore_file=None, idle_patterns=[],
                  secrets=[], avoidable={})  # fmt: skip
BASE = {"usr/local/lib/python3.14/os.py": b"x"}


def tried(tmp_path, *own, settings=None, started=None, requirements="", **more):
    """What was found out about a handmade image of a base and these layers, each a line RUN."""
    history = [{"created_by": "COPY / / # buildkit"}, {"created_by": 'CMD ["python3"]', "empty_layer": True}]
    history += [{"created_by": f"RUN /bin/sh -c {number}"} for number in range(len(own))]
    made = layout(
        tmp_path / "layout",
        [tar(BASE), *(tar(one, modes=dict.fromkeys(one, 0o755)) for one in own)],
        history=history,
        settings=settings or {},
    )
    image, platform, _ = read_archive(made.root)
    text = "\n".join(["FROM python:3.14-slim", *(f"RUN {number}" for number in range(len(own)))])
    report = report_of(image, platform, Dockerfile("Dockerfile", text), None, NOTHING)
    paths = [path for path, node in image.files.walk() if node.kind != "directory"]
    return Tried(NOTHING, requirements, report=report, paths=paths, started=started, **more)


def verdict(goals, seen):
    """The verdict on the last goal: that it builds comes first."""
    return judge(Goals(**goals), seen)[-1]


def test_a_path_is_told_whole(tmp_path):
    path = "opt/venv/lib/python3.14/site-packages/numpy/_core/tests/__pycache__/_locales.cpython-314.pyc"
    assert verdict({"absent": ["*/tests/*"]}, tried(tmp_path, {path: b""})).you.endswith(path)


def test_seconds_after_an_edit_are_held_against_a_build_from_nothing_in_the_same_run(tmp_path):
    """A busy machine makes both slower. The lines that were made again are named."""
    for slower in (1, 10):
        cold = {3: 0.1 * slower, 4: 6.0 * slower}
        seen = tried(tmp_path / str(slower), {"a": b"1"}, cold=cold, again={5: 0.1 * slower})
        assert verdict({"again_part": 0.3}, seen).holds
        failing = verdict({"again_part": 0.3}, replace(seen, again={3: 0.1 * slower, 4: 5.9 * slower}))
        assert not failing.holds
        assert failing.because.splitlines()[-1] == f"Dockerfile:4 was made again: {5.9 * slower:.1f} s"


NOISE = os.urandom(300_000)


@pytest.mark.parametrize(
    ("goals", "given", "better"),
    [
        ({"own_mb": 0.2}, [{"app/a": NOISE}], [{"app/a": b"1"}]),
        ({"transfer_mb": 0.2}, [{"app/a": NOISE}], [{"app/a": b"1"}]),
        ({"hidden_mb": 0.2}, [{"app/a": NOISE}, {"app/.wh.a": b""}], [{"app/a": NOISE}]),
        ({"caches_mb": 0.2}, [{"root/.cache/pip/http/a": NOISE}], [{"app/a": NOISE}]),
        ({"absent": ["*/.env"]}, [{"app/.env": b"x"}], [{"app/env": b"x"}]),
        ({"present": ["*/_speedups*.so"]}, [{"app/x": b"x"}], [{"app/_speedups.cpython.so": b"x"}]),
        ({"without": ["compiler"]}, [{"usr/bin/gcc": b"x"}], [{"usr/bin/python": b"x"}]),
        ({"without": ["pip"]}, [package("pip", {"pip/a.py": b"x"})], [package("flask", {"flask.py": b"x"})]),
        ({"without_packages": ["pytest"]}, [package("pytest", {"p.py": b""})], [package("flask", {"f.py": b""})]),
    ],
)
def test_a_goal_on_what_is_in_the_image(tmp_path, goals, given, better):
    failing = verdict(goals, tried(tmp_path / "given", *given))
    assert not failing.holds
    assert failing.goal in goals
    assert verdict(goals, tried(tmp_path / "better", *better)).holds


def test_the_line_that_is_to_blame_is_named(tmp_path):
    failing = verdict({"own_mb": 0.2}, tried(tmp_path, {"app/a": b"1"}, {"app/b": NOISE}))
    assert failing.because.startswith("your line Dockerfile:3 `RUN 1` has 300")


@pytest.mark.parametrize(
    ("user", "holds"), [("", False), ("0:0", False), ("app", False), ("10001", True), ("10001:10001", True)]
)
def test_a_user_is_a_number_that_is_not_roots(tmp_path, user, holds):
    assert verdict({"non_root": True}, tried(tmp_path, {"a": b"1"}, settings={"User": user})).holds == holds


@pytest.mark.parametrize(
    ("line", "holds"),
    [("flask==1.0", True), ("Flask==1.0 ; python_version > '3'", True), ("flask>=1.0", False), ("flask", False),
     ("flask==1.0.1", False), ("flask-x==1.0", False)],
)  # fmt: skip
def test_pinned_is_an_exact_version_of_what_is_installed(tmp_path, line, holds):
    seen = tried(tmp_path, package("flask", {"flask.py": b"x"}), requirements=f"{line}\n")
    (one,) = [found for found in seen.report.packages if found.name == "flask"]
    seen.requirements = seen.requirements.replace("1.0", one.version)
    assert verdict({"pinned": True}, seen).holds == holds


def test_what_a_container_did(tmp_path):
    goals = {"answers": {"/": "hello"}, "healthy_s": 9, "stops_s": 3}
    good = Started({"/": (200, "hello\n")}, healthy_s=1.0, stopped_s=0.2)
    assert all(one.holds for one in judge(Goals(**goals), tried(tmp_path / "1", {"a": b"1"}, started=good)))
    for number, bad in enumerate(
        [Started({"/": (500, "hello")}, healthy_s=1.0, stopped_s=0.2), Started({"/": (200, "no")}, "", "", 1.0, 0.2),
         Started({}, "it ended at once", "ImportError: x", 1.0, 0.2), Started({"/": (200, "hello")}, "", "", None, 0.2),
         Started({"/": (200, "hello")}, "", "", 1.0, None)]
    ):  # fmt: skip
        found = judge(Goals(**goals), tried(tmp_path / f"b{number}", {"a": b"1"}, started=bad))
        assert [one.holds for one in found].count(False) == 1


def test_a_shell_that_keeps_the_signal_is_named(tmp_path):
    started = Started({}, stopped_s=None)
    settings = {"Cmd": ["/bin/sh", "-c", "prepare && gunicorn app:app"]}
    failing = verdict({"stops_s": 3}, tried(tmp_path, {"a": b"1"}, settings=settings, started=started))
    assert "a shell is process 1" in failing.because


def test_a_build_that_fails_is_told_in_the_builders_own_words():
    log = ["#5 [2/3] RUN pip install x", "#5 0.5 ERROR: No matching distribution found for x", "#5 ERROR: process …"]
    where = {"RUN pip install x": "Dockerfile:3"}
    (only,) = judge(Goals(answers={"/": ""}), Tried(NOTHING, where=where, failure=BuildError(1, log)))
    assert (only.goal, only.holds) == ("builds", False)
    assert only.because.splitlines()[:2] == [
        "Dockerfile:3 RUN pip install x", "ERROR: No matching distribution found for x"
    ]  # fmt: skip
    parse = ["ERROR: failed to solve: dockerfile parse error on line 3: unknown flag: x"]
    (only,) = judge(Goals(), Tried(NOTHING, failure=BuildError(1, parse)))
    assert only.because == parse[0]


@contextlib.contextmanager
def silent_server():
    """A server that takes connections and never says a word; yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept = []
        threading.Thread(target=lambda: kept.append(server.accept()), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        for connection, _ in kept:
            connection.close()


def test_an_application_that_hangs_is_given_up_and_said(monkeypatch):
    monkeypatch.setattr(trying, "ANSWER_S", 0.5)
    monkeypatch.setattr(trying, "REQUEST_S", 0.3)
    monkeypatch.setattr(trying, "last_lines", lambda container: "Listening at …")
    monkeypatch.setattr(trying, "_trouble", lambda container: "")
    found = Started()
    with silent_server() as url:
        assert trying._ask(SimpleNamespace(), url, found) is None
    assert found.trouble.endswith("it takes the request and says nothing")
    assert found.logs == "Listening at …"


@pytest.mark.parametrize(
    ("state", "written", "told"),
    [
        (
            {"running": False, "oom_killed": True, "exit_code": 137},
            0,
            "it took more than 512m of memory, and was killed",
        ),
        ({"running": False, "oom_killed": False, "exit_code": 1}, 0, "it ended with exit code 1"),
        ({"running": True}, trying.DISK_BYTES + 1, "it wrote more than 500.0 MB to its disk"),
    ],
)
def test_a_container_that_takes_too_much_or_has_ended_is_not_waited_for(monkeypatch, state, written, told):
    container = SimpleNamespace(reload=lambda: None, state=SimpleNamespace(**state))
    monkeypatch.setattr(trying, "LOOK_S", 0.1)
    monkeypatch.setattr(trying, "_written", lambda container: written)
    monkeypatch.setattr(trying, "last_lines", lambda container: "")
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    found = Started()
    assert trying._ask(container, url, found) is None
    assert found.trouble == told


def test_a_build_without_an_end_is_stopped_and_said(monkeypatch):
    stopped = threading.Event()
    monkeypatch.setattr(trying, "BUILD_S", 0.05)
    monkeypatch.setattr(trying, "stop_clients", stopped.set)
    with pytest.raises(Problem, match="The build takes longer than") as problem, trying._bounded("The build"):
        assert stopped.wait(5)
        raise BuildError(-15, ["#5 0.1 Listening at: http://…", "#5 ERROR: canceled"])
    assert "canceled" in problem.value.why
    with pytest.raises(BuildError), trying._bounded("The build"):
        raise BuildError(1, [])


def test_a_folder_without_a_dockerfile_is_said(tmp_path):
    with pytest.raises(Problem, match="no file called Dockerfile"):
        trying.Trial(SimpleNamespace(platform="linux/amd64"), exercises()[0], tmp_path, None)
