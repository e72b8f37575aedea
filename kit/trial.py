"""A kit, tried as in a room without a network: installed on a bare Debian, and with Docker, and exercises solved.

`python -m kit.trial ARCHIVE FOLDER CHAPTERS` runs where `apart` puts it; it writes FOLDER/found.json.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from lab import processes, services
from lab.config import HOME_VARIABLE, PORT_VARIABLE, Lab
from measure.base.errors import Problem, say
from measure.base.files import ROOT
from measure.exercises.model import exercises

HERE = Path(__file__).parent
#: Seconds that a trial may take.
BOUND_S = 3000
#: What a machine of its own does not have of this one's environment.
LEFT_OUT = re.compile(
    rf"(?i)(docker|pip|buildx|xdg|python|virtual|bench|engine|.*_proxy)|{HOME_VARIABLE}|{PORT_VARIABLE}"
)
#: Copies an exercise's solution to where the reader's own copy is.
SOLVE = """
import sys
from measure.exercises import model, progress
one = model.find(int(sys.argv[1]))
progress.fill(one, progress.YOURS / one.name, solved=True)
"""


def apart(archive: Path, chapters: str, *, docker: bool = False) -> dict[str, float]:
    """Try a kit with the network cut; returns what was found. What it was tried in is gone then.

    Seconds of `unpacked`, `installed`, and of the exercises of these `chapters`, by name. With `docker`, the same once
    more for an engine that somebody has: `docker installed`, and `docker NAME`. Raises Problem with the last lines.
    """
    folder = Path(tempfile.mkdtemp(prefix="kit-", dir="/var/tmp"))
    alone = [
        "unshare",
        "--net",
        "--mount",
        "--propagation",
        "private",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ]
    command = [*alone, "bash", str(HERE / "apart.sh"), sys.executable, "-m", "kit.trial", str(archive), str(folder)]
    environment = {name: value for name, value in os.environ.items() if not LEFT_OUT.match(name)}
    own = {"HOME": str(folder / "home"), "XDG_CACHE_HOME": str(folder / "cache")}
    try:
        (folder / "home").mkdir()
        words = [*command, chapters, *(["docker"] if docker else [])]
        if subprocess.run(words, cwd=ROOT, env=environment | own, stdin=subprocess.DEVNULL, timeout=BOUND_S).returncode:
            raise Problem("The kit does not work without a network.", why="What it printed is above.")
        return json.loads((folder / "found.json").read_text())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _timed(found: dict[str, float], name: str, action: Callable[[], object]) -> None:
    begun = time.monotonic()
    action()
    found[name] = round(time.monotonic() - begun, 2)
    say(f"{name}: {found[name]} s")


def _run(*command: object, cwd: Path, expected: str = "", **environment: str) -> str:
    """Run a command, and show what it printed. Raises Problem when it fails, or does not print what is expected."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=cwd, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=900,
    )  # fmt: skip
    print(done.stdout, flush=True)
    if done.returncode or expected not in done.stdout:
        raise Problem(f"{' '.join(words)} did not do it.", why=f"It was to say: {expected}" if expected else "")
    return done.stdout


def _exercises(found: dict[str, float], clone: Path, chapters: list[int], kind: str = "", **environment: str) -> None:
    """Each exercise of these chapters, solved; one that does not hold has no seconds, and the next one is tried."""
    for one in exercises():
        if one.check.chapter in chapters:
            _run(clone / ".venv/bin/python", "-c", SOLVE, one.number, cwd=clone)
            words = ["make", f"exercise-{one.number}"]
            with suppress(Problem):  # it is printed, and missed in the end
                solved = partial(_run, *words, cwd=clone, expected="All goals hold.", **environment)
                _timed(found, kind + one.name, solved)


def _docker(found: dict[str, float], folder: Path, kit: Path, chapters: list[int]) -> None:
    """The same on the lab's engine alone, emptied, as if somebody had it: nothing else of the lab is there."""
    lab = Lab.from_environment()
    for service in (services.REGISTRY, services.INDEX):
        processes.stop(lab, service)
    plugins = json.loads((lab.client_config / "config.json").read_text())["cliPluginsExtraDirs"]
    (folder / "docker").mkdir()
    (folder / "docker/config.json").write_text(json.dumps({"cliPluginsExtraDirs": plugins}))
    environment = {
        "DOCKER_HOST": f"unix://{lab.socket}",
        "DOCKER_CONFIG": str(folder / "docker"),
        "PATH": f"{lab.docker.parent}:{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(folder / "other"),
    }
    for words in (("system", "prune", "--all", "--force", "--volumes"), ("builder", "prune", "--all", "--force")):
        _run("docker", *words, cwd=folder, **environment)
    second = folder / "second"
    _timed(found, "docker installed", lambda: _run(kit / "install", second, cwd=kit, expected="Ready", **environment))
    _exercises(found, second, chapters, "docker ", **environment)
    _run(kit / "install", "--remove", cwd=kit, **environment)
    if json.loads((folder / "docker/config.json").read_text()) != {"cliPluginsExtraDirs": plugins}:
        raise Problem("The kit left something in Docker's configuration.")


def main() -> None:
    """In the namespaces that `apart` makes."""
    from kit.wanted import numbers

    archive, folder, chapters = Path(sys.argv[1]), Path(sys.argv[2]), numbers(sys.argv[3])
    found: dict[str, float] = {}
    with tarfile.open(archive) as tar:
        kit = folder / tar.next().name.partition("/")[0]
    clone = folder / "python-images-measured"
    _timed(found, "unpacked", lambda: _run("tar", "-xf", archive, cwd=folder))
    try:
        _timed(found, "installed", lambda: _run(kit / "install", cwd=kit, expected="Ready"))
        _exercises(found, clone, chapters)
        if sys.argv[4:]:
            _docker(found, folder, kit, chapters)
    finally:
        _run(clone / ".venv/bin/python", "-m", "lab", "clean", cwd=clone)
    kinds = ["", "docker "][: len(sys.argv) - 3]
    names = [kind + one.name for kind in kinds for one in exercises() if one.check.chapter in chapters]
    if failed := [name for name in names if name not in found]:
        raise Problem(f"Not solved with the network cut: {', '.join(failed)}")
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
