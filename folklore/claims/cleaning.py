"""Claims of cleaning up: see measure/tell/folklore.py."""

from __future__ import annotations

from measure.tell.folklore import Facts, Say, Told, claims_of, depends, holds, no_longer

claim = claims_of("Cleaning up")


@claim(
    short="Uninstall pip in the last stage",
    says="Uninstall pip in the final image: less to ship, less to attack",
    quoted=False,
    who="as one usually hears it",
    when="undated",
)
def rm_in_a_later_layer(facts: Facts, say: Say) -> Told:
    if facts.size("step-3/solution") < facts.size("step-3"):
        return holds(f"The image is **{say.grown('step-3', 'step-3/solution')} in transfer**.")
    if not facts.has_pip("step-3/solution"):
        return depends(
            "It depends on your aim. There is less to attack, because nobody can call pip any more. The image ships no "
            "less: the base image's pip is in a layer that ships as before, and a new layer can only hide it. The "
            f"image even grows, by **{say.grown('step-3', 'step-3/solution', 'unpacked')} unpacked** and "
            f"{say.grown('step-3', 'step-3/solution')} in transfer. pip had to run to remove itself, and left "
            "bytecode. [One variable](#dontwritebytecode-saves-nothing) would have kept it out."
        )
    return no_longer(
        f"The image gets larger: **{say.grown('step-3', 'step-3/solution', 'unpacked')} unpacked** and "
        f"{say.grown('step-3', 'step-3/solution')} in transfer. The base image's pip is in a layer that ships as "
        "before; a new layer can only hide it."
    )


@claim(
    short="`COPY` wheels, install them, then `rm` them",
    says="COPY the wheels, install them, and rm them afterwards",
    quoted=False,
    who="as it is often done; so in sleeske/docker-multi-stage-example, whose issue 3 says that it does not help",
    when="2019-04-25",
    url="https://github.com/sleeske/docker-multi-stage-example/issues/3",
)
def copy_install_rm(facts: Facts, say: Say) -> Told:
    if facts.size("step-3/wheels-copied") <= 1.001 * facts.size("step-3/wheels"):
        return holds(
            f"The removed wheels weigh nothing: **{say.grown('step-3/wheels', 'step-3/wheels-copied')} in transfer**."
        )
    return no_longer(
        "The `rm` is too late. The wheels are in the layer of `COPY`: "
        f"**{say.size('step-3/wheels-copied', 'wasted')}** ship and are never seen. Mount the wheels while they are "
        "installed (`RUN --mount=type=bind,from=…`): then they are in no layer."
    )


@claim(
    short="Remove the package manager's lists",
    says="Tip #5: Remove package manager cache",
    who="Docker's blog, Intro Guide to Dockerfile Best Practices",
    when="2019-07",
    url="https://blog.docker.com/2019/07/intro-guide-to-dockerfile-best-practices/",
)
def clean_apt_lists(facts: Facts, say: Say) -> Told:
    if facts.size("folklore-apt-lists/kept") - facts.size("folklore-apt-lists/removed") > 5e6:
        return holds(
            "`rm -rf /var/lib/apt/lists/*`, in the line that installs, saves "
            f"**{say.saved('folklore-apt-lists/kept', 'folklore-apt-lists/removed')} in transfer** and "
            f"{say.saved('folklore-apt-lists/kept', 'folklore-apt-lists/removed', 'unpacked')} unpacked, whatever you "
            "install."
        )
    if facts.size("folklore-apt-lists/kept") - facts.size("folklore-apt-lists/removed") > 1e6:
        return depends(
            "It depends on how much else you ship: it saves "
            f"**{say.saved('folklore-apt-lists/kept', 'folklore-apt-lists/removed')} in transfer**."
        )
    return no_longer(f"It saves **{say.saved('folklore-apt-lists/kept', 'folklore-apt-lists/removed')} in transfer**.")


