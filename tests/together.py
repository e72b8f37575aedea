"""Two phases of tests at the same time: who has the machine, and who finds and leaves the engine as it was.

Phases of one run share a folder, which the runner names in an environment variable. Without that, a run is alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

#: The environment variable that names the folder which phases of one run share.
VARIABLE = "TESTS_TOGETHER"
#: A machine is quiet when its processors are busy for less than so many percent of a second.
QUIET = 20
#: Seconds that a test waits for a quiet machine at most: one that is busy with something else never is.
PATIENCE = 15


def hear_interrupts() -> None:
    """Be stopped by SIGINT. A shell ignores it for what runs in its background, and so would all that is started."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@functools.cache
def _own() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="tests-")


def folder() -> Path:
    """The folder that is shared; one of its own for whom nobody named one."""
    return Path(os.environ.get(VARIABLE) or _own().name)


@contextlib.contextmanager
def _locked(name: str, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    with (folder() / name).open("w") as file:
        fcntl.flock(file, how)
        yield


def _until_quiet() -> None:
    """Wait, for `PATIENCE` seconds at most, until an engine has put away what the tests before have left."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and psutil.cpu_percent(interval=0.5) >= QUIET:
        pass


#: What a test that is alone leaves locked for the next one, which is alone too.
_kept: list[contextlib.ExitStack] = []


def _locks(how: int) -> contextlib.ExitStack:
    """Wait for a turn. Who waits to be alone holds the gate meanwhile, so that it is not passed by again and again."""
    stack = contextlib.ExitStack()
    with _locked("gate"):
        stack.enter_context(_locked("turn", how))
    return stack


@contextlib.contextmanager
def turn(*, alone: bool, next_alone: bool = False) -> Iterator[None]:
    """While a test runs: beside those of other phases, or alone, as it asks how fast it is or changes what others need.

    One that is alone after another one that is does not wait for another phase again, whose tests may take minutes.
    """
    locks = _kept.pop() if _kept else _locks(fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
    try:
        if alone:
            _until_quiet()
        yield
    finally:
        if alone and next_alone:
            _kept.append(locks)
        else:
            locks.close()


@contextlib.contextmanager
def as_it_was(begin: Callable[[], Any], end: Callable[[Any], None]) -> Iterator[None]:
    """The first one who is here calls `begin`; the last one who goes calls `end` with what that returned (JSON)."""
    state = folder() / "here.json"

    def here() -> dict[str, Any]:
        return json.loads(state.read_text()) if state.exists() else {"count": 0, "before": begin()}

    def count(by: int) -> None:
        now = here()
        if now["count"] + by:
            state.write_text(json.dumps(now | {"count": now["count"] + by}))
        else:
            state.unlink()
            end(now["before"])

    with _locked("here"):
        count(1)
    try:
        yield
    finally:
        with _locked("here"):
            count(-1)
