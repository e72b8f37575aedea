import json
import os
from pathlib import Path

import pytest

from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.base.platforms import asked_for, in_file, narrow, native_platform, normal, short
from measure.build import choosing, host_engine, lab_engine
from measure.build import images as builder
from measure.build.engine import describe
from tests.conftest import program, python_m


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("linux/arm64/v8", "linux/arm64"), ("linux/aarch64", "linux/arm64"), ("arm64", "linux/arm64"),
        ("linux/x86_64", "linux/amd64"), ("linux/amd64/v1", "linux/amd64"), ("linux/amd64/v3", "linux/amd64/v3"),
        ("linux/arm", "linux/arm/v7"), ("linux/arm/7", "linux/arm/v7"), ("linux/arm/v6", "linux/arm/v6"),
        ("linux/armhf", "linux/arm/v7"), ("armv6l", "linux/arm/v6"), (" Linux/i386 ", "linux/386"),
        ("linux/riscv64", "linux/riscv64"), ("windows/amd64", "windows/amd64"),
    ],
)  # fmt: skip
def test_a_platform_goes_by_one_name(platform, expected):
    assert normal(platform) == expected
    assert normal(expected) == expected


def test_a_name_tells_variants_of_an_architecture_apart(monkeypatch):
    names = ["linux/arm/v6", "linux/arm/v7", "linux/arm64"]
    assert [short(name) for name in names] == ["arm-v6", "arm-v7", "arm64"]
    assert [in_file(name) for name in names] == ["linux-arm-v6", "linux-arm-v7", "linux-arm64"]
    monkeypatch.setenv("PLATFORMS", "linux/arm64/v8, linux/arm,linux/aarch64")
    assert asked_for() == ["linux/arm64", "linux/arm/v7"]
    assert narrow(["linux/arm64/v8", "linux/arm/v7"]) == ["linux/arm64", "linux/arm/v7"]


