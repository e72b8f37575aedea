"""What a reader does with exercises, without an engine: the copy, progress, hints, watching, is the machine ready."""

from types import SimpleNamespace

import pytest

from measure.base.errors import Problem
from measure.build.images import BuildError
from measure.exercises import cli, hinting, model, progress, ready
from measure.exercises.judging import Verdict
from measure.exercises.model import exercises
from tests.unit.test_exercises import NOISE, tried, verdict


@pytest.fixture(autouse=True)
def elsewhere(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "YOURS", tmp_path / "yours")


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


def test_an_engine_on_another_machine_is_not_ready_for_exercises(monkeypatch):
    far = SimpleNamespace(elsewhere="tcp://docker:2376", kind="host", version="29", buildx="0.30")
    monkeypatch.setattr(ready, "_engine", lambda: far)
    with pytest.raises(Problem, match="on another machine"):
        ready._docker()


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
