"""A lab of the tests' own, in a folder of its own, so that the user's lab and its cache stay as they are."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import psutil
import pytest

from lab import lifecycle, processes
from lab.config import HOME_VARIABLE, PORT_VARIABLE, Lab
from tests.conftest import eventually, python_m, run


@pytest.fixture(scope="session", autouse=True)
def users_lab_is_down():
    """Two labs cannot run at once: stop the user's for these tests, and start it again if it ran."""
    if problem := lifecycle.why_not_here():
        pytest.skip(f"the lab cannot run here: {problem.what} {problem.why}")
    users = Lab.from_environment()
    was_up = lifecycle.healthy(users)
    lifecycle.down(users)
    if others := processes.foreign_engines(users):
        pytest.skip(f"the lab cannot run beside another engine: dockerd is process {others[0].pid}")
    yield
    if was_up:
        lifecycle.up(users)


@pytest.fixture(scope="session")
def lab() -> Lab:
    users = Lab.from_environment()
    home = Path(tempfile.mkdtemp(prefix="lab-test-", dir="/var/tmp")) / "lab"
    os.environ[HOME_VARIABLE], os.environ[PORT_VARIABLE] = str(home), "5039"
    yield Lab.from_environment()
    # The tests always make Debian's root file systems from nothing; who has none yet need not make them again.
    users.sources.mkdir(parents=True, exist_ok=True)
    for finished in (home / "sources").glob("rootfs-*.tar"):
        if not (users.sources / finished.name).exists():
            shutil.copy(finished, users.sources / f"{finished.name}.partial")
            (users.sources / f"{finished.name}.partial").rename(users.sources / finished.name)
    python_m("lab", "clean")
    shutil.rmtree(home.parent, ignore_errors=True)
    del os.environ[HOME_VARIABLE], os.environ[PORT_VARIABLE]


def lab_command(*arguments: str, **options):
    return python_m("lab", *arguments, **options)


def docker(lab: Lab, *arguments: str, seconds: int = 120):
    return run(lab.docker, *arguments, env={**os.environ, **lab.client_environment()}, seconds=seconds)


def lab_processes(lab: Lab) -> list[str]:
    """Command lines of everything that mentions the lab's folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(lab.home) in line and process.pid != os.getpid():
            found.append(line)
    return found


def host_state(lab: Lab) -> dict[str, object]:
    """What the lab may change on the host. Firewall tools come from the lab's tree, so it must exist still."""
    cgroups = Path("/sys/fs/cgroup")
    sysctl = ("net/ipv4", "net/bridge")
    settings = {}
    for top in sysctl:
        for path in sorted((Path("/proc/sys") / top).rglob("*")):
            try:
                settings[str(path)] = path.read_text()
            except OSError:
                continue
    return {
        "mounts": sorted(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        "binfmt": sorted(p.name for p in Path("/proc/sys/fs/binfmt_misc").glob("*")),
        "interfaces": sorted(psutil.net_if_addrs()),
        "cgroups": sorted(str(p) for p in [*cgroups.glob("*"), *cgroups.glob("*/*")] if p.is_dir()),
        "settings": {k: v for k, v in settings.items() if "/pyimages0/" not in k and "/neigh/" not in k},
        "etc": {str(p): p.stat().st_mtime_ns for p in Path("/etc").iterdir()},
        "docker client": (Path.home() / ".docker").exists(),
    }


def as_before(lab: Lab, before: dict[str, object]) -> None:
    """The host is as it was, and nothing of the lab runs: the kernel takes its time to take things away."""

    def left() -> dict[str, object]:
        now = {**host_state(lab), "processes": lab_processes(lab)}
        return {name: value for name, value in now.items() if value != {**before, "processes": []}[name]}

    eventually(lambda: not left(), told=lambda: str(left())[:2000])


@pytest.fixture(scope="session")
def firewall_before() -> str:
    """The host's own rules, as its own tool shows them; a host without nft has none in nftables."""
    nft = shutil.which("nft")
    return run(nft, "--stateless", "list", "ruleset").stdout if nft else ""


def firewall(tree: Path) -> str:
    """The whole rule set, counters left out."""
    return run("chroot", tree, "nft", "--stateless", "list", "ruleset").stdout


def told(result, *words: str) -> None:
    """A command failed as it should: exit code 1, these words, what to type next, and no traceback."""
    assert result.returncode == 1, result.stdout + result.stderr
    for word in (*words, "Next:"):
        assert word in result.stderr, result.stderr
    assert "Traceback" not in result.stderr


@pytest.fixture(scope="session")
def before(lab) -> dict[str, object]:
    """The host before this lab ever ran."""
    lifecycle.clean(lab)
    return host_state(lab)
