"""How long it takes to build an image, to build it again after a change, to start it, and what it says of its speed.

Each rebuild that is timed changes something that no build has seen before, so that nothing comes from the cache that a
reader would not have there. Variants take turns (A B A B), so that a busy moment meets all of them. All of it is done
on the machine's own platform: an emulated processor's times say nothing about the real one's.
"""

from __future__ import annotations

import os
import time
import tomllib
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import httpx
from pydantic import BaseModel, BeforeValidator, ConfigDict
from rich.table import Table

from measure import build as builder
from measure import probe
from measure.engine import Engine, native_platform
from measure.errors import Problem, say
from measure.inputs import inputs_of
from measure.records import Samples, Times, load, record_path, save, shown
from measure.steps import Step, Variant
from measure.table import out
from measure.units import duration

PLANS = Path(__file__).parent / "timings"
SAMPLES = 5
#: Starts are short, and there may be more of them.
STARTS = 9


class Dependency(BaseModel):
    """The change of one dependency's version: a text in a file, and what it becomes.

    NONCE in what it becomes stands for 64 hexadecimal digits that were never there before: a hash that fits no file.
    Where a build makes a list of the lock, that list is then another each time too.
    """

    model_config = ConfigDict(extra="forbid")

    file: str
    before: str
    after: str


class Question(BaseModel):
    """What the running application is asked, and the fields of its answer that are seconds."""

    model_config = ConfigDict(extra="forbid")

    path: str
    seconds: list[str]


class Plan(BaseModel):
    """What is timed of a step."""

    model_config = ConfigDict(extra="forbid")

    cold: bool = False
    start: bool = False
    #: The file of the application's code that gets another line.
    code: str | None = None
    #: In each file that has it: the lock, and a list that was exported from it.
    dependency: Annotated[list[Dependency], BeforeValidator(lambda v: v if isinstance(v, list) else [v])] = []
    ask: Question | None = None

    @property
    def builds(self) -> list[str]:
        """The kinds of builds that are timed."""
        wanted = {"cold": self.cold, "edit": self.code, "lock": self.dependency}
        return [kind for kind, there in wanted.items() if there]


def plan_of(step: Step) -> Plan:
    """What is timed of a step. Raises Problem when nothing is."""
    path = PLANS / f"{step.name}.toml"
    if not path.exists():
        raise Problem(
            f"{step.name} has nothing to time.",
            why=f"There is no {shown(path)} that says what to change.",
            next="make time-step-2  # has",
        )
    return Plan.model_validate(tomllib.loads(path.read_text()))


@contextmanager
def changed(step: Step, kind: str) -> Iterator[Step]:
    """A copy of a step in which its code (`edit`) or a dependency (`lock`) is another than ever before."""
    plan, nonce = plan_of(step), uuid.uuid4().hex
    code = [Dependency(file=plan.code, before="", after="")] if plan.code else []
    with builder.clean_copy(step.folder) as folder:
        for change in code if kind == "edit" else plan.dependency:
            text = (folder / change.file).read_text()
            if change.before not in text:
                raise Problem(
                    f"{step.name}/{change.file} has no {change.before.splitlines()[0]!r}.",
                    why="The change that is timed does not fit any more.",
                    next=f"mend {shown(PLANS / f'{step.name}.toml')}",
                )
            text = text.replace(change.before, change.after.replace("NONCE", nonce * 2), 1)
            (folder / change.file).write_text(text.rstrip("\n") + f"\n# {nonce}\n")
        yield Step(step.name, folder)


def _build(engine: Engine, step: Step, variant: Variant, *, cold: bool = False) -> float:
    """Build a variant into the engine, as `docker compose build` does; returns the seconds.

    Raises Problem, with the builder's last lines, when it does not build.
    """
    begun = time.monotonic()
    try:
        builder.load_into_engine(engine, step, variant, native_platform(), cold=cold)
    except builder.BuildError as error:
        raise Problem(
            f"{variant.name} does not build, so nothing of {step.name} was recorded.",
            why="\n".join(error.tail),
            next=f"{step.command}, then make time-{step.command.removeprefix('make ')}",
        ) from None
    return time.monotonic() - begun


