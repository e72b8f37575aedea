"""`make time-step-N`: a sitting, in which the variants that a page compares are timed, natively and in turns.

Variants take turns (A B A B), so that a busy moment meets all of them, until the rule in measure/enough.py has what it
needs. Each turn begins with the cold build, where the plan has one, which leaves cache mounts (BuildKit's `--no-cache`
empties them) with what that build put there and nothing else: the new version of a dependency is in no cache, however
often it is timed. How a sample is taken is told in measure/sample.py.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from measure.base.errors import Problem, say
from measure.base.platforms import other_than
from measure.base.units import duration, megabytes
from measure.build import images as builder
from measure.build.engine import Engine, cpu
from measure.record import enough
from measure.record.enough import Rule, Turns
from measure.record.plan import OTHER, Plan, plan_of
from measure.record.records import MEMORY, QUIET, TIMES, Record, Samples, Times, load, record_path, save_times
from measure.run import sample
from measure.steps.compose import RECOMMENDED, Step, Variant
from measure.steps.inputs import inputs_of
from measure.tell.table import out

#: Seconds that a sitting waits at most for what ran before it to fade from the load average.
FADES = 300
#: Changes under `docker compose watch`, which is compared with nothing.
WATCHED = 5


@dataclass(frozen=True)
class Timed:
    """A variant that is timed, by the name that the plan has for it, and the platform that it is built for."""

    name: str
    variant: Variant
    platform: str


def _timed(engine: Engine, step: Step, plan: Plan) -> list[Timed]:
    """What a plan times, in the order of the compose file, of what this builder can build. Says what is left out."""
    named = {name for some in plan.time.values() for name in some}
    platforms = {"": engine.platform, OTHER: other_than(engine.platform)}
    timed = [
        Timed(v.name + mark, v, platform)
        for v in step.variants for mark, platform in platforms.items()
        if v.name + mark in named and not v.teaching.fails_with and v.platforms([platform])
    ]  # fmt: skip
    able = [one for one in timed if one.platform in (engine.platform, *engine.platforms)]
    if left_out := [one.name for one in timed if one not in able]:
        say(f"leaving out {', '.join(left_out)}: this builder cannot build for {platforms[OTHER]}")
    return able


def timed_images(engine: Engine, step: Step) -> list[tuple[Variant, str]]:
    """The variants, with the platforms, that a sitting builds. Raises Problem when the step has no plan."""
    return [(one.variant, one.platform) for one in _timed(engine, step, plan_of(step))]


def _records(engine: Engine, step: Step, timed: list[Timed]) -> dict[str, Record]:
    """The records of what is timed. Raises Problem when one of them is not of what is in the folder now."""
    found = {}
    for one in timed:
        record = load(record_path(engine.environment, step.name, one.variant.name, one.platform))
        if record is None or record.inputs_sha256 != inputs_of(step, one.variant, engine.recipe).sha256:
            raise Problem(
                f"{one.name} has no record of what is in the folder now.",
                why="Times belong into the record of the image that they were taken with.",
                next=f"{step.command} && {step.timing_command}",
            )
        found[one.name] = record
    return found


#: The kinds of builds that make all of an image's own layers anew, or most of them.
LARGE = ("cold", "lock", "compiled", "base")
#: How many times an image's own layers a large build leaves in the builder's cache: a first stage that is thrown away
#: has the same packages, and the compiler. Seen: 38 GB after four turns and three quarters of extra-need-for-speed.
STAGES = 2.2


def room_needed(plan: Plan, records: dict[str, Record], turns: int) -> float:
    """Bytes, about, that a sitting leaves on the engine's disk: what large builds install, unpacked and compressed.

    It stays in the builder's cache, where the engine's own clean-up leaves most of it: an image was made of it.
    """
    own = {
        name: sum(one.unpacked_tar_bytes + one.transfer_bytes for one in record.size.layers if not one.of_base)
        for name, record in records.items()
    }
    return STAGES * turns * sum(size * len({*plan.kinds(name)} & {*LARGE}) for name, size in own.items())


def check_room(engine: Engine, needed: float) -> None:
    """Raises Problem when fewer bytes than these are free on the engine's disk; where that is elsewhere, nobody knows.

    A sitting is recorded as a whole: one that fills the disk in its second hour is lost.
    """
    place = Path(engine.docker.system.info().docker_root_dir)
    if place.is_dir() and (free := shutil.disk_usage(place).free) < needed:
        raise Problem(
            f"Too little disk space for a sitting: {free / 1e9:.0f} GB free, about {needed / 1e9:.0f} GB needed.",
            why=f"Each timed build stays in the builder's cache, in {place}.",
            next='docker builder prune --all  # with the lab: eval "$(make -s lab-env)" first',
        )


def quiet_load() -> float:
    """The one-minute load average, waited for until the machine counts as quiet, or for `FADES` seconds at most.

    Building the images that are to be timed is work too, and fades from the average within two minutes. Work that goes
    on stays in it, and in the records.
    """
    until = time.monotonic() + FADES
    while (load := os.getloadavg()[0]) >= QUIET and time.monotonic() < until:
        say(f"waiting for a quiet machine: its load is {load:.1f}")
        time.sleep(5)
    return load


#: What a sample is of: by kind, seconds or bytes; and of a build, the seconds of its parts.
Taken = tuple[dict[str, float], dict[str, float]]


@dataclass
class Sitting:
    """The variants of a step that are timed together, and what was taken of them."""

    engine: Engine
    step: Step
    plan: Plan
    timed: list[Timed]
    #: What was recorded before.
    before: dict[str, Record] = field(default_factory=dict)
    #: Of builds, starts and memory.
    turns: dict[str, Turns] = field(default_factory=dict)
    #: By variant, kind, and the words that name a part.
    parts: defaultdict[str, defaultdict[str, defaultdict[str, list[float]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    )
    watched: list[float] = field(default_factory=list)

    def take(self, name: str, rule: Rule, units: dict[str, list[list[str]]], take: Callable[..., Taken]) -> None:
        """Let the variants take turns until the rule has enough. `units` are, by variant, the kinds of each sample.

        `take` is called with what is timed and a unit's first kind.
        """
        kinds = {variant: [kind for unit in some for kind in unit] for variant, some in units.items() if some}
        turns = self.turns[name] = Turns(rule, kinds, self.plan.against)
        again = bool(kinds)
        while again:
            for one in self.timed:
                for unit in units.get(one.name, []):
                    if not turns.wants(one.name, *unit):
                        continue
                    found, parts = take(one, unit[0])
                    for kind, value in found.items():  # as a record keeps it
                        turns.samples[one.name][kind] += Samples.of([value]).samples
                    for words, seconds in parts.items():
                        self.parts[one.name][unit[0]][words].append(seconds)
                    taken = turns.samples[one.name][unit[0]]
                    say(f"{one.name} · {unit[0]}, {len(taken)}: {shown_sample(unit[0], taken[-1])}")
            again = turns.end()

    def times(self, one: Timed, load_before: float, ended: datetime) -> Times:
        """What there is to record of what was timed."""
        variant = one.name
        taken = {
            kind: Samples.of(found) for turns in self.turns.values()
            for kind, found in turns.samples.get(variant, {}).items()
        }  # fmt: skip
        if variant == RECOMMENDED and self.watched:
            taken["watch"] = Samples.of(self.watched)
        reported = {name: taken[name] for name in self.plan.ask.seconds if name in taken} if self.plan.ask else {}
        compared = {kind: found for turns in self.turns.values() if variant in turns.kinds
                    for kind, found in turns.compared(variant).items()}  # fmt: skip
        return Times(
            **{named: taken[kind] for kind, named in (TIMES | MEMORY).items() if kind in taken},
            steps_s={
                kind: {words: Samples.of(some) for words, some in found.items()}
                for kind, found in self.parts[variant].items() if found
            } or None,
            reported_s=reported or None,
            rules={name: turns.rule for name, turns in self.turns.items() if variant in turns.kinds},
            compared=compared or None,
            builder=self.engine.platform if one.platform != self.engine.platform else None,
            load_before=round(load_before, 2),
            cpu=cpu(),
            measured_at=ended,
        )  # fmt: skip


def _sitting(engine: Engine, step: Step, only: str | None) -> Sitting:
    """Who is timed, and of what. Raises Problem when nobody is."""
    plan = plan_of(step)
    if only:
        step.variant(only.removesuffix(OTHER))
        plan = plan.alone(only)
    left_out: list[str] = []
    if any(kind.startswith("fresh-") for kind in plan.time) and (not engine.fresh or engine.chosen):
        say(
            "leaving out fresh machines with a cache in a registry: only the lab's own builder can be had a second time"
        )
        left_out += ["fresh-edit", "fresh-lock"]
    if "base" in plan.time and engine.driver != "docker":
        say("leaving out a changed base image: this builder does not see the images in the engine's store")
        left_out.append("base")
    plan = plan.model_copy(update={"time": {kind: some for kind, some in plan.time.items() if kind not in left_out}})
    timed = _timed(engine, step, plan)
    if not timed:
        raise Problem(
            f"There is nothing to time of {step.name}{f'/{only}' if only else ''}.",
            why="No page compares its times; or its build is meant to fail, or is not for this machine's own platform.",
            next=f"make steps, then {step.timing_command}",
        )
    return Sitting(engine, step, plan, timed)


def _take_builds(sitting: Sitting) -> None:
    """Time the builds. Afterwards the engine's images are those of the folder again."""
    engine, step, plan = sitting.engine, sitting.step, sitting.plan
    for one in sitting.timed:  # everything in the builder's cache, and in the registry's
        fresh = any(kind.startswith("fresh-") for kind in plan.kinds(one.name))
        cache_to = f"type=registry,mode=max,ref={sample.registry_cache(engine, step, one.variant)}"
        settings = {"cache-to": cache_to} if fresh else {}
        builder.AGAIN(sample.build, engine, step, one.variant, platform=one.platform, **settings)

    def take(one: Timed, kind: str) -> Taken:
        if kind == "answer":
            seconds, parts = builder.AGAIN(sample.edit_to_answer, engine, step, one.variant)
        else:  # `sample.build` does not build again within a sample: what the engine spoiled is taken again as a whole.
            seconds, parts = builder.AGAIN(
                sample.build_after, engine, step, one.variant, kind=kind, platform=one.platform
            )
        return {kind: seconds}, parts

    kinds = {one.name: [[kind] for kind in plan.kinds(one.name)] for one in sitting.timed}
    sitting.take("builds", enough.BUILDS, kinds, take)
    for one in sitting.timed:
        builder.AGAIN(sample.build, engine, step, one.variant, platform=one.platform)


