"""Dockerfiles in the manner of real projects, below manners/, and what is known of each."""

from __future__ import annotations

import tomllib
from pathlib import Path

from measure.mine.building import Source

FOLDER = Path(__file__).with_name("manners")
#: By the name of the folder; see the file for what each field says.
MANNERS = tomllib.loads((FOLDER / "manners.toml").read_text())


def source(name: str) -> Source:
    """What one is built from."""
    folder = FOLDER / name
    return Source(folder, folder / MANNERS[name].get("file", "Dockerfile"))
