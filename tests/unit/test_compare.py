import os
from datetime import UTC, datetime

import pytest

from measure.base.errors import Problem
from measure.record.compare import compare, instruction, since_recorded
from measure.record.records import Failure, as_json
from measure.weigh.contents import OsPackage, PythonPackage
from measure.weigh.oci import Layer
from tests import handmade
from tests.conftest import python_m
from tests.handmade import contents, record, size


def layer(created_by: str, size: int, of_base: bool = False) -> Layer:
    return handmade.layer(created_by=created_by, unpacked_file_bytes=size, of_base=of_base)


def python(name: str, version: str, size: int) -> PythonPackage:
    return PythonPackage(name=name, version=version, location="/site-packages", bytes=size)


FULL = record(
    size=size(100_000_000, layers=[layer("COPY / / # buildkit", 80, True), layer("RUN /bin/sh -c pip install x", 20)]),
    contents=contents(
        os_packages=[OsPackage(name="gcc", version="14", bytes=70), OsPackage(name="libc6", version="2", bytes=10)],
        python_packages=[python("Flask", "3.0", 5)],
        directories={"/usr": 80, "/app": 1},
    ),
)
SLIM = record(
    size=size(40_000_000, layers=[layer("COPY / / # buildkit", 10, True), layer("RUN /bin/sh -c pip install x", 25)]),
    contents=contents(
        os_packages=[OsPackage(name="libc6", version="2", bytes=10)],
        python_packages=[python("Flask", "3.1", 6), python("numpy", "2.3", 30)],
        directories={"/usr": 10, "/app": 1, "/opt": 30},
    ),
)


def test_what_grew_by_layer_package_and_directory():
    found = compare(FULL, SLIM)
    assert [(row.name, row.growth) for row in found.sizes[:2]] == [
        ("transfer", -60_000_000),
        ("unpacked", -180_000_000),
    ]
    assert [(row.name, row.before, row.after) for row in found.layers] == [
        ("RUN pip install x", 20, 25),
        ("base: COPY / /", 80, 10),
    ]
    assert [(row.name, row.before, row.after) for row in found.os_packages] == [("gcc", 70, None)]
    assert [(row.name, row.growth, row.note) for row in found.python_packages] == [
        ("numpy (/site-packages)", 30, "2.3"),
        ("Flask (/site-packages)", 1, "3.0 → 3.1"),
    ]
    assert [(row.name, row.growth) for row in found.directories] == [("/opt", 30), ("/usr", -70)]


def test_a_failed_build_cannot_be_compared():
    failed = record(outcome="failed", size=None, contents=None, failure=Failure(exit_code=1, line="no pg_config"))
    with pytest.raises(Problem, match="was not built") as problem:
        compare(FULL, failed)
    assert problem.value.why == "no pg_config"


@pytest.mark.parametrize(
    ("created_by", "shown"),
    [
        ("COPY . . # buildkit", "COPY . ."),
        (
            "RUN /bin/sh -c apt-get update     && apt-get install -y x # buildkit",
            "RUN apt-get update && apt-get install -y x",
        ),
        ("RUN |2 A=1 B=2 /bin/sh -c make # buildkit", "RUN make"),
        ("WORKDIR /app", "WORKDIR /app"),
    ],
)
def test_the_instruction_without_what_the_builder_adds(created_by, shown):
    assert instruction(created_by) == shown


def again(before, **changes):
    provenance = before.provenance.model_copy(update={"measured_at": datetime(2099, 2, 2, tzinfo=UTC)})
    return before.model_copy(update={"provenance": provenance, **changes})


def test_since_recorded_tells_what_is_the_same_and_what_changed():
    close = again(FULL, size=FULL.size.model_copy(update={"transfer_bytes": 100_000_037}))
    grown = again(SLIM, size=SLIM.size.model_copy(update={"transfer_bytes": 44_000_000}), contents=FULL.contents)
    lines = since_recorded([(FULL, again(FULL)), (FULL, close), (SLIM, grown), (None, SLIM)])
    assert lines == [
        "Against the recorded numbers: 1 the same to the byte, 1 the same within 0.1%, 1 changed, 1 new:",
        "  full · linux/arm64: transfer +4.0 MB (+10.0 %); Flask 3.1 → 3.0; gcc - → 14; numpy 2.3 → -",
    ]
    assert since_recorded([(FULL, again(FULL))]) == ["Against the recorded numbers: 1 the same to the byte."]
    kept = "1 not built, because that takes minutes (slim on linux/arm64)"
    same = "Against the recorded numbers: 1 the same to the byte"
    assert since_recorded([(FULL, again(FULL))], ["slim on linux/arm64"]) == [f"{same}, {kept}."]
    assert since_recorded([], ["slim on linux/arm64"]) == [f"Against the recorded numbers: {kept}."]
    failed = record(outcome="failed", size=None, contents=None, failure=Failure(exit_code=1, line="no"))
    assert since_recorded([(FULL, failed)])[1] == "  full · linux/arm64: built before, failed now"


def test_the_commands_show_and_diff_read_the_repositorys_records(tmp_path):
    shown = python_m("measure", "show", "step-1")
    assert shown.returncode == 0, shown.stderr
    for word in ("naive", "recommended", "full", "wasted", "Records: results/lab-amd64/step-1-kiss/"):
        assert word in shown.stdout
    one = python_m("measure", "show", "step-1/full")
    assert "base" in one.stdout
    assert "flask 3" in one.stdout.lower()
    difference = python_m("measure", "diff", "step-1/full", "step-1/recommended")
    assert difference.returncode == 0, difference.stderr
    for word in ("transfer", "OS packages", "gcc", "/usr/lib"):
        assert word in difference.stdout
    path = tmp_path / "other.json"
    path.write_text(as_json(FULL))
    assert python_m("measure", "diff", str(path), "step-1/full@linux/arm64").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "step-99"), "no step called step-99"),
        (("show", "step-1/nothing"), "no variant called nothing"),
        (("show", "step-1", "--environment", "nowhere"), "Nothing of step-1-kiss is recorded in nowhere"),
        (("diff", "step-1/full", "nowhere.json"), "There is no record"),
        (("diff", "step-1/full", "HEAD:nowhere.json"), "git has no HEAD:nowhere.json"),
    ],
)
def test_what_cannot_be_shown_is_told(arguments, message):
    result = python_m("measure", *arguments)
    assert result.returncode == 1
    assert message in result.stderr
    assert "Next:" in result.stderr


def test_a_revision_on_a_machine_without_git_is_told():
    result = python_m("measure", "diff", "step-1/full", "HEAD:a.json", env={**os.environ, "PATH": "/nowhere"})
    assert result.returncode == 1
    assert "There is no git here, which has HEAD:a.json." in result.stderr
