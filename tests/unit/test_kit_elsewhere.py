"""The kit on machines that are not ours: SELinux, colima, rootless, firewalls, podman, and what is no clone."""

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from kit import install as installer
from kit import making, serve, wanted
from measure.base.errors import Problem
from tests.conftest import program, run, serving

#: A client of an engine that has the kit's images, and what it says of containers. What it is asked, it notes.
DOCKER = """#!/bin/sh
printf '%s\\n' "$*" >> {folder}/asked
case "$*" in
  "version "*) {version};;
  "info --format {{{{json .SecurityOptions}}}}") echo '["name=seccomp,profile=builtin"{rootless}]';;
  "run --detach "*) {detach};;
  "run --rm "*) {answers};;
  "logs "*) {logs};;
esac
"""
#: As docker says it of a folder that the engine's machine does not have, and of an address that it does not have.
AWAY = 'invalid mount config for type "bind": bind source path does not exist'
NO_ADDRESS = "failed to bind host port 172.17.0.1:3151/tcp: cannot assign requested address"


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """Puts a client on the path that answers as a test wants it; returns what it was asked."""

    def put(version="echo '{}'", detach="true", answers="true", logs="true", rootless=""):
        how = {"version": version, "detach": detach, "answers": answers, "logs": logs, "rootless": rootless}
        program(tmp_path / "bin/docker", DOCKER.format(folder=tmp_path, **how))
        monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
        return lambda: (tmp_path / "asked").read_text().splitlines()

    return put


def test_the_server_for_builds_reads_a_folder_of_any_name_whatever_selinux_says(docker, monkeypatch):
    """SELinux lets no container read a home folder; `--volume` takes no colon (docs.docker.com, bind mounts)."""
    asked = docker()
    monkeypatch.setattr(installer, "KIT", Path('/media/a stick: 1, "the other"'))
    installer.start_server("http://172.17.0.1:3151")
    started = next(line for line in asked() if line.startswith("run --detach"))
    assert 'type=bind,"source=/media/a stick: 1, ""the other""",target=/kit,readonly' in started
    assert "--security-opt label=disable" in started
    assert "--publish 172.17.0.1:3151:3151" in started


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"detach": f"echo '{AWAY}' >&2; exit 125"}, AWAY),
        ({"detach": f"echo '{NO_ADDRESS}' >&2; exit 125", "rootless": ',"name=rootless"'}, "without root"),
        ({"answers": "echo '/simple/: timed out' >&2; exit 1"}, "firewall"),
        (
            {"answers": "echo refused >&2; exit 1", "logs": "echo 'serve.py: Permission denied' >&2"},
            "Permission denied",
        ),
    ],
)
def test_a_server_that_builds_would_not_reach_is_told_and_none_is_left(docker, how, told):
    """It was started in the background, so an end at once, or a firewall before it, was told as ready."""
    asked = docker(**how)
    with pytest.raises(installer.Problem, match=r"would not reach the kit's server") as problem:
        installer.start_server("http://172.17.0.1:3151")
    assert told in problem.value.args[1]
    assert ("firewall" in problem.value.args[1]) is ("answers" in how), "no server, and none to keep anybody from"
    assert [line for line in asked() if not line.startswith(("logs", "info"))][-1] == "rm --force python-images-kit"


def test_an_engine_that_refuses_is_told_in_its_own_words_and_podman_is_none(docker, monkeypatch):
    """As for somebody who is not in the group docker: it was only said that the lab needs Debian."""
    docker(version="echo 'permission denied while trying to connect' >&2; exit 1")
    assert installer.why_silent() == "permission denied while trying to connect"
    docker(version="""echo '{"Client": {"OsArch": "linux/amd64"}}'""")
    assert "podman" in installer.why_silent()
    docker()
    assert installer.why_silent() is None
    monkeypatch.setenv("ENGINE", "lab")
    assert installer.why_silent() == ""


def test_the_address_that_builds_ask_is_asked_until_an_answer_comes(tmp_path):
    (tmp_path / "simple").mkdir()
    late = installer.ASK.replace("+ 20", "+ 0.1")
    with serving(partial(serve.Handler, directory=str(tmp_path))) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        assert run(sys.executable, "-c", installer.ASK, f"{address}/simple/").returncode == 0
        assert f"{address}/other/: HTTP Error 404" in run(sys.executable, "-c", late, f"{address}/other/").stderr


def test_no_kit_is_made_of_what_is_no_clone(tmp_path, cache, monkeypatch):
    """A zip file, unpacked in a repository of somebody's own, which would have been in the kit; and without git."""
    (tmp_path / "unpacked").mkdir()
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    monkeypatch.setattr(making, "choose", lambda *_: pytest.fail("an engine was asked for"))
    monkeypatch.setattr(making, "ROOT", tmp_path / "unpacked")
    for told in ("not a git repository", "no git here"):
        with pytest.raises(Problem, match="No kit can be made of this folder") as problem:
            making.make(wanted.Wanted([1], ["linux/amd64"]), engine=False)
        assert told in problem.value.why
        monkeypatch.setenv("PATH", "/nowhere")


def test_a_locale_of_another_encoding_is_no_traceback(docker, tmp_path):
    docker()
    (tmp_path / "config.json").write_text("{")
    told = run(sys.executable, installer.KIT / "install.py", "--remove", env={
        "PATH": os.environ["PATH"], "DOCKER_CONFIG": str(tmp_path), "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0",
    })  # fmt: skip
    assert "? " in told.stderr and "is not JSON" in told.stderr


def test_an_old_python_serves_a_room_and_is_told_that_it_installs_nothing():
    """RHEL 9 and macOS have 3.9 as python3. Where none is here, it is read that no annotation is evaluated."""
    for name in ("serve.py", "install.py"):
        assert "\nfrom __future__ import annotations" in (installer.KIT / name).read_text()
    old = shutil.which("python3.9")
    if old and run(old, "-c", "").returncode == 0:  # pyenv has one that only says that there is none
        assert run(old, "-c", "import serve", cwd=installer.KIT).returncode == 0
        assert "needs Python 3.11 or newer" in run(old, installer.KIT / "install.py").stderr
