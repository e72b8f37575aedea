"""What the lab changes on the host, written down before it is changed, and how it is undone.

There are five such things: the binfmt_misc mount, one entry in it, one bridge, the firewall rules and settings that the
engine writes, and the cgroups of its containers. All are undone by `lab down`.
"""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
from pathlib import Path

import psutil
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from lab.config import BINFMT, BRIDGE, BRIDGE_ADDRESS, CGROUP, NETWORK, Lab

BINFMT_FOLDER = Path("/proc/sys/fs/binfmt_misc")
CGROUPS = Path("/sys/fs/cgroup")
#: Kernel settings that the engine changes.
SETTINGS = (
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/accept_redirects",
    "net/bridge/bridge-nf-call-iptables",
    "net/bridge/bridge-nf-call-ip6tables",
)
#: ELF header of an aarch64 program and the mask over it; from the kernel's binfmt-misc.rst
#: and the ELF specification (e_machine 183). The mask lets e_type be 2 or 3, and ignores the OS ABI.
AARCH64_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
AARCH64_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"


def _tool(lab: Lab, *command: str, stdin: str | None = None) -> str:
    """Run a network tool from the engine's tree and return what it prints."""
    result = subprocess.run(
        ["chroot", str(lab.tree), *command], input=stdin, capture_output=True, text=True, check=True, timeout=60
    )
    return result.stdout


def _journal(lab: Lab) -> Path:
    return lab.run / "host.json"


def _settings() -> dict[str, str]:
    paths = {name: Path("/proc/sys") / name for name in SETTINGS}
    return {name: path.read_text().strip() for name, path in paths.items() if path.exists()}


def firewall_tables(lab: Lab) -> list[str]:
    """The nftables tables that exist, like `ip filter`."""
    return [line.removeprefix("table ") for line in _tool(lab, "nft", "list", "tables").splitlines()]


def _forward_policy(lab: Lab) -> str:
    for line in _tool(lab, "iptables-save", "-t", "filter").splitlines():
        if line.startswith(":FORWARD "):
            return line.split()[1]
    return "ACCEPT"


def prepare(lab: Lab) -> None:
    """Make the host ready for the engine: arm64 programs run, and the lab's bridge exists."""
    lab.run.mkdir(parents=True, exist_ok=True)
    mounted = (BINFMT_FOLDER / "register").exists()
    if not _journal(lab).exists():
        before = {
            "binfmt_mounted": mounted,
            "settings": _settings(),
            "tables": firewall_tables(lab),
            "forward_policy": _forward_policy(lab),
        }
        partial = _journal(lab).with_suffix(".partial")
        partial.write_text(json.dumps(before))
        partial.rename(_journal(lab))
    if not mounted:
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT_FOLDER)], check=True)
    if not (BINFMT_FOLDER / BINFMT).exists():
        interpreter = lab.tree / "usr/bin/qemu-aarch64"
        # O: open the program; C: with its credentials; F: open the interpreter now, so that it works inside containers.
        entry = f":{BINFMT}:M::{AARCH64_MAGIC}:{AARCH64_MASK}:{interpreter}:OCF"
        (BINFMT_FOLDER / "register").write_text(entry)
    if BRIDGE not in psutil.net_if_addrs():
        _tool(lab, "ip", "link", "add", BRIDGE, "type", "bridge")
        _tool(lab, "ip", "address", "add", f"{BRIDGE_ADDRESS}/24", "dev", BRIDGE)
    _tool(lab, "ip", "link", "set", BRIDGE, "up")


def _lab_interfaces() -> list[str]:
    network = ipaddress.ip_network(NETWORK)
    return [
        name
        for name, addresses in psutil.net_if_addrs().items()
        if name == BRIDGE
        or (
            name.startswith("br-")
            and any(a.family.name == "AF_INET" and ipaddress.ip_address(a.address) in network for a in addresses)
        )
    ]


def _restore_firewall(lab: Lab, before: dict, interfaces: list[str]) -> None:
    """Take the engine's chains and rules out of every table and leave all others as they stand."""
    ours = ("DOCKER", NETWORK.rsplit(".", 2)[0] + ".", *(f" {name} " for name in interfaces))
    for save, family in (("iptables-save", "ip"), ("ip6tables-save", "ip6")):
        tables = [t for t in firewall_tables(lab) if t.split()[0] == family]
        if not tables:
            continue
        kept = []
        for line in _tool(lab, save).splitlines():
            if line.startswith((":", "-A")) and any(mark in f"{line} " for mark in ours):
                continue
            if line.startswith(":FORWARD ") and family == "ip":
                line = f":FORWARD {before['forward_policy']} [0:0]"
            kept.append(line)
        _tool(lab, save.replace("save", "restore"), stdin="\n".join(kept) + "\n")
        for table in tables:
            empty = not any(line.startswith("-A") for line in kept)
            if table not in before["tables"] and empty:
                _tool(lab, "nft", "delete", "table", *table.split())


@retry(retry=retry_if_exception_type(OSError), stop=stop_after_delay(10), wait=wait_fixed(0.2), reraise=True)
def _remove_cgroups() -> None:
    """Remove the containers' cgroups; they can be removed once their last process is reaped."""
    for top in {*CGROUPS.glob(CGROUP), *CGROUPS.glob(f"*/{CGROUP}")}:
        for folder, _, _ in os.walk(top, topdown=False):
            Path(folder).rmdir()


def undo(lab: Lab) -> list[str]:
    """Put the host back as it was before `prepare`. Returns what was undone, in words; nothing when nothing was."""
    if not _journal(lab).exists():
        return []
    before = json.loads(_journal(lab).read_text())
    done = []
    interfaces = _lab_interfaces()
    if lab.tree.exists():
        _restore_firewall(lab, before, interfaces)
        done.append("firewall rules")
        for name in interfaces:
            _tool(lab, "ip", "link", "delete", name)
            done.append(f"bridge {name}")
    for name, value in before["settings"].items():
        path = Path("/proc/sys") / name
        if path.read_text().strip() != value:
            path.write_text(value)
            done.append(f"setting {name.replace('/', '.')}")
    if (BINFMT_FOLDER / BINFMT).exists():
        (BINFMT_FOLDER / BINFMT).write_text("-1")
        done.append("binfmt entry")
    if not before["binfmt_mounted"] and (BINFMT_FOLDER / "register").exists():
        subprocess.run(["umount", str(BINFMT_FOLDER)], check=True)
        done.append("binfmt mount")
    _remove_cgroups()
    _journal(lab).unlink()
    return done
