"""What pages and claims read: records that hold, and single figures of them."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

from measure.base.errors import Problem
from measure.base.files import shown
from measure.base.names import LAB_ENVIRONMENT
from measure.base.platforms import PLATFORMS, other_than
from measure.base.units import change
from measure.record.check import Finding, check
from measure.record.plan import OTHER
from measure.record.records import MEMORY, TIMES, Record, Samples, Size, load, load_environment, record_path
from measure.steps.compose import RECOMMENDED, all_measured, find_step

T = TypeVar("T")
#: What pages call the sizes of a record, and what stands in a table's head.
KINDS = {"transfer": "transfer_bytes", "unpacked": "unpacked_tar_bytes"}
#: Records of one sitting are saved within this time.
SAVING = timedelta(minutes=1)


def against(record: Record, first: Record | None) -> list[tuple[int, str]]:
    """Transfer and unpacked bytes of an image, each with its change against another one; '' where that is none."""
    found = []
    for field in KINDS.values():
        size = getattr(record.size, field)
        other = getattr(first.size, field) if first and first.size and first is not record else None
        found.append((size, change(size, other)))
    return found


class Records:
    """The records of one environment, the lab's by default. Those that do not hold are refused."""

    def __init__(self, environment: str = LAB_ENVIRONMENT) -> None:
        #: By the name and the platform that pages ask for: compose files are read once for each.
        self._loaded: dict[tuple[str, str], Record] = {}
        self._tables: dict[Callable[[str], Any], Any] = {}
        self.environment = environment

    @cached_property
    def native(self) -> str:
        """The platform of the environment's own machine: the one that is timed."""
        described = load_environment(self.environment)
        return described.platform if described else PLATFORMS[0]

    @cached_property
    def findings(self) -> dict[Path, Finding]:
        """What is wrong with records, by their path."""
        return {finding.path: finding for finding in check(self.environment)}

    def get(self, name: str, platform: str = PLATFORMS[0]) -> Record:
        """The record of STEP/VARIANT (the recommended one for STEP alone). Raises Problem when it does not hold."""
        if found := self._loaded.get((name, platform)):
            return found
        step_name, _, variant_name = name.partition("/")
        step = find_step(step_name)
        variant = step.variant(variant_name or RECOMMENDED)
        path = record_path(self.environment, step.name, variant.name, platform)
        if finding := self.findings.get(path):
            raise Problem(f"The record {shown(path)} is {finding.state}.", why=finding.why, next=finding.command)
        record = load(path)
        if record is None:
            raise Problem(f"{step.name}/{variant.name} has no record on {platform}.", next="make steps")
        self._loaded[name, platform] = record
        return record

    def of_step(self, name: str) -> list[Record]:
        """The records of all variants of a step on all platforms. Raises Problem when one of them does not hold."""
        step = find_step(name)
        return [self.get(f"{step.name}/{v.name}", p) for v in step.variants for p in v.platforms()]

    def all(self) -> list[Record]:
        """Every record, in the order of the ladder, then those of the experiments."""
        return [record for step in all_measured() for record in self.of_step(step.name)]

    def once(self, read: Callable[[str], T]) -> T:
        """What a study reads of this environment, read once. Raises what it raises."""
        if read not in self._tables:
            self._tables[read] = read(self.environment)
        return self._tables[read]


