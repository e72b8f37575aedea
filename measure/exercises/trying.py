"""Try what the reader has: build it, weigh it, start it, ask it, stop it. All of it within bounds of time and space."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from isal import igzip
from python_on_whales import Container
from python_on_whales.exceptions import DockerException

from measure.base import dockerfiles
from measure.base.errors import Problem
from measure.base.files import ROOT, cache_folder, check_disk, shown
from measure.base.names import EXERCISE_LABEL
from measure.base.platforms import PLATFORMS, native_platform
from measure.base.progress import Task, aside, pause
from measure.base.units import megabytes
from measure.build.engine import Engine
from measure.build.images import BuildError, build_text, export_text, load_text, stop_clients
from measure.build.layout import blob, keep, layout, layout_in_use
from measure.exercises.model import Exercise
from measure.mine.archives import read_archive
from measure.mine.context import context_of
from measure.mine.lines import origin_of
from measure.mine.model import Context, Report
from measure.mine.reporting import report_of
from measure.mine.running import line_seconds
from measure.run.probe import check_near, comes_to, is_healthy, last_lines, remove_orphans, running
from measure.steps.compose import Step, Variant, stepless
from measure.weigh.oci import Opened

#: Seconds that a build may take, that a container has until it answers, and that one request may take; and after which
#: one that has not answered is looked at.
BUILD_S, ANSWER_S, REQUEST_S, LOOK_S = 600, 8.0, 3.0, 0.5
#: What a container may take: of memory, of processes, of one file on disk (bytes).
BOUNDS = {
    "memory": "512m",
    "memory_swap": "512m",
    "pids_limit": 256,
    "ulimit": ["fsize=268435456"],
    "log_options": ["max-size=10m"],
}
#: What a container may write into its own layer, in bytes.
DISK_BYTES = 500_000_000
#: Seconds of builds from nothing that this process has seen, by Dockerfile and list of packages.
_COLD: dict[tuple[str, str], dict[int, float]] = {}
#: What a build is given as its secret. It is searched for in the image.
SECRET = "workshop-4f1d9c0e7a"  # noqa: S105 - nobody's


@dataclass
class Started:
    """What a container did."""

    #: Status and text of the answer, by path; a missing one did not come.
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)
    #: What it said last, where it ended or did not answer, and why.
    trouble: str = ""
    logs: str = ""
    #: Seconds until its health check succeeded, and from SIGTERM to its end; None: not within the bound.
    healthy_s: float | None = None
    stopped_s: float | None = None


@dataclass
class Tried:
    """What was found out about the reader's image."""

    context: Context
    requirements: str = ""
    #: Where each instruction of the Dockerfile stands, like Dockerfile:3.
    where: dict[str, str] = field(default_factory=dict)
    failure: BuildError | None = None
    report: Report | None = None
    paths: list[str] = field(default_factory=list)
    started: Started | None = None
    #: Seconds of the builder by line of the Dockerfile: from nothing, and again after one more line in a file.
    cold: dict[int, float] = field(default_factory=dict)
    again: dict[int, float] = field(default_factory=dict)
    #: Stages that do not build, and why.
    targets: dict[str, BuildError | None] = field(default_factory=dict)
    #: Where the secret is to be read.
    leaks: list[str] = field(default_factory=list)
    seconds: float = 0.0


@contextlib.contextmanager
def _bounded(what: str) -> Iterator[None]:
    """What builds in here is stopped after BUILD_S. Raises Problem then."""
    late = threading.Event()
    timer = threading.Timer(BUILD_S, lambda: (late.set(), stop_clients()))
    timer.daemon = True
    timer.start()
    try:
        yield
    except BuildError as error:
        if not late.is_set():
            raise
        why = f"It was stopped while it did this:\n{error.tail[-1] if error.tail else ''}\nA server belongs into CMD."
        raise Problem(f"{what} takes longer than {BUILD_S} s.", why=why, next="make hint") from None
    finally:
        timer.cancel()


def platform_of(exercise: Exercise) -> str:
    """The platform that it is built for."""
    native = native_platform()
    return next(one for one in PLATFORMS if one != native) if exercise.check.platform else native


def remove_images(engine: Engine, kept: Set[str] = frozenset()) -> None:
    """Remove the images of this folder's exercises, but for those with these names."""
    images, own = engine.docker.image, [("label", f"{EXERCISE_LABEL}={ROOT}")]
    images.remove([tag for one in images.list(filters=own) for tag in {*one.repo_tags} - kept], force=True)
    images.prune(filters=own)  # the one that had the name before


