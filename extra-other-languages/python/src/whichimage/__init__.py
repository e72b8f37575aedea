"""A web application small enough to look through: it tells you which image it runs in."""

import os
import platform

from flask import Flask

app = Flask(__name__)


@app.get("/")
def image() -> dict:
    """Which image is this? The variant comes from compose.yaml, the rest from the running system."""
    return {
        "step": "extra-other-languages",
        "variant": os.environ.get("VARIANT", "unknown"),
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver()),
        "machine": platform.machine(),
    }


@app.get("/health")
def health() -> dict:
    """Is the application able to answer?"""
    return {"status": "ok"}
