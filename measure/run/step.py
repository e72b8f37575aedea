"""`make step-N`: build each variant on each platform, weigh, record; start the recommended one; print the table."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.markup import escape

from measure.base import progress
from measure.base.dockerfiles import external_images
from measure.base.errors import Problem, console, say
from measure.base.files import RESULTS, cache_folder, check_disk, shown
from measure.base.names import ORIGIN_LABEL
from measure.base.platforms import ARCHITECTURES, native_platform
from measure.build import images as builder
from measure.build.engine import Engine, describe
from measure.build.images import BuildError, scrub
from measure.build.layout import tidy
from measure.record.check import as_intended
from measure.record.compare import since_recorded
from measure.record.records import (
    BaseImage,
    Failure,
    Provenance,
    Record,
    Size,
    Wasted,
    load,
    record_path,
    save,
    save_environment,
)
from measure.run import probe
from measure.run.remembered import Entry, Memory
from measure.run.schedule import Sitting, Work
from measure.steps.compose import RECOMMENDED, Step, Variant
from measure.steps.inputs import inputs_of
from measure.tell.table import out, table
from measure.weigh.oci import Image


@dataclass
class Outcome:
    """What came of one variant on one platform."""

    variant: Variant
    platform: str
    record: Record
    #: What was remembered of it, so that it was not built again.
    entry: Entry | None = None
    #: Its record is the one that was there, because building takes minutes and would make the same; see `_kept`.
    kept: bool = False
    #: What was recorded before; None where nothing was.
    before: Record | None = None

    @property
    def expected(self) -> bool:
        """Did it go as its compose file says it should?"""
        return as_intended(self.record, self.variant)


def provenance(
    engine: Engine, images: list[str], platform: str, command: str, labels: dict[str, str] | None = None
) -> Provenance:
    """Where numbers come from that are measured now: from builds upon these base images, by this command.

    `labels` are those of the image that was built.
    """
    bases = []
    for name in images:
        recipe = engine.recipe(name)
        # An engine may hold a stand-in under an official name; the label that it hands down tells.
        origin = "lab" if recipe or (labels or {}).get(ORIGIN_LABEL) == "lab" else "docker.io"
        bases.append(BaseImage(name=name, origin=origin, digest=engine.digest(name), recipe_sha256=recipe))
    return Provenance(
        bases=bases,
        execution="native" if builder.natively(engine, platform) else "emulated",
        engine=engine.version,
        buildx=engine.buildx,
        builder_driver=engine.driver,
        index_cache=engine.kind == "lab",
        command=command,
        measured_at=datetime.now(UTC).replace(microsecond=0),
    )


def _size(image: Image, context_bytes: int) -> Size:
    return Size(
        transfer_bytes=image.transfer_bytes,
        unpacked_tar_bytes=image.unpacked_tar_bytes,
        unpacked_file_bytes=image.unpacked_file_bytes,
        wasted=Wasted(
            base_bytes=sum(layer.wasted_bytes for layer in image.layers if layer.of_base),
            own_bytes=sum(layer.wasted_bytes for layer in image.layers if not layer.of_base),
        ),
        context_bytes=context_bytes,
        layers=image.layers,
    )


def weighed(
    engine: Engine, step: Step, variant: Variant, platform: str, progress: Callable[[str], None], **settings: Any
) -> Record:
    """Build and weigh one variant on one platform: what there is to record of it, success or failure.

    `settings` are those of `build`.
    """
    inputs = inputs_of(step, variant, engine.recipe)
    common = {
        "environment": engine.environment,
        "step": step.name,
        "variant": variant.name,
        "platform": platform,
        "dockerfile": str(variant.dockerfile.relative_to(step.folder)),
        "inputs_sha256": inputs.sha256,
        "inputs": inputs,
    }
    images = external_images(variant.dockerfile)

    def origin(labels: dict[str, str]) -> Provenance:
        return provenance(engine, images, platform, step.command, labels)

    try:
        image = builder.build(engine, step, variant, platform, progress, **settings)
    except BuildError as error:
        lesson = variant.teaching.fails_with
        line = (error.line_with(lesson) if lesson else None) or error.telling_line
        failure = Failure(exit_code=error.exit_code, line=scrub(line))
        if not lesson and not probe.ending.is_set():
            _show_failure(engine, variant, platform, error)
        return Record(outcome="failed", failure=failure, provenance=origin({}), **common)
    return Record(
        outcome="built",
        size=_size(image, builder.context_bytes(engine, step, variant)),
        contents=image.contents,
        provenance=origin(image.labels),
        **common,
    )


def _kept(engine: Engine, step: Step, variant: Variant, platform: str) -> Record | None:
    """The record that is there, where a build takes minutes and what it is made from is the same; else None.

    Such are the builds that compose.yaml calls not quick, and those that it does not want emulated. What it is made
    from are its inputs, and base images whose recipe is not known: those by their digests.
    """
    teaching = variant.teaching
    if teaching.quick and (teaching.emulate or builder.natively(engine, platform)):
        return None
    try:
        record = load(record_path(engine.environment, step.name, variant.name, platform))
    except Problem:
        return None
    if record is None or not as_intended(record, variant):
        return None
    same = record.inputs_sha256 == inputs_of(step, variant, engine.recipe).sha256
    pulled = (base for base in record.provenance.bases if engine.recipe(base.name) is None)
    same &= all(base.digest and base.digest == engine.digest(base.name) for base in pulled)
    return record if same else None


def _measure(memory: Memory, variant: Variant, platform: str, progress: Callable[[str], None]) -> Outcome:
    """Build and weigh one variant on one platform, and record what came of it, success or failure.

    What is remembered of the same files, builder and base images is not built again. Neither is what takes minutes, and
    has a record that holds.
    """
    if there := _kept(memory.engine, memory.step, variant, platform):
        return Outcome(variant, platform, there, kept=True)
    entry = memory.recall(variant, platform)
    record = entry.record if entry else weighed(memory.engine, memory.step, variant, platform, progress)
    outcome = Outcome(variant, platform, record, entry)
    # A failure that is the lesson is a result. Any other is a mishap, and does not replace a result; neither does what
    # became of a build that was interrupted.
    if (outcome.expected or not record.path.exists()) and not probe.ending.is_set():
        outcome.before = save(record)
        if outcome.expected and not entry:
            memory.remember(variant, platform, record)
    return outcome


def _show_failure(engine: Engine, variant: Variant, platform: str, error: BuildError) -> None:
    console.print(f"[bold red]✗ {variant.name} does not build on {platform}.[/] Its last lines:")
    for line in error.tail:
        console.print(f"  [dim]{escape(line)}[/]", soft_wrap=True)
    if reason := engine.diagnose():
        console.print(f"  [bold]Likely why:[/] {escape(reason)}", soft_wrap=True)
        console.print("  [bold]Next:[/] make lab-status, then the same command again", soft_wrap=True)
    else:
        console.print(f"  [bold]Next:[/] mend {shown(variant.dockerfile)}, then the same command again")


def provide_bases(engine: Engine, pairs: list[tuple[Variant, str]]) -> None:
    """Make the base images of these variants available, each for the platforms that it is needed for and no other.

    And, for this machine, the images of what a recommended one depends on: it is going to be started.
    """
    needed: dict[str, set[str]] = {}
    for variant, platform in pairs:
        for name in external_images(variant.dockerfile):
            needed.setdefault(name, set()).add(platform)
        for name in variant.images if variant.name == RECOMMENDED else []:
            needed.setdefault(name, set()).add(native_platform())
    for platforms in {frozenset(platforms) for platforms in needed.values()}:
        engine.provide(sorted(name for name, some in needed.items() if some == platforms), platforms)


@contextlib.contextmanager
def session(engine: Engine) -> Iterator[None]:
    """Around the steps of a run: clears away what killed runs left, before and after, and describes the machine."""
    probe.remove_orphans(engine)
    save_environment(describe(engine))
    yield
    probe.remove_orphans(engine)  # again: the engine may have been starting one for a run that had just been killed


def measure_step(
    engine: Engine,
    step: Step,
    done: Callable[[Outcome], None] = lambda outcome: None,
    native_rows: Callable[[], None] = lambda: None,
    *,
    start_again: bool = True,
) -> None:
    """Build, weigh, record and print a step; start its recommended variant and check that it answers.

    What is for this machine's own platform comes first, and is printed by itself where the rest takes longer. `done` is
    told what came of each variant on each platform, as soon as it is known, and `native_rows` when those are printed.
    `start_again`: start an image too that is remembered, and answered. A `session` must be around it.
    Raises Problem when a base cannot be had, when a variant that should build does not, or when one does not answer.
    """
    variants = step.variants
    for variant in variants:
        if not variant.dockerfile.exists():
            raise Problem(
                f"{variant.dockerfile.name} is missing in {step.name}.",
                why=f"Service {variant.service} in compose.yaml builds from it.",
                next=f"git checkout {shown(variant.dockerfile)}",
            )
    check_disk(cache_folder())
    out.print(
        f"[bold]{step.name}[/] on {', '.join(engine.platforms)} with Docker Engine {engine.version} ({engine.kind})"
    )
    if engine.kind == "lab":
        out.print("The base images are the lab's stand-ins for the official ones: see `make lab-fidelity`.")

    def early(sitting: Sitting) -> None:
        _print_native(step, sitting)
        native_rows()

    sitting = _sitting(engine, step, done, early, start_again)
    try:
        sitting.run()
    except BaseException:
        if probe.ending.is_set():
            probe.remove_own(engine)
        raise
    for outcome in sitting.outcomes:
        if not outcome.kept:
            _name_bases(engine, outcome)
    if not all(outcome.entry or outcome.kept for outcome in sitting.outcomes):
        tidy()
    _print(engine, step, sitting)


def _print_native(step: Step, sitting: Sitting) -> None:
    """The table of this machine's own platform, and what its image answers; a failure to answer is told in the end."""
    native = native_platform()
    out.print(table(step, [outcome.record for outcome in sitting.outcomes], [native]))
    answer = sitting.answers.get(native)
    if answer and not answer.exception():
        out.print(f"The image for {native} {escape(str(answer.result()))}", soft_wrap=True)
    out.print("The same table with the other platforms follows.")


