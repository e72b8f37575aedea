import platform

import numpy
import psycopg2
import pytest
import whichimage
from whichimage import MOST_NUMBERS, app


@pytest.fixture
def client():
    return app.test_client()


def test_the_start_page_tells_which_image_it_runs_in(client, monkeypatch):
    monkeypatch.setenv("VARIANT", "links")
    answer = client.get("/").get_json()
    assert answer["step"] == "extra-second-platform"
    assert answer["variant"] == "links"
    assert answer["python"] == platform.python_version()
    assert answer["machine"] == platform.machine()


def test_without_a_variant_it_does_not_make_one_up(client, monkeypatch):
    monkeypatch.delenv("VARIANT", raising=False)
    assert client.get("/").get_json()["variant"] == "unknown"


def test_it_tells_its_release_and_its_compiled_packages(client, monkeypatch):
    monkeypatch.setattr(whichimage, "RELEASE", "another")
    answer = client.get("/versions").get_json()
    assert answer["release"] == "another"
    assert answer["numpy"] == numpy.__version__
    assert psycopg2.__version__.startswith(answer["psycopg2"])
    assert answer["libpq"] == psycopg2.extensions.libpq_version() > 100_000


@pytest.mark.parametrize(("n", "expected"), [(1, 0), (5, 10), (1000, 499500), (1_000_000, 499999500000)])
def test_it_adds_up(client, n, expected):
    assert client.get(f"/sum?n={n}").get_json() == {"n": n, "sum": expected}


def test_without_a_number_it_adds_a_million(client):
    assert client.get("/sum").get_json()["n"] == 1_000_000


@pytest.mark.parametrize("n", [-1, 0, MOST_NUMBERS + 1, "many", ""])
def test_what_it_cannot_add_up_is_refused(client, n):
    answer = client.get(f"/sum?n={n}")
    assert answer.status_code == 400
    assert str(MOST_NUMBERS) in answer.get_json()["error"]


def test_health_is_ok(client):
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.get_json() == {"status": "ok"}


def test_an_unknown_page_is_not_found(client):
    answer = client.get("/nowhere")
    assert answer.status_code == 404
    assert "error" in answer.get_json()
