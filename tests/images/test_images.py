"""Every variant, built and started: it tells the truth about itself, logs to stdout, and stops when told to."""

import re
from dataclasses import replace

import httpx
import pytest

from measure.base.names import LAB_ENVIRONMENT
from measure.base.platforms import MACHINES, PLATFORMS
from measure.build import images as builder
from measure.build.images import BuildError
from measure.record.records import load, record_path
from measure.run.probe import ask, running, wait_for
from measure.steps.compose import RECOMMENDED, Step, Variant, all_steps
from tests.conftest import HARDENED, NATIVE, eventually, marks

STEPS = [replace(step, native=NATIVE) for step in all_steps()]
#: Packages that a variant is about: they ship, or are left out. Others may come with an update of what nobody pinned.
WATCHED = {"flask", "gunicorn", "numpy", "pip", "poetry", "poetry-core", "psycopg2", "psycopg2-binary", "pytest"}
WATCHED |= {"gcc", "g++", "libpq5", "libpq-dev"}
#: What everybody sees fail, of all that is meant to.
EXAMPLE = ("extra-compiling-deps", "broken", NATIVE)


def case(step: Step, variant: Variant, platform: str) -> pytest.param:
    """An image to test. `make test` has the recommended ones, natively, and one that is meant to fail."""
    of_all = (step.name, variant.name, platform) == EXAMPLE
    name = f"{step.name}-{variant.name}-{platform.split('/')[1]}"
    return pytest.param(step, variant, platform, id=name, marks=[] if of_all else marks(variant, platform))


ALL_CASES = [
    case(step, variant, platform)
    for step in STEPS
    for variant in step.variants
    for platform in variant.platforms(MACHINES)
]
CASES = [case for case in ALL_CASES if not case.values[1].teaching.fails_with]
#: Where a step has applications in other languages too, another test asks all but the recommended one.
ANSWERING_CASES = [
    case
    for case in CASES
    if not case.values[1].teaching.dies_with
    if case.values[0].name != "extra-other-languages" or case.values[1].name == RECOMMENDED
]
FAILING_CASES = [case for case in ALL_CASES if case.values[1].teaching.fails_with]
#: Says the version of Python, the user, and what the C library says of itself: musl's loader does when it is started
#: without a program. None of them starts Python's interpreter, which takes seconds where it is emulated.
TELL = """python --version | cut -d ' ' -f 2
id -u
getconf GNU_LIBC_VERSION 2>/dev/null || /lib/ld-musl-* 2>&1 | sed -n 's/^Version /musl /p'
"""
#: glibc's loader says its version too, where there is no shell to ask in.
LOADERS = {"linux/amd64": "/lib64/ld-linux-x86-64.so.2", "linux/arm64": "/lib/ld-linux-aarch64.so.1"}
RECOMMENDED_CASES = [case for case in CASES if case.values[1].name == RECOMMENDED]


def told_by_python(engine, name: str, platform: str) -> list[str]:
    """What TELL says, without a shell: glibc's loader and Python can say it, too."""

    def said(*words: str, **options) -> str:
        return engine.docker.run(name, words, platform=platform, remove=True, **options)

    version = re.search(r"release version (\d+\.\d+)", said("--version", entrypoint=LOADERS[platform]))
    script = "import os, platform; print(platform.python_version()); print(os.getuid())"
    return [*said("python", "-c", script).splitlines(), f"glibc {version[1]}"]


