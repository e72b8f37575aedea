"""A service of a compose file: what it is built from. Format: the Compose specification, build.md."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from measure.base.errors import Problem
from measure.base.files import cache_folder, write_whole
from measure.steps.compose import arguments, pairs

#: What a Dockerfile that stands in a compose file is called.
INLINE = "dockerfile_inline"
#: The names that Compose looks for, in this order.
FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
#: Where a variable begins: `$$`, `$NAME`, `${NAME` and what may follow. Format: the Compose specification,
#: interpolation.md.
_VARIABLE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)(?:(:?)([-?+]))?)")
#: A context that is not a folder here: an address, or a repository as git writes it.
_ELSEWHERE = re.compile(r"://|^[\w.-]+@[\w.-]+:")
#: What opens and closes a variable in braces, whose default may have others in it.
_BRACE = re.compile(r"\$\{|\}")
#: A line of a file `.env`. Format: Docker's documentation of Compose, "Environment file syntax".
_SETTING = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*[=:][ \t]*(?:'([^']*)'|"([^"]*)"|(.*?))[ \t]*(?:[ \t]#.*)?$""", re.MULTILINE
)


class _Whole(dict):
    """A mapping under `!override`, which is merged with nothing."""


class _Loader(yaml.SafeLoader):
    """YAML with the tags of Compose: of `!override` the value alone, of `!reset` nothing."""


def _tagged(loader: _Loader, tag: str, node: yaml.Node) -> Any:
    if tag == "reset":
        return _Whole()
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.MappingNode):
        return _Whole(loader.construct_mapping(node, deep=True))
    return loader.construct_sequence(node, deep=True)


_Loader.add_multi_constructor("!", _tagged)


@dataclass(frozen=True)
class Build:
    """What a service is built from."""

    context: Path
    dockerfile: Path
    target: str | None = None
    args: dict[str, str] = field(default_factory=dict)
    #: Names of other folders and images that it is built from, by `additional_contexts`.
    others: tuple[str, ...] = ()


def _environment(folder: Path) -> dict[str, str]:
    """The variables that Compose fills in: the shell's, then those of the file `.env` beside its own."""
    file, found = folder / ".env", dict(os.environ)
    for name, single, *others in _SETTING.findall(file.read_text(errors="replace") if file.is_file() else ""):
        if name not in os.environ:
            found[name] = single or _filled(found, "".join(others))
    return found


def _filled(environment: Mapping[str, str], value: Any) -> Any:
    """A value with variables put in, as Compose does; one that is not set is empty. Raises Problem where it may not."""
    if not isinstance(value, str):
        return value
    done, at = "", 0
    while match := _VARIABLE.search(value, at):
        name, colon, sign = match[1] or match[2], match[3], match[4]
        done, at = done + value[at : match.start()], match.end()
        word, at = _to_brace(value, at) if match[2] else ("", at)
        found = environment.get(name, "") if name else "$"
        there = bool(found) if colon or name not in environment else True
        if sign == "?" and not there:
            why = f"It is asked for with the words: {_filled(environment, word) or 'none'}."
            raise Problem(f"The compose file needs the variable {name}.", why=why, next=f"export {name}=…")
        wanted = {"-": not there, "+": there}.get(sign or "", False)
        done += _filled(environment, word) if wanted else "" if sign == "+" else found
    return done + value[at:]


def _to_brace(value: str, at: int) -> tuple[str, int]:
    """What stands from here to the brace that closes, and where it goes on. Raises Problem where none does."""
    open_ones = 1
    for brace in _BRACE.finditer(value, at):
        open_ones += 1 if brace[0] == "${" else -1
        if not open_ones:
            return value[at : brace.start()], brace.end()
    raise Problem(f"A variable in the compose file has no end: {value}", next="docker compose config")


def _read(file: Path) -> dict[str, Any]:
    """What a compose file says. Raises Problem for one that is not valid, or is not there."""
    try:
        content = yaml.load(file.read_text(), Loader=_Loader)  # noqa: S506 - a safe one
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Problem(f"{file} is not valid YAML.", why=str(error), next=f"docker compose -f {file} config") from None
    except OSError as error:
        raise Problem(f"{file} cannot be read.", why=error.strerror or "", next="docker compose config") from None
    return content if isinstance(content, dict) else {}


