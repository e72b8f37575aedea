"""Which records still say the truth about the repository as it is now. Needs no engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lab.recipe import recipe_of
from measure.base.errors import Problem
from measure.base.files import shown
from measure.base.names import LAB_ENVIRONMENT
from measure.base.platforms import PLATFORMS, in_file
from measure.record.records import Record, load, load_environment, record_files, record_path
from measure.steps.compose import Step, Variant, all_measured
from measure.steps.inputs import Inputs

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


def demand(path: Path, wrong: list[Finding]) -> None:
    """Raise Problem, with what mends it, where something is wrong with a table of records."""
    if wrong:
        raise Problem(
            f"{shown(path)} is {wrong[0].state}.",
            why="\n".join(finding.why for finding in wrong),
            next="; ".join(dict.fromkeys(finding.command for finding in wrong)),
        )


def as_intended(record: Record, variant: Variant) -> bool:
    """Did the build go as the compose file says it should: through, or failing with the line that teaches?"""
    lesson = variant.teaching.fails_with
    if record.failure:
        return lesson is not None and lesson in record.failure.line
    return lesson is None


def recipes(environment: str) -> Callable[[str], str | None]:
    """How an environment's bases are made: the lab's recipes, or none. Raises Problem if its description is wrong."""
    about = load_environment(environment)
    of_lab = about.bases == "lab" if about else environment == LAB_ENVIRONMENT
    return recipe_of if of_lab else lambda name: None


def command(environment: str, words: str) -> str:
    """What to type to measure something for an environment."""
    return words if environment == LAB_ENVIRONMENT else f"{words} ENVIRONMENT={environment}"


def expected(environment: str, steps: list[Step]) -> Iterator[tuple[Step, Variant, str]]:
    """The step, variant and platform of every record that an environment should have.

    The lab's is whole. Any other is someone's own: what they measured of a step should be there for all its variants,
    on the platforms that they measured on.
    """
    about = load_environment(environment)
    for step in steps:
        step = replace(step, native=(about and about.platform) or PLATFORMS[0])
        platforms = list(PLATFORMS)
        if environment != LAB_ENVIRONMENT:
            there = {
                path.stem.rpartition(".")[2] for path in record_files(environment) if path.parent.name == step.name
            }
            platforms = [p for p in PLATFORMS if in_file(p) in there]
            platforms += sorted(name.replace("-", "/") for name in there - {in_file(p) for p in PLATFORMS})
        for variant in step.variants:
            for platform in variant.platforms(platforms):
                yield step, variant, platform


def check(environment: str, steps: list[Step] | None = None) -> list[Finding]:
    """What is wrong with an environment's records, of these steps or all. Raises Problem for a wrong compose file."""
    everything = all_measured()
    steps = everything if steps is None else steps
    recipe = recipes(environment)
    inputs: dict[tuple[str, str], Inputs] = {}
    found, known = [], set()
    for step, variant, platform in expected(environment, steps):
        path = record_path(environment, step.name, variant.name, platform)
        again = command(environment, step.command)
        known.add(path)
        try:
            record = load(path)
        except Problem as problem:
            found.append(Finding("invalid", path, problem.why.splitlines()[0], again))
            continue
        if record is None:
            found.append(Finding("missing", path, "not measured yet", again))
            continue
        key = (step.name, variant.name)
        if key not in inputs:
            inputs[key] = variant.inputs(recipe)
        elsewhere = "" if record.path == path else f"it is the record of {shown(record.path)}"
        if why := elsewhere or why_stale(record, inputs[key]) or _unintended(record, variant):
            found.append(Finding("stale", path, why, again))
    asked = {step.name for step in steps}
    steps_there = {step.name for step in everything}
    for path in record_files(environment):
        if path not in known and (path.parent.name in asked or path.parent.name not in steps_there):
            found.append(Finding("orphaned", path, "no variant and platform has this name", f"git rm {shown(path)}"))
    return found


def why_stale(record: Record, now: Inputs) -> str:
    """Why a record is not of what its variant is built from today, in words; '' when it is."""
    if record.inputs_sha256 == now.sha256:
        return ""
    return "; ".join(record.inputs.changes(now)) or "its inputs_sha256 is not that of its inputs"


def _unintended(record: Record, variant: Variant) -> str:
    """How a build went otherwise than its compose file says it should, in words; '' when it did not."""
    if as_intended(record, variant):
        return ""
    return f"the build {record.outcome}, and compose.yaml means it to {'work' if record.failure else 'fail'}"
