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
from typing import NamedTuple

from measure.base.errors import Problem

#: A word that begins a here-document: `<<EOF`, `<<-"EOF"`, `3<<EOF`.
_HEREDOC = re.compile(r"(?<!\S)\d*<<(-?)([\"']?)([^\s<\"']+)\2(?!\S)")
_QUOTED = re.compile(r"(?<!<)(?<!<-)([\"']).*?\1")
_TAKES_HEREDOCS = re.compile(r"\s*(ONBUILD\s+)?(RUN|COPY|ADD)\s", re.IGNORECASE)
#: The instructions that there are.
WORDS = frozenset(
    ("FROM", "RUN", "CMD", "LABEL", "MAINTAINER", "EXPOSE", "ENV", "ADD", "COPY", "ENTRYPOINT", "VOLUME", "USER",
     "WORKDIR", "ARG", "ONBUILD", "STOPSIGNAL", "HEALTHCHECK", "SHELL")
)  # fmt: skip
#: Arguments that a builder has for the platform that it builds for; those no ARG need say.
OF_TARGET = ("TARGETPLATFORM", "TARGETOS", "TARGETARCH", "TARGETVARIANT")
#: `$A`, `${A}`, and with what stands for it where it is unset (-), unset or empty (:-), or where it is set (+, :+).
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^}]*))?\})")


@dataclass
class Stage:
    """One stage: what it begins with, its name in small letters, and the images that it copies or mounts from.

    `parent` is the earlier stage of the same file that it stands on.
    """

    image: str
    name: str | None
    parent: Stage | None = None
    sources: list[str] = field(default_factory=list)
    instructions: list[Instruction] = field(default_factory=list)


class Instruction(NamedTuple):
    """One instruction of a Dockerfile, and where it stands."""

    word: str  #: in capital letters
    value: str  #: what follows it, on one line, without comments and here-documents
    first: int  #: number of its first line
    last: int  #: number of its last one, here-documents included
    here: tuple[str, ...] = ()  #: text of its here-documents


def _escape(text: str) -> str:
    """The sign that continues a line: parser directives stand at the top, in any order, each alone in its line."""
    for line in text.splitlines():
        directive = re.match(r"#\s*(\w+)\s*=\s*(\S+)", line)
        if not directive:
            break
        if directive[1].lower() == "escape":
            return directive[2]
    return "\\"


