"""A builder's log in plain form, read while it is written: which image is being built, and at which step it is.

The form is BuildKit's own (`--progress plain`); nothing specifies it. A step is announced by `#12 [python-3-14
linux/arm64 stage-1 3/7] RUN …`: its number, the target of the bake file (left out where there is but one), the platform
(left out where there is but one), the stage (left out for a file of one stage) and its place there. `#14 [python-3-14]
exporting to image` begins the last one of a target, and `#14 DONE 3.4s` ends it.
"""

from __future__ import annotations

import re

from measure.base import progress

_FIRST = re.compile(r"^#0 building with ")
_TARGET = re.compile(r"^#\d+ \[(?P<target>\S+) internal\] load build definition ")
_STEP = re.compile(r"^#\d+ \[(?P<where>[^\]]*?) ?(?P<step>\d+)/(?P<of>\d+)\] (?P<doing>.*)$")
_EXPORT = re.compile(r"^#(?P<number>\d+) \[(?P<target>\S+)\] exporting to \w+")
_DONE = re.compile(r"^#(?P<number>\d+) DONE")
_UNNAMED = re.compile(r"stage-\d+")


def official(slug: str) -> str:
    """A base image's name, like python:3.14-slim, for a target called python-3-14-slim."""
    return re.sub(r"(\d)-(\d)", r"\1.\2", slug.replace("-", ":", 1))


class Follower:
    """Tells of a command, by what it writes into its log: where the log is a builder's, of each image by itself."""

    def __init__(self, task: progress.Task) -> None:
        self._task = task
        self._rest = b""
        #: Is it a builder's log? None: its first line has not come yet.
        self._builders: bool | None = None
        #: The tasks of the images that are being built, and the steps that export them, by the log's words for them.
        self._tasks: dict[str, progress.Task] = {}
        self._known: set[str] = set()
        self._exports: dict[str, str] = {}

    def feed(self, written: bytes) -> None:
        """Take in what was written since the last time; the last line may not be whole yet."""
        *lines, self._rest = (self._rest + written).split(b"\n")
        for line in filter(None, (raw.decode(errors="replace").strip() for raw in lines)):
            if self._builders is None:
                self._builders = bool(_FIRST.match(line))
            if self._builders:
                self._follow(line)
            else:
                self._task.doing = line
        if not self._builders and (rest := self._rest.decode(errors="replace").strip()):
            self._task.doing = rest  # progress of a download, say, that has no end of a line

    def _follow(self, line: str) -> None:
        if match := _TARGET.match(line):
            self._known.add(match["target"])
        elif match := _STEP.match(line):
            words = match["where"].split()
            task = self._of(words.pop(0)) if words and words[0] in self._known else self._task
            # What is left is the platform, and the stage where it was given a name.
            where = [word for word in words if not _UNNAMED.fullmatch(word)]
            task.step, task.doing = " ".join([*where, f"step {match['step']} of {match['of']}"]), match["doing"]
        elif match := _EXPORT.match(line):
            self._exports[match["number"]] = match["target"]
            task = self._of(match["target"])
            task.step, task.doing = "exporting", ""
        elif (match := _DONE.match(line)) and (target := self._exports.pop(match["number"], "")) in self._tasks:
            progress.board.end(self._tasks.pop(target))

    def _of(self, target: str) -> progress.Task:
        if target not in self._tasks:
            self._tasks[target] = progress.board.begin(official(target), kept=False)
        return self._tasks[target]

    def close(self) -> None:
        """The command has ended; what was begun and not finished is over."""
        for task in self._tasks.values():
            progress.board.end(task, whole=False)
        self._tasks.clear()


#: What the builder prints in plain form when a step begins, when it ends, and when it comes from the cache.
_BEGUN = re.compile(r"^#(\d+) (?!\d|DONE|CACHED|ERROR|CANCELED)(.+)$")
_TOOK = re.compile(r"^#(\d+) DONE (\d+\.\d+)s$")


def step_seconds(log: list[str]) -> dict[str, float]:
    """The steps of a build that took a tenth of a second or more, in seconds, in the order in which they ended.

    `log` is in the builder's plain form, which gives tenths. Steps of different stages run at the same time, so the
    sum may be more than the build took.
    """
    names: dict[str, str] = {}
    found: dict[str, float] = {}
    for line in log:
        if match := _BEGUN.match(line):
            names.setdefault(match[1], match[2])
        elif (match := _TOOK.match(line)) and float(match[2]) and match[1] in names:
            found[names[match[1]]] = float(match[2])
    return found
