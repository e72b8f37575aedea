"""`BUILDER=name`: one builder of two nodes, each an engine of its own and each for one platform.

buildx gives such a builder nodes over ssh or in a Kubernetes cluster by running the image moby/buildkit there, which is
out of reach here. So the nodes are two Docker engines, the lab's and one more, with the BuildKit that each has inside:
an engine speaks BuildKit's own protocol to a connection that asks `POST /grpc` for it (moby, api/server/router/grpc),
and buildx's driver `remote` speaks it to a socket. Between the two stands a relay that asks.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from lab import fresh, processes
from lab.config import Lab
from measure.base.errors import Problem
from measure.base.platforms import PLATFORMS
from measure.build import choosing
from measure.build import engine as engines
from measure.build.images import build, load_into_engine, natively
from measure.record.records import Record
from measure.steps.compose import Step, find_step
from tests.conftest import fresh_clone, python_m, run

pytestmark = pytest.mark.lab
NAME = "two-nodes"
NATIVE, OTHER = PLATFORMS
COMPOSE = """
services:
  step-9-demo:
    build: .
    x-measure:
      title: A demonstration
      teaches: Nothing.
      question: Where is it built?
"""


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(1 << 16):
            target.write(data)
            await target.drain()
        target.write_eof()


@contextmanager
def buildkit_at(path: Path, engine_socket: Path) -> Iterator[str]:
    """The BuildKit of an engine at a socket of its own; yields the address for buildx."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_engine, to_engine = await asyncio.open_unix_connection(engine_socket)
        to_engine.write(b"POST /grpc HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        if (await from_engine.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101"):
            await asyncio.gather(_pump(reader, to_engine), _pump(from_engine, writer))
        to_engine.close()
        writer.close()

    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    asyncio.run_coroutine_threadsafe(asyncio.start_unix_server(relay, path), loop).result(60)
    yield f"unix://{path}"
    loop.call_soon_threadsafe(loop.stop)


@pytest.fixture(scope="module")
def nodes(engine) -> Iterator[dict[str, Path]]:
    """A builder of two nodes called NAME; the socket of each one's engine, by platform.

    buildx keeps it in a folder of its own, so that the builders of whoever runs this stay as they are.
    """
    if engine.kind != "lab":
        pytest.skip("the second engine runs out of the lab's tree, and a host's engine builds here")
    lab = Lab.from_environment()
    before = dict(os.environ)
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="nodes-", dir="/var/tmp"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        second = stack.enter_context(fresh.machine(lab))
        sockets = {NATIVE: lab.socket, OTHER: Path(second.removeprefix("unix://"))}
        os.environ |= {"BUILDX_CONFIG": str(folder / "buildx"), "BUILDER": NAME}
        stack.callback(lambda: (os.environ.clear(), os.environ.update(before)))
        for number, (platform, engine_socket) in enumerate(sockets.items()):
            address = stack.enter_context(buildkit_at(folder / f"buildkit-{number}.sock", engine_socket))
            more = ["--append"] if number else []
            command = ["buildx", "create", "--name", NAME, *more, "--driver", "remote", "--platform", platform]
            run(lab.docker, *command, address).check_returncode()
        yield sockets


@pytest.fixture(scope="module")
def builder(nodes) -> engines.Engine:
    """What the measuring makes of BUILDER=NAME."""
    return choosing.choose()


@pytest.fixture
def step(tmp_path) -> Step:
    """A step whose image says which machine built it, unlike any that was built before."""
    folder = tmp_path / "step-9-demo"
    folder.mkdir()
    (folder / "compose.yaml").write_text(COMPOSE)
    lines = ["FROM debian:trixie-slim", "COPY note /", f"RUN uname -m > /machine && echo {uuid.uuid4().hex}"]
    (folder / "Dockerfile").write_text("\n".join([*lines, 'CMD ["cat", "/machine", "/note"]', ""]))
    (folder / "note").write_text("from here\n")
    return Step(folder.name, folder)


def built_there(lab: Lab, node: Path, words: str) -> bool:
    """Is a line with these words in the build cache of an engine?"""
    shown = run(lab.docker, "--host", f"unix://{node}", "buildx", "du", "--builder", "default", "--verbose")
    shown.check_returncode()
    return words in shown.stdout


def test_each_platform_is_built_by_its_own_node_and_runs_in_the_engine(builder, nodes, step):
    assert (builder.builder, builder.driver, builder.platforms) == (NAME, "remote", list(PLATFORMS))
    lab = Lab.from_environment()
    builder.provide(["debian:trixie-slim"])
    nonce = re.search("[0-9a-f]{32}", (step.folder / "Dockerfile").read_text())[0]
    for platform, machine in ((OTHER, "aarch64"), (NATIVE, "x86_64")):
        image = build(builder, step, step.recommended, platform, lambda line: None)
        own = [layer for layer in image.layers if not layer.of_base]
        assert len(own) == 2 and image.transfer_bytes > 20_000_000
        # The arm64 build comes first: the node for amd64 has never heard of it.
        assert built_there(lab, nodes[OTHER], nonce)
        assert built_there(lab, nodes[NATIVE], nonce) == (platform == NATIVE)
        tag = load_into_engine(builder, step, step.recommended, platform)
        try:
            assert builder.docker.run(tag, platform=platform, remove=True) == f"{machine}\nfrom here"
        finally:
            builder.docker.image.remove(tag, force=True)


def test_records_know_that_a_node_may_not_be_of_the_platform_that_it_builds_for(builder):
    """The node for arm64 is an engine on this very machine, so it emulates: the node is asked, not its name."""
    assert natively(builder, NATIVE)
    assert not natively(builder, OTHER)


def test_a_builder_that_is_not_there_is_told(nodes, monkeypatch):
    monkeypatch.setenv("BUILDER", "no-such-builder")
    with pytest.raises(Problem, match="no-such-builder"):
        choosing.choose()


@pytest.mark.timeout(3000)
def test_a_step_is_built_weighed_and_started_through_it(builder, nodes, tmp_path):
    lab = Lab.from_environment()
    clone = fresh_clone(tmp_path / "clone")
    app = clone / "step-1-kiss/app.py"
    nonce = uuid.uuid4().hex
    for dockerfile in (clone / "step-1-kiss").glob("*Dockerfile"):
        text = dockerfile.read_text()
        dockerfile.write_text(text.replace("RUN pip", f"RUN : {nonce} && pip"))
    app.write_text(f"{app.read_text()}# {nonce}\n")
    result = python_m("measure", "step", "step-1", cwd=clone, seconds=3000)
    assert result.returncode == 0, result.stderr
    for platform, machine in ((NATIVE, "x86_64"), (OTHER, "aarch64")):
        assert re.search(rf"^{platform} answers: .*{machine}", result.stdout, re.MULTILINE)
        assert built_there(lab, nodes[platform], nonce)
    paths = list((clone / "results/lab-amd64/step-1-kiss").glob("*.json"))
    assert len(paths) == 2 * len(find_step("step-1").variants)
    for path in paths:
        assert Record.model_validate_json(path.read_text()).provenance.builder_driver == "remote"


def test_the_second_engine_is_known_for_the_labs(nodes):
    """`lab up` does not take it for a stranger's, and a lab that goes down ends it."""
    lab = Lab.from_environment()
    assert processes.foreign_engines(lab) == []
    (engine,) = [
        process for process in processes.leftovers(lab) if str(nodes[OTHER].parent) in " ".join(process.cmdline())
    ]
    assert engine.name() == "dockerd"
