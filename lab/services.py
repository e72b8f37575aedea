"""The lab's three services: the engine, the registry, and the cache in front of the package index."""

from __future__ import annotations

import json
import netrc
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

import httpx
import psutil

from lab import processes
from lab.config import BRIDGE, BRIDGE_ADDRESS, COMPOSE_POOL, HERE, INDEX_PORT, KIT_PORT, PORT_VARIABLE, Lab
from measure.base.errors import Problem

ENGINE, REGISTRY, INDEX = "engine", "registry", "index"
SERVICES = (ENGINE, REGISTRY, INDEX)


def host_index_url() -> str:
    """The package index that the host's pip would ask: its configuration, or else pip's own default."""
    if url := os.environ.get("PIP_INDEX_URL"):
        return url
    pip = [sys.executable, "-m", "pip"]
    configured = subprocess.run([*pip, "config", "get", "global.index-url"], capture_output=True, text=True)
    if configured.returncode == 0 and configured.stdout.strip():
        return configured.stdout.strip()
    default = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    return subprocess.run([sys.executable, "-c", default], capture_output=True, text=True, check=True).stdout.strip()


def _nameservers() -> str:
    lines = Path("/etc/resolv.conf").read_text().splitlines()
    servers = [line.split()[1] for line in lines if line.startswith("nameserver ")]
    return " ".join(f"[{s}]" if ":" in s else s for s in servers) or "127.0.0.1"


def ca_bundle(lab: Lab) -> Path:
    """The CA certificates that the host trusts; Debian's, which the engine's tree has, where the host has none."""
    shipped = Path("etc/ssl/certs/ca-certificates.crt")
    candidates = (Path(os.environ.get("SSL_CERT_FILE") or "/nowhere"), "/" / shipped)
    return next((path for path in candidates if path.is_file()), lab.tree / shipped)


def _authorization(url: SplitResult) -> str:
    """What an index is told of who asks, as pip does it: by its address, or else by the host's netrc; '' for nobody."""
    user, password = unquote(url.username or ""), unquote(url.password or "")
    if not user:
        with suppress(OSError, netrc.NetrcParseError):
            user, _, password = netrc.netrc(os.environ.get("NETRC")).authenticators(url.hostname or "") or ("", "", "")
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}" if user else ""


def index_config(lab: Lab, upstream: str) -> str:
    """Nginx's configuration: a cache of `upstream`, a package index in the form of PEP 503 or 691.

    Addresses of files in the index's pages are rewritten to pass through the cache too. What comes from the cache
    carries the Cache-Control headers that a public index sends, because pip keeps nothing without them. What the index
    is told of who asks is told to no other host.
    """
    url = urlsplit(upstream.rstrip("/"))
    host = url.netloc.rsplit("@", 1)[-1]
    origin = f"{url.scheme}://{host}"
    shutil.copy(ca_bundle(lab), lab.home / "ca-bundle.crt")
    values = {
        "run": lab.run, "home": lab.home, "apk": lab.apk, "address": f"{BRIDGE_ADDRESS}:{INDEX_PORT}",
        "proxy": f"{BRIDGE_ADDRESS}:{KIT_PORT}",
        "nameservers": _nameservers(), "authorization": _authorization(url), "host": host,
        "simple": f"{origin}{url.path}", "parent": f"{origin}{url.path.rsplit('/', 1)[0]}",
    }  # fmt: skip
    text = (HERE / "index.conf").read_text()
    text = text.replace("@kit@", (HERE / "kit.conf").read_text() if lab.kit.exists() else "")
    return re.sub("@([a-z]+)@", lambda match: str(values[match[1]]), text)


def daemon_config(lab: Lab) -> dict:
    """The engine's configuration, in the form of dockerd's daemon.json."""
    return {
        "hosts": [f"unix://{lab.socket}"],
        "data-root": str(lab.home / "engine"),
        "exec-root": "/run/docker",  # inside the engine's own mount namespace
        "pidfile": "/run/dockerd.pid",
        "bridge": BRIDGE,
        "default-address-pools": [{"base": COMPOSE_POOL, "size": 24}],
        "cgroup-parent": f"/{lab.cgroup}",
        "features": {"containerd-snapshotter": True},
        "registry-mirrors": [f"http://{lab.registry}"],
        "builder": {"gc": {"enabled": True, "defaultKeepStorage": "30GB"}},
        "log-level": "warn",
    }


