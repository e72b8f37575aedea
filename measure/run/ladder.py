"""`make all` and `make record`: every step in one run, which goes on after a failure and after an interruption.

Nothing is kept for that but what there is anyway: what was built today is remembered (remembered.py), and a record says
when its times were taken; it loses them when it is of other inputs.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from rich.markup import escape
from rich.table import Table

from measure.base.errors import Problem, as_problem
from measure.base.platforms import PLATFORMS
from measure.base.units import duration
from measure.build.engine import Engine
from measure.record import plan
from measure.record.check import check
from measure.record.records import MEMORY, TIMES, Record, load, record_path
from measure.run import probe
from measure.run.step import Outcome, measure_step, session
from measure.run.timing import time_step
from measure.steps.compose import Step
from measure.tell.table import out

Command = Literal["all", "record"]
#: Times that are younger are not taken again: those of a run that was interrupted.
HOLDS = timedelta(hours=24)
#: What is counted of a step, each variant and platform by itself, in the order of the summary's columns. Meant to fail:
#: builds that did. Kept: records of builds that take minutes, which are left as they are because they hold.
COUNTED = ("built", "meant to fail", "recorded", "timed", "failed", "kept")


@dataclass
class Part:
    """A step's row in the summary."""

    step: str
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    #: In words, with the reason.
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def take(self, outcome: Outcome) -> None:
        """Count what came of one variant on one platform."""
        built = outcome.record.outcome == "built"
        self.counts["kept"] += outcome.kept
        self.counts["built"] += built and not outcome.kept
        self.counts["meant to fail"] += outcome.expected and not built
        self.counts["recorded"] += outcome.expected and not outcome.kept
        self.counts["failed"] += not outcome.expected

    @property
    def numbers(self) -> list[int]:
        """What was counted, by column."""
        return [self.counts[name] for name in COUNTED]


def _due(engine: Engine, step: Step) -> list[Path]:
    """The records that a run is to write of a step."""
    return [
        record_path(engine.environment, step.name, variant.name, platform)
        for variant in step.variants
        for platform in variant.platforms(engine.platforms)
    ]


def _left_out(step: Step) -> list[str]:
    """The variants of a step that are not built, and why."""
    names = [variant.name for variant in step.variants]
    slow = [variant.name for variant in replace(step, quick=False).variants if variant.name not in names]
    return [f"{', '.join(slow)}: many minutes to build each (QUICK=1)"] if slow else []


def _no_times(engine: Engine, step: Step) -> str:
    """Why a step is not timed; '' when it is."""
    if not (plan.PLANS / f"{step.name}.toml").exists():
        return "times: no plan in measure/record/timings/"
    if engine.platform not in engine.platforms:
        return f"times: they are taken on {engine.platform} alone"
    wanted = {name: found for name, found in _planned(engine, step).items() if found}
    if wanted and all(_of_today(engine, step, name, kinds) for name, kinds in wanted.items()):
        return f"times: taken within {HOLDS.total_seconds() / 3600:.0f} hours; {step.timing_command} takes them again"
    return ""


def _planned(engine: Engine, step: Step) -> dict[str, set[str]]:
    """The kinds of time that a step's plan takes, by variant, as far as every engine can take them."""
    planned = plan.plan_of(step)
    only_lab = {"base", "fresh-edit", "fresh-lock"}
    return {
        variant.name: {kind for kind in {**TIMES, **MEMORY} if planned.takes(variant.name, kind)} - only_lab
        for variant in step.variants
    }


def _of_today(engine: Engine, step: Step, variant: str, kinds: set[str]) -> bool:
    """Has a variant's record all of these times, and are they young enough?"""
    record = _record(engine, step, variant)
    if record is None or record.time is None or datetime.now(UTC) - record.time.measured_at > HOLDS:
        return False
    return all(getattr(record.time, (TIMES | MEMORY)[kind]) for kind in kinds)


