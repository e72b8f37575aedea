"""How long it takes to build an image, to build it again after a change, to start it, and what it says of its speed.

Each rebuild that is timed changes something that no build has seen before, so that nothing comes from the cache that a
reader would not have there. Variants take turns (A B A B), so that a busy moment meets all of them. Each turn begins
with the cold build, where the plan has one, which leaves cache mounts (BuildKit's `--no-cache` empties them) with what
that build put there and nothing else: the new version of a dependency is in no cache, however often it is timed. All of
it is done on the machine's own platform: an emulated processor's times say nothing about the real one's.

*The base changed* is a base image in the engine's store with one file more, under the name that FROM has (a named
context of the builder). A real one would have to be pulled too. *A fresh machine* is an engine of its own, with an
empty store: it pulls the base image, and takes what it can from a cache in a registry (`--cache-from type=registry`)
that was written (`--cache-to`, `mode=max`) by a build before the change.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import time
import tomllib
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import httpx
from pydantic import BeforeValidator, Field
from rich.table import Table

from measure import build as builder
from measure import probe
from measure.dockerfiles import external_images
from measure.engine import Engine, cpu, native_platform
from measure.errors import Problem, say
from measure.inputs import inputs_of
from measure.model import Strict
from measure.records import MEMORY, QUIET, TIMES, Record, Samples, Times, load, record_path, save, shown
from measure.steps import RECOMMENDED, Step, Variant
from measure.table import out
from measure.units import duration, megabytes

PLANS = Path(__file__).parent / "timings"
SAMPLES = 5
#: Of a build that takes longer than `LONG` seconds.
FEW = 3
LONG = 180
#: Starts are short, and there may be more of them.
STARTS = 9
#: Requests between a container's memory when it is idle, and when it is not any more.
REQUESTS = 1000
#: Seconds after which a container that answered counts as idle.
IDLE = 1
#: Seconds after which `docker compose watch` has dealt with the last change.
SETTLED = 4
#: Seconds that a sitting waits at most for what ran before it to fade from the load average.
FADES = 300
HERE = Path(__file__)


class Dependency(Strict):
    """The change of one dependency's version: a text in a file, and what it becomes.

    NONCE in what it becomes stands for 64 hexadecimal digits that were never there before: a hash that fits no file.
    Where a build makes a list of the lock, that list is then another each time too.
    """

    file: str
    before: str
    after: str


#: The changes that several plans have, by name.
CHANGES = tomllib.loads((Path(__file__).parent / "changes.toml").read_text())


def _named(value: object) -> list[object]:
    """One change or a list of them; a word stands for the one of that name."""
    changes = value if isinstance(value, list) else [value]
    return [CHANGES.get(one, one) if isinstance(one, str) else one for one in changes]


Changes = Annotated[list[Dependency], BeforeValidator(_named)]


class Question(Strict):
    """What the running application is asked, and the fields of its answer that are seconds."""

    path: str
    seconds: list[str]


class Answer(Strict):
    """The line of code that is changed, and where the running application shows it: NEW stands for a new value."""

    path: str
    before: str
    after: str


class Plan(Strict):
    """What is timed of a step."""

    cold: bool = False
    unchanged: bool = False
    base: bool = False
    start: bool = False
    memory: bool = False
    #: The module whose import is timed.
    imports: str | None = Field(None, alias="import")
    #: The file of the application's code that gets another line, or, with `answer`, whose line is changed.
    code: str | None = None
    answer: Answer | None = None
    #: The service that `docker compose watch` keeps up to date; its times go to the recommended variant's record.
    watch: str | None = None
    #: A package of Python alone, and one that is compiled: in each file that has it, the lock and the exported list.
    #: Each is written out, or is a name in changes.toml.
    dependency: Changes = Field(default_factory=list)
    compiled: Changes = Field(default_factory=list)
    #: Variants that are built on a fresh machine too.
    fresh: list[str] = Field(default_factory=list)
    #: Of these kinds, only these variants are timed; of all others, each.
    only: dict[str, list[str]] = Field(default_factory=dict)
    ask: Question | None = None

    @property
    def builds(self) -> list[str]:
        """The kinds of builds that are timed."""
        wanted = {
            "cold": self.cold, "unchanged": self.unchanged, "edit": self.code, "lock": self.dependency,
            "compiled": self.compiled, "base": self.base,
        }  # fmt: skip
        return [kind for kind, there in wanted.items() if there]

    @property
    def changes(self) -> list[str]:
        """The kinds of builds before which a file of the step is changed."""
        return [kind for kind in self.builds if kind in ("edit", "lock", "compiled")]

    def kinds(self, variant: str) -> list[str]:
        """What is timed of a variant in each turn, in this order."""
        answer = ["answer"] if self.answer else []
        kinds = self.builds + answer + (["fresh-edit", "fresh-lock"] if variant in self.fresh else [])
        return [kind for kind in kinds if variant in self.only.get(kind, [variant])]


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


def _change(step: Step, folder: Path, kind: str) -> str:
    """Change files in a copy of a step's folder as never before; returns what is new in them.

    Raises Problem when a file does not have what the plan changes.
    """
    plan, nonce = plan_of(step), uuid.uuid4().hex
    last = f"# {nonce}\n"
    changes = plan.compiled if kind == "compiled" else plan.dependency
    if kind == "edit" and plan.answer:
        changes, last = [Dependency(file=plan.code, before=plan.answer.before, after=plan.answer.after)], ""
    elif kind == "edit":
        changes = [Dependency(file=plan.code, before="", after="")]
    if not changes:
        raise Problem(f"{step.name} has no change of kind {kind}.", next=f"mend {shown(PLANS / f'{step.name}.toml')}")
    for change in changes:
        text = (folder / change.file).read_text()
        if change.before not in text:
            raise Problem(
                f"{step.name}/{change.file} has no {change.before.splitlines()[0]!r}.",
                why="The change that is timed does not fit any more.",
                next=f"mend {shown(PLANS / f'{step.name}.toml')}",
            )
        after = change.after.replace("NONCE", nonce * 2).replace("NEW", nonce)
        (folder / change.file).write_text(text.replace(change.before, after, 1).rstrip("\n") + f"\n{last}")
    return nonce


@contextmanager
def changed(step: Step, kind: str) -> Iterator[tuple[Step, str]]:
    """A copy of a step in which its code (`edit`) or a dependency (`lock`, `compiled`) is another than ever before.

    Yields it, and what is new in it.
    """
    with builder.clean_copy(step.folder) as folder:
        new = _change(step, folder, kind)
        yield replace(step, folder=folder), new


#: What was timed of a kind: seconds, and those of its parts, by the words that name them.
Timed = tuple[float, dict[str, float]]


def _build(engine: Engine, step: Step, variant: Variant, **settings: str) -> Timed:
    """Build a variant into the engine, as `docker compose build` does.

    Raises Problem, with the builder's last lines, when it does not build.
    """
    log: list[str] = []
    begun = time.monotonic()
    try:
        builder.load_into_engine(engine, step, variant, native_platform(), log=log, once=True, **settings)
    except builder.BuildError as error:
        raise Problem(
            f"{variant.name} does not build, so nothing of {step.name} was recorded.",
            why="\n".join(error.tail),
            next=f"{step.command}, then {step.timing_command}",
        ) from None
    return time.monotonic() - begun, builder.step_seconds(log)


def _build_after(engine: Engine, step: Step, variant: Variant, kind: str) -> Timed:
    if kind == "cold":
        return _build(engine, step, variant, **{"no-cache": "true"})
    if kind == "unchanged":
        return _build(engine, step, variant)
    if kind == "base":
        with ExitStack() as stack:
            names = external_images(variant.dockerfile)
            bases = {name: stack.enter_context(builder.changed_base(engine, name)) for name in names}
            contexts = {f"contexts.{name}": f"docker-image://{new}" for name, new in bases.items()}
            return _build(engine, step, variant, **contexts)
    if kind.startswith("fresh-"):
        with engine.fresh() as other:
            cache = f"type=registry,ref={_cache(engine, step, variant)}"
            with changed(step, kind.removeprefix("fresh-")) as (copy, _):
                return _build(other, copy, copy.variant(variant.name), **{"cache-from": cache})
    with changed(step, kind) as (copy, new):
        timed = _build(engine, copy, copy.variant(variant.name))
        if kind == "edit" and (answer := plan_of(step).answer):
            _see(engine, copy, copy.variant(variant.name), answer.path, new)
        return timed


def _see(engine: Engine, step: Step, variant: Variant, path: str, words: str) -> None:
    """Start a variant's image and ask it. Raises Problem when these words are not in its answer."""
    platform = native_platform()
    with probe.running(engine, builder.tag(step, variant, platform), variant, platform) as (_, url):
        probe.wait_for(url, 60).raise_for_status()
        told = httpx.get(url + path, timeout=60, trust_env=False).text
    if words not in told:
        raise Problem(
            f"{variant.name} was built after a line of code had changed, and its answer does not have the new value.",
            why=f"{path} answers: {told[:200]}",
            next=f"see in {variant.dockerfile.name} of {step.name} where the code is copied",
        )


