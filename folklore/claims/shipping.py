"""Claims of pushing and pulling: see measure/tell/folklore.py."""

from __future__ import annotations

from measure.studies.shipping.page import fleet_bytes, level_bytes, same_twice, shipping_ratio
from measure.tell.folklore import Facts, Say, Told, claims_of, depends, holds, no_longer

claim = claims_of("Pushing and pulling")
#: What the builder was asked for.
GZIP, GZIP_9 = "compression=gzip", "compression=gzip,compression-level=9,force-compression=true"
ZSTD = "compression=zstd,force-compression=true"


@claim(
    short="zstd unpacks much faster than gzip",
    says="Using zstd compression with BuildKit - decompresses 60%* faster",
    who="CodesInAWarehouse, in r/devops",
    when="2024-10",
    url="https://www.reddit.com/r/devops/comments/1gb4e98/using_zstd_compression_with_buildkit_decompresses/",
)
def zstd_unpacks_faster(facts: Facts, say: Say) -> Told:
    if shipping_ratio(facts, "plain", "zstd", "pull") >= 1.6:
        return holds(
            f"An engine that has nothing pulls the same image in {say.shipped('plain', 'pull')} with gzip and in "
            f"**{say.shipped('zstd', 'pull')} with zstd**, from a registry on the same computer."
        )
    if shipping_ratio(facts, "plain", "zstd", "pull") > 1.1:
        return depends(
            f"An engine that has nothing pulls the same image in {say.shipped('plain', 'pull')} with gzip and in "
            f"**{say.shipped('zstd', 'pull')} with zstd**, from a registry on the same computer. Writing the files "
            "takes as long with either."
        )
    return no_longer(
        f"An engine that has nothing pulls the same image in {say.shipped('plain', 'pull')} with gzip and in "
        f"**{say.shipped('zstd', 'pull')} with zstd**, from a registry on the same computer."
    )


@claim(
    short="zstd makes images smaller",
    says="zstd can provide a higher compression ratio than gzip",
    who="BytePlus, image distribution and startup acceleration based on Zstd",
    when="undated",
    url="https://docs.byteplus.com/en/docs/cr/Image_distribution_and_startup_acceleration_based_on_Zstd",
)
def zstd_is_smaller(facts: Facts, say: Say) -> Told:
    if level_bytes(facts, ZSTD) < 0.95 * level_bytes(facts, GZIP):
        return holds(
            f"Step 4's image is {say.level('compression=gzip')} to push with gzip and "
            f"**{say.level('compression=zstd,force-compression=true')} with zstd**, each at the builder's own level."
        )
    return no_longer(
        f"Step 4's image is {say.level('compression=gzip')} to push with gzip and "
        f"**{say.level('compression=zstd,force-compression=true')} with zstd**, each at the builder's own level."
    )


@claim(
    short="A higher level of gzip makes layers smaller",
    says="We can decrease the final image/layer size at the cost of small amount of additional CPU",
    who="lyoung-confluent, in pull request 1082 of chainguard-dev/apko",
    when="2024-04-05",
    url="https://github.com/chainguard-dev/apko/pull/1082",
)
def a_higher_level_is_smaller(facts: Facts, say: Say) -> Told:
    if level_bytes(facts, GZIP_9) == level_bytes(facts, GZIP):
        return depends(
            "It depends on what the builder has. One that has a layer in gzip gives it whatever the level: "
            f"**{say.level('compression=gzip,compression-level=9,force-compression=true')}** again. "
            "Only an empty cache shows what a level does."
        )
    return holds(
        f"Layers of {say.level('compression=gzip')} come to "
        f"**{say.level('compression=gzip,compression-level=9,force-compression=true')}**."
    )


@claim(
    short="`pip install` cannot be reproduced, because of its bytecode",
    says="pip install is fundamentally irreproducible, because it generates pyc files that include the timestamp",
    who="technillogue, in issue 1250 of replicate/cog",
    when="2023-08-10",
    url="https://github.com/replicate/cog/issues/1250",
)
def pip_install_is_irreproducible(facts: Facts, say: Say) -> Told:
    if same_twice(facts, "recommended"):
        return no_longer(
            "With `SOURCE_DATE_EPOCH` in its environment, pip writes bytecode without a time. The same image, built "
            f"on another machine, then sends **{say.sent('recommended', 'again')}**."
        )
    return holds(f"Built on another machine, the same image sends **{say.sent('recommended', 'again')}**.")


