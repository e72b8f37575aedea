"""How small could an image be? The files that its application looks at, from start to stop, are its floor.

The image runs under strace, as itself and natively. Then an image of just the files that were looked at is built, and
has to do the same.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measure.base import progress
from measure.base.dockerfiles import external_images
from measure.base.errors import Problem, say
from measure.base.files import cache_folder, check_disk, shown
from measure.base.platforms import native_platform
from measure.base.units import megabytes
from measure.build import images as builder
from measure.build.engine import Engine, describe
from measure.build.images import BuildError
from measure.build.layout import blob, layout, layout_in_use, tidy
from measure.record.records import save_environment
from measure.run import probe
from measure.run.step import provenance
from measure.steps.compose import Step, Variant
from measure.steps.inputs import inputs_of
from measure.studies.floor.model import Floor, Weight, chosen, command, findings, record_path, save
from measure.studies.floor.packing import floor_dockerfile, pack, touched_by
from measure.studies.floor.trace import Touched
from measure.studies.floor.watching import (
    FLOOR_IMAGE,
    TRACER_DOCKERFILE,
    Run,
    own_image,
    questions,
    run_alone,
    trace,
)
from measure.tell.table import out
from measure.weigh.filesystem import FileSystem
from measure.weigh.layers import layer_facts
from measure.weigh.oci import Image, diff_ids, manifest_of

#: How many of the largest things that nothing looks at are recorded.
MOST = 10


def _weight(image: Image) -> Weight:
    return Weight(
        transfer_bytes=image.transfer_bytes,
        unpacked_tar_bytes=image.unpacked_tar_bytes,
        file_bytes=image.contents.file_bytes,
        files=image.contents.files,
    )


def inspected(engine: Engine, image: str) -> dict[str, Any]:
    """What the engine knows of an image in its store (Docker's Engine API, ImageInspect)."""
    asked = [*engine.docker.client_config.docker_cmd, "image", "inspect", image]
    return json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)[0]


@dataclass(frozen=True)
class Traced:
    """An image that ran under strace: what it was asked and did, what it looked at, and all its files."""

    image: Image
    config: dict[str, Any]
    asked: list[str]
    run: Run
    touched: Touched
    exported: tarfile.TarFile


@contextlib.contextmanager
def traced(engine: Engine, step: Step, variant: Variant, progress: Callable[[str], None]) -> Iterator[Traced]:
    """Build a variant, run it under strace. Raises BuildError, or Problem when it fails or is not what was weighed."""
    platform = native_platform()
    with layout_in_use():
        image = builder.build(engine, step, variant, platform, progress)
        manifest = manifest_of(layout(), image.digest)
        layers = [layer_facts(blob(one["digest"])) for one in manifest["layers"]]
        loaded = builder.load_into_engine(engine, step, variant, platform)
        about = inspected(engine, loaded)
        if about["RootFS"]["Layers"] != diff_ids(layout(), manifest):
            raise Problem(
                f"{step.name}/{variant.name} was built for the scales and built again to run, and not alike.",
                why="The builder's cache lost a layer in between.",
                next=f"{command(step)}, once more",
            )
        asked = questions(engine, loaded, variant, about["Config"])
        progress("running under strace")
        run, found = trace(engine, loaded, variant, about["Config"], asked)
        with probe.exported(engine, loaded, platform) as archive:
            touched = touched_by(FileSystem(layers), found, archive)
            yield Traced(image, about["Config"], asked, run, touched, archive)


def prove(
    engine: Engine, variant: Variant, of: Traced, names: set[str], progress: Callable[[str], None]
) -> tuple[Image, Run]:
    """Build an image of these files alone, weigh it, run it, exercise it alike. Raises Problem as `run_alone` does."""
    with tempfile.TemporaryDirectory(prefix="measure-") as folder, own_image(engine, FLOOR_IMAGE) as name:
        pack(of.exported, names, Path(folder) / "floor.tar")
        progress("building what it looked at")
        text = floor_dockerfile(of.config)
        floor = builder.weigh_text(engine, text, None, progress, context=Path(folder))
        builder.load_text(engine, text, name, context=Path(folder))
        progress("running what it looked at")
        return floor, run_alone(engine, name, variant, of.config, of.asked)


