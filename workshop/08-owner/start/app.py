"""Tells the size of its model."""

from pathlib import Path

from flask import Flask

app = Flask(__name__)


@app.get("/")
def model() -> str:
    """The bytes of the model."""
    return f"model: {Path('model.bin').stat().st_size} bytes\n"
