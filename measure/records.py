"""Records: one JSON file for each environment, step, variant and platform. The only source of numbers."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from measure.errors import Problem
from measure.files import write_whole
from measure.oci import Layer
from measure.steps import ROOT

RESULTS = ROOT / "results"
SCHEMA_VERSION = 1
#: Name of the environment that records of the lab belong to; the lab runs on amd64 only.
LAB_ENVIRONMENT = "lab-amd64"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Size(_Model):
    """How large an image is; all in bytes."""

    #: What crosses the network: the sum of the manifest's layer sizes (compressed).
    transfer_bytes: int
    #: The sum of the uncompressed layers, as tar streams.
    unpacked_tar_bytes: int
    #: The sum of the regular files in the layers.
    unpacked_file_bytes: int
    layers: list[Layer]


class Failure(_Model):
    """A build that failed: its exit code, and the line that tells why."""

    exit_code: int
    line: str


class BaseImage(_Model):
    """A base image and how it came to be: pulled from docker.io, or built by the lab from this recipe."""

    name: str
    origin: Literal["docker.io", "lab"]
    recipe_sha256: str | None = None


class Provenance(_Model):
    """Where the numbers come from."""

    bases: list[BaseImage]
    #: Was the build run by the processor it is for, or by QEMU?
    execution: Literal["native", "emulated"]
    engine: str
    builder_driver: str
    #: Did packages come through the lab's package-index cache?
    index_cache: bool
    command: str
    #: UTC
    measured_at: datetime


class Record(_Model):
    """What was found out about one variant of a step on one platform."""

    schema_version: int = SCHEMA_VERSION
    environment: str
    step: str
    variant: str
    platform: str
    dockerfile: str
    outcome: Literal["built", "failed"]
    size: Size | None = None
    failure: Failure | None = None
    provenance: Provenance

    @property
    def path(self) -> Path:
        """Where this record belongs, below `results/`."""
        return record_path(self.environment, self.step, self.variant, self.platform)

    def same_facts(self, other: Record) -> bool:
        """Do two records say the same, but for when they were made?"""
        return self.model_dump(exclude={"provenance": {"measured_at"}}) == other.model_dump(
            exclude={"provenance": {"measured_at"}}
        )


def record_path(environment: str, step: str, variant: str, platform: str) -> Path:
    """Path of a record, like results/lab-amd64/step-1-kiss/slim.linux-arm64.json."""
    return RESULTS / environment / step / f"{variant}.{platform.replace('/', '-')}.json"


def load(path: Path) -> Record | None:
    """The record in a file, or None when there is no file. Raises Problem when it is not a valid record."""
    try:
        return Record.model_validate_json(path.read_text())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise Problem(
            f"{path} is not a valid record.",
            why="\n".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5]),
            next="git checkout it, or delete it and measure again",
        ) from None


def save(record: Record) -> bool:
    """Write a record, whole or not at all. A record that says the same as before keeps its date. True if written."""
    try:
        old = load(record.path)
    except Problem as problem:
        problem.show()
        old = None
    if old and old.same_facts(record):
        return False
    write_whole(record.path, record.model_dump_json(indent=2, exclude_none=True) + "\n")
    return True
