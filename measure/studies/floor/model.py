"""The record of floors: how small each image could be, what it ships that nothing looks at, and whether it holds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from measure.base.errors import Problem
from measure.base.model import Strict
from measure.base.names import LAB_ENVIRONMENT
from measure.record import records
from measure.record.check import Finding, demand, recipes
from measure.record.check import command as for_environment
from measure.record.compare import SAME
from measure.record.records import Provenance, Record
from measure.record.tables import Table
from measure.steps.compose import RECOMMENDED, Step, Variant, all_steps
from measure.steps.inputs import Inputs, inputs_of

#: The variants whose floor is looked for, where a step has them; of one that compares languages, all.
VARIANTS = (RECOMMENDED, "distroless")
#: But for this one: of the files that it was seen to look at, npm alone makes no server that starts.
NONE = "react-naive"


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
    #: again between the two; by more than `measure.record.compare.SAME`, this is stale.
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

    schema_version: Literal[1] = 1
    floors: list[Floor] = Field(default_factory=list)

    def get(self, step: str, variant: str, platform: str) -> Floor | None:
        """The floor of an image, None when there is none."""
        return next((one for one in self.floors if one.key == (step, variant, platform)), None)

    def renewed(self, floors: list[Floor], expected: list[tuple[str, str]]) -> FloorTable:
        """The table with these floors in place of older ones, and none but of these steps' variants, in their order."""
        by_key = {one.key: one for one in [*self.floors, *floors]}
        kept = [one for one in by_key.values() if one.key[:2] in expected]
        return FloorTable(floors=sorted(kept, key=lambda one: (expected.index(one.key[:2]), one.platform)))


TABLE = Table(FloorTable, "floor.json", "floors")
record_path, load, count = TABLE.path, TABLE.load, TABLE.count


def save(environment: str, floors: list[Floor]) -> None:
    """Record these floors in place of older ones. Raises Problem as `load` does."""
    expected = [(step.name, variant.name) for step in all_steps() for variant in chosen(step)]
    TABLE.save(environment, lambda before: before.renewed(floors, expected))


def chosen(step: Step) -> list[Variant]:
    """The variants of a step whose floor is looked for."""
    compares = len({variant.context for variant in step.variants}) > 1
    runs = [one for one in step.variants if not one.teaching.fails_with and one.name != NONE]
    return [one for one in runs if one.name in VARIANTS or compares]


def command(step: Step) -> str:
    """What to type to find a step's floors."""
    return f"make floor-{step.command.removeprefix('make ')}"


def findings(environment: str, steps: list[Step] | None = None) -> list[Finding]:
    """What is wrong with the recorded floors of an environment, of these steps or of all. Needs no engine.

    The lab's are complete; any other environment has those of the steps that somebody chose. Raises Problem as `load`
    does.
    """
    table, path = load(environment), record_path(environment)
    platforms = sorted({one.platform for one in table.floors} or {"linux/amd64"})
    found = []
    for step in all_steps() if steps is None else steps:
        if environment != LAB_ENVIRONMENT and not any(one.step == step.name for one in table.floors):
            continue
        for variant in chosen(step):
            now = inputs_of(step, variant, recipes(environment))
            for platform in platforms:
                floor = table.get(step.name, variant.name, platform)
                if why := why_stale(floor, now, _record(environment, variant, platform)):
                    again = for_environment(environment, command(step))
                    if floor and floor.inputs_sha256 == now.sha256:  # then one of the two is of an older base image
                        again = f"{for_environment(environment, step.command)} && {again}"
                    what = f"{step.name}/{variant.name} on {platform}: {why}"
                    found.append(Finding("stale" if floor else "missing", path, what, again))
    expected = {(step.name, variant.name) for step in all_steps() for variant in chosen(step)}
    for floor in table.floors:
        if floor.key[:2] not in expected:
            why = f"{floor.step}/{floor.variant}: no variant has this name"
            found.append(Finding("orphaned", path, why, for_environment(environment, "make floor-step-4")))
    return found


def _record(environment: str, variant: Variant, platform: str) -> Record | None:
    """The record of a variant's image; None where there is none that is valid, which `make check` tells by itself."""
    try:
        return records.load(records.record_path(environment, variant.step, variant.name, platform))
    except Problem:
        return None


def why_stale(floor: Floor | None, now: Inputs, record: Record | None) -> str:
    """Why a floor has to be found, in words; '' when it holds, for the image whose record this is.

    What an image is built from does not tell all: a base image may be another one by the same name. So what was in the
    image that was traced is held against what is recorded of it; within `SAME`, it is that one, on a base with patches.
    """
    if floor is None:
        return "not measured yet"
    if floor.inputs_sha256 != now.sha256:
        return "what it is built from changed"
    if record is None or record.contents is None or record.inputs_sha256 != now.sha256:
        return ""  # then it is the record that is missing or stale
    pairs = [(getattr(floor.image, name), getattr(record.contents, name)) for name in ("files", "file_bytes")]
    if floor.contents_sha256 != record.contents.sha256 and any(abs(a - b) > SAME * b for a, b in pairs):
        traced, recorded = (f"{one.files:,} files, {one.file_bytes:,} bytes" for one in (floor.image, record.contents))
        return f"the image that was traced ({traced}) is not the one that is recorded ({recorded})"
    return ""


def complete(environment: str) -> FloorTable:
    """The recorded table. Raises Problem when it does not hold for each variant that it should have."""
    demand(record_path(environment), findings(environment))
    return load(environment)
