"""What a build depends on, as one hash: when it changes, the record of the build is stale. Needs no engine.

A Dockerfile, the build options of its service, the files that the build context offers, and the recipes of the base
images where the project builds these itself.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

from pathspec import PathSpec

from measure.base.dockerfiles import external_images
from measure.base.errors import Problem
from measure.base.model import Strict
from measure.steps.compose import Step, Variant


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
        return _hash(self.model_dump())

    @property
    def own_sha256(self) -> str:
        """What a step brings itself, as one: its Dockerfile, options and context, whatever its base images are."""
        return _hash(self.model_dump(exclude={"recipes_sha256"}))

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


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def git_files(folder: Path) -> list[Path]:
    """The files below a folder that git has or would take, relative to it; without git or a repository, all files."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (subprocess.CalledProcessError, FileNotFoundError):
        return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    names = sorted({name for name in listed.stdout.split("\0") if name})
    return [Path(name) for name in names if (folder / name).is_file()]


def ignore_file(variant: Variant) -> Path | None:
    """The ignore file that counts for a variant: that of its Dockerfile, else that of the context, else none.

    Rule: Docker's build documentation, "Filename and location" of ignore files.
    """
    own = variant.dockerfile.with_name(f"{variant.dockerfile.name}.dockerignore")
    candidates = (own, variant.context / ".dockerignore")
    return next((path for path in candidates if path.exists()), None)


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


def context_files(variant: Variant) -> list[Path]:
    """The files that a variant's build context offers: those that git would give and the ignore file lets through.

    Relative to the context.
    """
    found = git_files(variant.context)
    ignore = ignore_file(variant)
    if ignore is None:
        return found
    rules = ignore_rules(ignore.read_text())
    return [path for path in found if not rules.match_file(path.as_posix())]


def _described(folder: Path, paths: list[Path]) -> list[tuple[str, bool, str]]:
    """Name, executable or not, and SHA-256 of each of these files of a folder."""
    return [
        (
            path.as_posix(),
            bool((folder / path).stat().st_mode & stat.S_IXUSR),
            hashlib.sha256((folder / path).read_bytes()).hexdigest(),
        )
        for path in paths
    ]


def offered_sha256(variant: Variant) -> str:
    """Hash of all that decides what a variant's build context offers: all its files, and the rules."""
    ignore = ignore_file(variant)
    return _hash([_described(variant.context, git_files(variant.context)), ignore and ignore.read_text()])


def inputs_of(step: Step, variant: Variant, recipe: Callable[[str], str | None]) -> Inputs:
    """Hash what a variant's build depends on. `recipe` gives the hash of a base image's recipe, or None.

    Raises Problem for build options whose files are not looked at.
    """
    if "additional_contexts" in variant.build or "dockerfile_inline" in variant.build:
        raise Problem(
            f"{variant.service} uses build options that records cannot vouch for.",
            why="additional_contexts and dockerfile_inline are not among the inputs that are hashed.",
            next=f"use stages in a Dockerfile instead, in {step.name}/",
        )
    recipes = {name: recipe(name) for name in external_images(variant.dockerfile)}
    return Inputs(
        dockerfile_sha256=hashlib.sha256(variant.dockerfile.read_bytes()).hexdigest(),
        options_sha256=_hash(variant.build),
        context_sha256=_hash(_described(variant.context, context_files(variant))),
        recipes_sha256={name: sha256 for name, sha256 in recipes.items() if sha256},
    )
