"""What services that share layers weigh together."""

from pathlib import PurePosixPath
from types import SimpleNamespace

import pytest

import measure.pages  # noqa: F401
from measure.base.errors import Problem
from measure.tell.fleet import CODE as OF_CODE
from measure.tell.fleet import own, weight
from measure.tell.page import Page
from measure.tell.reading import Records
from measure.weigh.oci import Layer
from tests.handmade import record, size


def layer(created_by: str, transfer: int, of_base: bool = False) -> Layer:
    sizes = {"transfer_bytes": transfer, "unpacked_tar_bytes": 3 * transfer, "unpacked_file_bytes": 2 * transfer}
    return Layer(
        digest=f"sha256:{created_by}", created_by=created_by, of_base=of_base, wasted_bytes=0, files=1, **sizes
    )


def image(*layers: Layer, variant: str = "full") -> SimpleNamespace:
    """Records that have this one image alone."""
    found = record(
        step="step-4-slim-vs-alpine",
        variant=variant,
        size=size(sum(one.transfer_bytes for one in layers), layers=list(layers)),
    )
    return SimpleNamespace(get=lambda *_: found, environment="lab-amd64")


BASE = layer("COPY src/ / of the base", 50_000_000, of_base=True)
PACKAGES, CODE = layer("COPY /opt/venv /opt/venv", 20_000_000), layer("COPY src/app app", 1_000_000)
TESTS = layer("COPY src/more more", 500_000)


def told(records, *names: str, **options) -> str:
    text = Page(records, PurePosixPath("steps/step-4.md")).functions()["fleet"](*names, **options)
    return text.replace("&nbsp;", " ")


def test_a_layer_of_code_is_told_by_its_instruction_and_never_one_of_the_base():
    found = size(layers=[BASE, PACKAGES, CODE, TESTS])
    assert own(found, OF_CODE, "transfer_bytes") == 1_500_000
    assert own(found, OF_CODE, "unpacked_tar_bytes") == 4_500_000
    assert own(found, ("nothing",), "transfer_bytes") == 0


@pytest.mark.parametrize(("services", "together"), [(1, 71), (10, 80), (40, 110)])
def test_what_is_shared_counts_once_and_what_is_not_each_time(services, together):
    assert weight(70, 1, services) == together


def test_a_row_has_what_one_ten_and_forty_keep_and_leads_to_the_record():
    (row,) = told(image(BASE, PACKAGES, CODE), "step-4/full").split("\n\n")[0].splitlines()[2:]
    assert row.startswith("| full, on `python:3.14` | [71.0 MB]")
    assert "| [260.0 MB]" in row
    assert "| [890.0 MB](../results/index.md#step-4-slim-vs-alpine-full-linux-arm64" in row
    assert "| [110.0 MB]" in row
    assert "computed: 50,000,000 bytes shared, and 40 times 21,000,000 bytes" in row
    assert "computed: 70,000,000 bytes shared, and 40 times 1,000,000 bytes" in row


def test_on_a_host_it_is_unpacked_and_the_caption_says_what_is_assumed():
    records = image(BASE, PACKAGES, CODE)
    text = told(records, "step-4/full", kind="unpacked")
    assert "[213.0 MB]" in text
    assert "not measured: unpacked bytes on one host" in text.split("\n\n")[1]
    assert "transfer bytes in one registry" in told(records, "step-4/full")


def test_an_image_without_a_base_begins_with_scratch_and_one_without_layers_of_its_own_is_refused():
    assert "| full, on `scratch` |" in told(image(PACKAGES, CODE), "step-4/full")
    for kept in (PACKAGES, CODE):
        with pytest.raises(Problem, match=r"No layer of step-4/full has one of "):
            told(image(BASE, kept), "step-4/full")


def test_of_the_records_that_are_it_has_a_row_for_each_base():
    """Code is little; packages are the fleet's weight: 40 sets of them weigh more than any base."""
    records = Records()
    rows = told(records).split("\n\n")[0].splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == [
        "| **recommended**, on `python:3.14-slim`",
        "| full, on `python:3.14`",
        "| alpine-multistage, on `python:3.14-alpine`",
        "| distroless, on `scratch`",
    ]
    found = records.get("step-4").size
    assert 0 < own(found, OF_CODE, "transfer_bytes") < 0.01 * found.transfer_bytes
