"""What is said while something takes long: lines without a terminal, a live view on one, and how much is left."""

import io
import itertools
import json
import threading
from types import SimpleNamespace

import pytest
from rich.console import Console

from measure.base import progress
from measure.base.progress import BEAT, Board, left, roughly
from tests.conftest import eventually


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own, and no benchmark's records."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(progress, "_recorded", dict)


@pytest.fixture
def clock():
    """Seconds that a test gives."""
    return SimpleNamespace(now=1000.0)


@pytest.fixture
def board(clock):
    """A board whose lines go into a text, that beats when a test says so."""
    board = Board(Console(file=io.StringIO(), width=200), lambda: clock.now)
    board._beat_until = lambda ended: None
    return board


def lines(board) -> list[str]:
    return board.console.file.getvalue().splitlines()


def test_a_line_says_what_begins_and_another_that_it_is_done(board, clock):
    task = board.begin("python:3.14")
    assert lines(board) == ["· python:3.14 …"]
    clock.now += 98
    board.end(task)
    assert lines(board)[1:] == ["· python:3.14: done, in 98 s"]
    assert progress.expected("python:3.14") == 98
    again = board.begin("python:3.14")
    assert lines(board)[-1] == "· python:3.14 … (about 2 min)"
    clock.now += 30
    board.end(again, whole=False)  # neither told nor kept
    assert len(lines(board)) == 3
    assert progress.expected("python:3.14") == 98


def test_there_are_never_thirty_seconds_of_silence(board, clock):
    """However the seconds of the beats fall: it looks each second, and says where everything is."""
    said_at = [clock.now]
    outer, base = board.begin("make step-1", expected_s=300, told=False), board.begin("python:3.14")
    base.step = "step 3 of 7"
    for _ in range(400):
        clock.now += 1.0
        before = len(lines(board))
        board.beat()
        if len(lines(board)) > before:
            said_at.append(clock.now)
    said_at.append(clock.now)
    assert max(after - before for before, after in itertools.pairwise(said_at)) <= 30
    assert len(said_at) < 400 / BEAT + 3
    first = lines(board)[1]
    assert first == "· make step-1: 20 s, about 5 min left | python:3.14: step 3 of 7, 20 s"
    assert "longer than the last time" in lines(board)[-1]
    board.end(base)
    board.end(outer)


def test_a_line_in_between_puts_the_next_one_off(board, clock):
    task = board.begin("a")
    clock.now += BEAT - 1
    board.say("something else")
    clock.now += BEAT - 1
    board.beat()
    assert len(lines(board)) == 2
    clock.now += 1
    board.beat()
    assert len(lines(board)) == 3
    board.end(task)
    clock.now += 100
    board.beat()
    assert len(lines(board)) == 4  # nothing runs, so there is nothing to say


def test_the_thread_that_beats_lives_as_long_as_something_runs(monkeypatch):
    monkeypatch.setattr(progress, "BEAT", 0.5)
    board = Board(Console(file=io.StringIO(), width=200))
    before = threading.active_count()
    task = board.begin("slow", told=False)
    assert eventually(lambda: lines(board))[0].startswith("· slow: ")
    board.end(task)
    eventually(lambda: threading.active_count() == before)


def test_on_a_terminal_there_is_a_live_view(clock):
    screen = io.StringIO()
    board = Board(Console(file=screen, width=120, force_terminal=True, highlight=False), lambda: clock.now)
    task = board.begin("python:3.14", expected_s=300)
    task.step, task.doing = "step 3 of 7", "RUN [make]"
    clock.now += 61
    board._live.refresh()
    board.end(task)
    shown = screen.getvalue()
    assert "python:3.14" in shown and "step 3 of 7, 61 s, about 4 min left" in shown and "RUN [make]" in shown
    assert "python:3.14 …" not in shown
    assert "python:3.14: done, in 61 s" in shown
    assert board._live is None


@pytest.mark.parametrize(("line", "step", "doing"), [
    ("[linux/arm64 2/5] RUN make", "step 2 of 5", "RUN make"),
    ("[build 11/12] COPY . .", "step 11 of 12", "COPY . ."),
    ("[1/3] FROM python", "step 1 of 3", "FROM python"),
    ("[internal] load build context", "", "[internal] load build context"),
    ("weighing", "", "weighing"),
])  # fmt: skip
def test_a_builders_own_line_says_at_which_step_it_is(line, step, doing):
    task = progress.Task("slim · linux/arm64", 0.0)
    task.at(line)
    assert (task.step, task.doing) == (step, doing)


def test_the_rest_is_rough():
    assert left(10, None) == ""
    assert left(10, 280) == "about 4 min left"
    assert left(250, 280) == "less than a minute left"
    assert left(281, 280) == "longer than the last time"
    assert roughly(9) == "less than a minute"


def test_short_and_damaged_durations_are_none(tmp_path):
    progress.remember("short", 2)
    assert progress.expected("short") is None
    progress.remember("long", 20)
    progress.remember("long", 2)  # known, so it is kept how short it is now
    assert progress.expected("long") == 2
    (tmp_path / "python-images-measured/durations.json").write_text("{")
    assert progress.expected("long") is None
    progress.remember("long", 30)
    assert progress.expected("long") == 30
    lock = tmp_path / "python-images-measured/durations.lock"
    lock.unlink()
    lock.mkdir()
    progress.remember("long", 20)  # it cannot be kept, and nothing fails
    assert progress.expected("long") == 30
    with pytest.raises(ValueError, match="ours"), progress.task("long"):
        raise ValueError("ours")
    assert progress.board.tasks == []


def test_a_benchmark_stands_in_for_the_last_time(tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(progress, "RESULTS", tmp_path)
    folder = tmp_path / progress.LAB_ENVIRONMENT
    folder.mkdir()
    timing = {"what": "make step-1", "unit": "s", "samples": [300, 100, 200]}
    (folder / "bench.json").write_text(json.dumps({"timings": [timing, timing | {"what": "idle", "unit": "bytes"}]}))
    (folder / "damaged.json").write_text("{")
    monkeypatch.setattr(progress, "_recorded", progress._recorded.__wrapped__)
    seconds, source = progress.known("make step-1")
    assert seconds == 200 and source.endswith("bench.json")
    assert progress.expected("idle") is None
    progress.remember("make step-1", 50)
    assert progress.known("make step-1") == (50, "as the last time here")


def test_what_ends_a_block_ends_what_is_done_at_its_side():
    ended = []

    def work():
        try:
            progress.pause(60)
        except KeyboardInterrupt:
            ended.append(True)
            raise

    with pytest.raises(ZeroDivisionError), progress.aside(work):
        raise ZeroDivisionError
    assert ended and not progress.ending.is_set()
    with progress.aside(lambda: ended.append(False)):
        pass
    assert ended == [True, False]
