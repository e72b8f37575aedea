"""Claims of stages: see measure/tell/folklore.py."""

from __future__ import annotations

from measure.tell.folklore import Facts, Say, Told, claims_of, depends, holds, no_longer

claim = claims_of("Multi-stage")


@claim(
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
            "Even where there is nothing to leave behind: "
            f"{say.change('step-3/export', 'step-3/with-pip', 'unpacked')} unpacked."
        )
    if facts.size("step-3/with-pip", "unpacked") < 0.95 * facts.size("step-3/single", "unpacked"):
        return depends(
            "It depends on what there is to leave behind. Against an image with compilers and Poetry in it, copying "
            f"the environment gives {say.change('step-3/single', 'step-3/with-pip', 'unpacked')} unpacked. Against a "
            f"`pip install` into the image itself, {say.grown('step-3/export', 'step-3/with-pip', 'unpacked')}."
        )
    return no_longer(
        f"Copying the environment gives {say.change('step-3/single', 'step-3/with-pip', 'unpacked')} unpacked against "
        "one stage with compilers."
    )


@claim(
    says="Surprisingly, multi-stage is larger",
    quoted=False,
    who="an undated series of example projects, from which this ladder descends",
    when="undated",
)
def multi_stage_is_larger(facts: Facts, say: Say) -> Told:
    if facts.size("step-3", "unpacked") > facts.size("step-3/export", "unpacked"):
        return holds(
            f"The copied environment is {say.grown('step-3/export', 'step-3', 'unpacked')} unpacked against one stage "
            "with pip."
        )
    if facts.size("step-3/with-pip", "unpacked") > facts.size("step-3/export", "unpacked"):
        return depends(
            "It depends on one option. `python -m venv` brings a second pip: "
            f"{say.grown('step-3/export', 'step-3/with-pip', 'unpacked')} unpacked. With `--without-pip` the same two "
            f"stages give {say.grown('step-3/export', 'step-3', 'unpacked')}. There is no surprise left, only a pip."
        )
    return no_longer(
        f"Not even with a pip in the copied environment: {say.grown('step-3/export', 'step-3/with-pip', 'unpacked')} "
        "unpacked."
    )


@claim(
    says="A typical Python image can shrink from 1GB+ to under 100MB with proper multi-stage builds",
    who="oneuptime.com, a guide to multi-stage builds",
    when="2025-01-06",
    url="https://oneuptime.com/blog/post/2025-01-06-python-docker-multi-stage/view",
)
def from_1_gb_to_100_mb(facts: Facts, say: Say) -> Told:
    if facts.size("step-1/full", "unpacked") > 1e9 and facts.size("step-3", "unpacked") < 100e6:
        return holds(f"From {say.size('step-1/full', 'unpacked')} unpacked to {say.size('step-3', 'unpacked')}.")
    if facts.size("step-1/full", "unpacked") > 1e9 and facts.size("step-3") < 100e6:
        return depends(
            "It depends on whether you count the same thing twice. "
            f"{say.size('step-1/full', 'unpacked')} is what step 1's image on the full base takes on your disk. "
            f"The one to take home takes {say.size('step-3', 'unpacked')} there, and {say.size('step-3')} only in "
            f"transfer, where the first one was {say.size('step-1/full')}. And most of that is not the stages: "
            f"`-slim` alone, in one stage, brings it to {say.size('step-1', 'unpacked')}."
        )
    return no_longer(f"From {say.size('step-1/full', 'unpacked')} unpacked to {say.size('step-3', 'unpacked')}.")


@claim(
    says="Python's dependencies are all dynamic; splitting into stages usually brings no gain, as it does in Go",
    quoted=False,
    who="vas3k, asking in pull request 981 of vas3k/vas3k.club, translated from Russian",
    when="2022-08-27",
    url="https://github.com/vas3k/vas3k.club/pull/981",
)
def multi_stage_optional_for_pure_python(facts: Facts, say: Say) -> Told:
    if facts.size("step-3/export", "unpacked") < 1.1 * facts.size("step-3", "unpacked"):
        return holds(
            f"One stage for the packages gives {say.size('step-3/export', 'unpacked')} unpacked, two give "
            f"{say.size('step-3', 'unpacked')}. What is between them is bytecode that pip leaves behind, and [one "
            "variable](#dontwritebytecode-saves-nothing) prevents that as well."
        )
    return no_longer(f"Two stages give {say.change('step-3/export', 'step-3', 'unpacked')} unpacked.")


