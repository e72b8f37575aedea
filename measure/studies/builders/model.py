"""What became of each Dockerfile with podman, and with Docker without buildx. BuildKit's outcome is in its record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from measure.base.model import Strict
from measure.base.platforms import PLATFORMS
from measure.record.check import Finding, demand, recipes
from measure.record.records import Failure, load_environment
from measure.record.tables import Table, Wrong
from measure.steps.compose import Step, Variant, all_steps
from measure.steps.inputs import hash_of

COMMAND = "make builders"
#: What the images that are made here are called in the engine.
IMAGE = "measure-builders"
#: What podman's own image is made of.
RESOURCES = Path(__file__).with_name("resources")
#: What OCI's image format has no place for, and Docker's has.
ONLY_DOCKERS = ("HEALTHCHECK ", "SHELL ")


class Started(Strict):
    """An image that podman built and started."""

    #: Did /health answer?
    answers: bool
    #: The line that it ended with, where /health did not answer.
    line: str | None = None
    #: Has the image the health check of its Dockerfile? None: the Dockerfile has none.
    keeps_check: bool | None = None
    #: Did `podman healthcheck run` succeed? None: the image has none.
    healthy: bool | None = None


class Attempt(Strict):
    """What came of one builder: a failure, or an image, which podman started too."""

    failure: Failure | None = None
    started: Started | None = None

    @property
    def words(self) -> str:
        """What came of it, without the line of an error."""
        if self.failure:
            return "fails"
        if (one := self.started) is None:
            return "builds"
        health = {(False, None): "without its health check", (True, True): "healthy", (True, False): "not healthy"}
        words = ["builds", "answers" if one.answers else "ends", health.get((one.keeps_check, one.healthy))]
        return ", ".join(filter(None, words))


class Versions(Strict):
    """The builders' versions."""

    docker: str
    podman: str
    buildah: str


class Tried(Strict):
    """What came of one Dockerfile."""

    step: str
    variant: str
    platform: str
    #: Hash of all that the builds depend on: what a record hashes, and what podman's own image is made of.
    inputs_sha256: str
    #: Docker without buildx: DOCKER_BUILDKIT=0.
    classic: Attempt
    #: Podman in its default format, OCI's.
    podman: Attempt
    #: Podman with `--format docker`; None where the Dockerfile has nothing that OCI's format drops.
    podman_docker: Attempt | None = None
    versions: Versions
    #: UTC
    measured_at: datetime


class Builders(Strict):
    """The record."""

    schema_version: Literal[1] = 1
    tried: list[Tried] = Field(default_factory=list)

    @property
    def by_key(self) -> dict[tuple[str, str], Tried]:
        """What came of each Dockerfile, by step and variant."""
        return {(one.step, one.variant): one for one in self.tried}


def inputs_sha256(variant: Variant, recipe: Callable[[str], str | None]) -> str:
    """See `Tried.inputs_sha256`; `recipe` gives the hash of a base image's recipe, or None."""
    podman = [[path.name, path.read_text()] for path in sorted(RESOURCES.iterdir())]
    return hash_of([variant.inputs(recipe).sha256, podman])


def listed(platform: str) -> Iterator[tuple[Step, Variant]]:
    """Every Dockerfile that is tried on a machine of this platform."""
    for step in (replace(one, native=platform) for one in all_steps()):
        yield from ((step, variant) for variant in step.variants if variant.platforms([platform]))


def save(environment: str, tried: Tried) -> None:
    """Record what came of a Dockerfile, in the order of the steps, and forget those that are no more."""

    def renewed(before: Builders) -> Builders:
        by_key = Builders(tried=[*before.tried, tried]).by_key
        order = [(step.name, variant.name) for step, variant in listed(tried.platform)]
        return Builders(tried=[by_key[key] for key in order if key in by_key])

    TABLE.save(environment, renewed)


def why_stale(
    there: dict[tuple[str, str], Tried], step: Step, variant: Variant, recipe: Callable[[str], str | None]
) -> str:
    """Why a Dockerfile has to be tried, in words; '' when what is recorded of it holds."""
    one = there.get((step.name, variant.name))
    if one is None:
        return "was not tried with other builders"
    same = one.inputs_sha256 == inputs_sha256(variant, recipe)
    return "" if same else "changed since it was tried, or what podman's image is made of did"


def _wrong(table: Builders, environment: str) -> Iterator[Wrong]:
    """A Dockerfile that was not tried, changed since, or is no more."""
    there, about, recipe = table.by_key, load_environment(environment), recipes(environment)
    known = list(listed((about and about.platform) or PLATFORMS[0]))
    for step, variant in known:
        if why := why_stale(there, step, variant, recipe):
            state = "stale" if (step.name, variant.name) in there else "missing"
            yield state, f"{step.name}/{variant.name} {why}", f"{COMMAND} STEP={step.command.removeprefix('make ')}"
    for key in sorted(there.keys() - {(step.name, variant.name) for step, variant in known}):
        yield "orphaned", f"there is no {'/'.join(key)}", COMMAND


TABLE = Table(Builders, "builders.json", "tried", COMMAND, _wrong)
record_path, load, count, findings = TABLE.path, TABLE.load, TABLE.count, TABLE.findings


def complete(environment: str) -> Builders:
    """The record. Raises Problem when it does not hold for every Dockerfile."""
    path, found = record_path(environment), load(environment)
    demand(path, findings(environment) if found.tried else [Finding("missing", path, "nothing was tried", COMMAND)])
    return found
