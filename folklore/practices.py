"""Best practices: the list that every guide prints, each with a verdict and a number that are computed from records.

A practice is decided like a claim (measure/tell/folklore.py), and stands on its page alone. What no record decides has
a test, and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath

from folklore.claims.building import dockerignore_gigabytes
from folklore.claims.bytecode import pyc_only_is_smaller
from folklore.claims.cleaning import every_layer_costs
from measure.tell.folklore import Claim, Facts, Rule, Say, Told, badge, decide, depends, holds, no_longer
from measure.tell.page import Page, markdown_table, page_function

#: What a practice is for. Each is a table of the page.
SMALL, FAST, SAFE = "small", "fast", "safe"
#: Every practice as a claim, with the words of its link and where that leads; in the order of the page.
PRACTICES: list[tuple[Claim, str, str]] = []


def practice(aim: str, says: str, where: str, target: str) -> Callable[[Rule], Rule]:
    """Register a rule as the one that decides a practice; `target` is a page of the site, with an anchor or without."""

    def register(rule: Rule) -> Rule:
        name = rule.__name__.replace("_", "-")
        whence = {"quoted": False, "who": "every guide", "when": "undated"}
        claim = Claim(id=name, theme=aim, short=says, says=says, rule=rule, **whence)
        PRACTICES.append((claim, where, target))
        return rule

    return register


def as_claimed(rule: Rule, facts: Facts, say: Say, words: str) -> Told:
    """The verdict of a claim's rule, where a practice is what the claim says, told in other words."""
    return Told(rule(facts, say).verdict, words)


@page_function
def practices(page: Page, aim: str) -> str:
    """The practices with one aim, `small`, `fast` or `safe`: a verdict on each, its number, and where more is said."""
    rows = []
    for claim, where, target in PRACTICES:
        if claim.theme == aim:
            one = decide(claim, page)
            verdict = badge(one.verdict) if one.records or one.verdict == "undecided" else "by a test"
            path, _, anchor = target.partition("#")
            link = page.link(PurePosixPath(path)) + (f"#{anchor}" if anchor else "")
            rows.append([claim.says, verdict, one.words, f"[{where}]({link})"])
    return markdown_table(["practice", "verdict", "its number", "more"], rows)


@practice(SMALL, "Begin with slim, and ask whether Alpine pays", "step 4", "steps/step-4.md#the-verdict")
def base_image(facts: Facts, say: Say) -> Told:
    if facts.size("step-4/slim") > 0.8 * facts.size("step-4/full"):
        return no_longer(f"Slim changes the full image by {say.change('step-4/full', 'step-4/slim')}.")
    if facts.size("step-4/alpine-multistage") < 0.95 * facts.size("step-4"):
        return depends(
            f"The full image to slim: {say.change('step-4/full', 'step-4/slim')} in transfer. Slim to Alpine: "
            f"{say.change('step-4', 'step-4/alpine-multistage')}, and another C library."
        )
    return holds(
        f"The full image to slim: {say.change('step-4/full', 'step-4/slim')} in transfer. Slim to Alpine: "
        f"{say.change('step-4', 'step-4/alpine-multistage')}."
    )


@practice(SMALL, "Use two stages", "multi-stage", "guide/multi-stage.md")
def two_stages(facts: Facts, say: Say) -> Told:
    if facts.size("step-3") < 0.8 * facts.size("step-3/export"):
        return holds(f"Even without tools to leave behind: {say.grown('step-3/export', 'step-3')} in transfer.")
    if facts.size("step-3") < 0.8 * facts.size("step-3/single"):
        return depends(
            f"With compilers to leave behind: {say.grown('step-3/single', 'step-3')} in transfer. Without: "
            f"{say.grown('step-3/export', 'step-3')}."
        )
    return no_longer(f"Two stages change one with compilers by {say.grown('step-3/single', 'step-3')}.")


