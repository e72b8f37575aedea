#!/usr/bin/env python3
"""Make the workshop work on this laptop, with no network, from the kit that this file came in.

    ./install [FOLDER]     the workshop's files go to FOLDER, by default beside the kit
    ./install --remove     take away what the kit put into Docker: its server, and the setting that leads there

What is in place is not done again. Needs git, make, Python 3.11 to 3.14, and Docker, or Debian and root.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KIT = Path(__file__).resolve().parent
#: The container that answers builds, and the port that it has on the engine's own address.
SERVER, PORT = "python-images-kit", 3151
#: Bytes that must be free: what the workshop asks for, too.
DISK_BYTES = 6_000_000_000
#: Asks for an address until an answer comes, as a build would; says why none did after as many seconds.
ASK = """import sys, time, urllib.request
opener, end = urllib.request.build_opener(urllib.request.ProxyHandler({})), time.monotonic() + 20
while True:
    try:
        opener.open(sys.argv[1], timeout=5).close()
        break
    except OSError as error:
        if time.monotonic() > end:
            sys.exit(f"{sys.argv[1]}: {error}")
    time.sleep(0.2)
"""


class Problem(Exception):  # noqa: N818 - as in measure/base/errors.py
    """What went wrong, why, and the next command."""


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is done, and how long it took."""
    print(f"· {what} …", end="", flush=True)
    begun = time.monotonic()
    try:
        yield
    except BaseException:
        print()
        raise
    print(f" {time.monotonic() - begun:.1f} s", flush=True)


def run(*command: object, next: str = "./install", **options: Any) -> str:
    """Run a command; returns what it printed. Raises Problem when it fails."""
    done = subprocess.run(
        [str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, **options
    )
    if done.returncode:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-6:])
        raise Problem(f"{Path(str(command[0])).name} {command[1]} failed.", tail, next)
    return done.stdout.strip()


def check_sums() -> None:
    """Every file is there, and whole."""
    again = "tar -xf THE-KIT.tar  # again; from a copy that sha256sum -c finds whole"
    try:
        lines = (KIT / "SHA256SUMS").read_text().splitlines()
    except OSError:
        raise Problem("The kit was cut short.", "It has no file SHA256SUMS.", again) from None
    for line in lines:
        digest, name = line.split("  ", 1)
        try:
            with (KIT / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise Problem("The kit was cut short.", f"{name}: {error.strerror}", again) from None
        if found != digest:
            raise Problem("The kit was cut short, or changed.", f"{name} is not what SHA256SUMS says.", again)


def check_disk(*folders: Path) -> None:
    """There is room in each of them."""
    for folder in folders:
        there = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(there).free
        if free < DISK_BYTES:
            why = f"{free / 1e9:.1f} GB are free in {there}, and {DISK_BYTES / 1e9:.0f} are needed."
            raise Problem("Too little disk space.", why, f"df -h {there}; or ./install ANOTHER-FOLDER")


def unpack_repository(folder: Path) -> None:
    """The workshop's files, as a clone."""
    if (folder / "Makefile").exists():
        return
    if folder.exists() and any(folder.iterdir()):
        raise Problem(f"{folder} is not empty.", "The workshop's files belong there.", "./install ANOTHER-FOLDER")
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        again = "./install ANOTHER-FOLDER"  # a stick may be read-only
        run("git", "clone", "--quiet", KIT / "repository.bundle", partial, next=again)
        if (KIT / "site").exists():
            shutil.copytree(KIT / "site", partial / "site")
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def make_venv(folder: Path) -> None:
    """The tooling, from the kit's wheels alone."""
    venv = folder / ".venv"
    if not (venv / "bin/python").exists():
        run(sys.executable, "-m", "venv", "--clear", "--without-pip", venv, next="apt-get install python3-venv")
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run(venv / "bin/python", "-c", asked))
    if not any(packages.glob("pip-*.dist-info/INSTALLER")):
        wheel = next((KIT / "tooling/files").glob("pip-*.whl"))
        zipfile.ZipFile(wheel).extractall(packages)  # noqa: S202 - of the kit, with its checksum
        next(packages.glob("pip-*.dist-info")).joinpath("INSTALLER").write_text("kit\n")
    wheels = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": (KIT / "tooling/files").as_uri()}
    run("make", ".venv/.run", f"PYTHON={sys.executable}", cwd=folder, env={**os.environ, **wheels})