@claim(
    short="`--no-cache-dir` saves space",
    says="use `--no-cache-dir` flag to `pip` in dockerfiles to save space",
    who="Pratik Raj (Rajpratik71), the title of pull request 65 of DataDog/docker-library, and of many elsewhere",
    when="2020-08-25",
    url="https://github.com/DataDog/docker-library/pull/65",
)
def pip_no_cache_dir(facts: Facts, say: Say) -> Told:
    if facts.size("folklore-pip-cache/kept") > 1.05 * facts.size("folklore-pip-cache/none"):
        return holds(
            "For Flask, gunicorn and NumPy it saves "
            f"**{say.saved('folklore-pip-cache/kept', 'folklore-pip-cache/none')} in transfer** and "
            f"{say.saved('folklore-pip-cache/kept', 'folklore-pip-cache/none', 'unpacked')} unpacked. The cache holds "
            "pip's downloads, which are packed already, so compressing the layer does not help. A cache mount saves "
            "the same, and keeps the downloads for the next build."
        )
    if facts.size("folklore-pip-cache/kept") > facts.size("folklore-pip-cache/none") + 100e3:
        return depends(
            "It depends on what you install: here it saves "
            f"**{say.saved('folklore-pip-cache/kept', 'folklore-pip-cache/none')} in transfer**."
        )
    return no_longer(f"It saves **{say.saved('folklore-pip-cache/kept', 'folklore-pip-cache/none')} in transfer**.")


@claim(
    short="Every `RUN` line makes the image larger",
    says="Every RUN command will create a new layer, and every new layer increases the size of the final image",
    who="nfsec, in pull request 1555 of sherlock-project/sherlock",
    when="2022-10-14",
    url="https://github.com/sherlock-project/sherlock/pull/1555",
)
def every_layer_costs(facts: Facts, say: Say) -> Told:
    if facts.size("folklore-layers/many") - facts.size("folklore-layers/one") > 1e6:
        return holds(
            f"The same commands in many lines are **{say.grown('folklore-layers/one', 'folklore-layers/many')} in "
            "transfer**."
        )
    return no_longer(
        "The same commands as nine `RUN` lines and as one differ by "
        f"**{say.grown('folklore-layers/one', 'folklore-layers/many')} in transfer**. A layer that adds files costs "
        "headers. A later layer that changes or deletes files of an earlier one costs more: see "
        "[chown](#chown-doubles)."
    )


@claim(
    short="Squashing makes an image smaller",
    says="Using docker-squash for smaller images",
    who="scalefactory.com, the title of a post",
    when="2023-10-19",
    url="https://scalefactory.com/blog/2023/10/19/using-docker-squash-for-smaller-images/",
)
def squash(facts: Facts, say: Say) -> Told:
    if facts.size("step-3", "wasted") > 0.05 * facts.size("step-3", "unpacked_file_bytes"):
        return holds(
            f"It can save something: **{say.size('step-3', 'wasted')}** of a careful image ship and are never seen."
        )
    if facts.size("step-3/chown", "wasted") > 0.05 * facts.size("step-3/chown", "unpacked_file_bytes"):
        return depends(
            "It depends on the bytes that your layers hide, because squashing can save nothing else. A careful image "
            f"hides {say.size('step-3', 'wasted')} in the layers that are yours. With one `chown` in the wrong place, "
            f"it hides **{say.size('step-3/chown', 'wasted')}**. Moving that line is the better cure: a squashed layer "
            "is shared with no other image, and is pulled whole after each change."
        )
    return no_longer(
        f"It can save nothing: layers hide {say.size('step-3', 'wasted')}, and with a `chown` in the wrong place "
        f"**{say.size('step-3/chown', 'wasted')}**."
    )


@claim(
    short="curl for a health check adds fifty megabytes",
    says="On a Debian-based slim image, it's even worse, potentially adding 50-100MB of dependencies",
    who="devopsroles.com, of curl for health checks",
    when="undated",
    url="https://www.devopsroles.com/?p=10494",
)
def curl_for_health_checks(facts: Facts, say: Say) -> Told:
    if facts.size("folklore-curl/curl", "unpacked") - facts.size("folklore-curl/python", "unpacked") > 50e6:
        return holds(
            f"curl and its libraries are **{say.grown('folklore-curl/python', 'folklore-curl/curl', 'unpacked')} "
            "unpacked**. Python can ask the question by itself."
        )
    return no_longer(
        f"curl and its libraries are **{say.grown('folklore-curl/python', 'folklore-curl/curl', 'unpacked')} "
        f"unpacked** and {say.grown('folklore-curl/python', 'folklore-curl/curl')} in transfer. The advice to do "
        "without curl is good all the same: a health check in Python adds no byte. Each check takes some time of the "
        f"processor: {say.seconds('folklore-curl/urllib', 'probe_seconds')} with `urllib`, which a slim image has "
        "without bytecode. With the part of `socket` that is written in C it takes "
        f"{say.seconds('folklore-curl/python', 'probe_seconds')}, and with curl "
        f"{say.seconds('folklore-curl/curl', 'probe_seconds')}."
    )
