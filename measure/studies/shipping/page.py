"""What pages say of pushes and pulls, and of fleets."""

from __future__ import annotations

import re
import textwrap

from measure.base.errors import Problem
from measure.base.units import change, duration, megabytes
from measure.record.records import Samples
from measure.steps.compose import find_step
from measure.studies.shipping import fleets, model
from measure.studies.shipping.fleets import SIZES, Differ, Together
from measure.studies.shipping.model import Pushed
from measure.tell.folklore import Facts
from measure.tell.page import Page, code, emphasised, markdown_table, page_function

#: What is pushed, as a table's head has it.
PUSHED: dict[Pushed, str] = {
    "first": "first push",
    "again": "the same, built elsewhere",
    "edit": "one line of code",
    "lock": "one package",
    "base": "a patched base",
}
#: What is timed of a variant, as a table's head has it, and whether in processor time.
TIMED = {
    "build": "build and first push",
    "pull": "pull, nothing there",
    "pull-edit": "after one line of code",
    "pull-lock": "after one package",
    "start": "start",
    "import": "import, processor time",
}


def _samples(page: Page, variant: str, what: str) -> Samples:
    one = page.records.once(model.complete).of(variant)
    found = {
        "build": one.build_and_push_s,
        "start": one.start_s,
        "import": one.import_cpu_s,
        "pull": one.pull_s["first"],
    }
    return found.get(what) or one.pull_s[what.removeprefix("pull-")]


def _sent(page: Page, variant: str, kind: Pushed) -> str:
    sent = page.records.once(model.complete).of(variant).sent[kind]
    exact = f"{sent.sent_bytes:,} bytes sent, {sent.stored_bytes:,} more stored"
    return page.figure(model.record_path(page.records.environment), megabytes(sent.sent_bytes), exact)


@page_function
def sent(page: Page, variant: str, kind: Pushed = "first") -> str:
    """What a push of a variant of extra-shipping sent: see `Pushed` for the kinds."""
    return _sent(page, variant, kind)


@page_function
def sent_change(page: Page, before: str, after: str) -> str:
    """The change of what the first push sent from one variant to another, in percent."""
    record = page.records.once(model.complete)
    old, new = (record.of(name).sent["first"].sent_bytes for name in (before, after))
    path = model.record_path(page.records.environment)
    return page.figure(path, change(new, old), f"{old:,} bytes, then {new:,} bytes")


@page_function
def shipped(page: Page, variant: str, what: str) -> str:
    """The median of what was timed of a variant of extra-shipping: see `TIMED`."""
    found = _samples(page, variant, what)
    exact = f"{duration(min(found.samples))} to {duration(max(found.samples))} in {len(found.samples)} samples"
    return page.figure(model.record_path(page.records.environment), duration(found.median), exact)


@page_function
def stale(page: Page, variant: str) -> str:
    """How many files of bytecode of a variant Python does not take, of how many."""
    one = page.records.once(model.complete).of(variant)
    path = model.record_path(page.records.environment)
    return page.figure(
        path, f"{one.bytecode_stale} of {one.bytecode}", "files of bytecode whose source has another time"
    )


@page_function
def exported(page: Page, step: str) -> str:
    """The part of a step's compose file that says how its recommended variant is built, without comments."""
    found = find_step(step)
    text = re.sub(r"\n *#.*", "", found.compose_file.read_text())
    build = re.search(rf"^  {found.recommended.service}:\n(    build:\n(?: {{6,}}.*\n)+)", text, re.MULTILINE)
    return f'``` yaml title="{found.name}/{found.compose_file.name}"\n{textwrap.dedent(build[1])}```'


@page_function
def pushes(page: Page) -> str:
    """Each variant of extra-shipping, and what each push of it sent."""
    names = [one.variant for one in page.records.once(model.complete).shipped]
    rows = [[emphasised(name), *(_sent(page, name, kind) for kind in PUSHED)] for name in names]
    return markdown_table(["variant", *PUSHED.values()], rows, "l" + "r" * len(PUSHED))


@page_function
def pulls(page: Page) -> str:
    """Each variant of extra-shipping, and what pulling, starting and importing took."""
    names = [one.variant for one in page.records.once(model.complete).shipped]
    rows = [[emphasised(name), *(shipped(page, name, what) for what in TIMED), stale(page, name)] for name in names]
    return markdown_table(["variant", *TIMED.values(), "stale bytecode"], rows, "l" + "r" * (len(TIMED) + 1))


