"""What was proved of recipes, on a terminal."""

from __future__ import annotations

from rich.table import Table

from measure.base.units import duration, megabytes
from measure.studies.recipes.model import RecipeRecord


def recipes_table(records: list[RecipeRecord]) -> Table:
    """What was proved of recipes: the apt packages, what they add to an image (transfer size), the time to build."""
    shown = Table(title="build dependencies, verified (transfer size of the packages)", show_edge=False, pad_edge=False)
    for name in ("package", "to build", "adds", "to run", "adds", "built in"):
        shown.add_column(name, justify="right" if name in ("adds", "built in") else "left")
    for record in records:
        recipe, built = record.recipe, record.built
        cells = [record.outcome, "", "", "", ""]
        if built:
            build_cost, run_cost = (megabytes(cost.transfer_bytes) for cost in (built.build_cost, built.run_cost))
            run = [" ".join(recipe.run), run_cost] if recipe.run else ["nothing", ""]
            cells = [" ".join(recipe.build), build_cost, *run, duration(built.seconds)]
        shown.add_row(f"{recipe.package} {recipe.version}", *cells)
    return shown
