"""Last of all: `lab clean`, after everything else that the tests did with the lab."""

import shutil

import pytest

from tests.conftest import run
from tests.lab.conftest import as_before, firewall, lab_command

pytestmark = pytest.mark.lab


def test_clean_leaves_the_host_as_it_was(lab, before, firewall_before, tmp_path):
    assert lab_command("up").returncode == 0
    # The lab's own firewall tool shows whether a rule is left, so the tree is copied before it goes.
    tools = tmp_path / "tree"
    run("cp", "-a", lab.tree, tools).check_returncode()
    assert "DOCKER" in firewall(tools)
    result = lab_command("clean")
    assert result.returncode == 0, result.stderr
    assert not lab.home.exists()
    as_before(lab, before)
    assert firewall(tools) == firewall_before
    shutil.rmtree(tools)
