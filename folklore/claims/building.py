"""Claims of building fast: see measure/tell/folklore.py."""

from __future__ import annotations

from measure.tell.folklore import Facts, Say, Told, claims_of, depends, holds, no_longer

claim = claims_of("Building fast")


@claim(
    short="The order of lines matters for the cache",
    says="Tip #1: Order matters for caching",
    who="Docker's blog, Intro Guide to Dockerfile Best Practices",
    when="2019-07",
    url="https://blog.docker.com/2019/07/intro-guide-to-dockerfile-best-practices/",
)
def order_matters(facts: Facts, say: Say) -> Told:
    if facts.ratio("step-2/naive", "step-2", "edit") > 2:
        return holds(
            "With the lock file copied before the code, a build after one changed line takes "
            f"{say.seconds('step-2', 'edit')}. With everything copied first, it takes "
            f"{say.seconds('step-2/naive', 'edit')}, **{say.ratio(('step-2/naive', 'edit'), ('step-2', 'edit'))} as "
            "long**. The application has only a handful of small packages."
        )
    if facts.ratio("step-2/naive", "step-2", "edit") > 1.1:
        return depends(
            f"It saves little here: a build after one changed line takes **{say.seconds('step-2', 'edit')}** with the "
            f"lock file first and {say.seconds('step-2/naive', 'edit')} with everything first."
        )
    return no_longer(
        f"A build after one changed line takes **{say.seconds('step-2', 'edit')}** with the lock file first and "
        f"{say.seconds('step-2/naive', 'edit')} with everything first: no difference."
    )


@claim(
    short="A `.dockerignore` takes gigabytes out of the build context",
    says="the context … is huge (2.4 gb) … when I created a dockerignore … it was reduced to around 100 kb",
    who="asafyish, in issue 517 of GoogleContainerTools/distroless",
    when="2020-05-29",
    url="https://github.com/GoogleContainerTools/distroless/issues/517",
)
def dockerignore_gigabytes(facts: Facts, say: Say) -> Told:
    if facts.size("step-1/naive", "context_bytes") > 100 * facts.size("step-1", "context_bytes"):
        return holds(
            f"Here the build context goes from {say.size('step-1/naive', 'context_bytes')} to "
            f"**{say.size('step-1', 'context_bytes')}**."
        )
    if facts.size("step-1/naive", "context_bytes") > facts.size("step-1", "context_bytes"):
        return depends(
            "It depends on the files in your folder. A clean clone of step 1 offers "
            f"{say.size('step-1/naive', 'context_bytes')} without an ignore file and "
            f"**{say.size('step-1', 'context_bytes')} with one**. Today's builder sends only the files that a `COPY` "
            "names. The ignore file is there for `COPY . .`: it keeps secrets, tests and virtual environments out of "
            "the image."
        )
    return no_longer(f"It changes nothing here: **{say.size('step-1', 'context_bytes')}**.")


@claim(
    short="uv is ten to a hundred times as fast as pip",
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
            f"After one package changed, a build takes {say.seconds('extra-need-for-speed/plain', 'lock')} with pip "
            f"and **{say.seconds('extra-need-for-speed/uv', 'lock')} with uv**. With a cache mount each, it takes "
            f"{say.seconds('extra-need-for-speed/cache-mounts', 'lock')} with pip and "
            f"{say.seconds('extra-need-for-speed/uv-cache-mount', 'lock')} with uv."
        )
    return no_longer(
        f"Not here. After one package changed, a build takes {say.seconds('extra-need-for-speed/plain', 'lock')} with "
        f"pip and **{say.seconds('extra-need-for-speed/uv', 'lock')} with uv**. The installer's own line takes "
        f"{say.seconds('extra-need-for-speed/plain', 'lock', 'pip --python')} with pip and "
        f"{say.seconds('extra-need-for-speed/uv', 'lock', 'uv pip install')} with uv. Much of both is the compilation "
        "of psycopg2, which no installer makes faster. A cold build, in which uv is installed first, takes "
        f"{say.seconds('extra-need-for-speed/plain', 'cold')} with pip and "
        f"{say.seconds('extra-need-for-speed/uv', 'cold')} with uv. With a cache mount each, a build after one changed "
        f"package takes {say.seconds('extra-need-for-speed/cache-mounts', 'lock')} with pip and "
        f"{say.seconds('extra-need-for-speed/uv-cache-mount', 'lock')} with uv. The installers' lines, bytecode "
        f"included, take {say.seconds('extra-need-for-speed/cache-mounts', 'lock', 'pip --python')} and "
        f"{say.seconds('extra-need-for-speed/uv-cache-mount', 'lock', 'uv pip install')} of that. The rest is the same "
        "for both."
    )


@claim(
    short="Cache mounts make builds fast",
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
            f"After one dependency changed, a build takes **{say.seconds('extra-need-for-speed/cache-mounts', 'lock')} "
            f"with a cache mount** and {say.seconds('extra-need-for-speed/plain', 'lock')} without. Other machines do "
            "not have your mount."
        )
    if facts.ratio("extra-need-for-speed/plain", "extra-need-for-speed/cache-mounts", "lock") >= 1.5:
        return depends(
            "It depends on compilation, and on the distance to your package index. After one dependency changed, a "
            f"build takes **{say.seconds('extra-need-for-speed/cache-mounts', 'lock')} with a cache mount** and "
            f"{say.seconds('extra-need-for-speed/plain', 'lock')} without. The mount keeps the wheel of psycopg2 that "
            "pip compiled. After psycopg2 itself changed, a build takes "
            f"{say.seconds('extra-need-for-speed/cache-mounts', 'compiled')} with the mount and "
            f"{say.seconds('extra-need-for-speed/plain', 'compiled')} without. From a nearby index, one more download "
            "does not show. After a new base image, apt's line in the builder takes "
            f"{say.seconds('extra-need-for-speed/cache-mounts', 'base', 'gcc libc6-dev')} with the mount and "
            f"{say.seconds('extra-need-for-speed/plain', 'base', 'gcc libc6-dev')} without. Other machines do not have "
            "your mount."
        )
    return no_longer(
        f"After one dependency changed, a build takes **{say.seconds('extra-need-for-speed/cache-mounts', 'lock')} "
        f"with a cache mount** and {say.seconds('extra-need-for-speed/plain', 'lock')} without."
    )


@claim(
    short="QEMU makes builds for arm64 slow",
    says="docker suggest to use QEMU … but it is unreasonable slow (4mins vs 23 mins)",
    who="fekad, in pull request 254 of FAIRmat-NFDI/nomad-distro-template",
    when="2026-06-16",
    url="https://github.com/FAIRmat-NFDI/nomad-distro-template/pull/254",
)
def emulation_is_slow(facts: Facts, say: Say) -> Told:
    if facts.ratio("extra-second-platform/emulated@other", "extra-second-platform/recommended@other", "cold") > 2:
        return holds(
            "On amd64, a cold build for arm64 that installs two compiled packages takes "
            f"**{say.seconds('extra-second-platform/emulated@other', 'cold')} under QEMU**. The second platform need "
            "not be slow: with the same packages fetched by the builder's own processor, the build takes "
            f"{say.seconds('extra-second-platform/recommended@other', 'cold')}. The native build takes "
            f"{say.seconds('extra-second-platform/recommended', 'cold')}. [How it is "
            "done](../steps/extra-second-platform.md)."
        )
    return no_longer(
        f"A cold build for arm64 takes **{say.seconds('extra-second-platform/emulated@other', 'cold')} under QEMU** "
        f"and {say.seconds('extra-second-platform/recommended@other', 'cold')} without it."
    )
