"""Build dependencies, verified: what each recipe says, what came of proving it, and whether that still holds."""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from measure.base.errors import Problem
from measure.base.files import shown
from measure.base.model import Strict
from measure.base.packages import normal
from measure.record.check import Finding, demand
from measure.record.check import recipes as base_recipes
from measure.record.records import Failure, Provenance
from measure.record.tables import Table, Wrong
from measure.steps.inputs import hash_of

LIST = Path(__file__).with_name("recipes.toml")
IMAGE = "python:3.14-slim"
#: The two lists of a recipe: the apt packages that building needs, and those that the result needs.
Kind = Literal["build", "run"]
KINDS: tuple[Kind, ...] = ("build", "run")


class Recipe(Strict):
    """A row of recipes.toml: how a package is built from its source distribution, and what it then needs."""

    package: str
    version: str
    build: list[str]
    run: list[str] = Field(default_factory=list)
    #: Python, on one line, that fails unless the package's native part is there and works.
    proof: str
    #: Variables for the build, by name.
    environment: dict[str, str] = Field(default_factory=dict)
    #: Settings for the package's own build system (`pip wheel --config-settings`), by name.
    config: dict[str, str] = Field(default_factory=dict)
    #: False where a build takes so long that leaving each package out in turn is too much.
    minimise: bool = True
    #: Words of the line with which the build fails where it is known to be blocked.
    blocked: str | None = None

    @model_validator(mode="after")
    def _one_line(self) -> Self:
        if "\n" in self.proof or not self.proof.strip():
            raise ValueError("proof is one line of Python")
        return self

    def without(self, kind: Kind, package: str) -> Recipe:
        """The same recipe with one package fewer on one of its lists."""
        return self.model_copy(update={kind: [name for name in getattr(self, kind) if name != package]})

    @property
    def dockerfile(self) -> str:
        """The Dockerfile that proves it: it builds when, and only when, every instruction and the proof go through."""
        name, version = self.package, self.version
        wheel = ["pip wheel --no-cache-dir --no-deps", f"--no-binary {name}"]
        wheel += [f"--config-settings={shlex.quote(f'{key}={value}')}" for key, value in self.config.items()]
        wheel += [f"--wheel-dir /wheels {name}=={version}"]
        lines = [
            f"FROM {IMAGE} AS build",
            *_install(self.build),
            *(f"ENV {key}={json.dumps(value)}" for key, value in self.environment.items()),
            f"# Only {name} is built from source; the Python tools that this takes come as wheels.",
            f"RUN {' '.join(wheel)}",
            "",
            f"FROM {IMAGE}",
            *_install(self.run),
            "# The wheel is there while this line runs, and in no layer. Other packages that it needs come as wheels.",
            "RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \\",
            "    pip install --no-cache-dir --only-binary :all: /wheels/*.whl",
            "# The proof: it fails where the native part is missing.",
            f"RUN {json.dumps(['python', '-c', self.proof])}",
            "",
        ]
        return "\n".join(lines)

    def inputs_sha256(self, base_recipe: str | None) -> str:
        """Hash of all that the proof depends on. `base_recipe`: of the base image, None for one from a registry."""
        return hash_of([self.dockerfile, self.minimise, self.blocked, base_recipe])


def _install(packages: list[str]) -> list[str]:
    if not packages:
        return []
    return [
        "RUN apt-get update \\",
        f"    && apt-get install -y --no-install-recommends {' '.join(packages)} \\",
        "    && rm -rf /var/lib/apt/lists/*",
    ]


class Cost(Strict):
    """What apt packages add to an image, in bytes: all that apt-get installs for them, dependencies included."""

    #: What crosses the network: the compressed layer.
    transfer_bytes: int = 0
    #: The layer as a tar stream.
    unpacked_tar_bytes: int = 0


class Built(Strict):
    """The wheel that was built, and what it took."""

    file: str
    #: Bytes of the file.
    bytes: int
    #: Seconds of `pip wheel`, downloads included, on the machine's own processor; once.
    seconds: float
    #: The machine's one-minute load average before: other work beside it makes the seconds too many.
    load_before: float
    build_cost: Cost
    run_cost: Cost


