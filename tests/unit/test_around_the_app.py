"""What the page "Around the application" says of gunicorn and Flask, and that what it hands out fits the images."""

from __future__ import annotations

import json
import os
import re

import httpx
import pytest
import yaml

from measure.base.files import ROOT
from measure.steps.compose import find_step
from tests.conftest import eventually, venv_with
from tests.unit.test_messages_of_tools import gunicorn

ASSETS = ROOT / "docs/assets"
STEP = find_step("step-3")
#: An application that says in which process it was imported, and in which one its pool was opened.
DATABASE = """
import json, os
imported, opened = os.getpid(), None
def open_pool():
    global opened
    opened = os.getpid()
def app(environ, start_response):
    start_response("200 OK", [])
    return [json.dumps([os.getppid(), os.getpid(), imported, opened]).encode()]
"""
#: An application that makes a generator when it is imported, and a hook that makes another one, and draws from both.
DRAWS = """
import numpy
generator, own = numpy.random.default_rng(), None
def app(environ, start_response):
    start_response("200 OK", [])
    return [b""]
"""
HOOK = """
import json, pathlib
preload_app, workers = True, 2
def post_worker_init(worker):
    import draws, numpy
    draws.own = numpy.random.default_rng()
    drawn = {
        "numpy.random": numpy.random.random(),
        "made by the import": draws.generator.random(),
        "made by the hook": draws.own.random(),
    }
    part = pathlib.Path(f"{worker.pid}.part")
    part.write_text(json.dumps(drawn))
    part.rename(f"{worker.pid}.drawn")
"""
FLASK = """
from flask import Flask
from whitenoise import WhiteNoise
app = Flask(__name__)
whitenoise = WhiteNoise(Flask(__name__), root="static", prefix="/static/")
"""


def locked(name: str, step: str = "step-3") -> str:
    """A package in the version that a step's images have."""
    text = (find_step(step).folder / "requirements.txt").read_text()
    return re.search(rf"^{name}==[\w.]+", text, re.MULTILINE)[0]


@pytest.fixture(scope="module")
def tools():
    """A folder of programs, installed once."""
    return venv_with([locked("flask"), locked("gunicorn"), "whitenoise==6.12.0"])


def get(port: int, page: str = "/", **headers: str) -> httpx.Response:
    return eventually(lambda: httpx.get(f"http://127.0.0.1:{port}{page}", headers=headers, trust_env=False))


def processes(tools, tmp_path, *options: str) -> list[int | None]:
    """gunicorn's first process, the worker that answers, where the application was imported and its pool opened."""
    (tmp_path / "database.py").write_text(DATABASE)
    with gunicorn(tools, tmp_path, *options, app="database:app") as (port, _, _):
        return json.loads(get(port).text)


def test_what_the_import_opens_is_from_before_the_fork_and_what_the_hook_opens_is_the_workers(tools, tmp_path):
    (tmp_path / "gunicorn.conf.py").write_text((ASSETS / "pool.gunicorn.conf.py").read_text())
    first, worker, imported, opened = processes(tools, tmp_path)
    assert first != worker
    assert (imported, opened) == (first, worker)


def test_without_preload_each_worker_imports_for_itself(tools, tmp_path):
    _, worker, imported, _ = processes(tools, tmp_path)
    assert imported == worker


def test_numpy_draws_the_same_in_each_worker_but_from_a_generator_of_its_own(tmp_path):
    (tmp_path / "draws.py").write_text(DRAWS)
    (tmp_path / "gunicorn.conf.py").write_text(HOOK)
    with gunicorn(venv_with([locked("gunicorn"), locked("numpy", "step-4")]), tmp_path, app="draws:app") as (port, *_):
        get(port)
        first, other = eventually(lambda: (found := [*tmp_path.glob("*.drawn")])[1:] and found)
        drawn = [json.loads(path.read_text()) for path in (first, other)]
    equal = {name for name, value in drawn[0].items() if drawn[1][name] == value}
    assert equal == {"numpy.random", "made by the import"} < drawn[0].keys()


def test_flask_serves_its_files_from_the_worker_and_a_browser_asks_for_each_again(tools, tmp_path):
    (tmp_path / "static").mkdir()
    (tmp_path / "static/site.css").write_text("body {}")
    (tmp_path / "pages.py").write_text(FLASK)
    with gunicorn(tools, tmp_path, app="pages:app") as (port, _, _):
        first = get(port, "/static/site.css")
        again = get(port, "/static/site.css", **{"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, first.text, first.headers["Cache-Control"]) == (200, "body {}", "no-cache")
    assert (again.status_code, again.text) == (304, "")


@pytest.mark.parametrize("app", ["pages:app", "pages:whitenoise"])
def test_a_browser_keeps_a_file_that_changed_and_has_the_time_and_the_size_that_it_had(tools, tmp_path, app):
    (tmp_path / "static").mkdir()
    (tmp_path / "pages.py").write_text(FLASK)
    known, seen = {}, []
    for text, seconds in (("red", 1767225600), ("tan", 1767225600), ("tan", 1767225601)):
        (tmp_path / "static/site.css").write_text(text)
        os.utime(tmp_path / "static/site.css", (seconds, seconds))
        with gunicorn(tools, tmp_path, app=app) as (port, _, _):
            answer = get(port, "/static/site.css", **known)
        known = known or {"If-None-Match": answer.headers["ETag"]}
        seen.append((answer.status_code, answer.text))
    assert seen == [(200, "red"), (304, ""), (200, "tan")]


def test_the_worker_of_the_compose_file_has_the_webs_image_and_none_of_its_health_check():
    services = yaml.safe_load((ASSETS / "worker.compose.yaml").read_text())["services"]
    assert services["web"]["image"] == services["worker"]["image"]
    assert services["worker"]["healthcheck"] == {"disable": True}
    assert "command" not in services["web"]
    assert "HEALTHCHECK" in STEP.variant("recommended").dockerfile.read_text()
