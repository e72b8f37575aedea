"""How the way of measuring changed: measure/record/methods.toml, and which numbers of a record are older than that."""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, Field, ValidationError

from measure.base.errors import Problem
from measure.base.model import Strict

if TYPE_CHECKING:
    from measure.record.records import Record

PATH = Path(__file__).with_suffix(".toml")


class Change(Strict):
    """One change in the way of measuring."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    #: What is measured from then on is measured in the new way; UTC.
    at: AwareDatetime
    #: The fields of a record that it touches, like `size.wasted` or `time`.
    fields: list[str] = Field(min_length=1)
    what: str
    before: str
    commit: str

    def touches(self, field: str) -> bool:
        """Does it touch a field, a part of it, or what it is a part of?"""
        return any(f"{one}.".startswith(f"{field}.") or f"{field}.".startswith(f"{one}.") for one in self.fields)


def log() -> list[Change]:
    """Every change, the oldest first. Raises Problem when the file is not as it should be."""
    return _read(PATH, PATH.stat().st_mtime_ns)


@functools.lru_cache(maxsize=2)
def _read(path: Path, _modified: int) -> list[Change]:
    try:
        found = [Change.model_validate(entry) for entry in tomllib.loads(path.read_text()).get("change", [])]
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise Problem(f"measure/{path.name} is not valid.", why=str(error), next=f"mend measure/{path.name}") from None
    return sorted(found, key=lambda change: change.at)


def since(record: Record, field: str = "") -> list[Change]:
    """The changes that a record is older than, of those that touch a field that it has; all its fields by default.

    Times have a time of measuring of their own.
    """
    return [change for change in log() if any(_is_older(record, one, change) for one in _asked(change, field))]


def _asked(change: Change, field: str) -> list[str]:
    """The fields to look at: those that a change touches, as far as they are asked for."""
    if not field:
        return change.fields
    return [field] if change.touches(field) else []


def _is_older(record: Record, field: str, change: Change) -> bool:
    value: object = record
    for name in field.split("."):
        value = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
    if value is None:
        return False
    timed = field.partition(".")[0] == "time"
    return (record.time if timed else record.provenance).measured_at < change.at


def of_image(record: Record) -> list[Change]:
    """The changes that a record is older than in anything but its times."""
    return [
        change for change in log()
        if any(_is_older(record, field, change) for field in change.fields if field.partition(".")[0] != "time")
    ]  # fmt: skip
