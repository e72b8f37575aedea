import io

from rich.console import Console

from measure import table
from measure.records import Failure, Record, Size
from measure.steps import find_step

STEP = find_step("step-1")


def record(variant: str, size: int | None) -> Record:
    sizes = size and Size(transfer_bytes=size, unpacked_tar_bytes=3 * size, unpacked_file_bytes=2 * size, layers=[])
    failure = None if size else Failure(exit_code=17, line="no")
    return Record.model_construct(variant=variant, platform="linux/amd64", size=sizes, failure=failure)


def shown(*records: Record) -> str:
    text = io.StringIO()
    Console(width=80, file=text).print(table.table(STEP, list(records), ["linux/amd64", "linux/arm64"]))
    return text.getvalue()


def test_sizes_are_decimal_megabytes_and_the_change_is_against_the_first_variant():
    text = shown(record("naive", 400_000_000), record("recommended", 300_000_000), record("slim", 50_000_000))
    naive, recommended, slim = (line for line in text.splitlines() if "MB" in line)
    assert "│ naive       │ 400.0 MB │" in naive
    assert "%" not in naive
    assert "-25.0 %" in recommended
    assert "-87.5 %" in slim
    assert "150.0 MB" in slim


def test_a_failed_and_a_missing_build_are_told():
    lines = shown(record("naive", 400_000_000), record("slim", None)).splitlines()
    told = [line.split("│")[2].strip() + ": " + line.split("│")[-2].strip() for line in lines if line.startswith("│")]
    assert told[:3] == ["naive: ok", "recommended: none", "slim: failed"]
