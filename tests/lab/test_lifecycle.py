"""The lab from nothing, and killed in every way. The tests build on each other, in this order."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from lab import host, processes, services
from lab.config import BRIDGE, BRIDGE_MAC
from measure.base.files import ROOT
from tests.conftest import eventually
from tests.lab.conftest import as_before, docker, firewall, lab_command, lab_processes

pytestmark = pytest.mark.lab
BASE = "debian:trixie-slim"


def test_two_at_once_from_nothing_make_one_lab(lab, before):
    """From an empty folder: two `lab up` at the same time, one lab, both content."""
    command = [sys.executable, "-m", "lab", "up"]
    both = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [process.communicate(timeout=600)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert any("another process is busy with the lab" in text for text in errors)
    assert len([line for line in lab_processes(lab) if line.startswith("dockerd ")]) == 1
    assert all(services.answers(lab, name) for name in services.SERVICES)


def test_status_tells_what_runs_where_and_up_again_changes_nothing(lab):
    shown = lab_command("status").stdout
    pid = processes.find(lab, services.ENGINE).pid
    for word in (*services.SERVICES, str(pid), "GB"):
        assert word in shown
    assert lab_command("up").returncode == 0
    assert processes.find(lab, services.ENGINE).pid == pid


def test_what_a_build_runs_is_ended_when_no_client_is_left(lab, tmp_path):
    """A process in a build's cgroup stands for one that BuildKit forgot, a program named docker for a client."""
    shutil.copy("/usr/bin/sleep", tmp_path / "docker")
    orphan, client = (subprocess.Popen([name, "600"]) for name in ("sleep", tmp_path / "docker"))
    tops = (host.CGROUPS / "cpu", host.CGROUPS)  # of version 1, and of version 2
    folder = next(top for top in tops if (top / "cgroup.procs").exists()) / lab.cgroup / "buildkit/forgotten"
    folder.mkdir(parents=True)
    try:
        (folder / "cgroup.procs").write_text(str(orphan.pid))
        assert processes.end_orphaned_builds(lab) == []
        client.terminate()
        client.wait(60)
        assert [process.pid for process in processes.end_orphaned_builds(lab)] == [orphan.pid]
        orphan.wait(60)  # who ended it may have taken its exit code already
        assert not psutil.pid_exists(orphan.pid)
    finally:
        for child in (orphan, client):
            child.kill()
            child.wait(60)
        eventually(lambda: not (folder / "cgroup.procs").read_text())
        folder.rmdir()


def test_it_has_its_own_socket_data_bridge_and_client(lab, before):
    info = json.loads(docker(lab, "info", "--format", "{{json .}}").stdout)
    assert info["DockerRootDir"].startswith(str(lab.home))
    assert {*psutil.net_if_addrs()} - {*before["interfaces"]} == {"pyimages0"}
    environment = lab_command("env").stdout
    assert f"DOCKER_HOST=unix://{lab.socket}" in environment
    assert f"DOCKER_CONFIG={lab.client_config}" in environment


def test_a_base_build_killed_in_the_middle_is_cleared_up(lab):
    builder = subprocess.Popen([sys.executable, "-m", "lab", "provide", BASE], cwd=ROOT, stderr=subprocess.DEVNULL)
    eventually(lambda: [line for line in lab_processes(lab) if "mmdebstrap" in line])
    eventually(lambda: [*lab.work.glob("*"), *lab.sources.glob("*.partial")])
    builder.kill()
    builder.wait(60)
    eventually(lambda: not [line for line in lab_processes(lab) if "mmdebstrap" in line])
    result = lab_command("up")
    assert result.returncode == 0, result.stderr
    assert "cleaned:" in result.stderr
    assert "unfinished files" in result.stderr
    assert list(lab.work.glob("*")) == []
    assert list(lab.sources.glob("*.partial")) == []


def test_a_base_is_built_for_both_platforms_and_runs(lab):
    result = lab_command("provide", BASE)
    assert result.returncode == 0, result.stderr
    for platform, machine in (("linux/amd64", "x86_64"), ("linux/arm64", "aarch64")):
        shown = docker(
            lab, "run", "--rm", "--platform", platform, BASE, "sh", "-c", "uname -m; cat /etc/debian_version"
        )
        assert shown.stdout.split()[0] == machine, shown.stderr
        assert shown.stdout.split()[1].startswith("13")


