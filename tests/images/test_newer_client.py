"""A newer client than the lab's, as readers have it: that of Debian's next release, with the lab's engine.

From buildx 0.20 on, bake refuses what lies outside the folder that it is called in; the lab's own is older.
"""

import json
import os
import sys
from pathlib import Path

import pytest

from lab import sources
from lab.config import Lab
from lab.processes import inside
from measure.record.records import Record
from measure.run.step import provide_bases
from measure.steps.compose import find_step
from tests.conftest import NATIVE, fresh_clone, run
from tests.unit.test_messages import seen

pytestmark = pytest.mark.lab
PROGRAMS = ("docker-cli", "docker-buildx", "docker-compose")
#: The first buildx that asks before it reads elsewhere. Source: buildx, bake/entitlements.go.
ASKS = (0, 20)


@pytest.fixture(scope="module")
def newer(engine, tmp_path_factory) -> dict[str, str]:
    """The environment of a reader whose docker, buildx and Compose are those of Debian's next release."""
    if engine.kind != "lab":
        pytest.skip("a host's engine has a client of its own, with which every other test runs")
    provide_bases(engine, [(variant, NATIVE) for variant in find_step("step-1").variants])
    lab, home = Lab.from_environment(), tmp_path_factory.mktemp("newer")
    work = lab.work / "newer-client"
    options = sources.apt_options(lab, work, "deb", "testing")
    script = f"cd {work} && rm -f *.deb && apt-get {options} update && apt-get {options} download {' '.join(PROGRAMS)}"
    fetched = run(*inside(lab, "bash", "-c", script))
    assert fetched.returncode == 0, fetched.stderr
    for package in work.glob("*.deb"):
        run("dpkg-deb", "-x", package, home / "root").check_returncode()
    (home / "config").mkdir()
    (home / "config/cli-plugins").symlink_to(home / "root/usr/libexec/docker/cli-plugins")
    (home / "docker.sock").symlink_to(lab.socket)  # at the lab's own address it would be known for the lab
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "BUILD"))}
    return {
        **environment,
        "ENGINE": "host",
        "DOCKER_CONFIG": str(home / "config"),
        "DOCKER_HOST": f"unix://{home}/docker.sock",
        "PATH": f"{home}/root/usr/bin:{os.environ['PATH']}",
        "PLATFORMS": NATIVE,
    }


@pytest.fixture(scope="module")
def clone(newer, tmp_path_factory) -> Path:
    """A clone, whose records are not this repository's."""
    return fresh_clone(tmp_path_factory.mktemp("newer-clone") / "clone")


def measure(clone: Path, newer: dict[str, str], *words: str) -> str:
    """What a command of the tooling prints."""
    done = run(sys.executable, "-m", "measure", *words, cwd=clone, env=newer)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_step_is_built_weighed_started_and_recorded(clone, newer):
    assert f"{NATIVE} answers" in measure(clone, newer, "step", "step-1")
    (path,) = (clone / "results").glob(f"dockerhub-*/step-1-kiss/recommended.{NATIVE.replace('/', '-')}.json")
    record = Record.model_validate_json(path.read_text())
    assert record.outcome == "built"
    assert tuple(map(int, record.provenance.buildx.lstrip("v").split(".")[:2])) >= ASKS


def test_a_readers_own_folder_is_built_and_weighed(clone, newer):
    naive = "step-1-kiss/naive.Dockerfile"
    assert "Next steps" in measure(clone, newer, "mine", "step-1-kiss", "--file", naive, "--build")


def test_compose_builds_what_it_extends(clone, newer):
    built = run("docker", "compose", "build", "step-1-kiss", cwd=clone, env=newer)
    assert built.returncode == 0, built.stderr


def test_bake_asks_before_it_reads_elsewhere(clone, newer, tmp_path):
    (tmp_path / "bake.json").write_text(json.dumps({"target": {"elsewhere": {"context": str(clone / "step-1-kiss")}}}))
    bake = ("docker", "buildx", "bake", "--progress=plain", "--set=*.output=type=cacheonly", "--file", "bake.json")
    refused = run(*bake, "elsewhere", cwd=tmp_path, env=newer)
    seen("bake-privileges", refused.stdout + refused.stderr)
    assert refused.returncode != 0
