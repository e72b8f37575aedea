"""Keeps a note of each visit."""

from pathlib import Path

from flask import Flask

app = Flask(__name__)
NOTES = Path("data/notes.txt")


@app.get("/")
def note() -> str:
    """Add a line, and count them."""
    NOTES.parent.mkdir(exist_ok=True)
    with NOTES.open("a") as file:
        file.write("visited\n")
    return f"written: {len(NOTES.read_text().splitlines())}\n"
