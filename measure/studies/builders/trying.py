"""Builds Dockerfiles with Docker without buildx and with podman, natively, and starts what podman built.

Podman is Debian's, in a privileged container of the engine. It has a store of its own, in a volume without a name,
which goes with the container.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from python_on_whales import DockerClient

from measure.base import progress
from measure.base.dockerfiles import external_images
from measure.base.errors import Problem, say
from measure.base.files import cache_folder, check_disk, shown
from measure.build import images as builder
from measure.build import lab_engine
from measure.build.choosing import choose
from measure.build.engine import Engine, describe
from measure.build.images import scrub
from measure.record.records import Failure, save_environment
from measure.run import probe
from measure.run.step import provide_bases
from measure.steps.compose import Step, Variant, find_step
from measure.steps.copying import clean_copy
from measure.studies.builders import model
from measure.studies.builders.model import ONLY_DOCKERS, RESOURCES, Attempt, Started, Tried, Versions
from measure.tell.table import out

#: No command takes longer, in seconds: building NumPy from its source takes many minutes.
LONGEST = 3600
#: Says nothing of a Dockerfile: a network, a registry, an index, a disk or the engine failed.
_MISHAP = re.compile(
    r"WARNING: Retrying|Temporary failure|pinging container registry|connection refused|[Nn]o space left|"
    r"Cannot connect to the Docker daemon|Failed to fetch|No such container"
)
#: How a builder ends when an instruction fails: the line that tells is one of those before.
_FRAME = re.compile(r"exit(ed| status|ing| code)|returned a non-zero code|^Error: building at STEP", re.IGNORECASE)
_TELLING = re.compile(r"error|not found|failed|no such|unable to|denied", re.IGNORECASE)
#: Asks from beside podman's containers, in the network of one, until there is an answer: an image may have no Python.
_ASK = """
for _ in {{1..100}}; do
    (exec 3<>/dev/tcp/127.0.0.1/{port} && printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3 &&
        read -rt 10 _ status _ <&3 && [[ $status == 200 ]]) 2>/dev/null && exit
    sleep 0.2