@claim(
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
            f"{say.size('step-3/single', 'unpacked')} and {say.size('step-3', 'unpacked')} unpacked, "
            f"{say.times('step-3/single', 'step-3', 'unpacked')} as much."
        )
    if facts.size("step-3/single", "unpacked") > 4 * facts.size("step-3", "unpacked"):
        return depends(
            "It depends on what you take from it. The proportion is right, "
            f"{say.times('step-3/single', 'step-3', 'unpacked')} as much; the sizes are not, "
            f"{say.size('step-3/single', 'unpacked')} and {say.size('step-3', 'unpacked')} unpacked."
        )
    return no_longer(f"{say.size('step-3/single', 'unpacked')} and {say.size('step-3', 'unpacked')} unpacked.")


@claim(
    says="`RUN yum install -y gcc gcc-c++` adds 500MB to image but is unused at runtime",
    who="philvarner, the title of issue 55 of lambgeo/docker-lambda, where it is not about Debian",
    when="2023-01-31",
    url="https://github.com/lambgeo/docker-lambda/issues/55",
)
def build_tools_500_mb(facts: Facts, say: Say) -> Told:
    if facts.layer("extra-compiling-deps/slim", "build-essential") > 450e6:
        return holds(
            "`build-essential` and libpq's headers are a layer of "
            f"{say.layer('extra-compiling-deps/slim', 'build-essential')} unpacked."
        )
    return no_longer(
        "Less, on Debian. `build-essential` with libpq's headers is a layer of "
        f"{say.layer('extra-compiling-deps/slim', 'build-essential')} unpacked, and "
        f"{say.layer('extra-compiling-deps/slim', 'build-essential', field='transfer_bytes')} in transfer. A `gcc` "
        "with the C library's headers, which is what most packages need, is less again: [what each package "
        "takes](recipes.md). Unused at run time it is all the same."
    )


@claim(
    says="you'll also want to remove packages after you are done (in the same `RUN` that they are installed on)",
    who="yosifkit, in issue 60 of docker-library/python, before there were stages",
    when="2015-08-24",
    url="https://github.com/docker-library/python/issues/60",
)
def purge_in_one_run(facts: Facts, say: Say) -> Told:
    if facts.size("step-3/purge", "unpacked") < 1.05 * facts.size("step-3", "unpacked"):
        return holds(
            f"It is {say.size('step-3/purge', 'unpacked')} unpacked, and two stages are "
            f"{say.size('step-3', 'unpacked')}."
        )
    if facts.size("step-3/purge", "unpacked") < 0.5 * facts.size("step-3/single", "unpacked"):
        return depends(
            "It depends on what you remember to remove. The compilers go without a trace: "
            f"{say.change('step-3/single', 'step-3/purge', 'unpacked')} unpacked. What nobody thought of stays: "
            f"{say.grown('step-3', 'step-3/purge', 'unpacked')} against two stages, in second pips and bytecode."
        )
    return no_longer(
        f"It is {say.size('step-3/purge', 'unpacked')} unpacked, and two stages are {say.size('step-3', 'unpacked')}."
    )


@claim(
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
            f"It is the smallest of what we tried, or level with the smallest: {say.size('step-3', 'unpacked')} "
            f"unpacked, against {say.size('step-3/export', 'unpacked')} for a list with hashes, "
            f"{say.size('step-3/wheels', 'unpacked')} for wheels through a mount, "
            f"{say.size('step-3/purge', 'unpacked')} for cleaning up, {say.size('step-3/user-site', 'unpacked')} for "
            "`--user`. Make it with `--without-pip`."
        )
    return no_longer(
        f"Others are smaller: {say.size('step-3', 'unpacked')} against "
        f"{say.size('step-3/export', 'unpacked')} unpacked."
    )


@claim(
    says="By using `pip install --user` … we can only copy those files into the final image, reducing the image size",
    who="adamantike, in pull request 127 of timothymiller/cloudflare-ddns",
    when="2023-02-22",
    url="https://github.com/timothymiller/cloudflare-ddns/pull/127",
)
def user_site_is_smaller(facts: Facts, say: Say) -> Told:
    if facts.size("step-3/user-site") < facts.size("step-3/export"):
        return holds(
            f"{say.change('step-3/export', 'step-3/user-site')} in transfer against installing into the image. A "
            f"copied virtual environment does just the same, {say.change('step-3/export', 'step-3')}, and works for "
            "every user of the image, not for one whose home it is in."
        )
    return no_longer(
        f"{say.change('step-3/export', 'step-3/user-site')} in transfer against installing into the image."
    )


@claim(
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
        return holds(f"{say.change('step-3', 'step-3/wheels', 'unpacked')} unpacked against a copied environment.")
    return no_longer(
        f"{say.grown('step-3', 'step-3/wheels', 'unpacked')} unpacked against a copied environment, and as much as a "
        "plain `pip install`: wherever pip runs, it leaves its own bytecode. With `COPY` in place of a mount the "
        f"wheels ship as well: {say.size('step-3/wheels-copied', 'wasted')} that nobody sees."
    )
