"""Yes or no, as the environment says it."""

from __future__ import annotations

import os

from measure.base.errors import Problem

YES, NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


def is_on(name: str) -> bool:
    """Is the variable of this name set to yes? Raises Problem when it says neither yes nor no."""
    value = os.environ.get(name, "").strip().lower()
    if value not in YES + NO:
        raise Problem(f"{name}={value} means nothing.", next=f"{name}=1 or {name}=0, or leave it out")
    return value in YES
