"""Names and texts out of an image, made fit to be shown: an image is not trusted with the reader's terminal."""

from __future__ import annotations

import re

#: What a terminal takes for a command, what turns the direction of writing, and halves of characters.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str, most: int = 2000) -> str:
    """A text on one line, single spaces, what no terminal should get as `?`; what is longer is cut."""
    return _UNFIT.sub("?", re.sub(r"\s+", " ", text[: 4 * most]).strip())[:most]
