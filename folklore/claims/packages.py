"""Claims of packages and tools: see measure/tell/folklore.py."""

from __future__ import annotations

from measure.studies.recipes.page import built_with
from measure.studies.wheels.page import has_wheel, with_wheels
from measure.tell.folklore import Facts, Say, Told, claims_of, depends, holds, no_longer

claim = claims_of("Packages and tools")


@claim(
    short="Leave Poetry out of the image",
    says=(
        "you want your image to be as slim as possible. This way you leave out the Poetry installation that you don't "
        "need"
    ),
    who="Max Pfeiffer (max-pfeiffer), in issue 1 of max-pfeiffer/uvicorn-poetry",
    when="2022-03-21",
    url="https://github.com/max-pfeiffer/uvicorn-poetry/issues/1",
)
def poetry_stays_out(facts: Facts, say: Say) -> Told:
    if facts.size("step-2", "unpacked") - facts.size("step-1", "unpacked") > 50e6:
        return holds(
            "On the same base image, the same application with Poetry beside it is "
            f"**{say.grown('step-1', 'step-2', 'unpacked')} unpacked** and {say.grown('step-1', 'step-2')} in "
            f"transfer. It has {say.count('step-2', 'python_packages')} Python packages; without Poetry it has "
            f"{say.count('step-1', 'python_packages')}."
        )
    if facts.size("step-2", "unpacked") - facts.size("step-1", "unpacked") > 10e6:
        return depends(
            f"It depends on the rest of the image: Poetry is **{say.grown('step-1', 'step-2', 'unpacked')} unpacked**."
        )
    return no_longer(f"Poetry is **{say.grown('step-1', 'step-2', 'unpacked')} unpacked**.")


@claim(
    short="psycopg2 needs `build-essential`",
    says="psycopg2 needs `build-essential`",
    quoted=False,
    who="as one usually hears it; so billcrook built it on slim, in issue 421 of fastapi/full-stack-fastapi-template",
    when="2021-09-15",
    url="https://github.com/fastapi/full-stack-fastapi-template/issues/421",
)
def psycopg2_needs_build_essential(facts: Facts, say: Say) -> Told:
    if "build-essential" in built_with(facts, "psycopg2"):
        return holds("Nothing less builds it.")
    if has_wheel(facts, "psycopg2", "manylinux"):
        return depends(
            "It depends on the version: psycopg2 has a wheel for Linux now, of "
            f"**{say.wheel_size('psycopg2', 'manylinux')}**."
        )
    return no_longer(
        f"`{' '.join(built_with(facts, 'psycopg2'))}` is enough, proved by [leaving each of them out](recipes.md). "
        "`build-essential` with libpq's headers is a layer of "
        f"**{say.layer('extra-compiling-deps/slim', 'build-essential')} unpacked**. The stage counts more than the "
        f"list. With a builder stage, the image is {say.size('extra-compiling-deps', 'unpacked')} unpacked; with the "
        f"compiler left in, it is {say.size('extra-compiling-deps/slim', 'unpacked')}."
    )


@claim(
    short="psycopg2-binary makes a lighter image",
    says="Don't install libpq (not needed with pysocpg2 2.7) … This saves ~7MB of uncompressed image space",
    who=(
        "JayH5, in pull request 32 of praekeltfoundation/docker-django-bootstrap, when wheels with a libpq in them "
        "were still called psycopg2"
    ),
    when="2017-05-16",
    url="https://github.com/praekeltfoundation/docker-django-bootstrap/pull/32",
)
def psycopg2_binary_is_lighter(facts: Facts, say: Say) -> Told:
    if facts.size("extra-compiling-deps/binary", "unpacked") < facts.size("extra-compiling-deps", "unpacked"):
        return holds(
            f"The image is **{say.grown('extra-compiling-deps', 'extra-compiling-deps/binary', 'unpacked')} unpacked** "
            "against psycopg2 with Debian's libpq."
        )
    if facts.size("extra-compiling-deps/binary") < facts.size("extra-compiling-deps"):
        return depends(
            f"It depends on what you call size: {say.grown('extra-compiling-deps', 'extra-compiling-deps/binary')} in "
            f"transfer, **{say.grown('extra-compiling-deps', 'extra-compiling-deps/binary', 'unpacked')} unpacked**."
        )
    return no_longer(
        "psycopg2-binary needs no system package, but the image is not lighter. The wheel brings a libpq and an "
        "OpenSSL of its own: "
        f"**{say.grown('extra-compiling-deps', 'extra-compiling-deps/binary', 'unpacked')} unpacked** and "
        f"{say.grown('extra-compiling-deps', 'extra-compiling-deps/binary')} in transfer. The comparison is with "
        "psycopg2 compiled in a builder stage, with `libpq5` beside it."
    )


