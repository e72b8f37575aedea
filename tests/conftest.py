"""What the tests of several phases share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from measure.steps import ROOT


def run(*command: str | Path, cwd: Path = ROOT, seconds: int = 600, **options) -> subprocess.CompletedProcess[str]:
    """Run a command without input, with a bound on its time, and return what it printed."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        **options,
    )


def python_m(module: str, *arguments: str, **options) -> subprocess.CompletedProcess[str]:
    """Run `python -m MODULE ARGUMENT…` as the Makefile does."""
    return run(sys.executable, "-m", module, *arguments, **options)


@pytest.fixture
def fresh_clone(tmp_path: Path) -> Path:
    """A clone of the repository as git has it, uncommitted changes to tracked files included."""
    clone = tmp_path / "clone"
    run("git", "clone", "--quiet", ROOT, clone).check_returncode()
    for name in run("git", "diff", "--name-only", "HEAD").stdout.split():
        if (ROOT / name).exists():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            (clone / name).write_bytes((ROOT / name).read_bytes())
    return clone