def _build_after(engine: Engine, step: Step, variant: Variant, kind: str) -> float:
    if kind == "cold":
        return _build(engine, step, variant, cold=True)
    with changed(step, kind) as copy:
        return _build(engine, copy, copy.variant(variant.name))


def _start(engine: Engine, step: Step, variant: Variant, question: Question | None) -> dict[str, float]:
    """Start a variant's image and ask it; returns seconds: `start`, and the fields that were asked for.

    The first answer to the question only warms up; the second one counts.
    """
    platform = native_platform()
    image = builder.tag(step, variant, platform)
    begun = time.monotonic()
    with probe.running(engine, image, variant, platform) as (_, url):
        probe.wait_for(url, 60).raise_for_status()
        found = {"start": time.monotonic() - begun}
        for _ in range(2 if question else 0):
            answer = httpx.get(url + question.path, timeout=120, trust_env=False).raise_for_status().json()
        return found | ({name: answer[name] for name in question.seconds} if question else {})


def time_step(engine: Engine, step: Step) -> None:
    """Time each variant that builds, as the step's plan says, and put the samples into the records that are there.

    Raises Problem when a variant has no record of what is in the folder now, or when a build fails.
    """
    plan = plan_of(step)
    platform = native_platform()
    variants = [v for v in step.variants if not v.teaching.fails_with and v.platforms([platform])]
    records = {}
    for variant in variants:
        record = load(record_path(engine.environment, step.name, variant.name, platform))
        if record is None or record.inputs_sha256 != inputs_of(step, variant, engine.recipe).sha256:
            raise Problem(
                f"{variant.name} has no record of what is in the folder now.",
                why="Times belong into the record of the image that they were taken with.",
                next=f"{step.command} && make time-{step.name}",
            )
        records[variant.name] = record
    samples: dict[str, dict[str, list[float]]] = {variant.name: defaultdict(list) for variant in variants}
    load_before = os.getloadavg()[0]
    for variant in variants:
        _build(engine, step, variant)  # everything in the builder's cache
    for number in range(SAMPLES):
        for kind in plan.builds:
            for variant in variants:
                if number and kind == "cold" and not variant.teaching.quick:
                    continue  # one sample of a build that takes many minutes
                seconds = _build_after(engine, step, variant, kind)
                samples[variant.name][kind].append(seconds)
                say(f"{number + 1} of {SAMPLES} · {variant.name} · {kind}: {seconds:.1f} s")
    for variant in variants:  # the engine's images are those of the folder again
        _build(engine, step, variant)
    for number in range(STARTS if plan.start else 0):
        for variant in variants:
            found = _start(engine, step, variant, plan.ask)
            for kind, seconds in found.items():
                samples[variant.name][kind].append(seconds)
            say(f"{number + 1} of {STARTS} · {variant.name} · starts in {found['start']:.2f} s")
    kinds = [*plan.builds, *(["start"] if plan.start else []), *(plan.ask.seconds if plan.ask else [])]
    table = Table("variant", *kinds, title=f"{step.name}: medians")
    for variant in variants:
        taken = {kind: Samples.of(found) for kind, found in samples[variant.name].items()}
        times = Times(
            cold_build_s=taken.get("cold"),
            rebuild_after_edit_s=taken.get("edit"),
            rebuild_after_lock_s=taken.get("lock"),
            start_to_first_response_s=taken.get("start"),
            reported_s={name: taken[name] for name in plan.ask.seconds} if plan.ask else None,
            load_before=round(load_before, 2),
            measured_at=datetime.now(UTC).replace(microsecond=0),
        )
        save(records[variant.name].model_copy(update={"time": times}))
        table.add_row(variant.name, *(duration(taken[kind].median) for kind in kinds))
    out.print(table)
