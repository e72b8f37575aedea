"""The record of pairs of images that were compared file by file, and of what differs between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from measure.base.files import shown
from measure.base.model import Strict, read_toml
from measure.record.check import recipes
from measure.record.records import Provenance
from measure.record.tables import Table, Wrong
from measure.steps.compose import find_step
from measure.steps.inputs import inputs_of

LIST = Path(__file__).with_name("pairs.toml")
COMMAND = "make sameness"
#: What may differ of a path: it is in one image alone, or its kind, mode, owner, or bytes (a link's: its target).
How = Literal["missing", "extra", "kind", "mode", "owner", "bytes"]


class Known(Strict):
    """Paths that are known to differ, and why."""

    path: str
    because: str


class Pair(Strict):
    """Two variants that ought to give the same image."""

    variant: str
    against: str
    known: list[Known] = Field(default_factory=list)

    def because(self, path: str) -> str | None:
        """Why a path differs; None where that is not known."""
        return next((one.because for one in self.known if re.fullmatch(one.path, path)), None)


class Pairs(Strict):
    """All pairs of a step; `known` is known of each of them."""

    step: str
    known: list[Known]
    pair: list[Pair]

    @model_validator(mode="after")
    def _shared(self) -> Self:
        for pair in self.pair:
            pair.known += self.known
        return self


class Difference(Strict):
    """A path that differs: `missing` is what only the other image has, `extra` what only this one has."""

    path: str
    how: list[How]


class Compared(Strict):
    """Two images, compared file by file: names, kinds, modes, owners, and bytes. Times of files do not count."""

    variant: str
    against: str
    platform: str
    #: Hashes of all that the builds of the two depend on, as in their records.
    inputs_sha256: list[str] = Field(min_length=2, max_length=2)
    #: Paths of the two together.
    paths: int
    differences: list[Difference]
    provenance: Provenance


class Sameness(Strict):
    """The record."""

    schema_version: Literal[1] = 1
    compared: list[Compared] = Field(default_factory=list)


@cache
def listed() -> Pairs:
    """The pairs. Raises Problem when the list is not valid."""
    return read_toml(Pairs, LIST, f"git checkout {shown(LIST)}")


def _wrong(table: Sameness, environment: str) -> Iterator[Wrong]:
    """A pair that is missing, stale, or differs where it is not known to."""
    step, recipe, there = find_step(listed().step), recipes(environment), table.compared
    for pair in listed().pair:
        name = f"{pair.variant} against {pair.against}"
        found = next((one for one in there if (one.variant, one.against) == (pair.variant, pair.against)), None)
        if found is None:
            yield "missing", f"{name} was not compared", COMMAND
            continue
        now = [inputs_of(step, step.variant(one), recipe).sha256 for one in (pair.variant, pair.against)]
        unknown = [one.path for one in found.differences if pair.because(one.path) is None]
        if found.inputs_sha256 != now:
            yield "stale", f"what {name} is built from changed", COMMAND
        elif unknown:
            yield "stale", f"{name} differs in {unknown[0]}, which {shown(LIST)} does not explain", COMMAND


TABLE = Table(Sameness, "sameness.json", "compared", COMMAND, _wrong)
record_path, load, count = TABLE.path, TABLE.load, TABLE.count
findings, complete = TABLE.findings, TABLE.complete
