"""Build dependencies, verified: proves, by building, which apt packages a Python package needs from source.

A recipe (recipes.toml) is proved by a Dockerfile of two stages that is made from it: one builds the wheel with
exactly the build packages, the other installs it beside exactly the run packages and runs a line that uses its native
part. Then each package is left out in turn: it belongs on the list only if something fails without it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from measure.base import progress
from measure.base.errors import Problem, say
from measure.base.files import cache_folder, check_disk, shown, write_whole
from measure.base.packages import normal
from measure.base.platforms import native_platform
from measure.build import images as builder
from measure.build.engine import Engine, describe
from measure.build.images import BuildError, scrub
from measure.build.layout import blob, tidy
from measure.record.records import Failure, as_json, save_environment, writing
from measure.run.step import provenance
from measure.studies.recipes.model import (
    IMAGE,
    KINDS,
    LIST,
    Built,
    Cost,
    LeftOut,
    Recipe,
    RecipeRecord,
    listed,
    load,
    record_path,
    superfluous,
    why_stale,
)
from measure.studies.recipes.table import recipes_table
from measure.tell.table import out
from measure.weigh.layers import layer_facts
from measure.weigh.oci import Image

#: Lines that tell what went wrong, the most telling kind first: of a compiler, a linker, Python, anything else.
_TELLING = (
    r"fatal error: ",
    r"cannot find -l",
    r"^\w*(Error|Exception)\b.*: |^Error: ",
    r"\berror: |\bERROR: ",
    r"error|not found|failed|no such",
)
#: What pip, setuptools and the builder say around the line that tells.
_FRAME = re.compile(
    r"subprocess-exited-with-error|running command|did not run successfully|not a problem with pip|Failed to build|"
    r"Failed building|metadata-generation-failed|did not complete successfully|^\[|-Werror",
    re.IGNORECASE,
)


class Builder(Protocol):
    """Builds what a recipe says. Both raise BuildError when an instruction or the proof fails."""

    def measure(self, recipe: Recipe) -> Built:
        """Build it, without the builder's cache for the wheel, prove it and weigh it."""

    def attempt(self, recipe: Recipe) -> None:
        """Build and prove it."""


class EngineBuilder:
    """Builds on a Docker engine, natively. `progress` is told what the builder is doing."""

    def __init__(self, engine: Engine, progress: Callable[[str], None]) -> None:
        self.engine, self.progress = engine, progress

    def _build(self, recipe: Recipe, **settings: object) -> list[str]:
        try:
            return builder.build_text(self.engine, recipe.dockerfile, self.progress, **settings)
        except BuildError as error:
            if problem := mishap(error, recipe):
                raise problem from None
            raise

    def attempt(self, recipe: Recipe) -> None:
        """Build and prove a recipe. Raises Problem for a failure that says nothing of the recipe, like no network."""
        self._build(recipe)

    def measure(self, recipe: Recipe) -> Built:
        """Build a recipe's wheel anew, prove it and weigh it. Raises Problem as `attempt` does."""
        load_before = os.getloadavg()[0]
        log = self._build(recipe, target="build", **{"no-cache-filter": ["build"]})
        self.attempt(recipe)
        built = builder.weigh_text(self.engine, recipe.dockerfile, IMAGE, self.progress, target="build")
        final = builder.weigh_text(self.engine, recipe.dockerfile, IMAGE, self.progress)
        file, size = _wheel(built)
        return Built(
            file=file,
            bytes=size,
            seconds=seconds_of(log, "RUN pip wheel"),
            load_before=round(load_before, 1),
            build_cost=_cost(built),
            run_cost=_cost(final),
        )


def mishap(error: BuildError, recipe: Recipe) -> Problem | None:
    """A Problem for a failure that says nothing of what a package needs: of apt, of the index, of the builder."""
    own = error.own_lines
    words = {"why": "\n".join(scrub(line) for line in error.tail), "next": "make lab-status, then the same again"}
    if not own:
        return Problem(f"The builder does not build {recipe.package}; nothing is recorded.", **words)
    if "RUN apt-get" in own[0]:
        return Problem(f"apt-get cannot install what {recipe.package} lists; nothing is recorded.", **words)
    if any("WARNING: Retrying" in line or "No matching distribution found" in line for line in own):
        return Problem(f"The package index did not answer for {recipe.package}; nothing is recorded.", **words)
    return None


