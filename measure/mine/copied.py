"""What the lines of a stage copy: where each file of the build context comes to lie, whose it is, and by which line.

It follows Docker's reference for COPY: https://docs.docker.com/reference/dockerfile/#copy
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from measure.base.dockerfiles import Instruction, Stage
from measure.mine.draft import folder_at, user_at, words_of

_UNPACKED = re.compile(r"://|\.(tar|tar\.\w+|t[gbx]z\w*)$")
#: With what the source begins of what does not come from the build context as it is there.
ELSEWHERE = "from elsewhere: "
#: Options with which files come from elsewhere, lie elsewhere, or are fewer.
_OTHERS = re.compile(r"--(from|parents|exclude)\b")


class Made(NamedTuple):
    """A file, by its path in the build context, or what else a line brings; of a folder the source is empty."""

    source: str
    owner: str
    mode: str
    by: Instruction


def copied(stage: Stage, files: Collection[str], before: Instruction | None = None) -> dict[str, Made]:
    """By its whole path what a stage copies, up to a line; `files` are those that the build context sends.

    The path of a folder ends with a slash; WORKDIR makes it for the user of the line, COPY for the one that it names.
    What a base image or a command makes is not known.
    """
    made = copied(stage.parent, files) if stage.parent else {}
    folder = folder_at(stage.parent) if stage.parent else "/"
    for one in stage.instructions:
        if one is before:
            break
        if one.word == "WORKDIR":
            folder = posixpath.normpath(posixpath.join(folder, one.value.strip()))
            made = {**dict.fromkeys(_folders(folder), Made("", user_at(stage, one), "", one)), **made}
        elif one.word in ("COPY", "ADD"):
            for path, what, anew in _copy(one, folder, files, made):
                if anew or path not in made:
                    made[path] = what
    return made


def brought(stage: Stage, one: Instruction, files: Collection[str]) -> dict[str, Made]:
    """What a single line of a stage copies."""
    return {path: what for path, what in copied(stage, files, _next(stage, one)).items() if what.by is one}


def copies_by_name(one: Instruction, files: Collection[str]) -> bool:
    """Does a line copy files by their names, and no folder?"""
    found = [is_file for source in words_of(one)[:-1] for *_, is_file in _found(source, files)]
    return bool(found) and all(found)


def included(name: str, source: str, files: Mapping[str, Path]) -> Iterator[str]:
    """The lists that a list of requirements names, by their paths where it is `name`; `source` is its own file."""
    try:
        text = files[source].read_text(encoding="utf-8", errors="replace")
    except (KeyError, OSError):
        return
    for line in re.findall(r"^\s*(?:-[rc]|--requirement|--constraint)[ =]*([^\s#]+)", text, re.MULTILINE):
        if "://" not in line:
            yield posixpath.normpath(posixpath.join(posixpath.dirname(name), line))


def _next(stage: Stage, one: Instruction) -> Instruction | None:
    after = stage.instructions[stage.instructions.index(one) + 1 :]
    return after[0] if after else None


def _folders(path: str) -> list[str]:
    """A folder and those above it, each with a slash at its end."""
    parts = [part for part in path.split("/") if part]
    return [f"/{'/'.join(parts[:number])}/" for number in range(1, len(parts) + 1)]


def _copy(
    one: Instruction, folder: str, files: Collection[str], there: Mapping[str, Made]
) -> Iterator[tuple[str, Made, bool]]:
    """What a line copies, and does it replace what is there? Not the folder that it copies to, nor those above it."""
    *sources, to = words_of(one)
    options = dict(re.findall(r"--(chown|chmod)=(\S+)", one.value))
    owner, mode = options.get("chown", ""), options.get("chmod", "")
    target = posixpath.normpath(posixpath.join(folder, to))
    if one.here or _OTHERS.search(one.value) or (one.word == "ADD" and any(map(_UNPACKED.search, sources))):
        for source in sources:
            name = posixpath.basename(source.rstrip("/"))
            named = "." in name and not re.search(r"[*?\[]|^<<", source)
            inner = name if named and to.endswith(("/", ".")) else ""
            place = posixpath.normpath(posixpath.join(target, inner))
            yield place, Made(f"{ELSEWHERE}{one.value}", owner, mode, one), True
        return
    is_folder = to.endswith(("/", ".")) or len(sources) > 1 or target in (folder, "/") or f"{target}/" in there
    placed: dict[str, str] = {}
    for source in sources:
        for path, name, is_file in _found(source, files):
            place = target if is_file and not is_folder else posixpath.join(target, name)
            placed[posixpath.normpath(place)] = path
    for each in {above for inner in {*map(posixpath.dirname, placed)} for above in _folders(inner)}:
        yield each, Made("", owner, mode, one), each.startswith(f"{target.rstrip('/')}/") and each != f"{target}/"
    for place, path in placed.items():
        yield place, Made(path, owner, mode, one), True


def _found(source: str, files: Collection[str]) -> Iterator[tuple[str, str, bool]]:
    """The files that a source stands for, by their names below the target; and are they named, or in a folder?"""
    wanted = posixpath.normpath(source.lstrip("/") or ".")
    depth = wanted.count("/") + 1
    for path in files:
        parts = path.split("/")
        if wanted == ".":
            yield path, path, False
        elif len(parts) >= depth and fnmatchcase("/".join(parts[:depth]), wanted):
            yield path, "/".join(parts[depth:]) or parts[-1], len(parts) == depth
