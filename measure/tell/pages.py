"""What a page of the site can ask for: numbers, tables, charts and diffs, all made from records and real files.

Pages are Markdown with Jinja expressions, like `{{ size("step-1/slim") }}`. Everything here gives plain Markdown, so
that any builder that reads Markdown can read the result. Names are STEP/VARIANT, like step-1/slim.
"""

from __future__ import annotations

import difflib
import io
import json
import os
import re
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from rich.console import Console

from measure.base.dockerfiles import instructions, stages
from measure.base.errors import Problem
from measure.base.files import RESULTS, ROOT, shown
from measure.base.names import LAB_ENVIRONMENT
from measure.base.platforms import PLATFORMS
from measure.base.units import change, duration, megabytes, signed
from measure.record import enough, tested, then
from measure.record.check import Finding, check
from measure.record.compare import instruction
from measure.record.plan import plan_of
from measure.record.records import (
    MEMORY,
    TIMES,
    Environment,
    Record,
    Samples,
    Size,
    environments,
    load,
    load_environment,
    named,
    record_files,
    record_path,
)
from measure.steps.compose import RECOMMENDED, all_measured, find_step
from measure.studies.fidelity import comparing as fidelity
from measure.studies.floor import finding as floor
from measure.studies.floor.model import Floor
from measure.studies.recipes import proving as recipes
from measure.studies.recipes.model import IMAGE, Cost, RecipeRecord
from measure.studies.wheels import asking as wheels
from measure.studies.wheels.model import TARGETS, Answer, Libc, Machine, Package
from measure.studies.wheels.table import wheel_cell
from measure.tell import folklore
from measure.tell.charts import Bar, bars
from measure.tell.table import table

#: The page that each number leads to.
RESULTS_PAGE = PurePosixPath("results/index.md")
#: How a number that leads to its record ends, in Markdown.
MEASURED = "{ .measured }"
#: What only the lab can time, which makes an engine of its own for it and another base image in the engine's store.
LABS_OWN = ("base", "fresh-edit", "fresh-lock")
METHODOLOGY = PurePosixPath("results/methodology.md")
#: Records of one sitting are saved within this time.
SAVING = timedelta(minutes=1)
#: What pages call the sizes of a record, and what stands in a table's head.
KINDS = {"transfer": "transfer_bytes", "unpacked": "unpacked_tar_bytes"}


def markdown_table(head: list[str], rows: list[list[str]], right: str = "") -> str:
    """A Markdown table. `right` has an r for each column that is aligned to the right, and an l for the others."""
    aligned = right.ljust(len(head), "l")
    rule = ["---:" if letter == "r" else "---" for letter in aligned]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *rows])


def anchor(record: Record) -> str:
    """Where a record stands on the page of results."""
    return f"{record.step}-{record.variant}-{record.platform.replace('/', '-')}"


class Records:
    """The records of one environment, the lab's by default. Those that do not hold are refused."""

    def __init__(self, environment: str = LAB_ENVIRONMENT) -> None:
        #: By the name and the platform that pages ask for: compose files are read once for each.
        self._loaded: dict[tuple[str, str], Record] = {}
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


#: The benchmarks that pages show numbers of, by the names of their records.
BENCHES = ("first-number", "bench", "ladder")


def _bench_path(name: str) -> Path:
    return RESULTS / LAB_ENVIRONMENT / f"{name}.json"


