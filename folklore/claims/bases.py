"""Claims of base images: see measure/tell/folklore.py."""

from __future__ import annotations

from measure.base.units import megabytes
from measure.studies.fidelity.page import base, base_words
from measure.tell.folklore import Facts, Say, Told, claims_of, depends, holds, no_longer

claim = claims_of("Base images")


@claim(
    says="Use python:3-slim to reduce by 5 the size of builded image",
    who="JqckB, the title of pull request 3 of RavuAlHemio/prometheus_aci_exporter",
    when="2019-07-26",
    url="https://github.com/RavuAlHemio/prometheus_aci_exporter/pull/3",
)
def slim_saves_80_percent(facts: Facts, say: Say) -> Told:
    if facts.size("step-1", "unpacked") <= 0.2 * facts.size("step-1/full", "unpacked"):
        return holds(
            "One word more in the `FROM` line, and the same application is "
            f"{say.change('step-1/full', 'step-1', 'unpacked')} unpacked and {say.change('step-1/full', 'step-1')} in "
            "transfer. No other line of a Dockerfile does as much."
        )
    if facts.size("step-1") <= 0.2 * facts.size("step-1/full"):
        return depends(
            f"It depends on what you call size: {say.change('step-1/full', 'step-1')} in transfer, "
            f"{say.change('step-1/full', 'step-1', 'unpacked')} unpacked."
        )
    return no_longer(f"The same application on slim is {say.change('step-1/full', 'step-1', 'unpacked')} unpacked.")


@claim(
    says="Alpine is a tiny linux distribution … It's tiny in comparison to the base Python image, about 20x smaller",
    who="Mark Neumann, Lightweight Python Docker Images - a Gotcha",
    when="2021-07-19",
    url="https://markneumann.xyz/blog/docker-python",
)
def alpine_20_times_smaller(facts: Facts, say: Say) -> Told:
    if facts.size("step-4/full", "unpacked") >= 20 * facts.size("step-4/alpine", "unpacked"):
        return holds(
            f"It is true even with an application in it: {say.times('step-4/full', 'step-4/alpine', 'unpacked')}."
        )
    if base(facts, "python:3.14") >= 20 * base(facts, "python:3.14-alpine"):
        return depends(
            f"The empty base images are like that: {base_words(facts, 'python:3.14')} and "
            f"{base_words(facts, 'python:3.14-alpine')}. With Flask and NumPy in both, "
            f"{say.times('step-4/full', 'step-4/alpine', 'unpacked')} are left of it, and against slim "
            f"{say.times('step-4/slim', 'step-4/alpine', 'unpacked')}. Nobody ships an empty image."
        )
    return no_longer(
        f"The base images are {base_words(facts, 'python:3.14')} and {base_words(facts, 'python:3.14-alpine')} now."
    )


@claim(
    says="Base images get fatter with every release",
    quoted=False,
    who="as one usually hears it",
    when="undated",
)
def base_images_grow(facts: Facts, say: Say) -> Told:
    if (
        base(facts, "python:3.14") > 1.1 * facts.then("base image, full")
        and base(facts, "python:3.14-slim") > 1.1 * facts.then("base image, slim")
        and base(facts, "python:3.14-alpine") > 1.1 * facts.then("base image, Alpine")
    ):
        return holds(
            f"All three grew: the full image from {megabytes(facts.then('base image, full'))} in 2021 to "
            f"{base_words(facts, 'python:3.14')}, slim from {megabytes(facts.then('base image, slim'))} to "
            f"{base_words(facts, 'python:3.14-slim')}, Alpine from {megabytes(facts.then('base image, Alpine'))} to "
            f"{base_words(facts, 'python:3.14-alpine')}."
        )
    if (
        base(facts, "python:3.14") > 1.1 * facts.then("base image, full")
        or base(facts, "python:3.14-slim") > 1.1 * facts.then("base image, slim")
        or base(facts, "python:3.14-alpine") > 1.1 * facts.then("base image, Alpine")
    ):
        return depends(
            f"It depends on which one. The full image went from {megabytes(facts.then('base image, full'))} in 2021 "
            f"to {base_words(facts, 'python:3.14')}. Slim, {megabytes(facts.then('base image, slim'))} then, is "
            f"{base_words(facts, 'python:3.14-slim')}; Alpine, {megabytes(facts.then('base image, Alpine'))} then, is "
            f"{base_words(facts, 'python:3.14-alpine')}."
        )
    return no_longer(
        f"They hardly did: slim was {megabytes(facts.then('base image, slim'))} in 2021 and is "
        f"{base_words(facts, 'python:3.14-slim')}."
    )


