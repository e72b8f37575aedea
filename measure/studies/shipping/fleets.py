"""The record of fleets: what many services weigh together in one registry, and on one machine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from measure.base.model import Strict
from measure.record.check import recipes
from measure.record.records import Provenance
from measure.record.tables import Table, Wrong
from measure.steps.compose import RECOMMENDED, Variant, find_step
from measure.steps.inputs import inputs_of

STEP = "step-4-slim-vs-alpine"
COMMAND = "make fleet"
#: Variants whose services make up fleets, one for each base, and how many services are counted.
FLEETS = (RECOMMENDED, "full", "alpine-multistage", "distroless")
SIZES = (1, 10, 40)
#: Small packages of Python alone, with their hashes: each two of them are another service's.
PACKAGES = Path(__file__).with_name("packages.txt")
#: The services differ in one line of code, or also in two packages each.
Differ = Literal["code", "packages"]


class Together(Strict):
    """What so many services weigh together, in bytes."""

    services: int
    #: On the registry's disk: layers, configurations, manifests.
    stored_bytes: int
    #: Uploaded to the registry, by its access log.
    sent_bytes: int
    #: Layers that were not uploaded, because another service's repository had them.
    mounted: int
    #: On the disk of a machine that pulled all of them, as `du` counts it: layers as they come, and unpacked.
    disk_bytes: int


class Fleet(Strict):
    """Services that are one variant, each with something of its own."""

    variant: str
    differ: Differ
    inputs_sha256: str
    together: list[Together]
    provenance: Provenance

    def at(self, services: int) -> Together:
        """What so many of them weigh. Raises StopIteration for a number that was not counted."""
        return next(one for one in self.together if one.services == services)


class Fleets(Strict):
    """The record."""

    schema_version: Literal[1] = 1
    fleets: list[Fleet] = Field(default_factory=list)

    def of(self, variant: str, differ: Differ) -> Fleet | None:
        """The fleet of a variant whose services differ so, if it is there."""
        return next((one for one in self.fleets if (one.variant, one.differ) == (variant, differ)), None)

    def having(self, fleet: Fleet) -> Fleets:
        """The same with this fleet, in the order of `FLEETS`."""
        others = [one for one in self.fleets if (one.variant, one.differ) != (fleet.variant, fleet.differ)]
        known = [one for one in [*others, fleet] if one.variant in FLEETS]
        return Fleets(fleets=sorted(known, key=lambda one: (FLEETS.index(one.variant), one.differ)))


def inputs(variant: Variant, differ: Differ, recipe: Callable[[str], str | None]) -> str:
    """A hash of all that the services of a fleet are built from, as it is now."""
    found = inputs_of(find_step(STEP), variant, recipe).sha256
    return hashlib.sha256(found.encode() + PACKAGES.read_bytes()).hexdigest() if differ == "packages" else found


def _wrong(table: Fleets, environment: str) -> Iterator[Wrong]:
    """A fleet that is missing, or is of what changed since."""
    step, recipe = find_step(STEP), recipes(environment)
    for name in FLEETS:
        again = f"{COMMAND} NAME={name}"
        for differ in ("code", "packages"):
            if (one := table.of(name, differ)) is None:
                yield "missing", f"the services of {name} that differ in {differ} were not pushed", again
            elif one.inputs_sha256 != inputs(step.variant(name), differ, recipe):
                yield "stale", f"what the services of {name} are built from changed", again


TABLE = Table(Fleets, "fleet.json", "fleets", COMMAND, _wrong)
record_path, load, count = TABLE.path, TABLE.load, TABLE.count
findings, complete = TABLE.findings, TABLE.complete
