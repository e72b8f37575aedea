"""Old measurements, with who took them and when: measure/record/then.toml. They are cited, never mixed with records."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import Field

from measure.base.model import Strict

PATH = Path(__file__).with_suffix(".toml")


class OldImage(Strict):
    """One image that somebody weighed."""

    title: str
    #: Of the files in its layers, as `docker images` showed it then.
    bytes: int = Field(gt=0)
    #: The same kind of image here: STEP/VARIANT, or the name of a base image.
    now: str
    #: Is it the one that the others of its source are compared with?
    whole: bool = False


class Source(Strict):
    """Who measured, when, and what kind of application."""

    name: str
    who: str
    when: str
    about: str
    url: str | None = None
    image: list[OldImage]


def sources() -> list[Source]:
    """Every source, in the file's order. Raises ValidationError when the file is not as it should be."""
    return [Source.model_validate(entry) for entry in tomllib.loads(PATH.read_text())["source"]]
