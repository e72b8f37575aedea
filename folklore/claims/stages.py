"""Claims of stages: see measure/tell/folklore.py."""

from __future__ import annotations

from measure.tell.folklore import Facts, Say, Told, claims_of, depends, holds, no_longer

claim = claims_of("Multi-stage")


@claim(
    short="Multi-stage makes images smaller",
    says=(
        "Using Docker's multi-stage build feature and Python's virtualenv tool, we can make smaller and more secure "
        "docker images for production"
    ),
    who="pmac.io",
    when="2019-02",
    url="https://pmac.io/2019/02/multi-stage-dockerfile-and-python-virtualenv/",
)
def multi_stage_makes_smaller(facts: Facts, say: Say) -> Told:
    if facts.size("step-3/with-pip", "unpacked") < 0.95 * facts.size("step-3/export", "unpacked"):
        return holds(
            "It does, even with no tools to leave behind: "
            f"**{say.change('step-3/export', 'step-3/with-pip', 'unpacked')} unpacked**."
        )
    if facts.size("step-3/with-pip", "unpacked") < 0.95 * facts.size("step-3/single", "unpacked"):
        return depends(
            "It depends on the tools to leave behind. Against one stage with compilers and Poetry in it, a copied "
            f"virtual environment gives **{say.change('step-3/single', 'step-3/with-pip', 'unpacked')} unpacked**. "
            "Against a `pip install` into the image itself, it gives "
            f"{say.grown('step-3/export', 'step-3/with-pip', 'unpacked')}."
        )
    return no_longer(
        f"A copied virtual environment gives **{say.change('step-3/single', 'step-3/with-pip', 'unpacked')} unpacked** "
        "against one stage with compilers."
    )


@claim(
    short="Multi-stage makes images larger",
    says="Surprisingly, multi-stage is larger",
    quoted=False,
    who="an undated series of example projects, from which this ladder descends",
    when="undated",
)
def multi_stage_is_larger(facts: Facts, say: Say) -> Told:
    if facts.size("step-3", "unpacked") > facts.size("step-3/export", "unpacked"):
        return holds(
            f"The copied virtual environment is **{say.grown('step-3/export', 'step-3', 'unpacked')} unpacked** "
            "against one stage with pip."
        )
    if facts.size("step-3/with-pip", "unpacked") > facts.size("step-3/export", "unpacked"):
        return depends(
            "It depends on one option. `python -m venv` brings a second pip: "
            f"**{say.grown('step-3/export', 'step-3/with-pip', 'unpacked')} unpacked**. With `--without-pip`, the same "
            f"two stages give {say.grown('step-3/export', 'step-3', 'unpacked')}."
        )
    return no_longer(
        "It does not, even with a pip in the copied virtual environment: "
        f"**{say.grown('step-3/export', 'step-3/with-pip', 'unpacked')} unpacked**."
    )


@claim(
    short="Multi-stage takes a gigabyte to a tenth",
    says="A typical Python image can shrink from 1GB+ to under 100MB with proper multi-stage builds",
    who="oneuptime.com, a guide to multi-stage builds",
    when="2025-01-06",
    url="https://oneuptime.com/blog/post/2025-01-06-python-docker-multi-stage/view",
)
def from_1_gb_to_100_mb(facts: Facts, say: Say) -> Told:
    if facts.size("step-1/full", "unpacked") > 1e9 and facts.size("step-3", "unpacked") < 100e6:
        return holds(
            f"Step 1's image on the full base image is {say.size('step-1/full', 'unpacked')} unpacked, and step 3's is "
            f"**{say.size('step-3', 'unpacked')} unpacked**."
        )
    if facts.size("step-1/full", "unpacked") > 1e9 and facts.size("step-3") < 100e6:
        return depends(
            "It depends on whether both sizes are of one kind. Step 1's image on the full base image is "
            f"{say.size('step-1/full', 'unpacked')} unpacked, and step 3's is **{say.size('step-3', 'unpacked')} "
            f"unpacked**. In transfer they are {say.size('step-1/full')} and {say.size('step-3')}. Most of the "
            f"difference is not the stages: on slim, one stage gives {say.size('step-1', 'unpacked')} unpacked."
        )
    return no_longer(
        f"Step 1's image on the full base image is {say.size('step-1/full', 'unpacked')} unpacked, and step 3's is "
        f"**{say.size('step-3', 'unpacked')} unpacked**."
    )


