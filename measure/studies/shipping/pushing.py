"""Pushes each variant from machines that have nothing to registries that have nothing, pulls it again, and starts it.

Each variant has a registry of its own. A machine is an engine of its own in the lab (see lab/fresh.py). Registry and
machines are on one computer: a pull has no network to wait for, and what it takes is unpacking, for the most part.
Timings take turns, so that a busy moment meets all variants.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from measure.base.errors import Problem, say
from measure.base.units import megabytes
from measure.build import images as builder
from measure.build.engine import Engine, Registry
from measure.record.plan import CHANGES
from measure.record.records import Samples
from measure.run import probe
from measure.run.step import provenance, provide_bases
from measure.run.timing import quiet_load
from measure.steps.compose import Step, Variant, find_step
from measure.steps.copying import clean_copy
from measure.steps.inputs import inputs_of
from measure.studies.shipping import model
from measure.studies.shipping.counting import Count
from measure.studies.shipping.model import Level, Pushed, Sent, Shipped, Shipping

#: How often each pull and each start is timed.
PULLS, STARTS = 5, 7
REPOSITORY = "shipping"
#: Options of the exporter, asked for one after the other of one builder. The last one again, where nothing was asked
#: for before, is the variant `zstd`.
LEVELS = (
    "compression=gzip",
    "compression=gzip,compression-level=9,force-compression=true",
    "compression=zstd,force-compression=true",
    "compression=zstd,compression-level=19,force-compression=true",
)
#: Processor seconds of importing what serves, and how many files of bytecode there are and are not taken. A header of
#: bytecode says whether the source's hash counts, or its time and size (PEP 552).
_IMPORT = (
    "import time; b = time.process_time(); import gunicorn.app.wsgiapp, whichimage; print(time.process_time() - b)"
)
BYTECODE = """
import pathlib, importlib.util
paths = list(pathlib.Path("/opt/venv").rglob("*.pyc"))
def is_stale(path):
    head, source = path.read_bytes()[:16], pathlib.Path(importlib.util.source_from_cache(path)).stat()
    return head[4] == 0 and int.from_bytes(head[8:12], "little") != int(source.st_mtime)
print(len(paths), sum(map(is_stale, paths)))
"""


@contextmanager
def changed(step: Step, kind: str) -> Iterator[Step]:
    """Yields a copy of the step in which one line of code, or one package's version, is another."""
    with clean_copy(step.folder) as folder:
        if kind == "edit":
            code = folder / "src/whichimage/__init__.py"
            code.write_text(code.read_text() + "# One line more.\n")
        elif kind == "lock":
            one = CHANGES["jinja2-in-list"]
            path = folder / one["file"]
            path.write_text(path.read_text().replace(one["before"], one["after"].replace("NONCE", "0" * 64)))
        yield replace(step, folder=folder)


def _pushed(engine: Engine, step: Step, variant: Variant, registry: Registry, kind: Pushed) -> str:
    """Build a variant after a change of this kind, and push it; returns its digest."""
    name = f"{registry.address}/{REPOSITORY}:{kind}"
    with changed(step, kind) as copy, ExitStack() as stack:
        moved = copy.variant(variant.name)
        if kind == "base":
            # Named in FROM: of a base that a named context gives, a builder that sets times sets the base's files' too.
            text = moved.dockerfile.read_text()
            for base in variant.external_images:
                text = text.replace(f"FROM {base}", f"FROM {stack.enter_context(builder.changed_base(engine, base))}")
            moved.dockerfile.write_text(text)
        return builder.push(engine, copy, moved, name)


def pushes(
    engine: Engine, step: Step, variant: Variant, registry: Registry
) -> tuple[dict[Pushed, Sent], list[str], list[float]]:
    """Push a variant, and after each change, from two machines; what was sent, the two digests, and their seconds."""
    count, sent, digests, seconds = Count(registry), {}, [], []
    for kinds in (("first", "edit", "lock", "base"), ("again",)):
        with engine.fresh() as machine:
            for kind in kinds:
                begun = time.monotonic()
                digest = _pushed(machine, step, variant, registry, kind)
                if kind == kinds[0]:
                    digests.append(digest)
                    seconds.append(time.monotonic() - begun)
                sent[kind] = count.sent(REPOSITORY, kind)
                say(f"{variant.name} · {kind}: {megabytes(sent[kind].sent_bytes)} sent")
    return sent, digests, seconds


def pulls(engine: Engine, registry: Registry) -> dict[str, float]:
    """Seconds of pulling the image into an engine that has nothing, and then the changed ones."""
    found = {}
    with engine.fresh() as machine:
        for kind in ("first", "edit", "lock"):
            begun = time.monotonic()
            machine.docker.image.pull(f"{registry.address}/{REPOSITORY}:{kind}", quiet=True)
            found[kind] = time.monotonic() - begun
    return found


