"""Machines that the lab cannot run on: a clear message, the next thing to type, exit code 1, nothing left behind."""

import os
import socket

import pytest

from lab.config import HOME_VARIABLE
from tests.conftest import run
from tests.lab.conftest import lab_command, told

pytestmark = pytest.mark.lab
PYTHON_M_LAB_UP = f"{os.sys.executable} -m lab up"


def test_not_root(lab):
    # A user namespace without a mapping: the same files can be read, but this is nobody.
    told(run("unshare", "--user", "sh", "-c", PYTHON_M_LAB_UP), "needs root", "sudo make lab-up")


@pytest.mark.parametrize(
    ("words", "variables", "expected"),
    [
        ("lab up", {}, ("Debian for x86_64 only",)),
        (
            "measure step step-1",
            {"DOCKER_HOST": "unix:///nowhere.sock"},
            ("No Docker engine answers", "install Docker"),
        ),
    ],
)
def test_not_debian(lab, tmp_path, words, variables, expected):
    release = tmp_path / "os-release"
    release.write_text("ID=fedora\nNAME=Fedora\n")
    script = f"mount --bind {release} $(readlink -f /etc/os-release) && {os.sys.executable} -m {words}"
    own = ("unshare", "--mount", "--propagation", "private", "sh", "-c")
    told(run(*own, script, env={**os.environ, **variables}), *expected)


def test_too_little_disk(lab, tmp_path):
    script = (
        f"mount -t tmpfs -o size=1g tmpfs {tmp_path} && {HOME_VARIABLE}={tmp_path}/lab {PYTHON_M_LAB_UP}; code=$?;"
        f" ls {tmp_path}/lab; exit $code"
    )
    result = run("unshare", "--mount", "--propagation", "private", "sh", "-c", script)
    told(result, "Too little disk space", "XDG_CACHE_HOME")
    assert "tree" not in result.stdout


def test_registry_port_taken(lab):
    with socket.create_server(("127.0.0.1", lab.registry_port)):
        result = lab_command("up")
    told(result, f"127.0.0.1:{lab.registry_port} is taken", str(os.getpid()), "PYTHON_IMAGES_REGISTRY_PORT=")
    assert not lab.tree.exists()