@claim(
    says="I prefer not to use the slim versions as that would mean that some Python packages can't be installed",
    who="Sebastián Ramírez (tiangolo), in pull request 74 of tiangolo/uwsgi-nginx-docker",
    when="2020-03-23",
    url="https://github.com/tiangolo/uwsgi-nginx-docker/pull/74",
)
def slim_cannot_compile(facts: Facts, say: Say) -> Told:
    if facts.failed("extra-compiling-deps/broken") and facts.failed("extra-compiling-deps"):
        return holds("psycopg2 does not build on slim, whatever is installed before.")
    if facts.failed("extra-compiling-deps/broken"):
        return depends(
            "It depends on whether anybody installs a compiler. On plain slim psycopg2 fails, with a line that says "
            "what is missing. With a compiler in a stage that does not ship it builds, and the image is "
            f"{say.size('extra-compiling-deps')} in transfer, against {say.size('extra-compiling-deps/full')} on the "
            "full image."
        )
    return no_longer("psycopg2 builds on plain slim.")


@claim(
    says="Alpine Linux has a lower attack surface as the OS distribution is minimalist",
    who="clemlesne, in issue 407 of clemlesne/blue-agent",
    when="2025-07-17",
    url="https://github.com/clemlesne/blue-agent/issues/407",
)
def alpine_fewer_packages(facts: Facts, say: Say) -> Told:
    if facts.count("step-4/alpine-multistage", "os_packages") < 0.5 * facts.count(
        "step-4", "os_packages"
    ) and facts.count("step-4/alpine-multistage", "setuid_files") <= facts.count("step-4", "setuid_files"):
        return holds(
            f"There is less: {say.count('step-4/alpine-multistage', 'os_packages')} packages of the system in place "
            f"of {say.count('step-4', 'os_packages')}, and {say.count('step-4/alpine-multistage', 'setuid_files')} "
            f"setuid files in place of {say.count('step-4', 'setuid_files')}. Ours is a stand-in with some packages "
            "fewer than the official one. What that is worth against an attacker is not measured here."
        )
    return no_longer(
        f"{say.count('step-4/alpine-multistage', 'os_packages')} packages of the system against "
        f"{say.count('step-4', 'os_packages')} is no such difference."
    )


@claim(
    says="Distroless generates smaller images than using the Alpine base images",
    who="SadieCat, in issue 123 of inspircd/docker, where it is not about Python",
    when="2021-08-29",
    url="https://github.com/inspircd/docker/issues/123",
)
def distroless_smaller_than_alpine(facts: Facts, say: Say) -> Told:
    if facts.size("step-4/distroless", "unpacked") < 0.95 * (
        facts.size("step-4/alpine-multistage", "unpacked")
        - (facts.folder("step-4", "/opt/venv") - facts.folder("step-4/distroless", "/opt/venv"))
        - (facts.folder("step-4/alpine-multistage", "/usr/local") - facts.folder("step-4/distroless", "/usr/local"))
    ):
        return holds(
            f"With Python and NumPy in it, {say.change('step-4/alpine-multistage', 'step-4/distroless')} in transfer "
            f"and {say.change('step-4/alpine-multistage', 'step-4/distroless', 'unpacked')} unpacked, for glibc and "
            "nothing around it, and not only because of what is left out of Python and NumPy."
        )
    if facts.size("step-4/distroless") < facts.size("step-4/alpine-multistage") or facts.size(
        "step-4/distroless", "unpacked"
    ) < facts.size("step-4/alpine-multistage", "unpacked"):
        return depends(
            "It depends on what you leave out. With Python and NumPy in it, "
            f"{say.change('step-4/alpine-multistage', 'step-4/distroless')} in transfer and "
            f"{say.change('step-4/alpine-multistage', 'step-4/distroless', 'unpacked')} unpacked. But most of that "
            "could be left out of Alpine's as well: of NumPy, its tests and headers "
            f"({say.folder('step-4/distroless', '/opt/venv')} of environment unpacked, whole "
            f"{say.folder('step-4', '/opt/venv')}); of Python, pip and what only builds need "
            f"({say.folder('step-4/distroless', '/usr/local')} in place of "
            f"{say.folder('step-4/alpine-multistage', '/usr/local')}). Less than a twentieth of the image is left "
            "that is the distribution's."
        )
    return no_longer(
        f"With Python and NumPy in it, {say.change('step-4/alpine-multistage', 'step-4/distroless')} in transfer."
    )