class Seen:
    """Records that remember which of them were asked for."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.asked: dict[tuple[str, str, str], Record] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    def get(self, name: str, platform: str = PLATFORMS[0]) -> Record:
        """The record of STEP/VARIANT. Raises Problem when it does not hold."""
        return self._note(self._records.get(name, platform))

    def of_step(self, name: str) -> list[Record]:
        """The records of a step. Raises Problem when one does not hold."""
        return [self._note(record) for record in self._records.of_step(name)]

    def _note(self, record: Record) -> Record:
        self.asked[record.step, record.variant, record.platform] = record
        return record


class Reading:
    """What one page, or one claim, reads. Figures come with their record; each raises Problem when it does not hold."""

    def __init__(self, records: Records) -> None:
        self.records: Records | Seen = records
        #: Records whose times are shown or counted, by step.
        self.timed: defaultdict[str, list[Record]] = defaultdict(list)

    def alone(self) -> Self:
        """The same for words that stand alone: their times compare with each other, and `Seen` notes their records."""
        one = copy.copy(self)
        one.records, one.timed = Seen(self.records), defaultdict(list)
        return one

    def built(self, name: str, platform: str = PLATFORMS[0]) -> Record:
        """The record of an image. Raises Problem when it was not built."""
        record = self.records.get(name, platform)
        if record.size is None or record.contents is None:
            raise Problem(f"{name} was not built on {platform}, so it has no size.", next="make steps")
        return record

    def size(self, name: str, kind: str = "transfer", platform: str = PLATFORMS[0]) -> tuple[Record, int]:
        """Bytes of an image: transfer, unpacked, wasted, wasted_base, or a field's name, like context_bytes."""
        record = self.built(name, platform)
        if kind in ("wasted", "wasted_base"):
            wasted = record.size.wasted
            return record, wasted.own_bytes if kind == "wasted" else wasted.base_bytes
        field = KINDS.get(kind, kind)
        return record, getattr(record.size if field in Size.model_fields else record.contents, field)

    def layer(
        self, name: str, words: str, field: str = "unpacked_tar_bytes", platform: str = PLATFORMS[0]
    ) -> tuple[Record, int]:
        """Bytes of the one layer of an image whose instruction has these words. Raises Problem when it is not one."""
        record = self.built(name, platform)
        found = [layer for layer in record.size.layers if words in layer.created_by and not layer.of_base]
        if len(found) != 1:
            what = f"{len(found)} layers of {name} have {words!r} in their instruction."
            raise Problem(what, next="make show-step-N")
        return record, getattr(found[0], field)

    def folder(self, name: str, path: str, platform: str = PLATFORMS[0]) -> tuple[Record, int]:
        """Bytes of the files in one of an image's folders, of those that a record lists."""
        record = self.built(name, platform)
        if path not in record.contents.directories:
            raise Problem(f"The record of {name} does not list {path}.", next="make show-step-N")
        return record, record.contents.directories[path]

    def samples(self, name: str, kind: str) -> tuple[Record, Samples]:
        """The samples of a kind of time, as `TIMES` calls it, of memory, or by a name that the application reports.

        A name that ends in `@other` is that of a build for the other platform than the machine's own. Raises Problem
        when there are none, or when times of this step from another sitting were read before: whoever reads two
        numbers compares them.
        """
        record = self.timed_record(name)
        times = record.time
        found = None
        if times:
            fields = TIMES | MEMORY
            found = getattr(times, fields[kind]) if kind in fields else (times.reported_s or {}).get(kind)
        if found is None:
            raise Problem(f"{name} has no times of {kind}.", next=find_step(name.partition("/")[0]).timing_command)
        self.timed[record.step].append(record)
        self._of_one_sitting(*self.timed[record.step])
        return record, found

    def timed_record(self, name: str) -> Record:
        """The record that has the times of what a plan calls so: natively, or for the other platform."""
        native = self.records.native
        return self.records.get(name.removesuffix(OTHER), other_than(native) if name.endswith(OTHER) else native)

    def ratio(self, slow: tuple[str, str], fast: tuple[str, str]) -> tuple[Record, Samples, Samples]:
        """What two things, a name and a kind each, took; and the second's record. Raises Problem for two sittings."""
        (other, a), (record, b) = self.samples(*slow), self.samples(*fast)
        self._of_one_sitting(other, record)
        return record, a, b

    def _of_one_sitting(self, *records: Record) -> None:
        sittings = {record.time.measured_at: record for record in records if record.time}
        if sittings and max(sittings) - min(sittings) > SAVING:
            first, last = (f"{one.step}/{one.variant}" for one in (sittings[min(sittings)], sittings[max(sittings)]))
            raise Problem(
                f"{first} and {last} were not timed in one sitting.",
                why="The same machine is faster at one hour than at another.",
                next=find_step(sittings[max(sittings)].step).timing_command,
            )
