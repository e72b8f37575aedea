"""How small could an image be? The files that its application looks at, from start to stop, are its floor.

The image runs under strace, as itself and natively: it starts, is asked on every route, answers its health check, loses
what it depends on, and stops. strace comes in a volume with its own loader and libraries, so that it runs in an image
that has none, and none of its files is the image's. Then an image of just the files that were looked at is built, and
has to do the same.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
import subprocess
import tarfile
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from python_on_whales import Container, DockerClient
from python_on_whales.exceptions import DockerException
from tenacity import RetryError

from measure.base import progress
from measure.base.dockerfiles import external_images
from measure.base.errors import Problem, say
from measure.base.files import cache_folder, check_disk, shown, write_whole
from measure.base.platforms import native_platform
from measure.build import images as builder
from measure.build.engine import Engine, describe
from measure.build.images import BuildError
from measure.build.layout import blob, layout, layout_in_use, tidy
from measure.record.records import as_json, save_environment, writing
from measure.run import probe
from measure.run.step import provenance
from measure.steps.compose import Step, Variant, all_steps
from measure.steps.inputs import inputs_of
from measure.studies.floor.model import (
    Answered,
    Floor,
    Weight,
    chosen,
    command,
    findings,
    load,
    record_path,
)
from measure.studies.floor.table import floors_table, untouched_table
from measure.studies.floor.trace import Look, Touched, interpreter, looks
from measure.tell.table import out
from measure.weigh.filesystem import FileSystem
from measure.weigh.layers import LayerFacts, layer_facts
from measure.weigh.oci import Image, manifest_of

#: How many of the largest things that nothing looks at are recorded.
MOST = 10
#: Where strace is in a container, and writes to.
TRACER = "/tracer"
#: The images that are made here and removed again have these names, and the number of this process as their tag.
TRACER_IMAGE, FLOOR_IMAGE = "measure-tracer", "measure-floor"
TRACER_BASE = "debian:trixie-slim"
TRACER_DOCKERFILE = f"""FROM {TRACER_BASE}
RUN apt-get update && apt-get install -y --no-install-recommends strace && rm -rf /var/lib/apt/lists/*
RUN mkdir -p {TRACER}/lib && install -d -m 1777 {TRACER}/out && cp /usr/bin/strace {TRACER} \\
    && ldd /usr/bin/strace | grep -oP '\\s\\K/\\S+' | xargs cp -L -t {TRACER}/lib \\
    && mv {TRACER}/lib/ld-linux-* {TRACER}/loader
"""
#: Prints the routes of a Flask application that is given as MODULE:NAME.
ROUTES = """import importlib, json, sys
module, _, name = sys.argv[1].partition(":")
rules = getattr(importlib.import_module(module), name).url_map.iter_rules()
print(json.dumps(sorted([method, rule.rule] for rule in rules for method in rule.methods)))
"""
#: Sends SIGTERM to what strace started first: the process whose trace has the lowest number.
STOP = f"""import glob, os, signal
first = min(int(name.rpartition(".")[2]) for name in glob.glob("{TRACER}/out/app.*"))
os.kill(first, signal.SIGTERM)
"""
#: A query that makes no sense to any route, and a page that no application has: what fails has files of its own.
NONSENSE = "?n=nonsense"
NOWHERE = "/no/such/page"
#: The engine puts files of its own over these in each container, so that nothing looks at the image's (see Docker's
#: documentation of --hostname, --add-host and --dns).
OF_THE_ENGINE = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}
#: Seconds that a container may take to answer first, to get healthy, or to stop.
PATIENCE = 120
#: What to type when a container does not do what it should.
_STATUS = "make lab-status"
#: Of an executable file, as much as has the name of its interpreter in it.
_HEAD = 8192


# What is recorded


def _save(environment: str, floors: list[Floor]) -> None:
    path = record_path(environment)
    expected = [(step.name, variant.name) for step in all_steps() for variant in chosen(step)]
    with writing(path.parent):
        write_whole(path, as_json(load(environment).renewed(floors, expected)))


# How it is found


@dataclass(frozen=True)
class Run:
    """What a container did from its start to its end."""

    answered: list[Answered]
    #: Whether the health check succeeded; once more without what the application depends on. None where there is none.
    healthy: list[bool | None]
    exit_code: int


def _inspect(engine: Engine, image: str) -> dict[str, Any]:
    """What the engine knows of an image in its store (Docker's Engine API, ImageInspect)."""
    asked = [*engine.docker.client_config.docker_cmd, "image", "inspect", image]
    return json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)[0]


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
    if health := config.get("Healthcheck"):
        names = {"Interval": "interval", "Timeout": "timeout", "StartPeriod": "start-period",
                 "StartInterval": "start-interval"}  # fmt: skip
        options = " ".join(f"--{option}={health[key]}ns" for key, option in names.items() if health.get(key))
        lines.append(f"HEALTHCHECK {options} CMD {json.dumps(_health_command(config))}")
    lines += [f"{key.upper()} {json.dumps(config[key])}" for key in ("Entrypoint", "Cmd") if config.get(key)]
    return "\n".join([*lines, ""])


def _health_command(config: dict[str, Any]) -> list[str] | None:
    """The command of an image's health check; None when it has none."""
    kind, *words = (config.get("Healthcheck") or {}).get("Test") or ["NONE"]
    return {"CMD": words, "CMD-SHELL": ["/bin/sh", "-c", *words]}.get(kind)


def application(variant: Variant, config: dict[str, Any]) -> str:
    """What an image serves, as its command names it: MODULE:NAME. Raises Problem when it names none."""
    for word in [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]:
        if re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", word):  # 0.0.0.0:8000 is none
            return word
    raise Problem(
        f"{variant.step}/{variant.name} does not say which application it serves.",
        why="No word of its command has the form MODULE:NAME.",
        next=f"mend {shown(variant.dockerfile)}",
    )


def questions(engine: Engine, image: str, variant: Variant, config: dict[str, Any]) -> list[str]:
    """What an application is asked: each route with each method that it takes, the same with nonsense, and no route.

    The application itself says which routes it has.
    """
    with probe.named_container(engine) as known_as:
        told = engine.docker.run(
            image, ["-c", ROUTES, application(variant, config)], entrypoint="python", pull="never",
            envs=variant.environment | {"PYTHONPATH": "src"}, **known_as,
        )  # fmt: skip
    routes = [(method, re.sub("<[^>]*>", "x", rule)) for method, rule in json.loads(told)]
    asked = [f"{method} {rule}{query}" for query in ("", NONSENSE) for method, rule in routes]
    return [*asked, f"GET {NOWHERE}"]


def exercise(
    engine: Engine,
    container: Container,
    url: str,
    asked: list[str],
    variant: Variant,
    check: Callable[[], bool | None],
) -> tuple[list[Answered], list[bool | None]]:
    """Ask a container everything, and run its health check; if it depends on something, stop that, and do it again.

    Raises Problem, with its last output, when it does not answer.
    """
    try:
        probe.wait_for(url, PATIENCE)
        answered, healthy = _ask(url, asked, ""), [check()]
        if variant.depends_on:
            _stop_neighbours(engine, container)
            answered += _ask(url, asked, ", alone")
            healthy.append(check())
    except (RetryError, httpx.HTTPError) as error:
        why = f"{error}\n{_last_lines(container)}"
        raise Problem(f"{variant.step}/{variant.name} does not answer.", why=why, next=_STATUS) from None
    return answered, healthy


def _last_lines(container: Container) -> str:
    """The end of what a container printed: it is removed when a run ends, so it cannot be asked later."""
    return "\n".join(str(container.logs()).splitlines()[-10:])


def _ask(url: str, asked: list[str], when: str) -> list[Answered]:
    answered = []
    for question in asked:
        method, path = question.split(" ", 1)
        status = httpx.request(method, f"{url}{path}", timeout=60, trust_env=False).status_code
        answered.append(Answered(question=f"{question}{when}", status=status))
    return answered


def _stop_neighbours(engine: Engine, container: Container) -> None:
    """Stop what else is on a container's networks."""
    container.reload()
    for network in container.network_settings.networks:
        for other in engine.docker.container.list(filters=[("network", network)]):
            if other.id != container.id:
                engine.docker.stop(other, time=10)


def _strace(name: str, words: list[str]) -> list[str]:
    """The arguments of the tracer's loader that run a program under strace, with its trace in files of this name."""
    options = ["-ff", "-qq", "-y", "-e", "trace=%file", "-e", "signal=none", "-o", f"{TRACER}/out/{name}"]
    return ["--library-path", f"{TRACER}/lib", f"{TRACER}/strace", *options, "--", *words]


def _sweep(engine: Engine) -> None:
    """Remove the volumes and images that killed runs left."""
    for volume in engine.docker.volume.list(filters=[("label", probe.LABEL)]):
        if not psutil.pid_exists(int(volume.labels[probe.LABEL])):
            engine.docker.volume.remove(volume)
    for tag in made(engine.docker):
        if not psutil.pid_exists(int(tag.rpartition(":")[2])):
            engine.docker.image.remove(tag, force=True)


def made(docker: DockerClient) -> list[str]:
    """The images in an engine that were made here: none, but for those of a run that goes on or was killed."""
    found = (docker.image.list(name) for name in (TRACER_IMAGE, FLOOR_IMAGE))
    return [tag for images in found for image in images for tag in image.repo_tags]


@contextlib.contextmanager
def _own_image(engine: Engine, kind: str) -> Iterator[str]:
    """A name for an image of this process's own. The image is always removed."""
    name = f"{kind}:{os.getpid()}"
    try:
        yield name
    finally:
        if engine.docker.image.exists(name):
            engine.docker.image.remove(name, force=True)


@contextlib.contextmanager
def _tracer(engine: Engine) -> Iterator[str]:
    """A volume with strace and a place for its traces. It is always removed."""
    volume = f"{TRACER_IMAGE}-{uuid.uuid4().hex[:12]}"
    with _own_image(engine, TRACER_IMAGE) as name:
        builder.load_text(engine, TRACER_DOCKERFILE, name)
        try:
            engine.docker.volume.create(volume, labels={probe.LABEL: str(os.getpid())})
            # A volume that is empty takes over what the image has where it is mounted.
            with probe.named_container(engine) as known_as:
                engine.docker.run(name, ["true"], volumes=[(volume, TRACER)], pull="never", **known_as)
            yield volume
        finally:
            if engine.docker.volume.exists(volume):
                engine.docker.volume.remove(volume)


def trace(
    engine: Engine, image: str, variant: Variant, config: dict[str, Any], asked: list[str]
) -> tuple[Run, list[Look]]:
    """Run an image under strace, exercise it, stop it. Returns what it did and looked at.

    Raises Problem when it does not answer, or does not end.
    """
    start = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
    health, loader = _health_command(config), f"{TRACER}/loader"
    with _tracer(engine) as volume, tempfile.TemporaryDirectory(prefix="measure-") as folder:
        options: dict[str, Any] = {"volumes": [(volume, TRACER)], "entrypoint": loader}
        options["command"] = _strace("app", start)
        with probe.running(engine, image, variant, native_platform(), **options) as (container, url):
            check = (lambda: _succeeds(container, [loader, *_strace("health", health)])) if health else lambda: None
            answered, healthy = exercise(engine, container, url, asked, variant, check)
            container.execute(["python", "-c", STOP])
            code = _exit_code(container, image)
            container.copy_from(f"{TRACER}/out", folder)
        found: list[Look] = []
        for path in sorted(Path(folder).rglob("*.*")):
            lines = path.read_text(errors="surrogateescape").splitlines()
            found += looks(lines, config.get("WorkingDir") or "/")
    return Run(answered, healthy, code), found


def _succeeds(container: Container, words: list[str]) -> bool:
    try:
        container.execute(words)
    except DockerException:
        return False
    return True


def _exit_code(container: Container, image: str) -> int:
    """The exit code of a container that was told to stop. Raises Problem when it does not."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        container.reload()
        if not container.state.running:
            return container.state.exit_code
        time.sleep(0.1)
    raise Problem(f"{image} does not stop within {PATIENCE} s of SIGTERM.", why=_last_lines(container), next=_STATUS)


def run_alone(engine: Engine, image: str, variant: Variant, config: dict[str, Any], asked: list[str]) -> Run:
    """Run an image as it is, exercise it, stop it. The engine has to find it healthy by itself, too.

    Raises Problem when it does not answer, does not get healthy, or does not end.
    """
    health = _health_command(config)
    try:
        with probe.running(engine, image, variant, native_platform()) as (container, url):
            if health and not _becomes_healthy(container):
                raise Problem(f"{image} does not get healthy.", why=_last_lines(container), next=_STATUS)
            check = (lambda: _succeeds(container, health)) if health else lambda: None
            answered, healthy = exercise(engine, container, url, asked, variant, check)
            engine.docker.stop(container, time=60)
            return Run(answered, healthy, _exit_code(container, image))
    except DockerException as error:
        why = (error.stderr or str(error)).strip()
        raise Problem(f"{image} does not start.", why=why, next=_STATUS) from None


def _becomes_healthy(container: Container) -> bool:
    """Does the engine's own health check succeed?"""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        container.reload()
        if container.state.health and container.state.health.status == "healthy":
            return True
        time.sleep(0.1)
    return False


def _layers(digest: str) -> list[LayerFacts]:
    """The layers of an image in the layout, which must be in use."""
    layers = manifest_of(layout(), digest)["layers"]
    return [layer_facts(blob(one["digest"])) for one in layers]


def touched_by(files: FileSystem, found: list[Look], exported: tarfile.TarFile) -> Touched:
    """What looks touched of an image; what the kernel opens by itself to execute a file is added.

    The engine's own files, which are in the place of the image's, are not counted.
    """
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


def _weight(image: Image) -> Weight:
    return Weight(
        transfer_bytes=image.transfer_bytes,
        unpacked_tar_bytes=image.unpacked_tar_bytes,
        file_bytes=image.contents.file_bytes,
        files=image.contents.files,
    )


@dataclass(frozen=True)
class Traced:
    """An image that ran under strace: what it was asked and did, what it looked at, and all its files."""

    image: Image
    config: dict[str, Any]
    asked: list[str]
    run: Run
    touched: Touched
    exported: tarfile.TarFile


@contextlib.contextmanager
def traced(engine: Engine, step: Step, variant: Variant, progress: Callable[[str], None]) -> Iterator[Traced]:
    """Build a variant, natively, and run it under strace.

    Raises BuildError when it does not build, Problem when it does not run or when what was weighed is not what ran.
    """
    platform = native_platform()
    with layout_in_use(), tempfile.TemporaryDirectory(prefix="measure-") as folder:
        image = builder.build(engine, step, variant, platform, progress)
        layers = _layers(image.digest)
        loaded = builder.load_into_engine(engine, step, variant, platform)
        about = _inspect(engine, loaded)
        if about["RootFS"]["Layers"] != [layer.diff_id for layer in layers]:
            raise Problem(
                f"{step.name}/{variant.name} was built for the scales and built again to run, and not alike.",
                why="The builder's cache lost a layer in between.",
                next=f"{command(step)}, once more",
            )
        asked = questions(engine, loaded, variant, about["Config"])
        progress("running under strace")
        run, found = trace(engine, loaded, variant, about["Config"], asked)
        exported = Path(folder) / "exported.tar"
        with probe.named_container(engine) as known_as:
            engine.docker.create(loaded, platform=platform, pull="never", **known_as).export(exported)
        with tarfile.open(exported) as archive:
            touched = touched_by(FileSystem(layers), found, archive)
            yield Traced(image, about["Config"], asked, run, touched, archive)


def prove(
    engine: Engine, variant: Variant, of: Traced, names: set[str], progress: Callable[[str], None]
) -> tuple[Image, Run]:
    """Build an image of these files of a traced one alone, weigh it, run it, and exercise it in the same way.

    Raises Problem as `run_alone` does.
    """
    with tempfile.TemporaryDirectory(prefix="measure-") as folder, _own_image(engine, FLOOR_IMAGE) as name:
        pack(of.exported, names, Path(folder) / "floor.tar")
        progress("building what it looked at")
        text = floor_dockerfile(of.config)
        floor = builder.weigh_text(engine, text, None, progress, context=Path(folder))
        builder.load_text(engine, text, name, context=Path(folder))
        progress("running what it looked at")
        return floor, run_alone(engine, name, variant, of.config, of.asked)


def find(engine: Engine, step: Step, variant: Variant, progress: Callable[[str], None]) -> Floor:
    """Find the floor of a variant, natively, and prove it: an image of just these files does the same.

    Raises BuildError when the variant does not build, Problem when it or its floor does not run, or when it was changed
    meanwhile.
    """
    platform, inputs = native_platform(), inputs_of(step, variant, engine.recipe)
    with traced(engine, step, variant, progress) as of:
        floor, alone = prove(engine, variant, of, of.touched.names, progress)
    compare(step, variant, of.run, alone)
    if inputs_of(step, variant, engine.recipe) != inputs:
        raise Problem(f"{step.name}/{variant.name} was changed while it ran under strace.", next=command(step))
    untouched = of.touched.untouched()
    return Floor(
        step=step.name,
        variant=variant.name,
        platform=platform,
        inputs_sha256=inputs.sha256,
        contents_sha256=of.image.contents.sha256,
        image=_weight(of.image),
        floor=_weight(floor),
        answered=alone.answered,
        healthy=alone.healthy[0],
        exit_code=alone.exit_code,
        missing=sorted(of.touched.missing),
        untouched_bytes=sum(one.bytes for one in untouched),
        untouched=untouched[:MOST],
        provenance=provenance(engine, external_images(variant.dockerfile), platform, command(step), of.image.labels),
    )


def compare(step: Step, variant: Variant, traced: Run, alone: Run) -> None:
    """Raise Problem where an image of the floor's files does not do what the whole one does."""
    differ = [
        f"{one.question}: {one.status}, and {other.status} with the floor's files alone"
        for one, other in zip(traced.answered, alone.answered, strict=True)
        if one != other
    ]
    if traced.healthy != alone.healthy:
        differ.append(f"health checks {traced.healthy}, and {alone.healthy} with the floor's files alone")
    if traced.exit_code != alone.exit_code:
        differ.append(f"exit code {traced.exit_code}, and {alone.exit_code} with the floor's files alone")
    if differ:
        raise Problem(
            f"{step.name}/{variant.name} needs more files than those that it was seen to look at.",
            why="\n".join(differ),
            next=f"{command(step)}, once more; a file that is opened now and then has to be provoked",
        )


def measure_floors(engine: Engine, step: Step) -> None:
    """Find and record the floors of a step, and print them. Raises Problem when one cannot be found."""
    if step.experiment:
        raise Problem(f"Nothing in {step.name} is there to run, so it has no floor.", next="make floor-step-4")
    if engine.chosen:
        raise Problem("Floors are found on the engine's own builder.", next=f"{command(step)}, without BUILDER")
    variants, found = chosen(step), []
    check_disk(cache_folder())
    probe.remove_orphans(engine)
    _sweep(engine)
    images = [TRACER_BASE, *(name for variant in variants for name in external_images(variant.dockerfile))]
    engine.provide(list(dict.fromkeys(images)), [native_platform()])
    save_environment(describe(engine))
    for variant in variants:
        with progress.task(f"the floor of {step.name}/{variant.name}") as task:
            try:
                floor = find(engine, step, variant, task.at)
            except BuildError as error:
                why = "\n".join(error.tail)
                raise Problem(f"{variant.name} does not build.", why=why, next=step.command) from None
        found.append(floor)
        _save(engine.environment, [floor])
        say(f"{step.name}/{variant.name}: {len(floor.answered)} questions answered by the floor's files alone")
    tidy()
    out.print(floors_table(found))
    for floor in found:
        out.print(untouched_table(floor))
    for finding in findings(engine.environment, [step]):
        say(f"{finding}. Next: {finding.command}")
    out.print(f"Record: {shown(record_path(engine.environment))}")
