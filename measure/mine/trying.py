"""A next step, done: the changed Dockerfile beside the reader's, both images built, weighed and started."""

from __future__ import annotations

import difflib
import tempfile
from dataclasses import replace
from pathlib import Path

from measure.base import dockerfiles
from measure.base.errors import Problem, say
from measure.base.files import cache_folder, write_whole
from measure.mine import building, running
from measure.mine.building import Source
from measure.mine.context import ignore_file_of, sent_files
from measure.mine.editing import edited
from measure.mine.model import NextStep, Report, Tried
from measure.mine.reporting import Asked, report


def _beside(dockerfile: Path, number: int) -> Path:
    """The name of the changed file. Raises Problem where there is one: nothing of the reader's is overwritten."""
    path = dockerfile.with_name(f"try-{number}.Dockerfile")
    for one in (path, path.with_name(f"{path.name}.dockerignore")):
        if one.exists() or one.is_symlink():
            raise Problem(f"There is a file {one} already.", why="Nothing of yours is overwritten.", next=f"mv {one} …")
    return path


def _number(made: Report, number: int) -> NextStep:
    if not 1 <= number <= len(made.next_steps):
        raise Problem(
            f"There is no next step {number}.",
            why=f"The report has {len(made.next_steps)}.",
            next="the same command without --try",
        )
    return made.next_steps[number - 1]


def tried(source: Source, made: Report, number: int) -> Tried:
    """Do a next step of a folder's report, and hold what it was said to save against what it saves.

    The changed Dockerfile is written when its image is built and weighed. Raises Problem for a step that takes a
    person, and for a changed Dockerfile that does not build.
    """
    step, beside = _number(made, number), _beside(source.dockerfile, number)
    dockerfile = dockerfiles.read(source.dockerfile, dict(source.args))
    files = {path: source.folder / path for path, _ in sent_files(source.folder, source.dockerfile)}
    draft = edited(dockerfile, source.target, made, step, files)
    diff = difflib.unified_diff(dockerfile.text.splitlines(), draft.text.splitlines(), lineterm="", n=0)
    lines = [line for line in list(diff)[2:] if not line.startswith("@@")]
    lines += [f"+ {beside.name}.dockerignore: {pattern}" for pattern in draft.ignore]
    say(f"trying step {number}, {step.name}:")
    for line in lines:
        say(f"  {line}")
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="mine-") as place:
        changed = Path(place) / beside.name
        changed.write_text(draft.text)
        ignore = ignore_file_of(source.folder, source.dockerfile)
        patterns = (ignore.read_text(errors="replace") if ignore else "") + "".join(f"\n{one}" for one in draft.ignore)
        if draft.ignore or (ignore and ignore.name != ".dockerignore"):
            changed.with_name(f"{changed.name}.dockerignore").write_text(f"{patterns.strip()}\n")
        other = replace(source, dockerfile=changed)
        with building.built(other) as archive:
            asked = Asked(archive=archive, dockerfile=changed, target=source.target, args=source.args,
                          folder=source.folder, subject=str(source.folder))  # fmt: skip
            after = report(asked)
        docker = building.client_of(other)
        say("starting both")
        with building.loaded(docker, source) as one, building.loaded(docker, other) as two:
            begins = [running.start(docker, image) for image in (one, two)]
        for path in sorted(changed.parent.iterdir()):
            write_whole(beside.with_name(path.name), path.read_text())
    return Tried(
        step=step.name,
        written=str(beside),
        diff=lines,
        predicted=_predicted(step),
        measured=_measured(made, after),
        before=begins[0],
        after=begins[1],
    )


def _predicted(step: NextStep) -> dict[str, int]:
    found = {"transfer": step.transfer_bytes, "unpacked": step.unpacked_tar_bytes}
    if step.name == "build context":
        found["context"] = step.other_bytes
    return {name: value for name, value in found.items() if value is not None}


def _measured(before: Report, after: Report) -> dict[str, int]:
    """What less there is, in bytes."""
    one, other = before.sizes, after.sizes
    found = {"unpacked": one.unpacked_tar_bytes - other.unpacked_tar_bytes}
    if one.transfer_bytes is not None and other.transfer_bytes is not None:
        found = {"transfer": one.transfer_bytes - other.transfer_bytes, **found}
    if before.context and after.context and before.context.bytes != after.context.bytes:
        found["context"] = before.context.bytes - after.context.bytes
    return found
