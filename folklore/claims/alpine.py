"""Claims of Alpine and musl: see measure/tell/folklore.py."""

from __future__ import annotations

from measure.studies.fidelity.page import base, base_words
from measure.studies.wheels.page import has_wheel, wheel_bytes, with_wheels
from measure.tell.folklore import Facts, Say, Told, claims_of, depends, holds, no_longer, undecided

claim = claims_of("Alpine and musl")


@claim(
    short="Alpine has no wheels",
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
            f"**{with_wheels(facts, 'musllinux')} of {with_wheels(facts, 'manylinux')} packages** with a wheel for "
            "Debian have one for Alpine. [Look yours up](wheels.md)."
        )
    if with_wheels(facts, "musllinux") < with_wheels(facts, "manylinux"):
        return depends(
            f"It depends on the package: **{with_wheels(facts, 'musllinux')} of {with_wheels(facts, 'manylinux')} "
            "packages** with a wheel for Debian have one for Alpine. [Look yours up](wheels.md)."
        )
    return no_longer(
        f"**{with_wheels(facts, 'manylinux')} packages** of [the list](wheels.md) have a wheel for Debian, and as many "
        "have one for Alpine."
    )


@claim(
    short="NumPy has no wheel for Alpine",
    says="the only Linux wheels provided by numpy … are manylinux* wheels (glibc-based)",
    who="dimpase, in issue 20780 of numpy/numpy",
    when="2022-01-10",
    url="https://github.com/numpy/numpy/issues/20780",
)
def alpine_numpy_fails(facts: Facts, say: Say) -> Told:
    if facts.failed("step-4/alpine") or not has_wheel(facts, "numpy", "musllinux"):
        return holds("NumPy's newest version has no wheel for Alpine.")
    return no_longer(
        "NumPy has had wheels for musl since 1.25.0, of 2023: today **a wheel of "
        f"{say.wheel_size('numpy', 'musllinux')}**. Step 4's image on Alpine builds like any other, and is "
        f"{say.size('step-4/alpine')} in transfer."
    )


@claim(
    short="psycopg2-binary does not install on Alpine",
    says="Installing psycopg2-binary with Python:3.6.4-alpine doesn't work",
    who="barrachri, the title of issue 684 of psycopg/psycopg2",
    when="2018-02-28",
    url="https://github.com/psycopg/psycopg2/issues/684",
)
def alpine_psycopg2_binary(facts: Facts, say: Say) -> Told:
    if not has_wheel(facts, "psycopg2-binary", "musllinux"):
        return holds("psycopg2-binary has no wheel for musl.")
    return no_longer(
        f"psycopg2-binary has **a wheel of {say.wheel_size('psycopg2-binary', 'musllinux')}** for musl on amd64, and "
        f"one of {say.wheel_size('psycopg2-binary', 'musllinux', 'aarch64')} on arm64."
    )


@claim(
    short="An image on Alpine outgrows the full base image",
    says="It actually produces images which are larger than the base image!",
    who="Mark Neumann, of Alpine against python:3.8, Lightweight Python Docker Images - a Gotcha",
    when="2021-07-19",
    url="https://markneumann.xyz/blog/docker-python",
)
def alpine_larger_than_full(facts: Facts, say: Say) -> Told:
    if facts.size("step-4/alpine", "unpacked") > base(facts, "python:3.14"):
        return holds(
            f"With NumPy in it, the image on Alpine is **{say.size('step-4/alpine', 'unpacked')} unpacked**. The full "
            f"base image has {base_words(facts, 'python:3.14')}."
        )
    if facts.size("step-4/alpine-source", "unpacked") > base(facts, "python:3.14"):
        return depends(
            f"It depends on wheels. With them, the image on Alpine is {say.size('step-4/alpine', 'unpacked')} "
            "unpacked. Compiled there, with the compilers left in, it is "
            f"**{say.size('step-4/alpine-source', 'unpacked')} unpacked**."
        )
    return no_longer(
        f"With NumPy from a wheel, the image on Alpine is **{say.size('step-4/alpine', 'unpacked')} unpacked**, "
        f"{say.change('step-4/slim', 'step-4/alpine', 'unpacked')} against slim. Compiled there, as everybody had to "
        f"in 2021, and with the compilers left in, it is {say.size('step-4/alpine-source', 'unpacked')}. Even that is "
        "less than the full base image."
    )


