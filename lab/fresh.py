"""An engine and a registry, beside the lab's, that have nothing yet: what a build meets that nobody ran before."""

from __future__ import annotations

import json
import socket as sockets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from lab.config import BRIDGE_ADDRESS, Lab
from lab.processes import end, inside
from lab.services import answers_ping, daemon_config, registry_config
from lab.tree import remove
from measure.base.errors import Problem

#: Of the bridge's addresses, those that the lab's engine, which counts from below, comes to last.
ADDRESSES = f"{BRIDGE_ADDRESS.rpartition('.')[0]}.128/25"


@contextmanager
def _running(
    what: str, command: list[str], home: Path, answers: Callable[[], bool], seconds: float, grace: float
) -> Iterator[Path]:
    """Run a service until it is needed no more; yields its log. It ends when this process does, even if that is killed.

    In the end it has `grace` seconds, and its folder, `home`, goes. Raises Problem, with its last lines, when it does
    not answer within `seconds`.
    """
    log = home / "log"
    with log.open("wb") as output:
        command = ["setpriv", "--pdeathsig", "TERM", *command]
        service = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/")
    try:
        until = time.monotonic() + seconds
        while not answers():
            if service.poll() is not None or time.monotonic() > until:
                tail = "\n".join(log.read_text().splitlines()[-8:])
                raise Problem(f"A second {what} did not start.", why=tail, next="make lab-status")
            time.sleep(0.05)
        yield log
    finally:
        end(service, grace)
        remove(home)


@contextmanager
def machine(lab: Lab, seconds: float = 30) -> Iterator[str]:
    """Start such an engine; yields its address, as DOCKER_HOST takes it. In the end nothing of it is left.

    It shares registry, bridge and firewall rules with the lab's engine, and writes none. Raises Problem, with its last
    lines, when it does not answer within `seconds`.
    """
    home = lab.home / "fresh"
    remove(home)
    home.mkdir()
    socket = home / "docker.sock"
    config = daemon_config(lab) | {
        "hosts": [f"unix://{socket}"],
        "data-root": str(home / "engine"),
        "fixed-cidr": ADDRESSES,
        **dict.fromkeys(("iptables", "ip6tables", "ip-forward", "ip-masq"), False),
    }
    (home / "engine.json").write_text(json.dumps(config))
    command = inside(lab, "dockerd", "--config-file", str(home / "engine.json"))
    with _running("engine", command, home, lambda: answers_ping(socket), seconds, 40):
        yield f"unix://{socket}"


@contextmanager
def registry(lab: Lab, seconds: float = 30) -> Iterator[tuple[str, Path, Path]]:
    """Start such a registry; yields its address, the folder of its blobs, and its access log.

    In the end nothing of it is left. Raises Problem, with its last lines, when it does not answer within `seconds`.
    """
    with sockets.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    for left in lab.home.glob("fresh-registry-*"):  # by a run that was killed
        if not _answers(f"127.0.0.1:{left.name.rpartition('-')[2]}"):
            remove(left)
    home = lab.home / f"fresh-registry-{address.rpartition(':')[2]}"
    home.mkdir()
    config = registry_config(home / "registry", address, logged=True)
    (home / "registry.yml").write_text(json.dumps(config))  # JSON is YAML
    command = inside(lab, "docker-registry", "serve", str(home / "registry.yml"))
    with _running("registry", command, home, lambda: _answers(address), seconds, 10) as log:
        yield address, home / "registry/docker/registry/v2/blobs", log


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/v2/", timeout=3, trust_env=False).is_success
    except httpx.HTTPError:
        return False
