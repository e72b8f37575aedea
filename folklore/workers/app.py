"""Work for the processor, and a hundred requests for it at once."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.request import urlopen

from flask import Flask

app = Flask(__name__)
REQUESTS = 100


@app.get("/")
def image() -> dict:
    """Which process answers?"""
    return {"process": os.getpid()}


@app.get("/health")
def health() -> dict:
    """Is the application able to answer?"""
    return {"status": "ok"}


@app.get("/work")
def work() -> dict:
    """Some ten milliseconds of Python."""
    return {"sum": sum(n * n for n in range(100_000))}


@app.get("/burst")
def burst() -> dict:
    """Ask for work a hundred times, sixteen at once; tells the seconds until all of it is done."""

    def ask(_: int) -> bytes:
        with urlopen("http://127.0.0.1:8000/work") as answer:
            return answer.read()

    begun = time.perf_counter()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(REQUESTS)))
    return {"requests_seconds": time.perf_counter() - begun}
