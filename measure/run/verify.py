"""`make verify RECORD=…`: build anew what a record describes, with nothing cached, and say whether it still holds.

Nothing is recorded. Two records are the same when the comparison of `make step-N` says so (record/compare.py): sizes
within `SAME`, the same user, tools and packages, and a failure that is meant in the same words.
"""

from __future__ import annotations

import subprocess
from collections import defaultdict

from rich.markup import escape

from measure.base import progress
from measure.base.errors import Problem, say
from measure.base.files import ROOT, cache_folder, check_disk, shown
from measure.build.choosing import choose
from measure.build.engine import Engine
from measure.build.layout import blob, layout_in_use, tidy
from measure.record.check import recipes, why_stale
from measure.record.compare import SAME, LayerChange, Row, changes, compare, content_changes, layer_changes, rows_of
from measure.record.records import Record, load_environment, meant, named
from measure.run.step import provide_bases, weighed
from measure.steps.compose import Step, Variant, find_step
from measure.steps.inputs import inputs_of
from measure.tell.table import changes_table, difference_table, layer_changes_table, out
from measure.weigh.differing import differences
from measure.weigh.layers import layer_facts
from measure.weigh.oci import Layer

#: How many files of a layer are named.
MOST_FILES = 8


class DoesNotHold(Problem):
    """What is built now is not what the record says."""

    exit_code = 3


def subject(record: Record, name: str) -> tuple[Step, Variant]:
    """The step and the variant that a record is of. Raises Problem when they are no more, or are not what they were."""
    try:
        step = find_step(record.step)
        variant = step.variant(record.variant)
    except Problem as problem:
        raise Problem(
            f"{name} is of {record.step}/{record.variant}, which is no more.",
            why=f"{problem.what} {problem.why}",
            next=f"git log -- {name}",
        ) from None
    if why := why_stale(record, inputs_of(step, variant, recipes(record.environment))):
        command = ["git", "log", "-1", "--format=%h", "--", shown(record.path)]
        try:
            commit = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()
        except FileNotFoundError:  # no git
            commit = ""
        changed = f"; `git diff {commit} -- {shown(step.folder)} lab/bases` shows what changed" if commit else ""
        raise Problem(
            f"{name} is stale: what it was built from is no more what is here.",
            why=f"Since then: {why}.",
            next=f"{step.command}  # measures it anew{changed}",
        )
    return step, variant


def verify(name: str) -> None:
    """Build what a record describes, compare, and print what is the same and what is not; see `meant` for its name.

    Raises DoesNotHold when it is not the same, Problem when it cannot be built here or is stale.
    """
    if not name:
        why = "RECORD is the path of one, below results/."
        raise Problem("Which record?", why=why, next="ls results/*/*  # shows them all")
    record = meant(name)
    step, variant = subject(record, name)
    engine = choose([record.platform])
    where = f"recorded on {record.provenance.measured_at:%Y-%m-%d} in {record.environment}"
    out.print(f"[bold]{record.step}/{record.variant}[/] on {record.platform}, {where}", soft_wrap=True)
    for line in _elsewhere(record, engine):
        out.print(escape(line), soft_wrap=True)
    check_disk(cache_folder())
    provide_bases(engine, [(variant, record.platform)])
    try:
        with layout_in_use():  # until it is told: what differs is read from the layers
            tell(record, _built(engine, step, variant, record.platform), step, name)
    finally:
        tidy()


def _built(engine: Engine, step: Step, variant: Variant, platform: str) -> Record:
    say(f"building {variant.name} for {platform} with nothing but its base image in the cache")
    with progress.task(f"{variant.name} · {platform}, nothing cached", told=False) as task:
        # The record's own layers stay: they can tell what is in other files now, this time and the next.
        settings = {"no-cache": "true", "remember": False}
        return weighed(engine, step, variant, platform, task.at, **settings)


def _elsewhere(record: Record, engine: Engine) -> list[str]:
    """What is to be known where a record is verified in another environment than its own."""
    if engine.environment == record.environment:
        return []
    lines = [f"The environments differ: this is {engine.environment}."]
    there = load_environment(record.environment)
    here = "lab" if engine.kind == "lab" else "docker.io"
    if there and there.bases != here:
        words = f"came from {named(there.bases)} there and come from {named(here)} here"
        lines.append(f"Base images {words}: expect other base layers, and other packages in them.")
    return lines


