"""Tells which client library of PostgreSQL it is linked to."""

import psycopg2
from flask import Flask

app = Flask(__name__)


@app.get("/")
def library() -> str:
    """The version of libpq."""
    return f"libpq {psycopg2.extensions.libpq_version()}\n"
