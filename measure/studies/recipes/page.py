"""What pages and claims say of build dependencies, verified."""

from __future__ import annotations

from measure.base.errors import Problem
from measure.base.units import duration, megabytes
from measure.studies.recipes.model import IMAGE, Cost, Recipe, RecipeRecord, complete, record_path
from measure.tell.folklore import Facts
from measure.tell.page import Page, code, markdown_table, page_function, pointed, unbroken
from measure.tell.reading import Reading


@page_function
def recipes(page: Page) -> str:
    """The apt packages that building a package takes, and those that running it takes, with what they add."""
    head = ["package", "to build", "adds", "to run", "adds", "built in", "wheel for glibc today"]
    proved = page.records.once(complete).recipes
    rows = []
    for record in proved:
        recipe, built = record.recipe, record.built
        cells = ["", record.outcome, "", ""]
        if built:
            seconds = f"once; load average of the machine before: {built.load_before}"
            taken = pointed(unbroken(duration(built.seconds)), seconds)
            cells = [_added(built.build_cost), _apt(recipe.run), _added(built.run_cost), taken]
        wheel = page.call("glibc_wheel", recipe.package)
        rows.append([f"`{recipe.package}` {recipe.version}", _build(recipe), *cells, wheel])
    days = sorted({f"{record.provenance.measured_at:%Y-%m-%d}" for record in proved})
    caption = (
        f"Proved on {' and '.join(days)} (UTC), on {proved[0].platform} upon `{IMAGE}`. *Adds* is the "
        "transfer size of all that `apt-get` installs for them, dependencies included; the pointer shows the exact "
        f"and the unpacked size. {page.file(record_path(page.records.environment), 'The record')} has all of it."
    )
    return f"{markdown_table(head, rows, 'llrlrrl')}\n\n{caption}"


def _build(recipe: Recipe) -> str:
    listed = "" if recipe.minimise else " (listed, not minimised)"
    return f"{_apt(recipe.build)}{listed}" + "".join(
        f", with `{name}={value}`" for name, value in recipe.environment.items()
    )


def _apt(packages: list[str]) -> str:
    """The apt packages of a recipe, to be copied as they are."""
    return f"`{' '.join(packages)}`" if packages else "nothing"


def _added(cost: Cost) -> str:
    """What apt packages add to an image; nothing where there are none."""
    if not cost.transfer_bytes:
        return ""
    exact = f"{cost.transfer_bytes:,} bytes; unpacked {cost.unpacked_tar_bytes:,} bytes"
    return pointed(unbroken(megabytes(cost.transfer_bytes)), exact)


@page_function
def recipe_errors(page: Page) -> str:
    """What is seen when a package is left out, and where a build is blocked."""
    rows = []
    for record in page.records.once(complete).recipes:
        name = f"`{record.recipe.package}`"
        if record.failure:
            rows.append([name, "build", "nothing: it is blocked", code(record.failure.line)])
        rows += [[name, one.kind, f"`{one.package}`", code(one.line)] for one in record.left_out]
    return markdown_table(["package", "to", "left out", "and what you see"], rows)


@page_function
def left_out(page: Page, package: str) -> str:
    """What is seen when one of a package's apt packages is left out, in the order in which it is missed."""
    steps = {"build": "building", "run": "importing"}
    rows = [[f"`{one.package}`", steps[one.kind], code(one.line)] for one in _proved(page, package).left_out]
    return markdown_table(["without", "fails while", "and what you see"], rows)


@page_function
def recipe_dockerfile(page: Page, package: str) -> str:
    """The Dockerfile that proved a recipe, as a block."""
    return f"``` dockerfile\n{_proved(page, package).recipe.dockerfile}```"


def _proved(read: Reading, package: str) -> RecipeRecord:
    found = read.records.once(complete).recipe(package)
    if found is None or found.built is None:
        raise Problem(f"{package} has no proved recipe.", next=f"make recipes NAME={package}")
    return found


def built_with(facts: Facts, package: str) -> list[str]:
    """The apt packages that building a Python package from source takes, as proved."""
    facts.rests_on(record_path(facts.records.environment), f"make recipes NAME={package}")
    return _proved(facts, package).recipe.build
