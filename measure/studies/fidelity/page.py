"""What pages and claims say of base images: the lab's beside the official ones, and those of years ago."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from measure.base.errors import Problem
from measure.base.names import LAB_ENVIRONMENT
from measure.base.platforms import PLATFORMS
from measure.base.units import change, megabytes
from measure.record import then
from measure.studies.fidelity.model import Comparison, Fidelity, complete, load, record_path
from measure.tell.charts import Bar
from measure.tell.folklore import Facts
from measure.tell.page import Page, markdown_table, page_function, unbroken

#: The page that compares the lab's base images with the official ones.
LAB_PAGE = PurePosixPath("results/lab.md")


@page_function
def fidelity(page: Page) -> str:
    """The lab's base images against the official ones."""
    found = complete()
    known = [
        "\n".join([f"- `{image}`:", *(f"    - {difference}" for difference in differences)])
        for image, differences in found.known_differences.items()
    ]
    rows = [[*one[:2], *map(unbroken, one[2:8]), one[8]] for one in map(row, found.comparisons)]
    return "\n".join([markdown_table(HEAD, rows, "llrrrrrrr"), "", "What we know to differ:", "", *known])


@page_function
def standin(page: Page, *others: str) -> str:
    """One small line: that base images are stand-ins, and how far their transfer is off the official images'.

    Of Python's as a range, on both platforms; of each of the `others` on the first. Nothing where the page's numbers
    come from official base images.
    """
    if page.records.environment != LAB_ENVIRONMENT:
        return ""
    every = page.records.once(_complete).comparisons
    compared = [one for one in every if one.image.startswith("python:")]
    off = [_off(one) for one in compared]
    exact = f"the transfer of {len(compared)} base images of Python, on both platforms"
    ends = [page.figure(record_path(), f"{end * 100:+.1f} %", exact) for end in (min(off), max(off))]
    link = f"{page.link(LAB_PAGE)}#how-close-the-stand-ins-are"
    more = []
    for name in others:
        one = next(one for one in every if (one.image, one.platform) == (name, PLATFORMS[0]))
        exact = f"{one.lab.transfer_bytes:,} bytes; official {one.official.transfer_bytes:,}"
        more.append(f", of `{name}` {page.figure(record_path(), f'{_off(one) * 100:+.1f} %', exact)}")
    return (
        f"Base images are the lab's [stand-ins]({link}): the transfer of Python's is "
        f"{' to '.join(ends)} off the official{''.join(more)}.\n{{ .takes }}"
    )


def _off(one: Comparison) -> float:
    """By which part a stand-in's transfer is off the official image's."""
    return (one.lab.transfer_bytes - one.official.transfer_bytes) / one.official.transfer_bytes


def _complete(_: str) -> Fidelity:
    return complete()


#: The columns of the comparison.
HEAD = ["image", "platform", "transfer, official", "lab", "change", "files, official", "lab", "change", "OS packages"]


def row(one: Comparison) -> list[str]:
    """A row of the comparison, on a page and on a terminal."""
    row = [one.image, one.platform]
    for kind in ("transfer_bytes", "file_bytes"):
        ours, theirs = getattr(one.lab, kind), getattr(one.official, kind)
        row += [megabytes(theirs) if theirs else "not published", megabytes(ours), change(ours, theirs)]
    if one.packages_official is None:
        return [*row, ""]
    same = "" if one.packages_missing or one.packages_extra else ", the same"
    return [*row, f"{one.packages_lab} of {one.packages_official}{same}"]


#: What no list of packages says of an image: its C library and its shells, as its distribution documents them.
OF_DISTRIBUTION = {"alpine": ("musl", "`sh` (busybox)"), "debian": ("glibc", "`sh` (dash), `bash`")}