@pytest.mark.parametrize(
    ("system", "kernel", "found"),
    [
        ("Darwin", "Darwin Kernel Version 25.1.0: …; root:xnu-12377.41.6~2/RELEASE_ARM64_T6000", "linux/arm64"),
        ("Darwin", "Darwin Kernel Version 24.6.0: …; root:xnu-11417.140.69~1/RELEASE_X86_64", "linux/amd64"),
        ("Linux", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.0-ARM64", "linux/amd64"),
    ],
)
def test_a_translated_python_on_an_apple_processor_knows_the_machine(monkeypatch, system, kernel, found):
    """Under Rosetta uname(1) says x86_64 (python/cpython 86870): what was built for that was looked for in vain."""
    for name, answer in {"system": system, "version": kernel, "machine": "x86_64"}.items():
        monkeypatch.setattr(f"platform.{name}", lambda answer=answer: answer)
    assert native_platform() == found


#: As it is since CLI 20.10: `--format json` is a text to print, and `{{json .}}` a template.
DOCKER = """#!/bin/sh
case "$*" in
  *"--format json"*) echo json;;
  "version --format {{json .}}") echo '{"Server": {"Version": "20.10.24"}}';;
  "info --format {{json .}}") cat "$(dirname "$0")/info";;
  "context inspect --format {{.Endpoints.docker.Host}}") echo "${DOCKER_HOST:-unix:///var/run/docker.sock}";;
  "buildx version") echo "github.com/docker/buildx v0.13.1 0";;
  "compose version") echo 2;;
  "buildx ls"*) echo "unknown flag: --format" >&2; exit 125;;
  "buildx inspect python-images-measured"*) [ -e "$(dirname "$0")/made" ] || { echo "no builder" >&2; exit 1; }
    printf 'Name:   python-images-measured\\nDriver: docker-container\\n\\nNodes:\\nName:      n0\\n'
    printf 'Status:    inactive\\nPlatforms: %s\\n' "$(cat "$(dirname "$0")/made")";;
  "buildx create --name python-images-measured --driver docker-container") touch "$(dirname "$0")/made";;
  "buildx inspect nobody") echo "no builder" >&2; exit 1;;
  "buildx inspect"*) printf 'Name: %s\\nDriver: %s\\n\\nNodes:\\nName: n0\\nDriver Options: a="b"\\n' $CURRENT
    printf 'Platforms: linux/amd64*, linux/arm64/v8\\n';;
  *) echo "$*" >&2; exit 1;;
esac
"""


@pytest.fixture
def reached(tmp_path, monkeypatch):
    """An old client of an engine on another machine, which is an arm64 one; takes its current builder and driver."""
    program(tmp_path / "docker", DOCKER)
    info = {
        "OSType": "linux", "Architecture": "aarch64", "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
        "Driver": "overlayfs", "NCPU": 96, "MemTotal": 7, "KernelVersion": "1.2.3-elsewhere",
    }  # fmt: skip
    (tmp_path / "info").write_text(json.dumps(info))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    for name in ("ENGINE", "BUILDER", "PLATFORMS", "ENVIRONMENT", "DOCKER_HOST"):
        monkeypatch.delenv(name, raising=False)

    def reach(current: str = "default docker", **options):
        monkeypatch.setenv("CURRENT", current)
        return choosing.choose(**options)

    return reach


def test_what_is_native_is_the_engines_and_not_the_clients(reached):
    engine = reached()
    assert (engine.version, engine.platform, engine.builder) == ("20.10.24", "linux/arm64", None)
    assert engine.platforms == ["linux/amd64", "linux/arm64"]
    assert builder.natively(engine, "linux/arm64") and not builder.natively(engine, "linux/amd64")
    assert engine.environment == "dockerhub-arm64"
    about = describe(engine)
    assert (about.platform, about.cores, about.memory_bytes) == ("linux/arm64", 96, 7)
    assert (about.cpu, about.system) == ("aarch64", "Linux 1.2.3-elsewhere")


def test_a_builder_that_is_current_is_asked_for_its_node(reached):
    """As after `docker buildx use cloud`: nobody said BUILDER, and yet other machines build."""
    engine = reached("cloud remote")
    assert (engine.builder, engine.driver, engine.chosen) == ("cloud", "remote", True)
    engine.nodes["linux/amd64"] = "linux/amd64"
    assert builder.natively(engine, "linux/amd64")


def test_an_old_buildx_is_asked_in_words_that_it_knows(reached, tmp_path, monkeypatch):
    """`buildx ls --format` is there from 0.13 on (docker/buildx 1026); Docker 24 brought 0.11.

    An old one prints the line of platforms even where it knows none, as of a builder that does not run.
    """
    info = json.loads((tmp_path / "info").read_text()) | {"DriverStatus": None, "Driver": "overlay2"}
    (tmp_path / "info").write_text(json.dumps(info))
    monkeypatch.setenv("PLATFORMS", "linux/arm64")
    assert reached(create_builder=False).builder == "python-images-measured"
    assert not (tmp_path / "made").exists()
    for _ in range(2):  # it is made once
        engine = reached()
        assert (engine.builder, engine.driver) == ("python-images-measured", "docker-container")
        assert engine.platforms == ["linux/arm64"], "the engine's own, where the builder does not say"
    monkeypatch.setenv("BUILDER", "nobody")
    with pytest.raises(Problem, match="There is no builder called nobody"):
        reached()


@pytest.mark.parametrize(
    ("host", "far"),
    [
        ("", False), ("unix:///run/user/1000/docker.sock", False), ("tcp://127.0.0.1:2375", False),
        ("tcp://localhost:2375", False), ("npipe:////./pipe/docker_engine", False),
        ("ssh://you@elsewhere.example", True), ("tcp://docker:2376", True), ("tcp://192.168.49.2:2376", True),
    ],
)  # fmt: skip
def test_an_engine_on_another_machine_is_known_by_its_address(reached, monkeypatch, host, far):
    """Of the context that is current, which DOCKER_HOST stands before (docker context inspect)."""
    monkeypatch.setenv("DOCKER_HOST", host)
    assert reached().elsewhere == (host if far else "")


def test_a_default_platform_for_docker_is_left_aside_and_said(reached, monkeypatch, capsys):
    """Many have it on a Mac with Apple's processor: what was timed as native was built and run emulated."""
    monkeypatch.setenv("DOCKER_DEFAULT_PLATFORM", "linux/amd64")
    reached()
    assert "DOCKER_DEFAULT_PLATFORM" not in os.environ
    assert "leaving DOCKER_DEFAULT_PLATFORM=linux/amd64 aside" in capsys.readouterr().err


def test_a_snap_is_told_what_it_does_not_see(tmp_path, monkeypatch):
    """It has a /tmp of its own, and no ~/.cache (canonical/docker-snap 34 and 334): no such file, each build said."""
    monkeypatch.setenv("HOME", str(tmp_path))
    seen, hidden, away = tmp_path / "measured/a", tmp_path / ".cache/python-images-measured", Path("/tmp")
    host_engine.check_snap("/snap/bin/docker", [seen, tmp_path])
    host_engine.check_snap("/usr/bin/docker", [hidden, away])
    with pytest.raises(Problem, match="Docker is a snap here") as problem:
        host_engine.check_snap("/snap/bin/docker", [seen, hidden, away])
    assert f"not {hidden} and {away}." in problem.value.why
    assert f"TMPDIR={tmp_path}/measured XDG_CACHE_HOME={tmp_path}/measured make" in problem.value.next
    with pytest.raises(Problem) as problem:  # as on Fedora; no setting has it see a clone that is elsewhere
        host_engine.check_snap("/var/lib/snapd/snap/bin/docker", [away, ROOT])
    assert problem.value.next.startswith(f"mv {ROOT} {tmp_path} ")


def test_platforms_are_narrowed_to_what_the_builder_can_and_it_says_so(monkeypatch, capsys):
    """A record's own platform counts, whatever PLATFORMS says."""
    monkeypatch.delenv("PLATFORMS", raising=False)
    assert narrow(["linux/amd64", "linux/386"]) == ["linux/amd64"]
    assert "leaving out linux/arm64" in capsys.readouterr().err
    monkeypatch.setenv("PLATFORMS", "linux/arm64")
    assert narrow(["linux/amd64", "linux/arm64"]) == ["linux/arm64"]
    assert narrow(["linux/amd64", "linux/arm64"], ["linux/amd64"]) == ["linux/amd64"]
    for only, advice in (([], "PLATFORMS="), (["linux/arm64"], "BUILDER=name")):
        with pytest.raises(Problem, match="cannot build for linux/arm64") as problem:
            narrow(["linux/amd64"], only)
        assert advice in problem.value.next


#: As of a client that may not open the engine's socket.
REFUSED = "permission denied while trying to connect"
AWAY = Problem("Another Docker engine runs.", next="use that engine (ENGINE=host make step-1)")


@pytest.mark.parametrize(
    ("forced", "lab", "next"),
    [
        ("host", None, "docker version, or let the lab bring its own engine: ENGINE=lab make …"),
        ("host", AWAY, "docker version"),
        ("", AWAY, "docker version"),
        ("", Problem("The lab needs root.", next="sudo make lab-up"), "sudo make lab-up"),
    ],
)
def test_where_no_engine_answers_docker_says_why_and_the_advice_is_no_circle(tmp_path, monkeypatch, forced, lab, next):
    program(tmp_path / "docker", f"#!/bin/sh\necho {REFUSED} >&2; exit 1\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("ENGINE", forced)
    monkeypatch.setattr(lab_engine, "is_lab", lambda: False)
    monkeypatch.setattr(lab_engine, "why_not_here", lambda: lab)
    with pytest.raises(Problem, match="No Docker engine answers") as problem:
        choosing.choose()
    assert REFUSED in problem.value.why
    assert problem.value.next == next


#: Of podman 5 in a virtual machine, as on a Mac; on Linux there is no Server (podman, libpod/define/version.go).
PODMAN = {name: {"APIVersion": "5.4.0", "Version": "5.4.0", "OsArch": "linux/arm64"} for name in ("Client", "Server")}


def test_podman_that_is_called_docker_is_told(tmp_path, monkeypatch):
    """Its package podman-docker has a script of that name. What it calls `buildx` has no `bake` and no `--format`."""
    program(tmp_path / "docker", f"#!/bin/sh\n[ $1 = version ] && echo '{json.dumps(PODMAN)}'\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("ENGINE", "host")
    monkeypatch.setattr(lab_engine, "is_lab", lambda: False)
    with pytest.raises(Problem, match="No Docker engine answers") as problem:
        choosing.choose()
    assert f"{tmp_path}/docker is podman" in problem.value.why


def test_a_wrong_engine_is_told():
    result = python_m("measure", "engine", env={"PATH": "/usr/bin:/bin", "ENGINE": "podman"})
    assert result.returncode == 1
    assert "ENGINE=podman means nothing" in result.stderr
    assert "Next:" in result.stderr
