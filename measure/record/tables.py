"""A table of what a study found in an environment: one file of results/ for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from measure.base.files import write_whole
from measure.base.model import Strict, read
from measure.base.names import LAB_ENVIRONMENT
from measure.record import records
from measure.record.check import Finding, State, demand
from measure.record.records import as_json, writing

M = TypeVar("M", bound=Strict)
#: What is wrong with a row: its state, why, and what mends it.
Wrong = tuple[State, str, str]


@dataclass(frozen=True)
class Table(Generic[M]):
    """The tables of a study: a file of this name in the folder of each environment."""

    model: type[M]
    file: str
    #: The field that has the rows.
    rows: str
    #: What to type where one is not valid; '' for what git has.
    command: str = ""
    #: What is wrong with a table of an environment, as the repository is now.
    wrong: Callable[[M, str], Iterable[Wrong]] = lambda table, environment: ()

    def path(self, environment: str) -> Path:
        """Where an environment's table is recorded."""
        return records.RESULTS / environment / self.file

    def load(self, environment: str) -> M:
        """The table; an empty one when there is no file. Raises Problem when it is not valid."""
        return read(self.model, self.path(environment), self.command) or self.model(**{self.rows: []})

    def count(self, environment: str) -> int:
        """How many rows are recorded. Raises Problem as `load` does."""
        return len(getattr(self.load(environment), self.rows))

    def findings(self, environment: str) -> list[Finding]:
        """What is wrong with a table: with what is missing, or not of what is there now. Raises Problem as `load` does.

        The lab's is whole; of any other environment, what is there has to hold.
        """
        table, path = self.load(environment), self.path(environment)
        if not getattr(table, self.rows) and environment != LAB_ENVIRONMENT:
            return []
        return [Finding(state, path, why, again) for state, why, again in self.wrong(table, environment)]

    def complete(self, environment: str) -> M:
        """The table. Raises Problem when it does not hold."""
        demand(self.path(environment), self.findings(environment))
        return self.load(environment)

    def replace(self, environment: str, table: M) -> None:
        """Record a table in place of the one that is there, valid or not."""
        with writing(self.path(environment).parent):
            write_whole(self.path(environment), as_json(table))

    def save(self, environment: str, renewed: Callable[[M], M]) -> None:
        """Record what `renewed` makes of the table that is there, if that is another. Raises Problem as `load` does."""
        path = self.path(environment)
        with writing(path.parent):
            before = self.load(environment)
            if (after := renewed(before)) != before:
                write_whole(path, as_json(after))
