"""pip, asked in a container: about real packages, about a hand-made index, and about one that cannot be reached."""

import os

import pytest

from measure.base.errors import Problem
from measure.run import probe
from measure.studies.wheels import asking as wheels
from measure.studies.wheels.model import TARGETS
from tests.conftest import run

pytestmark = pytest.mark.study
#: Writes an index of files, as pip reads it from a folder, and then runs the script that asks.
HANDMADE = """
import pathlib, sys
script, names, index = sys.argv[1], sys.argv[2:], pathlib.Path("/tmp/index")
files = {
    "older": ["older-1.0-cp311-abi3-musllinux_1_1_x86_64.whl", "older-2.0.tar.gz", "older-3.0b1.tar.gz",
              "older-2.0-cp314-cp314-manylinux_2_17_x86_64.whl", "older-2.0-cp314-cp314-manylinux_2_41_aarch64.whl",
              "older-2.0-cp314-cp314-manylinux_2_99_x86_64.whl", "older-2.0-cp313-cp313-musllinux_1_2_aarch64.whl"],
    "bare": ["bare-1.0.tar.gz"],
    "empty": [],
}
for name, found in files.items():
    (index / name).mkdir(parents=True)
    for file in found:
        (index / name / file).write_bytes(b"x" * 1234)
    (index / name / "index.html").write_text("".join(f'<a href="{file}">{file}</a>' for file in found))
sys.argv = ["-", *names]
exec(compile(script, "ask_pip.py", "exec"), {"__name__": "__main__"})
"""


def ask_handmade(engine, *names: str):
    engine.provide([wheels.IMAGE], ["linux/amd64"])
    with probe.named_container(engine) as known_as:
        command = ["timeout", "60", "python", "-c", HANDMADE, wheels.SCRIPT.read_text(), *names]
        environment = {"PIP_INDEX_URL": "file:///tmp/index"}
        return wheels.understand(engine.docker.run(wheels.IMAGE, command, envs=environment, **known_as))


def test_numpy_has_all_four_wheels_and_psycopg2_has_none(engine):
    numpy, psycopg2 = wheels.ask(engine, ["numpy", "psycopg2"])
    assert [numpy.state(*target) for target in TARGETS] == ["yes"] * 4
    for libc, machine in TARGETS:
        wheel = numpy.answer(libc, machine).wheel
        assert wheel.file.startswith(f"numpy-{numpy.latest}-cp314-cp314-{libc}")
        assert wheel.file.endswith(f"_{machine}.whl")
        assert wheel.bytes > 1_000_000
    assert [psycopg2.state(*target) for target in TARGETS] == ["no"] * 4
    assert psycopg2.sdist
    assert psycopg2.answers[0].said == "ERROR: No matching distribution found for psycopg2"
    assert psycopg2.asked.python.startswith("3.14.")


def test_pip_itself_chooses_the_same_file(engine):
    """On this machine's own platform, without a word about tags; and it is as large as was told."""
    (row,) = wheels.ask(engine, ["pyyaml"])
    machine = run("uname", "-m").stdout.strip()
    wheel = row.answer("manylinux", machine).wheel
    script = "pip download -q --no-deps --only-binary :all: -d /tmp/x pyyaml && cd /tmp/x && stat -c '%n %s' *"
    with probe.named_container(engine) as known_as:
        seen = engine.docker.run(wheels.IMAGE, ["sh", "-c", script], **known_as)
    assert seen == f"{wheel.file} {wheel.bytes}"


def test_old_wheels_unfit_ones_prereleases_and_sdists_are_told_apart(engine):
    older, bare = ask_handmade(engine, "older", "bare")
    assert older.latest == "2.0"
    assert older.sdist
    assert [older.state(*target) for target in TARGETS] == ["yes", "yes", "old", "no"]
    assert older.answer("manylinux", "x86_64").wheel.file == "older-2.0-cp314-cp314-manylinux_2_17_x86_64.whl"
    assert older.answer("musllinux", "x86_64").wheel.version == "1.0"
    assert older.answer("musllinux", "x86_64").wheel.bytes == 1234
    assert (bare.group, bare.latest, bare.sdist) == ("none", "1.0", True)


def test_a_page_without_files_is_no_answer(engine):
    with pytest.raises(Problem, match="did not answer for empty") as problem:
        ask_handmade(engine, "empty")
    assert "neither a wheel nor a source distribution" in problem.value.why


def test_an_unknown_name_is_told(engine):
    with pytest.raises(Problem, match="knows no python-images-measured-nothing"):
        wheels.ask(engine, ["python-images-measured-nothing"])


def test_an_index_that_cannot_be_reached_is_an_error(engine):
    unreachable = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    with pytest.raises(Problem, match="did not answer for numpy; nothing is recorded") as problem:
        wheels.ask(engine, ["numpy"], envs=unreachable)
    assert "127.0.0.1" in problem.value.why
    assert engine.docker.container.list(all=True, filters=[("label", f"{probe.LABEL}={os.getpid()}")]) == []
