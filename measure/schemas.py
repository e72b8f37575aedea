"""The JSON Schemas of all records, and of the report on a reader's image, published beside them."""

from __future__ import annotations

import json

from measure.mine.model import Report
from measure.record.records import Environment, Record
from measure.record.tested import TestRun
from measure.studies.builders.model import Builders
from measure.studies.floor.model import FloorTable
from measure.studies.recipes.model import RecipeTable
from measure.studies.sameness.model import Sameness
from measure.studies.shipping.fleets import Fleets
from measure.studies.shipping.model import Shipping
from measure.studies.wheels.model import WheelTable


def schemas() -> dict[str, str]:
    """The published JSON Schemas, by file name below `results/`."""
    models = {
        "record.schema.json": Record,
        "environment.schema.json": Environment,
        "wheels.schema.json": WheelTable,
        "recipes.schema.json": RecipeTable,
        "builders.schema.json": Builders,
        "floor.schema.json": FloorTable,
        "sameness.schema.json": Sameness,
        "shipping.schema.json": Shipping,
        "fleet.schema.json": Fleets,
        "tests.schema.json": TestRun,
        "mine.schema.json": Report,
    }
    return {name: json.dumps(model.model_json_schema(), indent=2) + "\n" for name, model in models.items()}
