"""The engine's Debian tree: made once with mmdebstrap, from its own default mirror, without installing anything."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from lab.config import BRIDGE_ADDRESS, KIT_PORT, RUNC, SUITE, TREE_PACKAGES, Lab
from lab.processes import bounded, end
from measure.base import progress
from measure.base.buildlog import Follower
from measure.base.errors import Problem
from measure.base.files import write_whole

#: Settings of the host's apt that also hold inside the lab: proxies, and how stale a mirror may be.
APT_SETTINGS = (
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
)


def apt_settings() -> list[str]:
    """The host's apt settings that the lab takes over, as lines of an apt configuration file."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    return [line for line in dump.splitlines() if line.split(" ")[0] in APT_SETTINGS]


def remove(path: Path) -> None:
    """Delete a folder tree; refuses one that has anything mounted below it."""
    if any(line.split()[4].startswith(f"{path}/") for line in Path("/proc/self/mountinfo").read_text().splitlines()):
        raise Problem(f"Something is mounted below {path}.", why="Deleting it could reach other files.", next="findmnt")
    if path.exists():
        shutil.rmtree(path)


def run_logged(command: list[str], log: Path, *, what: str, cwd: Path | None = None, env: dict | None = None) -> None:
    """Run a command that takes a while, called `what` for people: its progress is told, all its output is in a log.

    What a builder writes is told image by image. Raises Problem, with the log's last lines, when the command fails;
    KeyboardInterrupt, after it was stopped, when the run is to end.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with progress.task(what) as task, log.open("wb") as output, log.open("rb") as written:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=cwd, env=env
        )
        follower = Follower(task)
        try:
            while child.poll() is None:
                progress.pause(0.3)
                follower.feed(written.read())
            follower.feed(written.read())
            if progress.ending.is_set():  # whoever ends the run may have stopped it
                raise KeyboardInterrupt
            if child.returncode:
                raise Problem(
                    f"{what} failed.",
                    why=f"{_last_lines(log, 12)}\n(all of it: {log})",
                    next="make lab-up  # tries again",
                )
        except BaseException:
            end(child, 5)  # `unshare --fork` does not take SIGTERM, but is killed; its children go with it
            raise
        finally:
            follower.close()


def _last_lines(log: Path, count: int) -> str:
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 8192))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-count:])


def ensure(lab: Lab, beside: Callable[[list[str]], object]) -> bool:
    """Make the tree if it is not there. Whole or not at all. True if it was made now.

    `beside` is done at the same time, and told how to call mmdebstrap before there is a tree.
    Raises Problem when mmdebstrap cannot be fetched or fails.
    """
    if lab.tree.exists():
        return False
    for old in lab.home.glob("tree-*"):
        remove(old)
    work = lab.work / "mmdebstrap"
    for folder in ("lists/partial", "archives/partial"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    apt = ["apt-get", "-q", "-o", f"Dir::State::lists={work}/lists", "-o", f"Dir::Cache={work}"]
    apt += ["-o", "APT::Sandbox::User=root"]
    # Not `apt-get install`: the host's own packages stay as they are. A third-party source that does not answer makes
    # `update` fail without harm, so only the download decides.
    script = f"{' '.join(apt)} update; {' '.join(apt)} download mmdebstrap && dpkg-deb -x mmdebstrap_*.deb ."
    run_logged(bounded(["bash", "-c", script]), lab.logs / "mmdebstrap.log", what="Fetching mmdebstrap", cwd=work)
    partial = lab.home / f"{lab.tree.name}.partial"
    remove(partial)
    mmdebstrap = ["unshare", "--mount", "--propagation", "private", "perl", str(work / "usr/bin/mmdebstrap")]
    options = [f"--include={','.join(TREE_PACKAGES)}", *(f"--aptopt={line}" for line in apt_settings())]
    with progress.aside(lambda: beside(mmdebstrap)) as other:
        run_logged(
            bounded([*mmdebstrap, "--variant=minbase", *options, SUITE, str(partial)]),
            lab.logs / "tree.log",
            what="Making the engine's tree from Debian packages",
        )
        other.result()
    (partial / "usr/local/sbin/runc").write_bytes(RUNC.read_bytes())
    (partial / "usr/local/sbin/runc").chmod(0o755)
    partial.rename(lab.tree)
    remove(work)
    client(lab)
    return True


def client(lab: Lab) -> None:
    """Put the tree's Docker client, and its configuration, where people's shells find them."""
    lab.docker.parent.mkdir(parents=True, exist_ok=True)
    lab.docker.unlink(missing_ok=True)
    lab.docker.symlink_to(lab.tree / "usr/bin/docker")
    plugins = lab.tree / "usr/libexec/docker/cli-plugins"
    config: dict = {"cliPluginsExtraDirs": [str(plugins)]}
    if lab.kit.exists():
        config["proxies"] = {"default": {"httpProxy": f"http://{BRIDGE_ADDRESS}:{KIT_PORT}"}}
    write_whole(lab.client_config / "config.json", json.dumps(config))
