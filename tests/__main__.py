"""Run the tests in phases, each timed: `test-fast` (no image), `test` (for everybody, and CI), `test-all` (everything).

Tests that carry one of the markers which pyproject.toml lists are run by `test-all` alone.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path

import pytest

from measure.base.errors import Problem
from measure.base.files import ROOT, shown
from measure.build.choosing import kind_here
from measure.build.engine import environment_of
from measure.record import tested
from tests.goes import Goes
from tests.together import VARIABLE, hear_interrupts

BIN = Path(sys.executable).parent
EVERYTHING = "test-all"
#: Nothing is silent for longer than these seconds.
SILENCE = 30
#: Seconds from which on a test is recorded by its name.
SLOW = 5
#: Hundreds of commands begin in the tests: each finds bytecode, also where the machine's own setting is to write none.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
ENVIRONMENT["PYTHONPYCACHEPREFIX"] = str(ROOT / ".venv/bytecode")


def markers() -> list[str]:
    """The markers of what `make test` leaves out, as pyproject.toml lists them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    return [line.partition(":")[0] for line in settings["markers"]]


def selection(run: str) -> list[str]:
    """What pytest is told to select, in a run."""
    return [] if run == EVERYTHING else ["-m", f"not ({' or '.join(markers())})"]


def shellcheck() -> str:
    """Where shellcheck is: in .venv, or, on a processor for which no wheel brings it, where the system has it."""
    if found := shutil.which("shellcheck", path=f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"):
        return found
    sys.exit("✗ shellcheck is not there.\n  No wheel brings it for this processor.\n  Next: apt-get install shellcheck")


def actionlint(*workflows: str) -> list[str]:
    """The command that checks GitHub Actions workflows, and with shellcheck what their steps run."""
    return [str(BIN / "actionlint"), "-shellcheck", shellcheck(), "-pyflakes=", *workflows]


def lint() -> list[list[str]]:
    """The commands that look at files and run none of them."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    # Those below manners/ are as people write them; what an exercise gives to mend is not mended yet.
    left_out = re.compile(r"^tests/manners/|/start/")
    dockerfiles = [f for f in tracked if f.endswith("Dockerfile") and not left_out.search(f)]
    scripts = (".ci/run", "lab/bases/alpine/sbin/apk", "lab/bases/debian/usr/sbin/policy-rc.d")
    shell = [f for f in tracked if f.endswith(".sh") or f in scripts]
    naive = [f for f in dockerfiles if f.endswith("naive.Dockerfile")]
    split = ["lab/bases/golang-1.27-trixie.Dockerfile"]
    return [
        [str(BIN / "ruff"), "check"],
        [str(BIN / "ruff"), "format", "--check"],
        [str(BIN / "lint-imports"), "--no-cache"],
        [str(BIN / "hadolint"), *(f for f in dockerfiles if f not in naive and f not in split)],
        # A command says which package a platform needs: none, on one.
        [str(BIN / "hadolint"), "--ignore=SC2046", *split],
        # A naive Dockerfile leaves pip's cache in the image, and pins nothing: that is what it teaches.
        [str(BIN / "hadolint"), "--ignore=DL3042", "--ignore=DL3013", *naive],
        [shellcheck(), *shell],
        actionlint(*(f for f in tracked if f.startswith(".github/workflows/"))),
    ]


#: Of the tests with images, those that make them anew or change what is around them: they take as long as all others.
MADE = [
    f"tests/images/test_{name}.py"
    for name in ("builders", "checkouts", "exact", "exercises", "machines", "make_step", "newer_client", "student")
]
#: The files of tests of each phase; lint has none.
PHASES = {
    "lint": [],
    "unit": ["tests/unit"],
    "lab": ["tests/lab"],
    "making": MADE,
    "images": ["tests/images", *(f"--ignore={name}" for name in MADE)],
    "site": [f"tests/docs/test_{name}.py" for name in ("blocks", "site", "prose", "advice")],
    "docs": ["tests/docs"],
}
#: Phases one after another; those in a tuple at the same time, so that each keeps one processor busy.
RUNS = {
    "test-fast": ("lint", ("unit", "site")),
    "test": ("lint", ("docs", "unit"), ("images", "making")),
    EVERYTHING: ("lint", ("lab", "unit"), ("images", "making"), "docs"),
}


def commands(phase: str, run: str, goes: Goes) -> list[list[str]]:
    """The commands of a phase of a run. Those with images tell each test as it begins: one may take minutes."""
    if not PHASES[phase]:
        return lint()
    done = goes.tests(phase).reports
    (left_out := goes.now / f"{phase}.done").write_text("\n".join(done))
    verbose = ["--verbose"] if phase in ("lab", "making", "images", "docs") else []
    options = [
        "--durations=0",
        f"--durations-min={SLOW}",
        *verbose,
        *selection(run),
        f"--report-log={goes.begin(phase)}",
    ]
    options += [f"--left-out={left_out}"] if done else []
    return [[sys.executable, "-m", "pytest", *options, *PHASES[phase]]]


class Phase:
    """A phase of a run, and what came of it."""

    def __init__(self, name: str, run: str, goes: Goes) -> None:
        self.name, self.run, self.goes = name, run, goes
        self.seconds, self.codes, self.printed = 0.0, [], ""

    def shown(self) -> Iterator[str]:
        """Run the phase's commands, all of them; yields what they print, and in a long silence that they go on."""
        begun = time.monotonic()
        yield f"== {self.name}\n"
        for command in commands(self.name, self.run, self.goes):
            pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
            environment = ENVIRONMENT | {VARIABLE: str(self.goes.now)}
            with subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) as process:
                text = codecs.getincrementaldecoder("utf-8")("replace")
                while True:
                    if not select.select([process.stdout], [], [], SILENCE)[0]:
                        yield f"\n… {self.name} goes on: {time.monotonic() - begun:.0f} s so far\n"
                    elif data := os.read(process.stdout.fileno(), 1 << 16):
                        told = text.decode(data)
                        self.printed += told
                        yield told
                    else:
                        break
            self.codes.append(process.returncode)
            if self.was_stopped:
                raise KeyboardInterrupt  # somebody stopped pytest alone: the run is not over
        self.seconds = time.monotonic() - begun

    @property
    def was_stopped(self) -> bool:
        """Was pytest stopped? It ends with the same code when it cannot collect a test."""
        stopped = PHASES[self.name] and self.codes[-1] == pytest.ExitCode.INTERRUPTED
        return bool(stopped) and not self.goes.tests(self.name).uncollected

    @property
    def wrong(self) -> dict[str, str]:
        """What is said of each test that failed, in this go or in one before."""
        return self.goes.tests(self.name).failed

    def result(self) -> tested.Phase:
        """What came of it, by what pytest reported. That nothing is left to run is no fault."""
        tests = self.goes.tests(self.name)
        if PHASES[self.name]:
            failed = len(tests.failed)
            passed = len(tests.reports.keys() - tests.failed.keys() - tests.skipped.keys())
        else:
            failed = sum(map(bool, self.codes))
            passed = len(self.codes) - failed
        nothing_left = pytest.ExitCode.NO_TESTS_COLLECTED if tests.reports else 0
        return tested.Phase(
            name=self.name,
            seconds=round(self.goes.taken(self.name) or self.seconds, 1),
            ok=not failed and all(code in (0, nothing_left) for code in self.codes),
            passed=passed,
            failed=failed,
            skipped=[tested.Skipped(reason=reason, tests=n) for reason, n in Counter(tests.skipped.values()).items()],
            slow={name: round(seconds, 2) for name, seconds in tests.seconds.items() if seconds >= SLOW},
        )

    @property
    def left_out(self) -> int:
        """How many tests of the phase's files were not selected."""
        if self.run == EVERYTHING:
            return 0
        found = re.findall(r"^=.* (\d+) deselected", self.printed, re.MULTILINE)
        return int(found[-1]) if found else 0


