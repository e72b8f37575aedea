"""Bring the lab up, take it down, say how it is, and clear up after anything that was killed."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from lab import host, processes, services, sources, tree
from lab.config import Lab
from measure.base import progress
from measure.base.errors import Problem, say
from measure.base.files import check_disk

NEEDED_TOOLS = ("apt-get", "dpkg-deb", "mount", "perl", "setpriv", "unshare")


def _is_debian() -> bool:
    try:
        return platform.freedesktop_os_release().get("ID") == "debian"
    except OSError:
        return False


def why_not_here() -> Problem | None:
    """The reason why this machine cannot run the lab, or None when it can."""
    if platform.system() != "Linux" or not _is_debian() or platform.machine() != "x86_64":
        name = platform.freedesktop_os_release().get("NAME", "") if Path("/etc/os-release").exists() else ""
        return Problem(
            "The lab runs on Debian for x86_64 only.",
            why=f"This is {name or platform.system()} on {platform.machine()}.",
            next="install Docker (docs.docker.com/engine/install), then run the same command again",
        )
    if os.geteuid() != 0:
        return Problem(
            "The lab needs root.",
            why="It mounts file systems, makes a network bridge and runs a Docker engine.",
            next="sudo make lab-up  # or install Docker and run the same command again",
        )
    missing = [tool for tool in NEEDED_TOOLS if shutil.which(tool) is None]
    if missing:
        return Problem(
            f"The lab needs {', '.join(missing)}.",
            why="Not on this machine's PATH.",
            next="apt-get install util-linux perl",
        )
    return None


def other_engine(lab: Lab) -> Problem | None:
    """What is to be said when another Docker engine runs on this machine; None when none does."""
    if others := processes.foreign_engines(lab):
        pids = ", ".join(str(p.pid) for p in others)
        return Problem(
            "Another Docker engine runs on this machine, so the lab does not start.",
            why=f"dockerd is process {pids}. Two engines would write the same firewall chains.",
            next="use that engine (ENGINE=host make step-1), or stop it first (systemctl stop docker)",
        )
    return None


@contextmanager
def locked(lab: Lab, seconds: float = 1800) -> Iterator[None]:
    """Hold the lab's lock, so that two `make` in two clones do not start or change the lab at the same time."""
    lab.home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(lab.home / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say("another process is busy with the lab; waiting for it")
        with progress.task("waiting for the lab", told=False, kept=False):
            try:
                lock.acquire(timeout=seconds, poll_interval=0.2, cancel_check=progress.ending.is_set)
            except Timeout:
                progress.pause(0)  # it was the run that ended
                why = f"Its lock {lock.lock_file} is held."
                raise Problem("The lab is still busy.", why=why, next="make lab-status") from None
    try:
        yield
    finally:
        lock.release()


def healthy(lab: Lab) -> bool:
    """Do all services of the lab run and answer? A service that runs but is busy is waited for."""
    if any(processes.find(lab, name) is None for name in services.SERVICES):
        return False
    return all(services.wait_for(lab, name) for name in services.SERVICES)


def _stop(lab: Lab) -> list[str]:
    """Stop services and leftovers, undo what was changed on the host. Returns what was found and done."""
    done = [f"{name} stopped" for name in services.SERVICES if processes.stop(lab, name)]
    remaining = processes.leftovers(lab)
    if remaining:
        names = sorted({p.name() for p in remaining if psutil.pid_exists(p.pid)})
        processes.kill(remaining)
        done.append(f"{len(remaining)} processes left behind ({', '.join(names)})")
    undone = host.undo(lab)
    if undone:
        done.append("on the host: " + ", ".join(undone))
    if lab.run.exists():
        shutil.rmtree(lab.run)
    return done


def clear_scratch(lab: Lab) -> list[str]:
    """Delete what a build left unfinished. Returns what that was, in words; nothing when there was nothing."""
    partial = [*lab.home.glob("*.partial"), *lab.sources.glob("*.partial"), *lab.work.glob("*")]
    for path in partial:
        if path.is_dir():
            tree.remove(path)
        else:
            path.unlink()
    return [f"unfinished files ({', '.join(sorted({p.name for p in partial}))})"] if partial else []


def up(lab: Lab) -> None:
    """Bring the lab up; does nothing when it is. Raises Problem when that cannot be done on this machine."""
    if problem := why_not_here() or other_engine(lab):
        raise problem
    with locked(lab), progress.task("bringing up the lab", told=False, kept=False):
        if healthy(lab):
            # Whoever builds a base holds the lock, so what lies in the scratch space now was left by something killed.
            for cleaned in clear_scratch(lab):
                say(f"the last build did not end well; cleaned: {cleaned}")
            return
        if cleaned := _stop(lab) + clear_scratch(lab):
            say(f"the last lab did not end well; cleaned: {'; '.join(cleaned)}")
        check_disk(lab.home)
        services.check_ports(lab)
        try:
            # The builder's own root file system, which every base begins with, is made beside the tree.
            if tree.ensure(lab, lambda mmdebstrap: sources.rootfs(lab, sources.BUILD_PLATFORM, mmdebstrap)):
                say(f"engine's tree made in {lab.tree}")
            host.prepare(lab)
            services.start(lab)
        except BaseException:
            _stop(lab)
            clear_scratch(lab)
            raise
        if lab.kit.exists():
            say(f"packages come from the offline kit's files in {lab.kit}, what they lack from the package index")
        elif reason := services.index_reachable(lab):
            say(
                f"warning: the package index is unreachable ({reason}); only what was installed before can be installed"
            )


def down(lab: Lab) -> list[str]:
    """Stop the lab and put the host back; what is expensive to make stays in the cache folder."""
    with locked(lab):
        return _stop(lab)


def clean(lab: Lab) -> list[str]:
    """Stop the lab and delete everything it ever wrote. Returns what was done."""
    if not lab.home.exists():
        return []
    with locked(lab):
        done = _stop(lab)
        for child in lab.home.iterdir():
            if child.is_dir():
                tree.remove(child)
            elif child.name != "lock":
                child.unlink()
        shutil.rmtree(lab.home)
    parent = lab.home.parent
    if not any(parent.iterdir()):
        parent.rmdir()
    return [*done, f"{lab.home} deleted"]


def size_bytes(path: Path) -> int:
    """Disk space that a folder takes, in bytes, as `du` counts it."""
    if not path.exists():
        return 0
    output = subprocess.run(["du", "-sxB1", str(path)], capture_output=True, text=True).stdout
    return int(output.split()[0])


#: The programs that count as a service's memory; what a build or a container runs does not.
SERVICE_PROGRAMS = {"dockerd", "containerd", "docker-registry", "nginx"}


def resident_bytes(lab: Lab) -> dict[str, int]:
    """Memory of each running service, children included, builds and containers not: proportional set size, in bytes."""
    memory = {}
    for name in services.SERVICES:
        process = processes.find(lab, name)
        if process is None:
            continue
        memory[name] = 0
        for member in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                if member.name() in SERVICE_PROGRAMS:
                    memory[name] += member.memory_full_info().pss
    return memory