def into_docker(told: dict) -> None:
    """Base images under their official names, and a server that answers builds what package managers ask for."""
    store = run("docker", "info", "--format", "{{json .DriverStatus}}")
    if "containerd.snapshotter" not in store:
        why = "With the classic image store, builds of the workshop need a builder that has to be downloaded."
        setting = '{"features": {"containerd-snapshotter": true}} in /etc/docker/daemon.json'
        raise Problem(
            "Docker's containerd image store is off.", why, f"{setting}, or Docker Desktop: Settings, General"
        )
    form, bases = told["recipe"], told["bases"]
    missing = [
        one for one in told["images"] if _asked("image", "inspect", one, "--format", form) != bases[one]["recipe"]
    ]
    if missing:
        with step(f"loading {', '.join(missing)} into Docker"):
            load(missing)
    address = where_builds_ask()
    config = docker_config()
    settings = config.setdefault("proxies", {}).setdefault("default", {})
    if settings.get("httpProxy", address) != address:
        why = f"Builds have a proxy already: {settings['httpProxy']}"
        raise Problem("The kit cannot be put before another proxy.", why, f"take it out of {config_file()} for the day")
    with step("starting the server for builds"):
        start_server(address)
    settings["httpProxy"] = address
    write_config(config)


def start_server(address: str) -> None:
    """The server for builds, which answers them at this address. Raises Problem, and leaves none, where it does not.

    `--mount` complains of a folder that the engine's machine does not have, as one outside the home folder with colima,
    or any with an engine on another machine; `--volume` makes an empty one. SELinux keeps containers from files of a
    home folder unless these get another label, or the container none.
    """
    run("docker", "rm", "--force", SERVER)
    bound = "127.0.0.1" if "internal" in address else address.split("/")[2].split(":")[0]
    source = '"source={}"'.format(str(KIT).replace('"', '""'))  # it is a line of CSV: a path may have a comma
    started = False
    try:
        run("docker", "run", "--detach", "--name", SERVER, "--restart", "unless-stopped",
            "--mount", f"type=bind,{source},target=/kit,readonly", "--security-opt", "label=disable",
            "--publish", f"{bound}:{PORT}:{PORT}", "--pull", "never", "python:3.14-slim",
            "python", "/kit/serve.py", "/kit/web", "", PORT, "proxy")  # fmt: skip
        started = True
        run("docker", "run", "--rm", "--pull", "never", "python:3.14-slim", "python", "-c", ASK, f"{address}/simple/")
    except Problem as problem:
        logs = subprocess.run(["docker", "logs", "--tail", "3", SERVER], capture_output=True, text=True)
        subprocess.run(["docker", "rm", "--force", SERVER], capture_output=True)
        said = (logs.stdout + logs.stderr).strip() if logs.returncode == 0 else ""
        why = "\n".join(filter(None, (problem.args[1], said and f"The server said: {said}", _in_between(started))))
        raise Problem("Builds would not reach the kit's server.", why, "mend that, then ./install") from None


def _in_between(started: bool) -> str:
    """What may keep containers from a port of the engine's machine, on which a server was started, or could not be."""
    if "rootless" in (_asked("info", "--format", "{{json .SecurityOptions}}") or ""):
        return "Docker runs without root here: the address of its network is none of this machine's."
    return "A firewall? `sudo ufw allow in on docker0` and the like let containers ask this machine." if started else ""


