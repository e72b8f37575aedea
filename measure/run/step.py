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
from measure.base.errors import Problem, console, say
from measure.base.files import RESULTS, cache_folder, check_disk, shown
from measure.base.names import ORIGIN_LABEL
from measure.base.platforms import normal
from measure.build import images as builder
from measure.build.engine import Engine, describe
from measure.build.images import BuildError, scrub
from measure.build.layout import tidy
from measure.record.check import as_intended
from measure.record.compare import since_recorded
from measure.record.facts import same
from measure.record.records import (
    BaseImage,
    Failure,
    Provenance,
    Record,
    Size,
    Wasted,
    save,
    save_environment,
)
from measure.run import probe
from measure.run.remembered import Entry, Memory
from measure.run.schedule import Sitting
from measure.steps.compose import RECOMMENDED, Step, Variant
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
    #: Is this recorded now? Not what was interrupted, nor a mishap, nor what is of files that changed meanwhile.
    saved: bool = False

    @property
    def expected(self) -> bool:
        """Did it go as its compose file says it should?"""
        return as_intended(self.record, self.variant)

    @property
    def written(self) -> bool:
        """Has its file another text now? A record that says the same as before is left as it is, with its date."""
        return self.saved and not (self.before and same(self.before, self.record))


def provenance(
    engine: Engine, images: list[str], platform: str, command: str, labels: dict[str, str] | None = None
) -> Provenance:
    """Where numbers come from, measured now upon these base images; `labels` are those of the image that was built."""
    bases = []
    for name in images:
        recipe = engine.recipe(name)
        # An engine may hold a stand-in under an official name; the label that it hands down tells.
        origin = "lab" if recipe or (labels or {}).get(ORIGIN_LABEL) == "lab" else "docker.io"
        bases.append(BaseImage(name=name, origin=origin, digest=engine.digest(name, platform), recipe_sha256=recipe))
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
    """What there is to record of a variant that is built, with `build`'s settings, and weighed: success or failure."""
    variant = step.now(variant)  # read once, for all that is recorded of it
    inputs = variant.inputs(engine.recipe)
    common = {
        "environment": engine.environment,
        "step": step.name,
        "variant": variant.name,
        "platform": platform,
        "dockerfile": str(variant.dockerfile.relative_to(step.folder)),
        "inputs_sha256": inputs.sha256,
        "inputs": inputs,
    }
    images = variant.external_images

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
        digest=image.digest if variant.reproducible else None,
        size=_size(image, builder.context_bytes(engine, step, variant)),
        contents=image.contents,
        provenance=origin(image.labels),
        **common,
    )


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
        for name in variant.external_images:
            needed.setdefault(name, set()).add(platform)
        for name in variant.images if variant.name == RECOMMENDED else []:
            needed.setdefault(name, set()).add(engine.platform)
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
    for variant in step.variants:
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
    pairs = [(variant, platform) for variant in step.variants for platform in variant.platforms(engine.platforms)]
    sitting = Sitting(Run(Memory(engine, step), done, native_rows, start_again), pairs, native=engine.platform)
    sitting.run()
    if not all(outcome.entry or outcome.kept for outcome in sitting.outcomes):
        tidy()
    _print(engine, step, sitting)


