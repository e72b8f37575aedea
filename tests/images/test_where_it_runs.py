"""nginx with the configuration that the page "Where it runs" hands out, in front of gunicorn."""

from __future__ import annotations

import os
import shutil
import socket
import time
from contextlib import ExitStack

import httpx
import pytest
import yaml

from measure.base.files import ROOT
from measure.run.step import provide_bases
from measure.steps.compose import find_step
from tests.conftest import NATIVE, eventually

pytestmark = pytest.mark.study
ASSETS = ROOT / "docs/assets"
PROJECT = "where-it-runs-proxy"
#: Of the application below. As many connections that send nothing keep all of them busy.
THREADS = 4
APP = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["wsgi.url_scheme"].encode()]
"""
DOCKERFILE = f"""
FROM python:3.14-slim AS app
RUN pip install --no-cache-dir --root-user-action ignore gunicorn==27.0.1
COPY app.py /
WORKDIR /
CMD ["gunicorn", "--bind", "0.0.0.0:8000", "--threads", "{THREADS}", "--no-control-socket", "app:app"]

FROM python:3.14-slim AS proxy
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends nginx-light
COPY nginx.conf /etc/nginx/conf.d/default.conf
RUN rm /etc/nginx/sites-enabled/default
CMD ["nginx", "-g", "daemon off;"]
"""


def compose_file() -> str:
    """That of the page; nginx is Debian's, with the page's configuration inside: the engine does not see our files."""
    compose = yaml.safe_load((ASSETS / "proxy.compose.yaml").read_text())
    app, proxy = compose["services"]["app"], compose["services"]["proxy"]
    app |= {"build": {"context": ".", "target": "app"}, "ports": ["127.0.0.1::8000"]}
    proxy |= {"build": {"context": ".", "target": "proxy"}, "ports": ["127.0.0.1::80"]}
    del proxy["image"], proxy["volumes"]
    return yaml.safe_dump(compose)


@pytest.fixture(scope="module")
def ports(engine, docker, tmp_path_factory):
    """Ports of the application and of the proxy in front of it, on loopback."""
    provide_bases(engine, [(find_step("step-3").variant("recommended"), NATIVE)])
    folder = tmp_path_factory.mktemp("proxy")
    shutil.copy(ASSETS / "nginx.conf", folder)
    for name, text in {"app.py": APP, "Dockerfile": DOCKERFILE, "compose.yaml": compose_file()}.items():
        (folder / name).write_text(text)

    def compose(*words: str) -> str:
        done = docker("compose", "--project-name", PROJECT, *words, cwd=folder, env=os.environ)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    try:
        compose("up", "--build", "--detach")
        found = {
            name: int(compose("port", name, port).rpartition(":")[2])
            for name, port in (("app", "8000"), ("proxy", "80"))
        }
        for port in found.values():
            eventually(lambda port=port: ask(port).is_success)
        yield found
    finally:
        compose("down", "--timeout", "0", "--rmi", "local")


def ask(port: int, **headers: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}/", headers=headers, timeout=60, trust_env=False)


def seconds_beside_silent_ones(port: int) -> float:
    """How long an answer takes while others, more than there are threads, are connected and send nothing."""
    with ExitStack() as stack:
        for _ in range(3 * THREADS):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        time.sleep(1)
        begun = time.monotonic()
        assert ask(port).is_success
        return time.monotonic() - begun


def test_silent_connections_keep_threads_busy_and_wait_in_front_of_a_proxy(ports):
    assert seconds_beside_silent_ones(ports["app"]) > 4
    assert seconds_beside_silent_ones(ports["proxy"]) < 2


def test_the_scheme_is_what_the_proxy_says(ports):
    """The proxy says its own, `http`, whatever a client says; who asks past it is believed, so nobody may."""
    assert ask(ports["proxy"], **{"X-Forwarded-Proto": "https"}).text == "http"
    assert ask(ports["app"], **{"X-Forwarded-Proto": "https"}).text == "https"
