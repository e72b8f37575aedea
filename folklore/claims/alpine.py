"""Claims of Alpine and musl: see measure/tell/folklore.py."""

from __future__ import annotations

from measure.studies.fidelity.page import base, base_words
from measure.studies.wheels.page import has_wheel, wheel_bytes, with_wheels
from measure.tell.folklore import Facts, Say, Told, claims_of, depends, holds, no_longer

claim = claims_of("Alpine and musl")


@claim(
    says='in many cases Python (`pip`) won\'t find a precompiled installable package (a "wheel") for Alpine',
    who=(
        "Sebastián Ramírez (tiangolo), in a warning that pull request 122 put into the README of "
        "tiangolo/uvicorn-gunicorn-fastapi-docker"
    ),
    when="2021-10-02",
    url="https://github.com/tiangolo/uvicorn-gunicorn-fastapi-docker/pull/122",
)
def alpine_has_no_wheels(facts: Facts, say: Say) -> Told:
    if with_wheels(facts, "musllinux") < 0.5 * with_wheels(facts, "manylinux"):
        return holds(
            f"Of the packages that we asked for, {with_wheels(facts, 'manylinux')} have a wheel for Debian and "
            f"{with_wheels(facts, 'musllinux')} one for Alpine."
        )
    if with_wheels(facts, "musllinux") < with_wheels(facts, "manylinux"):
        return depends(
            f"It depends on the package. Of those that we asked for, {with_wheels(facts, 'manylinux')} have a wheel "
            f"for Debian, and {with_wheels(facts, 'musllinux')} have one for Alpine too. [Look yours up](wheels.md)."
        )
    return no_longer(
        f"Of the packages that we asked for, {with_wheels(facts, 'manylinux')} have a wheel for Debian, and as many "
        "have one for Alpine."
    )


@claim(
    says="the only Linux wheels provided by numpy … are manylinux* wheels (glibc-based)",
    who="dimpase, in issue 20780 of numpy/numpy",
    when="2022-01-10",
    url="https://github.com/numpy/numpy/issues/20780",
)
def alpine_numpy_fails(facts: Facts, say: Say) -> Told:
    if facts.failed("step-4/alpine") or not has_wheel(facts, "numpy", "musllinux"):
        return holds("There is no wheel of NumPy's newest version for Alpine.")
    return no_longer(
        f"NumPy has had wheels for musl since 1.25.0, of 2023. Today's is {say.wheel_size('numpy', 'musllinux')}, and "
        f"the image builds like any other: {say.size('step-4/alpine')} in transfer."
    )


@claim(
    says="Installing psycopg2-binary with Python:3.6.4-alpine doesn't work",
    who="barrachri, the title of issue 684 of psycopg/psycopg2",
    when="2018-02-28",
    url="https://github.com/psycopg/psycopg2/issues/684",
)
def alpine_psycopg2_binary(facts: Facts, say: Say) -> Told:
    if not has_wheel(facts, "psycopg2-binary", "musllinux"):
        return holds("psycopg2-binary has no wheel for musl.")
    return no_longer(
        f"psycopg2-binary has one, on both processors: {say.wheel_size('psycopg2-binary', 'musllinux')} on amd64, "
        f"{say.wheel_size('psycopg2-binary', 'musllinux', 'aarch64')} on arm64."
    )


@claim(
    says="It actually produces images which are larger than the base image!",
    who="Mark Neumann, of Alpine against python:3.8, Lightweight Python Docker Images - a Gotcha",
    when="2021-07-19",
    url="https://markneumann.xyz/blog/docker-python",
)
def alpine_larger_than_full(facts: Facts, say: Say) -> Told:
    if facts.size("step-4/alpine", "unpacked") > base(facts, "python:3.14"):
        return holds(
            f"With NumPy in it, Alpine is {say.size('step-4/alpine', 'unpacked')} unpacked, and the full base image "
            f"{base_words(facts, 'python:3.14')}."
        )
    if facts.size("step-4/alpine-source", "unpacked") > base(facts, "python:3.14"):
        return depends(
            f"With wheels no more: {say.size('step-4/alpine', 'unpacked')} unpacked. Compiled there, with the "
            f"compilers left in, {say.size('step-4/alpine-source', 'unpacked')}."
        )
    return no_longer(
        f"With NumPy from a wheel it is {say.size('step-4/alpine', 'unpacked')} unpacked, "
        f"{say.change('step-4/slim', 'step-4/alpine', 'unpacked')} against slim. Compiled there, as everybody had to "
        f"in 2021, with the compilers left in: {say.size('step-4/alpine-source', 'unpacked')}, and even that is less "
        "than the full base image."
    )


@claim(
    says="Alpine makes Python Docker builds 50× slower",
    who=(
        "Itamar Turner-Trauring, pythonspeed.com, a title quoted in issue 33 of exercism/python-test-runner (today: "
        "“Using Alpine can make …”)"
    ),
    when="2020-02-07",
    url="https://github.com/exercism/python-test-runner/issues/33",
)
def alpine_builds_50_times_slower(facts: Facts, say: Say) -> Told:
    if facts.ratio("step-4/alpine", "step-4/slim", "cold") >= 2:
        return holds(
            f"The same image takes {say.ratio(('step-4/alpine', 'cold'), ('step-4/slim', 'cold'))} as long to build "
            "on Alpine."
        )
    if facts.ratio("step-4/alpine-source", "step-4/slim", "cold") >= 5:
        return depends(
            f"It depends on wheels. With them, {say.seconds('step-4/alpine', 'cold')} on Alpine and "
            f"{say.seconds('step-4/slim', 'cold')} on slim. From source it took "
            f"{say.ratio(('step-4/alpine-source', 'cold'), ('step-4/slim', 'cold'))} as long as a wheel on slim, here "
            "with a compiler that is not Alpine's, and compiling on slim took "
            f"{say.ratio(('step-4/slim-source', 'cold'), ('step-4/slim', 'cold'))} as long: it is the compiling, not "
            "Alpine."
        )
    return no_longer(
        f"With wheels, {say.seconds('step-4/alpine', 'cold')} on Alpine and {say.seconds('step-4/slim', 'cold')} on "
        "slim."
    )


