"""What `make verify` says of a record that is not what is built now; the builds are real in tests/images."""

from types import SimpleNamespace

import pytest

from measure.base.errors import Problem
from measure.record.compare import changes
from measure.record.records import Environment, Failure, Record, as_json, load, meant, record_path, save_environment
from measure.run import verify
from measure.steps.compose import find_step
from measure.weigh.contents import PythonPackage
from measure.weigh.oci import Layer
from tests import handmade
from tests.conftest import python_m

STEP = find_step("step-1")
NOW = load(record_path("lab-amd64", STEP.name, "recommended", "linux/amd64"))
INSTALLS = next(i for i, layer in enumerate(NOW.size.layers) if "pip install" in layer.created_by)
MB = 1_000_000


def layers(**changed) -> Record:
    """The record with its layer of packages changed, and the sizes that follow from that."""
    old = NOW.size.layers[INSTALLS]
    found = list(NOW.size.layers)
    found[INSTALLS] = old.model_copy(update=changed)
    sums = {name: sum(getattr(layer, name) for layer in found) for name in ("transfer_bytes", "unpacked_tar_bytes")}
    return NOW.model_copy(update={"size": NOW.size.model_copy(update={"layers": found, **sums})})


def contents(**changed) -> Record:
    return NOW.model_copy(update={"contents": NOW.contents.model_copy(update=changed)})


def size(**changed) -> Record:
    return NOW.model_copy(update={"size": NOW.size.model_copy(update=changed)})


def told(record: Record, capsys, now: Record = NOW) -> tuple[str, str]:
    """What is printed for a record that does not hold, and why it does not."""
    with pytest.raises(verify.DoesNotHold) as problem:
        verify.tell(record, now, STEP, "x")
    assert problem.value.exit_code == 3
    return capsys.readouterr().out, problem.value.why


def test_the_same_holds_to_the_byte(capsys):
    verify.tell(NOW, NOW, STEP, "x")
    printed = capsys.readouterr().out
    assert "It holds: the same to the byte." in printed
    assert "not the same to the byte" not in printed


def test_some_bytes_of_a_layer_are_named_and_hold(capsys):
    verify.tell(layers(transfer_bytes=NOW.size.layers[INSTALLS].transfer_bytes - 37), NOW, STEP, "x")
    printed = capsys.readouterr().out
    assert "It holds: the same within 0.1%." in printed
    assert f"layers that are not the same to the byte: 1 of {len(NOW.size.layers)}" in printed
    (row,) = [line for line in printed.splitlines() if "RUN pip install" in line]
    assert "+37 │" in row


def test_the_tolerance_is_a_thousandth_of_the_size():
    bound = NOW.size.transfer_bytes // 1000
    assert changes(size(transfer_bytes=NOW.size.transfer_bytes - bound + 60), NOW) == []
    assert changes(size(transfer_bytes=NOW.size.transfer_bytes - bound - 60), NOW) == ["transfer +50.2 kB (+0.1 %)"]


def test_a_layer_that_grew_or_is_new_is_named_with_its_bytes(capsys):
    printed, why = told(layers(unpacked_tar_bytes=NOW.size.layers[INSTALLS].unpacked_tar_bytes - 5 * MB), capsys)
    assert "unpacked +5.0 MB (+3.7 %)" in why
    assert "layer RUN pip install" in why and "+5.0 MB" in why.splitlines()[-1]
    assert [line for line in printed.splitlines() if "RUN pip install" in line and "+5,000,000" in line]
    more = [*NOW.size.layers[:-1], NOW.size.layers[-1].model_copy(update={"created_by": "COPY x ."})]
    (gone, new) = [one for one in verify.layer_changes(size(layers=more), NOW) if one.grew]
    assert (gone.before.created_by, gone.after) == ("COPY x .", None)
    assert (new.before, new.after) == (None, NOW.size.layers[-1])


def packages(name: str, **update) -> list:
    """The packages of the image, one of them with something else."""
    found = NOW.contents.os_packages if name == "libc6" else NOW.contents.python_packages
    assert name in [p.name for p in found]
    return [p.model_copy(update=update) if p.name == name else p for p in found]


SIX = PythonPackage(name="six", version="1.17.0", location="/x")
WASTED = NOW.size.wasted
WERKZEUG = next(p for p in NOW.contents.python_packages if p.name == "Werkzeug")


