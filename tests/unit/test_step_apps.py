"""Each step's own tests, run in a virtual environment of its own, as its README says."""

import hashlib
import os
import sys

import pytest

from measure.files import cache_folder
from measure.steps import all_steps
from tests.conftest import run


@pytest.mark.parametrize("step", all_steps(), ids=lambda step: step.name)
def test_the_steps_own_tests_pass(step):
    requirements = [step.folder / name for name in ("requirements.txt", "requirements-dev.txt")]
    key = hashlib.sha256(sys.version.encode() + b"".join(path.read_bytes() for path in requirements)).hexdigest()[:16]
    venv = cache_folder() / "step-venvs" / key
    if not (venv / "ready").exists():
        run(sys.executable, "-m", "venv", "--clear", venv).check_returncode()
        installed = run(venv / "bin/pip", "install", "--quiet", "-r", requirements[1])
        assert installed.returncode == 0, installed.stderr
        (venv / "ready").touch()
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    result = run(venv / "bin/python", "-m", "pytest", "-p", "no:cacheprovider", cwd=step.folder, env=environment)
    assert result.returncode == 0, result.stdout