def summary(run: str, done: list[Phase], seconds: float) -> list[str]:
    """What is said in the end: what failed, what was skipped and why, and what each phase took."""
    results = [phase.result() for phase in done]
    lines = [f"== {run}", *(f"FAILED {name} - {said}"[:500] for one in done for name, said in one.wrong.items())]
    lines += [f"skipped in {one.name}, {skip.tests}: {skip.reason}" for one in results for skip in one.skipped]
    for phase, one in zip(done, results, strict=True):
        counts = {"passed": one.passed, "failed": one.failed, "skipped": sum(skip.tests for skip in one.skipped)}
        counts[f"left to make {EVERYTHING}"] = phase.left_out
        words = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
        lines.append(f"{one.name:8} {one.seconds:6.0f} s  {'ok' if one.ok else 'FAILED':6}  {words}")
    return [*lines, f"{'all':8} {seconds:6.0f} s"]


def git(*words: str) -> str:
    """What git prints."""
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


@contextlib.contextmanager
def goes_of(run: str, commit: str, environment: str, *, dirty: bool) -> Iterator[Goes]:
    """The goes of a run. One of everything goes on where it was stopped, where what is tested has a name: a commit."""
    if run == EVERYTHING and not dirty:
        goes = Goes.of(commit, environment)
        if goes.earlier:
            known = sum(len(goes.tests(phase).reports) for phase in PHASES)
            print(f"This run was stopped before: {known} tests of {commit[:12]} are not run again.", flush=True)
        try:
            yield goes
        except KeyboardInterrupt:
            print(f"\nStopped. make {EVERYTHING} goes on where it was, while the commit is the same.", flush=True)
            raise
        goes.forget()
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Goes(Path(folder))


