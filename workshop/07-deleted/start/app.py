"""Tells what was prepared while the image was built."""

from pathlib import Path

from flask import Flask

app = Flask(__name__)


@app.get("/")
def digest() -> str:
    """The digest of the data."""
    return Path("digest.txt").read_text()
