"""How one sample is taken: of a build, of a running container that answers with a changed line, of a start, of memory.

Each rebuild that is timed changes something that no build has seen before, so that nothing comes from the cache that a
reader would not have there. What runs is timed on the machine's own platform: an emulated processor's times say nothing
about the real one's. A build for another platform is timed as what it is, one that the builder's processor does.

*The base changed* is a base image in the engine's store with one file more, under the name that FROM has (a named
context of the builder). A real one would have to be pulled too. *A fresh machine* is an engine of its own, with an
empty store: it pulls the base image, and takes what it can from a cache in a registry (`--cache-from type=registry`)
that was written (`--cache-to`, `mode=max`) by a build before the change.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import httpx
from python_on_whales import Container

from measure.base.buildlog import step_seconds
from measure.base.errors import Problem, say
from measure.base.files import shown
from measure.base.platforms import short
from measure.build import images as builder
from measure.build.engine import Engine
from measure.record.plan import Question, change, changed, plan_of
from measure.run import probe
from measure.steps.compose import Step, Variant
from measure.steps.copying import clean_copy

#: Requests between a container's memory when it is idle, and when it is not any more.
REQUESTS = 1000
#: Seconds after which a container that answered counts as idle.
IDLE = 1
#: Seconds after which `docker compose watch` has dealt with the last change.
SETTLED = 4
HERE = Path(__file__)

#: An image with Python, to look at the processes of images that have none.
OBSERVER = "python:3.14-slim"
#: Adds up what the processes of a container keep in memory, but for this one; see proc_pid_smaps(5). Pages that a
#: worker shares with the process that it was forked from count once: PSS divides them, and of what is mapped from files
#: the process that has most of it stands for all.
_RESIDENT = r"""
import os, pathlib, re
anonymous = mapped = 0
for folder in pathlib.Path("/proc").glob("[0-9]*"):
    if int(folder.name) != os.getpid():
        text = (folder / "smaps_rollup").read_text()
        kilobytes = {name: int(value) for name, value in re.findall(r"^(\w+): +(\d+) kB$", text, re.MULTILINE)}
        anonymous += kilobytes["Pss_Anon"]
        mapped = max(mapped, kilobytes["Rss"] - kilobytes["Anonymous"])
print(1024 * (anonymous + mapped))
"""

#: What was timed of a kind: seconds, and those of its parts, by the words that name them.
Timed = tuple[float, dict[str, float]]


def build(engine: Engine, step: Step, variant: Variant, platform: str | None = None, **settings: str) -> Timed:
    """Build into the engine, as `docker compose build` does, for this platform or the engine's own.

    Raises Problem, with the builder's last lines, when that fails.
    """
    log: list[str] = []
    begun = time.monotonic()
    try:
        builder.load_into_engine(engine, step, variant, platform or engine.platform, log=log, once=True, **settings)
    except builder.BuildError as error:
        raise Problem(
            f"{variant.name} does not build, so nothing of {step.name} was recorded.",
            why="\n".join(error.tail),
            next=f"{step.command}, then {step.timing_command}",
        ) from None
    return time.monotonic() - begun, step_seconds(log)


def build_after(engine: Engine, step: Step, variant: Variant, kind: str, platform: str | None = None) -> Timed:
    """Build a variant cold, or after a change of this kind. Raises Problem as `build` does."""
    if kind == "cold":
        return build(engine, step, variant, platform, **{"no-cache": "true"})
    if kind == "base":
        with ExitStack() as stack:
            names = variant.external_images
            bases = {name: stack.enter_context(builder.changed_base(engine, name)) for name in names}
            contexts = {f"contexts.{name}": f"docker-image://{new}" for name, new in bases.items()}
            return build(engine, step, variant, platform, **contexts)
    if kind.startswith("fresh-"):
        with engine.fresh() as other:
            cache = f"type=registry,ref={registry_cache(engine, step, variant)}"
            with changed(step, kind.removeprefix("fresh-")) as (copy, _):
                return build(other, copy, copy.variant(variant.name), platform, **{"cache-from": cache})
    with changed(step, kind) as (copy, new):
        timed = build(engine, copy, copy.variant(variant.name), platform)
        if kind == "edit" and (asked := plan_of(step).answer):
            _see(engine, copy, copy.variant(variant.name), asked.path, new)
        return timed


def _see(engine: Engine, step: Step, variant: Variant, path: str, words: str) -> None:
    """Start a variant's image and ask it. Raises Problem when these words are not in its answer."""
    platform = engine.platform
    with probe.running(engine, builder.tag(step, variant, platform), variant, platform) as (_, url):
        probe.wait_for(url, 60).raise_for_status()
        told = httpx.get(url + path, timeout=60, trust_env=False).text
    if words not in told:
        raise Problem(
            f"{variant.name} was built after a line of code had changed, and its answer does not have the new value.",
            why=f"{path} answers: {told[:200]}",
            next=f"see in {variant.dockerfile.name} of {step.name} where the code is copied",
        )


def registry_cache(engine: Engine, step: Step, variant: Variant) -> str:
    """The builder's cache of a variant, in a registry."""
    return f"{engine.cache_registry}/{step.name}:{variant.name}"


#: What `docker compose up --build` prints when a part of its work is done, and what that part was. It shows what the
#: builder prints all at once, when that has ended, so the build is one part. Compose 2 prints two spaces before the
#: last word, Compose 5 one, and one more at the line's end; nothing specifies either.
PARTS = {
    r"\s*Container \S+\s+Recreate\s*$": "Compose reads its files, and the image is built, stored and unpacked",
    r"\s*Container \S+\s+Recreated\b": "the old container stops, a new one is made",
    r"\s*Container \S+\s+Started\b": "the new one is started",
}
LAST_PART = "Python starts, imports, and answers"


