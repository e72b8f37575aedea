"""What pages say of sizes: of images, layers, packages and folders, one by one and in tables."""

from __future__ import annotations

import re
from collections.abc import Iterable

from measure.base import units
from measure.base.errors import Problem
from measure.base.platforms import PLATFORMS
from measure.base.units import megabytes, signed
from measure.record.compare import instruction
from measure.record.records import Record
from measure.steps.compose import RECOMMENDED, find_step
from measure.tell.charts import Bar
from measure.tell.page import Page, emphasised, in_cell, markdown_table, page_function, short
from measure.tell.reading import KINDS, against

#: What charts call the sizes.
MEASURES = {"transfer": "Transfer (compressed bytes pushed and pulled)", "unpacked": "Unpacked (bytes on disk as tar)"}


@page_function
def size(page: Page, name: str, kind: str = "transfer", platform: str = PLATFORMS[0]) -> str:
    """A size of an image: transfer, unpacked, wasted, wasted_base, or a field's name, like context_bytes."""
    return page.bytes(*page.size(name, kind, platform))


def _two(page: Page, before: str, after: str, kind: str, platform: str) -> tuple[Record, int, int]:
    return *page.size(after, kind, platform), page.size(before, kind, platform)[1]


@page_function
def change(page: Page, before: str, after: str, kind: str = "transfer", platform: str = PLATFORMS[0]) -> str:
    """How much larger or smaller `after` is than `before`, in percent."""
    record, new, old = _two(page, before, after, kind, platform)
    return page.number(units.change(new, old), record, f"{old:,} bytes before, {new:,} bytes after")


@page_function
def saved(page: Page, before: str, after: str, kind: str = "transfer", platform: str = PLATFORMS[0]) -> str:
    """By how much `after` is smaller than `before`."""
    record, new, old = _two(page, before, after, kind, platform)
    return page.number(megabytes(old - new), record, f"{old:,} bytes less {new:,} bytes")


@page_function
def grown(page: Page, before: str, after: str, kind: str = "transfer") -> str:
    """By how much `after` is larger than `before`, with its sign."""
    record, new, old = _two(page, before, after, kind, PLATFORMS[0])
    return page.number(signed(new - old), record, f"{new:,} bytes less {old:,} bytes")


@page_function
def times(page: Page, large: str, small: str, kind: str = "transfer") -> str:
    """How many times as large one image is as another."""
    record, b, a = _two(page, large, small, kind, PLATFORMS[0])
    return page.number(f"{a / b:.1f} times", record, f"{a:,} bytes against {b:,} bytes")


@page_function
def count(page: Page, name: str, what: str) -> str:
    """How many there are in an image: os_packages, python_packages, setuid_files."""
    record = page.built(name)
    return page.number(str(len(getattr(record.contents, what))), record, what.replace("_", " "))


@page_function
def layer(page: Page, name: str, words: str, platform: str = PLATFORMS[0], field: str = "unpacked_tar_bytes") -> str:
    """A size of the one layer of an image whose instruction has these words."""
    return page.bytes(*page.layer(name, words, field, platform))


@page_function
def folder(page: Page, name: str, path: str, platform: str = PLATFORMS[0]) -> str:
    """The size of the files in one of an image's folders, of those that a record lists."""
    return page.bytes(*page.folder(name, path, platform))


@page_function
def package(page: Page, name: str, package: str) -> str:
    """The size of one Python package in an image, its bytecode included, wherever it lies."""
    record = page.built(name)
    found = [one.bytes for one in record.contents.python_packages if one.name == package and one.bytes is not None]
    if not found:
        raise Problem(f"{name} has no {package} whose size is known.", next="make show-step-N")
    return page.bytes(record, sum(found))


@page_function
def packages(page: Page, name: str) -> str:
    """The sum of the Python packages that the Dockerfile installs: all but those that the base brings."""
    record = page.built(name)
    return page.bytes(record, sum(one.bytes or 0 for one in record.contents.python_packages if one.name != "pip"))


@page_function
def vendored(page: Page, package: str, *names: str) -> str:
    """A Python package in several images: its bytes, and the shared libraries that its wheel brings along."""
    found = []
    for name in names:
        record = page.built(name)
        (one,) = [p for p in record.contents.python_packages if p.name.lower() == package]
        # The hash that auditwheel puts into a library's name differs from wheel to wheel.
        found.append((name, record, one, {_library(file): size for file, size in (one.vendored or {}).items()}))
    all_sizes = [sizes for *_, sizes in found]
    libraries = sorted(
        {library for sizes in all_sizes for library in sizes}, key=lambda x: -max(s.get(x, 0) for s in all_sizes)
    )
    head = ["image", f"{package}, files", *(f"`{library}`" for library in libraries)]
    rows = []
    for name, record, one, sizes in found:
        cells = (page.bytes(record, sizes[library]) if library in sizes else "" for library in libraries)
        rows.append([name, page.bytes(record, one.bytes or 0), *cells])
    return markdown_table(head, rows, "l" + "r" * (len(head) - 1))


