"""extra-second-platform: nothing is emulated, the image is the same, and each trap is found by the build or told."""

import shutil
import struct
from pathlib import Path

import httpx
import pytest
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from measure.base.platforms import MACHINES, PLATFORMS
from measure.build import images as builder
from measure.build.images import BuildError
from measure.run.probe import named_container, running, wait_for
from measure.run.step import provide_bases
from measure.steps.compose import Step, find_step
from measure.studies.sameness import comparing, model
from tests.conftest import NATIVE, changed, eventually, marks
from tests.unit.test_messages import seen

STEP = find_step("extra-second-platform")
OTHER = next(platform for platform in PLATFORMS if platform != NATIVE)
ANSWERING = [variant for variant in STEP.variants if not variant.teaching.dies_with and variant.name != "native"]
CASES = [
    pytest.param(variant, platform, id=f"{variant.name}-{platform.split('/')[1]}", marks=marks(variant, platform))
    for variant in ANSWERING
    for platform in PLATFORMS
]


@pytest.fixture
def other_list(folder):
    """A copy of the step in which another list is the one that is installed."""

    def make(name: str) -> Step:
        shutil.copy(folder / name, folder / "requirements.txt")
        return Step(STEP.name, folder)

    return make


@pytest.mark.parametrize(("variant", "platform"), CASES)
def test_numpy_and_psycopg2_work_on_each_platform(engine, image, variant, platform):
    with running(engine, image(STEP, variant, platform), variant, platform) as (_, url):
        wait_for(url, 300)
        added, versions = (
            httpx.get(url + path, timeout=120, trust_env=False).raise_for_status().json()
            for path in ("/sum?n=1000", "/versions")
        )
    assert added == {"n": 1000, "sum": 499_500}
    assert versions["libpq"] > 170_000
    assert versions["psycopg2"] == "2.9.13"


