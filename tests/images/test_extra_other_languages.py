"""extra-other-languages: in whichever language, an image keeps the same promises; and Go's traps are told."""

import re
import time

import httpx
import pytest

from measure.base.platforms import MACHINES, PLATFORMS
from measure.run import sample
from measure.run.probe import running, wait_for
from measure.steps.compose import RECOMMENDED, find_step
from tests.conftest import HARDENED, NATIVE, changed, eventually, marks
from tests.unit.test_messages import seen

STEP = find_step("extra-other-languages")
BUILT = [variant for variant in STEP.variants if not variant.teaching.fails_with]


def case(variant, platform: str) -> pytest.param:
    """An image to test. Emulated are those that are to be copied."""
    return pytest.param(
        STEP, variant, platform, id=f"{variant.name}-{platform.split('/')[1]}", marks=marks(variant, platform)
    )


NATIVELY = [case(variant, NATIVE) for variant in BUILT]
CASES = NATIVELY + [
    case(variant, platform)
    for variant in BUILT
    for platform in PLATFORMS
    if platform != NATIVE and variant.name in (RECOMMENDED, variant.context.name)
]
CAREFUL = [one for one in CASES if not one.values[1].name.endswith("-naive")]


@pytest.mark.parametrize(("step", "variant", "platform"), CASES)
def test_it_tells_which_image_it_is_and_that_it_is_well(engine, image, step, variant, platform):
    language = variant.context.name
    with running(engine, image(step, variant, platform), variant, platform) as (_, url):
        page = wait_for(url, 300).raise_for_status()
        health = httpx.get(f"{url}/health", timeout=60, trust_env=False).raise_for_status().json()
        if "html" in page.headers["content-type"]:  # of what runs in a browser
            page = httpx.get(f"{url}/image.json", timeout=60, trust_env=False).raise_for_status()
        else:
            assert httpx.get(f"{url}/nowhere", timeout=60, trust_env=False).status_code == 404
    told = page.json()
    assert health == {"status": "ok"}
    assert re.fullmatch(r"\d+(\.\d+)+\S*", told.pop(language))
    told.pop("libc", None)
    assert told == {"step": STEP.name, "variant": variant.name, "machine": MACHINES[platform]}


@pytest.mark.alone
@pytest.mark.parametrize(("step", "variant", "platform"), CAREFUL)
def test_it_needs_no_right_gets_healthy_and_stops_when_told(engine, docker, image, step, variant, platform):
    """On a disk that is read-only. SIGTERM ends it by itself, in time, with exit code 0: a killed one has 137."""
    with running(engine, image(step, variant, platform), variant, platform, **HARDENED) as (container, url):
        wait_for(url, 300)
        assert container.config.user == "10001"
        if platform == NATIVE:  # emulated, a check may take too long
            eventually(lambda: container.reload() or container.state.health.status == "healthy")
        begun = time.monotonic()
        engine.docker.stop(container, time=60)
        assert time.monotonic() - begun < 5 or platform != NATIVE
        container.reload()
        assert container.state.exit_code == 0


@pytest.mark.alone
@pytest.mark.parametrize(("step", "variant", "platform"), NATIVELY)
def test_it_answers_within_two_seconds(engine, image, step, variant, platform):
    """The fastest of three starts: a busy machine may be slow once."""
    image(step, variant, platform)
    assert min(sample.start(engine, step, variant, None)["start"] for _ in range(3)) < 2


def go(name: str) -> list[str]:
    """Words for `docker build` of one of Go's Dockerfiles."""
    return ["build", "--progress", "plain", "--file", str(STEP.folder / "go" / name)]


@pytest.fixture
def provided(engine):
    """The base images of Go's variants are there."""
    engine.provide(["golang:1.27-trixie", "debian:trixie-slim"], [NATIVE])


@pytest.mark.study
def test_a_program_that_needs_the_c_library_does_not_start_in_an_empty_image(docker, folder, provided):
    name = f"{STEP.name}:libc"
    with changed(folder / "go/smallest.Dockerfile", "CGO_ENABLED=0 ", ""):
        text = (folder / "go/smallest.Dockerfile").read_text()
        built = docker("build", "--tag", name, "--file", str(folder / "go/smallest.Dockerfile"), str(folder / "go"))
    assert "CGO_ENABLED" not in text
    assert built.returncode == 0, built.stderr
    try:
        ended = docker("run", "--rm", name)
    finally:
        docker("image", "rm", "--force", name)
    assert ended.returncode != 0
    seen("exec-needs-libc", ended.stderr)


@pytest.mark.study
def test_a_go_mod_that_asks_for_a_newer_go_ends_the_build(docker, folder, provided):
    with changed(folder / "go/go.mod", "go 1.27", "go 1.99"):
        built = docker(*go("Dockerfile"), str(folder / "go"))
    assert built.returncode != 0
    seen("go-too-old", built.stderr)


@pytest.mark.study
def test_the_solution_has_a_shell_where_it_is_asked_for_and_ships_none(docker, provided):
    name = f"{STEP.name}:solution"
    context = str(STEP.folder / "go")
    try:
        assert docker(*go("solution.Dockerfile"), "--target", "debug", "--tag", name, context).returncode == 0
        assert "/server" in docker("run", "--rm", name, "sh", "-c", "ls /server").stdout
        assert docker(*go("solution.Dockerfile"), "--tag", name, context).returncode == 0
        assert docker("run", "--rm", name, "sh", "-c", "ls /server").returncode == 127
    finally:
        docker("image", "rm", "--force", name)
