"""Beside another Docker engine: the lab keeps away, and the measuring finds out what that engine can do."""

import os
import shutil
import subprocess

import pytest

from lab import processes
from lab.config import HOME_VARIABLE
from tests.conftest import eventually, python_m, run
from tests.lab.conftest import lab_command, told

pytestmark = pytest.mark.lab


@pytest.fixture
def other_engine(lab, tmp_path):
    """Another dockerd on this machine, its containerd store off, writing no firewall rule."""
    lab_command("up").check_returncode()  # for its tree, which this engine runs from
    lab_command("down").check_returncode()
    folder = lab.home / "other"
    folder.mkdir()
    socket_path = folder / "docker.sock"
    command = processes.inside(
        lab, "dockerd", "--host", f"unix://{socket_path}", "--data-root", str(folder / "data"), "--bridge", "none",
        "--iptables=false", "--ip-forward=false", "--ip-masq=false", "--storage-driver", "overlay2",
        "--pidfile", "/run/other.pid", "--exec-root", "/run/other", "--cgroup-parent", "/pyimages-test-other",
    )  # fmt: skip
    with (folder / "log").open("w") as log:
        engine = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd="/")
    try:
        eventually(lambda: "API listen on" in (folder / "log").read_text(), told=(folder / "log").read_text)
        yield {**os.environ, "DOCKER_HOST": f"unix://{socket_path}", "PATH": f"{lab.docker.parent}:/usr/bin:/bin"}
    finally:
        engine.terminate()
        engine.wait(120)
        shutil.rmtree(folder)


def test_beside_another_engine_the_lab_does_not_start(lab, other_engine):
    # Seen as a stranger's, because this lab's tree is named otherwise.
    result = python_m("lab", "up", env={**os.environ, HOME_VARIABLE: f"{lab.home.parent}/second"})
    told(result, "Another Docker engine runs", "ENGINE=host")


def test_an_engine_with_the_old_store_gets_a_builder_of_its_own(lab, other_engine, tmp_path):
    environment = {**other_engine, "DOCKER_CONFIG": str(lab.client_config)}
    shown = python_m("measure", "engine", env=environment)
    assert shown.returncode == 0, shown.stderr
    assert "host engine" in shown.stdout
    assert "docker-container" in shown.stdout
    assert "a docker-container builder called python-images-measured would be made" in shown.stderr
    assert "overlay2" in shown.stderr

    make = "from measure.build.host_engine import _builder; "
    make += "print(_builder('docker', {'Driver': 'overlay2'}, create=True))"
    made = run(os.sys.executable, "-c", make, env=environment)
    assert "making a docker-container builder called python-images-measured" in made.stderr
    assert "('python-images-measured', 'docker-container')" in made.stdout, made.stderr
    listed = run("docker", "buildx", "ls", env=environment).stdout
    assert "python-images-measured" in listed

    cleaned = python_m("measure", "clean", env={**environment, "ENGINE": "host"})
    assert cleaned.returncode == 0, cleaned.stderr
    assert "python-images-measured" not in run("docker", "buildx", "ls", env=environment).stdout
