"""A builder's log, read while it is written."""

import io
import sys

import pytest
from rich.console import Console

from lab import tree
from measure.base import progress
from measure.base.buildlog import Follower, official
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

#6 [python-3-14 linux/arm64 source 2/7] RUN make
#6 3.1 #99 DONE 1.0s
#6 ...

#7 [debian-trixie-slim linux/arm64 1/3] ADD rootfs-arm64.tar /
#7 CACHED

#8 [debian-trixie-slim] exporting to image
#8 exporting layers 15.5s done
"""
EXPORTED = """#8 DONE 19.6s

#9 [debian-trixie-slim] pushing somewhere with docker
#9 DONE 0.1s
"""


@pytest.fixture
def said(cache, monkeypatch):
    """What is said without a terminal."""
    board = progress.Board(Console(file=io.StringIO(), width=200))
    monkeypatch.setattr(progress, "board", board)
    return board.console.file


def followed(text: str) -> dict[str, tuple[str, str]]:
    """Where each image is that is being built; the log comes in pieces that end anywhere."""
    whole = progress.board.begin("Building")
    follower = Follower(whole)
    for begin in range(0, len(text), 7):
        follower.feed(text[begin : begin + 7].encode())
    found = {task.name: (task.step, task.doing) for task in progress.board.tasks}
    follower.close()
    progress.board.end(whole)
    return found


def test_it_says_which_image_is_at_which_step_on_which_platform_until_it_is_exported(said):
    found = followed(LOG)
    assert found["python:3.14"] == ("linux/arm64 source step 2 of 7", "RUN make")
    assert found["debian:trixie-slim"] == ("exporting", "")
    assert {*followed(LOG + EXPORTED)} == {"Building", "python:3.14"}
    one = followed("#0 building with x\n#4 [2/14] RUN make\n#5 [source 3/6] RUN make install\n")
    assert one == {"Building": ("source step 3 of 6", "RUN make install")}
    assert followed("fetching\n40 %") == {"Building": ("", "40 %")}


@pytest.mark.parametrize(
    ("slug", "name"),
    [("python-3-14-slim", "python:3.14-slim"), ("postgres-17", "postgres:17"), ("apk-packages", "apk:packages")],
)
def test_names(slug, name):
    assert official(slug) == name


def test_a_command_is_told_image_by_image_and_a_failure_with_its_last_lines(tmp_path, said):
    def logged(text: str, code: int = 0) -> list[str]:
        (tmp_path / "text").write_text(text)
        script = f"import sys; sys.stdout.write(open({str(tmp_path / 'text')!r}).read()); sys.exit({code})"
        before = len(said.getvalue().splitlines())
        tree.run_logged([sys.executable, "-c", script], tmp_path / "log", what="Building")
        return [line.split(",")[0] for line in said.getvalue().splitlines()[before:]]

    assert logged(LOG + EXPORTED) == [
        "· Building …", "· debian:trixie-slim …", "· python:3.14 …", "· debian:trixie-slim: done", "· Building: done",
    ]  # fmt: skip
    assert len(logged("one\ntwo")) == 2
    with pytest.raises(Problem, match=r"Building failed\.") as problem:
        logged(LOG, code=3)
    assert "rootfs-arm64.tar" in problem.value.why
    assert "done" not in said.getvalue().splitlines()[-1]
    assert progress.board.tasks == []