def telling(error: BuildError) -> str:
    """The line of a failed build that tells what is missing, without host names."""
    lines = [line.strip() for line in error.own_lines[1:]]
    lines = [line for line in lines if not _FRAME.search(line)]
    for kind in _TELLING:
        if found := [line for line in lines if re.search(kind, line)]:
            return scrub(found[0])
    return scrub(error.telling_line)


def seconds_of(log: list[str], instruction: str) -> float:
    """How long an instruction took, in seconds, as the builder says. Raises ValueError when it did not run."""
    for line in log:
        if (match := re.match(r"^(#\d+) \[", line)) and instruction in line:
            for later in log:
                if done := re.fullmatch(rf"{match[1]} DONE ([\d.]+)s", later):
                    return float(done[1])
    raise ValueError(f"{instruction} did not run")


def _cost(image: Image) -> Cost:
    """What apt-get added to an image."""
    layers = [layer for layer in image.layers if not layer.of_base and "apt-get install" in layer.created_by]
    return Cost(
        transfer_bytes=sum(layer.transfer_bytes for layer in layers),
        unpacked_tar_bytes=sum(layer.unpacked_tar_bytes for layer in layers),
    )


def _wheel(image: Image) -> tuple[str, int]:
    """Name and bytes of the one wheel that an image of the first stage has."""
    (layer,) = [one for one in image.layers if not one.of_base and "pip wheel" in one.created_by]
    entries = layer_facts(blob(layer.digest)).entries
    ((path, size),) = [(one.path, one.size) for one in entries if one.path.startswith("wheels/") and one.size]
    return path.removeprefix("wheels/"), size


class Journal:
    """What was tried of a recipe, so that a run that was stopped goes on from there. It ends with the proof."""

    def __init__(self, path: Path, base_recipe: str | None) -> None:
        self.path, self.base_recipe = path, base_recipe

    def _read(self) -> dict[str, dict]:
        try:
            return json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}

    def remember(self, what: str, recipe: Recipe, find: Callable[[], dict]) -> dict:
        """What was found of a recipe before, else what `find` finds now."""
        words = json.dumps([what, recipe.dockerfile, self.base_recipe])
        key = hashlib.sha256(words.encode()).hexdigest()
        before = self._read()
        if key not in before:
            before[key] = find()
            write_whole(self.path, json.dumps(before))
        return before[key]

    def end(self) -> None:
        """Forget it: the next proof starts from the beginning."""
        self.path.unlink(missing_ok=True)


def journal_of(environment: str, package: str, base_recipe: str | None) -> Journal:
    """The journal of a package, in the cache."""
    return Journal(cache_folder() / "recipes" / f"{environment}-{package}.json", base_recipe)


def minimised(recipe: Recipe, builds: Builder, journal: Journal) -> tuple[Recipe, Built, list[LeftOut]]:
    """Prove a recipe, then leave each package out in turn, the last one first: lists begin with what is common to many.

    So of `gcc libc6-dev x-dev`, where x-dev does nothing but bring libc6-dev along, x-dev goes and libc6-dev stays.
    Returns the recipe with the packages that something needs, what was built with just these, and how each was missed.
    Raises BuildError when the recipe as it stands is not proved.
    """
    built = journal.remember("measure", recipe, lambda: builds.measure(recipe).model_dump())
    needed, left_out = recipe, []
    for kind in KINDS:
        for package in reversed(getattr(recipe, kind) if kind == "run" or recipe.minimise else []):
            without = needed.without(kind, package)
            line = journal.remember("attempt", without, lambda without=without: _attempt(without, builds))["line"]
            if line is None:
                needed = without
                say(f"{recipe.package}: nothing fails without {package}")
            else:
                left_out.append(LeftOut(kind=kind, package=package, line=line))
                say(f"{recipe.package}: needs {package} to {kind}: {line[:90]}")
    if needed != recipe:  # once more, so that everything that is told is of the shorter lists
        return minimised(needed, builds, journal)
    left_out.sort(key=lambda one: (one.kind, getattr(recipe, one.kind).index(one.package)))
    return recipe, Built.model_validate(built), left_out


def _attempt(recipe: Recipe, builds: Builder) -> dict[str, str | None]:
    try:
        builds.attempt(recipe)
    except BuildError as error:
        return {"line": telling(error)}
    return {"line": None}


