"""Tells what was fetched while the image was built."""

from pathlib import Path

from flask import Flask

app = Flask(__name__)


@app.get("/")
def fetched() -> str:
    """What was fetched."""
    return Path("fetched.txt").read_text()