def main() -> int:
    """Run the phases of a run; go on after a failure, so that one run shows every fault. Returns the exit code."""
    hear_interrupts()
    run = sys.argv[1] if len(sys.argv) > 1 else "test-fast"
    commit = git("rev-parse", "HEAD")
    # That it is recorded is no change of what is tested.
    dirty = bool(git("status", "--porcelain", "--", ".", ":!results/*/tests.json"))
    environment = environment_of(kind_here())
    with goes_of(run, commit, environment, dirty=dirty) as goes:
        done: list[Phase] = []
        for group in RUNS[run]:
            first, *others = [Phase(one, run, goes) for one in ([group] if isinstance(group, str) else group)]
            with ThreadPoolExecutor() as pool:
                beside = [pool.submit(lambda phase: list(phase.shown()), phase) for phase in others]
                for text in first.shown():
                    print(text, end="", flush=True)
                for phase, told in zip(others, beside, strict=True):
                    while not wait([told], SILENCE).done:
                        print(f"… {phase.name} goes on", flush=True)
                    print(*told.result(), sep="", end="", flush=True)
            done += [first, *others]
        print(*summary(run, done, goes.seconds), sep="\n", flush=True)
        results = [phase.result() for phase in done]
        passed = all(one.ok for one in results)
        if run == EVERYTHING:
            begun = datetime.fromtimestamp(goes.first, UTC).replace(microsecond=0)
            wrong = [name for phase in done for name in phase.wrong]
            record = tested.TestRun(environment=environment, begun_at=begun, commit=commit, dirty=dirty, passed=passed,
                                    goes=len(goes.earlier) + 1, seconds=round(goes.seconds, 1), phases=results,
                                    wrong=wrong)  # fmt: skip
            print(f"{tested.save(record).told} Recorded in {shown(tested.path(environment))}.")
    return 0 if passed else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Problem as problem:
        problem.show()
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
