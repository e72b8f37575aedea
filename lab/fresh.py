"""A second engine, beside the lab's, that has nothing yet: what a build meets on a machine that was just made."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lab.config import BRIDGE_ADDRESS, Lab
from lab.processes import end, inside
from lab.services import answers_ping, daemon_config
from lab.tree import remove
from measure.base.errors import Problem

#: Of the bridge's addresses, those that the lab's engine, which counts from below, comes to last.
ADDRESSES = f"{BRIDGE_ADDRESS.rpartition('.')[0]}.128/25"


@contextmanager
def machine(lab: Lab, seconds: float = 30) -> Iterator[str]:
    """Start such an engine; yields its address, as DOCKER_HOST takes it. In the end nothing of it is left.

    It shares registry, bridge and firewall rules with the lab's engine, and writes none. Raises Problem, with its last
    lines, when it does not answer within `seconds`.
    """
    home = lab.home / "fresh"
    remove(home)
    home.mkdir()
    socket, log = home / "docker.sock", home / "log"
    config = daemon_config(lab) | {
        "hosts": [f"unix://{socket}"],
        "data-root": str(home / "engine"),
        "fixed-cidr": ADDRESSES,
        **dict.fromkeys(("iptables", "ip6tables", "ip-forward", "ip-masq"), False),
    }
    (home / "engine.json").write_text(json.dumps(config))
    # It ends when this process does, even when that is killed.
    command = ["setpriv", "--pdeathsig", "TERM", *inside(lab, "dockerd", "--config-file", str(home / "engine.json"))]
    with log.open("wb") as output:
        engine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/")
    try:
        until = time.monotonic() + seconds
        while not answers_ping(socket):
            if engine.poll() is not None or time.monotonic() > until:
                tail = "\n".join(log.read_text().splitlines()[-8:])
                raise Problem("A second engine did not start.", why=tail, next="make lab-status")
            time.sleep(0.05)
        yield f"unix://{socket}"
    finally:
        end(engine, 40)
        remove(home)