class Page:
    """A page that is being rendered. Its path decides how links lead to others, its front matter what it says first."""

    def __init__(self, records: Records, path: PurePosixPath, meta: dict[str, Any]) -> None:
        self.records, self.path, self.meta = records, path, meta
        #: Records whose times are shown or counted, by step.
        self.timed: defaultdict[str, list[Record]] = defaultdict(list)

    def functions(self) -> dict[str, Callable[..., str]]:
        """What the page's expressions may call, by name."""
        names = (
            "bars", "bench", "change", "claims", "claims_table", "compared", "contents", "diff",
            "environment", "environments", "failure", "fidelity", "floor", "floors", "folder", "grown", "instruction",
            "intro", "ladder", "layer", "layers", "lines", "looked_for", "memory", "package", "packages",
            "parts", "processor", "ratio", "recipe_dockerfile", "recipe_errors", "recipes", "results", "rules", "saved",
            "seconds", "size", "sizes", "stages", "terminal", "tests", "then_and_now", "times_floor", "timings",
            "untouched", "untouched_bytes", "variants", "vendored", "wheel_groups", "wheel_size", "wheels",
        )  # fmt: skip
        return {name: getattr(self, f"_{name}") for name in names}

    # How a number is written

    def _link(self, target: PurePosixPath) -> str:
        return os.path.relpath(target, self.path.parent)

    def _number(self, text: str, record: Record, exact: str) -> str:
        """A number that leads to its record."""
        title = f"{exact}; {record.step}/{record.variant} on {record.platform}"
        link = f'{self._link(RESULTS_PAGE)}#{anchor(record)} "{title}"'
        return f"[{text.replace(' ', '&nbsp;')}]({link}){MEASURED}"

    def _of(self, record: Record, size: int) -> str:
        return self._number(megabytes(size), record, f"{size:,} bytes")

    def _get(self, name: str, platform: str, kind: str) -> tuple[Record, int]:
        record = self.records.get(name, platform)
        if record.size is None or record.contents is None:
            raise Problem(f"{name} was not built on {platform}, so it has no size.", next="make steps")
        if kind in ("wasted", "wasted_base"):
            wasted = record.size.wasted
            return record, wasted.own_bytes if kind == "wasted" else wasted.base_bytes
        field = KINDS.get(kind, kind)
        return record, getattr(record.size if field in Size.model_fields else record.contents, field)

    def _size(self, name: str, kind: str = "transfer", platform: str = PLATFORMS[0]) -> str:
        """A size of an image: transfer, unpacked, wasted, wasted_base, or a field's name, like context_bytes."""
        return self._of(*self._get(name, platform, kind))

    def _samples(self, name: str, kind: str) -> tuple[Record, Samples]:
        """The samples of a kind of time, as `TIMES` calls it, or by a name that the application reports.

        Raises Problem when there are none, or when the page has times of this step from another sitting already:
        whoever reads two numbers compares them.
        """
        record = self.records.get(name, self.records.native)
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

    def _of_one_sitting(self, *records: Record) -> None:
        """Raises Problem when records were not timed in one sitting: then their times are not to be compared."""
        sittings = {record.time.measured_at: record for record in records if record.time}
        if sittings and max(sittings) - min(sittings) > SAVING:
            first, last = (f"{one.step}/{one.variant}" for one in (sittings[min(sittings)], sittings[max(sittings)]))
            raise Problem(
                f"{first} and {last} were not timed in one sitting.",
                why="The same machine is faster at one hour than at another.",
                next=find_step(sittings[max(sittings)].step).timing_command,
            )

    def _seconds(self, name: str, kind: str, part: str = "") -> str:
        """The median of what was timed, natively: see `_samples` for the kinds.

        With `part`, of the one part of it alone whose instruction has these words; raises Problem when it is not one.
        Where another environment than the lab has not taken what only the lab can take, it says so.
        """
        if kind in LABS_OWN and self.records.environment != LAB_ENVIRONMENT:
            times = self.records.get(name, self.records.native).time
            if times and getattr(times, TIMES[kind]) is None:
                return "(not taken here)"
        record, whole = self._samples(name, kind)
        if not part:
            return self._median(record, whole)
        found = [samples for words, samples in self._seen(record, kind, whole).items() if part in words]
        if len(found) != 1:
            raise Problem(f"{len(found)} parts of {name}'s {kind} have {part!r} in them.", next="make show-step-N")
        return self._median(record, found[0])

    def _median(self, record: Record, found: Samples) -> str:
        return self._number(duration(found.median), record, _spread(record, found, duration))

    def _memory(self, name: str, kind: str) -> str:
        """The median of the memory that a variant's processes keep: `memory-idle` or `memory-loaded`."""
        record, found = self._samples(name, kind)
        return self._number(megabytes(found.median), record, _spread(record, found, megabytes))

    def _seen(self, record: Record, kind: str, whole: Samples) -> dict[str, Samples]:
        """The parts of a kind of time, but for those that are too short to be seen in half of the samples."""
        parts = (record.time.steps_s or {}).get(kind, {})
        return {words: found for words, found in parts.items() if 2 * len(found.samples) > len(whole.samples)}

    def _parts(self, name: str, kind: str) -> str:
        """Where the time of a kind goes: its parts, each with its median, and the whole."""
        record, whole = self._samples(name, kind)
        rows = [[_part(words), self._median(record, found)] for words, found in self._seen(record, kind, whole).items()]
        return markdown_table(["part", "median"], [*rows, ["**all of it**", self._median(record, whole)]], "lr")

    def _ratio(self, slow: tuple[str, str], fast: tuple[str, str]) -> str:
        """How many times as long one thing takes as another; each is a name and a kind of time, of one sitting."""
        (_, a), (record, b) = self._samples(*slow), self._samples(*fast)
        value = a.median / b.median
        text = f"{value:.0f} times" if value >= 10 else f"{value:.1f} times"
        shown_as = megabytes if slow[1] in MEMORY else duration
        return self._number(text, record, f"{shown_as(a.median)} against {shown_as(b.median)}")

    def _compared(self, name: str, kind: str) -> str:
        """What a record says of a variant against the one that it was timed with, whenever that was: both, and a ratio.

        Raises Problem when the record does not keep such a comparison.
        """
        record = self.records.get(name, self.records.native)
        found = ((record.time and record.time.compared) or {}).get(kind)
        if not found:
            step = find_step(record.step)
            raise Problem(f"{name} is compared with nothing in {kind}.",
                          next=f"{step.timing_command} VARIANT={record.variant}")  # fmt: skip
        one, ours = found[0], getattr(record.time, TIMES[kind])
        exact = f"{len(ours.samples)} samples, taken on {record.time.measured_at:%Y-%m-%d}; {enough.LEVEL:.0%} interval"
        texts = (duration(ours.median), duration(one.median), f"{one.ratio:.2f} times", f"{one.low:.2f}",
                 f"{one.high:.2f}")  # fmt: skip
        mine, other, ratio, *ends = (self._number(text, record, exact) for text in texts)
        return f"{mine} against {other} with `{one.against}` ({ratio}, between {' and '.join(ends)})"

    def _timings(self, step: str, *columns: str, only: tuple[str, ...] = ()) -> str:
        """What was timed of a step's variants, or of some; a column is `KIND: words for the head`."""
        kinds = dict(column.split(": ") for column in columns)
        rows = []
        for variant in find_step(step).variants:
            if only and variant.name not in only:
                continue
            record = self.records.get(f"{step}/{variant.name}", self.records.native)
            if record.outcome == "failed":
                rows.append([variant.name, "fails", *[""] * (len(kinds) - 1)])
                continue
            name = f"{step}/{variant.name}"
            cells = [self._memory(name, kind) if kind in MEMORY else self._seconds(name, kind) for kind in kinds]
            rows.append([f"**{variant.name}**" if variant.name == RECOMMENDED else variant.name, *cells])
        return markdown_table(["variant", *kinds.values()], rows, "l" + "r" * len(kinds))

    def _change(self, before: str, after: str, kind: str = "transfer", platform: str = PLATFORMS[0]) -> str:
        """How much larger or smaller `after` is than `before`, in percent."""
        _, old = self._get(before, platform, kind)
        record, new = self._get(after, platform, kind)
        exact = f"{old:,} bytes before, {new:,} bytes after"
        return self._number(change(new, old), record, exact)

    def _saved(self, before: str, after: str, kind: str = "transfer", platform: str = PLATFORMS[0]) -> str:
        """By how much `after` is smaller than `before`."""
        _, old = self._get(before, platform, kind)
        record, new = self._get(after, platform, kind)
        return self._number(megabytes(old - new), record, f"{old:,} bytes less {new:,} bytes")

    def _grown(self, before: str, after: str, kind: str = "transfer", platform: str = PLATFORMS[0]) -> str:
        """By how much `after` is larger than `before`, with its sign."""
        _, old = self._get(before, platform, kind)
        record, new = self._get(after, platform, kind)
        return self._number(signed(new - old), record, f"{new:,} bytes less {old:,} bytes")

    def _layer(self, name: str, words: str, platform: str = PLATFORMS[0], field: str = "unpacked_tar_bytes") -> str:
        """A size of the one layer of an image whose instruction has these words."""
        record = self.records.get(name, platform)
        found = [layer for layer in record.size.layers if words in layer.created_by and not layer.of_base]
        if len(found) != 1:
            raise Problem(
                f"{len(found)} layers of {name} have {words!r} in their instruction.", next="make show-step-N"
            )
        return self._of(record, getattr(found[0], field))

    def _package(self, name: str, package: str, platform: str = PLATFORMS[0]) -> str:
        """The size of one Python package in an image, its bytecode included, wherever it lies."""
        record = self.records.get(name, platform)
        found = [one.bytes for one in record.contents.python_packages if one.name == package and one.bytes is not None]
        if not found:
            raise Problem(f"{name} has no {package} whose size is known.", next="make show-step-N")
        return self._of(record, sum(found))

    def _folder(self, name: str, path: str, platform: str = PLATFORMS[0]) -> str:
        """The size of the files in one of an image's folders, of those that a record lists."""
        record = self.records.get(name, platform)
        if path not in record.contents.directories:
            raise Problem(f"The record of {name} does not list {path}.", next="make show-step-N")
        return self._of(record, record.contents.directories[path])

    def _packages(self, name: str, *, without: tuple[str, ...] = ("pip",), platform: str = PLATFORMS[0]) -> str:
        """The sum of the Python packages that the Dockerfile installs: all but those that the base brings."""
        record = self.records.get(name, platform)
        added = [p for p in record.contents.python_packages if p.name not in without and p.bytes is not None]
        return self._of(record, sum(package.bytes for package in added))

    def _vendored(self, package: str, *names: str) -> str:
        """A Python package in several images: its bytes, and the shared libraries that its wheel brings along."""
        head, rows = ["image", f"{package}, unpacked"], []
        found = []
        for name in names:
            record = self.records.get(name)
            (one,) = [p for p in record.contents.python_packages if p.name.lower() == package]
            found.append((record, one))
        # The hash that auditwheel puts into a library's name differs from wheel to wheel.
        plain = [{_library(file): size for file, size in (one.vendored or {}).items()} for _, one in found]
        libraries = sorted(
            {library for sizes in plain for library in sizes}, key=lambda x: -max(s.get(x, 0) for s in plain)
        )
        head += [f"`{library}`" for library in libraries]
        for name, (record, one), sizes in zip(names, found, plain, strict=True):
            cells = (self._of(record, sizes[library]) if library in sizes else "" for library in libraries)
            rows.append([name, self._of(record, one.bytes or 0), *cells])
        return markdown_table(head, rows, "l" + "r" * (len(head) - 1))

    def _failure(self, name: str, platform: str = PLATFORMS[0]) -> str:
        """The line that a build which is meant to fail ended with, as it was recorded."""
        record = self.records.get(name, platform)
        if record.failure is None:
            raise Problem(f"{name} did not fail on {platform}.", next="make steps")
        title = f"{record.step}/{record.dockerfile} on {platform}, exit code {record.failure.exit_code}"
        return f'``` text title="{title}"\n{record.failure.line}\n```'

    # Tables, charts, diffs

    def _intro(self) -> str:
        """What the page says first: what you will learn, how long it takes, what you need."""
        lines = ['!!! abstract "You will learn"', ""]
        lines += [f"    - {item}" for item in self.meta["learn"]]
        lines += ["", f"    {self.meta['minutes']} minutes. {self.meta.get('needs', '')}".rstrip()]
        return "\n".join(lines)

    def _sizes(self, step: str, platforms: tuple[str, ...] = PLATFORMS) -> str:
        """The variants of a step: transfer and unpacked size on each platform, and the change against the first one."""
        found = find_step(step)
        head, right = ["variant"], "l"
        for platform in platforms:
            architecture = platform.split("/")[1]
            head += [f"{architecture}, transfer", "change", f"{architecture}, unpacked", "change"]
            right += "rrrr"
        rows = []
        for variant in found.variants:
            row = [f"**{variant.name}**" if variant.name == RECOMMENDED else variant.name]
            for platform in platforms:
                if not variant.platforms([platform]):
                    row += ["", "", "", ""]
                    continue
                record = self.records.get(f"{found.name}/{variant.name}", platform)
                for kind in KINDS.values():
                    row += self._size_and_change(found.name, record, kind)
            rows.append(row)
        return markdown_table(head, rows, right)

    def _size_and_change(self, step: str, record: Record, kind: str) -> list[str]:
        first = self.records.get(f"{step}/{find_step(step).variants[0].name}", record.platform)
        if record.size is None:
            return ["fails", ""]
        size = getattr(record.size, kind)
        against = "" if record.variant == first.variant or not first.size else change(size, getattr(first.size, kind))
        return [self._of(record, size), against]

    def _contents(self, step: str, platform: str = PLATFORMS[0]) -> str:
        """What is in the images of a step."""
        head = ["variant", "user", "OS packages", "Python packages", "compiler", "shell", "pip", "setuid files",
                "bytecode", "wasted", "context"]  # fmt: skip
        rows = []
        for variant in find_step(step).variants:
            if not variant.platforms([platform]):
                continue
            record = self.records.get(f"{step}/{variant.name}", platform)
            if record.contents is None or record.size is None:
                rows.append([variant.name, "fails", *[""] * 9])
                continue
            inside = record.contents
            marks = ("yes" if there else "no" for there in (inside.has_compiler, inside.has_shell, inside.has_pip))
            rows.append(
                [
                    f"**{variant.name}**" if variant.name == RECOMMENDED else variant.name,
                    inside.user,
                    str(len(inside.os_packages)),
                    str(len(inside.python_packages)),
                    *marks,
                    str(len(inside.setuid_files)),
                    self._of(record, inside.pyc_bytes),
                    self._of(record, record.size.wasted.own_bytes),
                    self._of(record, record.size.context_bytes),
                ]
            )
        return markdown_table(head, rows, "llrrlllrrrr")

    def _layers(self, name: str, platform: str = PLATFORMS[0]) -> str:
        """The layers of an image, lowest first; those of the base as one row."""
        record = self.records.get(name, platform)
        base = [layer for layer in record.size.layers if layer.of_base]
        rows = []
        if base:
            image = record.provenance.bases[-1].name
            sums = (sum(getattr(layer, kind) for layer in base) for kind in KINDS.values())
            sizes = (self._of(record, size) for size in sums)
            rows.append([f"base image, {len(base)} layers (`{image}`)", *sizes])
        for layer in record.size.layers[len(base) :]:
            sizes = (self._of(record, getattr(layer, kind)) for kind in KINDS.values())
            rows.append([f"`{_in_cell(instruction(layer.created_by))}`", *sizes])
        return markdown_table(["made by", "transfer", "unpacked"], rows, "lrr")

    def _variants(self, step: str) -> str:
        """What each variant of a step teaches, and the question that it answers."""
        found = find_step(step)
        rows = [[variant.name, variant.teaching.teaches, variant.teaching.question] for variant in found.variants]
        return markdown_table(["variant", "what it shows", "question"], rows)

    def _bars(self, step: str, platform: str = PLATFORMS[0]) -> str:
        """A chart of a step's variants, transfer and unpacked."""
        found = find_step(step)
        records = [r for r in self.records.of_step(found.name) if r.platform == platform and r.size]
        return self._chart([(r.variant, r) for r in records], f"Image sizes of {found.name} on {platform}")

    def _chart(self, named: list[tuple[str, Record]], caption: str, platforms: tuple[str, ...] = ()) -> str:
        """A chart of sizes. With `platforms`, those of the same images on each of them."""
        drawn = []
        for kind, field in KINDS.items():
            for name, record in named:
                for platform in platforms or (record.platform,):
                    size = self.records.get(f"{record.step}/{record.variant}", platform).size
                    series = f"{kind}, {platform.split('/')[1]}" if platforms else kind
                    drawn.append(Bar(name, series, getattr(size, field)))
        if any(base.origin == "lab" for _, record in named for base in record.provenance.bases):
            caption += ". The base images are the lab's stand-ins for the official ones"
        return self._drawn(drawn, caption)

    def _drawn(self, drawn: list[Bar], caption: str, order: Iterable[str] = ()) -> str:
        return bars(drawn, caption, order)

    def _ladder(self, *names: str) -> str:
        """Charts and tables of some variants of several steps: sizes on both platforms, and what was timed of them."""
        named = [(name, self.records.get(name)) for name in names]
        head, first = ["variant"], named[0][1].size
        for platform in PLATFORMS:
            against = ["change"] if platform == PLATFORMS[0] else []  # on the other one it is nearly the same
            head += [word for kind in KINDS for word in (f"{platform.split('/')[1]}, {kind}", *against)]
        rows = []
        for name, record in named:
            row = [f"[{name}]({self._step_page(record.step)})"]
            for kind in KINDS.values():
                size = getattr(record.size, kind)
                row += [
                    self._of(record, size),
                    "" if record is named[0][1] else change(size, getattr(first, kind)),
                ]
            other = self.records.get(name, PLATFORMS[1])
            rows.append([*row, *(self._of(other, getattr(other.size, k)) for k in KINDS.values())])
        chart = self._chart(named, f"Image sizes on {' and '.join(PLATFORMS)}", PLATFORMS)
        return "\n\n".join(part for part in (chart, markdown_table(head, rows, "lrrrrrr"), self._climb(named)) if part)

    def _climb(self, named: list[tuple[str, Record]]) -> str:
        """A chart and a table of what was timed of some variants; an empty cell where nothing was."""
        kinds = {"cold": "cold build", "edit": "one line of code", "lock": "one dependency", "start": "first answer"}
        rows, drawn, days = [], [], set()
        machines: dict[str, dict[str, None]] = {}  # steps by processor, each once and in order
        named = [(name, self.records.get(name, self.records.native)) for name, _ in named]
        for name, record in named:
            row = [f"[{name}]({self._step_page(record.step)})"]
            for kind, words in kinds.items():
                taken = record.time and plan_of(find_step(record.step)).takes(record.variant, kind)
                found = getattr(record.time, TIMES[kind]) if taken else None
                row.append(self._seconds(name, kind) if found else "")
                if found:
                    drawn.append(Bar(name, words, found.median, duration(found.median)))
                    days.add(f"{record.time.measured_at:%Y-%m-%d}")
                    machines.setdefault(record.time.cpu or "one that is not recorded", {})[name.split("/")[0]] = None
            rows.append(row)
        if not drawn:
            return ""
        where = f"natively on {named[0][1].platform}"
        caption = f"Medians of seconds, {where}"
        said = (
            f"Medians of seconds, {where}: a build from nothing, builds after a change, `docker run` to the first "
            f"answer. Taken on {' and '.join(sorted(days))} (UTC), each step in a sitting of its own; what is empty "
            "was not timed."
        )
        if len(machines) > 1:
            on = "; ".join(f"{' and '.join(steps)} on {machine}" for machine, steps in machines.items())
            said += f" Compare within a step, not across, because processors differ: {on}."
        table = markdown_table(["variant", *kinds.values()], rows, "l" + "r" * len(kinds))
        return "\n\n".join(part for part in (self._drawn(drawn, caption, kinds.values()), said, table) if part)

    def _step_page(self, step: str) -> str:
        short = find_step(step).command.removeprefix("make ")
        return self._link(PurePosixPath(f"steps/{short}.md"))

    def _diff(self, before: str, after: str, context: int = 1) -> str:
        """The difference between two files of the repository, as a block."""
        texts = [(ROOT / name).read_text().splitlines() for name in (before, after)]
        lines = list(difflib.unified_diff(*texts, before, after, lineterm="", n=context))
        if not lines:
            raise Problem(f"{before} and {after} do not differ.", next=f"diff {before} {after}")
        return "\n".join(["``` diff", *(line for line in lines if not line.startswith("@@")), "```"])

    def _lines(self, name: str) -> str:
        """How many lines a file of the repository has, those that are empty or a comment (#) left out."""
        lines = (line.strip() for line in (ROOT / name).read_text().splitlines())
        return str(sum(bool(line) and not line.startswith("#") for line in lines))

    def _instruction(self, dockerfile: str, words: str) -> str:
        """The one instruction of a Dockerfile of the repository that begins with these words, as code."""
        found = [line for line in instructions(ROOT / dockerfile) if line.startswith(words)]
        if len(found) != 1:
            raise Problem(f"{len(found)} instructions of {dockerfile} begin with {words!r}.", next=f"less {dockerfile}")
        return _code(found[0])

    def _stages(self, dockerfile: str) -> str:
        """How many stages a Dockerfile of the repository has."""
        return str(len(stages(ROOT / dockerfile)))

    def _then_and_now(self) -> str:
        """Old measurements beside ours of the same kind of image: one chart, and a table for each source."""
        drawn: list[Bar] = []
        tables = []
        for source in then.sources():
            (whole,) = [image for image in source.image if image.whole]
            full, _ = self._today(whole.now)
            rows = []
            for image in source.image:
                size, shown_size = self._today(image.now)
                group = f"{image.title} ({source.when})"
                drawn.append(Bar(group, "then", image.bytes))
                drawn += [Bar(group, "now", size)] if size else []
                applies = image.now.startswith("step-")
                share = f"{image.bytes / whole.bytes:.0%}" if applies else ""
                share_now = f"{size / full:.0%}" if applies and size and full else ""
                rows.append([image.title, megabytes(image.bytes), share, shown_size, share_now])
            who = f"[{source.who}]({source.url})" if source.url else source.who
            head = ["image", f"then, {source.when}", "of its full one", "now", "of its full one"]
            tables += [f"**{source.name}**: {who}; {source.about}.", markdown_table(head, rows, "lrrrr")]
        caption = "Then and now, the files of all layers; the base images of now are stand-ins for the official ones"
        return "\n\n".join([bars(drawn, caption), *tables])

    def _today(self, name: str) -> tuple[int | None, str]:
        """Bytes of the files of an image of ours, a base image or STEP/VARIANT, and how they are shown."""
        bases = {one.image: one for one in fidelity.load().comparisons if one.platform == PLATFORMS[0]}
        if name in bases:
            size = bases[name].lab.unpacked_bytes
            return size, self._file(fidelity.record_path(), megabytes(size))
        record = self.records.get(name)
        if record.size is None:
            return None, "fails"
        return record.size.unpacked_file_bytes, self._of(record, record.size.unpacked_file_bytes)

    def _terminal(self, step: str, *, quick: bool = False) -> str:
        """The end of what `make step-N` prints, from the records; `…` stands for what differs from run to run.

        `quick`: with QUICK=1.
        """
        found = replace(find_step(step), quick=quick)
        records = self.records.of_step(found.name)
        text = io.StringIO()
        Console(file=text, width=100).print(table(found, records, list(PLATFORMS)))
        lines = [line.rstrip() for line in text.getvalue().splitlines()]
        for platform in () if found.experiment else PLATFORMS:
            machine = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}[platform]
            answer = f"{{'libc': 'glibc …', 'machine': '{machine}', 'python': '3.14.…', 'step': '{found.name}', "
            lines.append(f"{platform} answers: {answer}'variant': 'recommended'}}")
        lines += ["Against the recorded numbers: …", f"Records: results/…/{found.name}/"]
        return "\n".join(lines)

    def _results(self) -> str:
        """Every record as a row that other pages can link to."""
        head = ["step", "variant", "platform", "transfer", "unpacked", "files", "wasted", "context", "OS", "Python"]
        head += ["user", "built", "base", "record"]
        rows = []
        for record in self.records.all():
            cells = [f'<span id="{anchor(record)}"></span>{record.step}', record.variant, record.platform]
            if record.size and record.contents:
                size = record.size
                exact = [size.transfer_bytes, size.unpacked_tar_bytes, size.unpacked_file_bytes]
                exact += [size.wasted.own_bytes, size.context_bytes]
                cells += [f'<span title="{size:,} bytes">{megabytes(size)}</span>' for size in exact]
                cells += [str(len(getattr(record.contents, name))) for name in ("os_packages", "python_packages")]
                cells.append(record.contents.user)
            else:
                cells += ["fails", *[""] * 7]
            origins = sorted({base.origin for base in record.provenance.bases})
            rows.append([*cells, record.provenance.execution, ", ".join(origins), self._file(record.path, "JSON")])
        return markdown_table(head, rows, "lllrrrrrrrllll")

    def _processor(self, step: str) -> str:
        """The processor that a step was timed on, with a comma before it; '' where its records do not say."""
        times = self.records.get(step, self.records.native).time
        return f", on a machine with {times.cpu}" if times and times.cpu else ""

    def _rules(self) -> str:
        """When a sitting stops, by what is timed."""
        rows = []
        for name, rule in (("builds", enough.BUILDS), ("starts", enough.STARTS), ("memory", enough.MEMORY)):
            margin = f"{rule.margin:.0%}" + (f", or {rule.margin_s:.2f} s" if rule.margin_s else "")
            spent = f"{rule.spent_s:.0f} s" if rule.spent_s else ""
            rows.append([name, f"{rule.level:.0%}", str(rule.least), str(rule.most), margin, spent])
        head = ["of", "interval", "samples at least", "at most", "alike within", "long from"]
        return markdown_table(head, rows, "lrrrrr")

    def _environment(self) -> str:
        """The environment that the numbers of the site are from."""
        return f"`{self.records.environment}`"

    def _environments(self) -> str:
        """Every environment that has records: its machine, where its base images come from, and how many records."""
        rows = []
        for name in environments():
            about = load_environment(name)
            bases = named(about.bases) if about else ""
            cells = [_described(about), bases, str(len(record_files(name)))]
            rows.append([f"**`{name}`**" if name == self.records.environment else f"`{name}`", *cells])
        return markdown_table(["environment", "machine and engine", "base images", "records"], rows, "lllr")

    def _tests(self) -> str:
        """When `make test-all` was last run where the numbers are from, when it last passed, and what it was."""
        name = self.records.environment
        found = tested.load(name)
        if found is None:
            return f"No run of `make test-all` is recorded in `{name}` yet."
        rows = [
            [one.name, duration(one.seconds), str(one.passed), str(one.failed), str(sum(s.tests for s in one.skipped))]
            for one in found.phases
        ]
        head = ["phase", "time", "passed", "failed", "skipped"]
        skips = [f"- {skip.tests} skipped in {one.name}: {skip.reason}" for one in found.phases for skip in one.skipped]
        told = self._file(tested.path(name), f"The run of {found.begun_at:%Y-%m-%d %H:%M} (UTC)")
        parts = [
            f"{found.told} {told} took {duration(found.seconds)}:",
            markdown_table(head, rows, "lrrrr"),
            "\n".join(skips),
        ]
        return "\n\n".join(part for part in parts if part)

    def origin(self) -> str:
        """Which environment the page's numbers are from, in a sentence for its end."""
        link = f"[{self._environment()}]({self._link(METHODOLOGY)}#environments)"
        return f"Numbers on this page that lead to a record were measured in {link}.\n{{ .environment }}"

    def _bench(self, words: str) -> str:
        """The median of what a bench timed, or weighed, under these words."""
        benches = {path: json.loads(path.read_text()) for path in map(_bench_path, BENCHES) if path.exists()}
        timings = [(path, timing) for path, bench in benches.items() for timing in bench["timings"]]
        found = [one for one in timings if one[1]["what"] == words]
        found = found or [one for one in timings if words in one[1]["what"]]
        if len(found) != 1:
            raise Problem(f"{len(found)} entries of the benchmarks have the words {words!r}.", next="make bench")
        path, timing = found[0]
        shown_as = megabytes if timing["unit"] == "bytes" else duration
        text = shown_as(statistics.median(timing["samples"])).replace(" ", "&nbsp;")
        times = len(timing["samples"])
        taken = f"{f'{times} samples' if times > 1 else 'taken once'}; load of the machine before: {benches[path]['load_before']}"
        return f'[{text}]({self._link(records_file(path))} "{taken}")'

    def _fidelity(self) -> str:
        """The lab's base images against the official ones."""
        found = fidelity.load()
        if recipes := fidelity.changed(found):
            raise Problem(
                f"{shown(fidelity.record_path())} is stale.",
                why=f"the recipes of {', '.join(recipes)} changed",
                next="make lab-fidelity",
            )
        head = ["image", "platform", "transfer, official", "lab", "change", "unpacked, official", "lab", "change",
                "OS packages"]  # fmt: skip
        rows = []
        for one in found.comparisons:
            row = [one.image, one.platform]
            for ours, theirs in (
                (one.lab.transfer_bytes, one.official.transfer_bytes),
                (one.lab.unpacked_bytes, one.official.unpacked_bytes),
            ):
                row += [megabytes(theirs) if theirs else "not published", megabytes(ours), change(ours, theirs)]
            same = one.packages_official is not None and not (one.packages_missing or one.packages_extra)
            row.append(f"{one.packages_lab} of {one.packages_official}{', the same' if same else ''}"
                       if one.packages_official is not None else "")  # fmt: skip
            rows.append(row)
        known = [f"- `{image}`: {'; '.join(found.known_differences[image])}" for image in found.known_differences]
        return "\n".join([markdown_table(head, rows, "llrrrrrrr"), "", "What we know to differ:", "", *known])

    def _wheels(self) -> str:
        """The wheels that pip would choose, with the day it was asked."""
        found = wheels.complete()
        head = ["package", "latest", "sdist", "ABI", *(f"{libc}, {machine}" for libc, machine in TARGETS)]
        rows = []
        for row in found.packages:
            abis = dict.fromkeys(one.wheel.abi for one in row.answers if one.wheel)
            cells = [row.name, row.latest, "yes" if row.sdist else "no", ", ".join(abis)]
            rows.append(cells + [_wheel(row, row.answer(*target)) for target in TARGETS])
        asked = [row.asked for row in found.packages]
        days, pips, pythons, glibcs, musls = (
            " and ".join(sorted({of(one) for one in asked}))
            for of in (
                lambda one: f"{one.at:%Y-%m-%d}", lambda one: one.pip, lambda one: one.python,
                lambda one: one.glibc, lambda one: one.musl,
            )
        )  # fmt: skip
        caption = (
            f"Asked on {days} (UTC), with pip {pips} for CPython {pythons}; glibc {glibcs} and musl {musls} are the "
            f"newest that a wheel may want. {self._file(wheels.record_path(), 'The record')} has every file's name."
        )
        return f"{markdown_table(head, rows, 'llllrrrr')}\n\n{caption}"

    def _wheel_size(self, package: str, libc: Libc, machine: Machine = "x86_64") -> str:
        """Size of the file of the wheel that pip would choose today."""
        row = wheels.complete().package(package)
        answer = row.answer(libc, machine) if row else None
        if answer is None or answer.wheel is None or answer.wheel.bytes is None:
            raise Problem(f"There is no size of a {libc} wheel of {package}.", next=f"make wheels PACKAGES={package}")
        return self._file(wheels.record_path(), megabytes(answer.wheel.bytes).replace(" ", "&nbsp;"))

    def _wheel_groups(self) -> str:
        """The packages by what they have wheels of their latest version for."""
        titles = {
            "all": "wheels for glibc and for musl, on both processors",
            "manylinux": "for glibc on both processors, but not for musl on both",
            "musllinux": "for musl on both processors, but not for glibc on both",
            "some": "for neither libc on both processors, but some",
            "none": "none at all",
        }
        rows = wheels.complete().packages
        lines = []
        for group, title in titles.items():
            if names := [f"`{row.name}`" for row in rows if row.group == group]:
                lines.append(f"- {title}: **{len(names)} of {len(rows)}**, {', '.join(names)}")
        return "\n".join(lines)

    @cached_property
    def _proved(self) -> list[RecipeRecord]:
        """The environment's recipes. Raises Problem when one of them does not hold."""
        return recipes.complete(self.records.environment).recipes

    def _recipes(self) -> str:
        """The apt packages that building a package takes, and those that running it takes, with what they add."""
        head = ["package", "to build", "adds", "to run", "adds", "built in", "wheel for glibc today"]
        proved, today = self._proved, wheels.complete()
        rows = []
        for record in proved:
            recipe, built = record.recipe, record.built
            build = _apt(recipe.build) + ("" if recipe.minimise else " (listed, not minimised)")
            build += "".join(f", with `{name}={value}`" for name, value in recipe.environment.items())
            row = today.package(recipe.package)
            cells = [f"`{recipe.package}` {recipe.version}", build]
            if built:
                seconds = f"once; load average of the machine before: {built.load_before}"
                cells += [_added(built.build_cost), _apt(recipe.run), _added(built.run_cost)]
                cells.append(f'<span title="{seconds}">{duration(built.seconds).replace(" ", "&nbsp;")}</span>')
            else:
                cells += ["", record.outcome, "", ""]
            rows.append([*cells, _glibc_today(row) if row else "not asked"])
        days = sorted({f"{record.provenance.measured_at:%Y-%m-%d}" for record in proved})
        path = self._file(recipes.record_path(self.records.environment), "The record")
        caption = (
            f"Proved on {' and '.join(days)} (UTC), on {proved[0].platform} upon `{IMAGE}`. *Adds* is the "
            "transfer size of all that `apt-get` installs for them, dependencies included; the pointer shows the exact "
            f"and the unpacked size. {path} has all of it."
        )
        return f"{markdown_table(head, rows, 'llrlrrl')}\n\n{caption}"

    def _recipe_errors(self) -> str:
        """What is seen when a package is left out, and where a build is blocked."""
        rows = []
        for record in self._proved:
            name = f"`{record.recipe.package}`"
            if record.failure:
                rows.append([name, "build", "nothing: it is blocked", _code(record.failure.line)])
            for one in record.left_out:
                rows.append([name, one.kind, f"`{one.package}`", _code(one.line)])
        return markdown_table(["package", "to", "left out", "and what you see"], rows)

    def _recipe_dockerfile(self, package: str) -> str:
        """The Dockerfile that proved a recipe, as a block."""
        for record in self._proved:
            if record.recipe.package == package and record.outcome == "proved":
                return f"``` dockerfile\n{record.recipe.dockerfile}```"
        raise Problem(f"{package} has no proved recipe.", next=f"make recipes NAME={package}")

    @cached_property
    def _all_floors(self) -> list[Floor]:
        """The environment's floors. Raises Problem when one of them does not hold."""
        return floor.complete(self.records.environment).floors

    def _floor_of(self, name: str) -> Floor:
        step, _, variant = name.partition("/")
        key = (find_step(step).name, variant or RECOMMENDED)
        for one in self._all_floors:
            if one.key[:2] == key:
                return one
        raise Problem(f"{name} has no floor.", next=f"make floor-{step}")

    def _of_floor(self, text: str, exact: str) -> str:
        """A number that leads to the record of floors."""
        path = self._link(records_file(floor.record_path(self.records.environment)))
        return f'[{text.replace(" ", "&nbsp;")}]({path} "{exact}"){{ .measured }}'

    def _floor_bytes(self, size: int) -> str:
        return self._of_floor(megabytes(size), f"{size:,} bytes")

    def _floor(self, name: str, kind: str = "transfer") -> str:
        """The size of an image of just those files that an image looks at: `transfer`, `unpacked`, or `file_bytes`."""
        return self._floor_bytes(getattr(self._floor_of(name).floor, KINDS.get(kind, kind)))

    def _times_floor(self, name: str, kind: str = "transfer") -> str:
        """An image's size as a multiple of its floor's."""
        one, field = self._floor_of(name), KINDS.get(kind, kind)
        exact = f"{getattr(one.image, field):,} bytes against {getattr(one.floor, field):,} bytes"
        return self._of_floor(f"{one.times(field):.2f} times", exact)

    def _untouched_bytes(self, name: str) -> str:
        """The bytes of an image's files that nothing looks at."""
        return self._floor_bytes(self._floor_of(name).untouched_bytes)

    def _looked_for(self, name: str) -> str:
        """How many paths an image looks for that are not there."""
        return self._of_floor(str(len(self._floor_of(name).missing)), "the record has them all")

    def _floors(self) -> str:
        """Every image whose floor was found, its size and its floor's."""
        head = ["image"]
        for kind in KINDS:
            head += [kind, "floor", "times"]
        rows = []
        for one in self._all_floors:
            short = find_step(one.step).command.removeprefix("make ")
            row = [f"[{short}{'' if one.variant == RECOMMENDED else f'/{one.variant}'}]({self._step_page(one.step)})"]
            for field in KINDS.values():
                sizes = (self._floor_bytes(getattr(weight, field)) for weight in (one.image, one.floor))
                row += [*sizes, f"{one.times(field):.2f}"]
            rows.append(row)
        return markdown_table(head, rows, "lrrrrrr")

    def _untouched(self, name: str) -> str:
        """The largest things that an image ships and that nothing looks at."""
        rows = [[f"`{one.name}`" if one.name.startswith(("/", "site-packages")) else one.name, str(one.files),
                 self._floor_bytes(one.bytes)] for one in self._floor_of(name).untouched]  # fmt: skip
        return markdown_table(["what ships and is never looked at", "files", "unpacked"], rows, "lrr")

    @cached_property
    def _decided(self) -> list[folklore.Decided]:
        """The claims with their verdicts."""
        return [folklore.decide(claim, self) for claim in folklore.claims()]

    def _claims_table(self) -> str:
        """How many claims came out how, and every claim with its verdict and a link to where it is told."""
        verdicts = [one.verdict for one in self._decided]
        counts = [f"{_badge(verdict)}&nbsp;{verdicts.count(verdict)}" for verdict in folklore.VERDICTS]
        rows = [[f"[{_in_cell(one.claim.says)}](#{one.claim.id})", _badge(one.verdict)] for one in self._decided]
        summary = f"{len(rows)} claims: {' '.join(counts)}\n{{ .verdicts }}"
        return f"{summary}\n\n{markdown_table(['claim', 'verdict'], rows)}"

    def _claims(self) -> str:
        """Every claim, by theme: what is said, by whom, the verdict, why, and how to take its numbers again."""
        parts, theme = [], None
        for one in self._decided:
            claim = one.claim
            if claim.theme != theme:
                theme = claim.theme
                parts.append(f"## {theme}")
            who = f"[{claim.who}]({claim.url})" if claim.url else claim.who
            parts += [
                f"### {f'“{claim.says}”' if claim.quoted else claim.says} {{ #{claim.id} }}",
                f"{_badge(one.verdict)} {who}, {claim.when}\n{{ .said }}",
                one.words,
                *([f"{rests_on}\n{{ .rests-on }}"] if (rests_on := _rests_on(one)) else []),
                _rule(claim),
            ]
        return "\n\n".join(parts)

    def _record_link(self, record: Record) -> str:
        """A link to a record, by its name."""
        short = find_step(record.step).command.removeprefix("make ")
        platform = "" if record.platform == PLATFORMS[0] else f" on {record.platform}"
        return f"[{short}/{record.variant}]({self._link(RESULTS_PAGE)}#{anchor(record)}){platform}"

    def _file(self, path: Path, text: str) -> str:
        """A link to a file of results/, which the site carries along."""
        return f"[{text}]({self._link(records_file(path))})"


