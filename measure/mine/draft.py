"""A Dockerfile that is changed line by line, and what its text tells of a line: its folder, its user, its stage."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from measure.base.dockerfiles import Dockerfile, Instruction, Stage
from measure.base.errors import Problem
from measure.mine.model import NextStep, Report

_AND = re.compile(r"\s*&&\s*")
_FLAGS = re.compile(r"(--\S+\s+)*")
#: RUN with commands that a shell runs, and no comment behind them; or with a here-document of such, and nothing else.
_TAKES_MORE = re.compile(r"""(?!(--\S+\s+)*\[)(--\S+\s+)*(<<-?["']?\w+["']?|(?!.*(<<|\s#|[;&|]\s*$)).+)""")


@dataclass
class Draft:
    """A Dockerfile that is changed line by line; `ignore` are patterns that its ignore file gets.

    `files` are those that the build context sends, by their paths in it, and where they are.
    """

    dockerfile: Dockerfile
    target: str | None
    report: Report
    files: Mapping[str, Path] = field(default_factory=dict)
    changed: dict[Instruction, list[str]] = field(default_factory=dict)
    ignore: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What it has become."""
        lines = self._lines
        for one, new in sorted(self.changed.items(), key=lambda item: -item[0].first):
            lines[one.first - 1 : one.last] = new
        return "\n".join(lines).rstrip("\n") + "\n"

    @property
    def _lines(self) -> list[str]:
        """The lines of the file as the parser counts them: a form feed, say, ends none."""
        return self.dockerfile.text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")

    def lines(self, one: Instruction) -> list[str]:
        """The lines of an instruction as they are now."""
        if one in self.changed:
            return list(self.changed[one])
        return self._lines[one.first - 1 : one.last]

    def with_comments(self, one: Instruction) -> Instruction:
        """An instruction that begins with the comments right above it, as they belong to it."""
        first = one.first
        while first > 1 and self._lines[first - 2].lstrip().startswith("#"):
            first -= 1
        return one._replace(first=first)

    def changed_stage(self, stage: Stage) -> Stage:
        """A stage as it is with the lines that are changed so far."""
        return replace(self.dockerfile, text=self.text).stages[self.dockerfile.stages.index(stage)]

    def at(self, where: str) -> Instruction:
        """The instruction at FILE:LINE. Raises Problem for what is none, as `layer 3`."""
        number = where.rpartition(":")[2]
        for one in self.dockerfile.structure:
            if str(one.first) == number:
                return one
        raise by_hand(f"No line of the Dockerfile is known for {where}.")

    def stage_of(self, one: Instruction) -> Stage:
        """The stage that an instruction is in."""
        return next(stage for stage in self.dockerfile.stages if one in stage.instructions)

    def source(self, one: Instruction) -> Stage | None:
        """The stage that COPY --from takes from; None where it takes from the context or from an image."""
        match = re.search(r"--from=(\S+)", one.value)
        stages = self.dockerfile.stages
        for number, stage in enumerate(stages):
            if match and (stage.name == match[1].lower() or str(number) == match[1]):
                return stage
        return None

    def option(self, one: Instruction, options: str) -> None:
        """Give an instruction more options."""
        lines = self.lines(one)
        lines[0] = re.sub(rf"^(\s*{one.word})\s+", rf"\1 {options} ", lines[0], flags=re.IGNORECASE)
        self.changed[one] = lines

    def also(self, where: str, command: str) -> None:
        """Have a command run in the line that makes files, or at the end of the stage that they are copied from."""
        one = self.at(where)
        if one.word in ("COPY", "ADD"):
            stage = self.source(one)
            if not stage or not stage.instructions:
                raise by_hand(f"{where} copies the files from elsewhere.")
            last = stage.instructions[-1]
            if user := user_at(stage):
                raise by_hand(f"The stage that {where} copies from ends as {user}, who may not change the files.")
            self.changed[last] = [*self.lines(last), f"RUN {command}"]
        elif one.word != "RUN" or not _TAKES_MORE.fullmatch(one.value) or "".join(one.here).startswith("#!"):
            raise by_hand(f"{where} is no line that a command can be added to.")
        elif one.here:
            lines = self.lines(one)
            self.changed[one] = [*lines[:-1], command, lines[-1]]
        else:
            lines = self.lines(one)
            self.changed[one] = [*lines[:-1], f"{lines[-1].rstrip()} && {command}"]

    def without(self, one: Instruction, part: Callable[[str], bool]) -> None:
        """Leave out those of the commands that a RUN joins by && that `part` accepts."""
        self.instead(one, {command: "" for command in commands_of(one) if part(command)})

    def instead(self, one: Instruction, others: Mapping[str, str]) -> None:
        """Have others run in place of some of the commands that a RUN joins by &&; '' for none."""
        left = [new for command in commands_of(one) if (new := others.get(command, command))]
        said = [line.lstrip() for line in self.lines(one) if line.lstrip().startswith("#")]
        self.changed[one] = [*said, f"RUN {_FLAGS.match(one.value)[0]}{' && '.join(left)}"] if left else []


def commands_of(one: Instruction) -> list[str]:
    """The commands that a RUN joins by &&, without its own options."""
    return [command.strip() for command in _AND.split(_FLAGS.sub("", one.value, count=1))]


def every_command(one: Instruction) -> list[str]:
    """The commands of a RUN, however they are joined, in a here-document too; no comments."""
    commands = re.split(r"&&|\|\||[;|\n]", "\n".join(one.here) or _FLAGS.sub("", one.value, count=1))
    return [command.strip() for command in commands if command.strip() and not command.lstrip().startswith("#")]


def by_hand(why: str) -> Problem:
    """What is raised for a step that takes a person."""
    return Problem(
        "This step is not done by itself.", why=why, next="change the Dockerfile, and weigh it with --against"
    )


def wheres(step: NextStep) -> list[str]:
    """The lines that a step names."""
    return [where for where in step.where.split(", ") if where]


def folder_at(stage: Stage, before: Instruction | None = None) -> str:
    """The working folder at an instruction, or at the end, as far as the stages of the file tell."""
    folder = folder_at(stage.parent) if stage.parent else "/"
    for one in stage.instructions[: stage.instructions.index(before)] if before else stage.instructions:
        if one.word == "WORKDIR":
            folder = posixpath.normpath(posixpath.join(folder, one.value.strip()))
    return folder


def user_at(stage: Stage, before: Instruction | None = None) -> str:
    """Who runs an instruction, or one more at the end, as far as the stages of the file tell; '' for root."""
    lines = stage.instructions[: stage.instructions.index(before)] if before else stage.instructions
    named = [one.value.strip().partition(":")[0] for one in lines if one.word == "USER"]
    if not named:
        return user_at(stage.parent) if stage.parent else ""
    return "" if named[-1] in ("root", "0") else named[-1]


def words_of(one: Instruction) -> list[str]:
    """Sources of COPY, and where it copies to."""
    return [word.strip('",') for word in re.sub(r"^(--\S+\s+)+", "", one.value).strip("[] ").split()]


def target_of(stage: Stage, one: Instruction) -> str:
    """Where COPY copies to: the whole path."""
    return posixpath.normpath(posixpath.join(folder_at(stage, one), words_of(one)[-1]))


def is_in(path: str, folders: list[str]) -> bool:
    """Is a path one of these folders, in one, or a folder that one is in?"""
    return any(
        path == one or path.startswith(one.rstrip("/") + "/") or one.startswith(path.rstrip("/") + "/")
        for one in folders
    )