def _merged(first: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
    """Two build sections as one. Format: the Compose specification, merge.md."""
    if isinstance(then, _Whole):
        return then
    args = {**pairs(first.get("args")), **pairs(then.get("args"))}
    found = {**first, **then, "args": {key: value for key, value in args.items() if value != _Whole()}}
    return {key: value for key, value in found.items() if value != _Whole()}


@dataclass(frozen=True)
class _Files:
    """Compose files that are merged, read with the variables that are set."""

    environment: Mapping[str, str]
    merged: list[Path]

    def folder(self, file: Path) -> Path:
        """What paths in a file begin at: of those that are merged the folder of the first, else the file's own."""
        return (self.merged[0] if file in self.merged else file).parent

    def filled(self, value: Any) -> Any:
        """A value with variables put in."""
        return _filled(self.environment, value)

    def services(self, file: Path, within: tuple[Path, ...] = ()) -> dict[str, tuple[Path, dict[str, Any]]]:
        """Each service by its name, with the file that it stands in: this one, or one that this one includes.

        `within`: the files that include this one.
        """
        content, found = _read(file), {}
        if (here := file.resolve()) in within:
            raise Problem(f"{file} includes itself.", next=f"docker compose -f {file} config")
        for one in included if isinstance(included := content.get("include"), list) else ():
            paths = one.get("path") if isinstance(one, dict) else one
            for path in paths if isinstance(paths, list) else [paths]:
                found |= self.services(self.folder(file) / str(self.filled(path)), (*within, here))
        services = content.get("services")
        return found | {
            name: (file, one)
            for name, one in (services.items() if isinstance(services, dict) else ())
            if isinstance(one, dict)
        }

    def build(self, file: Path, name: str, within: tuple[tuple[Path, str], ...] = ()) -> dict[str, Any] | None:
        """The build section of a service, upon that of the one that it extends; None where it has none.

        A context is a whole path, by the folder of the file that it stands in. `within`: what extends this service.
        """
        file, one = self.services(file).get(name, (file, {}))
        if (key := (file.resolve(), name)) in within:
            raise Problem(f"{file}: {name} extends itself.", next=f"docker compose -f {file} config")
        build, extends = one.get("build"), one.get("extends")
        build = {"context": build} if isinstance(build, str) else build if isinstance(build, dict) else None
        if build and build.get("context") is not None and not _ELSEWHERE.search(str(build["context"])):
            build["context"] = str((self.folder(file) / str(self.filled(build["context"]))).resolve())
        if not extends:
            return build
        extends = extends if isinstance(extends, dict) else {"service": extends}
        other = self.folder(file) / str(self.filled(extends["file"])) if extends.get("file") else file
        first = self.build(other, str(extends.get("service")), (*within, key))
        return first if build is None else _merged(first or {}, build)


def _builds(files: _Files) -> dict[str, dict[str, Any]]:
    """The build section of each service that has one, a later file upon an earlier one."""
    found: dict[str, dict[str, Any]] = {}
    for file in files.merged:
        for name in files.services(file):
            if (build := files.build(file, name)) is not None:
                found[name] = _merged(found.get(name) or {}, build)
    return {name: build for name, build in found.items() if build}


def _files(folder: Path, environment: Mapping[str, str]) -> list[Path]:
    """The files that Compose merges: those that COMPOSE_FILE names, else its own and the override beside it.

    Format: Docker's documentation of Compose, "Configure pre-defined environment variables". Raises Problem for none.
    """
    if named := environment.get("COMPOSE_FILE"):
        return [folder / one for one in named.split(environment.get("COMPOSE_PATH_SEPARATOR") or os.pathsep) if one]
    file = next((folder / one for one in FILES if (folder / one).is_file()), None)
    if file is None:
        raise Problem(
            f"{folder} has no compose file.",
            why=f"It would be called {FILES[0]} or {FILES[-1]}, or be named by the variable COMPOSE_FILE.",
            next="COMPOSE_FILE=NAME and the same command, or the command without --service",
        )
    others = (file.with_name(f"{file.stem}.override{suffix}") for suffix in (file.suffix, ".yml", ".yaml"))
    return [file, *[other for other in others if other.is_file()][:1]]


def _inline(text: str) -> Path:
    """A Dockerfile that stands in a compose file, as a file in the cache folder."""
    file = cache_folder() / "mine" / hashlib.sha256(text.encode()).hexdigest()[:12] / INLINE
    write_whole(file, text)
    return file


def service(folder: Path, name: str) -> Build:
    """What a service is built from, by the compose files of a folder, or by one file.

    They are merged as the Compose specification has it, merge.md, include.md and extends.md. Raises Problem when there
    is no such service.
    """
    alone = [folder] if folder.suffix in (".yaml", ".yml") and not folder.is_dir() else []
    folder = folder.parent if alone else folder
    environment = _environment(folder)
    merged = alone or _files(folder, environment)
    environment = {**_environment(merged[0].parent), **environment}
    files = _Files(environment, merged)
    builds, filled = _builds(files), files.filled
    if name not in builds:
        why = f"Those that it builds: {', '.join(builds) or 'none'}."
        where = ", ".join(map(str, files.merged))
        raise Problem(f"{where} builds no service called {name}.", why=why, next="--service with one of them")
    build = builds[name]
    if _ELSEWHERE.search(str(build.get("context", ""))):
        raise Problem(
            f"The service {name} is built from no file here.",
            why="Its context is elsewhere.",
            next="weigh its image: docker save IMAGE --output image.tar",
        )
    context, target = Path(build.get("context") or files.merged[0].parent).resolve(), build.get("target")
    dockerfile = context / str(filled(build.get("dockerfile") or "Dockerfile"))
    if inline := build.get("dockerfile_inline"):
        dockerfile = _inline(str(filled(inline)))
    args = arguments(build.get("args"), filled, environment)
    others = tuple(map(str, pairs(build.get("additional_contexts"))))
    return Build(context, dockerfile, (target and str(filled(target))) or None, args, others)
