"""The image of a folder, or one that the engine has, in a file of the cache folder. This needs an engine."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from measure.base import dockerfiles
from measure.base.errors import Problem, say
from measure.base.files import cache_folder
from measure.base.platforms import native_platform, normal


@dataclass(frozen=True)
class Client:
    """How Docker is called, and the builder that it is to use where that is not its own choice."""

    command: tuple[str, ...]
    builder: str | None = None

    def ask(self, *words: str) -> str:
        """What a command says; '' where it fails."""
        done = subprocess.run([*self.command, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""


@dataclass(frozen=True)
class Source:
    """What an image is built from."""

    folder: Path
    dockerfile: Path
    target: str | None = None
    #: Empty for the machine's own.
    platform: str = ""
    args: tuple[tuple[str, str], ...] = ()

    @property
    def on(self) -> str:
        """The platform that is built for."""
        return normal(self.platform) if self.platform else native_platform()


def client(images: list[str], platform: str) -> Client:
    """Docker, with these images from a registry at hand: in the repository the engine that its steps are built with.

    Raises Problem when there is none.
    """
    try:
        from measure.build.choosing import choose
    except ModuleNotFoundError:  # installed alone, without the repository's own lab
        return _alone(builds=bool(images))
    engine = choose([platform])
    engine.provide(images, [platform])
    return Client(tuple(map(str, engine.docker.client_config.client_call)), engine.builder)


def _alone(*, builds: bool) -> Client:
    """The docker on the path. Raises Problem without one, without an engine that answers it, and without buildx."""
    os.environ.pop("DOCKER_DEFAULT_PLATFORM", None)  # what is built has a platform, and is started as what it is
    why, docker = "An image in a file is weighed without it.", shutil.which("docker")
    if not docker:
        save = "docker save IMAGE --output image.tar  # where it is, and then: measure-mine image.tar"
        raise Problem("There is no docker here, so nothing can be built.", why=why, next=save)
    found = Client((docker,))
    if not found.ask("version"):
        raise Problem("There is a docker here, and no engine answers it.", why=why, next="docker version  # says why")
    if builds and '"OsArch"' in found.ask("version", "--format", "{{json .Client}}"):  # as podman alone writes it
        save = "podman build --tag mine . && podman save --format oci-archive --output image.tar mine"
        raise Problem("This docker is podman, which has no buildx.", why=why, next=save)
    if builds and not found.ask("buildx", "version"):
        raise Problem("This docker has no buildx, which builds images.", why=why, next="apt-get install docker-buildx")
    return found


def client_of(source: Source) -> Client:
    """Docker, with the images at hand that a Dockerfile names."""
    return client(dockerfiles.read(source.dockerfile, dict(source.args)).external_images, source.on)


def build(docker: Client, source: Source, *options: str, log: list[str] | None = None, told: bool = True) -> None:
    """Build a folder's image. With a `log` the builder's plain lines go there, else they are shown as they come.

    `told`: the user is told of each line that begins.

    Raises Problem when it fails.
    """
    command = [*docker.command, "buildx", "build", "--platform", source.on, "--file", str(source.dockerfile)]
    command += ["--provenance=false", "--sbom=false", *options]
    command += ["--target", source.target] if source.target else []
    command += [word for key, value in source.args for word in ("--build-arg", f"{key}={value}")]
    command += ["--builder", docker.builder] if docker.builder else []
    command += [*(["--progress=plain"] if log is not None else []), str(source.folder)]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    if log is None:
        code = subprocess.run(command, **quiet).returncode
    else:
        with subprocess.Popen(command, **quiet, stderr=subprocess.PIPE, text=True, errors="replace") as child:
            for line in child.stderr:
                log.append(line.rstrip("\n"))
                if told and (match := re.match(r"#\d+ (\[.*\d+/\d+\] .*)", line)):
                    say(match[1][:100])
        code = child.returncode
    if code:
        raise Problem(
            f"{source.dockerfile} does not build.",
            why="\n".join(log[-15:]) if log else "The builder's last lines above say why.",
            next=f"docker build --file {source.dockerfile} {source.folder}",
        )


@contextlib.contextmanager
def built(source: Source) -> Iterator[Path]:
    """An archive of the image of a folder, for as long as it is needed. Raises Problem when the build fails."""
    docker = client_of(source)
    with _archive() as archive:
        say(f"building {source.folder} for {source.on}")
        build(docker, source, "--output", f"type=oci,dest={archive}")
        yield archive


@contextlib.contextmanager
def saved(name: str) -> Iterator[Path]:
    """An archive of an image that the engine has, for as long as it is needed. Raises Problem when it has none."""
    docker = client([], native_platform())
    with _archive() as archive:
        command = [*docker.command, "save", name, "--output", str(archive)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise Problem(
                f"The engine has no image {name}, and there is no file or folder of that name.",
                why=done.stderr.strip()[-500:],
                next="docker images  # those that it has",
            )
        yield archive


@contextlib.contextmanager
def _archive() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="mine-") as folder:
        yield Path(folder) / "image.tar"


@contextlib.contextmanager
def loaded(docker: Client, source: Source) -> Iterator[str]:
    """A folder's image in the engine under a name of its own, for as long as it is needed."""
    name = f"measure-mine-{os.getpid()}:{os.urandom(4).hex()}"
    try:
        build(docker, source, "--load", "--tag", name, log=[], told=False)
        yield name
    finally:
        docker.ask("image", "rm", "--force", name)
