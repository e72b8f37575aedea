"""Adds up numbers with NumPy."""

import numpy
from flask import Flask

app = Flask(__name__)


@app.get("/")
def total() -> str:
    """The sum of the first hundred numbers."""
    return f"sum {int(numpy.arange(101).sum())}\n"
