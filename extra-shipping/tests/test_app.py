import platform

import pytest
from whichimage import MOST_NUMBERS, app


@pytest.fixture
def client():
    return app.test_client()


def test_the_start_page_tells_which_image_it_runs_in(client, monkeypatch):
    monkeypatch.setenv("VARIANT", "slim")
    answer = client.get("/").get_json()
    assert answer["step"] == "extra-shipping"
    assert answer["variant"] == "slim"
    assert answer["python"] == platform.python_version()
    assert answer["machine"] == platform.machine()


def test_without_a_variant_it_does_not_make_one_up(client, monkeypatch):
    monkeypatch.delenv("VARIANT", raising=False)
    assert client.get("/").get_json()["variant"] == "unknown"


@pytest.mark.parametrize(("n", "expected"), [(1, 0), (5, 10), (1000, 499500), (1_000_000, 499999500000)])
def test_python_and_numpy_come_to_the_same_sum(client, n, expected):
    answer = client.get(f"/sum?n={n}").get_json()
    assert answer["n"] == n
    assert answer["sum"] == expected
    assert answer["python_seconds"] > 0
    assert answer["numpy_seconds"] > 0


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