@page_function
def levels(page: Page) -> str:
    """What one builder gave that was asked for several compressions, one after the other."""
    rows = [[code(one.options), level(page, one.options)] for one in page.records.once(model.complete).levels]
    return markdown_table(["asked for, one after the other", "the builder gave"], rows, "lr")


#: What is counted of a fleet, by the word that pages have for it: the field, and where that is.
COUNTED = {
    "transfer": ("stored_bytes", "on the registry's disk"),
    "unpacked": ("disk_bytes", "on the disk of one host that pulled all of them, layers as they came and unpacked"),
    "sent": ("sent_bytes", "uploaded to the registry"),
}


def _fleet(page: Page, variant: str, differ: Differ, services: int) -> Together:
    found = page.records.once(fleets.complete).of(variant, differ)
    if found is None:
        raise Problem(f"There is no fleet of {variant}.", next=f"{fleets.COMMAND} NAME={variant}")
    return found.at(services)


def _weight(page: Page, variant: str, differ: Differ, services: int, kind: str) -> str:
    size = getattr(_fleet(page, variant, differ, services), COUNTED[kind][0])
    path = fleets.record_path(page.records.environment)
    return page.figure(path, megabytes(size), f"{size:,} bytes for {services} services, measured")


@page_function
def of_fleet(page: Page, variant: str, differ: Differ = "packages", kind: str = "transfer") -> str:
    """What the largest fleet of a variant weighs whose services differ so: see `COUNTED` for the kinds."""
    return _weight(page, variant, differ, SIZES[-1], kind)


@page_function
def unshared(page: Page, variant: str) -> str:
    """What the largest fleet of a variant would weigh in the registry if each image were one layer, computed."""
    size = _fleet(page, variant, "packages", 1).stored_bytes
    path = fleets.record_path(page.records.environment)
    return page.figure(path, megabytes(size * SIZES[-1]), f"computed: {SIZES[-1]} times {size:,} bytes")


@page_function
def fleet(page: Page, kind: str = "transfer") -> str:
    """What 1, 10 and 40 services take together on each base, `transfer`, `unpacked` or `sent`: a table."""
    columns: dict[str, tuple[Differ, int]] = {
        "1 service": ("code", 1),
        "10, other code": ("code", 10),
        "40, other code": ("code", 40),
        "10, two packages each": ("packages", 10),
        "40, two packages each": ("packages", 40),
    }
    rows = [
        [emphasised(variant), *(_weight(page, variant, *column, kind) for column in columns.values())]
        for variant in fleets.FLEETS
    ]
    table = markdown_table(["image", *columns], rows, "l" + "r" * len(columns))
    return f"{table}\n\nMeasured: {COUNTED[kind][1]}. One machine built all services.\n{{ .takes }}"


# What claims ask.


def _rests(facts: Facts) -> model.Shipping:
    environment = facts.records.environment
    facts.rests_on(model.record_path(environment), model.COMMAND)
    return facts.records.once(model.complete)


def same_twice(facts: Facts, variant: str) -> bool:
    """Gave two machines the same image, that had nothing cached?"""
    one = _rests(facts).of(variant)
    return one.digest == one.digest_again


def shipping_ratio(facts: Facts, slow: str, fast: str, what: str) -> float:
    """How many times as long one variant takes as another: see `TIMED`."""
    _rests(facts)
    return _samples(facts.page, slow, what).median / _samples(facts.page, fast, what).median


def level_bytes(facts: Facts, options: str) -> int:
    """Bytes of the layers that a builder gave which was asked for these options, after those before them."""
    return next(one.transfer_bytes for one in _rests(facts).levels if one.options == options)


def fleet_bytes(facts: Facts, variant: str, differ: Differ) -> int:
    """Bytes of the largest fleet of a variant, in the registry."""
    environment = facts.records.environment
    facts.rests_on(fleets.record_path(environment), f"{fleets.COMMAND} NAME={variant}")
    return _fleet(facts.page, variant, differ, SIZES[-1]).stored_bytes


@page_function
def level(page: Page, options: str) -> str:
    """What a builder gave that was asked for these options, after those before them."""
    one = next(one for one in page.records.once(model.complete).levels if one.options == options)
    return page.figure(
        model.record_path(page.records.environment), megabytes(one.transfer_bytes), f"{one.transfer_bytes:,} bytes"
    )