def _library(file: str) -> str:
    """A vendored library without the hashes that auditwheel adds: libgfortran-040039e1-0352e75f.so.5.0.0."""
    return re.sub(r"-[0-9a-f]{8}(?=[-.])", "", file).split(".so")[0]


@page_function
def sizes(page: Page, step: str, platforms: tuple[str, ...] = PLATFORMS) -> str:
    """The variants of a step: transfer and unpacked size on each platform, and the change against the first one."""
    found = find_step(step)
    head, right = ["variant"], "l"
    for platform in platforms:
        architecture = platform.split("/")[1]
        head += [f"{architecture}, transfer", "change", f"{architecture}, unpacked", "change"]
        right += "rrrr"
    rows = []
    for variant in found.variants:
        row = [emphasised(variant.name)]
        for platform in platforms:
            if not variant.platforms([platform]):
                row += ["", "", "", ""]
                continue
            record = page.records.get(f"{found.name}/{variant.name}", platform)
            first = page.records.get(f"{found.name}/{found.variants[0].name}", platform)
            if record.size is None:
                row += ["fails", ""] * len(KINDS)
                continue
            for size, percent in against(record, first):
                row += [page.bytes(record, size), percent]
        rows.append(row)
    return markdown_table(head, rows, right)


@page_function
def contents(page: Page, step: str, platform: str = PLATFORMS[0]) -> str:
    """What is in the images of a step."""
    head = ["variant", "user", "OS packages", "Python packages", "compiler", "shell", "pip", "setuid files",
            "bytecode", "wasted", "context"]  # fmt: skip
    rows = []
    for variant in find_step(step).variants:
        if not variant.platforms([platform]):
            continue
        record = page.records.get(f"{step}/{variant.name}", platform)
        if record.contents is None or record.size is None:
            rows.append([variant.name, "fails", *[""] * 9])
            continue
        inside = record.contents
        marks = ("yes" if there else "no" for there in (inside.has_compiler, inside.has_shell, inside.has_pip))
        counts = (str(len(found)) for found in (inside.os_packages, inside.python_packages))
        sizes = (inside.pyc_bytes, record.size.wasted.own_bytes, record.size.context_bytes)
        row = [emphasised(variant.name), inside.user, *counts, *marks, str(len(inside.setuid_files))]
        rows.append([*row, *(page.bytes(record, size) for size in sizes)])
    return markdown_table(head, rows, "llrrlllrrrr")


@page_function
def layers(page: Page, name: str) -> str:
    """The layers of an image, lowest first; those of the base as one row."""
    record = page.built(name)
    base = [layer for layer in record.size.layers if layer.of_base]
    rows = []
    if base:
        image = record.provenance.bases[-1].name
        sums = (sum(getattr(layer, kind) for layer in base) for kind in KINDS.values())
        rows.append([f"base image, {len(base)} layers (`{image}`)", *(page.bytes(record, size) for size in sums)])
    for one in record.size.layers[len(base) :]:
        sizes = (page.bytes(record, getattr(one, kind)) for kind in KINDS.values())
        rows.append([f"`{in_cell(instruction(one.created_by))}`", *sizes])
    return markdown_table(["made by", *KINDS], rows, "lrr")


@page_function
def bars(page: Page, step: str) -> str:
    """A chart of the transfer of a step's variants."""
    records = [r for r in page.records.of_step(step) if r.platform == PLATFORMS[0] and r.size]
    caption = f"{MEASURES['transfer']} of {short(step)}'s images"
    return chart(page, [(r.variant, r) for r in records], caption, "transfer")


def chart(page: Page, named: list[tuple[str, Record]], caption: str, kind: str, copy: str = RECOMMENDED) -> str:
    """A chart of one size of some images, all on one platform; the variant to copy is marked."""
    drawn = [Bar(name, kind, getattr(record.size, KINDS[kind]), marked=name == copy) for name, record in named]
    return page.chart(drawn, f"{caption} on {named[0][1].platform}{standins(record for _, record in named)}.")


def standins(records: Iterable[Record]) -> str:
    """What a caption adds where images stand on the lab's base images."""
    lab = any(base.origin == "lab" for record in records for base in record.provenance.bases)
    return "; base images: the lab's stand-ins" if lab else ""
