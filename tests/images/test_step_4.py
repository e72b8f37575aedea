"""Step 4: the same sums everywhere, and packages from where the variant says they come from."""

import platform
import tomllib

import httpx
import pytest

from measure.base.names import LAB_ENVIRONMENT
from measure.base.platforms import PLATFORMS
from measure.record.records import load, record_path
from measure.run.probe import running, wait_for
from measure.steps.compose import find_step
from tests.conftest import NATIVE, marks

STEP = find_step("step-4")
VARIANTS = [pytest.param(variant, id=variant.name, marks=marks(variant)) for variant in STEP.variants]
NUMPY = next(
    package["version"]
    for package in tomllib.loads((STEP.folder / "poetry.lock").read_text())["package"]
    if package["name"] == "numpy"
)


@pytest.mark.parametrize("variant", VARIANTS)
def test_python_and_numpy_add_up_to_the_same(engine, image, variant):
    with running(engine, image(STEP, variant, NATIVE), variant, NATIVE) as (_, url):
        wait_for(url, 120)
        answer = httpx.get(f"{url}/sum?n=1000000", timeout=120, trust_env=False).raise_for_status().json()
        refused = httpx.get(f"{url}/sum?n=99999999", timeout=120, trust_env=False)
    assert answer["sum"] == 499_999_500_000
    assert answer["numpy"] == NUMPY
    assert answer["python_seconds"] > answer["numpy_seconds"] > 0
    assert refused.status_code == 400
    assert "error" in refused.json()


@pytest.mark.parametrize("variant", VARIANTS)
def test_numpy_comes_from_a_wheel_of_the_right_kind_or_from_source(engine, image, variant):
    """A wheel's tag tells where it came from: manylinux (PEP 600), musllinux (PEP 656), or linux for one made here."""
    script = "import importlib.metadata as m; print(m.distribution('numpy').read_text('WHEEL'))"
    shown = engine.docker.run(image(STEP, variant, NATIVE), ["python", "-c", script], remove=True)
    tags = " ".join(line for line in shown.splitlines() if line.startswith("Tag:"))
    source, alpine = variant.name.endswith("-source"), variant.name.startswith("alpine")
    if source:
        assert f"-linux_{platform.machine()}" in tags
    else:
        assert ("musllinux" in tags, "manylinux" in tags) == (alpine, not alpine)


@pytest.mark.parametrize("name", ["slim", "recommended", "alpine", "alpine-multistage", "distroless", "solution"])
@pytest.mark.parametrize("of", PLATFORMS)
def test_where_there_is_a_wheel_no_compiler_ships(name, of):
    assert not load(record_path(LAB_ENVIRONMENT, STEP.name, name, of)).contents.has_compiler


@pytest.mark.study
def test_the_solution_still_works_without_numpys_tests(engine, image):
    name = image(STEP, STEP.variant("solution"), NATIVE)
    assert engine.docker.run(name, ["find", "/opt/venv", "-type", "d", "-name", "tests"], remove=True) == ""
    script = "import numpy, numpy.linalg as l; print(int(l.det(numpy.eye(3))))"
    assert engine.docker.run(name, ["python", "-c", script], remove=True) == "1"


@pytest.mark.study
def test_distroless_has_numpy_without_what_never_runs(engine, image):
    """No tests, stubs, headers and f2py; linear algebra, random numbers and numpy.testing work all the same."""
    name = image(STEP, STEP.variant("distroless"), NATIVE)
    script = """if True:
        import glob, numpy, numpy.fft, numpy.linalg, numpy.polynomial, numpy.random, numpy.testing
        folder = numpy.__path__[0]
        left = [p for p in glob.glob(folder + "/**", recursive=True) if p.endswith((".pyi", ".a", ".h", "/tests"))]
        assert left == [], left
        assert abs(numpy.linalg.det(numpy.eye(3) * 2) - 8) < 1e-9
        numpy.testing.assert_allclose(numpy.fft.ifft(numpy.fft.fft([1, 2, 3])).real, [1, 2, 3])
        print(len(numpy.random.default_rng(1).normal(size=5)))
        try:
            import numpy.f2py
        except ImportError:
            print("no f2py")
    """
    assert engine.docker.run(name, ["python", "-c", script], remove=True).split("\n") == ["5", "no f2py"]
