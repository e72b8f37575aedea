"""A reader's image, started and stopped, and the seconds that its build takes."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from measure.base import dockerfiles
from measure.base.dockerfiles import Dockerfile
from measure.base.errors import Problem, say
from measure.base.files import cache_folder
from measure.base.names import RUN_LABEL
from measure.base.platforms import native_platform
from measure.mine import building
from measure.mine.archives import read_archive
from measure.mine.building import Client, Source
from measure.mine.context import ignore_file_of, sent_files
from measure.mine.model import Floor, LineTime, Started, Timed, plain

#: Seconds that a container has to be healthy or to answer, and that it has to end after SIGTERM.
PATIENCE, GRACE = 30.0, 10
#: Seconds after which what neither answers nor ends is said to run.
RUNS = 8.0
#: A build context that is copied for an edit, at most.
_MOST_BYTES = 2_000_000_000
_COPYING = ("RUN", "COPY", "ADD", "WORKDIR")
_STEP = re.compile(r"^#(\d+) \[(?:\S+/\S+ )?(?:(?P<stage>[^\s\]]+) )?(?P<number>\d+)/(?P<count>\d+)\] ")
_DONE = re.compile(r"^#(\d+) DONE (\d+\.\d+)s$")
_CACHED = re.compile(r"^#(\d+) CACHED$")


def _look(docker: Client, container: str) -> dict[str, Any]:
    return json.loads(docker.ask("inspect", container) or "[{}]")[0]


def _answers(port: int) -> int | None:
    """The status of the answer on a port of this machine; None without one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _seen(docker: Client, container: str, begun: float) -> tuple[str, bool]:
    """What a container is seen to do first, in words, and whether that is what it is for."""
    while True:
        passed = time.monotonic() - begun
        found = _look(docker, container)
        state = found.get("State") or {}
        if state.get("Status") in ("exited", "dead"):
            code = state.get("ExitCode")
            lines = docker.ask("logs", "--tail", "1", container).splitlines()
            said = f": {plain(lines[-1], 120)}" if code and lines else ""
            return f"ends with exit code {code}{said}", code == 0
        health = (state.get("Health") or {}).get("Status")
        if health in ("healthy", "unhealthy"):
            return health, health == "healthy"
        ports = (found.get("NetworkSettings") or {}).get("Ports") or {}
        for name, bound in ports.items() if not health else ():
            if bound and name.endswith("/tcp") and (status := _answers(int(bound[0]["HostPort"]))):
                return f"answers on {name} with status {status}", status < 500
        if passed > (PATIENCE if health else RUNS):
            return f"runs after {passed:.0f} s, and is not seen to answer", not health
        time.sleep(0.05)