@claim(
    short="Stages bring no gain for Python",
    says="Python's dependencies are all dynamic; splitting into stages usually brings no gain, as it does in Go",
    quoted=False,
    who="vas3k, asking in pull request 981 of vas3k/vas3k.club, translated from Russian",
    when="2022-08-27",
    url="https://github.com/vas3k/vas3k.club/pull/981",
)
def multi_stage_optional_for_pure_python(facts: Facts, say: Say) -> Told:
    if facts.size("step-3/export", "unpacked") < 1.1 * facts.size("step-3", "unpacked"):
        return holds(
            f"With one stage, the image is **{say.size('step-3/export', 'unpacked')} unpacked**, and with two "
            f"{say.size('step-3', 'unpacked')}. The difference is bytecode that pip leaves behind, and [one "
            "variable](#dontwritebytecode-saves-nothing) keeps that bytecode out as well."
        )
    return no_longer(f"Two stages give **{say.change('step-3/export', 'step-3', 'unpacked')} unpacked**.")


@claim(
    short="One stage with compilers is four times as large as two",
    says="Single stage with compilers about 800 MB, multi-stage about 180 MB",
    quoted=False,
    who="as one usually hears it, give or take the numbers",
    when="undated",
)
def single_800_multi_180(facts: Facts, say: Say) -> Told:
    if (
        facts.size("step-3/single", "unpacked") > 4 * facts.size("step-3", "unpacked")
        and facts.size("step-3/single", "unpacked") > 720e6
    ):
        return holds(
            f"One stage is {say.size('step-3/single', 'unpacked')} unpacked, and two are "
            f"{say.size('step-3', 'unpacked')}. One stage is **{say.times('step-3/single', 'step-3', 'unpacked')} as "
            "large**."
        )
    if facts.size("step-3/single", "unpacked") > 4 * facts.size("step-3", "unpacked"):
        return depends(
            "It depends on whether you mean the ratio or the sizes. The ratio is right: one stage is "
            f"**{say.times('step-3/single', 'step-3', 'unpacked')} as large**. The sizes are not: "
            f"{say.size('step-3/single', 'unpacked')} and {say.size('step-3', 'unpacked')} unpacked."
        )
    return no_longer(
        f"One stage is **{say.size('step-3/single', 'unpacked')} unpacked**, and two are "
        f"{say.size('step-3', 'unpacked')}."
    )


@claim(
    short="Compilers add half a gigabyte",
    says="`RUN yum install -y gcc gcc-c++` adds 500MB to image but is unused at runtime",
    who="philvarner, the title of issue 55 of lambgeo/docker-lambda, where it is not about Debian",
    when="2023-01-31",
    url="https://github.com/lambgeo/docker-lambda/issues/55",
)
def build_tools_500_mb(facts: Facts, say: Say) -> Told:
    if facts.layer("extra-compiling-deps/slim", "build-essential") > 450e6:
        return holds(
            "`build-essential` and libpq's headers are a layer of "
            f"**{say.layer('extra-compiling-deps/slim', 'build-essential')} unpacked**."
        )
    return no_longer(
        "On Debian, compilers add less. `build-essential` and libpq's headers are a layer of "
        f"**{say.layer('extra-compiling-deps/slim', 'build-essential')} unpacked** and "
        f"{say.layer('extra-compiling-deps/slim', 'build-essential', field='transfer_bytes')} in transfer. Most "
        "packages need only `gcc` and the C library's headers: [the list](recipes.md) has each package's. At run time "
        "all of them are unused."
    )


@claim(
    short="Purge the compilers in the same `RUN`",
    says="you'll also want to remove packages after you are done (in the same `RUN` that they are installed on)",
    who="yosifkit, in issue 60 of docker-library/python, before there were stages",
    when="2015-08-24",
    url="https://github.com/docker-library/python/issues/60",
)
def purge_in_one_run(facts: Facts, say: Say) -> Told:
    if facts.size("step-3/purge", "unpacked") < 1.05 * facts.size("step-3", "unpacked"):
        return holds(
            f"The image is **{say.size('step-3/purge', 'unpacked')} unpacked**, and with two stages it is "
            f"{say.size('step-3', 'unpacked')}."
        )
    if facts.size("step-3/purge", "unpacked") < 0.5 * facts.size("step-3/single", "unpacked"):
        return depends(
            "It depends on whether you remove everything. The compilers go without a trace: "
            f"{say.change('step-3/single', 'step-3/purge', 'unpacked')} unpacked. Second pips and bytecode stay: "
            f"**{say.grown('step-3', 'step-3/purge', 'unpacked')} unpacked** against two stages."
        )
    return no_longer(
        f"The image is **{say.size('step-3/purge', 'unpacked')} unpacked**, and with two stages it is "
        f"{say.size('step-3', 'unpacked')}."
    )


