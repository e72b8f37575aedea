"""How long the lab, `make step-1` and `make all` take, and what memory the idle lab needs; recorded in results/."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import psutil
from rich.console import Console
from rich.table import Table

from measure.base.dockerfiles import external_images
from measure.base.errors import Problem, say
from measure.base.files import RESULTS, ROOT, write_whole
from measure.base.model import Strict
from measure.base.names import LAB_ENVIRONMENT
from measure.build import choosing, engine, lab_engine
from measure.build import images as build
from measure.run import probe
from measure.run.timing import quiet_load
from measure.steps.compose import all_measured, find_step

SAMPLES = 5
#: Of the whole ladder with nothing changed.
UNCHANGED = 3
#: The reason for a missed goal that nobody has looked into: a cause is never made up.
UNKNOWN = "not looked into yet"


class Timing(Strict):
    """One thing that was timed: raw samples (seconds, or bytes for memory), and what was aimed at."""

    what: str
    unit: str
    samples: list[float]
    #: None for what others are held against.
    goal: float | None = None
    #: Why the goal was missed; None where it was met.
    reason: str | None = None

    @property
    def median(self) -> float:
        """Median of the samples."""
        return statistics.median(self.samples)


class Bench(Strict):
    """All timings of one sitting, with the machine they were taken on."""

    schema_version: int = 1
    cpu: str
    cores: int
    memory_bytes: int
    system: str
    #: The one-minute load average before the sitting: a busy machine spoils timings.
    load_before: float
    timings: list[Timing]
    #: UTC
    measured_at: datetime


def _seconds(action: Callable[[], object]) -> float:
    begun = time.monotonic()
    action()
    return round(time.monotonic() - begun, 2)


def timing(what: str, unit: str, samples: list[float], goal: float | None = None, if_missed: str = UNKNOWN) -> Timing:
    """What was timed, in `unit`, with its goal; `if_missed` is the reason to give where the median is above that."""
    missed = goal is not None and statistics.median(samples) > goal
    return Timing(what=what, unit=unit, samples=samples, goal=goal, reason=if_missed if missed else None)


def _measure(*words: str) -> None:
    """Run `python -m measure` in the lab, and show what it prints. Raises Problem when it fails."""
    command = [sys.executable, "-m", "measure", *words]
    if subprocess.run(command, cwd=ROOT, env={**os.environ, "ENGINE": "lab"}).returncode:
        raise Problem(f"make {words[-1]} failed.", why="What it printed is above.", next=f"make {words[-1]}")


def _step_1() -> None:
    _measure("step", "step-1")


def _start_and_stop() -> tuple[list[float], list[float]]:
    """Seconds from `docker run` to the first answer, and from SIGTERM to the end, of step 1's recommended image."""
    step = find_step("step-1")
    variant, native = step.recommended, engine.native_platform()
    chosen = choosing.choose()
    image = build.load_into_engine(chosen, step, variant, native)
    starts, stops = [], []
    for _ in range(SAMPLES):
        begun = time.monotonic()
        with probe.running(chosen, image, variant, native) as (container, url):
            probe.wait_for(url, 60)
            starts.append(round(time.monotonic() - begun, 3))
            stops.append(round(_seconds(lambda: chosen.docker.stop(container, time=60)), 3))
    return starts, stops


