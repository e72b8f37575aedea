"""A builder's log, read while it is written."""

import io
import sys

import pytest
from rich.console import Console

from lab import tree
from measure.base import progress
from measure.base.buildlog import BuildLog, official
from measure.base.errors import Problem

LOG = """\
#0 building with "default" instance using docker driver

#1 [internal] load local bake definitions
#1 DONE 0.0s

#2 [debian-trixie-slim internal] load build definition from debian-trixie-slim.Dockerfile
#2 DONE 0.0s

#3 [python-3-14 internal] load build definition from python-3.14.Dockerfile
#3 DONE 0.0s

#4 [debian-trixie-slim linux/amd64 1/3] ADD rootfs-amd64.tar /
#4 DONE 2.1s

#5 [python-3-14 linux/amd64 stage-1 1/7] RUN apt-get update
#5 0.412 Get:1 trixie
#5 ...

#6 [python-3-14 linux/arm64 stage-1 1/7] RUN apt-get update
#6 3.1 #99 DONE 1.0s
#6 ...

#7 [debian-trixie-slim linux/arm64 1/3] ADD rootfs-arm64.tar /
#7 CACHED
"""
EXPORTED = """
#8 [debian-trixie-slim] exporting to image
#8 exporting layers 15.5s done
#8 DONE 19.6s

#9 [debian-trixie-slim] pushing somewhere with docker
#9 DONE 0.1s
"""


def read(text: str) -> BuildLog:
    log = BuildLog()
    for line in text.splitlines():
        log.feed(line)
    return log


def test_it_says_which_image_is_at_which_step_on_which_platform():
    log = read(LOG)
    debian, python = log.targets["debian-trixie-slim"], log.targets["python-3-14"]
    assert (debian.name, python.name) == ("debian:trixie-slim", "python:3.14")
    assert python.step == "linux/amd64 step 1 of 7, linux/arm64 step 1 of 7"
    assert python.doing == "RUN apt-get update"
    assert debian.step == "" and not debian.done


def test_an_image_is_done_when_it_is_exported():
    debian = read(LOG + EXPORTED).targets["debian-trixie-slim"]
    assert debian.done and debian.step == ""
    begun = read(LOG + "\n#8 [debian-trixie-slim] exporting to image\n#8 exporting layers").targets
    assert begun["debian-trixie-slim"].step == "exporting" and not begun["debian-trixie-slim"].done
    assert not read(LOG + EXPORTED).targets["python-3-14"].done


def test_one_image_for_one_platform_has_neither_name_nor_platform():
    log = read("#0 building with x\n#4 [2/14] RUN make\n#5 [source 3/6] RUN make install")
    assert list(log.targets) == [""]
    assert log.targets[""].step == "step 2 of 14, source step 3 of 6"


def test_a_step_that_two_images_share_ends_in_both():
    shared = LOG + "\n#4 [python-3-14 linux/amd64 1/3] ADD rootfs-amd64.tar /\n#5 ERROR: no\n#6 CANCELED\n#4 DONE 2.1s"
    assert [target.running for target in read(shared).targets.values()] == [{}, {}]


def test_what_came_from_the_cache_says_nothing_about_time():
    line = "#{0} [python-3-14 {0}/9] RUN x\n#{0} {1}\n"
    name = "#0 building\n#99 [python-3-14 internal] load build definition from x\n"
    for cached, whole in ((2, False), (1, False), (3, True)):
        how = ["CACHED"] * cached + ["DONE 1.0s"] * (4 - cached)
        log = read(name + "".join(line.format(number + 1, end) for number, end in enumerate(how)))
        assert log.targets["python-3-14"].from_cache is whole


@pytest.mark.parametrize(
    ("slug", "name"),
    [("python-3-14-slim", "python:3.14-slim"), ("postgres-17", "postgres:17"), ("apk-packages", "apk:packages")],
)
def test_names(slug, name):
    assert official(slug) == name


@pytest.fixture
def said(monkeypatch, tmp_path):
    """What is said without a terminal."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    board = progress.Board(Console(file=io.StringIO(), width=200))
    monkeypatch.setattr(progress, "board", board)
    return board.console.file


def logged(tmp_path, text: str, code: int = 0) -> None:
    (tmp_path / "text").write_text(text)
    script = f"import sys; sys.stdout.write(open({str(tmp_path / 'text')!r}).read()); sys.exit({code})"
    tree.run_logged([sys.executable, "-c", script], tmp_path / "log", what="Building")


def test_a_command_that_writes_a_builders_log_is_told_image_by_image(tmp_path, said):
    logged(tmp_path, LOG + EXPORTED)
    begun_and_done = [line.split(",")[0] for line in said.getvalue().splitlines()]
    assert begun_and_done == [
        "· Building …", "· debian:trixie-slim …", "· python:3.14 …", "· debian:trixie-slim: done", "· Building: done",
    ]  # fmt: skip
    assert progress.board.tasks == []


def test_any_other_is_told_as_a_whole_and_a_failure_with_its_last_lines(tmp_path, said):
    logged(tmp_path, "one\ntwo")
    assert len(said.getvalue().splitlines()) == 2
    with pytest.raises(Problem, match=r"Building failed\.") as problem:
        logged(tmp_path, LOG, code=3)
    assert "rootfs-arm64.tar" in problem.value.why
    assert "done" not in said.getvalue().splitlines()[-1]
    assert progress.board.tasks == []
