"""What many services weigh together that share layers, computed from the layers in the records."""

from __future__ import annotations

from measure.base.errors import Problem
from measure.base.units import megabytes
from measure.record.records import Record, Size
from measure.tell.page import Page, code, emphasised, markdown_table, page_function, short
from measure.tell.reading import KINDS

#: How many services the table has columns for.
SERVICES = (1, 10, 40)
#: Images of step 4, one for each base that the page compares.
BASES = ("step-4", "step-4/full", "step-4/alpine-multistage", "step-4/distroless")
#: What is weighed and where, by the kind of size.
_PLACES = {"transfer": "transfer bytes in one registry", "unpacked": "unpacked bytes on one host"}


def own(size: Size, words: str, field: str) -> int:
    """Bytes of the layers whose instruction has these words: those that each service has for itself."""
    return sum(getattr(layer, field) for layer in size.layers if words in layer.created_by and not layer.of_base)


def weight(shared: int, own: int, services: int) -> int:
    """Bytes of some services together, where layers that are the same are kept once."""
    return shared + own * services


def _base(record: Record) -> str:
    """The image that the shipped stage of a Dockerfile begins with."""
    return record.provenance.bases[-1].name if any(layer.of_base for layer in record.size.layers) else "scratch"


@page_function
def fleet(page: Page, *names: str, kind: str = "transfer", words: str = " src/") -> str:
    """What 1, 10 and 40 services weigh that differ in their code alone: a table, and what it assumes.

    `words` name the layers with the application's code, by their instruction. Raises Problem where no layer has them.
    """
    rows, codes = [], []
    for name in names or BASES:
        record = page.built(name)
        whole, code_of = getattr(record.size, KINDS[kind]), own(record.size, words, KINDS[kind])
        if not code_of:
            raise Problem(f"No layer of {name} has {words!r} in its instruction.", next="make show-step-N")
        codes.append(code_of)
        cells = [f"{emphasised(record.variant)}, on {code(_base(record))}"]
        for services in SERVICES:
            together = weight(whole - code_of, code_of, services)
            exact = f"computed: {whole - code_of:,} bytes shared, and {services} times {code_of:,} bytes of code"
            cells.append(page.number(megabytes(together), record, exact))
        rows.append(cells)
    heads = [f"{services} service{'s' * (services > 1)}" for services in SERVICES]
    table = markdown_table(["image", *heads], rows, "l" + "r" * len(heads))
    steps = " and ".join(dict.fromkeys(short(page.built(name).step) for name in names or BASES))
    return f"{table}\n\n{_assumed(kind, steps, max(codes))}"


def _assumed(kind: str, steps: str, most: int) -> str:
    """What the numbers stand on, below their table."""
    return (
        f"Computed from the layers in the records of {steps}, not measured: {_PLACES[kind]}, where each layer is kept "
        "once. Assumed: the services differ in their application's code alone, and one builder, or one shared cache, "
        "built them all. Then the other layers are the same to the byte: base image, user, packages and settings. "
        f"The code has a layer of its own, {megabytes(most)} here; the virtual environment holds packages alone. "
        "Manifests and configurations of images, some kB each, are left out.\n{ .fleet }"
    )