def edit_to_answer(engine: Engine, step: Step, variant: Variant) -> Timed:
    """Change a line of code and have a container that runs already answer with it, by `docker compose up --build`."""
    plan = plan_of(step)
    image = builder.tag(step, variant, engine.platform)
    with (
        clean_copy(step.folder) as folder,
        probe.project(engine, folder, variant.service, image) as project,
    ):
        up = ("--progress", "plain", "up", "--detach", "--build", variant.service)
        project.run(*up)
        probe.wait_for(project.url, 60).raise_for_status()
        new = change(step, folder, "edit")
        begun = time.monotonic()
        with project.printing(*up) as lines:
            parts = parts_of(lines, begun)
        probe.wait_for(project.url + plan.answer.path, 60, new)
        seconds = time.monotonic() - begun
    return seconds, parts | {LAST_PART: seconds - sum(parts.values())}


def parts_of(lines: Iterable[str], begun: float) -> dict[str, float]:
    """Seconds of each of `PARTS` since `begun` (monotonic), by Compose's lines. Raises Problem when one is missing."""
    parts: dict[str, float] = {}
    waiting, last = list(PARTS), begun
    for line in lines:
        if waiting and re.match(waiting[0], line):
            now = time.monotonic()
            parts[PARTS[waiting.pop(0)]], last = now - last, now
    if waiting:
        raise Problem(f"Compose did not print what {waiting[0]!r} stands for.", next=f"mend PARTS in {shown(HERE)}")
    return parts


def watch(engine: Engine, step: Step, times: int) -> list[float]:
    """Change a line of code under `docker compose watch` and have the running container answer with it; seconds."""
    plan = plan_of(step)
    samples = []
    image = f"{step.name}:{plan.watch.removeprefix(f'{step.name}-')}-{short(engine.platform)}"
    with (
        clean_copy(step.folder) as folder,
        probe.project(engine, folder, plan.watch, image) as project,
    ):
        project.run("up", "--detach", "--build", plan.watch)
        probe.wait_for(project.url, 60).raise_for_status()
        with project.printing("watch", "--no-up", plan.watch) as lines:
            if not any(re.search("watch", line, re.IGNORECASE) for line in lines):
                raise Problem("`docker compose watch` ended before it watched.", next="docker compose version")
            for number in range(times):
                if number:
                    shutil.copy(step.folder / plan.code[0], folder / plan.code[0])
                    time.sleep(SETTLED)
                new = change(step, folder, "edit")
                begun = time.monotonic()
                probe.wait_for(project.url + plan.answer.path, 60, new)
                samples.append(time.monotonic() - begun)
                say(f"{number + 1} of {times} · watch: {samples[-1]:.2f} s")
    return samples


def import_time(engine: Engine, step: Step, variant: Variant, module: str) -> float:
    """Seconds that importing a module takes in a new container of a variant, as its own interpreter measures them."""
    script = f"import time; begun = time.perf_counter(); import {module}; print(time.perf_counter() - begun)"
    with probe.named_container(engine) as known_as:
        image = builder.tag(step, variant, engine.platform)
        options = {"remove": True, "pull": "never", "read_only": True, "envs": variant.environment}
        return float(engine.docker.run(image, ["python", "-c", script], **options, **known_as))


def start(engine: Engine, step: Step, variant: Variant, question: Question | None) -> dict[str, float]:
    """Start a variant's image and ask it; returns seconds: `start`, and the fields that were asked for.

    What it depends on runs already. The first answer to the question only warms up; the second one counts.
    """
    platform = engine.platform
    image = builder.tag(step, variant, platform)
    begun: list[float] = []
    with probe.running(engine, image, variant, platform, when_run=lambda: begun.append(time.monotonic())) as (_, url):
        probe.wait_for(url, 60).raise_for_status()
        found = {"start": time.monotonic() - begun[-1]}
        for _ in range(2 if question else 0):
            answer = httpx.get(url + question.path, timeout=120, trust_env=False).raise_for_status().json()
        return found | ({name: answer[name] for name in question.seconds} if question else {})


def resident_bytes(engine: Engine, container: Container) -> int:
    """Bytes of memory that a container's processes keep. Health checks must be off: one that runs would count.

    A container beside it, which sees its processes, counts: an image may have no program to count with.
    """
    with probe.named_container(engine) as known_as:
        options = {"remove": True, "pid": f"container:{container.id}", "cap_add": ["SYS_PTRACE"], **known_as}
        return int(engine.docker.run(OBSERVER, ["python", "-c", _RESIDENT], **options))


def memory(engine: Engine, step: Step, variant: Variant) -> dict[str, float]:
    """Start a variant's image, and ask it a thousand times; returns bytes: `memory-idle` and `memory-loaded`."""
    platform = engine.platform
    image = builder.tag(step, variant, platform)
    engine.provide([OBSERVER], [platform])
    with probe.running(engine, image, variant, platform, healthcheck=False) as (container, url):
        probe.wait_for(url, 60).raise_for_status()
        time.sleep(IDLE)
        idle = resident_bytes(engine, container)
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            for _ in range(REQUESTS):
                client.get("/").raise_for_status()
        return {"memory-idle": idle, "memory-loaded": resident_bytes(engine, container)}
