"""What many services weigh together that share layers, computed from the layers in the records."""

from __future__ import annotations

from measure.base.errors import Problem
from measure.base.units import megabytes
from measure.record.records import Record, Size
from measure.tell.page import Page, code, emphasised, markdown_table, page_function, short
from measure.tell.reading import KINDS

#: Words of instructions that make the layer with the application's code, and the one with its packages.
CODE, PACKAGES = (" src/",), ("/opt/venv", "pip install", "/packages ")
#: The table's columns: how many services there are, and what each has for itself, so that it is kept for each.
COLUMNS = {
    "1 service": (1, CODE + PACKAGES),
    "10, each with packages of its own": (10, CODE + PACKAGES),
    "40, each with packages of its own": (40, CODE + PACKAGES),
    "40 with the same packages": (40, CODE),
}
#: Images of step 4, one for each base that the page compares.
BASES = ("step-4", "step-4/full", "step-4/alpine-multistage", "step-4/distroless")
#: What is weighed and where, by the kind of size.
_PLACES = {"transfer": "transfer bytes in one registry", "unpacked": "unpacked bytes on one host"}


def own(size: Size, words: tuple[str, ...], field: str) -> int:
    """Bytes of the layers whose instruction has one of these words: those that each service has for itself."""
    own = [one for one in size.layers if not one.of_base and any(word in one.created_by for word in words)]
    return sum(getattr(layer, field) for layer in own)


def weight(shared: int, own: int, services: int) -> int:
    """Bytes of some services together, where layers that are the same are kept once."""
    return shared + own * services


def _base(record: Record) -> str:
    """The image that the shipped stage of a Dockerfile begins with."""
    return record.provenance.bases[-1].name if any(layer.of_base for layer in record.size.layers) else "scratch"


def _together(page: Page, record: Record, field: str, column: str) -> str:
    """What the services of a column weigh together, on one base: a number that leads to the record."""
    services, words = COLUMNS[column]
    theirs = own(record.size, words, field)
    shared = getattr(record.size, field) - theirs
    exact = f"computed: {shared:,} bytes shared, and {services} times {theirs:,} bytes"
    return page.number(megabytes(weight(shared, theirs, services)), record, exact)


@page_function
def forty(page: Page, name: str) -> str:
    """What 40 services weigh in one registry that have packages of their own, computed from one image: see `fleet`."""
    return _together(page, page.built(name), KINDS["transfer"], "40, each with packages of its own")


@page_function
def fleet(page: Page, *names: str, kind: str = "transfer") -> str:
    """What 1, 10 and 40 services weigh together, by what they share: a table, and what it assumes.

    Raises Problem where an image has no layer for code or packages alone: they would count as shared.
    """
    rows = []
    for name in names or BASES:
        record = page.built(name)
        field = KINDS[kind]
        for words in (CODE, PACKAGES):
            if not own(record.size, words, field):
                raise Problem(f"No layer of {name} has one of {words} in its instruction.", next="make show-step-N")
        cells = [f"{emphasised(record.variant)}, on {code(_base(record))}"]
        cells += [_together(page, record, field, column) for column in COLUMNS]
        rows.append(cells)
    table = markdown_table(["image", *COLUMNS], rows, "l" + "r" * len(COLUMNS))
    steps = " and ".join(dict.fromkeys(short(page.built(name).step) for name in names or BASES))
    return f"{table}\n\n{_assumed(kind, steps)}"


def _assumed(kind: str, steps: str) -> str:
    """What the numbers stand on, below their table."""
    return (
        f"Computed from the layers of {steps}'s images, not measured: {_PLACES[kind]}, where each layer is kept once. "
        "Each service's packages weigh what they weigh here. Layers that are shared are the same to the byte, which "
        "takes one builder, or one shared cache.\n{ .takes }"
    )
