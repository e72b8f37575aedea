import platform

import pytest
from whichimage import app


@pytest.fixture
def client():
    return app.test_client()


def test_the_start_page_tells_which_image_it_runs_in(client, monkeypatch):
    monkeypatch.setenv("VARIANT", "smallest")
    answer = client.get("/").get_json()
    assert answer["step"] == "extra-other-languages"
    assert answer["variant"] == "smallest"
    assert answer["python"] == platform.python_version()
    assert answer["machine"] == platform.machine()


def test_without_a_variant_it_does_not_make_one_up(client, monkeypatch):
    monkeypatch.delenv("VARIANT", raising=False)
    assert client.get("/").get_json()["variant"] == "unknown"


def test_health_is_ok(client):
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.get_json() == {"status": "ok"}


def test_an_unknown_page_is_not_found(client):
    assert client.get("/nowhere").status_code == 404