class Readme(Page):
    """The README, which is read where the site is not: its numbers lead to the files of results/."""

    def __init__(self, records: Records) -> None:
        super().__init__(records, PurePosixPath("README.md"), {})

    def _number(self, text: str, record: Record, exact: str) -> str:
        return f'[{text}]({shown(record.path)} "{exact}")'

    def _drawn(self, drawn: list[Bar], caption: str, order: Iterable[str] = ()) -> str:
        """None: GitHub shows no SVG that stands in the text."""
        return ""

    def _step_page(self, step: str) -> str:
        return find_step(step).name


def records_file(path: Path) -> PurePosixPath:
    """Where the site keeps a file of results/."""
    return PurePosixPath("results/records") / path.relative_to(RESULTS).as_posix()


def _described(about: Environment | None) -> str:
    """A machine and its engine, in a sentence."""
    if about is None:
        return "not described"
    hardware = f"{about.cores} cores ({about.cpu}), {about.memory_bytes / 1e9:.0f} GB of memory, {about.system}"
    builder = f"buildx {about.buildx}, driver `{about.builder_driver}`, store `{about.store}`"
    return f"{hardware}; Docker Engine {about.engine} with {builder}"


def _wheel(package: Package, answer: Answer) -> str:
    """What the table of wheels says of one; the pointer shows the file's name, or pip's words where there is none."""
    wheel = answer.wheel
    exact = f", {wheel.bytes:,} bytes" if wheel and wheel.bytes is not None else ""
    return f'<span title="{wheel.file + exact if wheel else answer.said}">{wheel_cell(package, answer)}</span>'


