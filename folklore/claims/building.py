"""Claims of building fast: see measure/tell/folklore.py."""

from __future__ import annotations

from measure.tell.folklore import Facts, Say, Told, claims_of, depends, holds, no_longer

claim = claims_of("Building fast")


@claim(
    says="Tip #1: Order matters for caching",
    who="Docker's blog, Intro Guide to Dockerfile Best Practices",
    when="2019-07",
    url="https://blog.docker.com/2019/07/intro-guide-to-dockerfile-best-practices/",
)
def order_matters(facts: Facts, say: Say) -> Told:
    if facts.ratio("step-2/naive", "step-2", "edit") > 2:
        return holds(
            "With the lock copied before the code, a changed line of code is in the image after "
            f"{say.seconds('step-2', 'edit')}. With everything copied first it takes "
            f"{say.seconds('step-2/naive', 'edit')}, {say.ratio(('step-2/naive', 'edit'), ('step-2', 'edit'))} as "
            "long, and that with a handful of small packages."
        )
    if facts.ratio("step-2/naive", "step-2", "edit") > 1.1:
        return depends(
            f"It saves little here: {say.seconds('step-2', 'edit')} in place of {say.seconds('step-2/naive', 'edit')}."
        )
    return no_longer(f"{say.seconds('step-2', 'edit')} and {say.seconds('step-2/naive', 'edit')}: no difference.")


@claim(
    says="the context … is huge (2.4 gb) … when I created a dockerignore … it was reduced to around 100 kb",
    who="asafyish, in issue 517 of GoogleContainerTools/distroless",
    when="2020-05-29",
    url="https://github.com/GoogleContainerTools/distroless/issues/517",
)
def dockerignore_gigabytes(facts: Facts, say: Say) -> Told:
    if facts.size("step-1/naive", "context_bytes") > 100 * facts.size("step-1", "context_bytes"):
        return holds(
            f"Here it takes it from {say.size('step-1/naive', 'context_bytes')} to "
            f"{say.size('step-1', 'context_bytes')}."
        )
    if facts.size("step-1/naive", "context_bytes") > facts.size("step-1", "context_bytes"):
        return depends(
            "It depends on what lies in your folder, and nothing else. A clean clone of step 1 offers "
            f"{say.size('step-1/naive', 'context_bytes')} without and {say.size('step-1', 'context_bytes')} with one. "
            "And today's builder sends only what a `COPY` names: the ignore file is there for `COPY . .`, so that no "
            "secret, no test and no virtual environment gets in."
        )
    return no_longer(f"It changes nothing here: {say.size('step-1', 'context_bytes')}.")


@claim(
    says="between 10× and 100× faster than pip",
    who="quis, in pull request 5311 of alphagov/notifications-admin, as uv's README has it",
    when="2024-11-29",
    url="https://github.com/alphagov/notifications-admin/pull/5311",
)
def uv_is_10_to_100_times_faster(facts: Facts, say: Say) -> Told:
    if (
        facts.ratio("extra-need-for-speed/plain", "extra-need-for-speed/uv", "lock") >= 10
        or facts.ratio("extra-need-for-speed/cache-mounts", "extra-need-for-speed/uv-cache-mount", "lock") >= 10
    ):
        return holds(
            f"After one package changed, a build takes {say.seconds('extra-need-for-speed/uv', 'lock')} in place of "
            f"{say.seconds('extra-need-for-speed/plain', 'lock')}. With a cache mount each, "
            f"{say.seconds('extra-need-for-speed/uv-cache-mount', 'lock')} in place of "
            f"{say.seconds('extra-need-for-speed/cache-mounts', 'lock')}."
        )
    return no_longer(
        f"Not here. After one package changed, a build takes {say.seconds('extra-need-for-speed/uv', 'lock')} in "
        f"place of {say.seconds('extra-need-for-speed/plain', 'lock')}, of which uv's line is "
        f"{say.seconds('extra-need-for-speed/uv', 'lock', 'uv pip install')} and pip's "
        f"{say.seconds('extra-need-for-speed/plain', 'lock', 'pip --python')}: much of both is compiling psycopg2, "
        "which no installer makes faster. Cold, where uv is installed first, "
        f"{say.seconds('extra-need-for-speed/uv', 'cold')} and {say.seconds('extra-need-for-speed/plain', 'cold')}. "
        f"With a cache mount each, {say.seconds('extra-need-for-speed/uv-cache-mount', 'lock')} and "
        f"{say.seconds('extra-need-for-speed/cache-mounts', 'lock')}, of which the installers' lines are "
        f"{say.seconds('extra-need-for-speed/uv-cache-mount', 'lock', 'uv pip install')} and "
        f"{say.seconds('extra-need-for-speed/cache-mounts', 'lock', 'pip --python')}, bytecode included; the rest is "
        "the same for both."
    )


