"""Records of other environments beside those of one: which sizes differ although the inputs are the same.

Inputs are equal when the Dockerfile, the build options and the files that the context offers are: all that a step
brings itself. Its base images may be others: Docker Hub's in one place, the lab's in another, or those of another day.
What that makes of the same inputs is the question.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from measure.record.compare import SIZES
from measure.record.records import Record

#: Part of a size from which on a difference is listed.
NOTICED = 0.01


@dataclass(frozen=True)
class Apart:
    """A size of one image that differs by more than `NOTICED` between two environments; in bytes."""

    here: Record
    there: Record
    #: As records call it, like transfer_bytes.
    field: str

    @property
    def bytes_here(self) -> int:
        """In the environment that is compared with."""
        return getattr(self.here.size, self.field)

    @property
    def bytes_there(self) -> int:
        """In the other one."""
        return getattr(self.there.size, self.field)

    @property
    def of_base(self) -> int:
        """By how many bytes the base image's layers are larger there."""
        here, there = (
            sum(getattr(layer, self.field) for layer in record.size.layers if layer.of_base)
            for record in (self.here, self.there)
        )
        return there - here


@dataclass
class Comparison:
    """What came of comparing the records of two environments."""

    #: How many images were built from equal inputs in both.
    equal: int = 0
    #: How many were built from other inputs in one of them.
    other_inputs: int = 0
    sizes: list[Apart] = field(default_factory=list)
    #: Built in one and failed in the other, from equal inputs.
    outcomes: list[tuple[Record, Record]] = field(default_factory=list)

    @property
    def images(self) -> int:
        """How many images have a size that is listed."""
        return len({(one.here.step, one.here.variant, one.here.platform) for one in self.sizes})


def against(here: Iterable[Record], there: Iterable[Record]) -> Comparison:
    """Compare the images that two environments have records of; in the order of the first one's."""
    others = {(record.step, record.variant, record.platform): record for record in there}
    found = Comparison()
    for record in here:
        other = others.get((record.step, record.variant, record.platform))
        if other is None:
            continue
        if record.inputs.own_sha256 != other.inputs.own_sha256:
            found.other_inputs += 1
            continue
        found.equal += 1
        if record.outcome != other.outcome:
            found.outcomes.append((record, other))
        elif record.size and other.size:
            pairs = (Apart(record, other, name) for name in SIZES)
            found.sizes += [one for one in pairs if abs(one.bytes_there - one.bytes_here) > NOTICED * one.bytes_here]
    return found
