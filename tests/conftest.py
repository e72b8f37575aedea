"""What the tests of several phases share."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypeVar

import httpx
import psutil
import pytest
from python_on_whales.exceptions import DockerException
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    retry_if_not_result,
    stop_after_delay,
    wait_fixed,
)

from lab import lifecycle
from lab.config import Lab
from measure.base.files import ROOT, cache_folder
from measure.base.platforms import PLATFORMS, native_platform
from measure.build import choosing
from measure.build.engine import STILLBORN, Engine, image_ids
from measure.build.images import load_into_engine, stop_clients, tag
from measure.run import probe
from measure.run.step import provide_bases
from measure.steps.compose import RECOMMENDED, Step, Variant, all_measured
from tests import together

#: The platform that images are started on by tests that need one alone: this machine's own. And another one.
NATIVE = native_platform()
OTHER = next(platform for platform in PLATFORMS if platform != NATIVE)
#: For what surrounds a container: natively for everybody, emulated in `make test-all`.
ON_BOTH = {
    "argvalues": [NATIVE, pytest.param(OTHER, marks=pytest.mark.arm64)],
    "ids": ["native", "emulated"],
}
#: Options for `docker run`: nothing can be written but below /tmp, and there is no right that root has.
HARDENED = {
    "read_only": True,
    "tmpfs": [Path("/tmp")],
    "cap_drop": ["ALL"],
    "security_options": ["no-new-privileges"],
}
#: What provokes messages, each in the version whose words messages.toml has; the same tools as someone who commits has.
TOOLS = ["django==5.2.19", "gunicorn==27.0.1", "pip==26.3", "poetry==2.5.1", "poetry-plugin-export==1.10.1",
         "pre-commit==4.7.0", "setuptools==84.2.1", "setuptools-rust==1.13.0", "uv==0.13.9",
         "uvicorn==0.54.0"]  # fmt: skip
Found = TypeVar("Found")


def run(*command: str | Path, cwd: Path = ROOT, seconds: int = 600, **options) -> subprocess.CompletedProcess[str]:
    """Run a command without input, with a bound on its time, and return what it printed."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        **options,
    )


def python_m(module: str, *arguments: str, **options) -> subprocess.CompletedProcess[str]:
    """Run `python -m MODULE ARGUMENT…` as the Makefile does."""
    return run(sys.executable, "-m", module, *arguments, **options)


def program(path: Path, text: str) -> Path:
    """Write a program that stands in for another one; returns its path."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@contextlib.contextmanager
def serving(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[ThreadingHTTPServer]:
    """A server on loopback, at a port that nobody else has, for as long as it is needed."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


def venv_with(packages: list[str], *options: str) -> Path:
    """The programs of a virtual environment with these packages; made once, and kept in the cache.

    The tests' own pip installs them. Bytecode is made of what is imported, and then: to bring a pip and to compile
    everything took half of the time.
    """
    key = hashlib.sha256("\n".join([sys.version, *packages]).encode()).hexdigest()[:16]
    venv = cache_folder() / "step-venvs" / key
    if not (venv / "ready").exists():
        run(sys.executable, "-m", "venv", "--clear", "--without-pip", venv).check_returncode()
        pip = [sys.executable, "-m", "pip", "--python", venv, "install", "--quiet", "--no-compile"]
        installed = run(*pip, *options, *packages)
        assert installed.returncode == 0, installed.stderr
        (venv / "ready").touch()
    return venv / "bin"


def eventually(asked: Callable[[], Found], seconds: float = 120, told: Callable[[], str] = lambda: "") -> Found:
    """What `asked` returns, as soon as that is true: it is asked again until then, `seconds` at most.

    For all that another process writes, starts or ends in its own time: a busy machine may take its time for it, and
    only what never comes is a fault. Then the test fails, with what was returned last and what `told` says.
    An answer that does not come, and a file that is not there yet, are waited for too.
    """

    def too_late(last: RetryCallState) -> None:
        seen = last.outcome.exception() or last.outcome.result()
        pytest.fail(f"it did not come within {seconds} s; seen last: {seen!r}\n{told()}")

    retry = retry_if_not_result(bool) | retry_if_exception_type((httpx.TransportError, FileNotFoundError))
    return Retrying(retry=retry, stop=stop_after_delay(seconds), wait=wait_fixed(0.1), retry_error_callback=too_late)(
        asked
    )


