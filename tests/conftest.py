"""What the tests of several phases share."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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


def fresh_clone(folder: Path) -> Path:
    """Clone the repository into a new folder, uncommitted changes and new files included."""
    run("git", "clone", "--quiet", ROOT, folder).check_returncode()
    changed = run("git", "diff", "--name-only", "--diff-filter=d", "HEAD").stdout.split()
    for name in changed + run("git", "ls-files", "--others", "--exclude-standard").stdout.split():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


@contextlib.contextmanager
def changed(path: Path, old: str, new: str) -> Iterator[None]:
    """A file with `old`, which it must contain, replaced by `new`, for a while."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    try:
        yield
    finally:
        path.write_text(text)
