"""What every record, plan and table that is read from a file is made of."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from measure.base.errors import Problem
from measure.base.files import shown


class Strict(BaseModel):
    """A model that refuses what it does not know: a misspelt field is an error, and not a default."""

    model_config = ConfigDict(extra="forbid")


M = TypeVar("M", bound=BaseModel)


def read(model: type[M], path: Path, next: str = "") -> M | None:
    """What a JSON file says; None without a file. Raises Problem, `next` (or git checkout) as advice, if not valid."""
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        next = next or f"git checkout {shown(path)}"
        raise Problem(f"{shown(path)} is not valid.", why=reasons(error), next=next) from None


def kept(model: type[M], path: Path) -> M | None:
    """What a file of the cache says; None where there is none, or none that can be read."""
    try:
        return model.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def read_toml(model: type[M], path: Path, next: str = "") -> M:
    """What a TOML file says. Raises Problem, `next` (or to mend it) as advice, if it is not there or not valid."""
    try:
        return model.model_validate(tomllib.loads(path.read_text()))
    except (FileNotFoundError, ValueError) as error:  # of TOML, of text, or of the model
        why = reasons(error) if isinstance(error, ValidationError) else str(error)
        raise Problem(f"{shown(path)} is not valid.", why=why, next=next or f"mend {shown(path)}") from None


def reasons(error: ValidationError) -> str:
    """What a model refuses, a line for each of the first five: where, and why."""
    return "\n".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5])