def test_a_base_that_cannot_be_had_fails_at_once(lab):
    result = lab_command("provide", "node:24")
    assert result.returncode == 1
    assert "cannot provide node:24" in result.stderr
    assert BASE in result.stderr


def test_containers_reach_the_package_index_cache(lab):
    request = "printf 'GET /simple/six/ HTTP/1.0\\r\\n\\r\\n' >&3"
    script = f"exec 3<>/dev/tcp/{services.BRIDGE_ADDRESS}/{services.INDEX_PORT}; {request}; cat <&3"
    shown = docker(lab, "run", "--rm", BASE, "bash", "-c", script).stdout
    assert "200 OK" in shown
    assert "Cache-Control: max-age" in shown
    assert "/files/https" in shown


def test_who_ends_takes_no_address_along_that_others_send_to(lab):
    """A bridge's own address must not be one of its containers'."""
    address = Path(f"/sys/class/net/{BRIDGE}/address")
    seen = {address.read_text().strip()}
    for _ in range(6):  # whose interfaces have addresses by chance: one is the lowest
        name = docker(lab, "run", "--detach", BASE, "sleep", "60").stdout.strip()
        seen.add(address.read_text().strip())
        docker(lab, "rm", "--force", name)
    assert seen == {BRIDGE_MAC}


def test_a_folder_of_the_host_can_be_mounted(lab, tmp_path):
    (tmp_path / "here").write_text("seen\n")
    assert docker(lab, "run", "--rm", "-v", f"{tmp_path}:/host", BASE, "cat", "/host/here").stdout == "seen\n"


def test_an_engine_killed_with_containers_running_is_cleared_up(lab):
    assert docker(lab, "run", "--detach", BASE, "sleep", "1234").returncode == 0
    sleeper = eventually(
        lambda: [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "1234"]]
    )
    processes.find(lab, services.ENGINE).send_signal(signal.SIGKILL)
    result = lab_command("up")
    assert result.returncode == 0, result.stderr
    assert "cleaned:" in result.stderr
    assert "left behind" in result.stderr
    eventually(lambda: not sleeper[0].is_running())
    assert docker(lab, "run", "--rm", BASE, "true").returncode == 0
    docker(lab, "container", "prune", "--force")


def test_down_leaves_the_host_as_it_was_and_keeps_the_cache(lab, before, firewall_before):
    docker(lab, "network", "create", "left-over").check_returncode()
    assert docker(lab, "run", "--detach", "--publish", "127.0.0.1::80", BASE, "sleep", "600").returncode == 0
    result = lab_command("down")
    assert result.returncode == 0, result.stderr
    as_before(lab, before)
    assert firewall(lab.tree) == firewall_before
    assert lab.tree.exists()


def test_what_a_lab_left_whose_folder_is_gone_is_cleared_up_by_the_next(lab, firewall_before):
    rule = ["-t", "nat", "-A", "POSTROUTING", "-s", "10.231.0.0/24", "!", "-o", "pyimages0", "-j", "MASQUERADE"]
    subprocess.run(["chroot", str(lab.tree), "iptables", *rule], check=True)
    assert lab_command("up").returncode == 0
    assert lab_command("down").returncode == 0
    assert firewall(lab.tree) == firewall_before


def test_rules_of_others_survive(lab):
    """A rule and a policy that were there before the lab, and a rule that came while it ran, are there after it."""
    iptables = ["chroot", str(lab.tree), "iptables"]
    subprocess.run([*iptables, "-A", "INPUT", "-s", "192.0.2.1", "-j", "DROP"], check=True)
    try:
        assert lab_command("up").returncode == 0
        subprocess.run([*iptables, "-A", "INPUT", "-s", "192.0.2.2", "-j", "DROP"], check=True)
        assert lab_command("down").returncode == 0
        rules = subprocess.run([*iptables, "-S"], check=True, capture_output=True, text=True).stdout
    finally:
        tables = host.firewall_tables(lab.tree)
        subprocess.run(["chroot", str(lab.tree), "nft", "delete", "table", "ip", "filter"], capture_output=True)
    assert tables == ["ip filter"]
    assert "192.0.2.1/32 -j DROP" in rules
    assert "192.0.2.2/32 -j DROP" in rules
    assert "DOCKER" not in rules
    assert "pyimages0" not in rules
    assert "-P FORWARD ACCEPT" in rules
