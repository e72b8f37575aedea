"""`make all` and `make record`: every step in one run, which goes on after a failure and after an interruption.

A run keeps a journal in the user's cache folder. What an interrupted run finished is not done again by the same
command, where neither what it was made from nor its records changed meanwhile. A run that reaches its end ends its
journal, so that the next one does everything again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import Field, ValidationError
from rich.markup import escape
from rich.table import Table

from measure import plan, probe
from measure.check import check
from measure.engine import Engine, native_platform
from measure.errors import Problem, as_problem, say
from measure.files import cache_folder, write_whole
from measure.inputs import inputs_of
from measure.model import Strict
from measure.records import load, record_path
from measure.run import Outcome, measure_step
from measure.steps import PLATFORMS, ROOT, Step
from measure.table import out
from measure.timing import time_step
from measure.units import duration

Command = Literal["all", "record"]
IMAGES, TIMES = "images", "times"
#: What was interrupted longer ago is begun anew.
RESUME = timedelta(hours=24)


class Counts(Strict):
    """What came of a step: how many of its builds, variants and platforms counted each, went which way."""

    built: int = 0
    #: Builds that are meant to fail, and did.
    refused: int = 0
    recorded: int = 0
    #: Records of builds that take minutes, which are left as they are because they hold.
    kept: int = 0
    timed: int = 0

    def add(self, outcome: Outcome) -> None:
        """Count one variant on one platform."""
        self.kept += outcome.kept
        self.built += outcome.record.outcome == "built" and not outcome.kept
        self.refused += outcome.record.outcome == "failed" and outcome.expected
        self.recorded += outcome.expected and not outcome.kept


class Done(Strict):
    """What a run finished of a step, what it was made from, and what became of it, as hashes (SHA-256)."""

    phases: list[str]
    counts: Counts
    inputs_sha256: str
    records_sha256: str


class Journal(Strict):
    """What a run that has not ended yet has finished, by the names of steps."""

    #: UTC
    begun_at: datetime = Field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    done: dict[str, Done] = Field(default_factory=dict)


@dataclass
class Part:
    """A step's row in the summary."""

    step: str
    counts: Counts = field(default_factory=Counts)
    seconds: float = 0.0
    #: In words, with the reason.
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failures: int = 0


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def journals() -> Path:
    """The folder of the journals of runs that have not ended."""
    return cache_folder() / "runs"


def journal_path(engine: Engine, steps: list[Step], command: Command) -> Path:
    """Where a run keeps its journal: each clone, engine, choice of platforms and kind of run has one of its own."""
    kind = [str(ROOT), engine.environment, engine.kind, engine.builder, engine.platforms, [s.quick for s in steps]]
    return journals() / f"{command}-{_hash(kind)[:16]}.json"


def _interrupted(path: Path) -> Journal:
    """The journal of a run that was interrupted not too long ago; else a new one."""
    try:
        journal = Journal.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return Journal()
    if datetime.now(UTC) - journal.begun_at > RESUME:
        return Journal()
    if journal.done:
        say(f"going on with the run that was begun at {journal.begun_at:%H:%M} UTC and interrupted")
    return journal


def _due(engine: Engine, step: Step) -> list[Path]:
    """The records that a run is to write of a step."""
    return [
        record_path(engine.environment, step.name, variant.name, platform)
        for variant in step.variants
        for platform in variant.platforms(engine.platforms)
    ]


def _plan(step: Step) -> Path:
    return plan.PLANS / f"{step.name}.toml"


def _inputs(engine: Engine, step: Step) -> str:
    """Hash of all that a step's images and times are made from."""
    timed = plan.plan_of(step).model_dump_json() if _plan(step).exists() else ""
    return _hash([timed, *(inputs_of(step, variant, engine.recipe).sha256 for variant in step.variants)])


def _records(engine: Engine, step: Step) -> str:
    """Hash of the records that are due of a step, as they are now."""
    return _hash([path.read_text() if path.exists() else "" for path in _due(engine, step)])


def _timed(engine: Engine, step: Step) -> int:
    """How many variants of a step have times in their records."""
    records = [load(path) for path in _due(engine, step)]
    return sum(record is not None and record.time is not None for record in records)


def _left_out(step: Step) -> list[str]:
    """The variants of a step that are not built, and why."""
    names = [variant.name for variant in step.variants]
    slow = [variant.name for variant in replace(step, quick=False).variants if variant.name not in names]
    return [f"{', '.join(slow)}: many minutes to build each (QUICK=1)"] if slow else []


def _no_times(engine: Engine, step: Step) -> str:
    """Why a step is not timed; '' when it is."""
    if not _plan(step).exists():
        return "times: no plan in measure/timings/"
    if native_platform() not in engine.platforms:
        return f"times: they are taken on {native_platform()} alone"
    return ""