def _cache(engine: Engine, step: Step, variant: Variant) -> str:
    """The builder's cache of a variant, in a registry."""
    return f"{engine.cache_registry}/{step.name}:{variant.name}"


#: What `docker compose up --build` prints when a part of its work is done, and what that part was. It shows what the
#: builder prints all at once, when that has ended, so the build is one part.
PARTS = {
    r" Container \S+  Recreate$": "Compose reads its files, and the image is built, stored and unpacked",
    r" Container \S+  Recreated": "the old container stops, a new one is made",
    r" Container \S+  Started": "the new one is started",
}
LAST_PART = "Python starts, imports, and answers"


def _answer(engine: Engine, step: Step, variant: Variant) -> Timed:
    """Change a line of code and have a container that runs already answer with it, by `docker compose up --build`."""
    plan = plan_of(step)
    image = builder.tag(step, variant, native_platform())
    with (
        builder.clean_copy(step.folder) as folder,
        probe.project(engine, folder, variant.service, image) as project,
    ):
        up = ("--progress", "plain", "up", "--detach", "--build", variant.service)
        project.run(*up)
        probe.wait_for(project.url, 60).raise_for_status()
        parts: dict[str, float] = {}
        waiting = list(PARTS)
        new = _change(step, folder, "edit")
        begun = last = time.monotonic()
        with project.printing(*up) as lines:
            for line in lines:
                if waiting and re.match(waiting[0], line):
                    now = time.monotonic()
                    parts[PARTS[waiting.pop(0)]], last = now - last, now
        probe.wait_until(project.url + plan.answer.path, new, 60)
        ended = time.monotonic()
    if waiting:
        raise Problem(f"Compose did not print what {waiting[0]!r} stands for.", next=f"mend PARTS in {shown(HERE)}")
    return ended - begun, parts | {LAST_PART: ended - last}