def tell(record: Record, now: Record, step: Step, name: str) -> None:
    """Print how the record of this name compares with what was built now.

    Raises DoesNotHold when something is not the same, Problem when nothing came of a build that should work: that may
    be for want of a network, and says nothing about the record.
    """
    if record.size and now.failure:
        raise Problem(
            f"{record.step}/{record.variant} does not build here now, so its record is neither confirmed nor refuted.",
            why=now.failure.line,
            next="make engine  # and see above for what the build said",
        )
    for line in _bases(record, now):
        out.print(escape(line), soft_wrap=True)
    found = changes(record, now)
    if record.size and now.size:
        _tables(record, now)
    for word, failure in (("recorded", record.failure), ("now", now.failure)):
        if failure:
            out.print(f"{word}: exit code {failure.exit_code}: {escape(failure.line)}", soft_wrap=True)
    if found:
        raise DoesNotHold(
            f"{name} does not hold here and now.",
            why="\n".join(found),
            next=f"{step.command}  # records what is measured here, in results/{now.environment}/",
        )
    out.print(f"[bold green]It holds:[/] {_how_same(record, now)}.")


def _how_same(record: Record, now: Record) -> str:
    if record.failure:
        return "it fails in the same way"
    if record.digest and record.digest == now.digest:
        return f"same digest, {record.digest}"
    if (record.size, record.contents) == (now.size, now.contents):  # the layers' digests too
        return "the same to the byte"
    return f"the same within {SAME:.1%}"


def _bases(record: Record, now: Record) -> list[str]:
    """The base images that are others than then."""
    before = {base.name: base for base in record.provenance.bases}
    lines = []
    for base in now.provenance.bases:
        old = before.get(base.name)
        if old and old.digest and base.digest and old.digest != base.digest:
            then, today = (f"{one.digest.removeprefix('sha256:')[:12]} ({one.origin})" for one in (old, base))
            lines.append(f"The base image {base.name} is another one than then: {then} then, {today} now.")
    return lines


def _tables(record: Record, now: Record) -> None:
    difference = compare(record, now)
    out.print(difference_table("sizes", difference.sizes, exact=True))
    layers = layer_changes(record, now)
    if any(one.grew for one in layers):
        out.print(layer_changes_table(layers))
    if contents := content_changes(record, now):
        out.print(changes_table("what is in it", contents))
    bound = SAME * record.size.unpacked_tar_bytes
    if directories := [row for row in difference.directories if abs(row.growth) > bound]:
        out.print(difference_table("directories", directories, exact=True))
    for one in layers:
        if abs(one.growth("unpacked_tar_bytes")) > bound:
            _print_files(one)
        if one.before and one.after and one.before.digest != one.after.digest:
            out.print(escape(f"The layer {one.name} is another one: {_kinds(one)}."), soft_wrap=True)


def _kinds(one: LayerChange) -> str:
    """How many files of a layer that is not the same differ, by the kind of difference, each with the first of them."""
    before, after = blob(one.before.digest), blob(one.after.digest)
    if not before.exists() or not after.exists():
        return "the recorded one is not on this machine any more, so its files cannot be compared"
    kinds: defaultdict[str, list[str]] = defaultdict(list)
    for found in differences(before, after):
        kinds[found.kind].append(found.path)
    return "; ".join(
        f"{len(paths)} in {kind} ({paths[0]})" if paths[0] else f"the same files in another {kind}"
        for kind, paths in kinds.items()
    )


def _print_files(one: LayerChange) -> None:
    """Name files of a layer that changed: those that did, where the recorded layer is still known on this machine."""
    old, new = (_sizes(layer) for layer in (one.before, one.after))
    if new and old and (rows := rows_of(old, new)):
        out.print(difference_table(f"files of the layer {one.name}", rows, MOST_FILES, exact=True))
    elif new:
        title = f"largest files of the layer {one.name}, as it is now: a record has no list of files"
        largest = sorted(new.items(), key=lambda item: -item[1])[:MOST_FILES]
        out.print(difference_table(title, [Row(path, None, size) for path, size in largest if size], exact=True))
    else:
        out.print(escape(f"A record has no list of files: those of the layer {one.name} cannot be named."))


def _sizes(layer: Layer | None) -> dict[str, int | None]:
    """Bytes of each file of a layer, where this machine still has the layer, or has read it before; else nothing."""
    if layer is None:
        return {}
    try:
        facts = layer_facts(blob(layer.digest))
    except (OSError, Problem):
        return {}
    return {entry.path: entry.size for entry in facts.entries if entry.kind == "file"}
