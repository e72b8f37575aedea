"""A web application that needs two compiled packages, NumPy and psycopg2, and tells which image it runs in."""

import os
import platform

import numpy
import psycopg2
from flask import Flask, Response, abort, jsonify, request
from psycopg2.extensions import libpq_version
from werkzeug.exceptions import HTTPException

app = Flask(__name__)

#: Change this line, build, and ask /versions: it tells whether the container runs what you wrote.
RELEASE = "one"

#: More would keep everybody else waiting.
MOST_NUMBERS = 10_000_000


@app.get("/")
def image() -> dict:
    """Which image is this? The variant comes from compose.yaml, the rest from the running system."""
    return {
        "step": "extra-second-platform",
        "variant": os.environ.get("VARIANT", "unknown"),
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver()),
        "machine": platform.machine(),
    }


@app.get("/versions")
def versions() -> dict:
    """The application's release, and its compiled packages. libpq is the library that psycopg2 found in the image."""
    return {
        "release": RELEASE,
        "numpy": numpy.__version__,
        "psycopg2": psycopg2.__version__.split()[0],
        "libpq": libpq_version(),
    }


@app.get("/sum")
def add_up() -> dict:
    """Add 0, 1, 2, … `n` numbers, in NumPy."""
    asked = request.args.get("n", "1000000")
    n = int(asked) if asked.isdecimal() else 0
    if not 1 <= n <= MOST_NUMBERS:
        abort(400, f"n has to be between 1 and {MOST_NUMBERS}")
    return {"n": n, "sum": int(numpy.arange(n, dtype=numpy.int64).sum())}


@app.get("/health")
def health() -> dict:
    """Is the application able to answer?"""
    return {"status": "ok"}


@app.errorhandler(HTTPException)
def as_json(error: HTTPException) -> tuple[Response, int | None]:
    """Errors in the form that all other answers have."""
    return jsonify(error=error.description), error.code
