"""`make step-N`: build each variant on each platform, weigh, record; start the recommended one; print the table."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.markup import escape

from lab.lifecycle import check_disk
from measure import build as builder
from measure import probe
from measure.build import BuildError
from measure.dockerfiles import external_images
from measure.engine import Engine, native_platform
from measure.errors import Problem, console, say
from measure.files import cache_folder
from measure.oci import ORIGIN_LABEL, Image
from measure.records import RESULTS, BaseImage, Failure, Provenance, Record, Size, save
from measure.steps import RECOMMENDED, Step, Variant
from measure.table import out, table


@dataclass
class Outcome:
    """What came of one variant on one platform."""

    variant: Variant
    platform: str
    record: Record
    seconds: float

    @property
    def expected(self) -> bool:
        """Did it go as its compose file says it should?"""
        lesson = self.variant.teaching.fails_with
        if self.record.failure:
            return lesson is not None and lesson in self.record.failure.line
        return lesson is None


def _provenance(engine: Engine, step: Step, variant: Variant, platform: str, image: Image | None) -> Provenance:
    labels = image.labels if image else {}
    from_lab = labels.get(ORIGIN_LABEL) == "lab" or (image is None and engine.kind == "lab")
    bases = []
    for name in external_images(variant.dockerfile):
        recipe = engine.recipe(name) if from_lab else None
        bases.append(BaseImage(name=name, origin="lab" if from_lab else "docker.io", recipe_sha256=recipe))
    return Provenance(
        bases=bases,
        execution="native" if platform == native_platform() else "emulated",
        engine=engine.version,
        builder_driver=engine.driver,
        index_cache=engine.kind == "lab",
        command=f"make {re.match(r'(step-[0-9]+|.*)', step.name)[0]}",
        measured_at=datetime.now(UTC).replace(microsecond=0),
    )


def _measure(engine: Engine, step: Step, variant: Variant, platform: str) -> Outcome:
    """Build and weigh one variant on one platform, and record what came of it, success or failure."""
    begun = time.monotonic()
    common = {
        "environment": engine.environment,
        "step": step.name,
        "variant": variant.name,
        "platform": platform,
        "dockerfile": str(variant.dockerfile.relative_to(step.folder)),
    }
    title = f"{variant.name} · {platform}"
    with console.status(title) as status:

        def progress(line: str) -> None:
            status.update(f"{title} · {time.monotonic() - begun:.0f} s · [dim]{escape(line)}[/]")

        try:
            image = builder.build(engine, step, variant, platform, progress)
        except BuildError as error:
            lesson = variant.teaching.fails_with
            line = (error.line_with(lesson) if lesson else None) or error.telling_line
            failure = Failure(exit_code=error.exit_code, line=_scrub(line))
            provenance = _provenance(engine, step, variant, platform, None)
            record = Record(outcome="failed", failure=failure, provenance=provenance, **common)
            if not lesson:
                _show_failure(engine, variant, platform, error)
        else:
            size = Size(
                transfer_bytes=image.transfer_bytes,
                unpacked_tar_bytes=image.unpacked_tar_bytes,
                unpacked_file_bytes=image.unpacked_file_bytes,
                layers=image.layers,
            )
            provenance = _provenance(engine, step, variant, platform, image)
            record = Record(outcome="built", size=size, provenance=provenance, **common)
    outcome = Outcome(variant, platform, record, time.monotonic() - begun)
    # A failure that is the lesson is a result. Any other is a mishap, and does not replace a result.
    if outcome.expected or not record.path.exists():
        save(record)
    return outcome


def _scrub(line: str) -> str:
    """A line of output without the builder's prefix and without host names."""
    line = re.sub(r"^#\d+ (\d+\.\d+ )?", "", line)
    return re.sub(r"https?://[^\s/]+", "https://…", line).strip()


def _show_failure(engine: Engine, variant: Variant, platform: str, error: BuildError) -> None:
    console.print(f"[bold red]✗ {variant.name} does not build on {platform}.[/] Its last lines:")
    for line in error.tail:
        console.print(f"  [dim]{escape(line)}[/]", soft_wrap=True)
    if reason := engine.diagnose():
        console.print(f"  [bold]Likely why:[/] {escape(reason)}", soft_wrap=True)
        console.print("  [bold]Next:[/] make lab-status, then the same command again", soft_wrap=True)
    else:
        console.print(f"  [bold]Next:[/] mend {variant.step}/{variant.dockerfile.name}, then the same command again")


def measure_step(engine: Engine, step: Step) -> None:
    """Build, weigh, record and print a step; start its recommended variant and check that it answers.

    Raises Problem when a base cannot be had, when a variant that should build does not, or when one does not answer.
    """
    variants = step.variants
    for variant in variants:
        if not variant.dockerfile.exists():
            raise Problem(
                f"{variant.dockerfile.name} is missing in {step.name}.",
                why=f"Service {variant.service} in compose.yaml builds from it.",
                next=f"git checkout {step.name}/{variant.dockerfile.name}",
            )
    check_disk(cache_folder())
    engine.provide(sorted({image for variant in variants for image in external_images(variant.dockerfile)}))
    out.print(
        f"[bold]{step.name}[/] on {', '.join(engine.platforms)} with Docker Engine {engine.version} ({engine.kind})"
    )
    if engine.kind == "lab":
        out.print("The base images are the lab's stand-ins for the official ones: see `make lab-fidelity`.")
    outcomes = []
    for variant in variants:
        for platform in engine.platforms:
            if variant.teaching.platforms and platform not in variant.teaching.platforms:
                continue
            outcome = _measure(engine, step, variant, platform)
            word = outcome.record.outcome if outcome.expected else f"{outcome.record.outcome}, not as it should"
            say(f"{variant.name} · {platform}: {word}, in {outcome.seconds:.1f} s")
            outcomes.append(outcome)
    builder.tidy()
    out.print(table(step, [outcome.record for outcome in outcomes], engine.platforms))
    for platform, answer in _start_recommended(engine, step, outcomes).items():
        out.print(f"{platform} answers: {escape(str(answer.start))}", soft_wrap=True)
    out.print(f"Records: {(RESULTS / engine.environment / step.name).relative_to(RESULTS.parent)}/")
    if wrong := [o for o in outcomes if not o.expected]:
        names = ", ".join(f"{o.variant.name} on {o.platform}" for o in wrong)
        raise Problem(
            f"Not as it should be: {names}.",
            why="\n".join(o.record.failure.line if o.record.failure else "built, but is meant to fail" for o in wrong),
            next=f"mend it, then {outcomes[0].record.provenance.command}",
        )


def _start_recommended(engine: Engine, step: Step, outcomes: list[Outcome]) -> dict[str, probe.Answer]:
    answers = {}
    for outcome in outcomes:
        if outcome.variant.name == RECOMMENDED and outcome.record.outcome == "built":
            with console.status(f"starting {step.name} on {outcome.platform}"):
                try:
                    image = builder.load_into_engine(engine, step, outcome.variant, outcome.platform)
                except BuildError as error:
                    raise Problem("The image cannot be loaded into the engine.", why="\n".join(error.tail)) from None
                answers[outcome.platform] = probe.ask(engine, image, outcome.variant, outcome.platform)
    return answers