@pytest.mark.parametrize(("step", "variant", "platform"), CASES)
def test_it_ships_what_its_record_says_and_neither_tools_nor_tests_more(engine, image, step, variant, platform):
    """What is built now, read anew: the record of the same inputs vouches for what pages say is in an image."""
    if platform not in engine.platforms:
        pytest.skip(f"this builder cannot build for {platform}")
    image(step, variant, platform)
    built = builder.build(engine, step, variant, platform, lambda _: None, remember=False).contents
    recorded = load(record_path(LAB_ENVIRONMENT, step.name, variant.name, PLATFORMS[0])).contents
    for found in (built, recorded):
        found.python_packages = [one for one in found.python_packages if one.name.lower() in WATCHED]
        found.os_packages = [one for one in found.os_packages if one.name in WATCHED]
    for field in ("python_packages", "os_packages"):
        names = ({one.name.lower() for one in getattr(found, field)} for found in (built, recorded))
        assert next(names) == next(names), field
    for field in ("has_compiler", "has_shell", "has_pip", "user"):
        assert getattr(built, field) == getattr(recorded, field), field


@pytest.mark.parametrize(("step", "variant", "platform"), ANSWERING_CASES)
def test_it_tells_the_truth_about_itself(engine, image, step, variant, platform):
    if platform not in engine.platforms:
        pytest.skip(f"this builder cannot build for {platform}")
    name = image(step, variant, platform)
    answer = ask(engine, name, variant, platform)
    # In which user and shell no platform is another than the first, of which the lab has all variants.
    recorded = load(record_path(LAB_ENVIRONMENT, step.name, variant.name, PLATFORMS[0])).contents
    assert recorded.has_shell == (variant.name != "distroless")
    python, uid, libc = (
        engine.docker.run(name, ["sh", "-c", TELL], platform=platform, remove=True).splitlines()
        if recorded.has_shell
        else told_by_python(engine, name, platform)
    )
    told = answer.start.pop("libc")
    # Python reads the name of musl's shared library, libc.musl-x86_64.so.1, and knows no more of its version than that.
    assert told == (re.match(r"musl \d+", libc) or re.match(".*", libc))[0]
    assert answer.start == {
        "step": step.name,
        "variant": variant.name,
        "python": python,
        "machine": MACHINES[platform],
    }
    assert python.startswith("3.14.")
    assert uid == {"root": "0"}.get(recorded.user, recorded.user)
    assert answer.health == {"status": "ok"}


@pytest.mark.parametrize(("step", "variant", "platform"), FAILING_CASES)
def test_what_is_meant_to_fail_fails_with_the_line_that_teaches(image, step, variant, platform):
    with pytest.raises(BuildError) as failure:
        image(step, variant, platform)
    assert failure.value.line_with(variant.teaching.fails_with)


@pytest.mark.parametrize(("step", "variant", "platform"), RECOMMENDED_CASES)
def test_the_recommended_one_runs_without_any_right_logs_to_stdout_and_stops_when_told(
    docker, engine, image, step, variant, platform
):
    """On a disk that is read-only. SIGTERM ends it by itself, with exit code 0: one that had to be killed has 137."""
    if platform not in engine.platforms:
        pytest.skip(f"this builder cannot build for {platform}")
    with running(engine, image(step, variant, platform), variant, platform, **HARDENED) as (container, url):
        wait_for(url, 300)
        httpx.get(f"{url}/health", timeout=60, trust_env=False).raise_for_status()
        eventually(lambda: '"GET /health HTTP/1.1" 200' in docker("logs", container.id).stdout)
        if container.config.healthcheck and platform == NATIVE:  # emulated, a check may take too long
            eventually(lambda: container.reload() or container.state.health.status == "healthy")
        engine.docker.stop(container, time=60)
        container.reload()
        assert container.state.exit_code == 0


@pytest.mark.study
def test_pips_cache_works_through_the_index_cache(engine, tmp_path):
    """Without the cache's headers pip keeps nothing, and every claim about pip's cache would come out wrong."""
    if engine.kind != "lab":
        pytest.skip("about the lab's index cache; run it with ENGINE=lab")
    script = "pip download -q --no-deps -d /a six && pip download --no-deps -d /b six"
    shown = engine.docker.run("python:3.14-slim", ["sh", "-c", script], remove=True, stream=False)
    assert "Using cached six" in shown
