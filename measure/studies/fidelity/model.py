"""The record of fidelity: the sizes of the lab's base images beside those of the official ones."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from lab.recipe import recipe_of
from measure.base.model import Strict
from measure.base.names import LAB_ENVIRONMENT
from measure.record import records


class Sizes(Strict):
    """Transfer and unpacked size in bytes; unpacked counts the regular files, as Docker's own figure does."""

    transfer_bytes: int
    unpacked_bytes: int | None = None

    @property
    def file_bytes(self) -> int | None:
        """The bytes of the regular files."""
        return self.unpacked_bytes


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
    """The comparison as recorded. Raises OSError when there is none, ValidationError when it is not valid."""
    return Fidelity.model_validate_json(record_path().read_text())


def changed(fidelity: Fidelity) -> list[str]:
    """Names of the base images whose recipe is another now than when they were compared."""
    return [name for name, sha256 in fidelity.recipes_sha256.items() if recipe_of(name) != sha256]
