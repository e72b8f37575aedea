"""A service of a compose file: what it is built from. Format: the Compose specification, build.md."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from measure.base.errors import Problem
from measure.steps.compose import arguments, pairs

#: The names that Compose looks for, in this order.
FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
#: Format: the Compose specification, interpolation.md.
_VARIABLE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)(?:(:?)([-?+])([^}]*))?\})")
#: A line of a file `.env`. Format: Docker's documentation of Compose, "Environment file syntax".
_SETTING = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*[=:][ \t]*(?:'([^']*)'|"([^"]*)"|(.*?))[ \t]*(?:[ \t]#.*)?$""", re.MULTILINE
)


class _Loader(yaml.SafeLoader):
    """YAML with the tags of Compose: of `!override` the value alone, of `!reset` nothing."""


def _tagged(loader: _Loader, tag: str, node: yaml.Node) -> Any:
    if tag == "reset":
        return None
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    build = loader.construct_mapping if isinstance(node, yaml.MappingNode) else loader.construct_sequence
    return build(node, deep=True)


_Loader.add_multi_constructor("!", _tagged)


@dataclass(frozen=True)
class Build:
    """What a service is built from."""

    context: Path
    dockerfile: Path
    target: str | None = None
    args: dict[str, str] = field(default_factory=dict)


def _environment(folder: Path) -> dict[str, str]:
    """The variables that Compose fills in: the shell's, then those of the file `.env` beside its own."""
    file, found = folder / ".env", dict(os.environ)
    for name, single, *others in _SETTING.findall(file.read_text(errors="replace") if file.is_file() else ""):
        if name not in os.environ:
            found[name] = single or _filled(found, "".join(others))
    return found


def _filled(environment: Mapping[str, str], value: Any) -> Any:
    """A value with variables put in, as Compose does; one that is not set is empty. Raises Problem where it may not."""

    def put(match: re.Match[str]) -> str:
        name, colon, sign, word = match[1] or match[2], match[3], match[4], match[5]
        found = environment.get(name, "") if name else "$"
        there = bool(found) if colon or name not in environment else True
        if sign == "?" and not there:
            why = f"It is asked for with the words: {word or 'none'}."
            raise Problem(f"The compose file needs the variable {name}.", why=why, next=f"export {name}=…")
        return {"-": found if there else word, "+": word if there else ""}.get(sign, found)

    return _VARIABLE.sub(put, value) if isinstance(value, str) else value


def _read(file: Path) -> dict[str, Any]:
    """The services of a compose file. Raises Problem for one that is not valid."""
    try:
        content = yaml.load(file.read_text(), Loader=_Loader)  # noqa: S506 - a safe one
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Problem(f"{file} is not valid YAML.", why=str(error), next=f"docker compose -f {file} config") from None
    found = content.get("services") if isinstance(content, dict) else None
    return found if isinstance(found, dict) else {}


def _builds(services: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The build section of each service that has one."""
    found = {name: one.get("build") for name, one in services.items() if isinstance(one, dict)}
    found = {name: {"context": one} if isinstance(one, str) else one for name, one in found.items()}
    return {name: one for name, one in found.items() if one and isinstance(one, dict)}


def service(folder: Path, name: str) -> Build:
    """What a service is built from, by the compose file in a folder and the override beside it.

    They are merged as the Compose specification has it, merge.md. Raises Problem when there is no such service.
    """
    file = next((folder / one for one in FILES if (folder / one).is_file()), None)
    if file is None:
        raise Problem(f"{folder} has no compose file.", next="the same command without --service")
    builds = _builds(_read(file))
    others = (file.with_name(f"{file.stem}.override{suffix}") for suffix in (file.suffix, ".yml", ".yaml"))
    override = next((other for other in others if other.is_file()), None)
    for key, build in _builds(_read(override)).items() if override else ():
        first = builds.get(key, {})
        builds[key] = {**first, **build, "args": {**pairs(first.get("args")), **pairs(build.get("args"))}}
    if name not in builds:
        why = f"Those that it builds: {', '.join(builds) or 'none'}."
        raise Problem(f"{file} builds no service called {name}.", why=why, next="--service with one of them")
    build = builds[name]
    if "dockerfile_inline" in build or "://" in str(build.get("context", "")):
        raise Problem(
            f"The service {name} is built from no file here.",
            why="Its Dockerfile stands in the compose file, or its context is elsewhere.",
            next="weigh its image: docker save IMAGE --output image.tar",
        )
    environment = _environment(folder)
    filled = partial(_filled, environment)
    context = (folder / str(filled(build.get("context", ".")))).resolve()
    dockerfile = context / str(filled(build.get("dockerfile", "Dockerfile")))
    target = build.get("target")
    return Build(
        context, dockerfile, (target and str(filled(target))) or None, arguments(build.get("args"), filled, environment)
    )
