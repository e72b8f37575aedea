"""What takes long is told while it runs: a live view on a terminal; elsewhere lines, and never 30 seconds without one.

    with progress.task("Fetching CPython's source") as task:   # told when it begins, and when it is done
        task.step = "step 3 of 7"                               # shown beside it, with the seconds so far
        task.doing = "RUN make"                                 # shown last, and cut where there is no room

    progress.expected("Fetching CPython's source")              # seconds, from the last time or a record; None: unknown
    progress.pause(60)                                          # a sleep that ends at once when the run is to end

Tasks may run within each other and in several threads. How long a task took that came to its end is kept in the user's
cache folder under its name, so that the next one of that name can say how much is left, roughly. A task's name is what
people read: `python:3.14 · linux/amd64`. What runs a command and keeps its output uses `lab.tree.run_logged`, which
tells by itself what a builder writes into a log (measure.base.buildlog): each image begun, its steps, and its end.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from filelock import FileLock
from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table

from measure.base.errors import Problem, console
from measure.base.files import RESULTS, cache_folder, read_json, shown, write_whole
from measure.base.names import LAB_ENVIRONMENT
from measure.base.units import duration

#: Seconds without a line after which one says what is going on. It is looked for each second, and a busy machine may be
#: late with that: 30 are never reached.
BEAT = 20.0
#: Shorter durations are not worth an estimate, in seconds.
SHORT = 10.0
#: Set when the run is to end: nothing is waited for any more, in no thread.
ending = threading.Event()


def pause(seconds: float) -> None:
    """Sleep, unless the run is to end: then raises KeyboardInterrupt, which Ctrl-C gives to the main thread alone."""
    if ending.wait(seconds):
        raise KeyboardInterrupt


@contextmanager
def aside(work: Callable[[], object]) -> Iterator[Future[object]]:
    """Do something else at the side, and wait for it in the end. What ends the block ends that too."""
    with ThreadPoolExecutor(1) as side:
        future = side.submit(work)
        try:
            yield future
        except BaseException:
            already = ending.is_set()
            ending.set()
            wait([future])
            if not already:
                ending.clear()
            raise


@dataclass(eq=False)
class Task:
    """Something that takes a while: what it is called, and where it is."""

    name: str
    begun: float
    #: Seconds that it took the last time.
    expected_s: float | None = None
    #: Is a line said when it begins, and when it is done?
    told: bool = True
    #: Is how long it took kept for the next time?
    kept: bool = True
    step: str = ""
    doing: str = ""

    def at(self, line: str) -> None:
        """Take over where a builder is from one of its own lines, like `[linux/arm64 2/5] RUN make`."""
        match = re.match(r"\[(?:[^\]]* )?(\d+)/(\d+)\] (.*)", line)
        self.step, self.doing = (f"step {match[1]} of {match[2]}", match[3]) if match else ("", line)

    def so_far(self, now: float) -> str:
        """Step, time so far, and the rough rest."""
        seconds = now - self.begun
        rest = left(seconds, self.expected_s)
        return ", ".join(filter(None, (self.step, duration(round(seconds)) if seconds >= 1 else "", rest)))


def roughly(seconds: float) -> str:
    """A duration that is not known better than to the minute."""
    return f"about {seconds / 60:.0f} min" if seconds >= 60 else "less than a minute"


def left(seconds: float, expected_s: float | None) -> str:
    """The rest of what has run for `seconds`, roughly; '' where nothing is known of it."""
    if expected_s is None:
        return ""
    return f"{roughly(expected_s - seconds)} left" if seconds < expected_s else "longer than the last time"


@dataclass
class Board:
    """All that runs now, and who is told."""

    console: Console = console
    clock: Callable[[], float] = time.monotonic
    tasks: list[Task] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _live: Live | None = None
    _ended: threading.Event = field(default_factory=threading.Event)
    _said_at: float = 0.0
    _spinner: Spinner = field(default_factory=lambda: Spinner("dots"))

    def begin(self, name: str, *, expected_s: float | None = None, told: bool = True, kept: bool = True) -> Task:
        """A task begins."""
        expected_s = expected(name) if expected_s is None else expected_s
        task = Task(name, self.clock(), expected_s, told, kept)
        with self._lock:
            self.tasks.append(task)
            if len(self.tasks) == 1:
                self._start()
            if told and not self._live:
                self.say(f"{name} …" + (f" ({roughly(expected_s)})" if expected_s and expected_s >= SHORT else ""))
        return task

    def end(self, task: Task, *, whole: bool = True) -> float:
        """A task is over; `whole` says that it reached its end. Returns its seconds."""
        seconds = self.clock() - task.begun
        with self._lock:
            self.tasks.remove(task)
            if not self.tasks:
                self._stop()
            if whole and task.told:
                self.say(f"{task.name}: done, in {duration(seconds)}")
        if whole and task.kept:
            remember(task.name, seconds)
        return seconds

    def say(self, line: str) -> None:
        """Say a line, and know when."""
        self._said_at = self.clock()
        self.console.print(f"[dim]·[/] {escape(line)}", soft_wrap=True)

    def beat(self) -> None:
        """Say what is going on, where nothing was said for `BEAT` seconds."""
        now = self.clock()
        if (tasks := [*self.tasks]) and now - self._said_at >= BEAT:
            lines = (f"{task.name}: {task.so_far(now) or task.doing or 'begins'}" for task in tasks)
            self.say(" | ".join(lines))

    def _start(self) -> None:
        self._said_at = self.clock()
        if self.console.is_terminal and not self.console.is_dumb_terminal:
            # What is printed on standard output goes above the live view where both are on one terminal.
            to_it = {"redirect_stdout": sys.stdout.isatty(), "redirect_stderr": False}
            self._live = Live(get_renderable=self._view, console=self.console, transient=True, **to_it)
            self._live.start()
        else:
            self._ended = threading.Event()
            threading.Thread(target=self._beat_until, args=(self._ended,), daemon=True).start()

    def _stop(self) -> None:
        self._ended.set()
        if self._live:
            self._live.stop()
            self._live = None

    def _beat_until(self, ended: threading.Event) -> None:
        while not ended.wait(1):
            self.beat()

    def _view(self) -> RenderableType:
        """The live view: a line for each task, as many as there is room for."""
        view = Table.grid(padding=(0, 1))
        view.add_column()
        view.add_column(no_wrap=True)
        view.add_column(no_wrap=True)
        view.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        now = self.clock()
        for task in self.tasks[: max(1, self.console.height - 2)]:
            view.add_row(self._spinner, escape(task.name), task.so_far(now), f"[dim]{escape(task.doing)}[/]")
        return view


board = Board()


@contextmanager
def task(name: str, *, told: bool = True, kept: bool = True) -> Iterator[Task]:
    """Something that takes a while, from its begin to its end. An exception ends it untold: what failed is told then.

    `told`: a line says that it begins, another that it is done. `kept`: how many seconds it took is kept.
    """
    running = board.begin(name, told=told, kept=kept)
    try:
        yield running
    except BaseException:
        board.end(running, whole=False)
        raise
    board.end(running)


def _durations() -> dict[str, float]:
    try:
        return read_json(cache_folder() / "durations.json")
    except Problem:  # what needs the folder says so; an estimate does not
        return {}


def remember(name: str, seconds: float) -> None:
    """Keep how long something took, for the next time; nothing where it was short, or where it cannot be kept."""
    if seconds < SHORT and name not in _durations():
        return
    try:
        with FileLock(cache_folder() / "durations.lock", timeout=10):
            write_whole(
                cache_folder() / "durations.json", json.dumps(_durations() | {name: round(seconds, 1)}, indent=1)
            )
    except (OSError, Problem):  # a full disk, or a lock that is held for long: there is no estimate then
        return


@cache
def _recorded() -> dict[str, tuple[float, str]]:
    """What benchmarks have recorded: the median in seconds of what was timed, by its name, and which file has it."""
    found = {}
    for path in sorted((RESULTS / LAB_ENVIRONMENT).glob("*.json")):
        try:
            content = json.loads(path.read_text())
        except (OSError, ValueError):  # `make check` says so
            continue
        for timing in content.get("timings", []) if isinstance(content, dict) else []:
            if timing.get("unit") == "s" and timing.get("samples"):
                samples = sorted(timing["samples"])
                found[timing["what"]] = samples[len(samples) // 2], f"by {shown(path)}"
    return found


def known(name: str) -> tuple[float | None, str]:
    """Seconds that something takes, None where nobody knows, and where they are from: the last time, or a benchmark."""
    here = _durations().get(name)
    return (here, "as the last time here") if here else _recorded().get(name, (None, ""))


def expected(name: str) -> float | None:
    """Seconds that something takes, as far as they are known."""
    return known(name)[0]