def left_of_runs(engine: Engine) -> list[str]:
    """What carries the label of runs, containers, networks and volumes, but for what tests beside these have now."""

    def is_left(labels: dict[str, str]) -> bool:
        if together.VARIABLE not in os.environ:  # there is no other phase
            return True
        try:
            owner = psutil.Process(int(labels[probe.LABEL]))
            family = {owner.pid, *(one.pid for one in owner.parents())}
        except (ValueError, psutil.NoSuchProcess):
            return True
        return os.getpid() in family or os.getppid() not in family

    mine, docker, left = [("label", probe.LABEL)], engine.docker, []
    listed = [(one, lambda one: one.config.labels) for one in docker.container.list(all=True, filters=mine)]
    others = [*docker.network.list(filters=mine), *docker.volume.list(filters=mine)]
    for one, labels_of in [*listed, *((one, lambda one: one.labels) for one in others)]:
        try:
            if is_left(labels_of(one)):
                left.append(one.name)
        except DockerException as error:  # a test beside removed it since it was listed: it is not left
            if not re.search("No such|not found", str(error)):
                raise
    return left


def fresh_clone(folder: Path) -> Path:
    """Clone the repository into a new folder, uncommitted changes and new files included."""
    run("git", "clone", "--quiet", ROOT, folder).check_returncode()
    changed = run("git", "diff", "--name-only", "--diff-filter=d", "HEAD").stdout.split()
    for name in changed + run("git", "ls-files", "--others", "--exclude-standard").stdout.split():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


@contextlib.contextmanager
def changed(path: Path, old: str, new: str) -> Iterator[None]:
    """A file with `old`, which it must contain, replaced by `new`, for a while."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    try:
        yield
    finally:
        path.write_text(text)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The engine that `make step-1` would use, the lab brought up if need be; in the end it is as it was."""
    lab, environment, chosen = Lab.from_environment(), dict(os.environ), []
    variants = [
        (step, variant, platform) for step in all_measured() for variant in step.variants for platform in PLATFORMS
    ]
    names = {tag(*one) for one in variants}

    def begin() -> tuple[bool, list[str]]:
        was_up = lifecycle.healthy(lab)
        chosen.append(choosing.choose())
        return was_up, sorted(image_ids(chosen[0], names))  # the user's own, who has run make step-1

    def end(before: tuple[bool, list[str]]) -> None:
        was_up, there = before
        chosen[0].docker.image.remove([*{*image_ids(chosen[0], names)} - {*there}], force=True)
        if not was_up:
            lifecycle.down(lab)

    try:
        with together.as_it_was(begin, end):
            chosen = chosen or [choosing.choose()]
            yield chosen[0]
    finally:
        os.environ.clear()
        os.environ.update(environment)


def marks(variant: Variant, platform: str = NATIVE) -> list[pytest.MarkDecorator]:
    """What keeps an image out of `make test`: that nobody recommends it, its base, or that it would be emulated."""
    wanted = {
        "study": variant.name != RECOMMENDED,
        "alpine": any("alpine" in name for name in variant.external_images),
        "arm64": platform != NATIVE,
    }
    return [getattr(pytest.mark, name) for name, is_so in wanted.items() if is_so]


#: Builds at once: one more than two processors have, because a build also waits for disk and package index.
BUILDS = 3
#: Seconds that the first test with an image may take, which waits for the images of all, and the first with an engine,
#: which waits for the lab and a base image: from nothing, emulated, on a machine that is busy with something else.
ALL_BUILT = 9000
Case = tuple[Step, Variant, str]


def _cases(items: list[pytest.Item]) -> dict[tuple[str, str, str], Case]:
    """What the tests are parametrized with that is an image: step, variant and platform. Emulated builds come first."""
    found = {}
    for item in items:
        parameters = getattr(item, "callspec", None) and item.callspec.params
        if parameters and parameters.keys() >= {"step", "variant", "platform"} and "image" in item.fixturenames:
            step, variant, platform = (parameters[name] for name in ("step", "variant", "platform"))
            found[step.name, variant.name, platform] = step, variant, platform
    return dict(sorted(found.items(), key=lambda case: case[0][2] == NATIVE))


