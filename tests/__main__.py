"""Run the tests in phases, each timed: `fast` (no image), `ci` (what CI runs), `all` (everything)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from measure.steps import ROOT, all_steps

BIN = Path(sys.executable).parent


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
        [str(BIN / "shellcheck"), *shell],
    ]


def _pytest(*arguments: str) -> list[list[str]]:
    return [[sys.executable, "-m", "pytest", *arguments]]


PHASES = {
    "lint": _lint,
    "unit": lambda: _pytest("tests/unit"),
    "lab": lambda: _pytest("tests/lab"),
    "images": lambda: _pytest("tests/images"),
    "site": lambda: _pytest("tests/docs/test_blocks.py", "tests/docs/test_site.py"),
    "docs": lambda: _pytest("tests/docs"),
}
RUNS = {
    "fast": ("lint", "unit", "site"),
    "ci": ("lint", "unit", "lab", "images", "docs"),
    "all": ("lint", "unit", "lab", "images", "docs"),
}


def main() -> int:
    """Run the phases of a run; go on after a failure, so that one run shows every fault. Returns the exit code."""
    name = sys.argv[1] if len(sys.argv) > 1 else "fast"
    failed = []
    summary = []
    for phase in RUNS[name]:
        print(f"== {phase}", flush=True)
        begun = time.monotonic()
        environment = {**os.environ, "TESTS": name}
        codes = [
            subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, env=environment).returncode
            for command in PHASES[phase]()
        ]
        summary.append(f"{phase:8} {time.monotonic() - begun:6.0f} s  {'failed' if any(codes) else 'ok'}")
        if any(codes):
            failed.append(phase)
    print(f"== {name}: {len(all_steps())} step(s)", *summary, sep="\n", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
