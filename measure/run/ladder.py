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
from measure.record.records import MEMORY, TIMES, Times, load, record_path
from measure.run import probe
from measure.run.step import Outcome, measure_step, session
from measure.run.timing import time_step
from measure.steps.compose import Step, Variant
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


def _due(engine: Engine, step: Step) -> list[Path]:
    """The records that a run is to write of a step."""
    return [
        record_path(engine.environment, step.name, variant.name, platform)
        for variant in step.variants
        for platform in variant.platforms(engine.platforms)
    ]


def _left_out(step: Step) -> list[str]:
    names = [variant.name for variant in step.variants]
    slow = [variant.name for variant in replace(step, quick=False).variants if variant.name not in names]
    return [f"{', '.join(slow)}: many minutes to build each (QUICK=1)"] if slow else []


def _no_times(engine: Engine, step: Step) -> str:
    """Why a step is not timed; '' when it is."""
    if not (plan.PLANS / f"{step.name}.toml").exists():
        return "times: no plan in measure/record/timings/"
    if engine.platform not in engine.platforms:
        return f"times: they are taken on {engine.platform} alone"
    if _of_today(engine, step):
        return f"times: taken within {HOLDS.total_seconds() / 3600:.0f} hours; {step.timing_command} takes them again"
    return ""


def _of_today(engine: Engine, step: Step) -> bool:
    """Has each record all that the plan takes and every engine can take, and are these times young enough?"""
    planned, found = plan.plan_of(step), []
    for variant in step.variants:
        kinds = (kind for kind in TIMES | MEMORY if kind not in plan.LABS_OWN and planned.takes(variant.name, kind))
        if fields := [(TIMES | MEMORY)[kind] for kind in kinds]:
            times = _times(engine, step, variant)
            young = times is not None and datetime.now(UTC) - times.measured_at <= HOLDS
            found.append(young and all(getattr(times, field) for field in fields))
    return bool(found) and all(found)


def _times(engine: Engine, step: Step, variant: Variant) -> Times | None:
    record = load(record_path(engine.environment, step.name, variant.name, engine.platform))
    return record and record.time


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
            part.counts["timed"] = sum(_times(engine, step, variant) is not None for variant in step.variants)
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
    """Build, weigh, start, record each step, and time it for `record`; sum up. Raises Problem for what failed."""
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
        table.add_row(part.step, *(str(part.counts[name] or "") for name in COUNTED), duration(part.seconds))
    table.add_section()
    table.add_row("all", *(str(sum(part.counts[name] for part in parts)) for name in COUNTED), "")
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
