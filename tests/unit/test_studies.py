"""What every study has: a record that is read or told, and a part in `make check`."""

import inspect
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from measure import cli
from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.base.names import LAB_ENVIRONMENT
from measure.record import records
from measure.record.check import Finding


def name(study: str) -> str:
    return study.split(".")[-2]


def of_lab(function):
    """What a study says of the lab: some are of no environment, and ask for none."""
    return function(*[LAB_ENVIRONMENT] * len(inspect.signature(function).parameters))


@pytest.mark.parametrize("study", cli.STUDIES, ids=name)
def test_what_is_recorded_holds_and_what_is_no_record_is_told(study, tmp_path, monkeypatch):
    study = import_module(study)
    assert study.count(LAB_ENVIRONMENT) > 0
    assert (study.findings(LAB_ENVIRONMENT), study.findings("other"), study.count("other")) == ([], [], 0)
    monkeypatch.setattr(records, "RESULTS", tmp_path)
    assert {one.state for one in study.findings(LAB_ENVIRONMENT)} <= {"missing", "stale"}
    with pytest.raises(Problem):
        of_lab(study.complete)
    path = of_lab(study.record_path)
    path.parent.mkdir(exist_ok=True)
    for content in (b"", b"[]", b"<html>", b"\xff", b'{"schema_version": "x"}'):
        path.write_bytes(content)
        for read in (study.load, study.findings, study.count, study.complete):
            with pytest.raises(Problem, match="is not valid") as problem:
                of_lab(read)
            assert problem.value.why and problem.value.next


def test_every_study_with_records_is_checked(monkeypatch, capsys):
    assert {name(study) for study in cli.STUDIES} == {p.parent.name for p in ROOT.glob("measure/studies/*/model.py")}
    stale = Finding("stale", Path("x.json"), "it is old", "make x")
    study = SimpleNamespace(findings=lambda environment: [stale], count=lambda environment: 1)
    monkeypatch.setattr(cli, "import_module", lambda _: study)
    monkeypatch.setattr("measure.record.check.check", lambda *_: [])
    monkeypatch.setattr(cli, "STUDIES", ["one"])
    with pytest.raises(typer.Exit):
        cli.check_records(None)
    told = capsys.readouterr()
    assert "x.json: it is old" in told.out
    assert "Next: make x" in told.err
    cli.check_records("step-1")  # the studies are not of a step
