"""The record of floors: how small each image could be, and what it ships that nothing ever looks at."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from measure.base.model import Strict
from measure.record.records import Provenance

SCHEMA_VERSION = 1


class Weight(Strict):
    """How large an image is; sizes in bytes."""

    #: What crosses the network: the sum of the manifest's layer sizes (compressed).
    transfer_bytes: int
    #: The sum of the uncompressed layers, as tar streams.
    unpacked_tar_bytes: int
    #: The regular files that are visible in the end; one with several names counts once.
    file_bytes: int
    files: int


class Untouched(Strict):
    """Files that ship and that nothing looked at, as far as they belong together: to a package, or a directory."""

    name: str
    bytes: int
    files: int


class Answered(Strict):
    """What the running application was asked, and the status of its answer; the floor's image gives the same."""

    question: str
    status: int


class Floor(Strict):
    """The floor of one image: the files that it opens or looks at from its start to its end."""

    step: str
    variant: str
    platform: str
    #: SHA-256 of all that the image's build depends on, as in its record.
    inputs_sha256: str
    #: SHA-256 of what is in the image, as `contents` of its record has it. Where they differ, the base image was built
    #: again between the two; by more than `measure.compare.SAME`, this is stale.
    contents_sha256: str
    image: Weight
    #: An image of one layer with just these files and the directories and links that lead to them. It was started,
    #: asked, and stopped.
    floor: Weight
    answered: list[Answered]
    #: Was the image's own health check run, and did it succeed? None for an image that has none.
    healthy: bool | None = None
    #: The exit code after SIGTERM.
    exit_code: int
    #: Paths that were looked for and are not there, as they were asked for.
    missing: list[str]
    #: The bytes of the image's files that nothing looked at.
    untouched_bytes: int
    #: The largest of what nothing looked at, largest first.
    untouched: list[Untouched]
    provenance: Provenance

    @property
    def key(self) -> tuple[str, str, str]:
        """What a floor is found by."""
        return self.step, self.variant, self.platform

    def times(self, kind: str) -> float:
        """The image's size as a multiple of its floor's: `transfer_bytes`, `unpacked_tar_bytes` or `file_bytes`."""
        return getattr(self.image, kind) / getattr(self.floor, kind)


class FloorTable(Strict):
    """All floors that were found in an environment."""

    schema_version: Literal[1] = SCHEMA_VERSION
    floors: list[Floor] = Field(default_factory=list)

    def get(self, step: str, variant: str, platform: str) -> Floor | None:
        """The floor of an image, None when there is none."""
        return next((one for one in self.floors if one.key == (step, variant, platform)), None)

    def renewed(self, floors: list[Floor], expected: list[tuple[str, str]]) -> FloorTable:
        """The table with these floors in place of older ones, and none but of these steps' variants, in their order."""
        by_key = {one.key: one for one in [*self.floors, *floors]}
        kept = [one for one in by_key.values() if one.key[:2] in expected]
        return FloorTable(floors=sorted(kept, key=lambda one: (expected.index(one.key[:2]), one.platform)))
