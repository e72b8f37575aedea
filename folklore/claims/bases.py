"""Claims of base images: see measure/tell/folklore.py."""

from __future__ import annotations

from measure.base.units import megabytes
from measure.studies.fidelity.page import base, base_words
from measure.tell.folklore import Facts, Say, Told, claims_of, depends, holds, no_longer

claim = claims_of("Base images")


@claim(
    short="Slim is one fifth of the full image",
    says="Use python:3-slim to reduce by 5 the size of builded image",
    who="JqckB, the title of pull request 3 of RavuAlHemio/prometheus_aci_exporter",
    when="2019-07-26",
    url="https://github.com/RavuAlHemio/prometheus_aci_exporter/pull/3",
)
def slim_saves_80_percent(facts: Facts, say: Say) -> Told:
    if facts.size("step-1", "unpacked") <= 0.2 * facts.size("step-1/full", "unpacked"):
        return holds(
            "With one more word in the `FROM` line, the same application is "
            f"**{say.change('step-1/full', 'step-1', 'unpacked')} unpacked** and {say.change('step-1/full', 'step-1')} "
            "in transfer. No other line of a Dockerfile does as much."
        )
    if facts.size("step-1") <= 0.2 * facts.size("step-1/full"):
        return depends(
            f"It depends on what you call size: **{say.change('step-1/full', 'step-1')} in transfer**, "
            f"{say.change('step-1/full', 'step-1', 'unpacked')} unpacked."
        )
    return no_longer(f"The same application on slim is **{say.change('step-1/full', 'step-1', 'unpacked')} unpacked**.")


@claim(
    short="Alpine is one twentieth of the full image",
    says="Alpine is a tiny linux distribution … It's tiny in comparison to the base Python image, about 20x smaller",
    who="Mark Neumann, Lightweight Python Docker Images - a Gotcha",
    when="2021-07-19",
    url="https://markneumann.xyz/blog/docker-python",
)
def alpine_20_times_smaller(facts: Facts, say: Say) -> Told:
    if facts.size("step-4/full", "unpacked") >= 20 * facts.size("step-4/alpine", "unpacked"):
        return holds(
            "It is true even with an application in it: the full image is "
            f"**{say.times('step-4/full', 'step-4/alpine', 'unpacked')} as large**."
        )
    if base(facts, "python:3.14") >= 20 * base(facts, "python:3.14-alpine"):
        return depends(
            f"It depends on the application. By itself, the full base image has {base_words(facts, 'python:3.14')}, "
            f"Alpine's {base_words(facts, 'python:3.14-alpine')}. With Flask and NumPy in both, the full image is "
            f"**{say.times('step-4/full', 'step-4/alpine', 'unpacked')} as large** as the one on Alpine. The image on "
            f"slim is {say.times('step-4/slim', 'step-4/alpine', 'unpacked')} as large."
        )
    return no_longer(
        f"The full base image has {base_words(facts, 'python:3.14')} now, and Alpine's has "
        f"**{base_words(facts, 'python:3.14-alpine')}**."
    )


@claim(
    short="Base images grow with every release",
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
            f"All three grew. The full image went from {megabytes(facts.then('base image, full'))} in 2021 to "
            f"**{base_words(facts, 'python:3.14')}**. Slim went from {megabytes(facts.then('base image, slim'))} to "
            f"{base_words(facts, 'python:3.14-slim')}, Alpine from {megabytes(facts.then('base image, Alpine'))} to "
            f"{base_words(facts, 'python:3.14-alpine')}."
        )
    if (
        base(facts, "python:3.14") > 1.1 * facts.then("base image, full")
        or base(facts, "python:3.14-slim") > 1.1 * facts.then("base image, slim")
        or base(facts, "python:3.14-alpine") > 1.1 * facts.then("base image, Alpine")
    ):
        return depends(
            f"It depends on the image. The full image went from {megabytes(facts.then('base image, full'))} in 2021 to "
            f"**{base_words(facts, 'python:3.14')}**. Slim went from {megabytes(facts.then('base image, slim'))} to "
            f"{base_words(facts, 'python:3.14-slim')}. Alpine went from {megabytes(facts.then('base image, Alpine'))} "
            f"to {base_words(facts, 'python:3.14-alpine')}."
        )
    return no_longer(
        f"They hardly did: slim had {megabytes(facts.then('base image, slim'))} in 2021 and has "
        f"**{base_words(facts, 'python:3.14-slim')}** today."
    )


@claim(
    short="Some packages cannot be installed on slim",
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
            "It depends on a compiler. On plain slim, psycopg2 fails with a line that names the missing tool. With a "
            f"compiler in a stage that does not ship, the image is **{say.size('extra-compiling-deps')} in transfer**. "
            f"On the full base image it is {say.size('extra-compiling-deps/full')}."
        )
    return no_longer("psycopg2 builds on plain slim.")


@claim(
    short="Alpine has less to attack",
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
            f"Alpine has **{say.count('step-4/alpine-multistage', 'os_packages')} system packages**, slim "
            f"{say.count('step-4', 'os_packages')}. Alpine has {say.count('step-4/alpine-multistage', 'setuid_files')} "
            f"setuid files, slim {say.count('step-4', 'setuid_files')}. The lab's Alpine is a stand-in with fewer "
            "packages than the official image. The effect on an attacker was not measured here."
        )
    return no_longer(
        f"Alpine has **{say.count('step-4/alpine-multistage', 'os_packages')} system packages**, slim "
        f"{say.count('step-4', 'os_packages')}: that is no such difference."
    )


@claim(
    short="Distroless is smaller than Alpine",
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
            "With Python and NumPy in both, distroless is "
            f"**{say.change('step-4/alpine-multistage', 'step-4/distroless')} in transfer** and "
            f"{say.change('step-4/alpine-multistage', 'step-4/distroless', 'unpacked')} unpacked. It has glibc and "
            "nothing around it. The parts left out of Python and NumPy do not explain all of that."
        )
    if facts.size("step-4/distroless") < facts.size("step-4/alpine-multistage") or facts.size(
        "step-4/distroless", "unpacked"
    ) < facts.size("step-4/alpine-multistage", "unpacked"):
        return depends(
            "It depends on the parts that you leave out. With Python and NumPy in both, distroless is "
            f"**{say.change('step-4/alpine-multistage', 'step-4/distroless')} in transfer** and "
            f"{say.change('step-4/alpine-multistage', 'step-4/distroless', 'unpacked')} unpacked. An image on "
            "Alpine could leave out most of the same parts. Without NumPy's tests and headers, the virtual environment "
            f"is {say.folder('step-4/distroless', '/opt/venv')} unpacked; with them, it is "
            f"{say.folder('step-4', '/opt/venv')}. Without pip and the parts for builds, Python's `/usr/local` is "
            f"{say.folder('step-4/distroless', '/usr/local')}; on Alpine it is "
            f"{say.folder('step-4/alpine-multistage', '/usr/local')}. The distributions themselves differ by less than "
            "a twentieth of the image."
        )
    return no_longer(
        f"With Python and NumPy in both, distroless is **{say.change('step-4/alpine-multistage', 'step-4/distroless')} "
        "in transfer**."
    )
