import io

from rich.console import Console

from measure.record.records import Failure, Record
from measure.steps.compose import find_step
from measure.tell import table
from measure.weigh.contents import OsPackage
from tests import handmade
from tests.handmade import contents
from tests.handmade import size as size_of

STEP = find_step("step-1")


def record(variant: str, size: int | None) -> Record:
    sizes = size and size_of(size)
    failure = None if size else Failure(exit_code=17, line="no")
    return Record.model_construct(variant=variant, platform="linux/amd64", size=sizes, failure=failure)


def shown(*records: Record) -> str:
    text = io.StringIO()
    Console(width=80, file=text).print(table.table(STEP, list(records), ["linux/amd64", "linux/arm64"]))
    return text.getvalue()


def test_sizes_are_decimal_megabytes_and_the_change_is_against_the_first_variant():
    text = shown(record("naive", 400_000_000), record("full", 300_000_000), record("recommended", 50_000_000))
    naive, full, slim = (line for line in text.splitlines() if "MB" in line)
    assert "│ naive       │ 400.0 MB │" in naive
    assert "%" not in naive
    assert "-25.0 %" in full
    assert "-87.5 %" in slim
    assert "150.0 MB" in slim


def test_the_contents_fit_80_columns_and_tell_what_is_there():
    inside = contents(has_compiler=True, os_packages=[OsPackage(name="gcc", version="14")], pyc_bytes=13_300_000)
    one = record("naive", 400_000_000).model_copy(update={"contents": inside})
    text = io.StringIO()
    Console(width=80, file=text).print(table.contents_table(STEP, [one], ["linux/amd64"]))
    (line,) = [line for line in text.getvalue().splitlines() if "naive" in line]
    assert [cell.strip() for cell in line.split("│")[2:-1]] == [
        "naive", "root", "1", "0", "cc sh pip", "0", "13.3 MB", "0 B",
    ]  # fmt: skip


def test_the_layers_fit_80_columns_and_long_instructions_are_cut():
    sizes = {"transfer_bytes": 1_163_900_000, "unpacked_tar_bytes": 2_000_000}
    layer = handmade.layer(created_by="RUN /bin/sh -c " + "x" * 200, of_base=True, **sizes)
    text = io.StringIO()
    Console(width=80, file=text).print(table.layers_table(size_of(1, layers=[layer])))
    (line,) = [line for line in text.getvalue().splitlines() if "1163.9 MB" in line]
    assert len(line) == 80
    assert "│ base │ 1163.9 MB │   2.0 MB │    0 B │ RUN xxx" in line
    assert line.endswith("x… │")


def test_a_failed_and_a_missing_build_are_told():
    lines = shown(record("naive", 400_000_000), record("recommended", None)).splitlines()
    told = [line.split("│")[2].strip() + ": " + line.split("│")[-2].strip() for line in lines if line.startswith("│")]
    assert told[:3] == ["naive: ok", "full: none", "recommended: failed"]
