import json
import re
import time
from datetime import UTC, datetime

import pytest
from jsonschema import Draft202012Validator

from measure import schemas
from measure.base import files
from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.record import records
from measure.record.records import Record, load, save
from tests import handmade


@pytest.fixture
def record(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "RESULTS", tmp_path)
    return handmade.record()


def later(record: Record, **changes) -> Record:
    provenance = record.provenance.model_copy(update={"measured_at": datetime(2099, 2, 2, tzinfo=UTC)})
    return record.model_copy(update={"provenance": provenance, **changes})


def test_small_objects_stand_on_one_line_and_mean_the_same(record):
    package = {"name": "a{b}", "version": "[1]\n", "bytes": 1}
    odd = record.model_copy(
        update={"contents": handmade.contents(os_packages=[package, {"name": "c", "version": "2"}])}
    )
    text = records.as_json(odd)
    assert '{"name": "c", "version": "2"}' in text
    assert json.loads(text) == odd.model_dump(mode="json", exclude_none=True)


def test_writing_a_record_takes_next_to_no_time():
    largest = max((ROOT / "results").rglob("*linux-amd64.json"), key=lambda path: path.stat().st_size)
    record = load(largest)
    begun = time.process_time()
    text = records.as_json(record)
    assert time.process_time() - begun < 0.1, "the pattern for small objects tries each way to split an indent"
    assert json.loads(text) == record.model_dump(mode="json", exclude_none=True)


def test_the_same_facts_leave_the_file_alone_and_others_replace_it(record, tmp_path):
    assert save(record) is None
    assert record.path == tmp_path / "lab-amd64/step-1-kiss/full.linux-arm64.json"
    assert load(record.path) == record
    before = record.path.read_bytes()
    assert save(later(record)) == record
    assert record.path.read_bytes() == before
    grown = later(record, size=record.size.model_copy(update={"transfer_bytes": 2}))
    assert save(grown) == record
    assert load(record.path) == grown


def test_what_each_build_changes_writes_no_record_anew(record):
    """Whoever builds what is recorded, upon bases of their own lab's, finds a clean `git status`; more is written.

    Files carry the time of the build, and so do those of base images; a log in them differs by some bytes.
    """
    layer = handmade.layer(transfer_bytes=90_000)
    base = records.BaseImage(name="python:3.14", origin="lab", digest="sha256:1", recipe_sha256="5" * 64)
    built = record.provenance.model_copy(update={"bases": [base]})
    first = record.model_copy(update={"size": handmade.size(100_000, layers=[layer]), "provenance": built})
    save(first)
    size = first.size
    other = layer.model_copy(update={"digest": "sha256:2", "transfer_bytes": 90_090, "wasted_bytes": 3})
    wasted = size.wasted.model_copy(update={"base_bytes": 9})
    near = {"transfer_bytes": 100_090, "unpacked_tar_bytes": size.unpacked_tar_bytes + 18, "wasted": wasted}
    again = size.model_copy(update={**near, "layers": [other]})
    elsewhere = built.model_copy(update={"bases": [base.model_copy(update={"digest": "sha256:2"})]})
    save(later(first.model_copy(update={"provenance": elsewhere}), size=again))
    assert load(record.path) == first
    for change in (
        {"transfer_bytes": 100_110},
        {"unpacked_file_bytes": size.unpacked_file_bytes * 2},
        {"layers": [other, other]},
        {"layers": [other.model_copy(update={"files": layer.files + 1})]},
        {"wasted": size.wasted.model_copy(update={"own_bytes": 1})},
    ):
        found = later(first, size=again.model_copy(update=change))
        save(found)
        assert load(record.path) == found
        save(first)
    recipe = built.model_copy(update={"bases": [base.model_copy(update={"recipe_sha256": "6" * 64})]})
    save(later(first.model_copy(update={"provenance": recipe}), size=size))
    assert load(record.path).provenance.bases != built.bases


def test_times_stay_with_a_record_of_the_same_inputs_and_go_with_other_ones(record):
    times = records.Times(load_before=0.1, measured_at=datetime.now(UTC))
    save(record)
    save(record.model_copy(update={"time": times}))
    before = record.path.read_bytes()
    assert save(later(record)).same_facts(record)
    assert record.path.read_bytes() == before
    save(later(record, size=record.size.model_copy(update={"transfer_bytes": 2})))
    assert load(record.path).time == times
    other = handmade.inputs(context_sha256="4" * 64)
    save(later(record, inputs=other, inputs_sha256=other.sha256))
    assert load(record.path).time is None


def test_times_are_put_into_what_the_record_says_by_then(record):
    """A sitting takes hours, and `make step-1` may have found another size meanwhile."""
    times = records.Times(load_before=0.1, measured_at=datetime.now(UTC))
    save(record)
    grown = later(record, size=record.size.model_copy(update={"transfer_bytes": 2}))
    save(grown)
    records.save_times({record.path: (record.inputs_sha256, times)})
    assert load(record.path) == grown.model_copy(update={"time": times})
    for taken in (
        {record.path: ("0" * 64, times)},
        {record.path.with_name("gone.json"): (record.inputs_sha256, times)},
    ):
        with pytest.raises(Problem, match="No times were recorded"):
            records.save_times(taken)
    assert load(record.path).size == grown.size


def test_a_file_that_is_no_record_is_named_and_replaced(record, capsys):
    record.path.parent.mkdir(parents=True)
    record.path.write_text(json.dumps({"step": "step-1-kiss"}))
    with pytest.raises(Problem, match="not a valid record"):
        load(record.path)
    assert save(record) is None
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


def test_the_published_schemas_are_those_of_the_models():
    for name, text in schemas.schemas().items():
        assert (ROOT / "results" / name).read_text() == text, "make schema"


#: The files of results/ that keep to a schema, by its name.
SCHEMAS = {
    "record": "*/*/*.json", "environment": "*/environment.json", "floor": "*/floor.json", "recipes": "*/recipes.json",
    "wheels": "wheels.json",
}  # fmt: skip
RECORDED = [(name, path) for name, one in SCHEMAS.items() for path in sorted((ROOT / "results").glob(one))]


@pytest.mark.parametrize(("name", "path"), RECORDED, ids=lambda value: getattr(value, "stem", value))
def test_every_record_keeps_to_the_published_schema_and_names_no_host(name, path):
    """Checked by a validator that knows nothing of the models. And what adds up does."""
    schema = json.loads((ROOT / f"results/{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    content = json.loads(path.read_text())
    Draft202012Validator(schema).validate(content)
    assert not re.search(r"https?://(?!…)", path.read_text())
    if name == "record" and content["outcome"] == "built":
        size = content["size"]
        for field in ("transfer_bytes", "unpacked_tar_bytes", "unpacked_file_bytes"):
            assert size[field] == sum(layer[field] for layer in size["layers"])
        wasted = size["wasted"]["base_bytes"] + size["wasted"]["own_bytes"]
        assert content["contents"]["file_bytes"] + wasted == size["unpacked_file_bytes"]


def test_each_schema_has_records():
    assert {name for name, _ in RECORDED} == {*SCHEMAS}
