"""What a Dockerfile is built from.

Format: Docker's Dockerfile reference: parser directives, continuation lines, here-documents, ARG in FROM. Names of
stages are the same in small and capital letters (BuildKit, frontend/dockerfile/instructions/parse.go).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from pathlib import Path

from measure.base.errors import Problem

#: A word that begins a here-document: `<<EOF`, `<<-"EOF"`, `3<<EOF`.
_HEREDOC = re.compile(r"(?<!\S)\d*<<(-?)([\"']?)([^\s<\"']+)\2(?!\S)")
_QUOTED = re.compile(r"(?<!<)(?<!<-)([\"']).*?\1")
_TAKES_HEREDOCS = re.compile(r"\s*(ONBUILD\s+)?(RUN|COPY|ADD)\s", re.IGNORECASE)
#: `$A`, `${A}`, and with what stands for it where it is unset (-), unset or empty (:-), or where it is set (+, :+).
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^}]*))?\})")


@dataclass
class Stage:
    """One stage: what it begins with, its name in small letters, and the images that it copies or mounts from."""

    image: str
    name: str | None
    sources: list[str] = field(default_factory=list)


def _parsed(text: str) -> list[tuple[str, str]]:
    """Each instruction, in capital letters, and what follows it on one line, without comments and here-documents."""
    directive = re.match(r"(?:#\s*syntax\s*=.*\n)?#\s*escape\s*=\s*(\S)", text, re.IGNORECASE)
    escape = directive[1] if directive else "\\"
    found: list[tuple[str, str]] = []
    #: Of the here-documents that began: a minus sign where tabs do not count, and the word that ends it.
    ends: list[tuple[str, str]] = []
    instruction = ""
    for line in text.splitlines():
        if ends:
            tabs, end = ends[0]
            if (line.lstrip("\t") if tabs else line) == end:
                ends.pop(0)
            continue
        if not line.strip() or line.lstrip().startswith("#"):  # within an instruction, too
            continue
        line = line.rstrip()
        instruction += line.removesuffix(escape)
        if line.endswith(escape):
            continue
        word, *value = instruction.split(maxsplit=1)
        found.append((word.upper(), "".join(value)))
        if _TAKES_HEREDOCS.match(instruction):
            ends = [(match[1], match[3]) for match in _HEREDOC.finditer(_QUOTED.sub("", instruction))]
        instruction = ""
    return found


def _expanded(word: str, values: Mapping[str, str]) -> str:
    """A word of FROM with these build arguments put in; one that has no value stays as it is written."""

    def value(match: re.Match[str]) -> str:
        name, sign, other = match[1] or match[2], match[3] or "", match[4]
        there = name in values and (bool(values[name]) or not sign.startswith(":"))
        if sign.endswith("+"):
            return other if there else ""
        return values[name] if there else other if sign else values.get(name, match[0])

    return _VARIABLE.sub(value, word)


@dataclass(frozen=True)
class Dockerfile:
    """A Dockerfile that was read. `args` are the build arguments that it is built with."""

    name: str
    text: str
    args: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _structure(self) -> list[tuple[str, str]]:
        return _parsed(self.text)

    @property
    def instructions(self) -> list[str]:
        """The instructions in order, each on one line, without comments, indentation and here-documents."""
        return [re.sub(r" {2,}", " ", f"{instruction} {value}") for instruction, value in self._structure]

    @cached_property
    def stages(self) -> list[Stage]:
        """The stages in order, build arguments in FROM replaced. Raises Problem when there is no FROM."""
        found: list[Stage] = []
        values: dict[str, str] = {}
        for instruction, value in self._structure:
            words = value.split()
            flags = list(takewhile(lambda word: word.startswith("--"), words))
            match instruction:
                case "ARG" if not found:  # those of a stage do not count in FROM
                    for name, given, default in (word.partition("=") for word in self._words(value)):
                        if name in self.args:
                            values[name] = self.args[name]
                        elif given:
                            values[name] = _expanded(default, values)
                case "FROM":
                    image, *named = words[len(flags) :]
                    found.append(Stage(_expanded(image, values), named[1].lower() if len(named) == 2 else None))
                case "COPY" | "ADD" | "RUN" if found:
                    option = r"--mount=(?:\S*,)?from=" if instruction == "RUN" else "--from="
                    matches = (re.match(option + r"([^\s,]+)", flag) for flag in flags)
                    found[-1].sources += [match[1] for match in matches if match]
        if not found:
            raise Problem(f"{self.name} has no FROM line.", next=f"add one to {self.name}")
        return found

    def _words(self, value: str) -> list[str]:
        try:
            return shlex.split(value)
        except ValueError as error:
            raise Problem(
                f"{self.name} does not parse: ARG {value}", why=str(error), next=f"mend {self.name}"
            ) from None

    @cached_property
    def external_images(self) -> list[str]:
        """Images that it needs from a registry, in the order of their first mention.

        Counts FROM, COPY --from and RUN --mount=from; stages of the same file and `scratch` do not count, and neither
        does a stage that a predefined argument such as TARGETARCH chooses. Raises Problem when there is no FROM.
        """
        found: list[str] = []
        earlier: set[str | None] = {"scratch"}
        for stage in self.stages:
            for image in (stage.image, *stage.sources):
                known = image.lower() in earlier or image in found
                if not known and "$" not in image and not image.isdigit():
                    found.append(image)
            earlier.add(stage.name)
        return found

    def base_image(self, target: str | None = None) -> str | None:
        """The image from a registry that the built image stands on, through stages of the same file; None for scratch.

        `target` names the stage that is built, the last one by default. Raises Problem when there is no such stage.
        """
        by_name = {stage.name: number for number, stage in enumerate(self.stages) if stage.name}
        if target is not None and target.lower() not in by_name:
            raise Problem(
                f"{self.name} has no stage called {target}.",
                why=f"Its stages are called {', '.join(by_name) or 'nothing'}.",
                next="mend `target` in compose.yaml",
            )
        number = by_name[target.lower()] if target else len(self.stages) - 1
        # A stage may be called like the image that it begins with: only an earlier one is meant.
        while (earlier := by_name.get(self.stages[number].image.lower(), number)) < number:
            number = earlier
        image = self.stages[number].image
        return None if image == "scratch" else image


def read(path: Path, args: Mapping[str, str] | None = None) -> Dockerfile:
    """The Dockerfile at a path, built with these arguments."""
    return Dockerfile(str(path), path.read_bytes().decode(), args or {})


def external_images(dockerfile: Path) -> list[str]:
    """See `Dockerfile.external_images`."""
    return read(dockerfile).external_images