def _parsed(text: str) -> tuple[list[Instruction], str]:
    """The instructions, and the word that ends a here-document which does not end, or ''."""
    text = text.removeprefix("\ufeff")
    escape = _escape(text)
    found: list[Instruction] = []
    #: Of the here-documents that began: a minus sign where tabs do not count, and the word that ends it.
    ends: list[tuple[str, str]] = []
    here: list[str] = []
    instruction, first = "", 0
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        line = line.removesuffix("\r")
        if ends:
            tabs, end = ends[0]
            line = line.lstrip("\t") if tabs else line
            if line == end:
                ends.pop(0)
                here.append("")
            else:
                here[-1] += f"{line}\n"
            found[-1] = found[-1]._replace(last=number, here=tuple(here[: -1 if line == end else None]))
            continue
        if line.strip() and not line.lstrip().startswith("#"):  # such lines stand within an instruction, too
            line = line.rstrip()
            first = first or number
            instruction += line.removesuffix(escape)
            if line.endswith(escape) and number < len(lines):
                continue
        elif not instruction or number < len(lines):
            continue
        word, *value = instruction.split(maxsplit=1) or [""]
        found.append(Instruction(word.upper(), "".join(value), first, number))
        if _TAKES_HEREDOCS.match(instruction):
            ends = [(match[1], match[3]) for match in _HEREDOC.finditer(_QUOTED.sub("", instruction))]
        instruction, first, here = "", 0, [""]
    return found, ends[0][1] if ends else ""


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
    def structure(self) -> list[Instruction]:
        """The instructions in order, and where each stands."""
        return _parsed(self.text)[0]

    def check(self) -> None:
        """Raises Problem for what no builder takes: a word that is no instruction, a here-document without an end."""
        for one in self.structure:
            if one.word not in WORDS:
                raise Problem(
                    f"{self.name}:{one.first}: {one.word} is no instruction.",
                    why=f"{one.word} {one.value}"[:120],
                    next=f"mend line {one.first} of {self.name}",
                )
        if end := _parsed(self.text)[1]:
            raise Problem(
                f"{self.name}:{self.structure[-1].first}: the here-document has no end.",
                why=f"No line after it says {end}.",
                next=f"mend line {self.structure[-1].first} of {self.name}",
            )

    @property
    def instructions(self) -> list[str]:
        """The instructions in order, each on one line, without comments, indentation and here-documents."""
        return [re.sub(r" {2,}", " ", f"{instruction} {value}") for instruction, value, *_ in self.structure]

    @cached_property
    def stages(self) -> list[Stage]:
        """The stages in order, build arguments in FROM replaced. Raises Problem when there is no FROM."""
        found: list[Stage] = []
        values = {name: value for name, value in self.args.items() if name in OF_TARGET}
        for one in self.structure:
            instruction, value = one.word, one.value
            words = value.split()
            flags = list(takewhile(lambda word: word.startswith("--"), words))
            match instruction:
                case "ARG" if not found:  # those of a stage do not count in FROM
                    for name, given, default in (word.partition("=") for word in self._words(value)):
                        if name in self.args:
                            values[name] = self.args[name]
                        elif given:
                            values[name] = _expanded(default, values)
                case "FROM" if len(words) > len(flags):
                    image, *named = words[len(flags) :]
                    image = _expanded(image.strip("\"'"), values)
                    # A stage may be called like the image that it begins with: only an earlier one is meant.
                    parent = next((stage for stage in reversed(found) if stage.name == image.lower()), None)
                    found.append(Stage(image, named[1].lower() if len(named) == 2 else None, parent))
                case "COPY" | "ADD" | "RUN" if found:
                    option = r"--mount=(?:\S*,)?from=" if instruction == "RUN" else "--from="
                    matches = (re.match(option + r"([^\s,]+)", flag) for flag in flags)
                    found[-1].sources += [match[1] for match in matches if match]
            if found and instruction != "FROM":
                found[-1].instructions.append(one)
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

    def chain(self, target: str | None = None) -> list[Stage]:
        """The stages that the built image consists of, the first one first: each stands on the one before it.

        `target` names the stage that is built, the last one by default. Raises Problem when there is no such stage.
        """
        by_name = {stage.name: number for number, stage in enumerate(self.stages) if stage.name}
        if target is not None and target.lower() not in by_name:
            raise Problem(
                f"{self.name} has no stage called {target}.",
                why=f"Its stages are called {', '.join(by_name) or 'nothing'}.",
                next="mend the name of the target",
            )
        found = [self.stages[by_name[target.lower()] if target else -1]]
        while found[0].parent:
            found.insert(0, found[0].parent)
        return found

    def base_image(self, target: str | None = None) -> str | None:
        """The image from a registry that the built image stands on, through stages of the same file; None for scratch.

        See `chain`.
        """
        image = self.chain(target)[0].image
        return None if image == "scratch" else image


def read(path: Path, args: Mapping[str, str] | None = None) -> Dockerfile:
    """The Dockerfile at a path, built with these arguments."""
    try:
        return Dockerfile(str(path), path.read_bytes().decode("utf-8-sig"), args or {})
    except UnicodeDecodeError as error:
        raise Problem(f"{path} is no text in UTF-8.", why=str(error), next=f"file {path}") from None


def external_images(dockerfile: Path) -> list[str]:
    """See `Dockerfile.external_images`."""
    return read(dockerfile).external_images
