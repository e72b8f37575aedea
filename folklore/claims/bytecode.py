"""Claims of bytecode: see measure/tell/folklore.py."""

from __future__ import annotations

from measure.tell.folklore import Facts, Say, Told, claims_of, depends, holds, no_longer

claim = claims_of("Bytecode")


@claim(
    short="`PYTHONDONTWRITEBYTECODE` saves nothing",
    says="In most cases PYTHONDONTWRITEBYTECODE saves us nothing at all!",
    who="aleksac.me, Stop putting this into your Python Dockerfiles",
    when="undated",
    url="https://aleksac.me/blog/dont-use-pythondontwritebytecode-in-your-dockerfiles",
)
def dontwritebytecode_saves_nothing(facts: Facts, say: Say) -> Told:
    if facts.size("step-1", "unpacked") - facts.size("step-1/solution", "unpacked") < 1e6:
        return holds(
            "With the variable set while pip runs, the image is "
            f"**{say.saved('step-1', 'step-1/solution', 'unpacked')}** smaller unpacked."
        )
    return no_longer(
        f"Set while pip runs, the variable saves **{say.saved('step-1', 'step-1/solution', 'unpacked')} unpacked** and "
        f"{say.saved('step-1', 'step-1/solution')} in transfer. pip compiles your packages all the same. But the "
        "official images come without bytecode of pip and of the standard library, and a single `pip install` writes "
        "it. The price is a [later start](#bytecode-starts-faster)."
    )


@claim(
    short="Bytecode speeds up the start alone",
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
            f"The same image takes {say.seconds('extra-need-for-speed/no-pyc', 'start')} to its first answer without "
            "any bytecode. With bytecode of packages and standard library it takes "
            f"**{say.seconds('extra-need-for-speed/compiled', 'start')}**. Once the application runs, there is no "
            f"difference. A loop takes {say.seconds('step-4', 'python_seconds')} in an image with "
            f"{say.size('step-4', 'pyc_bytes')} of bytecode. It takes {say.seconds('step-4/slim', 'python_seconds')} "
            f"in one with {say.size('step-4/slim', 'pyc_bytes')}."
        )
    if facts.ratio("extra-need-for-speed/no-pyc", "extra-need-for-speed/compiled", "start") > 1.2:
        return depends(
            f"It depends: the start takes **{say.seconds('extra-need-for-speed/compiled', 'start')} with bytecode** "
            f"and {say.seconds('extra-need-for-speed/no-pyc', 'start')} without. But a loop is faster, too, which "
            "needs another explanation."
        )
    return no_longer(
        f"The first answer comes after {say.seconds('extra-need-for-speed/no-pyc', 'start')} without bytecode and "
        f"**{say.seconds('extra-need-for-speed/compiled', 'start')} with it**."
    )


@claim(
    short="Bytecode without its sources is smaller",
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
            "For Flask, gunicorn and NumPy, bytecode alone is "
            f"**{say.change('folklore-bytecode/both', 'folklore-bytecode/pyc-only')} in transfer** and "
            f"{say.change('folklore-bytecode/both', 'folklore-bytecode/pyc-only', 'unpacked')} unpacked. Tracebacks "
            "then show no lines of code."
        )
    if facts.size("folklore-bytecode/pyc-only") < 0.99 * facts.size("folklore-bytecode/both"):
        return depends(
            "It depends on the half that you would miss. For Flask, gunicorn and NumPy, bytecode alone is "
            f"**{say.change('folklore-bytecode/both', 'folklore-bytecode/pyc-only')} in transfer** and "
            f"{say.change('folklore-bytecode/both', 'folklore-bytecode/pyc-only', 'unpacked')} unpacked, with "
            "tracebacks that show no code. Sources alone are "
            f"{say.change('folklore-bytecode/both', 'folklore-bytecode/sources')} in transfer and "
            f"{say.change('folklore-bytecode/both', 'folklore-bytecode/sources', 'unpacked')} unpacked, with a slower "
            "start."
        )
    return no_longer(
        f"Bytecode alone is **{say.change('folklore-bytecode/both', 'folklore-bytecode/pyc-only', 'unpacked')} "
        "unpacked**: the sources were never the weight."
    )