class Trial:
    """An exercise's folder, tried on an engine. To be used in `with`: the container goes in the end, and its image.

    That takes half a second, and a verdict need not wait for it.
    """

    #: Does the image stay, for the next try? Then the engine has its layers, and need not unpack them again: 1 s of 3.
    #: It goes when another exercise is tried.
    keep = False

    def __init__(self, engine: Engine, exercise: Exercise, folder: Path, task: Task) -> None:
        self.engine, self.exercise, self.folder, self.task = engine, exercise, folder, task
        self.check, self.goals = exercise.check, exercise.check.goals
        self.platform = platform_of(exercise)
        self.dockerfile = folder / "Dockerfile"
        self.name = f"exercise:{exercise.name}"  # of its image, in the engine's store
        if not self.dockerfile.is_file():
            why = f"The builder looks for it in {folder}."
            again = f"cp {shown(exercise.folder)}/start/Dockerfile {shown(folder)}/"
            raise Problem("There is no file called Dockerfile.", why=why, next=again)
        # Read once: an editor may write while it is built.
        self.parsed = dockerfiles.read(self.dockerfile)
        self.text = self.parsed.text

    def __enter__(self) -> Trial:
        self._left = contextlib.ExitStack()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.close()
        remove_images(self.engine, {self.name} if self.keep else set())

    def _settings(self, folder: Path) -> dict[str, Any]:
        """Of a build: where it is, and the secret where the exercise has one, both ways."""
        found: dict[str, Any] = {"context": folder}
        if self.goals.secret:
            file = cache_folder() / "workshop" / "token"
            file.parent.mkdir(exist_ok=True)
            file.write_text(SECRET)
            found |= {"args": {"TOKEN": SECRET}, "secret": [f"id=token,src={file}"]}
        return found

    def run(self, *, start: bool = True) -> Tried:
        """All that the goals ask for; `start`: it is started, too. Raises Problem for what is no fault of the image."""
        begun = time.monotonic()
        check_near(self.engine)
        check_disk(cache_folder())
        remove_orphans(self.engine)
        requirements = self.folder / "requirements.txt"
        text = requirements.read_text(errors="replace") if requirements.is_file() else ""
        lines = {
            " ".join(f"{one.word} {one.value}".split()): f"Dockerfile:{one.first}" for one in self.parsed.structure
        }
        found = Tried(context_of(self.folder, self.dockerfile), text, lines)
        try:
            self.parsed.check()
            self.engine.provide(self.parsed.external_images, [self.engine.platform, self.platform])
            with layout_in_use():
                self._build(found, start=start and not self.check.platform)
            for target in self.goals.targets:
                found.targets[target] = self._target(target)
        except BuildError as error:
            found.failure = error
        found.seconds = time.monotonic() - begun
        return found

    def _build(self, found: Tried, *, start: bool) -> None:
        """Into the engine's store; from there it is started, while the layout gets it, too, and it is weighed."""
        settings, at = self._settings(self.folder), self.task.at

        def started() -> None:
            if start:
                found.started = self._start()

        if start:
            with _bounded("The build"):
                load_text(self.engine, self.text, self.name, at, labels={EXERCISE_LABEL: str(ROOT)}, **settings)
        with aside(started) as side:
            with _bounded("The build"):
                digest = export_text(self.engine, self.text, self.platform, at, **settings)
            image, platform, _ = read_archive(layout(), digest.removeprefix("sha256:"), self.platform)
            found.report = report_of(image, platform, self.parsed, None, found.context)
            found.paths = [path for path, node in image.files.walk() if node.kind != "directory"]
        side.result()
        keep(Step(self.exercise.name, self.folder), self._variant(), self.platform, digest)
        if self.goals.secret:
            own = image.described[origin_of(image, self.parsed, None).base_layers :]
            found.leaks = _leaks(image, [layer["digest"] for layer in own])
        if self.goals.again_part is not None:
            self._build_again(found)

    def _build_again(self, found: Tried) -> None:
        """Build a copy with nothing cached, once in a run for a Dockerfile and its list, and after one more line."""

        def seconds(what: str, **settings: object) -> dict[int, float]:
            self.task.at(what)
            log = build_text(self.engine, self.text, lambda _: None, **self._settings(copy), **settings)
            return {line: spent for line, spent in line_seconds(self.parsed, log).items() if spent}

        with tempfile.TemporaryDirectory(prefix="measure-") as other:
            copy = Path(other) / "copy"
            shutil.copytree(self.folder, copy, symlinks=True)
            key = (self.text, found.requirements)
            found.cold = _COLD[key] = _COLD.get(key) or seconds("from nothing", **{"no-cache": True})
            with (copy / self.check.edit).open("a") as file:
                file.write(f"# {time.time_ns()}\n")
            found.again = seconds(f"with one more line in {self.check.edit}")

    def _target(self, target: str) -> BuildError | None:
        """Why a stage does not build; None where it does."""
        self.task.at(f"stage {target}")
        if target not in [stage.name for stage in self.parsed.stages]:
            return BuildError(1, [f"There is no stage called {target}."])
        try:
            with _bounded(f"The stage {target}"):
                build_text(self.engine, self.text, self.task.at, target=target, **self._settings(self.folder))
        except BuildError as error:
            return error
        return None

    def _variant(self) -> Variant:
        """The folder, as what starts images knows one."""
        return stepless(self.exercise.name, "exercise", self.dockerfile, 8000)

    def _start(self) -> Started:
        """Start it, ask it, stop it."""
        self.task.at("starting it")
        found, options = Started(), dict(BOUNDS)
        if self.check.read_only:
            options |= {"read_only": True, "tmpfs": [Path("/tmp")]}  # noqa: S108 - inside the container
        try:
            run = running(self.engine, self.name, self._variant(), self.platform, **options)
            container, url = self._left.enter_context(run)
            begun = time.monotonic()
            for path in self.goals.answers:
                if found.trouble:
                    break
                if (answer := _ask(container, f"{url}{path}", found)) is not None:
                    found.answers[path] = answer
            if self.goals.healthy_s is not None and not found.trouble:
                self.task.at("waiting for its health check")
                found.healthy_s = comes_to(container, is_healthy, self.goals.healthy_s, begun)
            if self.goals.stops_s is not None and not found.trouble:
                self.task.at("stopping it with SIGTERM")
                begun = time.monotonic()
                container.kill("SIGTERM")
                found.stopped_s = comes_to(container, lambda state: not state.running, self.goals.stops_s, begun)
            found.logs = found.logs or last_lines(container)
        except Problem as problem:
            found.trouble, found.logs = "it ended at once", problem.why
        except DockerException as error:
            found.trouble, found.logs = "it does not start", "\n".join((error.stderr or "").splitlines()[-3:])
        return found


