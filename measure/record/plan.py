"""What is timed of a step, and what is changed in its files to time it: the plans in measure/record/timings/.

A plan times what a page compares, and nothing else: a test holds the two together.
"""

from __future__ import annotations

import tomllib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from measure.base.errors import Problem
from measure.base.files import shown
from measure.base.model import Strict
from measure.record.records import MEMORY
from measure.steps.compose import RECOMMENDED, Step
from measure.steps.copying import clean_copy

PLANS = Path(__file__).parent / "timings"
#: After a variant's name in a plan: built for the other platform than the machine's own, by the machine's processor.
OTHER = "@other"

#: The kinds of builds, in the order of a turn. The cold one comes first: it leaves cache mounts with what it put there.
BUILDS = ("cold", "edit", "lock", "compiled", "base", "answer", "fresh-edit", "fresh-lock")
#: What only the lab can time, which makes an engine of its own for it and another base image in the engine's store.
LABS_OWN = ("base", "fresh-edit", "fresh-lock")
Kind = Literal[
    "cold", "edit", "lock", "compiled", "base", "answer", "fresh-edit", "fresh-lock", "start", "import", "memory"
]


class Dependency(Strict):
    """The change of one dependency's version: a text in a file, and what it becomes.

    NONCE in what it becomes stands for 64 hexadecimal digits that were never there before: a hash that fits no file.
    Where a build makes a list of the lock, that list is then another each time too.
    """

    file: str
    before: str
    after: str


#: How a comment begins in files that have it otherwise than Python's.
COMMENTS = dict.fromkeys((".go", ".java", ".js", ".jsx", ".ts", ".tsx"), "//")
#: The changes that several plans have, by name.
CHANGES = tomllib.loads((Path(__file__).parent / "changes.toml").read_text())


def _named(value: object) -> list[object]:
    """One change or a list of them; a word stands for the one of that name, `NAME in FILE` for it in another file."""
    changes = value if isinstance(value, list) else [value]
    return [_change(one) if isinstance(one, str) else one for one in changes]


def _change(words: str) -> object:
    name, _, file = words.partition(" in ")
    return CHANGES.get(name, {}) | ({"file": file} if file else {})


Changes = Annotated[list[Dependency], BeforeValidator(_named)]


class Question(Strict):
    """What the running application is asked, and the fields of its answer that are seconds."""

    path: str
    seconds: list[str]


class Answer(Strict):
    """The line of code that is changed, and where the running application shows it: NEW stands for a new value."""

    path: str
    before: str
    after: str


class Plan(Strict):
    """What is timed of a step."""

    #: By kind, the variants that are timed.
    time: dict[Kind, list[str]]
    #: By variant, those that it is compared with.
    against: dict[str, list[str]] = Field(default_factory=dict)
    #: The module whose import is timed.
    imports: str | None = Field(None, alias="import")
    #: The file of the application's code that gets another line, or, with `answer`, whose line is changed. Of a step
    #: with several applications one of each: all are changed, and each variant is built from its own.
    code: Annotated[list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)] = Field(
        default_factory=list
    )
    answer: Answer | None = None
    #: The service that `docker compose watch` keeps up to date; its times go to the recommended variant's record.
    watch: str | None = None
    #: A package of Python alone, and one that is compiled: in each file that has it, the lock and the exported list.
    #: Each is written out, or is a name in changes.toml.
    dependency: Changes = Field(default_factory=list)
    compiled: Changes = Field(default_factory=list)
    ask: Question | None = None

    @property
    def changes(self) -> list[str]:
        """The kinds of builds before which a file of the step is changed."""
        there = {"edit": self.code, "lock": self.dependency, "compiled": self.compiled}
        return [kind for kind, some in there.items() if some]

    def kinds(self, variant: str) -> list[str]:
        """The kinds of builds that are timed of a variant in each turn, in this order."""
        return [kind for kind in BUILDS if variant in self.time.get(kind, [])]

    def starts(self, variant: str) -> list[str]:
        """What is timed when a variant is started: the start, an import, and what the application reports."""
        if variant not in self.time.get("start", []):
            return []
        imports = ["import"] if variant in self.time.get("import", []) else []
        return ["start", *imports, *(self.ask.seconds if self.ask else [])]

    def takes(self, variant: str, kind: str) -> bool:
        """Is a kind of time, as pages call it, taken of a variant in the step's own sitting?"""
        if kind in MEMORY:
            return variant in self.time.get("memory", [])
        if kind == "watch":
            return variant == RECOMMENDED and self.watch is not None
        return kind in self.kinds(variant) or kind in self.starts(variant)

    def alone(self, variant: str) -> Plan:
        """The plan of a sitting for one variant: it and those that it is compared with, and no one else."""
        together = [variant, *self.against.get(variant, [])]
        time = {kind: [one for one in some if one in together] for kind, some in self.time.items() if variant in some}
        return self.model_copy(update={"time": time, "watch": self.watch if variant == RECOMMENDED else None})


def plan_of(step: Step) -> Plan:
    """What is timed of a step. Raises Problem when nothing is."""
    path = PLANS / f"{step.name}.toml"
    if not path.exists():
        raise Problem(
            f"{step.name} has nothing to time.",
            why=f"There is no {shown(path)} that says what to change.",
            next="make time-step-2  # has",
        )
    return Plan.model_validate(tomllib.loads(path.read_text()))


def change(step: Step, folder: Path, kind: str) -> str:
    """Change a copy's files as never before; returns what is new. Raises Problem when the plan's text is not there."""
    plan, nonce = plan_of(step), uuid.uuid4().hex
    last = f"{{}} {nonce}\n"
    changes = plan.compiled if kind == "compiled" else plan.dependency
    if kind == "edit" and plan.answer:
        changes, last = [Dependency(file=plan.code[0], before=plan.answer.before, after=plan.answer.after)], ""
    elif kind == "edit":
        changes = [Dependency(file=code, before="", after="") for code in plan.code]
    if not changes:
        raise Problem(f"{step.name} has no change of kind {kind}.", next=f"mend {shown(PLANS / f'{step.name}.toml')}")
    for one in changes:
        text = (folder / one.file).read_text()
        if one.before not in text:
            raise Problem(
                f"{step.name}/{one.file} has no {one.before.splitlines()[0]!r}.",
                why="The change that is timed does not fit any more.",
                next=f"mend {shown(PLANS / f'{step.name}.toml')}",
            )
        after = one.after.replace("NONCE", nonce * 2).replace("NEW", nonce)
        line = last.format(COMMENTS.get(Path(one.file).suffix, "#"))
        (folder / one.file).write_text(text.replace(one.before, after, 1).rstrip("\n") + f"\n{line}")
    return nonce


@contextmanager
def changed(step: Step, kind: str) -> Iterator[tuple[Step, str]]:
    """Yields a copy of a step whose code or dependency is another than ever before, and what is new in it."""
    with clean_copy(step.folder) as folder:
        new = change(step, folder, kind)
        yield replace(step, folder=folder), new
