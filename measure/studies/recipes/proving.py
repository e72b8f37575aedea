"""Proves, by building, which apt packages a Python package needs from source.

A recipe (recipes.toml) is proved by a Dockerfile of two stages that is made from it: one builds the wheel with
exactly the build packages, the other installs it beside exactly the run packages and runs a line that uses its native
part. Then each package is left out in turn: it belongs on the list only if something fails without it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from measure.base import progress
from measure.base.buildlog import step_seconds
from measure.base.errors import Problem, say
from measure.base.files import cache_folder, check_disk, shown
from measure.base.packages import normal
from measure.base.platforms import native_platform
from measure.base.units import duration, megabytes
from measure.build import images as builder
from measure.build.engine import Engine, describe
from measure.build.images import BuildError, scrub
from measure.build.layout import blob, tidy
from measure.record.records import Failure, save_environment
from measure.run.step import provenance
from measure.studies.recipes import model
from measure.studies.recipes.model import IMAGE, KINDS, Built, Cost, LeftOut, Recipe, RecipeRecord
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


class Unproved(Problem):
    """A row of recipes.toml has to be mended."""


class EngineBuilder:
    """Builds on a Docker engine, natively. `progress` is told what the builder is doing."""

    def __init__(self, engine: Engine, progress: Callable[[str], None]) -> None:
        self.engine, self.progress = engine, progress

    def attempt(self, recipe: Recipe, **settings: object) -> list[str]:
        """Build and prove a recipe, with settings of a bake target; returns what the builder printed.

        Raises BuildError when it is not proved, Problem for a failure that says nothing of it, like no network.
        """
        try:
            return builder.build_text(self.engine, recipe.dockerfile, self.progress, **settings)
        except BuildError as error:
            if problem := mishap(error, recipe):
                raise problem from None
            raise

    def measure(self, recipe: Recipe) -> Built:
        """Build a recipe's wheel anew, prove it and weigh it. Raises Problem as `attempt` does."""
        load_before = os.getloadavg()[0]
        log = self.attempt(recipe, target="build", **{"no-cache-filter": ["build"]})
        self.attempt(recipe)
        built = builder.weigh_text(self.engine, recipe.dockerfile, IMAGE, self.progress, target="build")
        final = builder.weigh_text(self.engine, recipe.dockerfile, IMAGE, self.progress)
        file, size = _wheel(built)
        (seconds,) = [took for name, took in step_seconds(log).items() if "RUN pip wheel" in name]
        return Built(
            file=file,
            bytes=size,
            seconds=seconds,
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


def _cost(image: Image) -> Cost:
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


def minimised(recipe: Recipe, builds: EngineBuilder) -> tuple[Recipe, Built, list[LeftOut]]:
    """Prove a recipe, then leave each package out in turn, the last one first: lists begin with what is common to many.

    So of `gcc libc6-dev x-dev`, where x-dev does nothing but bring libc6-dev along, x-dev goes and libc6-dev stays.
    Returns the recipe with the packages that something needs, what was built with all of them, and how each was missed.
    Raises BuildError when the recipe as it stands is not proved.
    """
    built, needed, left_out = builds.measure(recipe), recipe, []
    for kind in KINDS:
        for package in reversed(getattr(recipe, kind) if kind == "run" or recipe.minimise else []):
            without = needed.without(kind, package)
            try:
                builds.attempt(without)
            except BuildError as error:
                left_out.append(LeftOut(kind=kind, package=package, line=telling(error)))
                say(f"{recipe.package}: needs {package} to {kind}: {left_out[-1].line[:90]}")
            else:
                needed = without
                say(f"{recipe.package}: nothing fails without {package}")
    left_out.sort(key=lambda one: (one.kind, getattr(recipe, one.kind).index(one.package)))
    return needed, built, left_out


def prove(engine: Engine, recipe: Recipe, builds: EngineBuilder) -> RecipeRecord:
    """Prove a recipe, or see it fail as foretold. Raises Unproved if it fails otherwise, or lists too much."""
    command = f"make recipes NAME={recipe.package}"
    try:
        needed, built, left_out = minimised(recipe, builds)
        went = {"outcome": "proved", "built": built, "left_out": left_out}
    except BuildError as error:
        foretold = [line for line in error.own_lines if recipe.blocked and recipe.blocked in line]
        if not foretold:
            next = f"mend {shown(model.LIST)}, then {command}"
            raise Unproved(f"{recipe.package} is not proved.", why=telling(error), next=next) from None
        needed, failure = recipe, Failure(exit_code=error.exit_code, line=scrub(foretold[0]))
        went = {"outcome": "blocked", "failure": failure}
    if superfluous := [name for kind in KINDS for name in getattr(recipe, kind) if name not in getattr(needed, kind)]:
        names = ", ".join(superfluous)
        next = f"take {names} off its row in {shown(model.LIST)}, then {command}"
        raise Unproved(f"{recipe.package} lists {names}, and nothing fails without.", next=next)
    return RecipeRecord(
        recipe=recipe,
        inputs_sha256=recipe.inputs_sha256(engine.recipe(IMAGE)),
        platform=native_platform(),
        provenance=provenance(engine, [IMAGE], native_platform(), command),
        **went,
    )


def told(record: RecipeRecord) -> str:
    """A row: package, apt packages to build and to run, each with what they add (transfer size), and the time."""
    recipe, built = record.recipe, record.built
    cells = [f"{recipe.package} {recipe.version}", " ".join(recipe.build), record.outcome]
    if built:
        build, run = (f"+{megabytes(cost.transfer_bytes)}" for cost in (built.build_cost, built.run_cost))
        to_run = [" ".join(recipe.run), run] if recipe.run else ["nothing"]
        cells = [*cells[:2], build, *to_run, duration(built.seconds)]
    return " │ ".join(cells)


def _chosen(names: list[str], rows: list[Recipe]) -> list[Recipe]:
    """The recipes with these names. Raises Problem for one that is not listed."""
    by_name = {row.package: row for row in rows}
    asked = list(dict.fromkeys(map(normal, names)))
    if unknown := [name for name in asked if name not in by_name]:
        known = f"It has {', '.join(by_name)}."
        raise Problem(f"{shown(model.LIST)} has no recipe for {', '.join(unknown)}.", why=known, next="add a row to it")
    return [by_name[name] for name in asked]


def measure_recipes(engine: Engine, names: list[str]) -> None:
    """Prove these recipes, or all whose record does not hold; record and print what came of it.

    Raises Problem in the end when one is not proved, or lists what nothing needs.
    """
    rows, environment, base_recipe = model.listed(), engine.environment, engine.recipe(IMAGE)
    before = model.load(environment)
    stale = [row for row in rows if model.why_stale(before.recipe(row.package), row, base_recipe)]
    chosen, problems = _chosen(names, rows) if names else stale, []
    if not names:
        say(f"{len(chosen)} of {len(rows)} recipes to prove; the records of the others hold")
    if chosen:
        check_disk(cache_folder())
        engine.provide([IMAGE], [native_platform()])
        save_environment(describe(engine))
    for row in chosen:
        with progress.task(f"proving {row.package}") as task:
            try:
                record = prove(engine, row, EngineBuilder(engine, task.at))
            except Unproved as problem:
                problems.append(problem)
                say(problem.what)
            else:
                model.save(environment, [record])
                say(f"{row.package} {row.version}: {record.outcome}")
    tidy()
    model.save(environment, [])
    asked = chosen if names else rows
    for row in asked:
        if record := model.load(environment).recipe(row.package):
            out.print(told(record), soft_wrap=True)
    out.print(f"Record: {shown(model.record_path(environment))}")
    if problems:
        why = "\n".join(" ".join(filter(None, (one.what, one.why))) for one in problems)
        raise Problem(f"{len(problems)} of {len(chosen)} rows are not proved.", why=why, next=problems[0].next)
