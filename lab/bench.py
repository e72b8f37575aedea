"""How long the lab and `make step-1` take, and how much memory the idle lab needs; recorded in results/."""

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
from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from lab import bases, lifecycle
from lab.config import Lab
from measure.dockerfiles import external_images
from measure.errors import Problem, say
from measure.files import write_whole
from measure.records import RESULTS
from measure.steps import ROOT, find_step


class Timing(BaseModel):
    """One thing that was timed: raw samples in seconds (or bytes for memory), their median, and what was aimed at."""

    model_config = ConfigDict(extra="forbid")

    what: str
    unit: str
    samples: list[float]
    goal: float
    #: Why the goal was missed, where it was.
    reason: str = ""

    @property
    def median(self) -> float:
        """Median of the samples."""
        return statistics.median(self.samples)


class Bench(BaseModel):
    """All timings of one sitting, with the machine they were taken on."""

    model_config = ConfigDict(extra="forbid")

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


def _cpu() -> str:
    for line in open("/proc/cpuinfo"):  # noqa: PTH123, SIM115 - closed by the interpreter; a kernel file
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def _step_1() -> None:
    command = [sys.executable, "-m", "measure", "step", "step-1"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "ENGINE": "lab"})
    if result.returncode:
        raise Problem("make step-1 failed.", why=result.stderr[-2000:], next="make step-1")


def run(lab: Lab) -> Bench:
    """Take all timings, from an empty cache on, record and print them. Takes about twenty minutes."""
    load = round(psutil.getloadavg()[0], 2)
    step = find_step("step-1")
    names = sorted({image for variant in step.variants for image in external_images(variant.dockerfile)})
    say(f"deleting the lab's cache in {lab.home} and building it anew")
    lifecycle.clean(lab)

    def from_nothing() -> None:
        lifecycle.up(lab)
        bases.provide(lab, names)

    what = f"lab from nothing, with {', '.join(names)}"
    timings = [Timing(what=what, unit="s", samples=[_seconds(from_nothing)], goal=900)]
    lifecycle.down(lab)
    starts = []
    for _ in range(5):
        starts.append(_seconds(lambda: lifecycle.up(lab)))
        lifecycle.down(lab)
    timings.append(Timing(what="lab start, cached", unit="s", samples=starts, goal=5))
    lifecycle.up(lab)
    time.sleep(10)
    idle = [float(sum(lifecycle.resident_bytes(lab).values()))]
    timings.append(Timing(what="engine, registry and index cache, idle", unit="bytes", samples=idle, goal=400e6))
    _step_1()
    unchanged = [_seconds(_step_1) for _ in range(5)]
    timings.append(Timing(what="make step-1, nothing changed", unit="s", samples=unchanged, goal=10))
    bench = Bench(
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        system=platform.freedesktop_os_release().get("PRETTY_NAME", ""),
        load_before=load,
        timings=timings,
        measured_at=datetime.now(UTC).replace(microsecond=0),
    )
    path = RESULTS / "lab-amd64" / "bench.json"
    write_whole(path, bench.model_dump_json(indent=2) + "\n")
    show(bench)
    Console().print(f"Recorded in {path.relative_to(ROOT)}")
    return bench


def show(bench: Bench) -> None:
    """Print the timings against their goals."""
    table = Table("what", "median", "goal", "met", title=f"{bench.cpu}, {bench.cores} cores, load {bench.load_before}")
    for timing in bench.timings:
        shown = (f"{v / 1e6:.0f} MB" if timing.unit == "bytes" else f"{v:.1f} s" for v in (timing.median, timing.goal))
        table.add_row(timing.what, *shown, "yes" if timing.median <= timing.goal else "no")
    Console(highlight=False).print(table)
