"""All that a page of the site may call: to import this is to register it. Needs no engine.

The site itself knows its own functions; those of the studies, and the claims, stand above it.
"""
# ruff: noqa: F401

import folklore.claims
import folklore.practices
import measure.exercises.page
import measure.exercises.slides
import measure.studies.bench.page
import measure.studies.builders.page
import measure.studies.fidelity.page
import measure.studies.floor.page
import measure.studies.recipes.page
import measure.studies.sameness.page
import measure.studies.shipping.page
import measure.studies.wheels.page
from measure.tell import site
