"""The command line itself: quick to import, and without an engine's client where none is needed."""

import os
import subprocess
import sys

import pytest

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


@pytest.mark.parametrize("home", ["/proc/nowhere", None, ""], ids=["read-only", "unset", "empty"])
def test_a_home_that_cannot_be_had_is_told_and_what_needs_none_does_without(home):
    """As of a user with a number and no name, in a container that develops. Without HOME it is the user database's."""
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")}
    environment |= {} if home is None else {"HOME": home}

    def called(script: str) -> subprocess.CompletedProcess[str]:
        return run(sys.executable, "-c", f"import pwd; pwd.getpwuid = {{}}.__getitem__; {script}", env=environment)

    told = called("from measure.base import errors, files; errors.friendly(files.cache_folder)()")
    assert told.returncode == 1
    assert "✗ There is no place for what is kept between runs." in told.stderr
    assert "Next: the same with a folder of yours: XDG_CACHE_HOME=/a/folder make …" in told.stderr
    shown = called("from measure.cli import app; app(['show', 'step-1'])")
    assert shown.returncode == 0, shown.stderr


def test_help_names_the_commands_that_do_all():
    shown = python_m("measure", "--help").stdout.split()
    assert {"step", "all", "record", "check", "docs"} <= {*shown}
