"""A web application small enough to look through: it tells which image it runs in, and how fast it adds up numbers."""

import os
import platform
import time

import numpy
from flask import Flask, Response, abort, jsonify, request
from werkzeug.exceptions import HTTPException

app = Flask(__name__)

#: More would keep everybody else waiting.
MOST_NUMBERS = 10_000_000


@app.get("/")
def image() -> dict:
    """Which image is this? The variant comes from compose.yaml, the rest from the running system."""
    return {
        "step": "extra-shipping",
        "variant": os.environ.get("VARIANT", "unknown"),
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver()),
        "machine": platform.machine(),
    }


@app.get("/sum")
def add_up() -> dict:
    """Add 0, 1, 2, … `n` numbers, once in Python and once in NumPy, and tell how many seconds each took."""
    asked = request.args.get("n", "1000000")
    n = int(asked) if asked.isdecimal() else 0
    if not 1 <= n <= MOST_NUMBERS:
        abort(400, f"n has to be between 1 and {MOST_NUMBERS}")

    begun = time.perf_counter()
    in_python = 0
    for number in range(n):
        in_python += number
    between = time.perf_counter()
    in_numpy = int(numpy.arange(n, dtype=numpy.int64).sum())
    ended = time.perf_counter()

    if in_python != in_numpy:
        abort(500, f"Python says {in_python}, NumPy says {in_numpy}")
    return {
        "n": n,
        "sum": in_python,
        "numpy": numpy.__version__,
        "python_seconds": between - begun,
        "numpy_seconds": ended - between,
    }


@app.get("/health")
def health() -> dict:
    """Is the application able to answer?"""
    return {"status": "ok"}


@app.errorhandler(HTTPException)
def as_json(error: HTTPException) -> tuple[Response, int | None]:
    """Errors in the form that all other answers have."""
    return jsonify(error=error.description), error.code
