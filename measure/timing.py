"""How long a rebuild takes after a change, as someone waits for it who works on the application.

Each sample changes something that no build has seen before, so that nothing comes from the cache that a reader
would not have there. Variants take turns (A B A B), so that a busy moment meets all of them.
"""

from __future__ import annotations

import os
import time
import tomllib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from rich.table import Table

from measure import build as builder
from measure.engine import Engine, native_platform
from measure.errors import Problem, say
from measure.inputs import inputs_of
from measure.records import Samples, Times, load, record_path, save, shown
from measure.steps import Step, Variant
from measure.table import out

EDITS = Path(__file__).parent / "edits"
SAMPLES = 5


class Dependency(BaseModel):
    """The change of one dependency's version: a text in a file, and what it becomes."""

    model_config = ConfigDict(extra="forbid")

    file: str
    before: str
    after: str


class Edits(BaseModel):
    """What is changed in a step's folder to time its rebuilds."""

    model_config = ConfigDict(extra="forbid")

    #: The file of the application's code that gets another line.
    code: str
    dependency: Dependency


def edits_of(step: Step) -> Edits:
    """The changes for a step. Raises Problem when there are none."""
    path = EDITS / f"{step.name}.toml"
    if not path.exists():
        raise Problem(
            f"{step.name} has no rebuilds to time.",
            why=f"{shown(path)} does not say what to change.",
            next="make time-step-2  # has",
        )
    return Edits.model_validate(tomllib.loads(path.read_text()))


@contextmanager
def changed(step: Step, kind: str) -> Iterator[Step]:
    """A copy of a step in which its code or a dependency is another than ever before."""
    edits, nonce = edits_of(step), f"# {uuid.uuid4().hex}\n"
    with builder.clean_copy(step.folder) as folder:
        if kind == "edit":
            path, old, new = folder / edits.code, "", ""
        else:
            path, old, new = folder / edits.dependency.file, edits.dependency.before, edits.dependency.after
        text = path.read_text()
        if old not in text:
            raise Problem(
                f"{step.name}/{edits.dependency.file} has no {old.splitlines()[0]!r}.",
                why="The change that is timed does not fit any more.",
                next=f"mend {shown(EDITS / f'{step.name}.toml')}",
            )
        path.write_text(text.replace(old, new, 1).rstrip("\n") + f"\n{nonce}")
        yield Step(step.name, folder)


def _seconds(engine: Engine, step: Step, variant: Variant) -> float:
    begun = time.monotonic()
    builder.load_into_engine(engine, step, variant, native_platform())
    return time.monotonic() - begun


def time_step(engine: Engine, step: Step) -> None:
    """Time the rebuilds of each variant that builds, natively, and put them into the records that are there.

    Raises Problem when a variant has no record of what is in the folder now, BuildError when a build fails.
    """
    edits_of(step)
    platform = native_platform()
    variants = [v for v in step.variants if not v.teaching.fails_with and v.platforms([platform])]
    records = {}
    for variant in variants:
        record = load(record_path(engine.environment, step.name, variant.name, platform))
        if record is None or record.inputs_sha256 != inputs_of(step, variant, engine.recipe).sha256:
            raise Problem(
                f"{variant.name} has no record of what is in the folder now.",
                why="Times belong into the record of the image that they were taken with.",
                next=f"{step.command} && make time-{step.name}",
            )
        records[variant.name] = record
    samples: dict[tuple[str, str], list[float]] = {}
    load_before = os.getloadavg()[0]
    for variant in variants:
        _seconds(engine, step, variant)  # everything in the builder's cache
    for number in range(SAMPLES):
        for kind in ("edit", "lock"):
            for variant in variants:
                with changed(step, kind) as copy:
                    seconds = _seconds(engine, copy, copy.variant(variant.name))
                samples.setdefault((variant.name, kind), []).append(seconds)
                say(f"{number + 1} of {SAMPLES} · {variant.name} · after a change of {kind}: {seconds:.1f} s")
    table = Table("variant", "one line of code", "one dependency", title=f"{step.name}: seconds to rebuild (median)")
    for variant in variants:
        times = Times(
            rebuild_after_edit_s=Samples.of(samples[variant.name, "edit"]),
            rebuild_after_lock_s=Samples.of(samples[variant.name, "lock"]),
            load_before=round(load_before, 2),
            measured_at=datetime.now(UTC).replace(microsecond=0),
        )
        save(records[variant.name].model_copy(update={"time": times}))
        medians = (times.rebuild_after_edit_s.median, times.rebuild_after_lock_s.median)
        table.add_row(variant.name, *(f"{median:.1f} s" for median in medians))
    out.print(table)
    for variant in variants:  # the engine's images are those of the folder again
        _seconds(engine, step, variant)
