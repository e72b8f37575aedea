"""Builds fleets of services on four bases, pushes all of them to one registry, and pulls them to one machine.

The services of a fleet differ in one line of code; or in their code and in two packages each, which pip installs
together with the rest, as the Dockerfile says. Each has a repository of its own. One machine builds all of a fleet, so
that layers which are the same are the same to the byte.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from measure.base import progress
from measure.base.errors import Problem, say
from measure.base.units import megabytes
from measure.build.engine import BAKE_VARIABLES, Engine, Registry
from measure.run.step import provenance, provide_bases
from measure.run.timing import check_room
from measure.steps.compose import Step, Variant, find_step
from measure.steps.copying import clean_copy
from measure.studies.shipping import fleets
from measure.studies.shipping.counting import blobs, mounted, settled, uploaded
from measure.studies.shipping.fleets import FLEETS, SIZES, Differ, Fleet, Together

#: Bytes on the disk that a fleet takes at most: without a distribution, three stages have each service's packages.
ROOM = 16_000_000_000
#: How many services there are when it is counted: those between two numbers are built at the same time.
COUNTED = (0, 1, 10, 20, 30, 40)


def pairs() -> list[str]:
    """Two requirements with their hashes, for each service another two."""
    packages = [one for one in fleets.PACKAGES.read_text().split("\n\n") if one.strip()]
    return ["\n".join(two) for two in itertools.combinations(packages, 2)]


@contextmanager
def services(step: Step, differ: Differ) -> Iterator[list[Path]]:
    """Yields the folders of as many services as the largest fleet has."""
    with ExitStack() as stack:
        folders = []
        for number, packages in zip(range(SIZES[-1]), pairs(), strict=False):
            folder = stack.enter_context(clean_copy(step.folder))
            code = folder / "src/whichimage/__init__.py"
            code.write_text(f"{code.read_text()}# Service {number + 1}.\n")
            if differ == "packages":
                wanted = folder / "requirements.txt"
                wanted.write_text(f"{wanted.read_text().rstrip()}\n{packages.strip()}\n")
            folders.append(folder)
        yield folders


def _build(machine: Engine, variant: Variant, registry: Registry, folders: list[tuple[int, Path]]) -> None:
    """Build these services and push each to its repository."""
    targets = {
        f"service-{number}": {
            "context": str(folder),
            "dockerfile": str(folder / variant.dockerfile.name),
            "platforms": [machine.platform],
            "output": [f"type=image,push=true,unpack=false,name={_name(registry, number)}"],
        }
        for number, folder in folders
    }
    file = folders[0][1].parent / "fleet.json"
    file.write_text(json.dumps({"target": targets}))
    machine.docker.buildx.bake([*targets], files=[str(file)], progress=False, variables=BAKE_VARIABLES)


def _name(registry: Registry, number: int) -> str:
    return f"{registry.address}/service-{number}:latest"


def on_disk(folder: Path) -> int:
    """Bytes that the files below a folder take on its disk, as `du` counts them."""
    paths = (Path(where, name) for where, _, names in os.walk(folder) for name in names)
    return sum(512 * path.lstat().st_blocks for path in paths)


def _pull(engine: Engine, registry: Registry) -> dict[int, int]:
    """Pull services into an engine that has nothing; by how many, the bytes by which its disk grew."""
    found, before = {}, 0
    with engine.fresh() as machine:
        root = Path(machine.docker.system.info().docker_root_dir)
        empty = on_disk(root)
        for size in SIZES:
            for number in range(before, size):
                machine.docker.image.pull(_name(registry, number), quiet=True)
            before = size
            found[size] = on_disk(root) - empty
    return found


def measure_fleet(engine: Engine, step: Step, variant: Variant, differ: Differ) -> Fleet:
    """Build, push and pull the services of a fleet, and count at its sizes. Raises Problem where the disk is full."""
    check_room(engine, ROOM)
    inputs = fleets.inputs(variant, differ, engine.recipe)
    pushed: dict[int, dict[str, int]] = {}
    with engine.registry() as registry, services(step, differ) as folders:
        numbered = [*enumerate(folders)]
        with engine.fresh() as machine:
            for before, size in itertools.pairwise(COUNTED):
                _build(machine, variant, registry, numbered[before:size])
                pushed[size] = _counted(registry)
                say(f"{size} services pushed: {megabytes(pushed[size]['stored_bytes'])} stored")
        disk = _pull(engine, registry)
    return Fleet(
        variant=variant.name,
        differ=differ,
        inputs_sha256=inputs,
        together=[Together(services=size, disk_bytes=disk[size], **pushed[size]) for size in SIZES],
        provenance=provenance(engine, variant.external_images, engine.platform, fleets.COMMAND),
    )


def _counted(registry: Registry) -> dict[str, int]:
    """What a registry has so far, by the fields of `Together`."""
    sizes, log = blobs(registry.blobs), settled(registry.log)
    sent = sum(sizes[digest] for digest in uploaded(log))
    return {"stored_bytes": sum(sizes.values()), "sent_bytes": sent, "mounted": mounted(log)}


def measure_fleets(engine: Engine, name: str = "") -> None:
    """Measure the fleets of this variant, or those that changed, and record each as soon as it is measured.

    Raises Problem when the engine is not the lab's, which alone can be had a second time, when a build fails, and for a
    variant that has no fleets.
    """
    if name and name not in FLEETS:
        why, then = f"Those that have are {', '.join(FLEETS)}.", f"{fleets.COMMAND} NAME={FLEETS[0]}"
        raise Problem(f"{name} has no fleets.", why=why, next=then)
    if not (engine.fresh and engine.registry) or engine.chosen:
        why = "It builds on machines that have nothing and pushes to registries that have nothing: the lab makes both."
        raise Problem("Only the lab can measure fleets.", why=why, next=f"ENGINE=lab {fleets.COMMAND}")
    step, there = find_step(fleets.STEP), fleets.load(engine.environment)
    for variant in (step.variant(one) for one in FLEETS if name in ("", one)):
        provide_bases(engine, [(variant, engine.platform)])
        for differ in ("code", "packages"):
            known = there.of(variant.name, differ)
            if name or known is None or known.inputs_sha256 != fleets.inputs(variant, differ, engine.recipe):
                with progress.task(f"{variant.name}, other {differ}"):
                    fleet = measure_fleet(engine, step, variant, differ)
                    fleets.TABLE.save(engine.environment, lambda before, fleet=fleet: before.having(fleet))
