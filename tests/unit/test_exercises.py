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
from measure.exercises import cli, hinting, model, progress, ready, trying
from measure.exercises.judging import Verdict, judge
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


def test_the_readers_copy_is_made_whole_once_and_left_alone_then(monkeypatch):
    one = model.find(3)
    folder = progress.yours(one)
    assert {*one.check.made, "Dockerfile"} <= {str(path.relative_to(folder)) for path in folder.rglob("*")}
    (folder / "Dockerfile").write_text("FROM scratch\n")
    assert (progress.yours(one) / "Dockerfile").read_text() == "FROM scratch\n"

    def full(exercise, folder):
        (folder / "Dockerfile").write_text("FROM")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(progress, "fill", full)
    with pytest.raises(OSError, match="No space left"):
        progress.yours(model.find(4))
    assert [path.name for path in progress.YOURS.iterdir()] == [one.name]


def test_a_file_in_the_place_of_the_copy_is_said():
    progress.YOURS.mkdir()
    (progress.YOURS / model.find(1).name).write_text("")
    with pytest.raises(Problem, match="is no folder"):
        progress.yours(model.find(1))


def test_what_is_done_is_done_for_one_version_of_the_exercise():
    first, second = exercises()[:2]
    kept = progress.load()
    assert progress.current(kept) == first
    kept.done[first.name] = first.version
    progress.save(kept)
    assert progress.current(progress.load()) == second
    kept.done[first.name] = "an older one"
    progress.save(kept)
    assert progress.current(progress.load()) == first


def test_whoever_takes_one_by_its_number_goes_on_behind_it(monkeypatch, capsys):
    """Before it, exercises may be left; what is typed names the number, as long as another one comes without."""
    last = exercises()[-1]
    monkeypatch.setattr(cli, "_engine", lambda exercise: None)
    monkeypatch.setattr(cli, "_try", lambda *_: (None, [Verdict("builds", "", True, "", "")]))
    cli.exercise(9)
    assert "Next: edit it, then `make exercise-10`\n" in capsys.readouterr().out
    assert [path.name for path in sorted(progress.YOURS.glob("1*"))] == [model.find(10).name]
    cli.exercise(8)
    assert "Next: edit it, then `make exercise-10`\n" in capsys.readouterr().out
    cli.exercise(last.number)
    assert "Next: edit it, then `make exercise`\n" in capsys.readouterr().out


def test_a_hint_says_what_to_type_for_the_next_one(monkeypatch, capsys):
    monkeypatch.setattr(cli, "_engine", lambda exercise: None)
    monkeypatch.setattr(cli, "_try", lambda *_: (None, [Verdict("builds", "it builds", False, "no", "yes")]))
    monkeypatch.setattr(hinting, "hint", lambda *_: ["that one"])
    told = []
    for number in (1, 2, 2, 2, 2):
        cli.hint(number)
        told.append(capsys.readouterr().out.splitlines()[-1])
    assert told[0] == "Next: edit it, then `make exercise`; or `make hint` again, for hint 2"
    assert told[1:] == [
        *(f"Next: edit it, then `make exercise-2`; or `make hint-2` again, for hint {level}" for level in (2, 3, 4)),
        "Next: edit it, then `make exercise-2`",
    ]


@pytest.mark.parametrize("content", ["", "{", '{"done": 3}', '{"what": {}}'])
def test_progress_that_cannot_be_read_is_said_and_begun_anew(content, capsys):
    progress.YOURS.mkdir()
    (progress.YOURS / "progress.json").write_text(content)
    assert progress.load() == progress.Progress()
    assert "cannot be read" in capsys.readouterr().err


def test_progress_survives_a_full_disk(monkeypatch):
    progress.save(progress.Progress(done={"01-answer": "x"}))

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(progress, "write_whole", full)
    with pytest.raises(OSError, match="No space left"):
        progress.save(progress.Progress())
    assert progress.load().done == {"01-answer": "x"}