done
exit 1
"""


def telling(log: list[str], lesson: str | None = None) -> str:
    """The line of a failed build that tells why, without host names: the one with the `lesson`, if there is one."""
    lines = [line.strip() for line in log if line.strip()] or ["no output"]
    if taught := [line for line in lines if lesson and lesson in line and not _FRAME.search(line)]:
        return scrub(taught[0])
    before = [line for line in lines[-12:] if _TELLING.search(line) and not _FRAME.search(line)]
    return scrub(before[0] if before and _FRAME.search(lines[-1]) else lines[-1])


def failed(code: int, log: list[str], variant: Variant) -> Attempt:
    """What there is to say of a build that failed. Raises Problem where that says nothing of the Dockerfile."""
    if any(_MISHAP.search(line) for line in log[-40:]):
        what = f"{variant.service} cannot be built just now; nothing is recorded."
        raise Problem(what, why="\n".join(map(scrub, log[-10:])), next="make lab-status, then the same again")
    return Attempt(failure=Failure(exit_code=code, line=telling(log, variant.teaching.fails_with)))


def _options(variant: Variant, context: str, tag: str) -> list[str]:
    """What both builders are told of a variant: the build section of its service."""
    options = [f"--tag={tag}", f"--file={context}/{variant.dockerfile.name}"]
    options += [f"--target={variant.target}"] if variant.target else []
    return [*options, *(f"--build-arg={name}={value}" for name, value in variant.parsed.args.items()), context]


@dataclass(frozen=True)
class Builders:
    """Two builders: the engine's own from before BuildKit, and podman, in a container that runs."""

    engine: Engine
    container: str

    def docker(self, *words: str, **environment: str) -> tuple[int, list[str]]:
        """Run a docker command; returns its exit code, and all that it printed. Raises Problem when it never ends."""
        command = [*self.engine.docker.client_config.client_call, *words]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        try:
            done = subprocess.run(command, env={**os.environ, **environment}, timeout=LONGEST, **pipes)
        except subprocess.TimeoutExpired:
            raise Problem(f"docker {words[0]} does not end; nothing is recorded.", next="make lab-status") from None
        return done.returncode, done.stdout.decode(errors="replace").splitlines()

    def podman(self, *words: str) -> tuple[int, list[str]]:
        """Run a podman command, as `docker` does."""
        return self.docker("exec", self.container, "podman", *words)

    def copy(self, path: Path, to: str) -> None:
        """Copy a file or a folder into podman's container. Raises Problem when it cannot be done."""
        code, log = self.docker("cp", str(path), f"{self.container}:{to}")
        if code:
            raise Problem(f"{shown(path)} cannot be copied to podman.", why="\n".join(log), next="make lab-status")

    @property
    def versions(self) -> Versions:
        """The builders' versions. Raises Problem when podman does not run here."""
        code, log = self.podman("info", "--format", "{{.Version.Version}} {{.Host.BuildahVersion}}")
        if code:
            raise Problem("Podman does not run in this engine.", why="\n".join(log[-5:]), next="make engine")
        podman, buildah = log[-1].split()
        return Versions(docker=self.engine.version, podman=podman, buildah=buildah)

    def by_classic(self, variant: Variant, context: Path) -> Attempt:
        """Build a variant with Docker without buildx. Raises Problem as `failed` does."""
        tag = f"{model.IMAGE}:{uuid.uuid4().hex}"
        code, log = self.docker("build", "--force-rm", *_options(variant, str(context), tag), DOCKER_BUILDKIT="0")
        self.docker("image", "rm", tag)
        # What it made of single instructions has no name, as base images have.
        for image in reversed(dict.fromkeys(re.findall(r"^ ---> ([0-9a-f]{12})$", "\n".join(log), re.MULTILINE))):
            if self.docker("image", "inspect", "--format={{len .RepoTags}}", image) == (0, ["0"]):
                self.docker("image", "rm", image)
        return failed(code, log, variant) if code else Attempt()

    def by_podman(self, variant: Variant, context: Path, form: str) -> Attempt:
        """Build a variant in podman's `oci` or `docker` format, and start it. Raises Problem as `failed` does."""
        self.docker("exec", self.container, "rm", "-rf", "/context")
        self.copy(context, "/context")
        code, log = self.podman("build", f"--format={form}", *_options(variant, "/context", "tried"))
        if code:
            self.podman("image", "prune", "--force")
            return failed(code, log, variant)
        with probe.dependencies(self.engine, variant) as (networks, secrets):
            try:
                return Attempt(started=self._start(variant, self._surroundings(networks, secrets)))
            finally:
                self.podman("rm", "--force", "--time=0", "tried")
                self.podman("image", "rm", "--force", "tried")
                self.podman("image", "prune", "--force")  # bases have names, and stay

    def _surroundings(self, networks: list[str], secrets: list[tuple[str, ...]]) -> list[str]:
        """Options for `podman run`: a way to what the engine started for the variant, if anything, and its secrets."""
        options = ["--network=slirp4netns" if networks else "--network=none"]
        for network in networks:
            for one in self.engine.docker.container.list(filters=[("network", network)]):
                name, address = one.config.labels["com.docker.compose.service"], one.network_settings.networks[network]
                options.append(f"--add-host={name}:{address.ip_address}")
        for source, target, mode in secrets:
            self.copy(Path(source), f"/{Path(target).name}")
            options.append(f"--volume=/{Path(target).name}:{target}:{mode}")
        return options

    def _start(self, variant: Variant, options: list[str]) -> Started:
        """Start the image, ask it, and let podman probe its health."""
        check = None
        if any(one.startswith("HEALTHCHECK ") for one in variant.parsed.instructions):
            check = self.podman("image", "inspect", "--format={{json .HealthCheck}}", "tried")[1] != ["null"]
        options = [*options, *(f"--env={name}={value}" for name, value in variant.environment.items())]
        code, log = self.podman("run", "--detach", "--name=tried", *options, "tried")
        if code or not self._answers(variant.port):
            lesson, lines = variant.teaching.dies_with, [*log, *self.podman("logs", "tried")[1]]
            line = next((one for one in lines if lesson and lesson in one), lines[-1])
            return Started(answers=False, line=scrub(line), keeps_check=check)
        healthy = self.podman("healthcheck", "run", "tried")[0] == 0 if check else None
        return Started(answers=True, keeps_check=check, healthy=healthy)

    def _answers(self, port: int) -> bool:
        """Does what is served in podman's container answer on `/health`?"""
        code, process = self.podman("inspect", "--format={{.State.Pid}}", "tried")
        if code or process[-1] == "0":
            return False
        ask = ["bash", "-c", _ASK.format(port=port)]
        return not self.docker("exec", self.container, "nsenter", "--net", f"--target={process[-1]}", *ask)[0]

    def attempt(self, step: Step, variant: Variant) -> Tried:
        """Try a Dockerfile with each builder. Raises Problem where a failure says nothing of it, like no network."""
        variant = step.now(variant)  # read once, for all that is recorded of it
        inputs = model.inputs_sha256(variant, self.engine.recipe)
        drops = any(one.startswith(ONLY_DOCKERS) for one in variant.parsed.instructions)
        telling = progress.task(f"{variant.service}, other builders")
        with clean_copy(step.folder) as copy, telling as task, ThreadPoolExecutor(1) as beside:
            context = copy / variant.context.relative_to(step.folder)
            classic = beside.submit(self.by_classic, variant, context)
            try:
                task.step = "podman, and without buildx"
                podman = self.by_podman(variant, context, "oci")
                task.step = "podman --format docker"
                podman_docker = self.by_podman(variant, context, "docker") if drops else None
                task.step = "without buildx"
                by_classic = classic.result()
            except BaseException:  # Ctrl-C, or a network that failed: nobody waits for the other builder then
                while not classic.done():  # its client may just be starting, or removing what it left
                    builder.stop_clients()
                    wait([classic], timeout=2)
                raise
        return Tried(
            step=step.name,
            variant=variant.name,
            platform=self.engine.platform,
            inputs_sha256=inputs,
            classic=by_classic,
            podman=podman,
            podman_docker=podman_docker,
            versions=self.versions,
            measured_at=datetime.now(UTC).replace(microsecond=0),
        )