def _asked(*words: str) -> str | None:
    done = subprocess.run(["docker", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def why_silent() -> str | None:
    """Why no Docker engine is to be used, in docker's own words where it has any; None where there is one.

    podman, which may be called docker, is none: it alone writes OsArch as one word.
    """
    if os.environ.get("ENGINE") == "lab" or shutil.which("docker") is None:
        return ""
    words = ["docker", "version", "--format", "{{json .}}"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if '"OsArch"' in done.stdout:
        return "it is podman here, and the kit is for Docker."
    return None if done.returncode == 0 else done.stderr.strip()


def load(names: list[str]) -> None:
    """Of the OCI layout, as a tar stream, these images: an internal one has no business there."""
    index = json.loads((KIT / "bases/index.json").read_text())
    reference = "org.opencontainers.image.ref.name"
    index["manifests"] = [one for one in index["manifests"] if one["annotations"][reference] in names]
    index = json.dumps(index).encode()
    child = subprocess.Popen(["docker", "load", "--quiet"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        with tarfile.open(fileobj=child.stdin, mode="w|") as tar:
            for path in sorted((KIT / "bases").rglob("*")):
                if path.name != "index.json":
                    tar.add(path, path.relative_to(KIT / "bases"), recursive=False)
            member = tarfile.TarInfo("index.json")
            member.size = len(index)
            tar.addfile(member, io.BytesIO(index))
        child.stdin.close()
    except BrokenPipeError:
        pass  # docker says why
    except BaseException:
        child.kill()
        raise
    if child.wait():
        raise Problem("Docker does not take the base images.", "It says why above.", "docker system df")


def where_builds_ask() -> str:
    """The server's address, as builds and containers reach it."""
    if "Desktop" in run("docker", "info", "--format", "{{.OperatingSystem}}"):
        return f"http://host.docker.internal:{PORT}"
    gateway = run("docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
    return f"http://{gateway}:{PORT}"


def config_file() -> Path:
    """The Docker client's configuration; where it is a link, what that leads to, so that the link stays one."""
    return (Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json").resolve()


def docker_config() -> dict:
    """What it says now."""
    try:
        return json.loads(config_file().read_text(encoding="utf-8")) if config_file().exists() else {}
    except ValueError as error:
        raise Problem(f"{config_file()} is not JSON.", str(error), f"python3 -m json.tool {config_file()}") from None


def write_config(config: dict) -> None:
    """Whole or not at all, with the mode that it has: it may hold passwords."""
    path, partial = config_file(), config_file().with_name("config.json.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        partial.touch(mode=path.stat().st_mode & 0o777 if path.exists() else 0o600)
        partial.write_text(json.dumps(config, indent="\t"))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def remove() -> None:
    """Take the server and the setting away."""
    config = docker_config()
    settings = config.get("proxies", {}).get("default", {})
    if settings.get("httpProxy", "").endswith(f":{PORT}"):
        del settings["httpProxy"]
        if not settings:
            del config["proxies"]["default"]
        if not config["proxies"]:
            del config["proxies"]
        write_config(config)
    run("docker", "rm", "--force", SERVER)
    print("Docker asks as before. `docker pull python:3.14-slim` brings the official image again.")


def install(folder: Path) -> None:
    """All of it."""
    if sys.version_info < (3, 11):  # noqa: UP036 - nothing has looked before
        raise Problem(
            "The workshop needs Python 3.11 or newer.", f"This is {sys.version.split()[0]}.", "python3.13 install"
        )
    if lacking := [tool for tool in ("git", "make") if shutil.which(tool) is None]:
        raise Problem(
            f"The workshop needs {' and '.join(lacking)}.", "Not on this machine's PATH.", "install it, then ./install"
        )
    with step("checking the kit's files"):
        check_sums()
    told = json.loads((KIT / "kit.json").read_text())
    if ".".join(map(str, sys.version_info[:2])) not in told["pythons"]:
        why = f"This is {sys.version.split()[0]}, and the kit's tooling is for {' and '.join(told['pythons'])}."
        raise Problem("The kit has nothing for this Python.", why, f"python{told['pythons'][-1]} install")
    check_disk(folder.parent, Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"))
    with step(f"the workshop's files, in {folder}"):
        unpack_repository(folder)
    with step("the tooling"):
        make_venv(folder)
    silent = why_silent()
    if silent is None:
        into_docker(told)
    elif subprocess.run([folder / ".venv/bin/python", "-m", "lab", "take", str(KIT)], cwd=folder).returncode:
        why = f"It says why above.{silent and f' And Docker: {silent}'}"
        raise Problem("The lab could not be brought up.", why, "./install  # tries again")
    print(f"Ready, with no network. Keep {KIT.name}/ where it is.\nNext: cd {folder} && make exercise")


def main() -> int:
    """Returns the exit code."""
    words = sys.argv[1:]
    os.environ.pop("DOCKER_DEFAULT_PLATFORM", None)  # the kit has images for one platform
    for stream in (sys.stdout, sys.stderr):  # a locale may have no ✗
        stream.reconfigure(errors="replace")
    try:
        if words == ["--remove"]:
            remove()
        elif len(words) > 1 or any(word.startswith("-") for word in words):
            print(__doc__.strip())
            return 0 if words in (["-h"], ["--help"]) else 2
        else:
            install(Path(words[0] if words else KIT.parent / "python-images-measured").absolute())
    except Problem as problem:
        what, why, next = problem.args
        print(f"✗ {what}", *(f"  {line}" for line in why.splitlines()), f"  Next: {next}", sep="\n", file=sys.stderr)
        return 1
    except OSError as error:
        next = f"df -h {KIT}" if error.errno == errno.ENOSPC else "look at the path above, then ./install"
        print(f"✗ The system refused.\n  {error}\n  Next: {next}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("✗ Stopped by you. What was begun is cleared up; ./install goes on from here.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
