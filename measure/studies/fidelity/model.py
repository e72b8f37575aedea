"""The record of how close the lab's base images come to the official ones, and whether it still holds."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import AliasChoices, Field

from lab.recipe import recipe_of
from measure.base.errors import Problem
from measure.base.files import shown
from measure.base.model import Strict, read
from measure.base.names import LAB_ENVIRONMENT
from measure.record import records
from measure.record.check import Finding, demand


class Sizes(Strict):
    """How large an image is; sizes in bytes."""

    #: What crosses the network: the sum of the compressed layers.
    transfer_bytes: int
    #: The regular files of all layers, as Docker's own figure counts them. Older records call it unpacked_bytes.
    file_bytes: int | None = Field(default=None, validation_alias=AliasChoices("file_bytes", "unpacked_bytes"))


class Comparison(Strict):
    """One base image on one platform against the official one."""

    image: str
    platform: str
    official: Sizes
    lab: Sizes
    #: Names of Debian packages; None where no official list is at hand.
    packages_official: int | None = None
    packages_lab: int | None = None
    packages_missing: list[str] | None = None
    packages_extra: list[str] | None = None


class Fidelity(Strict):
    """The whole comparison, as recorded."""

    schema_version: int = 1
    source: str
    versions: dict[str, str]
    dates: dict[str, str]
    known_differences: dict[str, list[str]]
    recipes_sha256: dict[str, str]
    python_version: str
    comparisons: list[Comparison]
    #: UTC
    measured_at: datetime


def record_path() -> Path:
    """Where the comparison is recorded."""
    return records.RESULTS / LAB_ENVIRONMENT / "fidelity.json"


def load() -> Fidelity:
    """The comparison as recorded. Raises Problem when there is none, or no valid one."""
    if found := read(Fidelity, record_path()):
        return found
    raise Problem(f"There is no {shown(record_path())}.", next="make lab-fidelity")


def count(environment: str) -> int:
    """How many comparisons are recorded; they are of the lab. Raises Problem as `load` does."""
    return len(load().comparisons) if environment == LAB_ENVIRONMENT and record_path().exists() else 0


def findings(environment: str) -> list[Finding]:
    """What is wrong with the recorded comparison. Needs no engine. Raises Problem when it is not valid."""
    if environment != LAB_ENVIRONMENT:
        return []
    if not record_path().exists():
        return [Finding("missing", record_path(), "not compared yet", "make lab-fidelity")]
    changed = [name for name, sha256 in load().recipes_sha256.items() if recipe_of(name) != sha256]
    why = f"the recipes of {', '.join(changed)} changed"
    return [Finding("stale", record_path(), why, "make lab-fidelity")] if changed else []


def complete() -> Fidelity:
    """The comparison as recorded. Raises Problem when it does not hold, or as `load` does."""
    demand(record_path(), findings(LAB_ENVIRONMENT))
    return load()
