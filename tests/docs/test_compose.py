"""`docker compose up` in the top folder: the site from an image, and a step beside it."""

import os

import httpx
import pytest
import yaml

from measure.base.dockerfiles import external_images
from measure.base.files import ROOT
from measure.base.names import LAB_ENVIRONMENT
from measure.record.records import record_files
from measure.run.probe import wait_for
from measure.steps.compose import all_steps
from measure.tell.page import short
from tests.conftest import fresh_clone, run
from tests.docs.pages import lab_environment

pytestmark = pytest.mark.study


@pytest.fixture(scope="module")
def compose(tmp_path_factory, engine):
    """Runs `docker compose` in a fresh clone; what it started is removed in the end."""
    clone = fresh_clone(tmp_path_factory.mktemp("compose") / "clone")
    dockerfiles = [ROOT / "docs/Dockerfile", *(step.recommended.dockerfile for step in all_steps())]
    needed = {image for path in dockerfiles for image in external_images(path)}
    engine.provide(sorted(needed.union(*(step.recommended.images for step in all_steps()))), ["linux/amd64"])
    environment = {**os.environ, **(lab_environment() if engine.kind == "lab" else {})}

    def call(*words: str):
        return run("docker", "compose", *words, cwd=clone, seconds=600, env=environment)

    yield call
    call("--profile", "*", "down", "--rmi", "local", "--volumes")


def test_no_two_services_share_a_port_and_each_step_has_its_profiles(compose):
    shown = yaml.safe_load(compose("--profile", "*", "config").stdout)
    ports = [port["published"] for service in shown["services"].values() for port in service.get("ports", [])]
    assert sorted(ports) == sorted(set(ports))
    for step in all_steps():
        for variant in step.variants:
            expected = [short(step.name)] if variant is step.recommended else [f"{short(step.name)}-variants"]
            assert shown["services"][variant.service]["profiles"] == expected
    plain = yaml.safe_load(compose("config").stdout)
    assert list(plain["services"]) == ["docs"]


@pytest.mark.timeout(900)
def test_the_site_is_served_on_port_8000_by_a_container_without_rights(compose, engine):
    started = compose("up", "--build", "--detach", "--wait")
    assert started.returncode == 0, started.stderr  # --wait: until the health check says so
    front = wait_for("http://127.0.0.1:8000/", 120)
    assert "Python Images, Measured" in front.text
    assert httpx.get("http://127.0.0.1:8000/steps/step-1/", trust_env=False).status_code == 200
    records = httpx.get("http://127.0.0.1:8000/results/records.json", trust_env=False).json()
    assert len(records) == len(record_files(LAB_ENVIRONMENT))
    assert compose("exec", "-T", "docs", "id", "-u").stdout.strip() == "10001"
    assert compose("exec", "-T", "docs", "python", "-c", "import mkdocs").returncode != 0
    assert compose("exec", "-T", "docs", "touch", "/site/x").returncode != 0
    (container,) = compose("ps", "--quiet", "docs").stdout.split()
    assert compose("stop").returncode == 0
    ended_with = engine.docker.container.inspect(container).state.exit_code
    assert ended_with != 137, "it must stop when told to, not be killed"


@pytest.mark.timeout(900)
def test_all_steps_run_beside_the_site(compose):
    profiles = [word for step in all_steps() for word in ("--profile", short(step.name))]
    started = compose(*profiles, "up", "--build", "--detach")
    assert started.returncode == 0, started.stderr
    shown = yaml.safe_load(compose("--profile", "*", "config").stdout)["services"]
    for step in all_steps():
        port = shown[step.name]["ports"][0]["published"]
        assert wait_for(f"http://127.0.0.1:{port}/", 120).json()["step"] == step.name
    assert wait_for("http://127.0.0.1:8000/", 120).status_code == 200
    services = compose("ps", "--services").stdout.split()
    beside = [name for step in all_steps() for name in step.recommended.depends_on]
    assert sorted(services) == sorted(["docs", *(step.name for step in all_steps()), *beside])