@claim(
    short="`SOURCE_DATE_EPOCH` is not enough for the same image twice",
    says="docker build does not create reproducible output (even with fixed SOURCE_DATE_EPOCH)",
    who="the title of issue 43124 of moby/moby",
    when="2022-01",
    url="https://github.com/moby/moby/issues/43124",
)
def the_epoch_is_not_enough(facts: Facts, say: Say) -> Told:
    if same_twice(facts, "reproducible"):
        return no_longer(f"Built on another machine, the image sends **{say.sent('reproducible', 'again')}**.")
    if same_twice(facts, "recommended"):
        return depends(
            "Passed to the builder alone, it is not: the image that another machine built sends "
            f"**{say.sent('reproducible', 'again')}**. With an `ARG` line in each stage, it sends "
            f"{say.sent('recommended', 'again')}."
        )
    return holds(f"Built on another machine, the image sends **{say.sent('recommended', 'again')}** at best.")


@claim(
    short="Without bytecode in the image, nothing is slower",
    says="We didn't notice any performance difference during either build or run time",
    who="robdimsdale, in issue 507 of paketo-buildpacks/python",
    when="2022-10-27",
    url="https://github.com/paketo-buildpacks/python/issues/507",
)
def bytecode_makes_no_difference(facts: Facts, say: Say) -> Told:
    if shipping_ratio(facts, "reproducible", "plain", "import") > 1.2:
        return no_longer(
            f"Where all bytecode is stale, importing takes **{say.shipped('reproducible', 'import')}** of processor "
            f"time at every start. Where it is valid, it takes {say.shipped('plain', 'import')}."
        )
    return holds(
        f"Importing takes **{say.shipped('reproducible', 'import')}** of processor time where all bytecode is stale, "
        f"and {say.shipped('plain', 'import')} where it is valid."
    )


@claim(
    short="One package that differs, and services share no packages",
    says="even a slightly different dependency list between two images is enough to generate a different hash",
    who="blog.tamanduati.tech, taking advantage of Docker layers",
    when="undated",
    url="https://blog.tamanduati.tech/taking-advantage-of-docker-layers",
)
def a_different_list_shares_nothing(facts: Facts, say: Say) -> Told:
    if fleet_bytes(facts, "recommended", "packages") > 3 * fleet_bytes(facts, "recommended", "code"):
        return holds(
            "The largest fleet that was pushed takes "
            f"**{say.of_fleet('recommended', 'packages')}** in the registry when each service has two packages of its "
            f"own. When services differ in code alone, it takes {say.of_fleet('recommended', 'code')}."
        )
    return no_longer(
        f"With two packages of its own for each service, a fleet takes **{say.of_fleet('recommended', 'packages')}** "
        f"in the registry, and without {say.of_fleet('recommended', 'code')}."
    )


@claim(
    short="A large base that is shared beats small layers that are not",
    says=(
        "it is less expensive to have files in your base image that aren't used than it is to have duplicated files "
        "in higher layers"
    ),
    who="elegantinfrastructure.com",
    when="undated",
    url="https://elegantinfrastructure.com/?p=117",
)
def a_large_shared_base_is_cheaper(facts: Facts, say: Say) -> Told:
    if fleet_bytes(facts, "full", "code") < fleet_bytes(facts, "recommended", "packages"):
        return holds(
            "Services on the full image that differ in code alone take "
            f"**{say.of_fleet('full', 'code')}** together. On slim, with two packages of its own each, they take "
            f"{say.of_fleet('recommended', 'packages')}."
        )
    return no_longer(
        f"Services on the full image that differ in code alone take **{say.of_fleet('full', 'code')}** together. On "
        f"slim, with two packages of its own each, they take {say.of_fleet('recommended', 'packages')}."
    )
