"""Phases at the same time: who waits for whom, and who leaves the engine as it was; no file of tests is forgotten."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from python_on_whales.exceptions import DockerException

from measure.base.files import ROOT
from measure.run import probe
from tests import together
from tests.__main__ import PHASES, RUNS
from tests.conftest import left_of_runs

#: A phase: tests of so many seconds, one after another. It writes when each began and ended.
PHASE = """
import sys, time
from tests import together
together.PATIENCE = 0  # the phases beside this test keep the machine busy
alone = sys.argv[1] == "alone"
for _ in range(int(sys.argv[2])):
    with together.turn(alone=alone):
        begun = time.monotonic()
        time.sleep(float(sys.argv[3]))
        print(begun, time.monotonic())
"""
#: A phase with an engine that is started for it, if need be, and stopped. It says what it does.
ENGINE = """
import sys, time
from pathlib import Path
from tests.together import as_it_was
said = Path(sys.argv[1])
def say(word):
    with said.open("a") as file: file.write(word + "\\n")
with as_it_was(lambda: say("started") or [True, "before"], lambda before: say(f"stopped {before}")):
    say("here")
    while said.read_text().count("here") < 2: time.sleep(0.02)
    time.sleep(float(sys.argv[2]))
    say("gone")
"""


@pytest.fixture
def begin(tmp_path):
    """Begins programs that share a folder."""
    started = []

    def call(code: str, *words: object) -> subprocess.Popen:
        command = [sys.executable, "-c", code, *map(str, words)]
        environment = {"PATH": "", "PYTHONPATH": str(ROOT), together.VARIABLE: str(tmp_path)}
        started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield call
    for process in started:
        process.kill()
        process.communicate()


def spans(process: subprocess.Popen) -> list[tuple[float, ...]]:
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return [tuple(map(float, line.split())) for line in out.splitlines()]


def overlap(ones, others) -> bool:
    return any(begun < end and start < ended for begun, ended in ones for start, end in others)


def test_tests_of_two_phases_run_at_the_same_time(begin):
    first, second = begin(PHASE, "beside", 5, 0.4), begin(PHASE, "beside", 5, 0.4)
    assert overlap(spans(first), spans(second))


def test_a_test_that_is_alone_has_the_machine_and_gets_it_soon(begin):
    busy, alone = begin(PHASE, "beside", 80, 0.05), begin(PHASE, "alone", 3, 0.2)
    others, mine = spans(busy), spans(alone)
    assert not overlap(mine, others)
    assert mine[0][0] < others[-1][0], "it did not wait until the other phase was over"


def test_tests_that_are_alone_one_after_another_wait_for_the_other_phase_once(begin):
    code = PHASE.replace("alone=alone)", "alone=alone, next_alone=number < 2)").replace("for _ in", "for number in")
    busy, alone = begin(PHASE, "beside", 10, 0.4), begin(code, "alone", 3, 0.1)
    others, mine = spans(busy), spans(alone)
    assert not overlap(mine, others)
    assert not any(mine[0][0] < begun < mine[-1][1] for begun, _ in others), "one of the other phase came between"
    assert mine[-1][1] < others[-1][0], "and then the other phase goes on"


def test_a_test_that_is_alone_begins_when_the_machine_is_quiet_or_when_it_has_waited_long_enough(monkeypatch, tmp_path):
    monkeypatch.setenv(together.VARIABLE, str(tmp_path))
    seen, clock = iter([90.0, 35.5, 3.0, 90.0]), iter(range(1000))
    monkeypatch.setattr(together, "psutil", SimpleNamespace(cpu_percent=lambda interval: next(seen)))
    monkeypatch.setattr(together, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with together.turn(alone=False):
        pass
    with together.turn(alone=True):
        assert list(seen) == [90.0]
    monkeypatch.setattr(together, "psutil", SimpleNamespace(cpu_percent=lambda interval: 100.0))
    begun = next(clock)
    with together.turn(alone=True):
        assert together.PATIENCE <= next(clock) - begun <= together.PATIENCE + 5


def test_the_first_one_finds_the_engine_and_the_last_one_leaves_it_as_it_was(begin, tmp_path):
    (said := tmp_path / "said").touch()
    one, other = begin(ENGINE, said, 0), begin(ENGINE, said, 0.5)
    assert (one.wait(60), other.wait(60)) == (0, 0)
    assert said.read_text().split("\n")[:-1] == ["started", "here", "here", "gone", "gone", "stopped [True, 'before']"]
    assert not (tmp_path / "here.json").exists(), "the next phase begins anew"


def test_one_that_nobody_named_a_folder_is_alone(monkeypatch):
    monkeypatch.delenv(together.VARIABLE, raising=False)
    together._own.cache_clear()
    one = together.folder()
    assert one.is_dir()
    together._own.cache_clear()
    assert together.folder() != one
    assert not one.exists(), "and nothing of it is left"


def collected(phase: str, folder: Path) -> set[str]:
    ignored = {word.removeprefix("--ignore=") for word in PHASES[phase] if word.startswith("--ignore=")}
    named = [ROOT / word for word in PHASES[phase] if not word.startswith("-")]
    files = [file for path in named for file in ([path] if path.is_file() else path.glob("test_*.py"))]
    return {file.name for file in files if file.parent == folder} - {Path(name).name for name in ignored}


@pytest.mark.parametrize("run", ["test", "test-all"])
def test_each_file_of_tests_is_in_one_phase_of_a_run(run):
    phases = [phase for group in RUNS[run] for phase in ([group] if isinstance(group, str) else group)]
    for name in ("images", "unit", "docs"):
        folder = ROOT / "tests" / name
        found = [file for phase in phases for file in collected(phase, folder)]
        assert sorted(found) == sorted(file.name for file in folder.glob("test_*.py"))


class Listed:
    """A container as the engine lists it, without what it says when it is asked for more."""

    def __init__(self, name: str, error: DockerException | None = None) -> None:
        self.name, self.error = name, error

    @property
    def config(self) -> SimpleNamespace:
        if self.error:
            raise self.error
        return SimpleNamespace(labels={probe.LABEL: "0"})


def failed(words: bytes) -> DockerException:
    return DockerException(["docker", "container", "inspect"], 1, stderr=words)


def test_what_is_removed_after_it_was_listed_is_not_left(monkeypatch):
    """The phase beside this one starts and stops containers all the time."""
    monkeypatch.delenv(together.VARIABLE, raising=False)
    none = SimpleNamespace(list=lambda **_: [])

    def left(*containers: Listed) -> list[str]:
        docker = SimpleNamespace(container=SimpleNamespace(list=lambda **_: containers), network=none, volume=none)
        return left_of_runs(SimpleNamespace(docker=docker))

    gone = Listed("gone", failed(b"Error: No such container: gone"))
    assert left(gone, Listed("there"), gone) == ["there"]
    with pytest.raises(DockerException):
        left(Listed("unknown", failed(b"Cannot connect to the Docker daemon")))
