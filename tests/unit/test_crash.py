"""No record is half-written or lost, whenever the writer is killed and however many write at once."""

import random
import signal
import subprocess
import sys
import time

from measure.base.files import ROOT
from measure.record.records import parse

#: Writes two records in turn, as fast as it can, into the folder it is given; from "ready" on, one is there. It ends by
#: itself after a while.
WRITER = """
import sys, time
from pathlib import Path
from measure.record import records
from tests.handmade import contents, record, size
records.RESULTS = Path(sys.argv[1])
packages = [{"name": f"package-{n}", "version": "1"} for n in range(400)]
states = [record(size=size(n), contents=contents(os_packages=packages)) for n in (1, 2)]
end = time.monotonic() + float(sys.argv[2])
records.save(states[0])
print("ready", flush=True)
while time.monotonic() < end:
    for state in states:
        records.save(state)
"""


#: For a process to end that was told to, or is about to: more than a busy machine needs.
SECONDS = 120


def writers(folder, seconds: float, count: int = 1) -> list[subprocess.Popen]:
    """Writers that have begun, all of them, some at the same time."""
    command = [sys.executable, "-c", WRITER, str(folder), str(seconds)]
    children = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    assert [child.stdout.readline() for child in children] == ["ready\n"] * count
    return children


def whole(folder) -> int:
    """Transfer size in the one record below a folder; fails when it is not whole."""
    (path,) = folder.rglob("*.json")
    record = parse(path.read_text(), path.name)
    assert len(record.contents.os_packages) == 400
    return record.size.transfer_bytes


def test_kill_9_at_any_moment_leaves_the_old_record_or_the_new_one(tmp_path):
    chance = random.Random(3)
    for _ in range(12):
        (child,) = writers(tmp_path, SECONDS)
        time.sleep(0.02 + chance.random() * 0.1)
        child.send_signal(signal.SIGKILL)
        child.wait(timeout=SECONDS)
        assert whole(tmp_path) in (1, 2)
    left = len(list(tmp_path.rglob("*.partial")))
    assert left <= 1, "each writer clears away what the one before it left"
    assert writers(tmp_path, 0.2)[0].wait(timeout=SECONDS) == 0
    assert list(tmp_path.rglob("*.partial")) == []


def test_two_writers_at_once_and_a_reader_never_see_half_a_record(tmp_path):
    children = writers(tmp_path, 5, count=2)
    seen = set()
    while any(child.poll() is None for child in children):
        seen.add(whole(tmp_path))
    assert [child.returncode for child in children] == [0, 0]
    assert seen == {1, 2}
    assert list(tmp_path.rglob("*.partial")) == []