@claim(
    says="Python is slower when it uses musl as the default C library",
    who="Pascal Vizeli, developers.home-assistant.io, who “often read” it and found otherwise",
    when="2020-07-13",
    url="https://developers.home-assistant.io/blog/2020/07/13/alpine-python/",
)
def musl_makes_python_slower(facts: Facts, say: Say) -> Told:
    if (
        facts.ratio("step-4/alpine", "step-4/slim", "python_seconds") > 1.05
        and facts.ratio("step-4/alpine-multistage", "step-4", "python_seconds") > 1.05
    ):
        return holds(
            f"Adding a million numbers in a loop takes {say.seconds('step-4/alpine', 'python_seconds')} on Alpine and "
            f"{say.seconds('step-4/slim', 'python_seconds')} on slim."
        )
    if (
        facts.ratio("step-4/alpine", "step-4/slim", "python_seconds") > 1.05
        or facts.ratio("step-4/alpine", "step-4/slim", "numpy_seconds") > 1.05
    ):
        return depends(
            f"It depends on what it does: a loop takes {say.seconds('step-4/alpine', 'python_seconds')} against "
            f"{say.seconds('step-4/slim', 'python_seconds')}, NumPy {say.seconds('step-4/alpine', 'numpy_seconds')} "
            f"against {say.seconds('step-4/slim', 'numpy_seconds')}."
        )
    return no_longer(
        "Not by musl, not for this: a million numbers in a loop take "
        f"{say.seconds('step-4/alpine', 'python_seconds')} on our Alpine and "
        f"{say.seconds('step-4/slim', 'python_seconds')} on our slim. The C library is not all that differs: the two "
        "are compiled with other switches as well, so this says nothing finer of musl. The *official* slim image is "
        "built with profile-guided optimisation and the official Alpine image is not; what that is worth was not "
        "measured here."
    )


@claim(
    says=(
        "A smaller base image means your final Docker image will also be smaller which … can also reduce startup times"
    ),
    who="sophiabits.com, Alpine is slowing down your Python builds",
    when="2023-06-02",
    url="https://sophiabits.com/blog/alpine-is-slowing-down-your-python-builds",
)
def alpine_starts_faster(facts: Facts, say: Say) -> Told:
    if (
        facts.ratio("step-4/alpine", "step-4/slim", "start") < 0.95
        and facts.ratio("step-4/alpine", "step-4/full", "start") < 0.95
    ):
        return holds(
            f"From `docker run` to the first answer: {say.seconds('step-4/alpine', 'start')} on Alpine, "
            f"{say.seconds('step-4/slim', 'start')} on slim, {say.seconds('step-4/full', 'start')} on the full image."
        )
    if (
        facts.ratio("step-4/alpine", "step-4/slim", "start") < 0.95
        or facts.ratio("step-4/alpine", "step-4/full", "start") < 0.95
    ):
        return depends(
            f"It depends on what you compare with: {say.seconds('step-4/alpine', 'start')} on Alpine, "
            f"{say.seconds('step-4/slim', 'start')} on slim, {say.seconds('step-4/full', 'start')} on the full image."
        )
    return no_longer(
        "Smaller, yes. But once it is on the machine, an image's size does not matter to its start: "
        f"{say.seconds('step-4/full', 'start')} on the full image, {say.seconds('step-4/slim', 'start')} on slim, "
        f"{say.seconds('step-4/alpine', 'start')} on Alpine, from `docker run` to the first answer. What you do wait "
        "less for is the pull."
    )


@claim(
    says="On Alpine everything is smaller, your packages too",
    quoted=False,
    who="as one usually hears it",
    when="undated",
)
def everything_smaller_on_alpine(facts: Facts, say: Say) -> Told:
    if wheel_bytes(facts, "numpy", "musllinux") < wheel_bytes(facts, "numpy", "manylinux") and wheel_bytes(
        facts, "psycopg2-binary", "musllinux"
    ) < wheel_bytes(facts, "psycopg2-binary", "manylinux"):
        return holds(
            f"NumPy's wheel is {say.wheel_size('numpy', 'musllinux')} for musl, "
            f"{say.wheel_size('numpy', 'manylinux')} for glibc."
        )
    if wheel_bytes(facts, "numpy", "musllinux") < wheel_bytes(facts, "numpy", "manylinux") or wheel_bytes(
        facts, "psycopg2-binary", "musllinux"
    ) < wheel_bytes(facts, "psycopg2-binary", "manylinux"):
        return depends(
            f"It depends on the package. NumPy's wheel is {say.wheel_size('numpy', 'musllinux')} for musl and "
            f"{say.wheel_size('numpy', 'manylinux')} for glibc; psycopg2-binary's "
            f"{say.wheel_size('psycopg2-binary', 'musllinux')} and {say.wheel_size('psycopg2-binary', 'manylinux')}. "
            "NumPy's for musl brings along what Debian's base image has already."
        )
    return no_longer(
        f"The wheels for musl are the larger ones: NumPy's is {say.wheel_size('numpy', 'musllinux')}, and "
        f"{say.wheel_size('numpy', 'manylinux')} for glibc. They bring along what Debian's base image has already."
    )
