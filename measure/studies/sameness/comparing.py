"""Compares images file by file, as a container of them would find them, without running anything of them."""

from __future__ import annotations

import hashlib
import re
import tarfile

from measure.base import progress
from measure.base.errors import Problem
from measure.base.platforms import other_than
from measure.build import images as builder
from measure.build.engine import Engine
from measure.run import probe
from measure.run.step import provenance, provide_bases
from measure.steps.compose import Step, find_step
from measure.steps.inputs import inputs_of
from measure.studies.sameness import model
from measure.studies.sameness.model import Compared, Difference, Pair, Sameness
from measure.tell.table import out

#: What the engine itself puts into each container.
ENGINES = {".dockerenv", "dev", "proc", "sys", "etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/mtab"}
#: Where apt keeps what it fetched, a file's name begins with the name of a host.
HOST = re.compile(r"(?<=^var/lib/apt/lists/)[^/_]+(?=_)")
#: Of a path: its kind, its mode, its owner and group, and the hash of its bytes or the target of its link.
Entry = tuple[bytes, int, tuple[int, int], str]
PARTS = ("kind", "mode", "owner", "bytes")


def entries(engine: Engine, image: str, platform: str) -> dict[str, Entry]:
    """All paths of an image, by what a container that never ran has in it."""
    with probe.exported(engine, image, platform) as files:
        return {
            HOST.sub("…", member.name): (member.type, member.mode, (member.uid, member.gid), _content(files, member))
            for member in files
            if member.name not in ENGINES and member.name.partition("/")[0] not in ENGINES
        }


def _content(files: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    """The target of a link, or the hash of a file's bytes, without the time of its source that bytecode may keep."""
    if not member.isreg():
        return member.linkname
    content = files.extractfile(member).read()
    if member.name.endswith(".pyc") and content[4:8] == bytes(4):  # valid while its source has this time (PEP 552)
        content = content[:8] + content[12:]
    return hashlib.sha256(content).hexdigest()


def differences(ours: dict[str, Entry], theirs: dict[str, Entry]) -> list[Difference]:
    """What is not the same in two images, by path. A second name of a file (a hard link) counts as a link to it."""
    found = []
    for path in sorted(ours.keys() | theirs.keys()):
        if path not in ours or path not in theirs:
            found.append(Difference(path=path, how=["extra" if path in ours else "missing"]))
        elif how := [part for part, a, b in zip(PARTS, ours[path], theirs[path], strict=True) if a != b]:
            found.append(Difference(path=path, how=how))
    return found


def compare(engine: Engine, step: Step, pair: Pair, platform: str) -> Compared:
    """Build both variants of a pair for a platform, and compare them. Raises Problem when one does not build."""
    found = []
    for name in (pair.variant, pair.against):
        with progress.task(f"{step.name}/{name} · {platform}"):
            image = builder.load_into_engine(engine, step, step.variant(name), platform)
            found.append(entries(engine, image, platform))
    variants = [step.variant(name) for name in (pair.variant, pair.against)]
    return Compared(
        variant=pair.variant,
        against=pair.against,
        platform=platform,
        inputs_sha256=[inputs_of(step, variant, engine.recipe).sha256 for variant in variants],
        paths=len({**found[0], **found[1]}),
        differences=differences(*found),
        provenance=provenance(engine, variants[0].external_images, platform, model.COMMAND),
    )


def measure_sameness(engine: Engine) -> None:
    """Compare every pair, for the platform that is not the engine's own, record it, and say what differs.

    Raises Problem when something differs that is not known to; it is recorded all the same.
    """
    pairs, platform = model.listed(), other_than(engine.platform)
    step = find_step(pairs.step)
    provide_bases(
        engine, [(step.variant(name), platform) for pair in pairs.pair for name in (pair.variant, pair.against)]
    )
    compared = [compare(engine, step, pair, platform) for pair in pairs.pair]
    model.TABLE.replace(engine.environment, Sameness(compared=compared))
    unknown = 0
    for pair, one in zip(pairs.pair, compared, strict=True):
        out.print(f"[bold]{one.variant}[/] against {one.against}: {len(one.differences)} of {one.paths} paths differ")
        for difference in one.differences:
            because = pair.because(difference.path)
            unknown += because is None
            out.print(
                f"  {difference.path}: {', '.join(difference.how)} ({because or 'not known why'})", soft_wrap=True
            )
    if unknown:
        raise Problem(
            f"{unknown} paths differ that are not known to.",
            why="The two Dockerfiles ought to give the same image.",
            next=f"mend the Dockerfile, or say why in {model.LIST.name}",
        )
