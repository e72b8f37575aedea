"""Where an image's bytes are, and where a build's seconds go: one chart each."""

from __future__ import annotations

import re

from measure.base.platforms import PLATFORMS
from measure.base.units import duration
from measure.record.records import Record
from measure.steps.compose import RECOMMENDED
from measure.tell.charts import Bar, Stack
from measure.tell.page import Page, markdown_table, page_function
from measure.tell.sizes import standins
from measure.tell.times import seen

#: What a layer of a base image says of itself that brings Python: the official images and the lab's have it.
_PYTHON = "PYTHON_VERSION"
#: How the builder shows an instruction: `[builder 2/5] RUN …`, `[stage-1 2/5] RUN …` in a stage without a name.
_SHOWN = re.compile(r"^\[(?:stage-\d+ |(?P<stage>\S+) )?\d+/\d+\] (?P<words>.+)$")
#: As many letters as fit in a chart's line.
_LINE = 50
#: The kinds of builds and starts in words.
KINDS = {
    "cold": "a cold build",
    "edit": "a build after one line of code changed",
    "lock": "a build after one dependency changed",
    "compiled": "a build after a compiled dependency changed",
    "base": "a build after the base image changed",
    "fresh-edit": "a build on a fresh machine after one line of code changed",
    "fresh-lock": "a build on a fresh machine after one dependency changed",
    "answer": "a change, from the line to its answer",
}


def bytes_of(record: Record) -> dict[str, int]:
    """The files of an image's layers by what they are for. Their sum is the record's unpacked_file_bytes.

    Python is what the base image's layer with it brings; in an image without a base, what is below /usr/local. Packages
    count with the bytecode that their RECORD lists. What remains is what the build left: compilers, caches, other
    bytecode.
    """
    size, inside = record.size, record.contents
    base = [layer for layer in size.layers if layer.of_base]
    # The base image's own pip is part of Python.
    packages = [p for p in inside.python_packages if p.bytes and not (p.name == "pip" and _local(p.location))]
    installed = sum(package.bytes for package in packages)
    application = inside.directories.get("/app", 0)
    application -= sum(package.bytes for package in packages if package.location.startswith("/app/"))
    if base:
        python = sum(layer.unpacked_file_bytes for layer in base if _PYTHON in layer.created_by)
        below = sum(layer.unpacked_file_bytes for layer in base) - python
    else:
        python = inside.directories.get("/usr/local", 0) - sum(p.bytes for p in packages if _local(p.location))
        below = size.unpacked_file_bytes - python - installed - application
    left = size.unpacked_file_bytes - below - python - installed - application
    return {
        "base": below,
        "Python": python,
        "packages": installed,
        "left by the build": left,
        "application": application,
    }


def _local(location: str) -> bool:
    return location.startswith("/usr/local/")


@page_function
def where_bytes(page: Page, *names: str) -> str:
    """A chart of what the files of some images are for, and the same as a folded table."""
    records = [page.built(name) for name in names]
    parts = [bytes_of(record) for record in records]
    drawn = [
        Stack(name, part, record.variant == RECOMMENDED)
        for name, record, part in zip(names, records, parts, strict=True)
    ]
    caption = (
        f"Where the bytes are: files of all layers on {PLATFORMS[0]}{standins(records)}. Packages count with their own "
        "bytecode. Left by the build: compilers, caches, other bytecode."
    )
    rows = [
        [kind, *(page.bytes(record, part[kind]) for record, part in zip(records, parts, strict=True))]
        for kind in parts[0]
    ]
    table = markdown_table(["files", *names], rows, "l" + "r" * len(names))
    folded = "\n".join(f"    {line}" for line in table.splitlines())
    return f'{page.chart(drawn, caption)}\n\n??? note "How we know: the bytes of each part"\n\n{folded}'


@page_function
def where_seconds(page: Page, name: str, kind: str) -> str:
    """A chart of the parts of a build, or of another kind of time, in the order in which the record has them."""
    record, whole = page.samples(name, kind)
    drawn = [
        Bar(_part(words), kind, found.median, duration(found.median))
        for words, found in seen(record, kind, whole).items()
    ]
    drawn.append(Bar("all of it", kind, whole.median, duration(whole.median), marked=True))
    caption = f"Where the seconds of {KINDS[kind]} go, {name}, medians. Parts of a build may run at the same time."
    return page.chart(drawn, caption)


def _part(words: str) -> str:
    """A part of what was timed, on one line of a chart: an instruction without its number, cut."""
    if found := _SHOWN.match(words):
        stage = f"{found['stage']}: " if found["stage"] else ""
        words = stage + re.sub(r"\s+", " ", found["words"])
    return words if len(words) <= _LINE else f"{words[: _LINE - 1]}…"
