"""How long a new user waits, the lab, `make step-1` and `make all` take, and what memory the idle lab needs."""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.table import Table

from measure.base.dockerfiles import external_images
from measure.base.errors import Problem, say
from measure.base.files import RESULTS, ROOT, shown, write_whole
from measure.base.model import Strict
from measure.base.names import LAB_ENVIRONMENT
from measure.base.units import duration, megabytes
from measure.build import engine, lab_engine
from measure.build import images as build
from measure.build.choosing import choose
from measure.record.records import as_json
from measure.run import probe
from measure.run.timing import quiet_load
from measure.steps.compose import all_measured, find_step
from measure.tell.table import out

SAMPLES = 5
#: Of the whole ladder with nothing changed.
UNCHANGED = 3
#: What the time of a new user's `make step-1` is called; its forecast looks for it under this name.
FIRST = "make step-1, from nothing"
#: Seconds after which a new user's run is given up.
LIMIT = 3600
#: A line that says that the native image answered.
ANSWERS = re.compile(r"^(The image for )?linux/amd64 answers")


class Timing(Strict):
    """One thing that was timed: raw samples (seconds, or bytes for memory), and what was aimed at."""

    what: str
    unit: str
    samples: list[float]
    goal: float
    #: Why the goal was missed, in older records.
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


def timing(what: str, samples: list[float], goal: float, unit: str = "s") -> Timing:
    """What was timed, with its goal, both in this unit."""
    return Timing(what=what, unit=unit, samples=samples, goal=goal)


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
    chosen = choose()
    image = build.load_into_engine(chosen, step, variant, native)
    starts, stops = [], []
    for _ in range(SAMPLES):
        begun = time.monotonic()
        with probe.running(chosen, image, variant, native) as (container, url):
            probe.wait_for(url, 60)
            starts.append(round(time.monotonic() - begun, 3))
            stops.append(round(_seconds(lambda: chosen.docker.stop(container, time=60)), 3))
    return starts, stops


def run() -> None:
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

    what = f"lab from nothing, with {' and '.join(names)} for both platforms"
    timings = [timing(what, [_seconds(from_nothing)], 900)]
    lab_engine.down()
    starts = []
    for _ in range(SAMPLES):
        starts.append(_seconds(lab_engine.up))
        lab_engine.down()
    timings.append(timing("lab start, everything cached", starts, 5))
    lab_engine.up()
    time.sleep(10)
    idle = [float(lab_engine.resident_bytes())]
    timings.append(timing("engine, registry and index cache, idle", idle, 400e6, unit="bytes"))
    timings.append(timing("make step-1, bases there, nothing built", [_seconds(_step_1)], 600))
    timings.append(timing("make step-1, nothing changed", [_seconds(_step_1) for _ in range(SAMPLES)], 10))
    started, stopped = _start_and_stop()
    timings.append(timing("step 1, recommended: docker run to first answer", started, 2))
    timings.append(timing("step 1, recommended: SIGTERM to end", stopped, 1))
    recorded("bench", timings, load)


def run_ladder() -> None:
    """Time `make all` with the bases there and nothing built, and again with nothing changed; record and print it.

    Takes an hour or two. What earlier runs built is deleted from the builder's cache, the engine and the exports.
    """
    os.environ["ENGINE"] = "lab"
    lab_engine.up()
    chosen = choose()
    variants = [variant for step in all_measured() for variant in step.variants]
    lab_engine.provide(sorted({image for variant in variants for image in external_images(variant.dockerfile)}))
    say("deleting what was built before")
    _measure("clean")
    chosen.docker.buildx.prune(all=True)
    load = round(quiet_load(), 2)
    cold = [_seconds(lambda: _measure("all"))]
    unchanged = [_seconds(lambda: _measure("all")) for _ in range(UNCHANGED)]
    timings = [
        timing("make all, both platforms, bases there, nothing built", cold, 1800),
        timing("make all, both platforms, nothing changed", unchanged, 60),
    ]
    recorded("ladder", timings, load)


def run_first_number() -> None:
    """Time `make step-1` from nothing, in a new clone with an empty cache; record and print it. Takes ten minutes.

    Raises Problem when the lab is up, when there are changes that a clone would not have, or when the run fails.
    """
    if lab_engine.is_up():
        raise Problem(
            "The lab is up.", why="The clone brings up a lab of its own.", next="make lab-down, then the same"
        )
    changes = ["git", "status", "--porcelain", "--untracked-files=no"]
    if subprocess.run(changes, cwd=ROOT, capture_output=True, text=True, check=True).stdout:
        raise Problem("There are changes that are not committed.", why="A clone does not have them.", next="git commit")
    load = round(quiet_load(), 2)
    with tempfile.TemporaryDirectory(prefix="first-number-", dir="/var/tmp", ignore_cleanup_errors=True) as folder:
        native, whole = _in_new_clone(Path(folder))
    recorded("first-number", [timing(FIRST, [whole], 640), timing(f"{FIRST}: native rows", [native], 373)], load)


def _in_new_clone(folder: Path) -> tuple[float, float]:
    """Seconds of `make step-1` in a new clone with an empty cache: until the native image answers, and until the end.

    Raises Problem when it fails, or takes longer than `LIMIT`.
    """
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON_IMAGES_", "DOCKER_"))}
    environment = {**kept, "XDG_CACHE_HOME": str(folder / "cache"), "ENGINE": "lab", "PLATFORMS": ""}
    command = ["timeout", "--signal=INT", str(LIMIT), "make", "step-1"]
    answered, printed, begun = 0.0, [], time.monotonic()
    try:
        with subprocess.Popen(
            command, cwd=clone, env=environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            for line in process.stdout:
                printed.append(line.rstrip())
                if not answered and ANSWERS.match(line):
                    answered = round(time.monotonic() - begun, 1)
                    say(f"the native image answers after {answered:.0f} s")
        seconds = round(time.monotonic() - begun, 1)
        if process.returncode or not answered:
            raise Problem("make step-1 failed.", why="\n".join(printed[-15:]), next="make step-1")
        return answered, seconds
    finally:
        subprocess.run(["make", "lab-down"], cwd=clone, env=environment, stdin=subprocess.DEVNULL, capture_output=True)


def recorded(name: str, timings: list[Timing], load: float) -> None:
    """Write the timings to results/, with the machine that they were taken on, and print them against their goals."""
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
    write_whole(path, as_json(bench))
    table = Table("what", "median", "goal", "met", title=f"{bench.cpu}, {bench.cores} cores, load {bench.load_before}")
    for one in timings:
        cells = ((megabytes if one.unit == "bytes" else duration)(value) for value in (one.median, one.goal))
        table.add_row(one.what, *cells, "yes" if one.median <= one.goal else "no")
    out.print(table)
    out.print(f"Record: {shown(path)}")
