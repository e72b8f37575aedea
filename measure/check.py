"""Which records still say the truth about the repository as it is now. Needs no engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lab import bases
from measure.errors import Problem
from measure.inputs import Inputs, inputs_of
from measure.records import LAB_ENVIRONMENT, Record, load, record_files, record_path, shown
from measure.steps import PLATFORMS, Step, Variant, all_measured

#: Stale: what it was built from changed. Missing: there should be one. Orphaned: it is of a variant that is no more.
#: Invalid: the file is no record.
State = Literal["stale", "missing", "orphaned", "invalid"]


@dataclass(frozen=True)
class Finding:
    """What is wrong with a record, why, and what mends it."""

    state: State
    path: Path
    why: str
    command: str

    def __str__(self) -> str:
        return f"{self.state:8} {shown(self.path)}: {self.why}"


def as_intended(record: Record, variant: Variant) -> bool:
    """Did the build go as the compose file says it should: through, or failing with the line that teaches?"""
    lesson = variant.teaching.fails_with
    if record.failure:
        return lesson is not None and lesson in record.failure.line
    return lesson is None


def recipes(environment: str) -> Callable[[str], str | None]:
    """How an environment's base images are made: by the lab's recipes in the lab, by others elsewhere."""
    return bases.recipe_of if environment == LAB_ENVIRONMENT else lambda name: None


def expected(environment: str, steps: list[Step]) -> Iterator[tuple[Step, Variant, str]]:
    """The step, variant and platform of every record that an environment should have.

    The lab's is whole. Any other is someone's own: what they measured of a step should be there for all its variants,
    on the platforms that they measured on.
    """
    for step in steps:
        platforms = list(PLATFORMS)
        if environment != LAB_ENVIRONMENT:
            there = [path.stem for path in record_files(environment) if path.parent.name == step.name]
            platforms = [p for p in PLATFORMS if any(stem.endswith(p.replace("/", "-")) for stem in there)]
        for variant in step.variants:
            for platform in variant.platforms(platforms):
                yield step, variant, platform


def check(environment: str, steps: list[Step] | None = None) -> list[Finding]:
    """What is wrong with an environment's records of these steps, all steps by default; empty when nothing is.

    Raises Problem when a compose file cannot be read.
    """
    everything = all_measured()
    steps = everything if steps is None else steps
    inputs: dict[tuple[str, str], Inputs] = {}
    found, known = [], set()
    for step, variant, platform in expected(environment, steps):
        path = record_path(environment, step.name, variant.name, platform)
        known.add(path)
        try:
            record = load(path)
        except Problem as problem:
            found.append(Finding("invalid", path, problem.why.splitlines()[0], step.command))
            continue
        if record is None:
            found.append(Finding("missing", path, "not measured yet", step.command))
            continue
        key = (step.name, variant.name)
        if key not in inputs:
            inputs[key] = inputs_of(step, variant, recipes(environment))
        if why := _stale(record, path, variant, inputs[key]):
            found.append(Finding("stale", path, why, step.command))
    asked = {step.name for step in steps}
    steps_there = {step.name for step in everything}
    for path in record_files(environment):
        if path not in known and (path.parent.name in asked or path.parent.name not in steps_there):
            found.append(Finding("orphaned", path, "no variant and platform has this name", f"git rm {shown(path)}"))
    return found


def _stale(record: Record, path: Path, variant: Variant, now: Inputs) -> str:
    """Why a record is stale, in words; '' when it is not."""
    if record.path != path:
        return f"it is the record of {shown(record.path)}"
    if record.inputs_sha256 != now.sha256:
        return "; ".join(record.inputs.changes(now)) or "its inputs_sha256 is not that of its inputs"
    if not as_intended(record, variant):
        return f"the build {record.outcome}, and compose.yaml means it to {'work' if record.failure else 'fail'}"
    return ""