def _take_runs(sitting: Sitting) -> None:
    engine, step, plan = sitting.engine, sitting.step, sitting.plan

    def start(one: Timed, kind: str) -> Taken:
        found = sample.start(engine, step, one.variant, plan.ask)
        if "import" in plan.starts(one.name):
            found["import"] = sample.import_time(engine, step, one.variant, plan.imports)
        return found, {}

    def weigh(one: Timed, kind: str) -> Taken:
        return sample.memory(engine, step, one.variant), {}

    names = [one.name for one in sitting.timed]
    sitting.take("starts", enough.STARTS, {name: [plan.starts(name)] for name in names if plan.starts(name)}, start)
    weighed = plan.time.get("memory", [])
    sitting.take("memory", enough.MEMORY, {name: [["memory-loaded"]] for name in names if name in weighed}, weigh)
    if plan.watch and RECOMMENDED in names:
        sitting.watched = sample.watch(engine, step, WATCHED)


def time_step(engine: Engine, step: Step, *, only: str | None = None) -> None:
    """Time the variants that the step's plan says, in turns, and put the samples into the records that are there.

    `only` is the one variant that is recorded, in a sitting of its own with those that it is compared with. Raises
    Problem when a variant has no record of what is in the folder, before or after, or when a build fails.
    """
    sitting = _sitting(engine, step, only)
    recorded = [one for one in sitting.timed if only in (None, one.name)]
    sitting.before, begun = _records(engine, step, recorded), _hashes(sitting)
    check_room(engine, room_needed(sitting.plan, sitting.before, enough.BUILDS.most))
    load_before = quiet_load()
    _take_builds(sitting)
    _take_runs(sitting)
    ended = datetime.now(UTC).replace(microsecond=0)
    times = {one.name: sitting.times(one, load_before, ended) for one in sitting.timed}
    _print(step, times)
    _save(sitting, begun, {one.name: times[one.name] for one in recorded})