def test_hints_go_from_what_is_seen_to_the_whole_difference(tmp_path, monkeypatch):
    exercise = next(one for one in exercises() if one.name.endswith("-deleted"))
    seen = tried(tmp_path / "mine", {"tmp/data.bin": NOISE}, {"tmp/.wh.data.bin": b""})
    solution = tried(tmp_path / "solution", {"app/digest.txt": b"1"}).report
    monkeypatch.setattr(hinting, "_solution", lambda *_: solution)
    failing = verdict({"hidden_mb": 0.2}, seen)
    progress.yours(exercise)
    told = [hinting.hint(None, exercise, None, seen, failing, level) for level in range(1, hinting.LEVELS + 1)]
    assert any("Dockerfile:2" in line for line in told[0])
    assert any("you have it alone" in line for line in told[1])
    assert told[2] == [exercise.check.hints["hidden_mb"]]
    assert any(line.startswith("+RUN --mount=type=bind") for line in told[3])


def test_a_hint_on_what_an_image_does_says_nothing_of_what_it_weighs(tmp_path, monkeypatch):
    """A container that does not stop is not slimmed; where the images have the same parts, the file is named."""
    exercise = next(one for one in exercises() if one.name.endswith("-stop"))
    seen = tried(tmp_path / "mine", {"tmp/data.bin": NOISE}, {"tmp/.wh.data.bin": b""})
    assert seen.report.next_steps
    monkeypatch.setattr(hinting, "_solution", lambda *_: seen.report)
    progress.yours(exercise)
    failing = Verdict("stops_s", "it ends after SIGTERM", False, "not", "within 5 s", "")
    first, second = (hinting.hint(None, exercise, None, seen, failing, level) for level in (1, 2))
    assert first == ["it ends after SIGTERM: you have not; it should be within 5 s."]
    inside = Verdict("without", "no compiler", False, "there", "none", "")
    assert any(line.startswith("Seen in your image") for line in hinting.hint(None, exercise, None, seen, inside, 1))
    assert second == ["The images have the same parts. Look at start.sh."]


def test_watching_goes_on_after_what_cannot_be_built_and_ends_when_all_holds(monkeypatch, capsys):
    """A Dockerfile that is saved half-way is no reason to type the command again."""
    tries = iter([Problem("Dockerfile:3: CMDD is no instruction."), [Verdict("builds", "", False, "", "")],
                  [Verdict("builds", "", True, "", "")]])  # fmt: skip

    def tried_now(*_):
        found = next(tries)
        if isinstance(found, Problem):
            raise found
        return None, found

    monkeypatch.setattr(cli, "_engine", lambda exercise: None)
    monkeypatch.setattr(cli, "_try", tried_now)
    monkeypatch.setattr(cli, "_wait_for_change", lambda changed: None)
    cli.exercise(1, watch=True)
    seen = capsys.readouterr()
    assert "CMDD is no instruction" in seen.err
    assert "All goals hold." in seen.out
    assert list(tries) == []
    assert progress.is_done(model.find(1), progress.load())
    assert (progress.YOURS / model.find(2).name / "Dockerfile").exists()


def test_a_save_is_seen(tmp_path):
    before = cli._stamp(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    assert cli._stamp(tmp_path) != before


def test_a_machine_without_memory_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(ready.psutil, "virtual_memory", lambda: SimpleNamespace(available=10**8))
    with pytest.raises(Problem, match=r"Too little memory: 0\.1 GB") as problem:
        ready._memory()
    assert "close a browser" in problem.value.next


def test_a_build_that_fails_says_what_the_builder_said(monkeypatch):
    def failing(*_, **__):
        raise BuildError(1, ["#4 ERROR: python:3.14-slim: dial tcp: lookup failed"])

    monkeypatch.setattr(ready, "build_text", failing)
    monkeypatch.setattr(ready, "_engine", lambda: None)
    with pytest.raises(Problem, match="The package index does not answer") as problem:
        ready._build()
    assert "dial tcp" in problem.value.why


def test_each_check_is_made_whatever_came_of_the_one_before(monkeypatch, capsys):
    def failing():
        raise Problem("No Docker engine answers.", next="docker version")

    monkeypatch.setattr(ready, "CHECKS", {"Docker": failing, "disk": lambda: "9 GB free"})
    with pytest.raises(cli.typer.Exit) as ended:
        cli.workshop_check()
    seen = capsys.readouterr()
    assert ended.value.exit_code == 1
    assert "✗ Docker" in seen.out
    assert "✓ disk: 9 GB free" in seen.out
    assert "docker version" in seen.err
    assert "1 of 2 do not hold" in seen.err