class LeftOut(Strict):
    """What happened when a listed package was left out: the line of the output that tells."""

    kind: Kind
    package: str
    line: str


class RecipeRecord(Strict):
    """What came of proving one recipe."""

    recipe: Recipe
    inputs_sha256: str
    platform: str
    #: Blocked: failed with the line that the recipe foretells. What fails with another one has no record.
    outcome: Literal["proved", "blocked"]
    built: Built | None = None
    #: Each listed package that was left out, and how it was missed.
    left_out: list[LeftOut] = Field(default_factory=list)
    failure: Failure | None = None
    provenance: Provenance

    @model_validator(mode="after")
    def _as_it_went(self) -> Self:
        if (self.outcome == "proved") != (self.built is not None) or (self.built is None) != (self.failure is not None):
            raise ValueError("what is proved has a wheel, and anything else a failure")
        return self


class RecipeTable(Strict):
    """All recipes that were proved in an environment."""

    schema_version: Literal[1] = 1
    recipes: list[RecipeRecord]

    def recipe(self, package: str) -> RecipeRecord | None:
        """The record of a package, None when there is none."""
        return next((one for one in self.recipes if one.recipe.package == package), None)

    def renewed(self, records: list[RecipeRecord], listed: list[str]) -> RecipeTable:
        """The table with these records in place of older ones, and no package but those listed, in their order."""
        by_name = {one.recipe.package: one for one in [*self.recipes, *records]}
        return RecipeTable(recipes=[by_name[name] for name in listed if name in by_name])


def listed() -> list[Recipe]:
    """The recipes, in order. Raises Problem when the data file is not valid."""
    try:
        found = [Recipe.model_validate(row) for row in tomllib.loads(LIST.read_text())["recipe"]]
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise Problem(f"{shown(LIST)} is not valid.", why=str(error), next=f"mend {shown(LIST)}") from None
    names = [one.package for one in found]
    if wrong := [name for name in names if names.count(name) > 1 or normal(name) != name]:
        raise Problem(f"{shown(LIST)}: {wrong[0]} is there twice, or has another name.", next=f"mend {shown(LIST)}")
    return found


def save(environment: str, found: list[RecipeRecord]) -> None:
    """Record what came of proofs, and forget what is listed no more. Raises Problem as `load` does."""
    names = [row.package for row in listed()]
    TABLE.save(environment, lambda before: before.renewed(found, names))


def why_stale(record: RecipeRecord | None, row: Recipe, base_recipe: str | None) -> str:
    """Why a recipe has to be proved, in words; '' when the record holds."""
    if record is None:
        return "not proved yet"
    if record.recipe != row:
        new, old = row.model_dump(), record.recipe.model_dump()
        return f"{' and '.join(key for key in new if new[key] != old[key])} of the recipe changed"
    if record.inputs_sha256 != row.inputs_sha256(base_recipe):
        return f"the recipe of {IMAGE} changed, or the form of the Dockerfile"
    return ""


def _wrong(table: RecipeTable, environment: str) -> Iterator[Wrong]:
    """A recipe that was not proved as it is now, or that is no more."""
    rows, base_recipe = listed(), base_recipes(environment)(IMAGE)
    for row in rows:
        record = table.recipe(row.package)
        if why := why_stale(record, row, base_recipe):
            yield "stale" if record else "missing", f"{row.package}: {why}", f"make recipes NAME={row.package}"
    for name in {one.recipe.package for one in table.recipes} - {row.package for row in rows}:
        yield "orphaned", f"{name}: {shown(LIST)} does not list it", "make recipes"


TABLE = Table(RecipeTable, "recipes.json", "recipes", wrong=_wrong)
record_path, load, count, findings = TABLE.path, TABLE.load, TABLE.count, TABLE.findings


def complete(environment: str) -> RecipeTable:
    """The recorded table. Raises Problem when it does not hold for each recipe that is listed."""
    path, found = record_path(environment), load(environment)
    none = [] if found.recipes else [Finding("missing", path, "not proved yet", "make recipes")]
    demand(path, none or findings(environment))
    return found
