"""A web application small enough to look through: it tells you which image it runs in, and counts its visits."""

import os
import platform

from flask import Flask

from whichimage import visits

app = Flask(__name__)


@app.get("/")
def image() -> dict:
    """Which image is this? The variant comes from compose.yaml, the rest from the running system."""
    return {
        "step": "extra-compiling-deps",
        "variant": os.environ.get("VARIANT", "unknown"),
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver()),
        "machine": platform.machine(),
    }


@app.get("/visits")
def count_visit() -> dict:
    """One visit more. It is counted for good before it is answered."""
    return {"visits": visits.add()}


@app.get("/health")
def health() -> dict:
    """Is the application able to answer? Not without its database."""
    visits.ping()
    return {"status": "ok"}


@app.errorhandler(visits.UnavailableError)
def unavailable(problem: visits.UnavailableError) -> tuple[dict, int]:
    """The log says why. Who asked learns no more than concerns them."""
    app.logger.warning("The database does not answer: %s", problem)
    return problem.answer, 503