@contextmanager
def other_builders(engine: Engine) -> Iterator[Builders]:
    """The builders. Podman has base images from where the engine has them from. All that they make is removed."""
    engine.provide(external_images(RESOURCES / "Dockerfile"), [engine.platform])
    image = f"{model.IMAGE}:podman-{uuid.uuid4().hex[:12]}"
    with tempfile.TemporaryDirectory() as folder:
        context = Path(shutil.copytree(RESOURCES, Path(folder) / "podman"))
        if engine.kind == "lab":
            with (context / "registries.conf").open("a") as file:
                file.write('[[registry]]\nlocation = "docker.io"\n[[registry.mirror]]\ninsecure = true\n')
                file.write(f'location = "{lab_engine.registry()}"\n')
        builder.load_text(engine, (context / "Dockerfile").read_text(), image, context=context)
    try:
        with probe.named_container(engine) as known_as:
            engine.docker.run(image, detach=True, privileged=True, networks=["host"], pull="never", **known_as)
            yield Builders(engine, known_as["name"])
    finally:
        engine.docker.image.remove(image, force=True)


def made(docker: DockerClient) -> list[str]:
    """The images in an engine that were made here: none, but for those of a run that goes on or was killed."""
    return [tag for image in docker.image.list(model.IMAGE) for tag in image.repo_tags]


def measure_builders(name: str | None) -> None:
    """Try every Dockerfile of a step, or all whose record does not hold; record and say what came of each."""
    with progress.task("make builders", told=False, kept=False):
        engine = choose()
        chosen, there = list(model.listed(engine.platform)), model.load(engine.environment).by_key
        if name:
            chosen = [one for one in chosen if one[0].name == find_step(name).name]
        else:
            chosen = [one for one in chosen if model.why_stale(there, *one, engine.recipe)]
            say(f"{len(chosen)} Dockerfiles to try; the records of the others hold")
        probe.remove_orphans(engine)
        provide_bases(engine, [(variant, engine.platform) for _, variant in chosen])
        save_environment(describe(engine))
        with other_builders(engine) as builders:
            for step, variant in chosen:
                check_disk(cache_folder())
                model.save(engine.environment, tried := builders.attempt(step, variant))
                by = {"without buildx": tried.classic, "podman": tried.podman, "--format docker": tried.podman_docker}
                say(f"{variant.service}: {'; '.join(f'{name} {one.words}' for name, one in by.items() if one)}")
    out.print(f"Record: {shown(model.record_path(engine.environment))}")