def _record(engine: Engine, step: Step, variant: str) -> Record | None:
    return load(record_path(engine.environment, step.name, variant, engine.platform))


def _do(engine: Engine, step: Step, command: Command) -> Part:
    """Do what is left to do of a step. A failure is told and kept for the summary; any other exception ends the run."""
    part, built, begun = Part(step.name), False, time.monotonic()
    try:
        part.skipped += _left_out(step)
        measure_step(engine, step, part.take, start_again=False)
        built = True
        if command == "record":
            if why := _no_times(engine, step):
                part.skipped.append(why)
            else:
                time_step(engine, step)
            records = [_record(engine, step, variant.name) for variant in step.variants]
            part.counts["timed"] = sum(record is not None and record.time is not None for record in records)
    except Exception as error:
        if (problem := as_problem(error)) is None:
            raise
        problem.show()
        part.failed.append(f"{problem.what} {' '.join(problem.why.splitlines())}".strip())
        part.counts["failed"] = max(part.counts["failed"], 1)
        if command == "record" and not built:
            part.skipped.append("times: the step failed")
        probe.ending.clear()  # it ended what else was going on in this step, and the next one is not to be ended
    part.seconds = time.monotonic() - begun
    return part


def measure_ladder(engine: Engine, steps: list[Step], command: Command) -> None:
    """Build, weigh, start and record every step, and time it too when the command is `record`; print one summary.

    Raises Problem when something failed.
    """
    begun = time.monotonic()
    with session(engine):
        parts = [_do(engine, step, command) for step in steps]
    parts = _checked(engine, steps, parts)
    _summarise(engine, command, parts, time.monotonic() - begun)
    if failed := [part.step for part in parts if part.failed]:
        commands = [step.command for step in steps if step.name in failed]
        raise Problem(
            f"{len(failed)} of {len(parts)} failed: {', '.join(failed)}.",
            why="The summary above says why.",
            next=f"mend it, then {' && '.join(commands) or 'make check'}",
        )


def _checked(engine: Engine, steps: list[Step], parts: list[Part]) -> list[Part]:
    """The rows of the summary, with the records that do not hold, but for those of steps that failed anyway."""
    rows = {part.step: part for part in parts}
    sound = [step for step in steps if not rows[step.name].failed]
    due = {path for step in sound for path in _due(engine, step)}
    for finding in check(engine.environment, [replace(step, quick=False) for step in sound]):
        part = rows.setdefault(finding.path.parent.name, Part(finding.path.parent.name))
        said = f"the record {finding.path.name} is {finding.state}: {finding.why}"
        if finding.path in due or finding.state == "orphaned":
            part.failed.append(f"{said}. {finding.command}")
            part.counts["failed"] += 1
        else:
            part.skipped.append(f"{said} (not in this run)")
    return list(rows.values())


def _summarise(engine: Engine, command: Command, parts: list[Part], seconds: float) -> None:
    title = f"make {command} on {', '.join(engine.platforms)}, {duration(seconds)}"
    table = Table("step", *COUNTED, "in", title=title)
    for part in parts:
        table.add_row(part.step, *(str(number or "") for number in part.numbers), duration(part.seconds))
    table.add_section()
    table.add_row("all", *(str(sum(numbers)) for numbers in zip(*(part.numbers for part in parts), strict=True)), "")
    for column in table.columns[1:]:
        column.justify = "right"
    out.print(table)
    if any(part.counts["kept"] for part in parts):
        out.print("kept: builds that take minutes, and whose records hold; each of them was named above")
    if elsewhere := [platform for platform in PLATFORMS if platform not in engine.platforms]:
        out.print(f"skipped: {', '.join(elsewhere)}: not asked for, or not for this builder")
    for word in ("failed", "skipped"):
        for part in parts:
            for line in getattr(part, word):
                out.print(escape(f"{word}: {part.step}: {line}"), soft_wrap=True)
