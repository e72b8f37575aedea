"""How long a new user waits for the first number: `make step-1` from nothing, of this commit and of an older one."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from measure.base.errors import Problem, say
from measure.base.files import ROOT
from measure.build import lab_engine
from measure.run.timing import quiet_load
from measure.studies.bench.bench import Bench, recorded, timing

#: What the two times are called; `make step-1` looks for them under these names to say how long it will take.
WHAT = "make step-1, from nothing"
NATIVE_ROWS = f"{WHAT}: native rows"
#: Parts of the older commit's time that this one may take: until the native image answers, and until the end.
NATIVE, WHOLE = 0.35, 0.6
#: What takes the time where the second goal is missed.
SLOW = (
    "CPython is compiled for each platform with the official image's switches, and four images install their packages "
    "under emulation; another processor for QEMU to emulate, fewer emulated builds at a time and root file systems "
    "made at the side each brought some of it"
)
#: Seconds after which a run is given up.
LIMIT = 3600
#: A line that says that the native image answered; older commits print it in the end alone.
ANSWERS = re.compile(r"^(The image for )?linux/amd64 answers")


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def _run(commit: str, folder: Path) -> tuple[float, float]:
    """Seconds of `make step-1` in a new clone with an empty cache, until the native answer, and until the end."""
    clone, log = folder / "clone", folder / "log"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    subprocess.run(["git", "checkout", "--quiet", commit], cwd=clone, check=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON_IMAGES_", "DOCKER_"))}
    environment = {**kept, "XDG_CACHE_HOME": str(folder / "cache"), "ENGINE": "lab", "PLATFORMS": ""}
    answered = 0.0
    begun = time.monotonic()
    try:
        with (
            log.open("w") as output,
            subprocess.Popen(
                ["timeout", "--signal=INT", str(LIMIT), "make", "step-1"], cwd=clone, env=environment, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            ) as process,
        ):  # fmt: skip
            for line in process.stdout:
                now = time.monotonic() - begun
                output.write(f"{now:7.1f} {line}")
                output.flush()
                if not answered and ANSWERS.match(line):
                    answered = now
                    say(f"{commit}: the native image answers after {now:.0f} s")
        seconds = time.monotonic() - begun
        if process.returncode or not answered:
            raise Problem(f"make step-1 of {commit} failed.", why="\n".join(log.read_text().splitlines()[-15:]))
        say(f"{commit}: all of it took {seconds:.0f} s")
        return round(answered, 1), round(seconds, 1)
    finally:
        subprocess.run(["make", "lab-down"], cwd=clone, env=environment, stdin=subprocess.DEVNULL, capture_output=True)


def compare(older: str) -> Bench:
    """Run `make step-1` from nothing at this commit and at an older one, one after the other; record and print it.

    Each has a clone and a cache of its own in a temporary folder. Takes about half an hour.
    Raises Problem when the lab is up, when there are changes that a clone would not have, or when a run fails.
    """
    if lab_engine.is_up():
        raise Problem("The lab is up.", why="Each run brings up a lab of its own.", next="make lab-down, then the same")
    if _git("status", "--porcelain", "--untracked-files=no"):
        raise Problem("There are changes that are not committed.", why="A clone does not have them.", next="git commit")
    load = round(quiet_load(), 2)
    names = [_git("rev-parse", "--short", commit) for commit in ("HEAD", older)]
    taken = []
    for commit in names:
        with tempfile.TemporaryDirectory(prefix="first-number-", dir="/var/tmp") as folder:
            taken.append(_run(commit, Path(folder)))
    (native, whole), (_, before) = taken
    return recorded(
        "first-number",
        [
            timing(f"{WHAT}, at {names[1]}", "s", [before], before),
            timing(WHAT, "s", [whole], round(WHOLE * before, 1), SLOW),
            timing(NATIVE_ROWS, "s", [native], round(NATIVE * before, 1)),
        ],
        load,
    )
