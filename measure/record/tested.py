"""What came of the last `make test-all` in an environment: results/<environment>/tests.json."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from measure.base.errors import Problem
from measure.base.files import write_whole
from measure.base.model import Strict, read
from measure.record import records
from measure.record.records import as_json, writing


class Skipped(Strict):
    """Tests that were skipped for one reason, which they give themselves."""

    reason: str
    tests: int


class Phase(Strict):
    """A phase of a run: tests of pytest, or the checks of lint."""

    name: str
    seconds: float
    #: Did each of its commands end as it should? One that broke off has failed, with no failed test maybe.
    ok: bool
    passed: int
    failed: int
    skipped: list[Skipped] = Field(default_factory=list)
    #: Seconds of each test that took some, by its name: of the workshop, each exercise is a test.
    slow: dict[str, float] = Field(default_factory=dict)


class Pass(Strict):
    """A run that passed: when it began (UTC), and what of: a commit, or one with changes that were not committed."""

    begun_at: datetime
    commit: str
    dirty: bool


class TestRun(Strict):
    """A run of everything, passed or not, and the last one that passed, which may be this one."""

    __test__ = False  # pytest takes what begins so for tests

    schema_version: Literal[1] = 1
    environment: str
    #: UTC
    begun_at: datetime
    commit: str
    #: Were there changes that were not committed?
    dirty: bool
    passed: bool
    #: One that was stopped goes on where it was: in so many goes.
    goes: int = 1
    #: Of the whole; phases may run at the same time.
    seconds: float
    phases: list[Phase]
    #: The tests that failed, by their names.
    wrong: list[str] = Field(default_factory=list)
    last_pass: Pass | None = None

    @property
    def told(self) -> str:
        """When the whole last passed, in a sentence, and whether it has failed since."""
        last = self.last_pass
        if last is None:
            return "`make test-all` has not passed yet where these numbers are from."
        of = f"commit `{last.commit[:12]}`{', with changes' if last.dirty else ''}"
        since = "" if self.passed else " It has failed since."
        return f"`make test-all` last passed on {last.begun_at:%Y-%m-%d} (UTC), at {of}.{since}"


def path(environment: str) -> Path:
    """Where the last run in an environment is recorded."""
    return records.RESULTS / environment / "tests.json"


def load(environment: str) -> TestRun | None:
    """The last run in an environment; None when none is recorded. Raises Problem when the file is not a valid one."""
    return read(TestRun, path(environment), "make test-all")


def save(run: TestRun) -> TestRun:
    """Record a run, whole or not at all, in place of the one before, whose last pass it keeps when it failed itself.

    Raises OSError, with the old record still in place, when it cannot be written.
    """
    with writing(path(run.environment).parent):
        try:
            before = load(run.environment)
        except Problem:
            before = None  # no record is lost: it was none
        last = Pass(begun_at=run.begun_at, commit=run.commit, dirty=run.dirty) if run.passed else None
        run = run.model_copy(update={"last_pass": last or (before and before.last_pass)})
        write_whole(path(run.environment), as_json(run))
    return run