@pytest.mark.study
def test_a_strict_umask_and_a_proxy_in_the_container_are_nothing_to_it(docker, engine, folder):
    """Built by the client from files that only their owner can read; the check asks the application, not a proxy."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)
    name = f"{STEP.name}:strict"
    docker("build", "--tag", name, ".", cwd=folder).check_returncode()
    try:
        with named_container(engine) as known_as:
            proxies = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
            box = engine.docker.run(name, detach=True, envs=proxies, read_only=True, tmpfs=["/tmp"], **known_as)
            eventually(lambda: box.reload() or box.state.health.status == "healthy")
    finally:
        docker("image", "rm", "--force", name)


@pytest.mark.arm64
def test_a_list_with_a_marker_builds_and_ends_when_it_starts_and_with_uv_it_answers(engine, image, other_list):
    """On a platform that has the package, by its list."""
    marked = STEP.variant("markers")
    with named_container(engine) as known_as:
        name = image(STEP, marked, OTHER)
        engine.docker.run(name, detach=True, platform=OTHER, pull="never", **known_as)
        dies = retry(stop=stop_after_delay(120), wait=wait_fixed(0.5), retry=retry_if_result(lambda said: not said))
        logs = dies(lambda: _ended(engine, known_as["name"]))()
    assert marked.teaching.dies_with in logs
    copy = other_list("requirements-markers.txt")
    if OTHER != "linux/arm64":
        pytest.skip("the list has psycopg2 for arm64 alone")
    name = builder.load_into_engine(engine, copy, copy.variant("uv"), OTHER)
    with running(engine, name, copy.variant("uv"), OTHER) as (_, url):
        assert wait_for(url, 300).json()["machine"] == "aarch64"


def _ended(engine, name: str) -> str:
    """What a container said that has ended; '' while it runs."""
    container = engine.docker.container.inspect(name)
    return "" if container.state.running else container.logs()


@pytest.mark.study
def test_a_list_that_asks_for_the_processor_ends_the_build_with_its_line(engine, other_list):
    copy = other_list("requirements-markers.txt")
    with pytest.raises(BuildError) as failure:
        builder.load_into_engine(engine, copy, copy.recommended, NATIVE)
    assert failure.value.line_with('psycopg2-binary==2.9.13 ; platform_machine == "aarch64"')
    seen("asks-for-the-processor", "\n".join(failure.value.tail))


@pytest.mark.study
def test_a_package_without_a_wheel_ends_the_build_with_its_name_and_the_platforms(engine, other_list):
    copy = other_list("requirements-source.txt")
    provide_bases(engine, [(copy.recommended, OTHER)])
    with pytest.raises(BuildError) as failure:
        builder.load_into_engine(engine, copy, copy.recommended, OTHER)
    assert failure.value.line_with("No matching distribution found for psycopg2==2.9.13")
    assert failure.value.line_with(f"No wheel for {OTHER}?")
    seen("no-wheel-for-the-platform", failure.value.line_with("No wheel for"))


@pytest.mark.study
def test_uv_says_that_it_does_not_know_a_platform(engine, folder):
    copy = Step(STEP.name, folder)
    with changed(folder / "uv.Dockerfile", "manylinux_2_40", "manylinux_2_99"), pytest.raises(BuildError) as failure:
        builder.load_into_engine(engine, copy, copy.variant("uv"), NATIVE)
    seen("uv-knows-no-such-platform", failure.value.line_with("invalid value"))


def fetch(engine, variant: str, path: str, to: Path) -> bytes:
    """A file of a variant's image for the other platform, below Python's packages."""
    provide_bases(engine, [(STEP.variant(variant), OTHER)])
    image = builder.load_into_engine(engine, STEP, STEP.variant(variant), OTHER)
    with named_container(engine) as known_as:
        container = engine.docker.container.create(image, platform=OTHER, pull="never", **known_as)
        engine.docker.copy((container, f"/opt/venv/lib/python3.14/site-packages/{path}"), to)
    return to.read_bytes()


def loaded(library: bytes) -> dict[str, bytes]:
    """What of a shared library is in memory when it runs, by section, but for its build's number (ELF-64, gABI 4.1)."""
    (at,), (count, names) = struct.unpack_from("<Q", library, 40), struct.unpack_from("<HH", library, 60)
    heads = [struct.unpack_from("<IIQQQQ", library, at + 64 * number) for number in range(count)]

    def name(head: tuple[int, ...]) -> str:
        begin = heads[names][4] + head[0]
        return library[begin : library.index(b"\0", begin)].decode()

    in_memory, no_bits = 2, 8
    return {
        name(head): library[head[4] : head[4] + head[5]]
        for head in heads
        if head[2] & in_memory and head[1] != no_bits and name(head) != ".note.gnu.build-id"
    }


@pytest.mark.arm64
@pytest.mark.study
def test_the_cross_compiler_makes_the_same_machine_code(engine, tmp_path):
    path = f"psycopg2/_psycopg.cpython-314-{MACHINES[OTHER]}-linux-gnu.so"
    ours, theirs = (fetch(engine, name, path, tmp_path / name) for name in ("cross-compiled", "source"))
    assert loaded(ours) == loaded(theirs)
    assert len(loaded(ours)[".text"]) > 50_000
    assert ours != theirs, "what is explained is there"


@pytest.mark.arm64
@pytest.mark.study
def test_bytecode_that_differs_is_the_same_code(engine, tmp_path):
    """Python reads both, and finds them equal."""
    for name in ("recommended", "emulated"):
        fetch(engine, name, "werkzeug/routing/__pycache__/map.cpython-314.pyc", tmp_path / f"{name}.pyc")
    read = "(marshal.loads(open(path, 'rb').read()[16:]) for path in sys.argv[1:])"
    script = f"import marshal, sys; ours, theirs = {read}; print(ours == theirs)"

    command = ["python", "-c", script, "/x/recommended.pyc", "/x/emulated.pyc"]
    assert engine.docker.run("python:3.14-slim", command, volumes=[(tmp_path, "/x")], remove=True) == "True"


@pytest.mark.arm64
@pytest.mark.study
@pytest.mark.parametrize("pair", model.listed().pair, ids=lambda pair: pair.variant)
def test_the_image_is_the_same_but_for_what_is_known(engine, pair):
    provide_bases(engine, [(STEP.variant(name), OTHER) for name in (pair.variant, pair.against)])
    found = comparing.compare(engine, STEP, pair, OTHER)
    assert [one.path for one in found.differences if pair.because(one.path) is None] == []