@claim(
    says=(
        "Mount APT and PIP caches during build … they will now only need to download … packages if they are a newer "
        "version"
    ),
    who="david-banon-tecnativa, in pull request 698 of Tecnativa/doodba",
    when="2026-04-10",
    url="https://github.com/Tecnativa/doodba/pull/698",
)
def cache_mounts_make_it_fast(facts: Facts, say: Say) -> Told:
    if (
        facts.ratio("extra-need-for-speed/plain", "extra-need-for-speed/cache-mounts", "lock") >= 1.5
        and facts.ratio("extra-need-for-speed/plain", "extra-need-for-speed/cache-mounts", "compiled") >= 1.1
    ):
        return holds(
            f"After one dependency changed, a build takes {say.seconds('extra-need-for-speed/cache-mounts', 'lock')} "
            f"in place of {say.seconds('extra-need-for-speed/plain', 'lock')}. Other machines do not have your mount."
        )
    if facts.ratio("extra-need-for-speed/plain", "extra-need-for-speed/cache-mounts", "lock") >= 1.5:
        return depends(
            "It depends on whether something is compiled, and on how far away your package index is. After one "
            f"dependency changed, a build takes {say.seconds('extra-need-for-speed/cache-mounts', 'lock')} in place "
            f"of {say.seconds('extra-need-for-speed/plain', 'lock')}, above all because the mount keeps the wheel of "
            "psycopg2 that pip compiled. When psycopg2 itself changed, and all other downloads were kept, it takes "
            f"{say.seconds('extra-need-for-speed/cache-mounts', 'compiled')}, and without a cache mount "
            f"{say.seconds('extra-need-for-speed/plain', 'compiled')}: from an index at hand, to download again is no "
            "loss that shows. apt's line in the builder, after a new base image, takes "
            f"{say.seconds('extra-need-for-speed/cache-mounts', 'base', 'gcc libc6-dev')} in place of "
            f"{say.seconds('extra-need-for-speed/plain', 'base', 'gcc libc6-dev')}. Other machines do not have your "
            "mount."
        )
    return no_longer(
        f"{say.seconds('extra-need-for-speed/cache-mounts', 'lock')} in place of "
        f"{say.seconds('extra-need-for-speed/plain', 'lock')}."
    )


@claim(
    says="docker suggest to use QEMU … but it is unreasonable slow (4mins vs 23 mins)",
    who="fekad, in pull request 254 of FAIRmat-NFDI/nomad-distro-template",
    when="2026-06-16",
    url="https://github.com/FAIRmat-NFDI/nomad-distro-template/pull/254",
)
def emulation_is_slow(facts: Facts, say: Say) -> Told:
    if facts.ratio("extra-second-platform/emulated@other", "extra-second-platform/recommended@other", "cold") > 2:
        return holds(
            "QEMU is: for arm64, a build that installs two compiled packages takes "
            f"{say.seconds('extra-second-platform/emulated@other', 'cold')} on amd64. The second platform is not. "
            "With the same packages fetched by the builder's own processor, it takes "
            f"{say.seconds('extra-second-platform/recommended@other', 'cold')}, against "
            f"{say.seconds('extra-second-platform/recommended', 'cold')} natively. "
            "[How](../steps/extra-second-platform.md)."
        )
    return no_longer(
        f"{say.seconds('extra-second-platform/emulated@other', 'cold')} emulated, and "
        f"{say.seconds('extra-second-platform/recommended@other', 'cold')} without."
    )
