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
from measure.record.facts import same
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


def test_times_of_files_in_compressed_layers_write_no_record_anew(record):
    """Whoever builds what is recorded finds a clean `git status`; any other byte, or more of those, is written."""
    layer = handmade.layer(transfer_bytes=90_000)
    first = record.model_copy(update={"size": handmade.size(100_000, layers=[layer])})
    save(first)
    other = layer.model_copy(update={"digest": "sha256:2", "transfer_bytes": 90_090})
    near = first.size.model_copy(update={"transfer_bytes": 100_090, "layers": [other]})
    save(later(first, size=near))
    assert load(record.path) == first
    for change in ({"transfer_bytes": 100_110}, {"unpacked_tar_bytes": 300_001}, {"layers": [other, other]}):
        found = later(first, size=near.model_copy(update=change))
        save(found)
        assert load(record.path) == found
        save(first)


def moved(record: Record, origin: str, logs: int, own: int = 0) -> Record:
    """The same, built again on a base image made anew, with more bytes of logs in that, and in an own layer."""
    size, provenance = record.size, record.provenance
    base, layer = size.layers
    bigger = {name: getattr(base, name) + logs for name in ("unpacked_tar_bytes", "unpacked_file_bytes")}
    layers = [base.model_copy(update={"digest": "sha256:3", "wasted_bytes": logs, **bigger})]
    layers += [layer.model_copy(update={"unpacked_file_bytes": layer.unpacked_file_bytes + own})]
    sums = {name: sum(getattr(one, name) for one in layers) for name in bigger}
    again = {"layers": layers, "wasted": size.wasted.model_copy(update={"base_bytes": logs}), **sums}
    seen = {"directories": {"/var/log": logs}, "file_bytes": record.contents.file_bytes + logs}
    return later(
        record,
        size=size.model_copy(update=again),
        contents=record.contents.model_copy(update=seen),
        provenance=provenance.model_copy(update={"bases": [base_image(origin, "sha256:2")]}),
    )


def base_image(origin: str, digest: str, recipe: str = "5") -> records.BaseImage:
    return records.BaseImage(name="python:3.14", origin=origin, digest=digest, recipe_sha256=recipe * 64)


def test_a_base_image_that_another_lab_made_by_the_same_recipe_writes_no_record_anew(record):
    """Its hashes and its logs are of its own. More than these, an own layer, or Docker Hub's image is written."""
    base = handmade.layer(unpacked_tar_bytes=300_000, unpacked_file_bytes=290_000, of_base=True)
    layers = [base, handmade.layer(unpacked_tar_bytes=9_000, unpacked_file_bytes=9_000)]
    size = handmade.size(100_000, layers=layers, unpacked_tar_bytes=309_000, unpacked_file_bytes=299_000)

    def on(image: records.BaseImage) -> Record:
        provenance = record.provenance.model_copy(update={"bases": [image]})
        return record.model_copy(update={"size": size, "provenance": provenance})

    first, hub = on(base_image("lab", "sha256:1")), on(base_image("docker.io", "sha256:1"))
    save(first)
    save(moved(first, "lab", logs=18))
    assert load(record.path) == first
    for before, now in (
        (first, moved(first, "lab", logs=400)),
        (first, moved(first, "lab", logs=18, own=1)),
        (first, on(base_image("lab", "sha256:1", recipe="6"))),
        (hub, moved(hub, "docker.io", logs=0)),
    ):
        save(before)
        save(now)
        assert load(record.path) == now


def test_times_stay_with_a_record_of_the_same_inputs_and_go_with_other_ones(record):
    times = records.Times(load_before=0.1, measured_at=datetime.now(UTC))
    save(record)
    save(record.model_copy(update={"time": times}))
    before = record.path.read_bytes()
    assert same(save(later(record)), record)
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