@claim(
    short="NumPy is a hundred times as fast as a loop",
    says="Vectorization can be 100x faster",
    who=(
        "Itamar Turner-Trauring, of loops and NumPy, at PyData Global 2022, as issue 162 of "
        "numfocus/YouTubeVideoTimestamps sums up his talk"
    ),
    when="2022",
    url="https://github.com/numfocus/YouTubeVideoTimestamps/issues/162",
)
def numpy_100_times(facts: Facts, say: Say) -> Told:
    if facts.ratio("step-4/slim", "step-4/slim", "python_seconds", "numpy_seconds") >= 80:
        return holds(
            f"NumPy is **{say.ratio(('step-4/slim', 'python_seconds'), ('step-4/slim', 'numpy_seconds'))} as fast**. "
            f"The loop takes {say.seconds('step-4/slim', 'python_seconds')}, NumPy "
            f"{say.seconds('step-4/slim', 'numpy_seconds')}."
        )
    if facts.ratio("step-4/slim", "step-4/slim", "python_seconds", "numpy_seconds") >= 10:
        return depends(
            "It depends on the work that is counted. Here both sides make their numbers first, and NumPy is "
            f"**{say.ratio(('step-4/slim', 'python_seconds'), ('step-4/slim', 'numpy_seconds'))} as fast**. The loop "
            f"takes {say.seconds('step-4/slim', 'python_seconds')}, NumPy "
            f"{say.seconds('step-4/slim', 'numpy_seconds')}."
        )
    return no_longer(
        f"NumPy is **{say.ratio(('step-4/slim', 'python_seconds'), ('step-4/slim', 'numpy_seconds'))} as fast**. The "
        f"loop takes {say.seconds('step-4/slim', 'python_seconds')}, NumPy "
        f"{say.seconds('step-4/slim', 'numpy_seconds')}. Here both sides make their numbers first, which is part of "
        "the work."
    )


@claim(
    short="Packages have no wheels for arm64",
    says=(
        "there are no wheels for arm64. … The result of this is that packages that have a lot of dependencies build "
        "slowly on arm64"
    ),
    who="vielmetti, in issue 109 of meshy/pythonwheels",
    when="2019-02-15",
    url="https://github.com/meshy/pythonwheels/issues/109",
)
def no_wheels_for_arm64(facts: Facts, say: Say) -> Told:
    if with_wheels(facts, "manylinux", "aarch64") < 0.5 * with_wheels(facts, "manylinux", "x86_64"):
        return holds(
            f"**{with_wheels(facts, 'manylinux', 'aarch64')} of {with_wheels(facts, 'manylinux', 'x86_64')} packages** "
            "with a wheel for amd64 have one for arm64."
        )
    if with_wheels(facts, "manylinux", "aarch64") < with_wheels(facts, "manylinux", "x86_64"):
        return depends(
            f"It depends on the package: **{with_wheels(facts, 'manylinux', 'aarch64')} of "
            f"{with_wheels(facts, 'manylinux', 'x86_64')} packages** with a wheel for amd64 have one for arm64. [Look "
            "yours up](wheels.md)."
        )
    return no_longer(
        f"**All {with_wheels(facts, 'manylinux', 'aarch64')} packages** of [the list](wheels.md) with a wheel for "
        f"amd64 have one for arm64. Step 4's image is {say.size('step-4')} in transfer on amd64 and "
        f"{say.size('step-4', platform='linux/arm64')} on arm64."
    )


@claim(
    short="uv makes images smaller",
    says=(
        "I replaced `pip install` with `uv pip install` … We had some unexplained 68% reduction in the `mlrun-api` "
        "image size"
    ),
    who="jond01, in pull request 7917 of mlrun/mlrun, which explains it",
    when="2025-05-17",
    url="https://github.com/mlrun/mlrun/pull/7917",
)
def uv_makes_images_smaller(facts: Facts, say: Say) -> Told:
    if facts.size("folklore-uv/uv") < 0.5 * facts.size("folklore-uv/pip"):
        return holds(f"The image is **{say.change('folklore-uv/pip', 'folklore-uv/uv')} in transfer**.")
    if facts.size("folklore-uv/uv") < 0.99 * facts.size("folklore-uv/pip"):
        return depends(
            "It depends on bytecode. With uv, the same packages are "
            f"**{say.change('folklore-uv/pip', 'folklore-uv/uv')} in transfer** and "
            f"{say.change('folklore-uv/pip', 'folklore-uv/uv', 'unpacked')} unpacked, because uv does not compile "
            "them. Told to compile them as pip does, uv gives "
            f"{say.change('folklore-uv/pip', 'folklore-uv/uv-compiled')} in transfer and "
            f"{say.change('folklore-uv/pip', 'folklore-uv/uv-compiled', 'unpacked')} unpacked. pip has `--no-compile`, "
            "too."
        )
    return no_longer(
        f"The image is **{say.change('folklore-uv/pip', 'folklore-uv/uv')} in transfer** and "
        f"{say.change('folklore-uv/pip', 'folklore-uv/uv', 'unpacked')} unpacked: a tool that is not in the image "
        "weighs nothing there."
    )
