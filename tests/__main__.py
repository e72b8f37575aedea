"""Run the tests in phases, each timed: `fast` (no image), `ci` (what CI runs), `all` (everything)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from measure.steps import ROOT, all_steps

BIN = Path(sys.executable).parent


def shellcheck() -> str:
    """Where shellcheck is: in .venv, or, on a processor for which no wheel brings it, where the system has it."""
    if found := shutil.which("shellcheck", path=f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"):
        return found
    sys.exit("✗ shellcheck is not there.\n  No wheel brings it for this processor.\n  Next: apt-get install shellcheck")


def actionlint(*workflows: str) -> list[str]:
    """The command that checks GitHub Actions workflows, and with shellcheck what their steps run."""
    return [str(BIN / "actionlint"), "-shellcheck", shellcheck(), "-pyflakes=", *workflows]


def _lint() -> list[list[str]]:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    dockerfiles = [f for f in tracked if f.endswith("Dockerfile")]
    scripts = (".ci/run", "lab/bases/alpine/sbin/apk", "lab/bases/debian/usr/sbin/policy-rc.d")
    shell = [f for f in tracked if f.endswith(".sh") or f in scripts]
    naive = [f for f in dockerfiles if f.endswith("naive.Dockerfile")]
    return [
        [str(BIN / "ruff"), "check"],
        [str(BIN / "ruff"), "format", "--check"],
        [str(BIN / "hadolint"), *(f for f in dockerfiles if f not in naive)],
        # A naive Dockerfile leaves pip's cache in the image, and pins nothing: that is what it teaches.
        [str(BIN / "hadolint"), "--ignore=DL3042", "--ignore=DL3013", *naive],
        [shellcheck(), *shell],
        actionlint(*(f for f in tracked if f.startswith(".github/workflows/"))),
    ]


def _pytest(*arguments: str) -> list[list[str]]:
    return [[sys.executable, "-m", "pytest", "--durations=25", "--durations-min=5", *arguments]]


PHASES = {
    "lint": _lint,
    "unit": lambda: _pytest("tests/unit"),
    "lab": lambda: _pytest("tests/lab"),
    "images": lambda: _pytest("tests/images"),
    "site": lambda: _pytest("tests/docs/test_blocks.py", "tests/docs/test_site.py"),
    "docs": lambda: _pytest("tests/docs"),
}
#: Phases one after another; those in a tuple at the same time: the unit tests keep one processor busy, the lab's wait.
RUNS = {
    "fast": ("lint", "unit", "site"),
    "ci": ("lint", ("lab", "unit"), "images", "docs"),
    "all": ("lint", ("lab", "unit"), "images", "docs"),
}


class Phase:
    """A phase of a run, and what came of it: seconds, exit codes, and a line for each test that failed."""

    def __init__(self, name: str, run: str) -> None:
        self.name, self.environment = name, {**os.environ, "TESTS": run}
        self.seconds, self.codes, self.wrong = 0.0, [], []

    def lines(self) -> Iterator[str]:
        """Run the phase's commands, all of them; yields what they print."""
        begun = time.monotonic()
        yield f"== {self.name}\n"
        for command in PHASES[self.name]():
            pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
            with subprocess.Popen(command, cwd=ROOT, env=self.environment, **pipes) as process:
                for line in process.stdout:
                    if line.startswith(("FAILED ", "ERROR ")):
                        self.wrong.append(line.rstrip()[:500])
                    yield line
            self.codes.append(process.returncode)
        self.seconds = time.monotonic() - begun

    def __str__(self) -> str:
        return f"{self.name:8} {self.seconds:6.0f} s  {'failed' if any(self.codes) else 'ok'}"


def main() -> int:
    """Run the phases of a run; go on after a failure, so that one run shows every fault. Returns the exit code."""
    name = sys.argv[1] if len(sys.argv) > 1 else "fast"
    done: list[Phase] = []
    for group in RUNS[name]:
        first, *others = [Phase(one, name) for one in ([group] if isinstance(group, str) else group)]
        with ThreadPoolExecutor() as pool:
            beside = [pool.submit(lambda phase: list(phase.lines()), phase) for phase in others]
            for line in first.lines():
                print(line, end="", flush=True)
            for told in beside:
                print(*told.result(), sep="", end="", flush=True)
        done += [first, *others]
    wrong = [line for phase in done for line in phase.wrong]
    print(f"== {name}: {len(all_steps())} step(s)", *wrong, *done, sep="\n", flush=True)
    return 1 if any(code for phase in done for code in phase.codes) else 0


if __name__ == "__main__":
    sys.exit(main())
