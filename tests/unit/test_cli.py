"""The command line itself: quick to import, and without an engine's client where none is needed."""

import sys

from tests.conftest import python_m, run

#: What only a build needs, and takes most of a second to import.
HEAVY = ("python_on_whales", "httpx", "tenacity", "pydantic", "lab", "measure.build", "measure.run", "measure.studies")


def test_commands_import_what_they_need_when_they_are_called():
    loaded = run(sys.executable, "-c", "import measure.cli, sys; print(*sys.modules)").stdout.split()
    assert "measure.cli" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_a_switch_that_says_neither_yes_nor_no_is_told_before_anything_begins(monkeypatch):
    monkeypatch.setenv("QUICK", "maybe")
    for command in (("step", "step-1"), ("all",)):
        result = python_m("measure", *command, seconds=60)
        assert result.returncode == 1
        assert "QUICK=maybe means nothing" in result.stderr and "Next: QUICK=1 or QUICK=0" in result.stderr


def test_help_names_the_commands_that_do_all():
    shown = python_m("measure", "--help").stdout.split()
    assert {"step", "all", "record", "check", "docs"} <= {*shown}
