"""A builder's log in plain form, read while it is written: which image is being built, and at which step it is.

The form is BuildKit's own (`--progress plain`); nothing specifies it. A step is announced by `#12 [python-3-14
linux/arm64 stage-1 3/7] RUN …`: its number, the target of the bake file (left out where there is but one), the platform
(left out where there is but one), the stage (left out for a file of one stage) and its place there. `#12 DONE 3.4s`,
`#12 CACHED`, `#12 ERROR …` or `#12 CANCELED` ends it, and `#12 …` turns to one that was announced before. A step that
two targets share is announced under either name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from measure.base import progress

_FIRST = re.compile(r"^#0 building with ")
_TARGET = re.compile(r"^#\d+ \[(?P<target>\S+) internal\] load build definition ")
_STEP = re.compile(r"^#(?P<number>\d+) \[(?P<where>[^\]]*?) ?(?P<step>\d+)/(?P<of>\d+)\] (?P<doing>.*)$")
_EXPORT = re.compile(r"^#(?P<number>\d+) (?:\[(?P<target>\S+)\] )?exporting to \w+")
_END = re.compile(r"^#(?P<number>\d+) (?P<how>DONE|CACHED|ERROR|CANCELED)")
_UNNAMED = re.compile(r"stage-\d+")


@dataclass
class Target:
    """One image of a build, on all its platforms."""

    #: What it is called for people; '' for the only one of a build.
    name: str
    #: Where each step that runs now is, and what it does, by its number in the log.
    running: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: Numbers of the steps that were announced, and of those of them that came from the builder's cache.
    seen: set[str] = field(default_factory=set)
    cached: set[str] = field(default_factory=set)
    done: bool = False

    @property
    def step(self) -> str:
        """Where it is, like `linux/arm64 step 3 of 7, linux/amd64 step 5 of 7`."""
        return ", ".join(dict.fromkeys(where for where, _ in self.running.values()))

    @property
    def doing(self) -> str:
        """What the step does that began last."""
        return next((doing for _, doing in reversed(self.running.values())), "")

    @property
    def from_cache(self) -> bool:
        """Did more than half of its steps come from the cache? Then its time says nothing."""
        return 2 * len(self.cached) > len(self.seen)


def official(slug: str) -> str:
    """A base image's name, like python:3.14-slim, for a target called python-3-14-slim."""
    return re.sub(r"(\d)-(\d)", r"\1.\2", slug.replace("-", ":", 1))


class BuildLog:
    """What a log says so far. `targets` has the images that were begun, by the name that the log has for them."""

    def __init__(self) -> None:
        self.targets: dict[str, Target] = {}
        self._known: set[str] = set()
        self._exports: dict[str, str] = {}

    def feed(self, line: str) -> None:
        """Take in the next line; one of another kind is passed over."""
        if match := _TARGET.match(line):
            self._known.add(match["target"])
        elif match := _STEP.match(line):
            self._begin(match)
        elif match := _EXPORT.match(line):
            target = self._target(match["target"] or "")
            target.running[match["number"]] = ("exporting", "")
            self._exports[match["number"]] = match["target"] or ""
        elif match := _END.match(line):
            self._end(match["number"], match["how"])

    def _target(self, slug: str) -> Target:
        return self.targets.setdefault(slug, Target(official(slug)))

    def _begin(self, match: re.Match) -> None:
        words = match["where"].split()
        slug = words.pop(0) if words and words[0] in self._known else ""
        # What is left is the platform, and the stage where it was given a name.
        where = [word for word in words if not _UNNAMED.fullmatch(word)]
        target = self._target(slug)
        target.seen.add(match["number"])
        target.running[match["number"]] = (" ".join([*where, f"step {match['step']} of {match['of']}"]), match["doing"])

    def _end(self, number: str, how: str) -> None:
        for target in self.targets.values():
            if target.running.pop(number, None) and how == "CACHED":
                target.cached.add(number)
        if number in self._exports and how == "DONE":
            self.targets[self._exports[number]].done = True


class Follower:
    """Tells of a command, by what it writes into its log: where the log is a builder's, of each image by itself."""

    def __init__(self, task: progress.Task) -> None:
        self._task = task
        self._log: BuildLog | None = None
        self._rest = b""
        self._first = True
        #: The tasks of the images, by the log's name for them; those that are over too.
        self._tasks: dict[str, progress.Task] = {}
        self._over: set[str] = set()

    def feed(self, written: bytes) -> None:
        """Take in what was written since the last time; the last line may not be whole yet."""
        *lines, self._rest = (self._rest + written).split(b"\n")
        for raw in lines:
            line = raw.decode(errors="replace").strip()
            if self._first and line:
                self._first = False
                self._log = BuildLog() if _FIRST.match(line) else None
            if self._log:
                self._log.feed(line)
                self._tell(self._log)
            elif line:
                self._task.doing = line
        if self._log is None and (rest := self._rest.decode(errors="replace").strip()):
            self._task.doing = rest  # progress of a download, say, that has no end of a line

    def _tell(self, log: BuildLog) -> None:
        for slug, target in log.targets.items():
            if slug in self._over:
                continue
            if slug and slug not in self._tasks:
                # Not by its name alone: for another choice of platforms it takes another time.
                self._tasks[slug] = progress.board.begin(
                    target.name, expected_s=progress.expected(self._kept_as(target)), kept=False
                )
            task = self._tasks.get(slug, self._task)
            task.step, task.doing = target.step, target.doing
            if target.done and slug:
                self._over.add(slug)
                seconds = progress.board.end(self._tasks.pop(slug))
                if not target.from_cache:
                    progress.remember(self._kept_as(target), seconds)

    def _kept_as(self, target: Target) -> str:
        return f"{self._task.name}: {target.name}"

    def close(self) -> None:
        """The command has ended; what was begun and not finished is over."""
        for task in self._tasks.values():
            progress.board.end(task, whole=False)
        self._tasks.clear()