def start(docker: Client, image: str) -> Started:
    """Start an image, see what it does, and stop it. Only this machine can reach its ports."""
    settings = json.loads(docker.ask("image", "inspect", image) or "[{}]")[0].get("Config") or {}
    ports = [word for port in settings.get("ExposedPorts") or () for word in ("--publish", f"127.0.0.1::{port}")]
    name = image.replace(":", "-")
    command = [*docker.command, "run", "--detach", "--pull", "never", "--name", name]
    begun = time.monotonic()
    try:
        label = ["--label", f"{RUN_LABEL}={os.getpid()}"]
        done = subprocess.run(
            [*command, *label, *ports, image], stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [""]
            return Started(told=f"does not start: {plain(lines[0], 200)}", works=False, seconds=0, stop_seconds=None)
        told, works = _seen(docker, name, begun)
        seconds = time.monotonic() - begun
        if told.startswith("ends"):
            return Started(told=told, works=works, seconds=seconds, stop_seconds=None)
        begun = time.monotonic()
        docker.ask("stop", "-t", str(GRACE), name)  # newer clients call --time otherwise
        stopped = time.monotonic() - begun
        killed = (_look(docker, name).get("State") or {}).get("ExitCode") == 137
        return Started(told=told, works=works, seconds=seconds, stop_seconds=stopped, killed=killed)
    finally:
        docker.ask("rm", "--force", "--volumes", name)


def floor(docker: Client, source: Source) -> Floor:
    """What an image looks at from its start to its end. Raises Problem without a clone, and for another platform."""
    try:
        from measure.studies.floor.yours import floor_of
    except ModuleNotFoundError:
        raise Problem(
            "--floor needs a clone of the repository.",
            why="What traces an image is not installed with this command.",
            next="make mine DIR=FOLDER ARGS=--floor  # in the clone",
        ) from None
    if source.on != native_platform():
        raise Problem(
            f"--floor runs the image, and this machine is no {source.on}.", next="the same command without --platform"
        )
    with building.built(source) as archive, building.loaded(docker, source) as image:
        found = floor_of(image, read_archive(archive)[0], source.dockerfile, say)
    contents = found.floor.contents
    return Floor(
        answered={one.question: one.status for one in found.run.answered},
        healthy=found.run.healthy[0],
        file_bytes=contents.file_bytes,
        files=contents.files,
        transfer_bytes=found.floor.transfer_bytes,
        unpacked_tar_bytes=found.floor.unpacked_tar_bytes,
        untouched_bytes=found.untouched_bytes,
        untouched={plain(one.name, 200): one.bytes for one in found.untouched},
    )


def _vertex_lines(dockerfile: Dockerfile) -> dict[str, list[dockerfiles.Instruction]]:
    """By the builder's name of a stage, its instructions that the builder counts."""
    stages = dockerfile.stages
    return {
        stage.name or (f"stage-{number}" if len(stages) > 1 else ""): [
            one for one in stage.instructions if one.word in _COPYING
        ]
        for number, stage in enumerate(stages)
    }


def line_seconds(dockerfile: Dockerfile, log: list[str]) -> dict[int, float | None]:
    """Seconds of each line, by the number of its first one; None for one from the cache. Of the builder's plain log."""
    lines = _vertex_lines(dockerfile)
    at: dict[str, int] = {}
    found: dict[int, float | None] = {}
    for text in log:
        if match := _STEP.match(text):
            own = lines.get((match["stage"] or "").lower(), [])
            number = int(match["number"]) - 1 - (int(match["count"]) - len(own))  # FROM is counted too
            if 0 <= number < len(own):
                at[match[1]] = own[number].first
        elif (match := _DONE.match(text)) and match[1] in at:
            found[at[match[1]]] = float(match[2])
        elif (match := _CACHED.match(text)) and match[1] in at:
            found[at[match[1]]] = None
    return found


def _edited_file(files: list[tuple[str, int]], folder: Path) -> str:
    """The file that is edited: the code that was changed last, tests apart."""
    code = [path for path, _ in files if path.endswith(".py") and not re.search(r"(^|/)(tests?|setup\.py)(/|$)", path)]
    if not (code := code or [path for path, size in files if size]):
        raise Problem("The build context has no file that could be edited.", next="the same command without --time")
    return max(code, key=lambda path: ((folder / path).stat().st_mtime, path))


@contextlib.contextmanager
def _copied(source: Source) -> Iterator[tuple[Source, str]]:
    """A copy of the build context, and the file in it that is to be edited. The reader's own files stay as they are."""
    files = sent_files(source.folder, source.dockerfile)
    if sum(size for _, size in files) > _MOST_BYTES:
        raise Problem(
            f"{source.folder} offers more than {_MOST_BYTES // 10**9} GB to the builder.",
            why="An edit is timed in a copy of it.",
            next="the same command without --time, and an ignore file first",
        )
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="mine-") as place:
        folder = Path(place) / "context"
        folder.mkdir()
        for path, _ in files:
            to = folder / path
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source.folder / path, to, follow_symlinks=False)
        dockerfile = Path(place) / source.dockerfile.name
        shutil.copy(source.dockerfile, dockerfile)
        if ignore := ignore_file_of(source.folder, source.dockerfile):
            shutil.copy(ignore, dockerfile.with_name(f"{dockerfile.name}.dockerignore"))
        yield replace(source, folder=folder, dockerfile=dockerfile), _edited_file(files, source.folder)


def _why(dockerfile: Dockerfile, seconds: dict[int, float | None], edited: str) -> dict[int, str]:
    """Why lines did not come from the cache after an edit: the first of a stage for its files, others for that one."""
    found: dict[int, str] = {}
    for stage in dockerfile.stages:
        first = 0
        for one in stage.instructions:
            if seconds.get(one.first) is None:
                continue
            copied = "--from" in one.value and one.word == "COPY"
            if first:
                found[one.first] = f"line {first} before it changed"
            elif copied:
                found[one.first] = "it copies from a stage that changed"
            else:
                found[one.first] = f"{edited} is among what it reads"
            first = first or one.first
    return found


def timed(source: Source) -> Timed:
    """Seconds of a build without a cache, and of one after an edit of one line. Cache mounts are left as they are."""
    docker = building.client_of(source)
    dockerfile = dockerfiles.read(source.dockerfile, dict(source.args))
    with _copied(source) as (copy, edited), tempfile.TemporaryDirectory(dir=cache_folder(), prefix="mine-") as place:
        into = ("--output", f"type=oci,dest={place}/image.tar")
        say("building with nothing from the cache")
        cold_log: list[str] = []
        begun = time.monotonic()
        building.build(docker, copy, *into, "--no-cache", log=cold_log)
        cold = time.monotonic() - begun
        with (copy.folder / edited).open("a") as file:
            file.write(f"\n# {os.urandom(4).hex()}\n")
        say(f"building after an edit of {edited}")
        log: list[str] = []
        begun = time.monotonic()
        building.build(docker, copy, *into, log=log)
        edit = time.monotonic() - begun
    cold_of, edit_of = line_seconds(dockerfile, cold_log), line_seconds(dockerfile, log)
    why = _why(dockerfile, edit_of, edited)
    by_line = {one.first: one for one in dockerfile.structure}
    lines = [
        LineTime(
            where=f"{source.dockerfile.name}:{number}",
            instruction=plain(f"{by_line[number].word} {by_line[number].value}", 200),
            cold_seconds=seconds or 0.0,
            edit_seconds=edit_of.get(number),
            why=why.get(number, ""),
        )
        for number, seconds in sorted(cold_of.items())
    ]
    return Timed(cold_seconds=cold, edit_seconds=edit, edit_part=edit / cold, edited=edited, lines=lines)