def registry_config(folder: Path, address: str, *, logged: bool = False) -> dict:
    """A registry's configuration, that keeps everything in a folder; `logged`: with a line for each request."""
    return {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": not logged}},
        "storage": {"filesystem": {"rootdirectory": str(folder)}, "delete": {"enabled": True}},
        "http": {"addr": address},
    }


def _owner(port: int) -> str:
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
            return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return "another process"


def check_ports(lab: Lab) -> None:
    """Raises Problem when the registry's port on loopback is taken by something that is not the lab."""
    try:
        socket.create_server(("127.0.0.1", lab.registry_port)).close()
    except OSError:
        raise Problem(
            f"The registry's address {lab.registry} is taken.",
            why=f"{_owner(lab.registry_port)} listens there.",
            next=f"stop it, or choose another port: {PORT_VARIABLE}=5032 make lab-up",
        ) from None


def answers(lab: Lab, service: str) -> bool:
    """Does a service run and answer a question?"""
    if processes.find(lab, service) is None:
        return False
    if service == ENGINE:
        return answers_ping(lab.socket)
    try:
        url = f"http://{lab.registry}/v2/" if service == REGISTRY else f"{lab.index}/health"
        return httpx.get(url, timeout=3, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def answers_ping(socket: Path) -> bool:
    """Does an engine answer at its socket?"""
    try:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), timeout=3) as client:
            return client.get("http://engine/_ping").is_success
    except httpx.HTTPError:
        return False


def wait_for(lab: Lab, name: str, seconds: float = 30) -> bool:
    """Wait until a service answers, as long as its process lives, at most `seconds`. True if it answers."""
    end = time.monotonic() + seconds
    while processes.find(lab, name) is not None and time.monotonic() < end:
        if answers(lab, name):
            return True
        time.sleep(0.05)
    return False


def start(lab: Lab) -> None:
    """Start the three services, and wait. Raises Problem, with the log's last lines, if one is silent for 30 s."""
    for folder in ("registry", "index/pages", "index/files", "engine"):
        (lab.home / folder).mkdir(parents=True, exist_ok=True)
    configs = lab.home / "config"
    configs.mkdir(exist_ok=True)
    (configs / "engine.json").write_text(json.dumps(daemon_config(lab), indent=1))
    (configs / "registry.yml").write_text(
        json.dumps(registry_config(lab.home / "registry", lab.registry), indent=1)
    )  # JSON is YAML
    _index_file(lab).touch(0o600)  # it may have a password in it
    _index_file(lab).write_text(index_config(lab, host_index_url()))
    commands = {
        ENGINE: ("dockerd", "--config-file", f"{configs}/engine.json"),
        REGISTRY: ("docker-registry", "serve", f"{configs}/registry.yml"),
        INDEX: ("nginx", "-c", str(_index_file(lab)), "-e", "stderr"),
    }
    for name, command in commands.items():
        (lab.logs / f"{name}.log").unlink(missing_ok=True)
        processes.start(lab, name, processes.inside(lab, *command))
    for name in SERVICES:
        if not wait_for(lab, name):
            log = lab.logs / f"{name}.log"
            tail = "\n".join(re.sub(r"\s+", " ", line) for line in log.read_text().splitlines()[-8:])
            raise Problem(
                f"The lab's {name} did not start.", why=f"{tail}\n(all of it: {log})", next="make lab-down lab-up"
            )


def _index_file(lab: Lab) -> Path:
    return lab.home / "config/index.conf"


def renew_index(lab: Lab) -> None:
    """Let a running package-index cache that was started with another configuration take up this one."""
    config = index_config(lab, host_index_url())
    process = processes.find(lab, INDEX)
    if process and _index_file(lab).read_text() != config:
        _index_file(lab).write_text(config)
        process.send_signal(signal.SIGHUP)


def index_reachable(lab: Lab) -> str:
    """Ask the package index, through the cache, for a page that is not cached. Returns '' or why it is unreachable.

    The cache keeps what it has seen, so an unreachable index stops only what was never installed before.
    """
    try:
        answer = httpx.get(f"{lab.index}/simple/pip/?asked={os.urandom(4).hex()}", timeout=20, trust_env=False)
    except httpx.HTTPError as error:
        return str(error)
    return "" if answer.status_code == 200 else f"it answers {answer.status_code} {answer.reason_phrase}"