def watch(engine: Engine, step: Step, times: int) -> list[float]:
    """Change a line of code under `docker compose watch` and have the running container answer with it."""
    plan = plan_of(step)
    samples = []
    image = f"{step.name}:{plan.watch.removeprefix(f'{step.name}-')}-{native_platform().split('/')[1]}"
    with (
        builder.clean_copy(step.folder) as folder,
        probe.project(engine, folder, plan.watch, image) as project,
    ):
        project.run("up", "--detach", "--build", plan.watch)
        probe.wait_for(project.url, 60).raise_for_status()
        with project.printing("watch", "--no-up", plan.watch) as lines:
            next(line for line in lines if re.search("watch", line, re.IGNORECASE))
            for number in range(times):
                if number:
                    shutil.copy(step.folder / plan.code, folder / plan.code)
                    time.sleep(SETTLED)
                new = _change(step, folder, "edit")
                begun = time.monotonic()
                probe.wait_until(project.url + plan.answer.path, new, 60)
                samples.append(time.monotonic() - begun)
                say(f"{number + 1} of {times} · watch: {samples[-1]:.2f} s")
    return samples


def _import(engine: Engine, step: Step, variant: Variant, module: str) -> float:
    """Seconds that importing a module takes in a new container of a variant, as its own interpreter measures them."""
    script = f"import time; begun = time.perf_counter(); import {module}; print(time.perf_counter() - begun)"
    with probe.named_container(engine) as known_as:
        image = builder.tag(step, variant, native_platform())
        options = {"remove": True, "pull": "never", "read_only": True, "envs": variant.environment}
        return float(engine.docker.run(image, ["python", "-c", script], **options, **known_as))


