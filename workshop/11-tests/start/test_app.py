"""The application says hello."""

from app import app


def test_it_says_hello() -> None:
    """To whoever asks."""
    assert app.test_client().get("/").text == "hello\n"