def _print(engine: Engine, step: Step, sitting: Sitting) -> None:
    """Everything that came of a step. Raises Problem for what is not as it should be."""
    outcomes = sitting.outcomes
    out.print(table(step, [outcome.record for outcome in outcomes], engine.platforms))
    for platform in engine.platforms:
        if platform in sitting.answers:
            out.print(f"{platform} {escape(str(sitting.answers[platform].result()))}", soft_wrap=True)
    if kept := [f"{outcome.variant.name} on {outcome.platform}" for outcome in outcomes if outcome.kept]:
        out.print(escape(f"As recorded, because building takes minutes: {', '.join(kept)}."), soft_wrap=True)
    measured = [outcome for outcome in outcomes if outcome.expected and not outcome.kept]
    for line in since_recorded([(outcome.before, outcome.record) for outcome in measured]):
        out.print(escape(line), soft_wrap=True)
    out.print(f"Records: {shown(RESULTS / engine.environment / step.name)}/")
    if wrong := [o for o in outcomes if not o.expected]:
        names = ", ".join(f"{o.variant.name} on {o.platform}" for o in wrong)
        raise Problem(
            f"Not as it should be: {names}.",
            why="\n".join(o.record.failure.line if o.record.failure else "built, but is meant to fail" for o in wrong),
            next=f"mend it, then {step.command}",
        )


