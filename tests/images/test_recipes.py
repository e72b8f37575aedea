"""Three cheap recipes, proved for real; and what a proof is that fails."""

import pytest

from measure.base.errors import Problem
from measure.build.images import BuildError
from measure.record import records
from measure.studies.recipes.model import listed, load
from measure.studies.recipes.proving import EngineBuilder, measure_recipes, telling

pytestmark = pytest.mark.study
CHEAP = ("cffi", "pyyaml", "psycopg2")


@pytest.fixture(scope="module")
def proved(engine, tmp_path_factory):
    """What is proved now, and what is recorded, by package: nothing recorded before is looked at."""
    before = load(engine.environment)
    folder = tmp_path_factory.mktemp("recipes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "RESULTS", folder)
        measure_recipes(engine, list(CHEAP))
        now = load(engine.environment)
    return {name: (now.recipe(name), before.recipe(name)) for name in CHEAP}


def row(name: str, **changes):
    (found,) = [one for one in listed() if one.package == name]
    return found.model_copy(update=changes)


@pytest.mark.parametrize("name", CHEAP)
def test_cheap_recipes_are_proved(proved, name):
    """With each listed package missed when it is left out."""
    now, before = proved[name]
    assert (now.outcome, now.recipe) == ("proved", row(name))
    assert [(one.kind, one.package) for one in now.left_out] == [
        *(("build", package) for package in now.recipe.build),
        *(("run", package) for package in now.recipe.run),
    ]
    assert all(one.line for one in now.left_out)
    assert now.built.file.startswith(f"{name}-{now.recipe.version}-cp314-cp314-linux_")
    assert now.built.seconds > 0
    assert (now.built.run_cost.transfer_bytes > 0) == bool(now.recipe.run)
    assert now.built.build_cost.unpacked_tar_bytes > now.built.build_cost.transfer_bytes > now.built.bytes
    if before and before.platform == now.platform:
        assert now.left_out == before.left_out
        assert now.built.bytes == pytest.approx(before.built.bytes, rel=0.02)
        assert now.built.build_cost.transfer_bytes == pytest.approx(before.built.build_cost.transfer_bytes, rel=0.02)


def test_the_errors_are_those_that_people_search_for(proved):
    lines = {one.package: one.line for one in proved["psycopg2"][0].left_out}
    assert "pg_config executable not found" in lines["libpq-dev"]
    assert "libpq.so.5: cannot open shared object file" in lines["libpq5"]


def test_an_import_alone_proves_little(engine, proved):
    """PyYAML builds without its C library, and imports: only the use of the native part tells."""
    builds = EngineBuilder(engine, lambda _: None)
    without = row("pyyaml").without("build", "libyaml-dev")
    builds.attempt(without.model_copy(update={"proof": "import yaml"}))
    with pytest.raises(BuildError) as error:
        builds.attempt(without)
    assert "CSafeLoader" in telling(error.value)


def test_a_package_that_apt_does_not_know_is_no_evidence(engine):
    builds = EngineBuilder(engine, lambda _: None)
    with pytest.raises(Problem, match="apt-get cannot install what cffi lists") as problem:
        builds.attempt(row("cffi", run=["python-images-measured-nothing"]))
    assert "Unable to locate package" in problem.value.why
