"""Claims of bytecode: see measure/tell/folklore.py."""

from __future__ import annotations

from measure.tell.folklore import Facts, Say, Told, claims_of, depends, holds, no_longer

claim = claims_of("Bytecode")


@claim(
    says="In most cases PYTHONDONTWRITEBYTECODE saves us nothing at all!",
    who="aleksac.me, Stop putting this into your Python Dockerfiles",
    when="undated",
    url="https://aleksac.me/blog/dont-use-pythondontwritebytecode-in-your-dockerfiles",
)
def dontwritebytecode_saves_nothing(facts: Facts, say: Say) -> Told:
    if facts.size("step-1", "unpacked") - facts.size("step-1/solution", "unpacked") < 1e6:
        return holds(
            "With the variable set while pip runs, the image differs by "
            f"{say.saved('step-1', 'step-1/solution', 'unpacked')} unpacked."
        )
    return no_longer(
        f"Set while pip runs, it saves {say.saved('step-1', 'step-1/solution', 'unpacked')} unpacked and "
        f"{say.saved('step-1', 'step-1/solution')} in transfer. True, pip compiles your packages all the same. "
        "But the official images come without bytecode of the standard library and of pip, and without the variable "
        "a single `pip install` writes it. It has a price: [the start](#bytecode-starts-faster)."
    )


@claim(
    says="python compiles .py code into bytecode … This make startup time, but not runtime, faster",
    who="kence.org, python, bytecode, and read-only containers",
    when="2022-05-23",
    url="https://kence.org/2022/05/23/python-bytecode-and-read-only-containers/",
)
def bytecode_starts_faster(facts: Facts, say: Say) -> Told:
    if (
        facts.ratio("extra-need-for-speed/no-pyc", "extra-need-for-speed/compiled", "start") > 1.2
        and facts.ratio("step-4", "step-4/slim", "python_seconds") < 1.1
    ):
        return holds(
            f"The same image without any bytecode takes {say.seconds('extra-need-for-speed/no-pyc', 'start')} to its "
            "first answer, with that of packages and standard library "
            f"{say.seconds('extra-need-for-speed/compiled', 'start')}. Once it runs, there is no difference: a loop "
            f"takes {say.seconds('step-4', 'python_seconds')} in an image with {say.size('step-4', 'pyc_bytes')} of "
            f"bytecode, and {say.seconds('step-4/slim', 'python_seconds')} in one with "
            f"{say.size('step-4/slim', 'pyc_bytes')}."
        )
    if facts.ratio("extra-need-for-speed/no-pyc", "extra-need-for-speed/compiled", "start") > 1.2:
        return depends(
            f"The start is faster: {say.seconds('extra-need-for-speed/compiled', 'start')} in place of "
            f"{say.seconds('extra-need-for-speed/no-pyc', 'start')}. But so is a loop, which needs another "
            "explanation."
        )
    return no_longer(
        f"{say.seconds('extra-need-for-speed/no-pyc', 'start')} to the first answer without bytecode, "
        f"{say.seconds('extra-need-for-speed/compiled', 'start')} with it."
    )


@claim(
    says="To go a step further .py files could be removed leaving only the .pyc files",
    who="ganguin, in issue 865 of GoogleContainerTools/distroless",
    when="2021-10-12",
    url="https://github.com/GoogleContainerTools/distroless/issues/865",
)
def pyc_only_is_smaller(facts: Facts, say: Say) -> Told:
    if facts.size("folklore-bytecode/pyc-only") < 0.95 * facts.size("folklore-bytecode/both") and facts.size(
        "folklore-bytecode/pyc-only"
    ) < facts.size("folklore-bytecode/sources"):
        return holds(
            f"For Flask, gunicorn and NumPy, {say.change('folklore-bytecode/both', 'folklore-bytecode/pyc-only')} in "
            f"transfer, {say.change('folklore-bytecode/both', 'folklore-bytecode/pyc-only', 'unpacked')} unpacked. "
            "Tracebacks then show no lines of code."
        )
    if facts.size("folklore-bytecode/pyc-only") < 0.99 * facts.size("folklore-bytecode/both"):
        return depends(
            "It depends on which half you would miss. For Flask, gunicorn and NumPy, bytecode alone is "
            f"{say.change('folklore-bytecode/both', 'folklore-bytecode/pyc-only', 'unpacked')} unpacked and "
            f"{say.change('folklore-bytecode/both', 'folklore-bytecode/pyc-only')} in transfer, with tracebacks that "
            "show no code. Sources alone are "
            f"{say.change('folklore-bytecode/both', 'folklore-bytecode/sources', 'unpacked')} and "
            f"{say.change('folklore-bytecode/both', 'folklore-bytecode/sources')}, with a slower start."
        )
    return no_longer(
        f"It is {say.change('folklore-bytecode/both', 'folklore-bytecode/pyc-only', 'unpacked')} unpacked: the sources "
        "were never the weight."
    )
