"""Two images, file by file: each kind of difference is seen, and one that nobody explains is refused."""

from types import SimpleNamespace

import pytest

from measure.base.errors import Problem
from measure.base.names import LAB_ENVIRONMENT
from measure.record import records
from measure.studies.sameness import comparing, model
from measure.studies.sameness.comparing import differences
from measure.studies.sameness.model import Compared, Known, Pair, Sameness, load, record_path

FILE = (b"0", 0o644, (0, 0), "bytes")


@pytest.mark.parametrize(
    ("other", "how"),
    [
        ((b"2", 0o644, (0, 0), "bytes"), ["kind"]),
        ((b"0", 0o755, (0, 0), "bytes"), ["mode"]),
        ((b"0", 0o644, (0, 1), "bytes"), ["owner"]),
        ((b"0", 0o600, (1, 0), "others"), ["mode", "owner", "bytes"]),
    ],
)
def test_each_kind_of_difference_is_seen(other, how):
    (found,) = differences({"a": FILE, "b": FILE}, {"a": FILE, "b": other})
    assert (found.path, found.how) == ("b", how)


def test_what_only_one_image_has_is_seen_from_its_own_side():
    assert [one.how for one in differences({"a": FILE}, {"b": FILE})] == [["extra"], ["missing"]]
    assert differences({"a": FILE}, {"a": FILE}) == []


def test_a_path_is_explained_as_a_whole():
    pair = Pair(variant="a", against="b", known=[Known(path="etc/pass.*", because="of that")])
    assert pair.because("etc/passwd") == "of that"
    assert pair.because("usr/etc/passwd") is None


def test_the_record_of_the_lab_holds_and_is_of_every_pair():
    assert model.findings(LAB_ENVIRONMENT) == []
    assert len(load(LAB_ENVIRONMENT).compared) == len(model.listed().pair) > 0
    assert all(one.paths > 5000 for one in load(LAB_ENVIRONMENT).compared)


def test_each_explanation_is_of_a_difference_that_was_seen():
    """One that explains nothing would let a fault through."""
    for pair, one in zip(model.listed().pair, load(LAB_ENVIRONMENT).compared, strict=True):
        for known in pair.known:
            alone = Pair(variant=pair.variant, against=pair.against, known=[known])
            assert any(alone.because(difference.path) for difference in one.differences), known.path


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """A copy of the lab's record, to be changed."""
    before = load(LAB_ENVIRONMENT)
    (tmp_path / LAB_ENVIRONMENT).mkdir()
    monkeypatch.setattr(records, "RESULTS", tmp_path)

    def write(compared: list[Compared]) -> None:
        record_path(LAB_ENVIRONMENT).write_text(Sameness(compared=compared).model_dump_json())

    return before.compared, write


def test_a_pair_that_is_missing_stale_or_not_explained_is_found(recorded):
    compared, write = recorded
    strange = model.Difference(path="usr/bin/strange", how=["extra"])
    first, *others = compared
    for changed, why in (
        (others, "was not compared"),
        ([first.model_copy(update={"inputs_sha256": ["0", "1"]}), *others], "changed"),
        ([first.model_copy(update={"differences": [strange]}), *others], "usr/bin/strange"),
    ):
        write(changed)
        (found,) = model.findings(LAB_ENVIRONMENT)
        assert why in found.why
        assert found.command == "make sameness"


def test_an_unexplained_difference_is_recorded_told_and_fails(recorded, monkeypatch, capsys):
    compared, _ = recorded
    strange = compared[0].model_copy(update={"differences": [model.Difference(path="x", how=["mode"])]})
    monkeypatch.setattr(comparing, "provide_bases", lambda *_: None)
    monkeypatch.setattr(comparing, "compare", lambda *_: strange)
    engine = SimpleNamespace(platform="linux/amd64", environment=LAB_ENVIRONMENT)
    with pytest.raises(Problem, match="paths differ that are not known to"):
        comparing.measure_sameness(engine)
    assert "x: mode (not known why)" in capsys.readouterr().out
    assert load(LAB_ENVIRONMENT).compared[0].differences[0].path == "x"