@pytest.mark.parametrize(
    ("record", "word"),
    [
        (contents(os_packages=[p for p in NOW.contents.os_packages if p.name != "libc6"]), "libc6 - → "),
        (contents(os_packages=packages("libc6", version="1")), "libc6 1 → "),
        (contents(python_packages=[*NOW.contents.python_packages, SIX]), "six 1.17.0 → -"),
        (contents(python_packages=packages("Werkzeug", bytes=WERKZEUG.bytes + MB)), f"Werkzeug ({WERKZEUG.location}) "),
        (contents(user="app"), f"user app → {NOW.contents.user}"),
        (contents(has_compiler=True), "compiler yes → no"),
        (contents(setuid_files=NOW.contents.setuid_files[1:]), f"setuid {NOW.contents.setuid_files[0]} no → yes"),
        (contents(pyc_bytes=NOW.contents.pyc_bytes + MB), "bytecode -1.0 MB"),
        (size(transfer_bytes=NOW.size.transfer_bytes - MB), "transfer +1.0 MB"),
        (size(unpacked_tar_bytes=NOW.size.unpacked_tar_bytes + MB), "unpacked -1.0 MB"),
        (size(unpacked_file_bytes=NOW.size.unpacked_file_bytes + MB), "files, in all layers -1.0 MB"),
        (size(context_bytes=NOW.size.context_bytes - 1), "build context +1 bytes"),
        (size(wasted=WASTED.model_copy(update={"own_bytes": WASTED.own_bytes + MB})), "wasted, own layers -1.0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_another_is_named_alone(record, word, capsys):
    printed, why = told(record, capsys)
    assert why.startswith(word)
    assert len(why.splitlines()) == 1
    assert f"│ {word.split(' ')[0].strip(',')}" in printed


@pytest.fixture
def layout(cache, tmp_path, monkeypatch):
    """A layout that the builder is to have exported to, with a cache of its own beside it."""
    made = handmade.Layout(tmp_path / "layout")
    monkeypatch.setattr("measure.build.layout.layout", lambda: made.root)
    return made


def layer(layout, members: handmade.Members) -> Layer:
    stream = handmade.tar(members)
    digest = layout.add(stream)[0] if layout else f"sha256:{'0' * 64}"
    return handmade.layer(digest=digest, created_by="COPY a b .", files=len(members), unpacked_tar_bytes=len(stream))


def with_layer(one: Layer) -> Record:
    return size(layers=[*NOW.size.layers[:-1], one])


def test_the_files_of_a_changed_layer_are_named_where_both_layers_are_known(layout, capsys):
    before = layer(layout, {"srv/same": b"x" * 9, "srv/old": b"x" * 7, "srv/grown": b"x"})
    after = layer(layout, {"srv/same": b"x" * 9, "srv/new": b"x" * 400_000, "srv/grown": b"x" * 300_001})
    printed, _ = told(with_layer(before), capsys, with_layer(after))
    assert "files of the layer COPY a b ." in printed
    for words in ("srv/new", "+400,000", "srv/old", "srv/grown", "+300,000"):
        assert words in printed
    assert "srv/same" not in printed


def test_of_a_layer_that_is_another_one_each_kind_of_difference_is_told_with_its_first_file(layout, capsys):
    before = layer(layout, {"srv/a.pyc": b"1", "srv/b": b"1", "srv/c": b"1"})
    after = layer(layout, {"srv/a.pyc": b"2", "srv/b": b"2", "srv/c": b"2"})
    verify.tell(with_layer(before), with_layer(after), STEP, "x")
    printed = capsys.readouterr().out
    assert "The layer COPY a b . is another one: 1 in bytecode (srv/a.pyc); 2 in content (srv/b)." in printed
    assert "It holds: the same within" in printed


def test_a_layer_that_is_another_one_and_is_not_here_any_more_is_told(layout, capsys):
    verify.tell(with_layer(layer(None, {"srv/a": b"1"})), with_layer(layer(layout, {"srv/a": b"2"})), STEP, "x")
    assert "its files cannot be compared" in capsys.readouterr().out


def test_an_image_with_the_recorded_digest_is_the_same_image(capsys):
    record = NOW.model_copy(update={"digest": "sha256:1"})
    verify.tell(record, record, STEP, "x")
    assert "It holds: same digest, sha256:1." in capsys.readouterr().out
    verify.tell(record, record.model_copy(update={"digest": "sha256:2"}), STEP, "x")
    assert "It holds: the same to the byte." in capsys.readouterr().out


def test_where_the_recorded_layer_is_unknown_the_largest_files_of_todays_are_named(layout, capsys):
    before = layer(None, {"srv/old": b"x"})
    after = layer(layout, {"srv/new": b"x" * 400_000, "srv/small": b"x"})
    printed, _ = told(with_layer(before), capsys, with_layer(after))
    assert "a record has no list of files" in " ".join(printed.split())
    assert printed.index("srv/new") < printed.index("srv/small")


def failed(line: str, code: int = 1) -> Record:
    return NOW.model_copy(
        update={
            "outcome": "failed",
            "size": None,
            "contents": None,
            "failure": Failure(exit_code=code, line=line),
        }
    )


@pytest.mark.parametrize(("now", "why"), [
    (failed("no compiler"), "it fails in another way"),
    (failed("no pg_config", 2), "it fails in another way"),
    (NOW, "failed before, built now"),
])  # fmt: skip
def test_a_failure_holds_when_it_is_the_same(now, why, capsys):
    verify.tell(failed("no pg_config"), failed("no pg_config"), STEP, "x")
    assert "It holds: it fails in the same way." in capsys.readouterr().out
    printed, found = told(failed("no pg_config"), capsys, now)
    assert found == why
    assert "recorded: exit code 1: no pg_config" in printed
    assert not now.failure or f"now: exit code {now.failure.exit_code}: {now.failure.line}" in printed


def test_a_build_that_does_not_come_about_says_nothing_about_the_record():
    with pytest.raises(Problem, match="neither confirmed nor refuted") as problem:
        verify.tell(NOW, failed("no network"), STEP, "x")
    assert problem.value.exit_code == 1


def test_another_base_image_is_told(capsys):
    bases = [base.model_copy(update={"digest": f"sha256:{'5' * 64}"}) for base in NOW.provenance.bases]
    older = NOW.model_copy(update={"provenance": NOW.provenance.model_copy(update={"bases": bases})})
    verify.tell(older, NOW, STEP, "x")
    assert "The base image python:3.14-slim is another one than then: 555555555555 (lab)" in capsys.readouterr().out


def test_another_environment_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("measure.record.records.RESULTS", tmp_path)
    about = {"cpu": "x", "cores": 2, "memory_bytes": 1, "system": "x", "engine": "x", "buildx": "x", "store": "x"}
    save_environment(Environment(name="lab-amd64", builder_driver="docker", bases="lab", **about))
    here = SimpleNamespace(environment="dockerhub-amd64", kind="host")
    first, second = verify._elsewhere(NOW, here)
    assert first == "The environments differ: this is dockerhub-amd64."
    assert second.startswith("Base images came from the lab there and come from Docker Hub here")
    assert verify._elsewhere(NOW, SimpleNamespace(environment="lab-amd64", kind="lab")) == []


@pytest.mark.parametrize("end", ["", ".json"])
@pytest.mark.parametrize("begin", ["results/", ""])
def test_a_record_is_found_by_its_path_below_results(begin, end):
    name = f"{begin}lab-amd64/step-1-kiss/recommended.linux-amd64{end}"
    assert meant(name) == NOW


@pytest.mark.parametrize(
    ("name", "message", "why"),
    [
        ("", "Which record?", "RECORD is the path"),
        ("lab-amd64/step-1-kiss/no.linux-amd64", "There is no record", "recommended.linux-amd64.json"),
        (
            "results/nowhere/step-1-kiss/recommended.linux-amd64.json",
            "There is no record",
            "The environments are: lab-amd64",
        ),
        ("results/lab-amd64/environment.json", "not a valid record", "step: Field required"),
    ],
)
def test_what_is_no_record_is_told(name, message, why):
    with pytest.raises(Problem, match=message) as problem:
        verify.verify(name)
    assert why in problem.value.why
    assert problem.value.next


def test_a_stale_record_and_one_of_a_variant_that_is_no_more_are_told(tmp_path, monkeypatch):
    """By the command, which must end before an engine is brought up."""

    def verified(**changed) -> str:
        path = tmp_path / "altered.json"
        path.write_text(as_json(NOW.model_copy(update=changed)))
        result = python_m("measure", "verify", str(path), seconds=60)
        assert result.returncode == 1
        return result.stderr

    inputs = NOW.inputs.model_copy(update={"dockerfile_sha256": "1" * 64, "context_sha256": "2" * 64})
    said = verified(inputs=inputs, inputs_sha256=inputs.sha256)
    assert "altered.json is stale" in said
    assert "Since then: the Dockerfile changed; files in the build context changed." in said
    assert "Next: make step-1" in said
    assert "is of step-1-kiss/gone, which is no more" in verified(variant="gone")
    monkeypatch.setenv("PATH", "/nowhere")  # as of a zip file, on a machine without git
    assert "altered.json is stale" in verified(inputs=inputs, inputs_sha256=inputs.sha256)
