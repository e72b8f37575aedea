"""The extra about speed: the same packages whichever way they came, bytecode where promised, mounts in no image."""

import tomllib

import httpx
import pytest

from measure.base.names import LAB_ENVIRONMENT
from measure.base.platforms import PLATFORMS
from measure.build.images import load_into_engine
from measure.record import plan
from measure.record.records import load, record_path
from measure.run.probe import running, wait_for
from measure.run.step import provide_bases
from measure.steps.compose import RECOMMENDED, find_step
from tests.conftest import NATIVE, marks

STEP = find_step("extra-need-for-speed")
LOCKED = {p["name"]: p["version"] for p in tomllib.loads((STEP.folder / "poetry.lock").read_text())["package"]}
#: Those that nobody recommends are no part of `make test`.
VARIANTS = {variant.name: pytest.param(variant, id=variant.name, marks=marks(variant)) for variant in STEP.variants}
#: Modules that the application and its server import at first, without bytecode. A worker imports some more.
UNCOMPILED = """
import importlib, os, sys
for name in ("flask", "gunicorn.app.wsgiapp", "gunicorn.workers.gthread", "numpy", "psycopg2"):
    importlib.import_module(name)
specs = [getattr(module, "__spec__", None) for module in list(sys.modules.values())]
cached = [spec.cached for spec in specs if spec and spec.cached and spec.origin.endswith(".py")]
print(*(path for path in cached if not os.path.exists(path)))
"""


@pytest.mark.parametrize("variant", VARIANTS.values())
def test_it_tells_what_is_in_it_without_a_database(engine, image, variant):
    with running(engine, image(STEP, variant, NATIVE), variant, NATIVE) as (_, url):
        wait_for(url, 120)
        told = httpx.get(f"{url}/versions", timeout=60, trust_env=False).raise_for_status().json()
        added = httpx.get(f"{url}/sum?n=1000000", timeout=60, trust_env=False).raise_for_status().json()
    assert (told["numpy"], told["psycopg2"]) == (LOCKED["numpy"], LOCKED["psycopg2"])
    assert told["libpq"] > 170_000
    assert told["release"] == "one"
    assert added["sum"] == 499_999_500_000


@pytest.mark.parametrize("platform", PLATFORMS)
def test_all_variants_have_the_same_packages(platform):
    def packages(name):
        inside = load(record_path(LAB_ENVIRONMENT, STEP.name, name, platform)).contents
        return {(p.name, p.version) for p in inside.python_packages}, {p.name for p in inside.os_packages}

    for variant in STEP.variants:
        assert packages(variant.name) == packages("plain"), variant.name


@pytest.mark.parametrize("variant", [VARIANTS[n] for n in ("plain", "no-pyc", "compiled", RECOMMENDED, "solution")])
def test_bytecode_is_there_where_it_is_promised(engine, image, variant):
    shown = engine.docker.run(image(STEP, variant, NATIVE), ["python", "-c", UNCOMPILED], remove=True)
    missing = shown.split()
    library = [path for path in missing if path.startswith("/usr/local/lib/")]
    packages = [path for path in missing if path.startswith("/opt/venv/")]
    assert bool(packages) == (variant.name == "no-pyc")
    assert bool(library) == (variant.name in ("plain", "no-pyc"))


@pytest.mark.parametrize("variant", [VARIANTS[name] for name in ("cache-mounts", "uv-cache-mount", RECOMMENDED)])
def test_what_is_in_a_cache_mount_is_not_in_the_image(engine, image, variant):
    found = engine.docker.run(
        image(STEP, variant, NATIVE),
        ["find", "/var/cache/apt", "/var/lib/apt/lists", "/root", "-type", "f", "(", "-name", "*.deb", "-o", "-name",
         "*.bin", "-o", "-name", "*_Packages*", "-o", "-path", "*/.cache/*", ")"],
        remove=True, user="root",
    )  # fmt: skip
    assert found == ""


@pytest.mark.study
def test_a_cache_mount_keeps_what_pip_compiled(engine):
    provide_bases(engine, [(STEP.variant(name), NATIVE) for name in ("plain", "cache-mounts")])
    log: list[str] = []
    for _ in range(2):
        with plan.changed(STEP, "lock") as (copy, _):
            log.clear()
            load_into_engine(engine, copy, copy.variant("cache-mounts"), NATIVE, log=log)
    assert any("Using cached" in line and "psycopg2" in line for line in log)
    assert not any("Building wheel for psycopg2" in line for line in log)
    with plan.changed(STEP, "lock") as (copy, _):
        load_into_engine(engine, copy, copy.variant("plain"), NATIVE, log=log)
    assert any("Building wheel for psycopg2" in line for line in log)


@pytest.mark.lab
def test_a_cache_mount_is_empty_on_another_machine_and_a_registry_cache_is_not(engine):
    """The same build of the same folder, with a cache in the registry: nothing is installed again."""
    if engine.fresh is None:
        pytest.skip("only the lab makes a second engine")
    variant = STEP.variant("cache-mounts")
    provide_bases(engine, [(variant, NATIVE)])
    address = f"type=registry,ref={engine.cache_registry}/test:cache-mounts"
    load_into_engine(engine, STEP, variant, NATIVE, **{"cache-to": f"{address},mode=max"})
    log: list[str] = []
    with engine.fresh() as other:
        load_into_engine(other, STEP, variant, NATIVE, log=log, **{"cache-from": address})
        assert not any("Collecting" in line for line in log)
        log.clear()
        with plan.changed(STEP, "lock") as (copy, _):
            load_into_engine(other, copy, copy.variant("cache-mounts"), NATIVE, log=log, **{"cache-from": address})
    assert any("Building wheel for psycopg2" in line for line in log)
