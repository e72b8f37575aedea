"""What a build depends on, as one hash: when it changes, the record of the build is stale. Needs no engine.

A Dockerfile, the build options of its service, the files that the build context offers, and the recipes of the base
images where the project builds these itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import stat
import subprocess
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pathspec import PathSpec

from measure.base.errors import Problem, say
from measure.base.files import ROOT
from measure.base.model import Strict

if TYPE_CHECKING:
    from measure.steps.compose import Step, Variant

#: A file of a context: its name, whether it is executable, and the SHA-256 of its content, or where a link leads.
File = tuple[str, bool, str]


class Inputs(Strict):
    """Hashes (SHA-256) of all that a build depends on."""

    dockerfile_sha256: str
    options_sha256: str
    context_sha256: str
    #: Recipe of each base image that the project builds itself; none for images from a registry.
    recipes_sha256: dict[str, str]

    @property
    def sha256(self) -> str:
        """All of them as one."""
        return hash_of(self.model_dump())

    def changes(self, other: Inputs) -> list[str]:
        """What differs in `other`, in words."""
        words = []
        if self.dockerfile_sha256 != other.dockerfile_sha256:
            words.append("the Dockerfile changed")
        if self.options_sha256 != other.options_sha256:
            words.append("the build options in compose.yaml changed")
        if self.context_sha256 != other.context_sha256:
            words.append("files in the build context changed")
        for name in sorted({*self.recipes_sha256, *other.recipes_sha256}):
            if self.recipes_sha256.get(name) != other.recipes_sha256.get(name):
                words.append(f"the recipe of {name} changed")
        return words


def hash_of(value: object) -> str:
    """SHA-256 of a value as JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def git_files(folder: Path) -> list[Path]:
    """The files and symbolic links below a folder that git has or would take, relative to it.

    Without git or a repository all of them; that is said once where the folder is one of this project. A repository
    that this project was unpacked in is none of it: it may ignore every file, as one of somebody's home folder does.
    Raises Problem when git refuses to tell.
    """
    try:
        listed = _ls_files(folder, "--cached", "--others", "--exclude-standard")
        around = folder.is_relative_to(ROOT) and not (ROOT / ".git").exists() and listed.returncode == 0
        if around and not _ls_files(folder, "--cached").stdout:  # it does not have this project in it
            return _all_files(folder, "this is no git repository")
    except FileNotFoundError:
        return _all_files(folder, "there is no git here")
    if listed.returncode == 0:
        names = sorted({name for name in listed.stdout.split("\0") if name})
        return [Path(name) for name in names if _is_file(folder / name)]
    if "not a git repository" in listed.stderr:
        return _all_files(folder, "this is no git repository")
    advice = re.search(r"^\s*(git config .+)$", listed.stderr, re.MULTILINE)
    raise Problem(
        f"git does not say which files {folder.name} has.",
        why=listed.stderr.strip(),
        next=advice[1] if advice else f"git -C {folder} status",
    )


def _ls_files(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(
        ["git", "ls-files", "-z", *options], cwd=folder, env=environment, capture_output=True, text=True
    )


def _is_file(path: Path) -> bool:
    return path.is_symlink() or path.is_file()


def _all_files(folder: Path, why: str) -> list[Path]:
    if folder.is_relative_to(ROOT):
        _say_once(f"{why}: every file of a folder counts, what tests and editors left there too")
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if _is_file(path))


_say_once = cache(say)


def ignore_rules(text: str) -> PathSpec:
    """The rules of an ignore file; `match_file(path)` tells whether a path is ignored.

    Docker's rules are Git's, but for this: each pattern counts from the context's root, slashes around it mean
    nothing, and a file may be taken back in although its folder is out. The last pattern that matches decides.
    Rule: Docker's build documentation, ".dockerignore files".
    """
    patterns = []
    for line in text.splitlines():
        pattern = "" if line.startswith("#") else line.strip()
        taken_back = pattern.startswith("!")
        pattern = posixpath.normpath(pattern[taken_back:].strip() or ".").strip("/")
        if pattern != ".":
            sign = "!" if taken_back else ""
            patterns += [f"{sign}/{pattern}", f"{sign}/{pattern}/**"]  # a folder's pattern counts for all that is in it
    return PathSpec.from_lines("gitignore", patterns)


def described(folder: Path, paths: Iterable[Path]) -> list[File]:
    """What decides these files of a folder; a symbolic link is where it leads, as in git, and not what is there."""
    found: list[File] = []
    for path in paths:
        full = folder / path
        if full.is_symlink():
            found.append((path.as_posix(), False, f"-> {full.readlink()}"))
            continue
        executable = bool(full.stat().st_mode & stat.S_IXUSR)
        found.append((path.as_posix(), executable, hashlib.sha256(full.read_bytes()).hexdigest()))
    return found


def inputs_of(step: Step, variant: Variant, recipe: Callable[[str], str | None]) -> Inputs:
    """What a variant's build depends on as its folder is now, whatever was read of it before: see `Variant.inputs`."""
    return step.now(variant).inputs(recipe)
