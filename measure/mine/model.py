"""What is reported of a reader's image, sizes in bytes; published as results/mine.schema.json.

An image is not trusted with the reader's terminal: names and texts out of it are made fit to be shown.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from measure.base.model import Strict

#: What a terminal takes for a command, what turns the direction of writing, and halves of characters.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str, most: int = 2000) -> str:
    """A text on one line, single spaces, what no terminal should get as `?`; what is longer is cut."""
    return _UNFIT.sub("?", re.sub(r"\s+", " ", text[: 4 * most]).strip())[:most]


class Sizes(Strict):
    """How large the image is, in each of the countings that people meet."""

    #: What a registry sends: the compressed layers. None where the archive holds layers that are not compressed.
    transfer_bytes: int | None
    #: The layers' tar streams.
    unpacked_tar_bytes: int
    #: The regular files in them.
    unpacked_file_bytes: int
    #: Of these, what nothing shows any more: deleted or replaced by a later layer.
    hidden_bytes: int
    #: About what `docker images` shows with the older overlay2 store: files, each layer for itself.
    overlay2_bytes: int
    #: About what it shows with the containerd store: the compressed layers and the blocks of their files.
    containerd_bytes: int | None


class Line(Strict):
    """An instruction, and what it adds to the image."""

    #: FILE:LINE, `base`, or `layer N` where no Dockerfile is at hand or none of its lines fits.
    where: str
    instruction: str
    of_base: bool
    transfer_bytes: int | None
    unpacked_tar_bytes: int
    files: int
    #: Bytes of its files that are hidden, and how many of them each line hides.
    hidden_bytes: int = 0
    hidden_by: dict[str, int] = Field(default_factory=dict)
    #: The image was built from another text of this line.
    changed: bool = False


class Package(Strict):
    """A package, and the bytes of those of its files that are in the image."""

    name: str
    version: str
    kind: Literal["python", "os"]
    #: Where a Python package is installed.
    location: str = ""
    of_base: bool
    #: None where nothing lists its files.
    bytes: int | None
    transfer_bytes: int | None
    #: Of its bytes: byte-compiled Python, and shared libraries that its wheel brings along.
    bytecode_bytes: int = 0
    vendored_bytes: int = 0
    #: From the one that was asked for to the one that requires it; empty where it was asked for itself.
    brought_by: list[str] = Field(default_factory=list)
    #: Needed to develop or to build, and hardly to run.
    development: bool = False


class Bytecode(Strict):
    """Byte-compiled Python beside its sources."""

    files: int = 0
    bytes: int = 0
    #: Compiled from a source of another time or size: Python compiles anew at each start.
    stale_files: int = 0
    stale_bytes: int = 0
    #: Sources of packages that own lines bring and that have none.
    missing_files: int = 0


class Facts(Strict):
    """What the image is like."""

    user: str
    command: str
    #: CMD or ENTRYPOINT in shell form: a signal reaches the shell, and not the application.
    shell_form: bool
    has_shell: bool
    has_compiler: bool
    #: Where pip is installed.
    pip: list[str]
    setuid_files: list[str]
    #: Files that carry capabilities.
    capable_files: int
    #: Of packages that own lines bring.
    test_bytes: int
    #: Caches that no running application reads, left by own lines.
    caches: dict[str, int]
    bytecode: Bytecode
    #: Names of build arguments and variables in the image's configuration that look like secrets.
    secrets: list[str]
    #: Device files of own lines, and names that lead out of the image: odd in an image.
    device_files: int
    escaping_names: int


class Context(Strict):
    """What the build context offers to the builder."""

    folder_files: int
    folder_bytes: int
    files: int
    bytes: int
    largest: dict[str, int]
    ignore_file: str | None
    #: FILE:LINE: PATTERN of those that match nothing.
    idle_patterns: list[str]
    #: Files that look like secrets, by their names; they are not opened.
    secrets: list[str]
    #: What of it an ignore file usually names, by its top folder or file.
    avoidable: dict[str, int]


class NextStep(Strict):
    """Something to change, and what it saves in this image."""

    name: str
    what: str
    #: FILE:LINE or package names: where to begin.
    where: str = ""
    #: All that it is about: other lines, folders, packages or patterns.
    of: list[str] = Field(default_factory=list)
    transfer_bytes: int | None
    unpacked_tar_bytes: int
    #: Bytes that are saved elsewhere than in the image: in the build context, or at each push after an edit.
    other_bytes: int = 0
    other: str = ""
    #: The page that teaches it, below docs/.
    page: str


class Growth(Strict):
    """A line or a package that is not as large as in the report that this one is held against."""

    kind: Literal["line", "package"]
    #: FILE:LINE, or the package and its version.
    where: str
    #: What the line says.
    name: str = ""
    #: Bytes that it grew by: compressed, and unpacked (of a package: of its files).
    transfer_bytes: int | None
    bytes: int
    is_new: bool = False
    is_gone: bool = False


class Breach(Strict):
    """A limit of the budget that the image is over, and what is to blame."""

    limit: str
    told: str
    blame: str


class Started(Strict):
    """How a container of the image began and ended."""

    #: What was seen: healthy, an answer on a port, still running, or how it ended.
    told: str
    works: bool
    #: From `docker run` until that was seen.
    seconds: float
    #: From SIGTERM until it had ended; None where it ended by itself.
    stop_seconds: float | None
    #: It did not end in time, and was killed.
    killed: bool = False


class Tried(Strict):
    """A next step that was done: what was said that it saves, and what it saves."""

    step: str
    #: The changed file, beside the reader's.
    written: str
    #: Lines that are not the same, as `diff` shows them.
    diff: list[str]
    #: Bytes, by what they are counted in: transfer, unpacked, context.
    predicted: dict[str, int]
    measured: dict[str, int]
    before: Started
    after: Started


class LineTime(Strict):
    """Seconds that a builder spent on a line."""

    where: str
    instruction: str
    cold_seconds: float
    #: After the edit; None where the line came from the cache.
    edit_seconds: float | None
    #: Why it did not come from the cache.
    why: str = ""


class Timed(Strict):
    """Seconds of a build with nothing in the cache, and of one after an edit of one line."""

    cold_seconds: float
    edit_seconds: float
    #: The second as a part of the first, of one run: machines differ in seconds, and hardly in this.
    edit_part: float
    #: The file that was edited, in a copy of the build context.
    edited: str
    lines: list[LineTime]


class Floor(Strict):
    """What the image looks at from its start to its end, and an image of these files alone, which does the same."""

    #: What it was asked, and the status of its answer; whether its health check succeeded, None where it has none.
    answered: dict[str, int]
    healthy: bool | None
    #: Bytes and number of the files that it looks at.
    file_bytes: int
    files: int
    #: How large an image of these alone is.
    transfer_bytes: int
    unpacked_tar_bytes: int
    #: Bytes of the files that nothing looks at, and the largest of these, by what they belong to.
    untouched_bytes: int
    untouched: dict[str, int]


class Report(Strict):
    """All that is to be said about one image for one platform, or, without one, about a folder."""

    schema_version: Literal[1] = 1
    subject: str
    dockerfile: str | None = None
    platform: str | None = None
    digest: str | None = None
    #: Platforms and names of other images in the same archive.
    others: list[str] = Field(default_factory=list)
    base: str | None = None
    sizes: Sizes | None = None
    lines: list[Line] = Field(default_factory=list)
    packages: list[Package] = Field(default_factory=list)
    facts: Facts | None = None
    context: Context | None = None
    next_steps: list[NextStep] = Field(default_factory=list)
    #: What it was held against, and what is not the same.
    against: str | None = None
    growth: list[Growth] = Field(default_factory=list)
    #: Where it was asked for: how it starts, how long it builds, how small it could be, a next step that was done.
    started: Started | None = None
    timed: Timed | None = None
    floor: Floor | None = None
    tried: Tried | None = None
    #: What is over the budget.
    breaches: list[Breach] = Field(default_factory=list)
