"""Hints: three levels about the reader's own image, and in the end what the solution does otherwise."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from measure.base.files import cache_folder, shown, write_whole
from measure.base.model import kept
from measure.base.progress import Task
from measure.base.units import as_word, megabytes, signed
from measure.build.engine import Engine
from measure.exercises import progress
from measure.exercises.judging import Verdict
from measure.exercises.model import Exercise
from measure.exercises.trying import Trial, Tried
from measure.mine.budgets import NOISE_BYTES, grown
from measure.mine.model import Report, plain

LEVELS = 4
#: Goals on what is in an image; those on sizes end with `_mb`.
CONTENTS = ("without", "without_packages", "absent")


def hint(engine: Engine, exercise: Exercise, task: Task, tried: Tried, verdict: Verdict, level: int) -> list[str]:
    """The lines of a hint about a goal that fails: 1 what is to blame, 2 against the solution, 3 what to do, 4 all."""
    if level == 1:
        return list(_blame(tried, verdict))
    if level == 2:
        found = list(_against(tried, _solution(engine, exercise, task)))
        return found if found[1:] else [f"The images have the same parts. Look at {', '.join(_changed(exercise))}."]
    if level == 3:
        told = exercise.check.hints
        return [told.get(verdict.goal) or next(iter(told.values()))]
    return difference(exercise)


def _blame(tried: Tried, verdict: Verdict) -> Iterator[str]:
    if not tried.failure:
        yield f"{verdict.what}: you have {verdict.you}; it should be {verdict.should}."
    yield from verdict.because.splitlines()
    if tried.failure:
        return
    if not (verdict.goal.endswith("_mb") or verdict.goal in CONTENTS):  # what it weighs is not why it does not answer
        return
    for step in tried.report.next_steps[:1]:
        saved = megabytes(step.transfer_bytes or step.unpacked_tar_bytes or step.other_bytes)
        yield f"Seen in your image, {saved}: {step.what} [{step.where}]"


def _solution(engine: Engine, exercise: Exercise, task: Task) -> Report:
    """The report of the solution's image; from the cache where it was made before for this version."""
    cached = cache_folder() / "workshop" / f"{exercise.version}-{engine.platform.replace('/', '-')}.json"
    if found := kept(Report, cached):
        return found
    with progress.solved(exercise) as folder, Trial(engine, exercise, folder, task) as trial:
        trial.keep = True  # the reader's image: of the solution the engine has none
        tried = trial.run(start=False)
    if tried.failure:
        raise tried.failure
    write_whole(cached, tried.report.model_dump_json())
    return tried.report


def _against(tried: Tried, solution: Report) -> Iterator[str]:
    """What differs between the two images, the heaviest first, and in how they run."""
    yield "Against the solution's image:"
    if tried.failure:
        yield f"it stands on {solution.base}"
        for kind in ("os", "python"):
            asked = [one.name for one in solution.packages if one.kind == kind and not (one.of_base or one.brought_by)]
            yield f"it has these {kind} packages: {', '.join(asked[:8]) or 'none of its own'}"
        return
    mine = tried.report
    if mine.base != solution.base:
        yield f"you begin with {mine.base}, it with {solution.base}"
    rows = [one for one in grown(solution, mine) if abs(one.bytes) > NOISE_BYTES]
    for row in sorted(rows, key=lambda one: -abs(one.bytes))[:4]:
        word = "you have it alone" if row.is_new else "you have it not" if row.is_gone else "changed"
        yield f"{signed(row.bytes)} {row.where} {plain(row.name, 60)} ({word})"
    for what, yours, theirs in (
        ("user", mine.facts.user, solution.facts.user),
        ("runs", mine.facts.command, solution.facts.command),
        ("a compiler", mine.facts.has_compiler, solution.facts.has_compiler),
    ):
        if yours != theirs:
            yield f"{what}: you {as_word(yours)}, it {as_word(theirs)}"
    yours, theirs = mine.context.bytes, solution.context.bytes
    if abs(yours - theirs) > NOISE_BYTES:
        yield f"build context: you {megabytes(yours)}, it {megabytes(theirs)}"


def _changed(exercise: Exercise) -> list[str]:
    """The reader's files that the solution has otherwise."""
    folder, solution = progress.yours(exercise), exercise.files("solution")
    return [
        path
        for path, content in solution.items()
        if not (folder / path).is_file() or (folder / path).read_bytes() != content
    ]


def difference(exercise: Exercise) -> list[str]:
    """From the reader's files to the solution's, as a unified diff; of files that the solution has."""
    folder, lines = progress.yours(exercise), []
    for path, content in exercise.files("solution").items():
        mine: Path = folder / path
        before = mine.read_text(errors="replace").splitlines() if mine.is_file() else []
        after = content.decode().splitlines()
        lines += difflib.unified_diff(before, after, shown(mine), f"the solution's {path}", lineterm="")
    return lines
