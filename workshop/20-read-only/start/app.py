"""Prepares a page once, and keeps it in a folder."""

import os
from pathlib import Path

from flask import Flask

app = Flask(__name__)
CACHE = Path(os.environ.get("CACHE", "/app/cache"))


@app.get("/")
def page() -> str:
    """The page, from the folder."""
    CACHE.mkdir(parents=True, exist_ok=True)
    file = CACHE / "page.txt"
    if not file.exists():
        file.write_text("prepared\n")
    return file.read_text()