def _ask(container: Container, url: str, found: Started) -> tuple[int, str] | None:
    """Status and text of an answer; None, with what the trouble is, when none comes within ANSWER_S."""
    begun = looked = time.monotonic()
    last = "nothing listens there"
    # One client: to make one reads all certificates.
    with httpx.Client(timeout=REQUEST_S, trust_env=False) as client:
        while time.monotonic() - begun < ANSWER_S:
            try:
                answer = client.get(url)
                return answer.status_code, answer.text[:100_000]
            except httpx.TimeoutException:
                last = "it takes the request and says nothing"
            except httpx.TransportError:
                pause(0.05)
            if time.monotonic() - looked > LOOK_S:
                looked = time.monotonic()
                if trouble := _trouble(container):
                    found.trouble, found.logs = trouble, last_lines(container)
                    return None
    found.trouble, found.logs = f"no answer within {ANSWER_S:.0f} s: {last}", last_lines(container)
    return None


def _trouble(container: Container) -> str:
    """Why no answer of a container is worth waiting for; '' where one may come."""
    container.reload()
    state = container.state
    if not state.running:
        ate = f"it took more than {BOUNDS['memory']} of memory, and was killed"
        return ate if state.oom_killed else f"it ended with exit code {state.exit_code}"
    return f"it wrote more than {megabytes(DISK_BYTES)} to its disk" if _written(container) > DISK_BYTES else ""


def _written(container: Container) -> int:
    """Bytes that a container has in its own layer; what it deleted does not count. 0 when it has just gone."""
    words = ["container", "inspect", "--size", "--format", "{{.SizeRw}}", container.id]
    told = subprocess.run([*container.client_config.docker_cmd, *words], capture_output=True, text=True).stdout
    return int(told) if told.strip().isdigit() else 0


def _leaks(image: Opened, own: list[str]) -> list[str]:
    """Where the secret can be read: the configuration with the history, and the layers with these digests."""
    found = ["the image's history or configuration"] if SECRET in json.dumps(image.config) else []
    for digest in own:
        with igzip.open(blob(digest), "rb") as stream:
            tail = b""
            while data := stream.read(1 << 20):
                if SECRET.encode() in tail + data:
                    found.append(f"the layer {digest[7:19]}")
                    break
                tail = data[-len(SECRET) :]
    return found
