"""The image of a folder, or one that the engine has, in a file of the cache folder. Only this needs an engine."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
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


def client(images: list[str], platform: str) -> Client:
    """Docker, with these images from a registry at hand: in the repository the engine that its steps are built with.

    Raises Problem when there is none.
    """
    try:
        from measure.build.choosing import choose
    except ModuleNotFoundError:  # installed alone, without the repository's own lab
        if not (docker := shutil.which("docker")):
            raise Problem(
                "There is no docker here, so nothing can be built.",
                why="An image in a file is weighed without it.",
                next="docker save IMAGE --output image.tar  # where it is, and then: measure-mine image.tar",
            ) from None
        return Client((docker,))
    engine = choose([platform])
    engine.provide(images, [platform])
    return Client(tuple(map(str, engine.docker.client_config.client_call)), engine.builder)


@contextlib.contextmanager
def built(folder: Path, dockerfile: Path, target: str | None, platform: str, args: Mapping[str, str]) -> Iterator[Path]:
    """An archive of the image of a folder, for as long as it is needed. Raises Problem when the build fails."""
    platform = normal(platform) if platform else native_platform()
    images = dockerfiles.read(dockerfile, args).external_images
    docker = client(images, platform)
    with _archive() as archive:
        command = [*docker.command, "buildx", "build", "--platform", platform, "--file", str(dockerfile)]
        command += ["--provenance=false", "--sbom=false", "--output", f"type=oci,dest={archive}"]
        command += ["--target", target] if target else []
        command += [word for key, value in args.items() for word in ("--build-arg", f"{key}={value}")]
        command += ["--builder", docker.builder] if docker.builder else []
        say(f"building {folder} for {platform}")
        done = subprocess.run([*command, str(folder)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        if done.returncode:
            raise Problem(
                f"{dockerfile} does not build.",
                why="The builder's last lines above say why.",
                next=f"docker build --file {dockerfile} {folder}",
            )
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