def pytest_addoption(parser: pytest.Parser) -> None:
    """What a run of everything that goes on where it was stopped need not run again."""
    parser.addoption("--left-out", metavar="FILE", help="leave out the tests that this file names, one on each line")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what `--left-out` names."""
    if file := config.getoption("left_out"):
        names = set(Path(file).read_text().splitlines())
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in names])
        items[:] = [item for item in items if item.nodeid not in names]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """A test waits for its turn before its time begins to run."""
    alone, next_alone = (one is not None and one.get_closest_marker("alone") is not None for one in (item, nextitem))
    with together.turn(alone=alone, next_alone=next_alone):
        return (yield)


def pytest_configure(config: pytest.Config) -> None:
    """All that the tests start, and interrupt, can be interrupted; and what is registered for nobody to leave out."""
    together.hear_interrupts()
    config.addinivalue_line("markers", "alone: asks how fast it is, or changes what others need")


def pytest_collection_finish(session: pytest.Session) -> None:
    """The first test that needs an engine, or an image, has the time to make what all need."""
    for name in ("engine", "image"):
        if first := next((item for item in session.items if name in getattr(item, "fixturenames", ())), None):
            first.add_marker(pytest.mark.timeout(ALL_BUILT), append=False)


def _build_all(engine: Engine, cases: dict[tuple[str, str, str], Case]) -> dict[tuple[str, str, str], str]:
    """Build images, some at a time, and tell of each; returns the names of those that could be built."""
    provide_bases(engine, [case[1:] for case in cases.values()])
    begun, built = time.monotonic(), {}
    with ThreadPoolExecutor(BUILDS) as pool:
        building: dict[Future, tuple[str, str, str]] = {
            pool.submit(load_into_engine, engine, *case): key
            for key, case in cases.items()
            if not case[1].teaching.fails_with
        }
        try:
            for number, future in enumerate(as_completed(building), start=1):
                key, failed = building[future], future.exception()
                if not failed:
                    built[key] = future.result()
                what = f"{number} of {len(building)} images, {time.monotonic() - begun:.0f} s: {' '.join(key)}"
                print(f"  {what}{' failed' if failed else ''}", flush=True)
        except BaseException:  # Ctrl-C, or no time left: nothing more is begun, and what runs is ended
            pool.shutdown(wait=False, cancel_futures=True)
            stop_clients()
            raise
    return built


@pytest.fixture(scope="session")
def image(engine, request):
    """Builds a variant for a platform into the engine, once, and returns the image's name.

    Those that tests are parametrized with are built before, some at a time. A build that fails is tried again, and
    fails, in the test that needs it.
    """
    cases = {key: case for key, case in _cases(request.session.items).items() if case[2] in engine.platforms}
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(flush=True)  # it takes minutes: what is built is told as it comes
        built = _build_all(engine, cases)

    def build(step: Step, variant: Variant, platform: str) -> str:
        key = (step.name, variant.name, platform)
        if key not in built:
            provide_bases(engine, [(variant, platform)])
            built[key] = load_into_engine(engine, step, variant, platform)
        return built[key]

    return build


@pytest.fixture(scope="session")
def docker(engine):
    """Runs the engine's docker client; once more when runc lost a container's first process before it began."""
    client = engine.docker.client_config.client_call[0]

    def call(*words: str, seconds: int = 600, **options):
        done = run(client, *words, seconds=seconds, **options)
        if done.returncode == 0 or STILLBORN not in done.stderr:
            return done
        for container in done.stdout.split() if words[0] == "run" else ():  # its ID, when it was to be detached
            run(client, "rm", "--force", "--volumes", container)
        return run(client, *words, seconds=seconds, **options)

    return call


def everything_in(docker, tag: str) -> bytes:
    """All that an image ships: history, configuration and the content of every layer, unpacked."""
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "saved.tar"
        docker("save", "--output", str(saved), tag).check_returncode()
        subprocess.run(["tar", "--extract", "--file", saved], cwd=folder, check=True)
        (manifest,) = json.loads((Path(folder) / "manifest.json").read_text())
        content = b""
        for name in (manifest["Config"], *manifest["Layers"]):
            data = (Path(folder) / name).read_bytes()
            content += gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    return content + docker("history", "--no-trunc", tag).stdout.encode()
