"""What every record, plan and table that is read from a file is made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A model that refuses what it does not know: a misspelt field is an error, and not a default."""

    model_config = ConfigDict(extra="forbid")
