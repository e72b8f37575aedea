"""A service of a compose file: what it is built from. Format: the Compose specification, build.md."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from measure.base.errors import Problem
from measure.steps.compose import arguments

#: The names that Compose looks for, in this order.
FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_VARIABLE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)(?:(:?-)([^}]*))?\})")


@dataclass(frozen=True)
class Build:
    """What a service is built from."""

    context: Path
    dockerfile: Path
    target: str | None = None
    args: dict[str, str] = field(default_factory=dict)


def _filled(value: Any) -> Any:
    """A value with the variables of the environment put in, as Compose does; one that is not set is empty."""

    def put(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if not name:
            return "$"
        found = os.environ.get(name)
        empty = found is None or (not found and match[3] == ":-")
        return (match[4] or "") if empty else found

    return _VARIABLE.sub(put, value) if isinstance(value, str) else value


def service(folder: Path, name: str) -> Build:
    """What a service is built from, by the compose file in a folder. Raises Problem when there is no such service."""
    file = next((folder / one for one in FILES if (folder / one).is_file()), None)
    if file is None:
        raise Problem(f"{folder} has no compose file.", next="the same command without --service")
    try:
        content = yaml.safe_load(file.read_text())
        services = content["services"]
        build = services[name]["build"]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Problem(f"{file} is not valid YAML.", why=str(error), next=f"docker compose -f {file} config") from None
    except (KeyError, TypeError):
        known = [key for key, one in _services(content).items() if isinstance(one, dict) and "build" in one]
        why = f"Those that it builds: {', '.join(known) or 'none'}."
        raise Problem(f"{file} builds no service called {name}.", why=why, next="--service with one of them") from None
    build = {"context": build} if isinstance(build, str) else build or {}
    if "dockerfile_inline" in build or "://" in str(build.get("context", "")):
        raise Problem(
            f"The service {name} is built from no file here.",
            why="Its Dockerfile stands in the compose file, or its context is elsewhere.",
            next="weigh its image: docker save IMAGE --output image.tar",
        )
    context = (folder / str(_filled(build.get("context", ".")))).resolve()
    dockerfile = context / str(_filled(build.get("dockerfile", "Dockerfile")))
    target = build.get("target")
    return Build(context, dockerfile, target and str(_filled(target)), arguments(build.get("args"), _filled))


def _services(content: Any) -> dict[str, Any]:
    found = content.get("services") if isinstance(content, dict) else None
    return found if isinstance(found, dict) else {}
