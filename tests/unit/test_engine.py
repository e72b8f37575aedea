import pytest

from measure.base.errors import Problem
from measure.base.platforms import narrow
from tests.conftest import python_m


def test_platforms_are_narrowed_to_what_the_builder_can_and_it_says_so(monkeypatch, capsys):
    monkeypatch.delenv("PLATFORMS", raising=False)
    assert narrow(["linux/amd64", "linux/386"]) == ["linux/amd64"]
    assert "leaving out linux/arm64" in capsys.readouterr().err


def test_platforms_asked_for_are_kept(monkeypatch):
    monkeypatch.setenv("PLATFORMS", "linux/arm64")
    assert narrow(["linux/amd64", "linux/arm64"]) == ["linux/arm64"]


def test_no_platform_left_is_told(monkeypatch):
    monkeypatch.setenv("PLATFORMS", "linux/s390x")
    with pytest.raises(Problem, match="cannot build for linux/s390x"):
        narrow(["linux/amd64"])


def test_an_engine_forced_but_absent_is_told(tmp_path):
    environment = {"PATH": "/usr/bin:/bin", "ENGINE": "host", "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    result = python_m("measure", "engine", env=environment)
    assert result.returncode == 1
    assert "No Docker engine answers" in result.stderr
    assert "Next:" in result.stderr


def test_a_wrong_engine_is_told():
    result = python_m("measure", "engine", env={"PATH": "/usr/bin:/bin", "ENGINE": "podman"})
    assert result.returncode == 1
    assert "ENGINE=podman means nothing" in result.stderr
