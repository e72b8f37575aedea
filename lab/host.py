"""What the lab changes on the host, written down before it is changed, and how it is undone.

There are five such things: the binfmt_misc mount, one entry in it, one bridge, the firewall rules and settings that the
engine writes, and the cgroups of its containers. All are undone by `lab down`.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import subprocess
from pathlib import Path

import psutil
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from lab.config import BINFMT, BRIDGE, BRIDGE_ADDRESS, BRIDGE_MAC, NETWORK, Lab
from measure.base.files import write_whole

BINFMT_FOLDER = Path("/proc/sys/fs/binfmt_misc")
CGROUPS = Path("/sys/fs/cgroup")
#: The commands that print the firewall's state, and the nftables family of each.
FIREWALL = {"iptables-save": "ip", "ip6tables-save": "ip6"}
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


def _tool(tree: Path, *command: str, stdin: str | None = None) -> str:
    result = subprocess.run(
        ["chroot", str(tree), *command], input=stdin, capture_output=True, text=True, check=True, timeout=60
    )
    return result.stdout


def _boot() -> str:
    """Identity of this boot: after a reboot, nothing that is journalled is true any more."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _journal(lab: Lab) -> Path:
    return lab.run / "host.json"


def _settings() -> dict[str, str]:
    paths = {name: Path("/proc/sys") / name for name in SETTINGS}
    return {name: path.read_text().strip() for name, path in paths.items() if path.exists()}


def firewall_tables(tree: Path) -> list[str]:
    """The nftables tables that exist, like `ip filter`."""
    return [line.removeprefix("table ") for line in _tool(tree, "nft", "list", "tables").splitlines()]


def prepare(lab: Lab) -> None:
    """Make the host ready for the engine: arm64 programs run, and the lab's bridge exists."""
    lab.run.mkdir(parents=True, exist_ok=True)
    mounted = (BINFMT_FOLDER / "register").exists()
    if not _journal(lab).exists():
        _clear_up_after_a_lost_lab(lab.tree)
        before = {
            "boot": _boot(),
            "tree": str(lab.tree),
            "binfmt_mounted": mounted,
            "settings": _settings(),
            "tables": firewall_tables(lab.tree),
            "rules": {save: _tool(lab.tree, save) for save in FIREWALL},
        }
        write_whole(_journal(lab), json.dumps(before, indent=1))
    if not mounted:
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT_FOLDER)], check=True)
    if not (BINFMT_FOLDER / BINFMT).exists():
        interpreter = lab.tree / "usr/bin/qemu-aarch64"
        # O: open the program; C: with its credentials; F: open the interpreter now, so that it works inside containers.
        entry = f":{BINFMT}:M::{AARCH64_MAGIC}:{AARCH64_MASK}:{interpreter}:OCF"
        (BINFMT_FOLDER / "register").write_text(entry)
    if BRIDGE not in psutil.net_if_addrs():
        _tool(lab.tree, "ip", "link", "add", BRIDGE, "type", "bridge")
        _tool(lab.tree, "ip", "address", "add", f"{BRIDGE_ADDRESS}/24", "dev", BRIDGE)
    _tool(lab.tree, "ip", "link", "set", BRIDGE, "address", BRIDGE_MAC, "up")


def _clear_up_after_a_lost_lab(tree: Path) -> None:
    """Take away the rules and the bridges of a lab that was killed, and whose folder, with its journal, is gone."""
    if any(BRIDGE in _tool(tree, save) for save in FIREWALL):
        interfaces = _lab_interfaces()
        _restore_firewall(tree, {"rules": dict.fromkeys(FIREWALL, ""), "tables": []}, interfaces)
        for name in interfaces:
            _tool(tree, "ip", "link", "delete", name)


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


#: A chain of Docker's, one of the lab's interfaces or an address of its network, as a word of a rule.
_OURS = re.compile(rf"(?<!\S)(DOCKER(-\S+)?|{BRIDGE}|{re.escape(NETWORK.rsplit('.', 2)[0])}\.\S+)(?!\S)")


def _without_ours(now: str, before: str, interfaces: list[str]) -> tuple[str, set[str]]:
    """A firewall's state without what the lab's engine wrote, and the tables of it that are left empty.

    `now` and `before` are in the format of iptables-save(8). What stood there before stays, whoever wrote it; so does
    what others wrote meanwhile. The policy of FORWARD goes back to what it was.
    """
    old: dict[str, set[str]] = {}
    table = ""
    for line in before.splitlines():
        table = line[1:] if line.startswith("*") else table
        old.setdefault(table, set()).add(_plain(line))
    policy = next((line.split()[1] for line in old.get("filter", ()) if line.startswith(":FORWARD ")), "ACCEPT")
    kept, empty = [], set()
    for line in now.splitlines():
        if line.startswith("*"):
            table = line[1:]
            empty.add(table)
        if line.startswith((":", "-A")) and _plain(line) not in old.get(table, ()):
            words = f" {line.removeprefix(':')} "
            if _OURS.search(words) or any(f" {name} " in words for name in interfaces):
                continue
            if table == "filter" and line.startswith(":FORWARD "):
                line = f":FORWARD {policy} [0:0]"
        if line.startswith("-A") or (line.startswith(":") and line.split()[1] == "-"):
            empty.discard(table)
        kept.append(line)
    return "\n".join(kept) + "\n", empty


def _plain(line: str) -> str:
    """A line of iptables-save without its packet counters."""
    return re.sub(r" ?\[\d+:\d+\]", "", line)


def _restore_firewall(tree: Path, before: dict, interfaces: list[str]) -> None:
    """Take the engine's chains and rules out of every table and leave all others as they stand."""
    for save, family in FIREWALL.items():
        now = _tool(tree, save)
        if not now.strip():
            continue
        text, empty = _without_ours(now, before["rules"][save], interfaces)
        _tool(tree, save.replace("save", "restore"), stdin=text)
        for table in empty:
            if f"{family} {table}" not in before["tables"]:
                _tool(tree, "nft", "delete", "table", family, table)


@retry(retry=retry_if_exception_type(OSError), stop=stop_after_delay(10), wait=wait_fixed(0.2), reraise=True)
def _remove_cgroups(lab: Lab) -> None:
    """Remove the containers' cgroups; they can be removed once their last process is reaped."""
    for top in {*CGROUPS.glob(lab.cgroup), *CGROUPS.glob(f"*/{lab.cgroup}")}:
        for folder, _, _ in os.walk(top, topdown=False):
            Path(folder).rmdir()


def undo(lab: Lab) -> list[str]:
    """Put the host back as it was before `prepare`. Returns what was undone, in words; nothing when nothing was."""
    if not _journal(lab).exists():
        return []
    before = json.loads(_journal(lab).read_text())
    if before["boot"] != _boot():
        _journal(lab).unlink()
        return ["nothing to undo since the machine was restarted"]
    done = []
    interfaces = _lab_interfaces()
    tree = Path(before["tree"])
    _restore_firewall(tree, before, interfaces)
    done.append("firewall rules")
    for name in interfaces:
        _tool(tree, "ip", "link", "delete", name)
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
    _remove_cgroups(lab)
    _journal(lab).unlink()
    return done