def prove(engine: Engine, recipe: Recipe, builds: Builder) -> RecipeRecord:
    """Prove a recipe; returns what came of it, success or failure."""
    base_recipe = engine.recipe(IMAGE)
    journal = journal_of(engine.environment, recipe.package, base_recipe)
    command = f"make recipes NAME={recipe.package}"
    common = {
        "platform": native_platform(),
        "provenance": provenance(engine, [IMAGE], native_platform(), command),
    }
    try:
        needed, built, left_out = minimised(recipe, builds, journal)
    except BuildError as error:
        foretold = [line for line in error.own_lines if recipe.blocked and recipe.blocked in line]
        failure = Failure(exit_code=error.exit_code, line=scrub(foretold[0]) if foretold else telling(error))
        record = RecipeRecord(
            recipe=recipe,
            inputs_sha256=recipe.inputs_sha256(base_recipe),
            outcome="blocked" if foretold else "failed",
            failure=failure,
            **common,
        )
    else:
        record = RecipeRecord(
            recipe=needed,
            inputs_sha256=needed.inputs_sha256(base_recipe),
            outcome="proved",
            built=built,
            left_out=left_out,
            **common,
        )
    return record


def _save(environment: str, found: list[RecipeRecord], rows: list[Recipe]) -> None:
    """Record what came of proofs, and forget what is listed no more. A failure does not replace a proof of the same."""
    path = record_path(environment)
    with writing(path.parent):
        table = load(environment)
        before = {one.recipe.package: one.inputs_sha256 for one in table.recipes}
        kept = [one for one in found if one.outcome != "failed" or before.get(one.recipe.package) != one.inputs_sha256]
        renewed = table.renewed(kept, [row.package for row in rows])
        if renewed != table:
            write_whole(path, as_json(renewed))


def _chosen(names: list[str], rows: list[Recipe]) -> list[Recipe]:
    """The recipes with these names. Raises Problem for one that is not listed."""
    by_name = {row.package: row for row in rows}
    asked = list(dict.fromkeys(map(normal, names)))
    if unknown := [name for name in asked if name not in by_name]:
        known = f"It has {', '.join(by_name)}."
        raise Problem(f"{shown(LIST)} has no recipe for {', '.join(unknown)}.", why=known, next="add a row to it")
    return [by_name[name] for name in asked]


def measure_recipes(engine: Engine, names: list[str]) -> None:
    """Prove these recipes, or all whose record does not hold; record and print what came of it.

    Raises Problem when a package is superfluous or a proof fails.
    """
    rows, environment = listed(), engine.environment
    base_recipe = engine.recipe(IMAGE)

    def record_of(row: Recipe) -> RecipeRecord | None:
        return load(environment).recipe(row.package)

    def to_do(row: Recipe) -> bool:
        record = record_of(row)
        return bool(why_stale(record, row, base_recipe)) and not (record and superfluous(record, row))

    chosen = _chosen(names, rows) if names else [row for row in rows if to_do(row)]
    if not names:
        say(f"{len(chosen)} of {len(rows)} recipes to prove; the records of the others hold")
    if chosen:
        check_disk(cache_folder())
        engine.provide([IMAGE], [native_platform()])
        save_environment(describe(engine))
    failed = []
    for row in chosen:
        with progress.task(f"proving {row.package}") as task:
            builds = EngineBuilder(engine, task.at)
            record = prove(engine, row, builds)
        _save(environment, [record], rows)
        journal_of(environment, row.package, base_recipe).end()
        say(f"{row.package} {row.version}: {record.outcome}")
        failed += [record] if record.outcome == "failed" else []
    tidy()
    _save(environment, [], rows)
    table = load(environment)
    out.print(recipes_table([one for one in table.recipes if not names or one.recipe.package in map(normal, names)]))
    out.print(f"Record: {shown(record_path(environment))}")
    _complain(failed, [(row, record_of(row)) for row in (chosen if names else rows)])


def _complain(failed: list[RecipeRecord], pairs: list[tuple[Recipe, RecipeRecord | None]]) -> None:
    """Raise Problem for recipes that failed, or that list what nothing needs."""
    if failed:
        raise Problem(
            f"Not proved: {', '.join(one.recipe.package for one in failed)}.",
            why="\n".join(one.failure.line for one in failed),
            next=f"mend {shown(LIST)}, then make recipes NAME={failed[0].recipe.package}",
        )
    if wrong := {row.package: names for row, record in pairs if record and (names := superfluous(record, row))}:
        raise Problem(
            f"{shown(LIST)} lists packages that nothing needs.",
            why="\n".join(f"{package}: {', '.join(names)}" for package, names in wrong.items()),
            next=f"take them off {shown(LIST)}; what is recorded holds then",
        )
