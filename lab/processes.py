"""The lab's long-running processes: started, known again, stopped; and those that outlived a killed engine."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import psutil

from lab.config import HERE, Lab

#: Names of the programs that ask an engine for a build, as the kernel has them (15 letters at most).
CLIENTS = {"docker", "docker-buildx", "docker-compose"}


def inside(lab: Lab, *command: str) -> list[str]:
    """The command line that runs `command` with the engine's tree as its root, in a mount namespace of its own."""
    enter = [str(HERE / "enter.sh"), str(lab.tree), str(lab.home)]
    return ["unshare", "--mount", "--propagation", "private", "bash", *enter, *command]


def bounded(command: list[str]) -> list[str]:
    """The command line that dies, children and all, with this process: a killed `lab up` leaves nothing running."""
    return ["setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child=KILL", *command]


def _record(lab: Lab, name: str) -> Path:
    return lab.run / f"{name}.json"


def start(lab: Lab, name: str, command: list[str]) -> psutil.Process:
    """Start a service of the lab in the background and remember which process it is. Its output goes to a log."""
    lab.run.mkdir(parents=True, exist_ok=True)
    lab.logs.mkdir(parents=True, exist_ok=True)
    with (lab.logs / f"{name}.log").open("ab") as log:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
        )
    process = psutil.Process(child.pid)
    _record(lab, name).write_text(json.dumps({"pid": child.pid, "started": process.create_time()}))
    return process


def find(lab: Lab, name: str) -> psutil.Process | None:
    """The running process of a service, or None. A reused process id is not mistaken for it."""
    try:
        record = json.loads(_record(lab, name).read_text())
        process = psutil.Process(record["pid"])
        same = abs(process.create_time() - record["started"]) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, KeyError, psutil.NoSuchProcess):
        return None
    return process if same else None


def stop(lab: Lab, name: str, seconds: float = 40) -> bool:
    """Stop a service: SIGTERM, and SIGKILL after `seconds`. True if it ran."""
    process = find(lab, name)
    if process:
        end(process, seconds)
    _record(lab, name).unlink(missing_ok=True)
    return process is not None


def end(process: psutil.Process | subprocess.Popen, seconds: float) -> None:
    """Stop a process: SIGTERM, and SIGKILL after `seconds`; waits for its end."""
    process.terminate()
    try:
        process.wait(seconds)
    except (psutil.TimeoutExpired, subprocess.TimeoutExpired):
        process.kill()
        process.wait(10)


def leftovers(lab: Lab) -> list[psutil.Process]:
    """Processes that the lab started and no service owns: known by their root (the tree), or by their cgroup."""
    trees = {(stat.st_dev, stat.st_ino) for stat in (tree.stat() for tree in lab.trees)}
    found = []
    for process in psutil.process_iter():
        try:
            root = Path(f"/proc/{process.pid}/root").stat()
        except OSError:  # it has ended meanwhile
            continue
        in_container = any(lab.cgroup in line.split("/") for line in _cgroups(process).splitlines())
        if in_container or (root.st_dev, root.st_ino) in trees:
            found.append(process)
    return found


def end_orphaned_builds(lab: Lab) -> list[psutil.Process]:
    """Kill what builds still run although no Docker client is left to wait for it. Returns what was killed.

    BuildKit kills what a build runs when its client goes, unless it was just starting it: then it runs to its end,
    however long (seen with Docker Engine 26.1). While any client runs, nothing is killed: it may be waiting for it.
    """
    if any(process.info["name"] in CLIENTS for process in psutil.process_iter(["name"])):
        return []
    orphans = [process for process in leftovers(lab) if f"/{lab.cgroup}/buildkit/" in _cgroups(process)]
    kill(orphans)
    return orphans


def _cgroups(process: psutil.Process) -> str:
    """The cgroups of a process, one in a line; '' when it has ended."""
    try:
        return Path(f"/proc/{process.pid}/cgroup").read_text()
    except OSError:
        return ""


def kill(processes: list[psutil.Process]) -> None:
    """Kill processes at once and wait until they are gone, at most ten seconds."""
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(processes, timeout=10)


def foreign_engines(lab: Lab) -> list[psutil.Process]:
    """Docker engines on this machine that are not this lab's. One that is just ending does not count."""
    for _ in range(20):
        own = {process.pid for process in leftovers(lab)}
        engines = [p for p in psutil.process_iter(["name", "status"]) if p.info["name"] == "dockerd"]
        found = [p for p in engines if p.pid not in own and p.info["status"] != psutil.STATUS_ZOMBIE]
        if not found:
            break
        time.sleep(0.05)
    return found
