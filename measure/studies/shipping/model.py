"""The record of what was pushed, counted at the registry, and pulled."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from pydantic import Field

from measure.base.model import Strict
from measure.record.check import recipes
from measure.record.records import Provenance, Samples
from measure.record.tables import Table, Wrong
from measure.steps.compose import find_step
from measure.steps.inputs import inputs_of

STEP = "extra-shipping"
COMMAND = "make shipping"
#: What is pushed, in this order: the image; after one line of code changed, one package, the base image by one file;
#: and the first one again, from another machine that has nothing.
Pushed = Literal["first", "edit", "lock", "base", "again"]
#: What an engine has of an image before it pulls: nothing, or the image before one line of code or one package changed.
Pulled = Literal["first", "edit", "lock"]


class Sent(Strict):
    """What one push brought to a registry that has what was pushed before; in bytes, counted three times."""

    #: Layers and configurations that were uploaded, by the registry's access log.
    sent_bytes: int
    #: By which the registry's disk grew: these, manifests, and indexes.
    stored_bytes: int
    #: Layers and configurations that the image names, and none that was pushed before did.
    named_bytes: int


class Shipped(Strict):
    """What one variant costs to ship."""

    variant: str
    inputs_sha256: str
    #: Of the first push, and of the same from another machine.
    digest: str
    digest_again: str
    sent: dict[Pushed, Sent]
    #: Building and pushing on a machine that has nothing, the base image's pull included: here, and on another one.
    build_and_push_s: Samples
    #: Files of bytecode in the environment, and those of them that Python does not take: their source has another time.
    bytecode: int
    bytecode_stale: int
    #: Pulling and unpacking, into an engine that has nothing else.
    pull_s: dict[Pulled, Samples]
    #: From `docker run` to the first answer.
    start_s: Samples
    #: Processor time of importing the server and the application.
    import_cpu_s: Samples


class Level(Strict):
    """What the layers of `plain` came to, in bytes, asked for in this way after those above, by one builder."""

    options: str
    transfer_bytes: int


class Shipping(Strict):
    """The record."""

    schema_version: Literal[1] = 1
    shipped: list[Shipped] = Field(default_factory=list)
    levels: list[Level] = Field(default_factory=list)
    provenance: Provenance | None = None
    #: The one-minute load average before the sitting.
    load_before: float = 0
    #: UTC
    measured_at: datetime | None = None

    def of(self, variant: str) -> Shipped:
        """What is recorded of a variant, which has to be there."""
        return next(one for one in self.shipped if one.variant == variant)


def _wrong(table: Shipping, environment: str) -> Iterator[Wrong]:
    """A variant that is missing, or changed since."""
    step, recipe, there = find_step(STEP), recipes(environment), {one.variant: one for one in table.shipped}
    for variant in step.variants:
        if (one := there.get(variant.name)) is None:
            yield "missing", f"{variant.name} was not pushed", COMMAND
        elif one.inputs_sha256 != inputs_of(step, variant, recipe).sha256:
            yield "stale", f"what {variant.name} is built from changed", COMMAND


TABLE = Table(Shipping, "shipping.json", "shipped", COMMAND, _wrong)
record_path, load, count = TABLE.path, TABLE.load, TABLE.count
findings, complete = TABLE.findings, TABLE.complete
