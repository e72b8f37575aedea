"""What every record, plan and table that is read from a file is made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError


class Strict(BaseModel):
    """A model that refuses what it does not know: a misspelt field is an error, and not a default."""

    model_config = ConfigDict(extra="forbid")


def faults(error: ValidationError) -> str:
    """The first of what is wrong with a file, a line each: the field, and why."""
    return "\n".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