@page_function
def base_images(page: Page, *names: str) -> str:
    """Some base images as one chooses among them: what each has, and its transfer size, official and the lab's."""
    found = complete()
    head = ["image", "version", "C library", "shell", "packages"]
    head += [f"{platform.split('/')[1]}, {whose}" for platform in PLATFORMS for whose in ("official", "lab's")]
    rows = []
    for name in names:
        compared = {one.platform: one for one in found.comparisons if one.image == name}
        if not compared:
            raise Problem(f"{name} is compared with no official image.", next="make lab-fidelity")
        distribution = OF_DISTRIBUTION["alpine" if "alpine" in name else "debian"]
        row = [f"`{name}`", found.versions[name], *distribution, str(compared[PLATFORMS[0]].packages_official)]
        for platform in PLATFORMS:
            for sizes in (compared[platform].official, compared[platform].lab):
                exact = f"{sizes.transfer_bytes:,} bytes"
                row.append(page.figure(record_path(), megabytes(sizes.transfer_bytes), exact))
        published = re.search(r"transfer\D*(\S{10})", found.dates[name])
        rows.append([*row, published[1] if published else ""])
    caption = (
        f"Sizes in transfer; the official ones as published on that day, the lab's of {found.measured_at:%Y-%m-%d}."
    )
    return f"{markdown_table([*head, 'published'], rows, 'llllrrrrrl')}\n\n{caption}"


@page_function
def then_and_now(page: Page) -> str:
    """Old measurements beside ours of the same kind of image: one chart, and a table for each source."""
    drawn: list[Bar] = []
    tables = []
    for source in then.sources():
        (whole,) = [image for image in source.image if image.whole]
        full, _ = _today(page, whole.now)
        rows = []
        for image in source.image:
            size, shown_size = _today(page, image.now)
            group = f"{image.title} ({source.when})"
            drawn.append(Bar(group, "then", image.bytes))
            drawn += [Bar(group, "now", size)] if size else []
            applies = image.now.startswith("step-")
            share = f"{image.bytes / whole.bytes:.0%}" if applies else ""
            share_now = f"{size / full:.0%}" if applies and size and full else ""
            rows.append([image.title, megabytes(image.bytes), share, shown_size, share_now])
        who = f"[{source.who}]({source.url})" if source.url else source.who
        head = ["image", f"files then, {source.when}", "of its full one", "files now", "of its full one"]
        tables += [f"**{source.name}**: {who}; {source.about}.", markdown_table(head, rows, "lrrrr")]
    caption = "Files of all layers, then and now; base images of now: the lab's stand-ins."
    return "\n\n".join([page.chart(drawn, caption), *tables])


def _today(page: Page, name: str) -> tuple[int | None, str]:
    """Bytes of the files of an image of ours, a base image or STEP/VARIANT, and how they are shown."""
    for one in load().comparisons:
        if (one.image, one.platform) == (name, PLATFORMS[0]):
            return one.lab.file_bytes, page.file(record_path(), megabytes(one.lab.file_bytes))
    record = page.records.get(name)
    if record.size is None:
        return None, "fails"
    return record.size.unpacked_file_bytes, page.bytes(record, record.size.unpacked_file_bytes)


def base(facts: Facts, image: str) -> int:
    """Bytes of the files of an official base image on amd64, as they were published."""
    facts.rests_on(record_path(), "make lab-fidelity")
    (one,) = [one for one in complete().comparisons if (one.image, one.platform) == (image, PLATFORMS[0])]
    return one.official.file_bytes


def base_words(facts: Facts, image: str) -> str:
    """The same in words, with a link to the comparison."""
    return f"{facts.page.file(record_path(), unbroken(megabytes(base(facts, image))))} of files"


@page_function
def stand_ins(page: Page) -> str:
    """A narrow table of the lab's base images against the official ones: transfer, on the first platform."""
    rows = [row(one) for one in complete().comparisons if one.platform == PLATFORMS[0]]
    head = ["image", "transfer, official", "lab", "change"]
    return markdown_table(head, [[f"`{one[0]}`", *map(unbroken, one[2:5])] for one in rows], "lrrr")
