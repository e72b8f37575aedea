import json
from datetime import UTC, datetime

import pytest

from measure import files, records
from measure.errors import Problem
from measure.records import BaseImage, Provenance, Record, load, save


@pytest.fixture
def record(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "RESULTS", tmp_path)
    provenance = Provenance(
        bases=[BaseImage(name="python:3.14", origin="lab", recipe_sha256="0" * 64)],
        execution="native",
        engine="26.1.5",
        builder_driver="docker",
        index_cache=True,
        command="make step-1",
        measured_at=datetime(2026, 11, 20, tzinfo=UTC),
    )
    size = records.Size(transfer_bytes=1, unpacked_tar_bytes=2, unpacked_file_bytes=3, layers=[])
    return Record(
        environment="lab-amd64",
        step="step-1-kiss",
        variant="slim",
        platform="linux/arm64",
        dockerfile="slim.Dockerfile",
        outcome="built",
        size=size,
        provenance=provenance,
    )


def later(record: Record, **changes) -> Record:
    provenance = record.provenance.model_copy(update={"measured_at": datetime(2027, 1, 1, tzinfo=UTC)})
    return record.model_copy(update={"provenance": provenance, **changes})


def test_a_record_comes_back_as_it_was(record, tmp_path):
    assert save(record)
    assert record.path == tmp_path / "lab-amd64/step-1-kiss/slim.linux-arm64.json"
    assert load(record.path) == record


def test_the_same_facts_leave_the_file_alone(record):
    save(record)
    before = record.path.read_bytes()
    assert not save(later(record))
    assert record.path.read_bytes() == before


def test_other_facts_replace_the_file(record):
    save(record)
    grown = later(record, size=record.size.model_copy(update={"transfer_bytes": 2}))
    assert save(grown)
    assert load(record.path).size.transfer_bytes == 2


def test_a_file_that_is_no_record_is_named_and_replaced(record, capsys):
    record.path.parent.mkdir(parents=True)
    record.path.write_text(json.dumps({"step": "step-1-kiss"}))
    with pytest.raises(Problem, match="not a valid record"):
        load(record.path)
    assert save(record)
    assert "not a valid record" in capsys.readouterr().err
    assert load(record.path) == record


def test_a_write_that_fails_keeps_the_old_record_and_leaves_no_part(record, monkeypatch):
    save(record)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(later(record, outcome="failed", size=None))
    assert load(record.path) == record
    assert [path.name for path in record.path.parent.iterdir()] == [record.path.name]
