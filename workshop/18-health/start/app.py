"""A web application of one page."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    """Say hello."""
    return "hello\n"


@app.get("/health")
def health() -> dict:
    """Is the application able to answer?"""
    return {"status": "ok"}