def _do(engine: Engine, step: Step, command: Command, journal: Journal, save: Callable[[], None]) -> Part:
    """Do what is left to do of a step. A failure is told and kept for the summary; any other exception ends the run."""
    part = Part(step.name)
    finished: list[str] = []
    begun = time.monotonic()
    try:
        part.skipped += _left_out(step)
        made_from = _inputs(engine, step)
        done = journal.done.pop(step.name, None)
        if done and (done.inputs_sha256, done.records_sha256) == (made_from, _records(engine, step)):
            finished, part.counts = done.phases, done.counts
            part.skipped.append(f"{' and '.join(finished)}: done before the interruption")
            journal.done[step.name] = done

        def finish(phase: str) -> None:
            finished.append(phase)
            journal.done[step.name] = Done(
                phases=finished, counts=part.counts, inputs_sha256=made_from, records_sha256=_records(engine, step)
            )
            save()

        if IMAGES not in finished:
            measure_step(engine, step, lambda outcome: _take(part, outcome))
            finish(IMAGES)
        if command == "record" and (why := _no_times(engine, step)):
            part.skipped.append(why)
        elif command == "record" and TIMES not in finished:
            time_step(engine, step)
            part.counts.timed = _timed(engine, step)
            finish(TIMES)
    except Exception as error:
        if (problem := as_problem(error)) is None:
            raise
        problem.show()
        part.failed.append(f"{problem.what} {' '.join(problem.why.splitlines())}".strip())
        part.failures = max(part.failures, 1)
        if command == "record" and IMAGES not in finished and _plan(step).exists():
            part.skipped.append("times: the step failed")
        probe.ending.clear()  # it ended what else was going on in this step, and the next one is not to be ended
    part.seconds = time.monotonic() - begun
    return part


def _take(part: Part, outcome: Outcome) -> None:
    part.counts.add(outcome)
    part.failures += not outcome.expected


def measure_ladder(engine: Engine, steps: list[Step], command: Command) -> None:
    """Build, weigh, start and record every step, and time it too when the command is `record`; print one summary.

    Raises Problem when something failed, or when the same command runs already.
    """
    path = journal_path(engine, steps, command)
    path.parent.mkdir(exist_ok=True)
    begun = time.monotonic()
    try:
        with FileLock(path.with_suffix(".lock"), timeout=0):
            journal = _interrupted(path)
            parts = [
                _do(engine, step, command, journal, lambda: write_whole(path, journal.model_dump_json(indent=1)))
                for step in steps
            ]
            path.unlink(missing_ok=True)
    except Timeout:
        raise Problem(
            f"make {command} runs here already.", why=f"Its lock {path.with_suffix('.lock')} is held.", next="wait"
        ) from None
    _check(engine, steps, parts)
    _summarise(engine, command, parts, time.monotonic() - begun)
    if failed := [part.step for part in parts if part.failed]:
        commands = [step.command for step in steps if step.name in failed]
        raise Problem(
            f"{len(failed)} of {len(parts)} failed: {', '.join(failed)}.",
            why="The summary above says why.",
            next=f"mend it, then {' && '.join(commands) or 'make check'}",
        )


def _check(engine: Engine, steps: list[Step], parts: list[Part]) -> None:
    """Put the records that do not hold into the summary, but for those of steps that failed anyway."""
    rows = {part.step: part for part in parts}
    due = {path for step in steps if not rows[step.name].failed for path in _due(engine, step)}
    whole = [replace(step, quick=False) for step in steps if not rows[step.name].failed]
    for finding in check(engine.environment, whole):
        part = rows.setdefault(finding.path.parent.name, Part(finding.path.parent.name))
        said = f"the record {finding.path.name} is {finding.state}: {finding.why}"
        if finding.path in due or finding.state == "orphaned":
            part.failed.append(f"{said}. {finding.command}")
            part.failures += 1
        else:
            part.skipped.append(f"{said} (not in this run)")
    parts[:] = rows.values()


def _summarise(engine: Engine, command: Command, parts: list[Part], seconds: float) -> None:
    title = f"make {command} on {', '.join(engine.platforms)}, {duration(seconds)}"
    table = Table("step", "built", "meant to fail", "recorded", "timed", "failed", "kept", "in", title=title)
    for part in parts:
        counts = part.counts
        numbers = (counts.built, counts.refused, counts.recorded, counts.timed, part.failures, counts.kept)
        table.add_row(part.step, *(str(number or "") for number in numbers), duration(part.seconds))
    sums = [sum(numbers) for numbers in zip(*(
        (p.counts.built, p.counts.refused, p.counts.recorded, p.counts.timed, p.failures, p.counts.kept) for p in parts
    ), strict=True)]  # fmt: skip
    table.add_section()
    table.add_row("all", *map(str, sums), "")
    for column in table.columns[1:]:
        column.justify = "right"
    out.print(table)
    if any(part.counts.kept for part in parts):
        out.print("kept: builds that take minutes, and whose records hold; each of them was named above")
    if elsewhere := [platform for platform in PLATFORMS if platform not in engine.platforms]:
        out.print(f"skipped: {', '.join(elsewhere)}: not asked for, or not for this builder")
    for word in ("failed", "skipped"):
        for part in parts:
            for line in getattr(part, word):
                out.print(escape(f"{word}: {part.step}: {line}"), soft_wrap=True)
