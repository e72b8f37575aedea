"""What pytest reported, in one go or in several: a run of everything that was stopped goes on where it was.

Each go has a folder, named by when it began, with a file of pytest's reports for each phase (format: that of
pytest-reportlog, a JSON object on each line). Goes of one commit in one environment lie side by side in the cache. A
test counts as run when it has been torn down: one that was interrupted is run again, and one that failed is not.
"""

from __future__ import annotations

import json
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measure.base.files import cache_folder

#: Seconds that a run which was stopped is kept for.
KEPT = 7 * 24 * 3600


@dataclass
class Tests:
    """The tests of a phase, by their names, and what pytest could not even collect."""

    reports: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    uncollected: list[dict[str, Any]] = field(default_factory=list)

    @property
    def failed(self) -> dict[str, str]:
        """The first line of what pytest says of each test that failed, by its name."""
        found = {name: one for name, some in self.reports.items() for one in some if one["outcome"] == "failed"}
        found |= {one["nodeid"]: one for one in self.uncollected}
        return {name: _message(one) for name, one in found.items()}

    @property
    def skipped(self) -> dict[str, str]:
        """The reason of each test that was skipped, by its name."""
        return {
            name: str(one["longrepr"][-1] if isinstance(one["longrepr"], list) else one["longrepr"]).removeprefix(
                "Skipped: "
            )
            for name, some in self.reports.items()
            for one in some
            if one["outcome"] == "skipped"
        }

    @property
    def seconds(self) -> dict[str, float]:
        """What each test itself took, without what is made before it and removed after it."""
        return {name: one["duration"] for name, some in self.reports.items() for one in some if one["when"] == "call"}


def _message(report: dict[str, Any]) -> str:
    said = report["longrepr"]
    text = said["reprcrash"]["message"] if isinstance(said, dict) and said.get("reprcrash") else str(said)
    return next(iter(text.splitlines()), "")


class Goes:
    """The goes of a run: those that were stopped before, and this one."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.begun = folder, time.time()
        self.earlier = sorted(path for path in folder.glob("*") if path.is_dir())
        self.now = folder / f"{self.begun:.6f}"
        self.now.mkdir(parents=True, exist_ok=True)

    @classmethod
    def of(cls, commit: str, environment: str) -> Goes:
        """Those of a commit in an environment, in the cache; forgets others that nobody went on with."""
        everything = cache_folder() / "tests"
        for other in everything.glob("*"):
            if time.time() - other.stat().st_mtime > KEPT:
                shutil.rmtree(other, ignore_errors=True)
        return cls(everything / f"{commit}-{environment}")

    @property
    def seconds(self) -> float:
        """What all goes took, each from its begin to the last that it wrote."""
        before = sum(_end(go.iterdir()) - float(go.name) for go in self.earlier if any(go.iterdir()))
        return before + time.time() - self.begun

    @property
    def first(self) -> float:
        """When the first one began, in seconds since 1970."""
        return float(self.earlier[0].name) if self.earlier else self.begun

    def begin(self, phase: str) -> Path:
        """Where pytest is to report the tests of a phase; it begins now."""
        return self.now / f"{phase}@{time.time():.0f}.jsonl"

    def _logs(self, phase: str) -> list[Path]:
        return [path for go in (*self.earlier, self.now) for path in sorted(go.glob(f"{phase}@*.jsonl"))]

    def taken(self, phase: str) -> float:
        """Seconds that a phase took, in all goes."""
        return sum(_end([path]) - float(path.stem.partition("@")[2]) for path in self._logs(phase))

    def tests(self, phase: str) -> Tests:
        """What is reported of the tests of a phase that were run whole."""
        found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        uncollected: list[dict[str, Any]] = []
        for path in self._logs(phase):
            reports = list(_lines(path))
            done = {one["nodeid"] for one in reports if one.get("when") == "teardown"}
            for one in reports:
                if one["$report_type"] == "TestReport" and one["nodeid"] in done:
                    found[one["nodeid"]].append(one)
            uncollected = [
                one for one in reports if one["$report_type"] == "CollectReport" and one["outcome"] == "failed"
            ]
        return Tests(dict(found), uncollected)

    def forget(self) -> None:
        """The run is over: the next one begins anew."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _end(paths: Iterator[Path] | list[Path]) -> float:
    return max(path.stat().st_mtime for path in paths)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a report log; the last one may be half, where pytest was killed."""
    for line in path.read_text().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return
