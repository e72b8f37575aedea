"""Every name, address and place of the lab, once."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from measure.base.files import cache_folder

#: The Debian release that the engine's tree and the Debian base images are made of.
SUITE = "trixie"

#: What the engine's tree holds, besides Debian's essential packages.
TREE_PACKAGES = (
    "arch-test",  # mmdebstrap asks it whether arm64 programs run
    "ca-certificates",
    "containerd",
    "docker-buildx",
    "docker-cli",
    "docker-compose",
    "docker-registry",
    "docker.io",
    "dpkg-dev",  # apt-get source, for CPython
    "iproute2",
    "iptables",
    "mmdebstrap",
    "nftables",
    "nginx-light",  # the cache in front of the package index
    "procps",  # docker top
    "qemu-user-static",
    "runc",
    "skopeo",
    "xz-utils",
)

#: The lab has a bridge of its own: two engines that share docker0 break each other.
BRIDGE = "pyimages0"
NETWORK = "10.231.0.0/16"
BRIDGE_ADDRESS = "10.231.0.1"
#: Of its own, in Docker's form: 02:42 and the address. A bridge that was given none takes over that of a container's
#: interface, and changes it when that container ends: the others then send to nobody, for half a minute.
BRIDGE_MAC = "02:42:0a:e7:00:01"
COMPOSE_POOL = "10.231.128.0/17"
INDEX_PORT = 3141
#: Where builds and containers ask, as their proxy, for what an offline kit brought.
KIT_PORT = 3142
BINFMT = "pyimages-aarch64"

HOME_VARIABLE = "PYTHON_IMAGES_LAB_HOME"
PORT_VARIABLE = "PYTHON_IMAGES_REGISTRY_PORT"

HERE = Path(__file__).resolve().parent
#: Stands before runc in the engine's tree.
RUNC = HERE / "runc.sh"


@dataclass(frozen=True)
class Lab:
    """The places of one lab, all below `home`, which lies in the user's cache folder."""

    home: Path
    registry_port: int

    @classmethod
    def from_environment(cls) -> Lab:
        """The lab that the environment names: by default the only one of this user, shared by all clones."""
        home = os.environ.get(HOME_VARIABLE)
        return cls(
            home=Path(home).absolute() if home else cache_folder(made=False) / "lab",
            registry_port=int(os.environ.get(PORT_VARIABLE, "5031")),
        )

    @cached_property
    def tree(self) -> Path:
        """Root of the engine's Debian tree; the name changes with what it is made of."""
        made_of = "\n".join((SUITE, *TREE_PACKAGES, RUNC.read_text()))
        key = hashlib.sha256(made_of.encode()).hexdigest()[:12]
        return self.home / f"tree-{key}"

    @property
    def cgroup(self) -> str:
        """Parent of every container's cgroup: a container is known as this lab's even when its engine is dead."""
        return f"pyimages-{hashlib.sha256(str(self.home).encode()).hexdigest()[:8]}"

    @property
    def trees(self) -> list[Path]:
        """Every engine tree there is: this one, and those that another version of the project made."""
        return [path for path in self.home.glob("tree-*") if path.suffix != ".partial"]

    @property
    def run(self) -> Path:
        """Sockets, process records, journal: what is true only while the lab is up."""
        return self.home / "run"

    @property
    def logs(self) -> Path:
        """One log per service."""
        return self.home / "logs"

    @property
    def work(self) -> Path:
        """Scratch space; whatever is in it when `lab up` begins was left by something that was killed."""
        return self.home / "work"

    @property
    def sources(self) -> Path:
        """Downloads and root file systems that base images are made of."""
        return self.home / "sources"

    @property
    def apk(self) -> Path:
        """Packages for the stand-in for apk, in a folder named after what they were made from."""
        return self.home / "apk"

    @property
    def kit(self) -> Path:
        """What an offline kit brought for package managers; not there without one."""
        return self.home / "kit"

    @property
    def bases_file(self) -> Path:
        """What the registry holds, and the key that each base was built from."""
        return self.home / "bases.json"

    @property
    def socket(self) -> Path:
        """The engine's socket."""
        return self.run / "docker.sock"

    @property
    def client_config(self) -> Path:
        """The client's own configuration folder, so that ~/.docker is never touched."""
        return self.home / "client"

    @property
    def registry(self) -> str:
        """Host and port of the registry, on loopback."""
        return f"127.0.0.1:{self.registry_port}"

    @property
    def index(self) -> str:
        """Address of the package-index cache, as containers reach it."""
        return f"http://{BRIDGE_ADDRESS}:{INDEX_PORT}"

    @property
    def docker(self) -> Path:
        """The Docker client, run on the host straight from the tree; alone in a folder that can go on a PATH."""
        return self.client_config / "bin/docker"

    def client_environment(self) -> dict[str, str]:
        """The variables that make any Docker client talk to the lab."""
        return {"DOCKER_HOST": f"unix://{self.socket}", "DOCKER_CONFIG": str(self.client_config)}