def _name_bases(engine: Engine, outcome: Outcome) -> None:
    """Put the digests that the base images' names stand for now into a record that was just made.

    The index of an image gets another digest when a platform is added to it, which happens beside the native builds;
    what those were built from stays in it. The next run would find another digest, and nothing else changed.
    """
    record = outcome.record
    digests = {base.name: engine.digest(base.name) or base.digest for base in record.provenance.bases}
    bases = [base.model_copy(update={"digest": digests[base.name]}) for base in record.provenance.bases]
    if bases != record.provenance.bases and outcome.expected:
        origin = record.provenance.model_copy(update={"bases": bases})
        outcome.record = record.model_copy(update={"provenance": origin})
        save(outcome.record)


def _start(memory: Memory, outcome: Outcome, *, again: bool) -> probe.Answer:
    """Start an image that is built, and ask it. It is loaded first where the engine has it no more, or has another.

    What it answered before will do, unless it is to be started `again`. Raises Problem when it cannot be loaded, does
    not answer, or runs on another processor than it was built for.
    """
    variant, platform = outcome.variant, outcome.platform
    if not again and (before := memory.answer(variant, platform, outcome.entry)):
        return before
    with progress.task(f"{variant.name} · {platform} answers", told=False):
        if not memory.loaded(variant, platform, outcome.entry):
            try:
                builder.load_into_engine(memory.engine, memory.step, variant, platform)
            except BuildError as error:
                raise Problem("The image cannot be loaded into the engine.", why="\n".join(error.tail)) from None
        answer = probe.ask(memory.engine, builder.tag(memory.step, variant, platform), variant, platform)
        _check_machine(variant, platform, answer)
        memory.remember_answer(variant, platform, outcome.record, answer)
        return answer


def _check_machine(variant: Variant, platform: str, answer: probe.Answer) -> None:
    """Raises Problem when an image answers from another processor than it was built for."""
    machine = answer.start.get("machine", "")
    if machine and f"linux/{ARCHITECTURES.get(machine, machine)}" != platform:
        raise Problem(
            f"{variant.step}/{variant.name} was built for {platform}, and runs on {machine}.",
            why=f"One of its base images is another platform's: {', '.join(external_images(variant.dockerfile))}.",
            next="docker buildx imagetools inspect IMAGE  # which platforms has it?",
        )


def _sitting(
    engine: Engine,
    step: Step,
    done: Callable[[Outcome], None],
    early: Callable[[Sitting], None],
    start_again: bool,
) -> Sitting:
    """A step's builds and starts, ready to begin."""
    memory = Memory.of(engine, step)
    pairs = [(variant, platform) for variant in step.variants for platform in variant.platforms(engine.platforms)]

    def build(variant: Variant, platform: str) -> Outcome:
        with progress.task(f"{step.name}/{variant.name} · {platform}", told=False) as task:
            begun = time.monotonic()
            outcome = _measure(memory, variant, platform, task.at)
        if not probe.ending.is_set():
            since = f"since {outcome.record.provenance.measured_at:%Y-%m-%d %H:%M} UTC, and not built again"
            took = since if outcome.entry or outcome.kept else f"in {time.monotonic() - begun:.1f} s"
            say(f"{variant.name} · {platform}: {outcome.record.outcome}, {took}")
        return outcome

    work = Work(
        provide=lambda some: provide_bases(engine, [pair for pair in some if not _kept(engine, step, *pair)]),
        build=build,
        start=lambda variant, platform: _start(memory, sitting.found[variant.name, platform], again=start_again),
        done=done,
        early=early,
        stop=builder.stop_clients,
    )
    sitting = Sitting(work, pairs)
    return sitting
