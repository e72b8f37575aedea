"""Last of all: `lab clean`, after everything else that the tests did with the lab."""

import shutil

from tests.conftest import run
from tests.lab.conftest import firewall, host_state, lab_command, lab_processes


def test_clean_leaves_the_host_as_it_was(lab, before, firewall_before, tmp_path):
    assert lab_command("up").returncode == 0
    # The lab's own firewall tool shows whether a rule is left, so it is copied before it goes.
    for path in ("usr/sbin/nft", "lib", "lib64", "usr/lib/x86_64-linux-gnu"):
        if (lab.tree / path).is_symlink():
            (tmp_path / path).symlink_to((lab.tree / path).readlink())
        else:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            run("cp", "-r", lab.tree / path, tmp_path / path).check_returncode()
    assert "DOCKER" in firewall(tmp_path)
    result = lab_command("clean")
    assert result.returncode == 0, result.stderr
    assert not lab.home.exists()
    assert host_state(lab) == before
    assert lab_processes(lab) == []
    assert firewall(tmp_path) == firewall_before
    shutil.rmtree(tmp_path)