@dataclass(frozen=True)
class Run:
    """What a `Sitting` has done with each variant of a step on each platform; `done` is told what came of it."""

    memory: Memory
    done: Callable[[Outcome], None]
    native_rows: Callable[[], None]
    start_again: bool

    def provide(self, pairs: list[tuple[Variant, str]]) -> None:
        """Make base images available, of what is going to be built."""
        provide_bases(self.memory.engine, [pair for pair in pairs if not self.memory.kept(*pair)])

    def build(self, variant: Variant, platform: str) -> Outcome:
        """Have a variant built and recorded, and say so."""
        with progress.task(f"{variant.step}/{variant.name} · {platform}", told=False) as task:
            begun = time.monotonic()
            outcome = measure(self.memory, variant, platform, task.at)
        if not probe.ending.is_set():
            on = f"on {outcome.record.provenance.measured_at:%Y-%m-%d %H:%M} UTC, and not built again"
            when = on if outcome.entry or outcome.kept else f"in {time.monotonic() - begun:.1f} s"
            say(f"{variant.name} · {platform}: {outcome.record.outcome} {when}")
        return outcome

    def start(self, outcome: Outcome) -> probe.Answer:
        """Start an image that is built, and ask it; it is loaded first where the engine has it no more, or has another.

        What it answered before will do, where it is not to be started again. Raises Problem when it cannot be loaded,
        does not answer, or runs on another processor than it was built for.
        """
        memory, variant, platform = self.memory, outcome.variant, outcome.platform
        if not self.start_again and (before := memory.answer(variant, platform, outcome.entry)):
            return before
        with progress.task(f"{variant.name} · {platform} answers", told=False):
            if not memory.loaded(variant, platform, outcome.entry):
                try:
                    builder.load_into_engine(memory.engine, memory.step, variant, platform)
                except BuildError as error:
                    raise Problem("The image cannot be loaded into the engine.", why="\n".join(error.tail)) from None
            answer = probe.ask(memory.engine, builder.tag(memory.step, variant, platform), variant, platform)
            _check_machine(variant, platform, answer)
            memory.remember_answer(variant, platform, answer)
            return answer

    def early(self, sitting: Sitting) -> None:
        """Print the table of this machine's own platform, and its answer; a failure to answer is told in the end."""
        native = sitting.native
        out.print(table(self.memory.step, [outcome.record for outcome in sitting.outcomes], [native]))
        answer = sitting.answers.get(native)
        if answer and not answer.exception():
            out.print(f"The image for {native} {escape(str(answer.result()))}", soft_wrap=True)
        out.print("The same table with the other platforms follows.")
        self.native_rows()

    def stop(self) -> None:
        """End the clients of the builds that run, and the containers that are asked: else an answer is waited for."""
        builder.stop_clients()
        probe.remove_own(self.memory.engine)


def measure(memory: Memory, variant: Variant, platform: str, told: Callable[[str], None]) -> Outcome:
    """Build and weigh one variant on one platform, and record what came of it, success or failure.

    What is remembered of the same files, builder and base images is not built again. Neither is what takes minutes, and
    has a record that holds. `told` hears what the builder is doing.
    """
    if there := memory.kept(variant, platform):
        return Outcome(variant, platform, there, kept=True)
    entry = memory.recall(variant, platform)
    record = entry.record if entry else weighed(memory.engine, memory.step, variant, platform, told)
    outcome = Outcome(variant, platform, record, entry)
    if probe.ending.is_set():  # a build that was interrupted
        return outcome
    if not entry and not memory.unchanged(variant):
        say(f"{variant.name} · {platform} is not recorded: a file that it is built from changed meanwhile")
        return outcome
    # A failure that is the lesson is a result. Any other is a mishap, and does not replace a result.
    if outcome.expected or not record.path.exists():
        outcome.before, outcome.saved = save(record), True
        if outcome.expected and not entry:
            memory.remember(variant, platform, record)
    return outcome


def _print(engine: Engine, step: Step, sitting: Sitting) -> None:
    """Everything that came of a step. Raises Problem for what is not as it should be."""
    outcomes = sitting.outcomes
    out.print(table(step, [outcome.record for outcome in outcomes], engine.platforms))
    for platform in engine.platforms:
        if platform in sitting.answers:
            out.print(f"{platform} {escape(str(sitting.answers[platform].result()))}", soft_wrap=True)
    measured = [(outcome.before, outcome.record) for outcome in outcomes if outcome.expected and outcome.saved]
    kept = [f"{outcome.variant.name} on {outcome.platform}" for outcome in outcomes if outcome.kept]
    for line in since_recorded(measured, kept):
        out.print(escape(line), soft_wrap=True)
    if written := [outcome.record.path.name for outcome in outcomes if outcome.written]:
        git = "`git status results` lists them, `git diff results` shows what changed"
        out.print(escape(f"Files written: {', '.join(written)}; {git}."), soft_wrap=True)
    out.print(f"Records: {shown(RESULTS / engine.environment / step.name)}/")
    if wrong := [o for o in outcomes if not o.expected]:
        names = ", ".join(f"{o.variant.name} on {o.platform}" for o in wrong)
        raise Problem(
            f"Not as it should be: {names}.",
            why="\n".join(o.record.failure.line if o.record.failure else "built, but is meant to fail" for o in wrong),
            next=f"mend it, then {step.command}",
        )


def _check_machine(variant: Variant, platform: str, answer: probe.Answer) -> None:
    """Raises Problem when an image answers from another processor than it was built for."""
    machine = answer.start.get("machine", "")
    if machine and normal(machine).split("/")[1] != platform.split("/")[1]:
        raise Problem(
            f"{variant.step}/{variant.name} was built for {platform}, and runs on {machine}.",
            why=f"One of its base images is another platform's: {', '.join(variant.external_images)}.",
            next="docker buildx imagetools inspect IMAGE  # which platforms has it?",
        )