def starts(engine: Engine, variant: Variant, image: str) -> dict[str, float]:
    """Seconds from `docker run` to the first answer, and of processor time that the import takes."""
    begun: list[float] = []
    with probe.running(engine, image, variant, engine.platform, when_run=lambda: begun.append(time.monotonic())) as (
        _,
        url,
    ):
        probe.wait_for(url, 60).raise_for_status()
        start = time.monotonic() - begun[-1]
    return {"start": start, "import": float(in_python(engine, image, _IMPORT))}


def in_python(engine: Engine, image: str, script: str) -> str:
    """What a script prints that an image's Python runs, in a new container."""
    with probe.named_container(engine) as known_as:
        options = {"remove": True, "pull": "never", "read_only": True}
        return engine.docker.run(image, ["python", "-c", script], **options, **known_as)


def levels(engine: Engine, step: Step, registry: Registry) -> list[Level]:
    """Bytes that `plain` sends, asked for with one option after the other of one builder that had nothing."""
    found, plain = [], step.variant("plain")
    with engine.fresh() as machine:
        for number, options in enumerate(LEVELS):
            asked = replace(plain, build=plain.build | {"x-bake": {"output": [options]}})
            builder.push(machine, step, asked, f"{registry.address}/levels:{number}")
            named = Count(registry).sent("levels", str(number)).named_bytes
            say(f"{options}: {megabytes(named)}")
            found.append(Level(options=options, transfer_bytes=named))
    return found


def measure_shipping(engine: Engine) -> None:
    """Push, pull and start each variant, and record it.

    Raises Problem when the engine is not the lab's, which alone can be had a second time, or when a build fails.
    """
    if not (engine.fresh and engine.registry) or engine.chosen:
        why = "It pushes from machines that have nothing to registries that have nothing: the lab makes both."
        raise Problem("Only the lab can measure pushes.", why=why, next=f"ENGINE=lab {model.COMMAND}")
    step = find_step(model.STEP)
    provide_bases(engine, [(variant, engine.platform) for variant in step.variants])
    hashes = {variant.name: inputs_of(step, variant, engine.recipe).sha256 for variant in step.variants}
    load_before = quiet_load()
    with ExitStack() as stack:
        registries = {variant.name: stack.enter_context(engine.registry()) for variant in step.variants}
        pushed = {one.name: pushes(engine, step, one, registries[one.name]) for one in step.variants}
        tried = levels(engine, step, stack.enter_context(engine.registry()))
        times, bytecode = _times(engine, step, registries)
    shipped = [
        Shipped(
            variant=name,
            inputs_sha256=hashes[name],
            digest=digests[0],
            digest_again=digests[1],
            sent=sent,
            build_and_push_s=Samples.of(seconds),
            bytecode=bytecode[name][0],
            bytecode_stale=bytecode[name][1],
            pull_s={kind: Samples.of(times[name, kind]) for kind in ("first", "edit", "lock")},
            start_s=Samples.of(times[name, "start"]),
            import_cpu_s=Samples.of(times[name, "import"]),
        )
        for name, (sent, digests, seconds) in pushed.items()
    ]
    if hashes != {one.name: inputs_of(step, step.now(one), engine.recipe).sha256 for one in step.variants}:
        raise Problem("Nothing was recorded: a file of the step changed meanwhile.", next=model.COMMAND)
    record = Shipping(
        shipped=shipped,
        levels=tried,
        provenance=provenance(engine, step.recommended.external_images, engine.platform, model.COMMAND),
        load_before=round(load_before, 2),
        measured_at=datetime.now(UTC).replace(microsecond=0),
    )
    model.TABLE.replace(engine.environment, record)


def _times(
    engine: Engine, step: Step, registries: dict[str, Registry]
) -> tuple[dict[tuple[str, str], list[float]], dict[str, list[int]]]:
    """Seconds by variant and kind, taken in turns; and of each variant, files of bytecode and those that are stale."""
    times: defaultdict[tuple[str, str], list[float]] = defaultdict(list)

    def take(name: str, found: dict[str, float], turn: int) -> None:
        for kind, seconds in found.items():
            times[name, kind].append(seconds)
        say(f"{name}, {turn + 1}: " + ", ".join(f"{kind} {seconds:.2f} s" for kind, seconds in found.items()))

    for turn in range(PULLS):
        for name, registry in registries.items():
            take(name, pulls(engine, registry), turn)
    images = {name: f"{registry.address}/{REPOSITORY}:first" for name, registry in registries.items()}
    try:
        for image in images.values():
            engine.docker.image.pull(image, quiet=True)
        told = {name: in_python(engine, image, BYTECODE) for name, image in images.items()}
        for turn in range(STARTS):
            for name, image in images.items():
                take(name, starts(engine, step.variant(name), image), turn)
    finally:
        there = [image for image in images.values() if engine.docker.image.exists(image)]
        engine.docker.image.remove(there, force=True)
    return times, {name: [int(word) for word in text.split()] for name, text in told.items()}
