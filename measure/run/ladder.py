"""`make all` and `make record`: every step in one run, which goes on after a failure and after an interruption.

What an interrupted run built is remembered (remembered.py), so the next one goes on from there. Times are not:
`make record` keeps a journal of the steps that it timed, in the user's cache folder, until it reaches its end.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import Field, ValidationError
from rich.markup import escape
from rich.table import Table

from measure.base.errors import Problem, as_problem
from measure.base.files import ROOT, cache_folder, write_whole
from measure.base.model import Strict
from measure.base.platforms import PLATFORMS
from measure.base.units import duration
from measure.build.engine import Engine
from measure.record import plan
from measure.record.check import check
from measure.record.records import load, record_path
from measure.run import probe
from measure.run.step import Outcome, measure_step, session
from measure.run.timing import time_step
from measure.steps.compose import Step
from measure.steps.inputs import inputs_of
from measure.tell.table import out

Command = Literal["all", "record"]
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


class Journal(Strict):
    """The steps that a run which has not ended yet has timed, with hashes of what they are made from and became."""

    #: When the first of them was; UTC.
    begun_at: datetime = Field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    timed: dict[str, str] = Field(default_factory=dict)


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


def journals() -> Path:
    """The folder of the journals of runs that have not ended."""
    return cache_folder() / "runs"


def journal_path(engine: Engine, steps: list[Step], command: Command) -> Path:
    """Where a run keeps its journal: each clone, engine, choice of platforms and kind of run has one of its own."""
    kind = [str(ROOT), engine.environment, engine.kind, engine.builder, engine.platforms, [s.quick for s in steps]]
    return journals() / f"{command}-{hashlib.sha256(json.dumps(kind).encode()).hexdigest()[:16]}.json"


def _interrupted(path: Path) -> Journal:
    """The journal of a run that was interrupted not too long ago; else a new one."""
    try:
        journal = Journal.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return Journal()
    return journal if datetime.now(UTC) - journal.begun_at < RESUME else Journal()


def _due(engine: Engine, step: Step) -> list[Path]:
    """The records that a run is to write of a step."""
    return [
        record_path(engine.environment, step.name, variant.name, platform)
        for variant in step.variants
        for platform in variant.platforms(engine.platforms)
    ]


def _plan(step: Step) -> Path:
    return plan.PLANS / f"{step.name}.toml"


def _state(engine: Engine, step: Step) -> str:
    """Hash of all that a step's times are made from, and of its records with them."""
    parts = [plan.plan_of(step).model_dump_json()]
    parts += [inputs_of(step, variant, engine.recipe).sha256 for variant in step.variants]
    parts += [path.read_text() if path.exists() else "" for path in _due(engine, step)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


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
        return "times: no plan in measure/record/timings/"
    if engine.platform not in engine.platforms:
        return f"times: they are taken on {engine.platform} alone"
    return ""


def _do(engine: Engine, step: Step, command: Command, journal: Path) -> Part:
    """Do what is left to do of a step. A failure is told and kept for the summary; any other exception ends the run."""
    part = Part(step.name)
    built = False
    begun = time.monotonic()
    try:
        part.skipped += _left_out(step)
        measure_step(engine, step, lambda outcome: _take(part, outcome), start_again=False)
        built = True
        if command == "record":
            _time(engine, step, part, journal)
    except Exception as error:
        if (problem := as_problem(error)) is None:
            raise
        problem.show()
        part.failed.append(f"{problem.what} {' '.join(problem.why.splitlines())}".strip())
        part.failures = max(part.failures, 1)
        if command == "record" and not built and _plan(step).exists():
            part.skipped.append("times: the step failed")
        probe.ending.clear()  # it ended what else was going on in this step, and the next one is not to be ended
    part.seconds = time.monotonic() - begun
    return part


def _time(engine: Engine, step: Step, part: Part, path: Path) -> None:
    """Time a step, unless the run that was interrupted did, and nothing changed since."""
    if why := _no_times(engine, step):
        part.skipped.append(why)
        return
    journal = _interrupted(path)
    if journal.timed.get(step.name) == _state(engine, step):
        part.skipped.append(f"times: taken by the run of {journal.begun_at:%H:%M} UTC, which was interrupted")
    else:
        time_step(engine, step)
        journal.timed[step.name] = _state(engine, step)
        write_whole(path, journal.model_dump_json(indent=1))
    part.counts.timed = _timed(engine, step)


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
        with FileLock(path.with_suffix(".lock"), timeout=0), session(engine):
            parts = [_do(engine, step, command, path) for step in steps]
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
