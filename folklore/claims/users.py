"""Claims of virtual environments, users and workers: see measure/tell/folklore.py."""

from __future__ import annotations

from measure.tell.folklore import Facts, Say, Told, claims_of, depends, holds, no_longer

claim = claims_of("Environments and users")


@claim(
    short="A virtual environment adds size",
    says=(
        "Using `venv` inside a Docker image adds … extra size: You duplicate Python binaries, pip metadata, and "
        "`.pyc` caches"
    ),
    who="Dmitry Rubinstein, mlops.ninja, You Don't Need venv in Docker (no day, but “in 2025”)",
    when="2025",
    url="https://mlops.ninja/blog/deploy/delivery-units/no-venv-in-docker",
)
def venv_adds_size(facts: Facts, say: Say) -> Told:
    if facts.size("step-2/solution", "unpacked") - facts.size("step-2/no-venv", "unpacked") > 1e6:
        return holds(
            f"Even without a pip of its own it is **{say.grown('step-2/no-venv', 'step-2/solution', 'unpacked')} "
            "unpacked**."
        )
    if facts.size("step-2", "unpacked") - facts.size("step-2/no-venv", "unpacked") > 1e6:
        return depends(
            "It depends on the pip in it. A virtual environment as it is made by default is "
            f"**{say.grown('step-2/no-venv', 'step-2', 'unpacked')} unpacked**. Without its pip it is "
            f"{say.grown('step-2/no-venv', 'step-2/solution', 'unpacked')}: its interpreter is a link, and bytecode is "
            "there once."
        )
    return no_longer(f"It is **{say.grown('step-2/no-venv', 'step-2', 'unpacked')} unpacked**.")


@claim(
    short="`chown` in a layer of its own ships files twice",
    says="docker will duplicate the file content for `chown`",
    who="kcwu, in issue 1 of OsmHackTW/osm-tiles-docker",
    when="2016-12-29",
    url="https://github.com/OsmHackTW/osm-tiles-docker/issues/1",
)
def chown_doubles(facts: Facts, say: Say) -> Told:
    if facts.size("step-3/chown", "wasted") > 0.9 * facts.layer("step-3", "COPY /opt/venv", "unpacked_file_bytes"):
        return holds(
            "A `RUN chown -R` writes every file a second time. Of a folder of "
            f"{say.layer('step-3', 'COPY /opt/venv', field='unpacked_file_bytes')}, "
            f"**{say.size('step-3/chown', 'wasted')} ship twice**. `COPY --chown` costs nothing, and most files need "
            "not belong to the user who reads them."
        )
    return no_longer(
        f"`RUN chown -R` wastes **{say.size('step-3/chown', 'wasted')}** now, of a folder of "
        f"{say.layer('step-3', 'COPY /opt/venv', field='unpacked_file_bytes')}."
    )


@claim(
    short="A user of its own costs nothing",
    says="Don't run as root; a user of its own costs nothing",
    quoted=False,
    who="as one usually hears it",
    when="undated",
)
def non_root_costs_nothing(facts: Facts, say: Say) -> Told:
    if facts.layer("step-3", "useradd") < 100e3:
        return holds(
            f"The line that adds a user is a layer of **{say.layer('step-3', 'useradd')}**. Files that are given to "
            "that user can cost more: see [chown](#chown-doubles)."
        )
    return no_longer(f"The line that adds a user is a layer of **{say.layer('step-3', 'useradd')}**.")


@claim(
    short="Start twice as many workers as processors, and one more",
    says="The formula for number of Gunicorn workers is: (2 x $num_cores) + 1",
    who="hectcastro, in pull request 1703 of azavea/nyc-trees, after gunicorn's documentation",
    when="2015-05-20",
    url="https://github.com/azavea/nyc-trees/pull/1703",
)
def four_workers(facts: Facts, say: Say) -> Told:
    if facts.ratio("folklore-workers/two", "folklore-workers/five", "requests_seconds") > 1.1:
        return holds(
            "On two processors, a hundred requests for some Python take "
            f"{say.seconds('folklore-workers/one', 'requests_seconds')} with one worker and "
            f"{say.seconds('folklore-workers/two', 'requests_seconds')} with two. With the formula's five they take "
            f"**{say.seconds('folklore-workers/five', 'requests_seconds')}**. Most of the gain comes from the second "
            f"worker. Memory grows with each: {say.memory('folklore-workers/one', 'memory-loaded')} for one, "
            f"{say.memory('folklore-workers/five', 'memory-loaded')} for five. The formula counts the machine's "
            "processors, not those that your container may use."
        )
    if facts.ratio("folklore-workers/one", "folklore-workers/five", "requests_seconds") > 1.5:
        return depends(
            "It depends on the work. Where workers compute, one for each processor wins most of it. On two "
            f"processors, a hundred requests take {say.seconds('folklore-workers/one', 'requests_seconds')} with one "
            f"worker and **{say.seconds('folklore-workers/two', 'requests_seconds')} with two**. Two workers take "
            f"{say.ratio(('folklore-workers/two', 'requests_seconds'), ('folklore-workers/five', 'requests_seconds'))} "
            "as long as the formula's five. (One worker also sends the requests here.) Memory grows with each worker: "
            f"{say.memory('folklore-workers/one', 'memory-loaded')} for one, "
            f"{say.memory('folklore-workers/five', 'memory-loaded')} for five. The formula is older than threads in "
            "gunicorn, which are enough where workers only wait. It counts the machine's processors, not those that "
            "your container may use."
        )
    return no_longer(
        f"On two processors, a hundred requests take {say.seconds('folklore-workers/one', 'requests_seconds')} with "
        f"one worker and **{say.seconds('folklore-workers/five', 'requests_seconds')} with five**."
    )