@claim(
    short="Copy the virtual environment into the last stage",
    says=(
        "create a virtual environment, install the requirements (pip install) and copy the venv directory to the "
        "final stage, resulting in a smaller image size"
    ),
    who="luciano-schirmer, in issue 3 of sleeske/docker-multi-stage-example",
    when="2019-04-25",
    url="https://github.com/sleeske/docker-multi-stage-example/issues/3",
)
def copy_the_virtualenv(facts: Facts, say: Say) -> Told:
    if (
        facts.size("step-3", "unpacked") <= facts.size("step-3/export", "unpacked")
        and facts.size("step-3", "unpacked") <= facts.size("step-3/wheels", "unpacked")
        and facts.size("step-3", "unpacked") <= facts.size("step-3/purge", "unpacked")
        and facts.size("step-3") < 1.01 * facts.size("step-3/user-site")
    ):
        return holds(
            "A copied virtual environment makes the smallest image here, or one as small: "
            f"**{say.size('step-3', 'unpacked')} unpacked**. A `pip install` of a list with hashes gives "
            f"{say.size('step-3/export', 'unpacked')}, and wheels through a mount give "
            f"{say.size('step-3/wheels', 'unpacked')}. A purge in one `RUN` gives "
            f"{say.size('step-3/purge', 'unpacked')}, and `--user` gives {say.size('step-3/user-site', 'unpacked')}. "
            "Make the virtual environment with `--without-pip`."
        )
    return no_longer(
        f"It is not the smallest image here: **{say.size('step-3', 'unpacked')} unpacked**. A list with hashes gives "
        f"{say.size('step-3/export', 'unpacked')}."
    )


@claim(
    short="`pip install --user` makes a smaller image",
    says="By using `pip install --user` … we can only copy those files into the final image, reducing the image size",
    who="adamantike, in pull request 127 of timothymiller/cloudflare-ddns",
    when="2023-02-22",
    url="https://github.com/timothymiller/cloudflare-ddns/pull/127",
)
def user_site_is_smaller(facts: Facts, say: Say) -> Told:
    if facts.size("step-3/user-site") < facts.size("step-3/export"):
        return holds(
            f"The image is **{say.change('step-3/export', 'step-3/user-site')} in transfer** against an installation "
            f"into the image. A copied virtual environment does the same, {say.change('step-3/export', 'step-3')}, and "
            "works for every user of the image. `--user` works for the one user whose home it is in."
        )
    return no_longer(
        f"The image is **{say.change('step-3/export', 'step-3/user-site')} in transfer** against an installation into "
        "the image."
    )


@claim(
    short="Wheels installed in the last stage make the smallest image",
    says=(
        "Stage 2 … copies wheels from Stage 1, and installs the wheels … you'll end up with the smallest-possible "
        "Python Docker container"
    ),
    who="softwarejourneyman.com, Smaller Python Docker Containers with Multi-Stage Builds and Python Wheels",
    when="2018-04-21",
    url="https://softwarejourneyman.com/docker-python-install-wheels.html",
)
def ship_wheels(facts: Facts, say: Say) -> Told:
    if facts.size("step-3/wheels", "unpacked") < facts.size("step-3", "unpacked"):
        return holds(
            f"The image is **{say.change('step-3', 'step-3/wheels', 'unpacked')} unpacked** against a copied virtual "
            "environment."
        )
    return no_longer(
        f"The image is **{say.grown('step-3', 'step-3/wheels', 'unpacked')} unpacked** against a copied virtual "
        "environment, and as large as with a plain `pip install`. pip leaves its own bytecode wherever it runs. With "
        f"`COPY` but no mount, the wheels ship as well: {say.size('step-3/wheels-copied', 'wasted')} that nobody sees."
    )
