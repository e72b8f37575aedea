"""What the tests of several phases share."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from lab import lifecycle
from lab.config import Lab
from measure import engine as engines
from measure.build import load_into_engine, stop_clients
from measure.engine import STILLBORN, Engine
from measure.run import provide_bases
from measure.steps import ROOT, Step, Variant, all_measured


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
    """The engine that `make step-1` would use, the lab brought up if need be."""
    lab = Lab.from_environment()
    was_up = lifecycle.healthy(lab)
    before = dict(os.environ)
    chosen = engines.choose()
    yield chosen
    images = [f"{s.name}:{v.name}-{a}" for s in all_measured() for v in s.variants for a in ("amd64", "arm64")]
    chosen.docker.image.remove([name for name in images if chosen.docker.image.exists(name)], force=True)
    os.environ.clear()
    os.environ.update(before)
    if not was_up:
        lifecycle.down(lab)


#: Builds at once: one more than two processors have, because a build also waits for disk and package index.
BUILDS = 3
#: Seconds that the first test with an image may take: it waits for the images of all.
ALL_BUILT = 3000


def _cases(items: list[pytest.Item]) -> dict[tuple[str, str, str], tuple[Step, Variant, str]]:
    """What the tests are parametrized with that is an image: step, variant and platform. Emulated builds come first."""
    found = {}
    for item in items:
        parameters = getattr(item, "callspec", None) and item.callspec.params
        if parameters and parameters.keys() >= {"step", "variant", "platform"} and "image" in item.fixturenames:
            step, variant, platform = (parameters[name] for name in ("step", "variant", "platform"))
            if not variant.teaching.fails_with:
                found[step.name, variant.name, platform] = step, variant, platform
    return dict(sorted(found.items(), key=lambda case: case[0][2] == engines.native_platform()))


def pytest_collection_finish(session: pytest.Session) -> None:
    """The first test that needs an image has the time to build those of all."""
    for item in session.items:
        if "image" in item.fixturenames:
            item.add_marker(pytest.mark.timeout(ALL_BUILT))
            break


@pytest.fixture(scope="session")
def image(engine, request):
    """Builds a variant for a platform into the engine, once, and returns the image's name.

    Those that tests are parametrized with are built before, some at a time. A build that fails is tried again, and
    fails, in the test that needs it.
    """
    built: dict[tuple[str, str, str], str] = {}
    cases = {key: case for key, case in _cases(request.session.items).items() if case[2] in engine.platforms}
    provide_bases(engine, [case[1:] for case in cases.values()])
    with ThreadPoolExecutor(BUILDS) as pool:
        building = {key: pool.submit(load_into_engine, engine, *case) for key, case in cases.items()}
        try:
            wait(building.values())
        except BaseException:  # Ctrl-C, or no time left: nothing more is begun, and what runs is ended
            pool.shutdown(wait=False, cancel_futures=True)
            stop_clients()
            raise
    built |= {key: future.result() for key, future in building.items() if not future.exception()}

    def build(step: Step, variant: Variant, platform: str) -> str:
        key = (step.name, variant.name, platform)
        if key not in built:
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
