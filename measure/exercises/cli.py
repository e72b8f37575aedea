"""`make exercise`, `make hint`, `make solution`, `make exercises`, `make golf`, `make workshop-check`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from measure.base.errors import Problem, friendly, say
from measure.base.files import shown

if TYPE_CHECKING:
    from measure.build.engine import Engine
    from measure.exercises.judging import Verdict
    from measure.exercises.model import Exercise
    from measure.exercises.progress import Progress
    from measure.exercises.trying import Tried

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
#: What a command ends with when a goal does not hold.
NOT_YET = 3
Number = Annotated[int, typer.Argument(help="Its number; else the first one that is not done", show_default=False)]


def _chosen(number: int) -> Exercise | None:
    from measure.exercises import model, progress

    return model.find(number) if number else progress.current(progress.load())


def _typed(command: str, exercise: Exercise) -> str:
    """What to type for an exercise: with its number, where it is not the one that comes without."""
    from measure.exercises import progress

    number = "" if exercise == progress.current(progress.load()) else f"-{exercise.number}"
    return f"`make {command}{number}`"


def _needed(number: int, command: str) -> Exercise:
    """The exercise that is asked for, or the first one that is not done. Raises Problem when all are done."""
    found = _chosen(number)
    if found is None:
        raise Problem("All exercises are done.", next=f"make {command}-3  # of that one")
    return found


def _print(text: str, style: str = "") -> None:
    from measure.base.screen import out

    out.print(text, style=style, soft_wrap=True, markup=False)


def _introduce(exercise: Exercise) -> Path:
    """Tell what an exercise is about and where the reader's own copy is."""
    from measure.exercises import progress
    from measure.exercises.model import CHAPTERS

    fresh = not (progress.YOURS / exercise.name).exists()
    folder = progress.yours(exercise)
    check = exercise.check
    number = f"Exercise {exercise.number}: " if exercise.number else ""
    _print(f"{number}{check.title} ({CHAPTERS[check.chapter]}, {check.minutes} minutes)", "bold")
    if fresh:
        _print(f"{exercise.story}\n\nGoal: {exercise.section('Goal')}")
    title, where = exercise.page
    _print(f"Taught in: {title}, docs/{where} (`make serve` shows it)")
    _print(f"Yours: {shown(folder)}/")
    if exercise.edited:
        say(f"{shown(exercise.folder)}/check.toml was changed since the last commit: these are your goals, not ours")
    return folder


def _try(engine: Engine, exercise: Exercise, folder: Path) -> tuple[Tried, list[Verdict]]:
    """Try what is there, and print goal by goal what holds."""
    from measure.base import progress as told
    from measure.exercises.judging import judge
    from measure.exercises.trying import Trial

    with contextlib.ExitStack() as stack:
        with told.task(f"exercise {exercise.name}", told=False) as task:
            trial = stack.enter_context(Trial(engine, exercise, folder, task))
            tried = trial.run()
        verdicts = judge(exercise.check.goals, tried)
        trial.keep = not all(one.holds for one in verdicts)
        for one in verdicts:
            sign, style = ("✓", "green") if one.holds else ("✗", "red")
            _print(f"  {sign} {one.what}: {one.you}" + ("" if one.holds else f" (goal: {one.should})"), style)
            for line in "" if one.holds else one.because.splitlines():
                _print(f"      {line}", "dim")
        held = sum(one.holds for one in verdicts)
        _print(f"  {held} of {len(verdicts)} hold; it took {tried.seconds:.1f} s", "dim")
    return tried, verdicts


def _engine(exercise: Exercise) -> Engine:
    from measure.base.platforms import native_platform
    from measure.build.choosing import choose
    from measure.exercises.trying import platform_of

    return choose(list(dict.fromkeys([native_platform(), platform_of(exercise)])))


def _done(exercise: Exercise) -> None:
    """Keep that it is done, tell what to notice, and go on to the next one."""
    from measure.exercises import progress

    kept = progress.load()
    kept.done[exercise.name] = exercise.version
    kept.hinted.pop(exercise.name, None)
    progress.save(kept)
    _print("All goals hold.", "bold green")
    _print(exercise.section("Afterwards"))
    if following := progress.current(kept, exercise.number):
        _print("")
        _introduce(following)
        _print(f"Next: edit it, then {_typed('exercise', following)}", "bold")
    else:
        _print("That was the last one. `make golf` has no end.", "bold")


@app.command()
@friendly
def exercise(
    number: Number = 0,
    watch: Annotated[bool, typer.Option("--watch", envvar="WATCH", help="Again on each save, until all hold")] = False,
) -> None:
    """Build and measure what you have, say goal by goal what holds, and go on to the next exercise when all do.

    Exit code 3: not all hold.
    """
    found = _chosen(number)
    if found is None:
        _print("All exercises are done. `make golf` has no end; `make exercise-3` does one again.")
        return
    from measure.exercises.trying import remove_images

    folder, engine = _introduce(found), _engine(found)
    while True:
        seen = _stamp(folder)
        try:
            _, verdicts = _try(engine, found, folder)
            if all(one.holds for one in verdicts):
                _done(found)
                return
        except Problem as problem:
            if not watch:
                raise
            problem.show()
        if not watch:
            _print(f"Next: edit it, then {_typed('exercise', found)} again; or {_typed('hint', found)}", "bold")
            raise typer.Exit(NOT_YET)
        say(f"watching {shown(folder)}: save a file, or Ctrl-C")
        try:
            _wait_for_change(lambda before=seen: _stamp(folder) != before)
        except KeyboardInterrupt:
            remove_images(engine)
            raise