def _apt(packages: list[str]) -> str:
    """The apt packages of a recipe, to be copied as they are."""
    return f"`{' '.join(packages)}`" if packages else "nothing"


def _added(cost: Cost) -> str:
    """What apt packages add to an image; nothing where there are none."""
    if not cost.transfer_bytes:
        return ""
    exact = f"{cost.transfer_bytes:,} bytes; unpacked {cost.unpacked_tar_bytes:,} bytes"
    return f'<span title="{exact}">{megabytes(cost.transfer_bytes).replace(" ", "&nbsp;")}</span>'


def _glibc_today(package: Package) -> str:
    """Does a wheel make building unnecessary on Debian?"""
    there = [machine for libc, machine in TARGETS if libc == "manylinux" and package.state(libc, machine) == "yes"]
    return {0: "no", 1: f"on {there[0] if there else ''} alone", 2: "yes"}[len(there)]


def _spread(record: Record, found: Samples, shown: Callable[[float], str]) -> str:
    """The lowest and the highest sample, how many there are, and whether the machine was busy before."""
    text = f"{shown(min(found.samples))} to {shown(max(found.samples))} in {len(found.samples)} samples"
    return text + (f"; on a busy machine: load {record.time.load_before} before" if record.time.busy else "")


def _part(words: str) -> str:
    """A part of what was timed: an instruction, as the builder shows it, as code and cut; else words."""
    short = words if len(words) <= 90 else f"{words[:89]}…"
    return _code(short) if words.startswith("[") else short


