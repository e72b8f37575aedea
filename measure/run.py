"""`make step-N`: build each variant on each platform, weigh, record; start the recommended one; print the table."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.markup import escape

from lab.lifecycle import check_disk
from measure import build as builder
from measure import methods, probe, progress
from measure.build import BuildError, scrub
from measure.check import as_intended
from measure.compare import since_recorded
from measure.dockerfiles import external_images
from measure.engine import ARCHITECTURES, Engine, describe, native_platform
from measure.errors import Problem, console, say
from measure.files import cache_folder, write_whole
from measure.inputs import inputs_of
from measure.oci import ORIGIN_LABEL, Image
from measure.records import (
    RESULTS,
    BaseImage,
    Failure,
    Provenance,
    Record,
    Size,
    Wasted,
    as_json,
    load,
    record_path,
    save,
    save_environment,
    shown,
)
from measure.schedule import Sitting, Work
from measure.steps import RECOMMENDED, Step, Variant
from measure.table import out, table

#: For so long a build that failed as it was meant to counts as failed. A builder keeps layers, and no failures, so it
#: would be the one thing that takes as long again when nothing has changed.
FAILED_FOR = timedelta(hours=24)


@dataclass
class Outcome:
    """What came of one variant on one platform."""

    variant: Variant
    platform: str
    record: Record
    #: It failed as it was meant to before, of the same files, and was not built again.
    remembered: bool = False
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


def failures() -> Path:
    """The folder of the records of builds that failed as they were meant to."""
    return cache_folder() / "failures"


def _failure_path(engine: Engine, variant: Variant, platform: str, inputs_sha256: str) -> Path | None:
    """Where a failure is kept: by all that the build is made from, and by what builds it.

    None where that is not known, because a registry does not say which base image it has.
    """
    bases = [engine.digest(name) for name in external_images(variant.dockerfile)]
    if None in bases:
        return None
    by = [engine.environment, engine.kind, engine.builder, engine.driver, engine.version, engine.buildx]
    key = json.dumps([*by, variant.step, variant.name, platform, inputs_sha256, *bases])
    return failures() / f"{hashlib.sha256(key.encode()).hexdigest()}.json"


def _failed(path: Path, variant: Variant, inputs_sha256: str) -> Record | None:
    """What is kept of a failure; None when that is nothing, or too old, or not what the variant teaches any more."""
    try:
        record = Record.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    age = datetime.now(UTC) - record.provenance.measured_at
    holds = as_intended(record, variant) and record.inputs_sha256 == inputs_sha256
    return record if holds and timedelta(0) <= age < FAILED_FOR else None


def _kept(engine: Engine, step: Step, variant: Variant, platform: str) -> Record | None:
    """The record that is there, where a build takes minutes and what it is made from is the same; else None.

    Such are the builds that compose.yaml calls not quick, and those that it does not want emulated. What it is made
    from are its inputs, the way of measuring, and base images whose recipe is not known: those by their digests.
    """
    teaching = variant.teaching
    if teaching.quick and (teaching.emulate or builder.natively(engine, platform)):
        return None
    try:
        record = load(record_path(engine.environment, step.name, variant.name, platform))
    except Problem:
        return None
    if record is None or not as_intended(record, variant) or methods.of_image(record):
        return None
    same = record.inputs_sha256 == inputs_of(step, variant, engine.recipe).sha256
    pulled = (base for base in record.provenance.bases if engine.recipe(base.name) is None)
    same &= all(base.digest and base.digest == engine.digest(base.name) for base in pulled)
    return record if same else None


def _measure(engine: Engine, step: Step, variant: Variant, platform: str, progress: Callable[[str], None]) -> Outcome:
    """Build and weigh one variant on one platform, and record what came of it, success or failure.

    What failed as it was meant to, less than `FAILED_FOR` ago, of the same files, is not built again. Neither is what
    takes minutes, and has a record that holds.
    """
    if there := _kept(engine, step, variant, platform):
        return Outcome(variant, platform, there, kept=True)
    made_from = inputs_of(step, variant, engine.recipe).sha256
    kept = _failure_path(engine, variant, platform, made_from) if variant.teaching.fails_with else None
    before = _failed(kept, variant, made_from) if kept else None
    record = before or weighed(engine, step, variant, platform, progress)
    outcome = Outcome(variant, platform, record, remembered=before is not None)
    # A failure that is the lesson is a result. Any other is a mishap, and does not replace a result; neither does what
    # became of a build that was interrupted.
    if (outcome.expected or not record.path.exists()) and not probe.ending.is_set():
        outcome.before = save(record)
        if kept and not before and outcome.expected and record.inputs_sha256 == made_from:
            with contextlib.suppress(OSError):  # it is built again then
                write_whole(kept, as_json(record))
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


def measure_step(
    engine: Engine,
    step: Step,
    done: Callable[[Outcome], None] = lambda outcome: None,
    native_rows: Callable[[], None] = lambda: None,
) -> None:
    """Build, weigh, record and print a step; start its recommended variant and check that it answers.

    What is for this machine's own platform comes first, and is printed by itself where the rest takes longer. `done` is
    told what came of each variant on each platform, as soon as it is known, and `native_rows` when those are printed.
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
    probe.remove_orphans(engine)
    out.print(
        f"[bold]{step.name}[/] on {', '.join(engine.platforms)} with Docker Engine {engine.version} ({engine.kind})"
    )
    if engine.kind == "lab":
        out.print("The base images are the lab's stand-ins for the official ones: see `make lab-fidelity`.")
    save_environment(describe(engine))

    def early(sitting: Sitting) -> None:
        _print_native(step, sitting)
        native_rows()

    sitting = _sitting(engine, step, done, early)
    try:
        sitting.run()
    except BaseException:
        if probe.ending.is_set():
            probe.remove_own(engine)
        raise
    for outcome in sitting.outcomes:
        if not outcome.kept:
            _name_bases(engine, outcome)
    builder.tidy()
    probe.remove_orphans(engine)  # again: the engine may have been starting one for a run that had just been killed
    _print(engine, step, sitting)