def find(engine: Engine, step: Step, variant: Variant, progress: Callable[[str], None]) -> Floor:
    """Find the floor of a variant, natively, and prove it: an image of just these files does the same.

    Raises BuildError when the variant does not build, Problem when it or its floor does not run, or when it was changed
    meanwhile.
    """
    platform, inputs = native_platform(), inputs_of(step, variant, engine.recipe)
    with traced(engine, step, variant, progress) as of:
        floor, alone = prove(engine, variant, of, of.touched.names, progress)
    compare(step, variant, of.run, alone)
    if inputs_of(step, variant, engine.recipe) != inputs:
        raise Problem(f"{step.name}/{variant.name} was changed while it ran under strace.", next=command(step))
    untouched = of.touched.untouched()
    return Floor(
        step=step.name,
        variant=variant.name,
        platform=platform,
        inputs_sha256=inputs.sha256,
        contents_sha256=of.image.contents.sha256,
        image=_weight(of.image),
        floor=_weight(floor),
        answered=alone.answered,
        healthy=alone.healthy[0],
        exit_code=alone.exit_code,
        missing=sorted(of.touched.missing),
        untouched_bytes=sum(one.bytes for one in untouched),
        untouched=untouched[:MOST],
        provenance=provenance(engine, external_images(variant.dockerfile), platform, command(step), of.image.labels),
    )


def compare(step: Step, variant: Variant, traced: Run, alone: Run) -> None:
    """Raise Problem where an image of the floor's files does not do what the whole one does."""
    pairs = [
        (one.question, one.status, other.status) for one, other in zip(traced.answered, alone.answered, strict=True)
    ]
    pairs += [("health checks", traced.healthy, alone.healthy), ("exit code", traced.exit_code, alone.exit_code)]
    if differ := [
        f"{what}: {one}, and {other} with the floor's files alone" for what, one, other in pairs if one != other
    ]:
        raise Problem(
            f"{step.name}/{variant.name} needs more files than those that it was seen to look at.",
            why="\n".join(differ),
            next=f"{command(step)}, once more; a file that is opened now and then has to be provoked",
        )


def told(floor: Floor) -> str:
    """A floor in a few lines, for a terminal: how large the image is, and the largest things that nothing looks at."""
    name, lines = f"{floor.step}/{floor.variant}", []
    for word, kind in (("transfer", "transfer_bytes"), ("unpacked", "unpacked_tar_bytes")):
        image, least = (megabytes(getattr(one, kind)) for one in (floor.image, floor.floor))
        lines.append(f"{name} {word}: {image}, floor {least}, {floor.times(kind):.2f} times")
    lines.append(f"{name} ships {megabytes(floor.untouched_bytes)} that nothing looks at, most of it:")
    return "\n".join(
        [*lines, *(f"  {megabytes(one.bytes):>9}  {one.files:5} files  {one.name}" for one in floor.untouched)]
    )


def measure_floors(engine: Engine, step: Step) -> None:
    """Find and record the floors of a step, and print them. Raises Problem when one cannot be found."""
    if step.experiment:
        raise Problem(f"Nothing in {step.name} is there to run, so it has no floor.", next="make floor-step-4")
    if engine.chosen:
        raise Problem("Floors are found on the engine's own builder.", next=f"{command(step)}, without BUILDER")
    check_disk(cache_folder())
    probe.remove_orphans(engine)
    files = [TRACER_DOCKERFILE, *(variant.dockerfile for variant in chosen(step))]
    engine.provide(list(dict.fromkeys(name for file in files for name in external_images(file))), [native_platform()])
    save_environment(describe(engine))
    for variant in chosen(step):
        with progress.task(f"the floor of {step.name}/{variant.name}") as task:
            try:
                floor = find(engine, step, variant, task.at)
            except BuildError as error:
                why = "\n".join(error.tail)
                raise Problem(f"{variant.name} does not build.", why=why, next=step.command) from None
        save(engine.environment, [floor])
        say(f"{step.name}/{variant.name}: {len(floor.answered)} questions answered by the floor's files alone")
        out.print(told(floor), markup=False, soft_wrap=True)
    tidy()
    for finding in findings(engine.environment, [step]):
        say(f"{finding}. Next: {finding.command}")
    out.print(f"Record: {shown(record_path(engine.environment))}")