def _start(engine: Engine, step: Step, variant: Variant, question: Question | None) -> dict[str, float]:
    """Start a variant's image and ask it; returns seconds: `start`, and the fields that were asked for.

    What it depends on runs already. The first answer to the question only warms up; the second one counts.
    """
    platform = native_platform()
    image = builder.tag(step, variant, platform)
    begun: list[float] = []
    with probe.running(engine, image, variant, platform, when_run=lambda: begun.append(time.monotonic())) as (_, url):
        probe.wait_for(url, 60).raise_for_status()
        found = {"start": time.monotonic() - begun[-1]}
        for _ in range(2 if question else 0):
            answer = httpx.get(url + question.path, timeout=120, trust_env=False).raise_for_status().json()
        return found | ({name: answer[name] for name in question.seconds} if question else {})


def _memory(engine: Engine, step: Step, variant: Variant) -> dict[str, float]:
    """Start a variant's image, and ask it a thousand times; returns bytes: `memory-idle` and `memory-loaded`."""
    platform = native_platform()
    image = builder.tag(step, variant, platform)
    with probe.running(engine, image, variant, platform, healthcheck=False) as (container, url):
        probe.wait_for(url, 60).raise_for_status()
        time.sleep(IDLE)
        idle = probe.resident_bytes(container)
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            for _ in range(REQUESTS):
                client.get("/").raise_for_status()
        return {"memory-idle": idle, "memory-loaded": probe.resident_bytes(container)}


def _records(engine: Engine, step: Step, variants: list[Variant]) -> dict[str, Record]:
    """The variants' records. Raises Problem when one of them is not of what is in the folder now."""
    found = {}
    for variant in variants:
        record = load(record_path(engine.environment, step.name, variant.name, native_platform()))
        if record is None or record.inputs_sha256 != inputs_of(step, variant, engine.recipe).sha256:
            raise Problem(
                f"{variant.name} has no record of what is in the folder now.",
                why="Times belong into the record of the image that they were taken with.",
                next=f"{step.command} && {step.timing_command}",
            )
        found[variant.name] = record
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