def _print_native(step: Step, sitting: Sitting) -> None:
    """The table of this machine's own platform, and what its image answers; a failure to answer is told in the end."""
    native = native_platform()
    out.print(table(step, [outcome.record for outcome in sitting.outcomes], [native]))
    answer = sitting.answers.get(native)
    if answer and not answer.exception():
        out.print(f"The image for {native} answers: {escape(str(answer.result().start))}", soft_wrap=True)
    out.print("The same table with the other platforms follows.")


def _print(engine: Engine, step: Step, sitting: Sitting) -> None:
    """Everything that came of a step. Raises Problem for what is not as it should be."""
    outcomes = sitting.outcomes
    out.print(table(step, [outcome.record for outcome in outcomes], engine.platforms))
    for platform in engine.platforms:
        if platform in sitting.answers:
            answer = sitting.answers[platform].result()
            out.print(f"{platform} answers: {escape(str(answer.start))}", soft_wrap=True)
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


def _start(engine: Engine, step: Step, variant: Variant, platform: str) -> probe.Answer:
    """Start an image that is built, and ask it.

    Raises Problem when it cannot be loaded, does not answer, or runs on another processor than it was built for.
    """
    with progress.task(f"{variant.name} · {platform} answers", told=False):
        try:
            image = builder.load_into_engine(engine, step, variant, platform)
        except BuildError as error:
            raise Problem("The image cannot be loaded into the engine.", why="\n".join(error.tail)) from None
        answer = probe.ask(engine, image, variant, platform)
    machine = answer.start.get("machine", "")
    if machine and f"linux/{ARCHITECTURES.get(machine, machine)}" != platform:
        raise Problem(
            f"{step.name}/{variant.name} was built for {platform}, and runs on {machine}.",
            why=f"One of its base images is another platform's: {', '.join(external_images(variant.dockerfile))}.",
            next="docker buildx imagetools inspect IMAGE  # which platforms has it?",
        )
    return answer


def _sitting(engine: Engine, step: Step, done: Callable[[Outcome], None], early: Callable[[Sitting], None]) -> Sitting:
    """A step's builds and starts, ready to begin."""
    pairs = [(variant, platform) for variant in step.variants for platform in variant.platforms(engine.platforms)]

    def build(variant: Variant, platform: str) -> Outcome:
        with progress.task(f"{step.name}/{variant.name} · {platform}", told=False) as task:
            begun = time.monotonic()
            outcome = _measure(engine, step, variant, platform, task.at)
        if not probe.ending.is_set():
            since = f"since {outcome.record.provenance.measured_at:%Y-%m-%d %H:%M} UTC, and not built again"
            took = since if outcome.remembered or outcome.kept else f"in {time.monotonic() - begun:.1f} s"
            say(f"{variant.name} · {platform}: {outcome.record.outcome}, {took}")
        return outcome

    work = Work(
        provide=lambda some: provide_bases(engine, [pair for pair in some if not _kept(engine, step, *pair)]),
        build=build,
        start=lambda variant, platform: _start(engine, step, variant, platform),
        done=done,
        early=early,
        stop=builder.stop_clients,
    )
    return Sitting(work, pairs)