def _hashes(sitting: Sitting) -> dict[str, str]:
    """What each variant of a sitting is built from, read anew."""
    step, recipe = replace(sitting.step), sitting.engine.recipe
    return {one.name: inputs_of(step, step.variant(one.variant.name), recipe).sha256 for one in sitting.timed}


def _save(sitting: Sitting, begun: dict[str, str], times: dict[str, Times]) -> None:
    """Record these times. Raises Problem when a file changed that anything in the sitting is built from."""
    now = _hashes(sitting)
    if changed := [name for name, sha256 in begun.items() if now[name] != sha256]:
        raise Problem(
            f"No times were recorded: {', '.join(changed)} changed while it was timed.",
            why="The times above are of what was in the folder when the sitting began, or of a mixture.",
            next=f"{sitting.step.command} && {sitting.step.timing_command}",
        )
    save_times({sitting.before[name].path: (begun[name], found) for name, found in times.items()})


def _print(step: Step, times: dict[str, Times]) -> None:
    medians = {name: _medians(found) for name, found in times.items()}
    kinds = list(dict.fromkeys(kind for found in medians.values() for kind in found))
    table = Table("variant", *kinds, title=f"{step.name}: medians")
    for name, found in medians.items():
        table.add_row(name, *(shown_sample(kind, found[kind]) if kind in found else "" for kind in kinds))
    out.print(table)


def _medians(times: Times) -> dict[str, float]:
    fields = {kind: getattr(times, named) for kind, named in (TIMES | MEMORY).items()} | (times.reported_s or {})
    return {kind: found.median for kind, found in fields.items() if found}


def shown_sample(kind: str, value: float) -> str:
    """A sample as people read it: seconds, or bytes of memory."""
    return megabytes(value) if kind in MEMORY else duration(value)