def time_step(engine: Engine, step: Step, *, once: bool = False, only: str | None = None) -> None:
    """Time each variant that builds, as the step's plan says, and put the samples into the records that are there.

    `once` takes one sample of each and records nothing: to see whether a plan works. `only` is the one variant that is
    timed, in a sitting of its own: its times can be compared with no other's then. Raises Problem when a variant has no
    record of what is in the folder now, or when a build fails.
    """
    plan = plan_of(step)
    if only:
        step.variant(only)
    if plan.fresh and (not engine.fresh or engine.chosen):
        say(
            "leaving out fresh machines with a cache in a registry: only the lab's own builder can be had a second time"
        )
        plan.fresh.clear()
    if plan.base and engine.driver != "docker":
        say("leaving out a changed base image: this builder does not see the images in the engine's store")
        plan.base = False
    variants = [
        v for v in step.variants
        if not v.teaching.fails_with and v.platforms([native_platform()]) and only in (None, v.name)
    ]  # fmt: skip
    if not variants:
        raise Problem(
            f"There is nothing to time of {step.name}{f'/{only}' if only else ''}.",
            why="A build that is meant to fail is not timed, nor one that is not for this machine's own platform.",
            next=f"make steps, then {step.timing_command}",
        )
    records = {} if once else _records(engine, step, variants)
    turns, starts = (1, 1) if once else (SAMPLES, STARTS)
    samples: dict[str, dict[str, list[float]]] = {variant.name: defaultdict(list) for variant in variants}
    parts: dict[str, dict[str, dict[str, list[float]]]] = {
        variant.name: defaultdict(lambda: defaultdict(list)) for variant in variants
    }
    if not once:
        check_room(engine, room_needed(plan, records, turns))
    load_before = os.getloadavg()[0] if once else quiet_load()
    for variant in variants:  # everything in the builder's cache, and in the registry's
        cache_to = f"type=registry,mode=max,ref={_cache(engine, step, variant)}"
        builder.AGAIN(_build, engine, step, variant, **({"cache-to": cache_to} if variant.name in plan.fresh else {}))
    for number in range(turns):
        for variant in variants:
            for kind in plan.kinds(variant.name):
                if number >= FEW and Samples.of(samples[variant.name][kind]).median > LONG:
                    continue
                # `_build` does not build again within a sample: what the engine spoiled is taken again as a whole.
                take = _answer if kind == "answer" else functools.partial(_build_after, kind=kind)
                seconds, found = builder.AGAIN(take, engine, step, variant)
                samples[variant.name][kind].append(seconds)
                for name, part in found.items():
                    parts[variant.name][kind][name].append(part)
                say(f"{number + 1} of {turns} · {variant.name} · {kind}: {seconds:.1f} s")
    for variant in variants:  # the engine's images are those of the folder again
        builder.AGAIN(_build, engine, step, variant)
    for number in range(starts if plan.start else 0):
        for variant in variants:
            found = _start(engine, step, variant, plan.ask)
            if plan.imports:
                found["import"] = _import(engine, step, variant, plan.imports)
            for kind, seconds in found.items():
                samples[variant.name][kind].append(seconds)
            say(f"{number + 1} of {starts} · {variant.name} · starts in {found['start']:.2f} s")
    for number in range(turns if plan.memory else 0):
        for variant in variants:
            found = _memory(engine, step, variant)
            for kind, size in found.items():
                samples[variant.name][kind].append(size)
            shown_size = megabytes(found["memory-loaded"])
            say(f"{number + 1} of {turns} · {variant.name} · {shown_size} after {REQUESTS} requests")
    if plan.watch and RECOMMENDED in samples:
        samples[RECOMMENDED]["watch"] = watch(engine, step, turns)
    kinds = list(dict.fromkeys(kind for variant in variants for kind in samples[variant.name]))
    table = Table("variant", *kinds, title=f"{step.name}: medians")
    ended = datetime.now(UTC).replace(microsecond=0)
    for variant in variants:
        taken = {kind: Samples.of(found) for kind, found in samples[variant.name].items()}
        times = Times(
            **{field: taken[kind] for kind, field in (TIMES | MEMORY).items() if kind in taken},
            steps_s={kind: _parts(found) for kind, found in parts[variant.name].items() if found} or None,
            reported_s={name: taken[name] for name in plan.ask.seconds} if plan.ask else None,
            load_before=round(load_before, 2),
            cpu=cpu(),
            measured_at=ended,
        )
        if not once:
            save(records[variant.name].model_copy(update={"time": times}))
        table.add_row(variant.name, *(_shown(kind, taken[kind]) if kind in taken else "" for kind in kinds))
    out.print(table)


def _shown(kind: str, found: Samples) -> str:
    return megabytes(found.median) if kind in MEMORY else duration(found.median)


def _parts(found: dict[str, list[float]]) -> dict[str, Samples]:
    """The samples of the parts that something is made of; of a part that is too short to be seen each time, fewer."""
    return {name: Samples.of(samples) for name, samples in found.items()}