def run() -> Bench:
    """Take all timings, from an empty cache on, record and print them. Takes about twenty minutes."""
    os.environ["ENGINE"] = "lab"
    step = find_step("step-1")
    names = sorted({image for variant in step.variants for image in external_images(variant.dockerfile)})
    say("deleting the lab's cache and building it anew")
    _measure("clean")  # what was exported and remembered lies beside the lab's folder
    lab_engine.clean()
    load = round(quiet_load(), 2)

    def from_nothing() -> None:
        lab_engine.up()
        lab_engine.provide(names)

    timings = [
        timing(
            f"lab from nothing, with {' and '.join(names)} for both platforms", "s", [_seconds(from_nothing)], 900,
            "CPython is compiled for each platform with the official image's switches, the just-in-time compiler "
            "included; that keeps two cores busy",
        )
    ]  # fmt: skip
    lab_engine.down()
    starts = []
    for _ in range(SAMPLES):
        starts.append(_seconds(lab_engine.up))
        lab_engine.down()
    timings.append(timing("lab start, everything cached", "s", starts, 5))
    lab_engine.up()
    time.sleep(10)
    idle = [float(lab_engine.resident_bytes())]
    timings.append(timing("engine, registry and index cache, idle", "bytes", idle, 400e6))
    cold = [_seconds(_step_1)]
    timings.append(timing("make step-1, bases there, nothing built", "s", cold, 600))
    unchanged = [_seconds(_step_1) for _ in range(SAMPLES)]
    timings.append(timing("make step-1, nothing changed", "s", unchanged, 10))
    started, stopped = _start_and_stop()
    timings.append(timing("step 1, recommended: docker run to first answer", "s", started, 2))
    timings.append(timing("step 1, recommended: SIGTERM to end", "s", stopped, 1))
    return recorded("bench", timings, load)


def run_ladder() -> Bench:
    """Time `make all` with the bases there and nothing built, and again with nothing changed; record and print it.

    Takes an hour or two. What earlier runs built is deleted from the builder's cache, the engine and the exports.
    """
    os.environ["ENGINE"] = "lab"
    lab_engine.up()
    chosen = choosing.choose()
    variants = [variant for step in all_measured() for variant in step.variants]
    lab_engine.provide(sorted({image for variant in variants for image in external_images(variant.dockerfile)}))
    say("deleting what was built before")
    _measure("clean")
    chosen.docker.buildx.prune(all=True)
    load = round(quiet_load(), 2)
    cold = [_seconds(lambda: _measure("all"))]
    unchanged = [_seconds(lambda: _measure("all")) for _ in range(UNCHANGED)]
    return recorded("ladder", ladder_timings(cold, unchanged), load)


def ladder_timings(cold: list[float], unchanged: list[float]) -> list[Timing]:
    """The samples of `make all` (seconds), with what was aimed at, and why it was missed."""
    slow = (
        "most of it is emulation for arm64: pip, and compilers that are installed and run there; in the end of a step "
        "one such build often has a core to itself, and the other has nothing to do; extra-other-languages, "
        "extra-second-platform and extra-shipping are newer than the goal"
    )
    again = "each of more than a hundred builds is looked up in the builder's cache, exported and weighed"
    return [
        timing("make all, both platforms, bases there, nothing built", "s", cold, 1800, slow),
        timing("make all, both platforms, nothing changed", "s", unchanged, 44, again),
    ]


def recorded(name: str, timings: list[Timing], load: float) -> Bench:
    """The timings with the machine that they were taken on, written to results/ and printed."""
    bench = Bench(
        cpu=engine.cpu(),
        cores=os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        system=platform.freedesktop_os_release().get("PRETTY_NAME", ""),
        load_before=load,
        timings=timings,
        measured_at=datetime.now(UTC).replace(microsecond=0),
    )
    path = RESULTS / LAB_ENVIRONMENT / f"{name}.json"
    write_whole(path, bench.model_dump_json(indent=2, exclude_none=True) + "\n")
    show(bench)
    Console().print(f"Recorded in {path.relative_to(ROOT)}")
    return bench


def show(bench: Bench) -> None:
    """Print the timings against their goals, with the reason for each one missed."""
    table = Table("what", "median", "goal", "met", title=f"{bench.cpu}, {bench.cores} cores, load {bench.load_before}")
    for timing in bench.timings:
        median, goal = (
            "-" if v is None else f"{v / 1e6:.0f} MB" if timing.unit == "bytes" else f"{v:.1f} s"
            for v in (timing.median, timing.goal)
        )  # fmt: skip
        table.add_row(
            timing.what, median, goal, f"no: {timing.reason}" if timing.reason else "yes" if timing.goal else ""
        )
    Console(highlight=False).print(table)