@practice(SMALL, "Make a virtual environment, without pip in it", "step 2", "steps/step-2.md#exercise")
def virtual_environment(facts: Facts, say: Say) -> Told:
    if abs(facts.size("step-2/solution", "unpacked") - facts.size("step-2/no-venv", "unpacked")) < 1e6:
        return holds(
            f"The virtual environment: {say.grown('step-2/no-venv', 'step-2/solution', 'unpacked')} unpacked. The pip "
            f"in it: {say.grown('step-2/solution', 'step-2', 'unpacked')}."
        )
    return depends(f"It costs {say.grown('step-2/no-venv', 'step-2/solution', 'unpacked')} unpacked.")


@practice(SMALL, "Clean up in the line that made the mess", "step 3", "steps/step-3.md#four-ways-to-lose-it-again")
def same_line(facts: Facts, say: Say) -> Told:
    if (
        facts.size("folklore-apt-lists/kept") > facts.size("folklore-apt-lists/removed") + 1e6
        and facts.size("step-3/wheels-copied", "wasted") > 100e3
    ):
        return holds(
            "apt's lists, removed in the line that made them, save "
            f"{say.saved('folklore-apt-lists/kept', 'folklore-apt-lists/removed')} in transfer. Wheels, removed one "
            f"line later, leave {say.size('step-3/wheels-copied', 'wasted')} hidden in the image."
        )
    return no_longer(
        f"It saves {say.saved('folklore-apt-lists/kept', 'folklore-apt-lists/removed')} in transfer, and what is "
        f"removed later hides {say.size('step-3/wheels-copied', 'wasted')}."
    )


@practice(SMALL, "Join `RUN` lines, because each layer costs", "claim", "results/folklore.md#every-layer-costs")
def join_lines(facts: Facts, say: Say) -> Told:
    return as_claimed(
        every_layer_costs, facts, say,
        f"Nine lines against one: {say.grown('folklore-layers/one', 'folklore-layers/many')} in transfer.",
    )  # fmt: skip


@practice(SMALL, "Ship bytecode without sources", "claim", "results/folklore.md#pyc-only-is-smaller")
def bytecode_only(facts: Facts, say: Say) -> Told:
    return as_claimed(
        pyc_only_is_smaller, facts, say,
        f"{say.change('folklore-bytecode/both', 'folklore-bytecode/pyc-only')} in transfer, for tracebacks that show "
        "no code.",
    )  # fmt: skip


@practice(FAST, "Copy the list of packages first, the code last", "step 2", "steps/step-2.md")
def order_of_lines(facts: Facts, say: Say) -> Told:
    if facts.ratio("step-2/naive", "step-2", "edit") > 1.5:
        return holds(
            f"After one line of code: {say.seconds('step-2', 'edit')}. With the code first: "
            f"{say.seconds('step-2/naive', 'edit')}."
        )
    return no_longer(f"{say.seconds('step-2', 'edit')} against {say.seconds('step-2/naive', 'edit')}.")


@practice(FAST, "Write a `.dockerignore`", "Docker", "guide/docker.md#what-the-build-gets-to-see")
def ignore_file(facts: Facts, say: Say) -> Told:
    return as_claimed(
        dockerignore_gigabytes, facts, say,
        f"A clean clone offers {say.size('step-1/naive', 'context_bytes')} without and "
        f"{say.size('step-1', 'context_bytes')} with. Yours has a `.git`, a `.venv` and perhaps a `.env`.",
    )  # fmt: skip


@practice(FAST, "Keep pip's downloads in a cache mount", "speed", "steps/extra-need-for-speed.md#cache-mounts")
def cache_mount(facts: Facts, say: Say) -> Told:
    if facts.ratio("extra-need-for-speed/plain", "extra-need-for-speed/cache-mounts", "compiled") > 1.5:
        return holds(
            f"After one changed package: {say.seconds('extra-need-for-speed/cache-mounts', 'lock')}. Without: "
            f"{say.seconds('extra-need-for-speed/plain', 'lock')}."
        )
    if facts.ratio("extra-need-for-speed/plain", "extra-need-for-speed/cache-mounts", "lock") > 1.2:
        return depends(
            "Where another package is compiled, after one changed package: "
            f"{say.seconds('extra-need-for-speed/cache-mounts', 'lock')}. Without: "
            f"{say.seconds('extra-need-for-speed/plain', 'lock')}."
        )
    return no_longer(
        f"{say.seconds('extra-need-for-speed/cache-mounts', 'lock')} against "
        f"{say.seconds('extra-need-for-speed/plain', 'lock')}."
    )


