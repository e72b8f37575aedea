"""The floor of a reader's own image, of which no step tells what to ask: it is asked `/`, and its health check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from measure.base.dockerfiles import external_images
from measure.base.errors import Problem
from measure.base.platforms import native_platform
from measure.build.choosing import choose
from measure.run import probe
from measure.steps.compose import Variant, stepless
from measure.studies.floor.finding import MOST, Traced, inspected, prove
from measure.studies.floor.model import Untouched
from measure.studies.floor.packing import touched_by
from measure.studies.floor.watching import TRACER_DOCKERFILE, Run, trace
from measure.weigh.oci import Image, Opened, image_of


@dataclass(frozen=True)
class Yours:
    """What an image does and looks at, an image of just that, and the largest things that nothing looks at."""

    run: Run
    floor: Image
    untouched_bytes: int
    untouched: list[Untouched]


def _variant(dockerfile: Path, exposed: list[str]) -> Variant:
    """An image as the study knows one: by the first port that it names. Raises Problem when it names none."""
    ports = [int(port.partition("/")[0]) for port in exposed if not port.endswith("/udp")]
    if not ports:
        raise Problem(
            "The image names no port, so nobody can ask it anything.",
            why="What it looks at counts from its first answer to its end.",
            next=f"add EXPOSE and the port to {dockerfile}",
        )
    return stepless("yours", dockerfile.name, dockerfile, ports[0])


def floor_of(name: str, opened: Opened, dockerfile: Path, progress: Callable[[str], None]) -> Yours:
    """Run an image of the engine under strace, then one of the files that it looked at, natively.

    `opened` is the same image, read. Raises Problem when it names no port, does not answer or end, and when an image of
    these files alone does not do the same.
    """
    engine = choose([native_platform()])
    engine.provide(external_images(TRACER_DOCKERFILE), [native_platform()])
    about = inspected(engine, name)
    config, asked = about["Config"], ["GET /"]
    variant = _variant(dockerfile, list(config.get("ExposedPorts") or {}))
    if about["RootFS"]["Layers"] != (opened.config.get("rootfs") or {}).get("diff_ids"):
        raise Problem(
            "The image was built for the scales and built again to run, and not alike.",
            why="A line of it takes something else each time, or the builder's cache lost a layer in between.",
            next="the same command again",
        )
    progress("running under strace")
    run, found = trace(engine, name, variant, config, asked)
    with probe.exported(engine, name, native_platform()) as archive:
        touched = touched_by(opened.files, found, archive)
        of = Traced(image_of(opened), config, asked, run, touched, archive)
        floor, alone = prove(engine, variant, of, touched.names, progress)
    if alone != run:
        raise Problem(
            "The image needs more files than those that it was seen to look at.",
            why=f"As it is: {run}\nWith these alone: {alone}",
            next="the same command again",
        )
    untouched = touched.untouched()
    return Yours(run, floor, sum(one.bytes for one in untouched), untouched[:MOST])