@claim(
    short="Alpine makes builds fifty times slower",
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
            f"The same image takes **{say.ratio(('step-4/alpine', 'cold'), ('step-4/slim', 'cold'))} as long** to "
            "build on Alpine."
        )
    if facts.ratio("step-4/alpine-source", "step-4/slim", "cold") >= 5:
        return depends(
            f"It depends on wheels. With them, a cold build takes {say.seconds('step-4/alpine', 'cold')} on Alpine and "
            f"{say.seconds('step-4/slim', 'cold')} on slim. From source on Alpine, it takes "
            f"**{say.ratio(('step-4/alpine-source', 'cold'), ('step-4/slim', 'cold'))} as long** as with a wheel on "
            "slim, here with a compiler that is not Alpine's. From source on slim, it takes "
            f"{say.ratio(('step-4/slim-source', 'cold'), ('step-4/slim', 'cold'))} as long: the compilation is slow, "
            "not Alpine."
        )
    return no_longer(
        f"With wheels, a cold build takes **{say.seconds('step-4/alpine', 'cold')} on Alpine** and "
        f"{say.seconds('step-4/slim', 'cold')} on slim."
    )


@claim(
    short="musl makes Python slower",
    says="Python is slower when it uses musl as the default C library",
    who="Pascal Vizeli, developers.home-assistant.io, who “often read” it and found otherwise",
    when="2020-07-13",
    url="https://developers.home-assistant.io/blog/2020/07/13/alpine-python/",
)
def musl_makes_python_slower(facts: Facts, say: Say) -> Told:
    return undecided(
        "A loop that adds a million numbers takes "
        f"**{say.seconds('step-4/alpine', 'python_seconds')} on Alpine** and "
        f"{say.seconds('step-4/slim', 'python_seconds')} on slim. The C library is not the only difference: the lab "
        "compiles the two interpreters with different switches, and both without profile-guided optimization (PGO). "
        "So the two times say nothing about musl alone. Two interpreters that are compiled alike would decide the "
        "claim. The official images' interpreters are not: slim's is compiled with PGO, and Alpine's without."
    )


@claim(
    short="A smaller image starts faster",
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
            f"From `docker run` to the first answer, it takes **{say.seconds('step-4/alpine', 'start')} on Alpine** "
            f"and {say.seconds('step-4/slim', 'start')} on slim. On the full image it takes "
            f"{say.seconds('step-4/full', 'start')}."
        )
    if (
        facts.ratio("step-4/alpine", "step-4/slim", "start") < 0.95
        or facts.ratio("step-4/alpine", "step-4/full", "start") < 0.95
    ):
        return depends(
            "It depends on the comparison. From `docker run` to the first answer, it takes "
            f"**{say.seconds('step-4/alpine', 'start')} on Alpine** and {say.seconds('step-4/slim', 'start')} on slim. "
            f"On the full image it takes {say.seconds('step-4/full', 'start')}."
        )
    return no_longer(
        "Once an image is on the machine, its size does not matter to its start. From `docker run` to the first "
        f"answer, it takes **{say.seconds('step-4/alpine', 'start')} on Alpine** and "
        f"{say.seconds('step-4/slim', 'start')} on slim. On the full image it takes "
        f"{say.seconds('step-4/full', 'start')}. Only the pull is shorter."
    )


@claim(
    short="On Alpine, packages are smaller too",
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
            f"NumPy's wheel is **{say.wheel_size('numpy', 'musllinux')} for musl** and "
            f"{say.wheel_size('numpy', 'manylinux')} for glibc."
        )
    if wheel_bytes(facts, "numpy", "musllinux") < wheel_bytes(facts, "numpy", "manylinux") or wheel_bytes(
        facts, "psycopg2-binary", "musllinux"
    ) < wheel_bytes(facts, "psycopg2-binary", "manylinux"):
        return depends(
            f"It depends on the package. NumPy's wheel is **{say.wheel_size('numpy', 'musllinux')} for musl** and "
            f"{say.wheel_size('numpy', 'manylinux')} for glibc. The wheel of psycopg2-binary is "
            f"{say.wheel_size('psycopg2-binary', 'musllinux')} for musl and "
            f"{say.wheel_size('psycopg2-binary', 'manylinux')} for glibc. NumPy's wheel for musl brings libraries that "
            "Debian's base image has already."
        )
    return no_longer(
        f"The wheels for musl are larger: NumPy's is **{say.wheel_size('numpy', 'musllinux')} for musl** and "
        f"{say.wheel_size('numpy', 'manylinux')} for glibc. They bring libraries that Debian's base image has already."
    )
