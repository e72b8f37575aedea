"""The smaller image: just the files of an image that were looked at, with the whole one's configuration."""

from __future__ import annotations

import copy
import json
import tarfile
from pathlib import Path
from typing import Any

from measure.studies.floor.trace import Look, Touched, interpreter
from measure.studies.floor.watching import health_command
from measure.weigh.filesystem import FileSystem

#: The engine puts files of its own over these in each container, so that nothing looks at the image's (see Docker's
#: documentation of --hostname, --add-host and --dns).
OF_THE_ENGINE = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}
#: Of an executable file, as much as has the name of its interpreter in it.
_HEAD = 8192


def touched_by(files: FileSystem, found: list[Look], exported: tarfile.TarFile) -> Touched:
    """What looks touched, with what the kernel opens to execute a file; not the engine's files over the image's."""
    touched = Touched(files)
    for look in found:
        touched.add(look)
    done: set[str] = set()
    while waiting := touched.executed - done:
        path = waiting.pop()
        done.add(path)
        member = exported.getmember(path.lstrip("/"))
        content = exported.extractfile(member)
        program = interpreter(content.read(_HEAD)) if content else None
        if program:
            touched.add(Look(program, there=True, executed=True))
    touched.names -= OF_THE_ENGINE
    return touched


def pack(exported: tarfile.TarFile, names: set[str], target: Path) -> None:
    """Write a tar file with these names (absolute paths) of an exported file system, times and owners as they are."""
    packed: set[str] = set()
    with tarfile.open(target, "w") as archive:
        for member in exported:
            name = f"/{member.name.removeprefix('./').strip('/')}"
            if name not in names:
                continue
            content = exported.extractfile(member) if member.isreg() or member.islnk() else None
            if member.islnk() and f"/{member.linkname.strip('/')}" not in packed:
                # A hard link to a name that stays away: the file comes under this one.
                size = exported.getmember(member.linkname).size
                member = copy.copy(member)
                member.size, member.type, member.linkname = size, tarfile.REGTYPE, ""
            elif member.islnk():
                content = None
            archive.addfile(member, content)
            packed.add(name)


def floor_dockerfile(config: dict[str, Any]) -> str:
    """A Dockerfile that puts the files of floor.tar into an empty image, with another image's configuration."""

    def words(value: str) -> str:
        return json.dumps(value, ensure_ascii=False).replace("$", "\\$")

    lines = ["FROM scratch", "ADD floor.tar /"]
    for entry in config.get("Env") or []:
        name, _, value = entry.partition("=")
        lines.append(f"ENV {name}={words(value)}")
    if folder := config.get("WorkingDir"):
        lines.append(f"WORKDIR {folder}")
    if user := config.get("User"):
        lines.append(f"USER {user}")
    lines += [f"EXPOSE {port}" for port in config.get("ExposedPorts") or {}]
    if stop := config.get("StopSignal"):
        lines.append(f"STOPSIGNAL {stop}")
    health, check = config.get("Healthcheck") or {}, health_command(config)
    if check:
        names = {"Interval": "interval", "Timeout": "timeout", "StartPeriod": "start-period",
                 "StartInterval": "start-interval"}  # fmt: skip
        options = " ".join(f"--{option}={health[key]}ns" for key, option in names.items() if health.get(key))
        lines.append(f"HEALTHCHECK {options} CMD {json.dumps(check)}")
    lines += [f"{key.upper()} {json.dumps(config[key])}" for key in ("Entrypoint", "Cmd") if config.get(key)]
    return "\n".join([*lines, ""])