def _code(text: str) -> str:
    """A line of output as code in a cell of a Markdown table."""
    return f"`` {_in_cell(text)} ``" if "`" in text else f"`{_in_cell(text)}`"


def _badge(verdict: folklore.Verdict) -> str:
    """A verdict that is seen as one."""
    return f"**{verdict}**{{ .verdict .{verdict.replace(' ', '-')} }}"


def _rests_on(one: folklore.Decided) -> str:
    """What a verdict was computed from, and what to type to measure that."""
    parts = [f"Records: {', '.join(one.records)}."] if one.records else []
    if one.commands:
        word = "Next" if one.verdict == "undecided" else "Again"
        parts.append(f"{word}: {', '.join(f'`{command}`' for command in one.commands)}.")
    return " ".join(parts)


def _rule(claim: folklore.Claim) -> str:
    """What decides a claim, folded."""
    lines = [f"Holds if {_code(claim.holds)}"]
    lines += [f"it depends if {_code(claim.depends)}"] if claim.depends else []
    return f'??? rule "The rule"\n\n    {"; else ".join(lines)}; else no longer.'


def _library(file: str) -> str:
    """A vendored library without the hashes that auditwheel adds: libgfortran-040039e1-0352e75f.so.5.0.0."""
    return re.sub(r"-[0-9a-f]{8}(?=[-.])", "", file).split(".so")[0]


def _in_cell(text: str) -> str:
    """A text that may stand in a cell of a Markdown table."""
    return text.replace("|", "\\|")