@practice(FAST, "Compile the standard library to bytecode", "speed", "steps/extra-need-for-speed.md#bytecode")
def compile_library(facts: Facts, say: Say) -> Told:
    if facts.ratio("extra-need-for-speed/plain", "extra-need-for-speed/compiled", "start") > 1.2:
        return depends(
            f"The first answer comes after {say.seconds('extra-need-for-speed/compiled', 'start')}; without, after "
            f"{say.seconds('extra-need-for-speed/plain', 'start')}. The bytecode is "
            f"{say.grown('extra-need-for-speed/plain', 'extra-need-for-speed/compiled')} in transfer."
        )
    return no_longer(
        f"{say.seconds('extra-need-for-speed/compiled', 'start')} against "
        f"{say.seconds('extra-need-for-speed/plain', 'start')}."
    )


@practice(SAFE, "Do not run as root", "step 1", "steps/step-1.md#the-dockerfile-to-copy")
def not_root(facts: Facts, say: Say) -> Told:
    if facts.layer("step-3", "useradd") < 100e3 and facts.size("step-3/chown", "wasted") > 1e6:
        return holds(
            f"The line that adds the user: {say.layer('step-3', 'useradd')}. A `chown` of what it reads: "
            f"{say.grown('step-3', 'step-3/chown', 'unpacked')}, so leave that out."
        )
    return depends(f"The line that adds the user: {say.layer('step-3', 'useradd')}.")


@practice(SAFE, "Pass a secret as a mount", "step 3", "steps/step-3.md#secrets-while-you-build")
def secrets(facts: Facts, say: Say) -> Told:
    return holds("No number. A test builds with a secret, and finds it in no layer, history or setting.")


@practice(SAFE, "Pin versions, with hashes", "step 3", "steps/step-3.md#the-dockerfile-to-copy")
def pins(facts: Facts, say: Say) -> Told:
    return holds("No number: a hash adds nothing to an image. A test changes one, and the build refuses.")


@practice(SAFE, "Keep tests out of production", "multi-stage", "guide/multi-stage.md#named-stages")
def tests_outside(facts: Facts, say: Say) -> Told:
    if facts.size("step-3/targets") < 1.01 * facts.size("step-3"):
        return holds(f"A stage that tests changes the image by {say.grown('step-3', 'step-3/targets')} in transfer.")
    return depends(f"A stage that tests changes the image by {say.grown('step-3', 'step-3/targets')} in transfer.")


@practice(SAFE, "Check health with Python, not curl", "claim", "results/folklore.md#curl-for-health-checks")
def health(facts: Facts, say: Say) -> Told:
    if (
        facts.size("folklore-curl/curl") - facts.size("folklore-curl/python") > 1e6
        and facts.ratio("folklore-curl/urllib", "folklore-curl/python", "probe_seconds") > 2
    ):
        return holds(
            f"curl: {say.grown('folklore-curl/python', 'folklore-curl/curl')} in transfer. A check with `urllib` takes "
            f"{say.seconds('folklore-curl/urllib', 'probe_seconds')} of the processor, with `_socket` "
            f"{say.seconds('folklore-curl/python', 'probe_seconds')}."
        )
    return depends(f"curl: {say.grown('folklore-curl/python', 'folklore-curl/curl')} in transfer.")


@practice(SAFE, "Run one process in a container", "claim", "results/folklore.md#four-workers")
def one_process(facts: Facts, say: Say) -> Told:
    if facts.ratio("folklore-workers/one", "folklore-workers/two", "requests_seconds") > 1.2:
        return depends(
            "One service, yes. Of its workers, one for each processor: a hundred requests take "
            f"{say.seconds('folklore-workers/one', 'requests_seconds')} with one and "
            f"{say.seconds('folklore-workers/two', 'requests_seconds')} with two."
        )
    return holds(
        f"A hundred requests take {say.seconds('folklore-workers/one', 'requests_seconds')} with one worker and "
        f"{say.seconds('folklore-workers/two', 'requests_seconds')} with two."
    )
