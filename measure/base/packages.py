"""Names of Python packages."""

from __future__ import annotations

import re

from measure.base.errors import Problem


def normal(name: str) -> str:
    """A package's name as indexes spell it (PEP 503). Raises Problem when it is no name."""
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", name):
        raise Problem(f"{name!r} is not the name of a package.", next="make wheels PACKAGES='lxml pillow'")
    return re.sub(r"[-_.]+", "-", name).lower()
