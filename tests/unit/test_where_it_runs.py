"""What the page "Where it runs" hands out fits the image that it is for."""

import contextlib
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml

from measure.base.files import ROOT
from measure.steps.compose import find_step
from tests.conftest import eventually
from tests.unit.test_messages_of_tools import certificates, index, said, tools  # noqa: F401

ASSETS = ROOT / "docs/assets"
STEP = find_step("step-3")
#: Seconds that gunicorn gives to requests which have begun, as long as nobody says otherwise.
GRACEFUL_TIMEOUT = 30


def test_the_pod_is_asked_where_the_application_answers_and_has_time_to_end():
    pod = yaml.safe_load((ASSETS / "kubernetes.yaml").read_text())["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    dockerfile = STEP.variant("recommended").dockerfile.read_text()
    port = int(re.search(r"^EXPOSE (\d+)$", dockerfile, re.MULTILINE)[1])
    routes = re.findall(r'@app\.get\("(.+?)"\)', (STEP.folder / "src/whichimage/__init__.py").read_text())
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
    assert {probe["port"] for probe in probes.values()} == {port} == {container["ports"][0]["containerPort"]}
    assert {probe["path"] for probe in probes.values()} <= set(routes)
    assert probes["liveness"]["path"] != probes["readiness"]["path"]
    waits = container["lifecycle"]["preStop"]["sleep"]["seconds"] + GRACEFUL_TIMEOUT
    assert pod["terminationGracePeriodSeconds"] > waits
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["enableServiceLinks"] is False
    assert re.search(r"^USER \d+$", dockerfile, re.MULTILINE)
    assert container["volumeMounts"][0]["name"] == pod["volumes"][0]["name"]


def test_the_application_behind_the_proxy_is_reached_by_it_alone():
    services = yaml.safe_load((ASSETS / "proxy.compose.yaml").read_text())["services"]
    assert services["app"]["environment"] == {"FORWARDED_ALLOW_IPS": "*"}
    assert "ports" not in services["app"]
    assert services["app"]["stop_grace_period"] == f"{GRACEFUL_TIMEOUT + 5}s"
    assert "proxy_pass http://app:8000;" in (ASSETS / "nginx.conf").read_text()


@pytest.mark.parametrize(
    ("ask", "variable"),
    [
        ("from urllib.request import urlopen; urlopen('{url}')", "SSL_CERT_FILE"),
        ("import httpx; httpx.get('{url}')", "SSL_CERT_FILE"),
        ("import requests; requests.get('{url}')", "REQUESTS_CA_BUNDLE"),
    ],
    ids=["urllib", "httpx", "requests"],
)
def test_each_client_takes_a_companys_ca_by_one_variable_and_by_no_other(said, tmp_path, certificates, ask, variable):  # noqa: F811
    ca, server = certificates
    with index(tmp_path, server) as url:
        asked = (sys.executable, "-c", ask.format(url=url))
        (other,) = {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"} - {variable}
        assert "CERTIFICATE_VERIFY_FAILED" in said(*asked, **{other: str(ca)})
        assert said(*asked, **{variable: str(ca)}) == ""


ASGI = """
import asyncio
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while scope["path"] == "/stream":
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await asyncio.sleep(0.1)
    body = scope["scheme"] + " " + scope["client"][0]
    await send({"type": "http.response.body", "body": body.encode()})
"""


@contextlib.contextmanager
def uvicorn(folder: Path, tools: Path, *options: str, **environment: str):  # noqa: F811
    """uvicorn on a free port; yields its address and its process, which is killed in the end."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (folder / "app.py").write_text(ASGI)
    command = [tools / "uvicorn", f"--port={port}", *options, "app:app"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)
    try:
        eventually(lambda: httpx.get(f"http://127.0.0.1:{port}", trust_env=False).is_success)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("trusted", "seen"), [("10.0.0.1", "http 127.0.0.1"), ("*", "https 203.0.113.9")])
def test_uvicorn_takes_scheme_and_address_from_the_proxy_that_it_may_believe(tools, tmp_path, trusted, seen):  # noqa: F811
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    with uvicorn(tmp_path, tools, FORWARDED_ALLOW_IPS=trusted) as (url, _):
        assert httpx.get(url, headers=headers, trust_env=False).text == seen


@pytest.mark.parametrize(("options", "ends"), [((), False), (("--timeout-graceful-shutdown=1",), True)])
def test_uvicorn_ends_under_an_answer_that_streams_on_only_where_it_is_told_to(tools, tmp_path, options, ends):  # noqa: F811
    with (
        uvicorn(tmp_path, tools, *options) as (url, process),
        httpx.stream("GET", f"{url}/stream", trust_env=False) as answer,
    ):
        assert answer.is_success
        process.send_signal(signal.SIGTERM)
        if ends:
            process.wait(60)
        else:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(5)


@pytest.fixture
def private(tmp_path, said):  # noqa: F811
    """A package index that asks who is there, and the file that says it."""
    (tmp_path / "home/.netrc").write_text("machine localhost login me password secret")
    with index(tmp_path) as url:
        yield url


def test_pip_installs_with_hashes_what_uv_exports_from_its_lock(said, tmp_path, private):  # noqa: F811
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["thing"]\n'
    )
    said("uv", "lock", "--default-index", private)
    export = ("--frozen", "--no-dev", "--no-emit-project", "--output-file", "requirements.txt")
    said("uv", "export", *export)
    options = ("--require-hashes", "--no-deps", "--target", "t", "--index-url", private)
    output = said("pip", "install", *options, "-r", "requirements.txt")
    assert (tmp_path / "t/thing.py").exists(), output
    exported = (tmp_path / "requirements.txt").read_text()
    assert "--hash=sha256:" in exported
    assert private not in exported, "the index is named by whoever installs"


def test_uv_makes_a_list_with_hashes_of_one_without(said, tmp_path, private):  # noqa: F811
    (tmp_path / "requirements.in").write_text("thing")
    made = said("uv", "pip", "compile", "--generate-hashes", "--default-index", private, "requirements.in")
    assert "thing==1" in made
    assert "--hash=sha256:" in made