def _stamp(folder: Path) -> list[tuple[str, int, int]]:
    """What changes when a file of a folder is saved."""
    found = []
    for path in sorted(folder.rglob("*")):
        try:
            told = path.lstat()
        except FileNotFoundError:  # an editor replaces it
            continue
        found.append((str(path), told.st_mtime_ns, told.st_size))
    return found


def _wait_for_change(changed: Callable[[], bool]) -> None:
    while not changed():
        time.sleep(0.1)
    time.sleep(0.05)  # an editor may write twice


@app.command()
@friendly
def hint(number: Number = 0) -> None:
    """The next useful thing about your image. Each time one more, up to what the solution does otherwise."""
    from measure.base import progress as told
    from measure.exercises import hinting, progress

    found = _needed(number, "hint")
    folder, engine = _introduce(found), _engine(found)
    tried, verdicts = _try(engine, found, folder)
    failing = next((one for one in verdicts if not one.holds), None)
    if failing is None:
        _print(f"All goals hold: {_typed('exercise', found)} goes on.")
        return
    kept = progress.load()
    last = kept.hinted.get(found.name)
    level = min(last.level + 1, hinting.LEVELS) if last and last.goal == failing.goal else 1
    with told.task("the solution's image", told=False, kept=False) as task:
        lines = hinting.hint(engine, found, task, tried, failing, level)
    _print(f"Hint {level} of {hinting.LEVELS}, on “{failing.what}”", "bold")
    for line in lines:
        _print(f"  {line}")
    more = f"; or {_typed('hint', found)} again, for hint {level + 1}" if level < hinting.LEVELS else ""
    _print(f"Next: edit it, then {_typed('exercise', found)}{more}", "bold")
    kept.hinted[found.name] = progress.Hinted(goal=failing.goal, level=level)
    progress.save(kept)


@app.command()
@friendly
def solution(number: Number = 0) -> None:
    """A solution, and how your files differ from it. It is in the exercise's folder, too."""
    from measure.exercises import hinting

    found = _needed(number, "solution")
    _introduce(found)
    for path, content in found.files("solution").items():
        _print(shown(found.folder / "solution" / path), "bold")
        _print(content.decode())
    if lines := hinting.difference(found):
        _print("From yours to it", "bold")
        _print("\n".join(lines))


@app.command()
@friendly
def exercises() -> None:
    """The exercises: done, now, to come, and their minutes."""
    from measure.exercises import model, progress

    kept = progress.load()
    now = progress.current(kept)
    for chapter, title in model.CHAPTERS.items():
        listed = [one for one in model.exercises() if one.check.chapter == chapter]
        _print(f"{chapter}. {title}, {sum(one.check.minutes for one in listed)} minutes", "bold")
        for one in listed:
            sign, word = _state(one, kept, now)
            _print(f"  {sign} {one.number:2} {one.check.title}, {one.check.minutes} minutes{word}")


def _state(one: Exercise, kept: Progress, now: Exercise | None) -> tuple[str, str]:
    from measure.exercises import progress

    if progress.is_done(one, kept):
        return "✓", ""
    if one.name in kept.done:
        return "·", " (changed since you did it)"
    return ("→", " (now)") if one == now else ("·", "")


@app.command()
@friendly
def golf() -> None:
    """One application, your Dockerfile: its compressed size as a multiple of the floor, all behaviour green."""
    from measure.exercises import golf as round_of
    from measure.exercises.model import WORKSHOP, Exercise

    course = Exercise(WORKSHOP / "golf")
    folder, engine = _introduce(course), _engine(course)
    tried, verdicts = _try(engine, course, folder)
    if not all(one.holds for one in verdicts):
        _print("No score: what does not behave does not count.", "bold")
        raise typer.Exit(NOT_YET)
    for line in round_of.scored(folder, tried.report.sizes.transfer_bytes or 0):
        _print(line)


@app.command(name="workshop-check")
@friendly
def workshop_check() -> None:
    """Is this machine ready for the workshop: engine, disk, memory, base images, and one build from nothing."""
    from measure.exercises import ready

    failed = 0
    for name, looked in ready.CHECKS.items():
        try:
            _print(f"✓ {name}: {looked()}", "green")
        except Problem as problem:
            failed += 1
            _print(f"✗ {name}", "red")
            problem.show()
    if failed:
        raise Problem(f"{failed} of {len(ready.CHECKS)} do not hold.", next="make workshop-check, when mended")
    _print("Ready. Next: make exercise", "bold")
