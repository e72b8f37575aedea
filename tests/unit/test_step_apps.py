"""Each step's own tests, run in a virtual environment of its own, as its README says. Go's run in its builds."""

import os
import re
import tomllib

import pytest

from measure.steps.compose import Step, all_steps
from tests.conftest import run, venv_with


def requirements(step: Step) -> list[str]:
    """The pinned packages that a step's tests need, as poetry.lock or the requirements files say."""
    folder = step.recommended.context
    lock = folder / "poetry.lock"
    if lock.exists():
        packages = [
            p for p in tomllib.loads(lock.read_text())["package"] if {"main", "dev", "wheel"} & set(p["groups"])
        ]
        return [f"{p['name']}=={p['version']}" for p in packages if "sys_platform" not in str(p.get("markers"))]
    texts = [(folder / name).read_text() for name in ("requirements.txt", "requirements-dev.txt")]
    return [*re.findall(r"^[\w-]+==[\w.]+", "\n".join(texts), re.MULTILINE), *PYTEST_NEEDS]


#: What pytest itself needs; a step's requirements name pytest alone.
PYTEST_NEEDS = ["iniconfig", "packaging", "pluggy", "pygments"]


@pytest.mark.parametrize("step", all_steps(), ids=lambda step: step.name)
def test_the_steps_own_tests_pass(step):
    programs = venv_with(requirements(step), "--no-deps")
    # Bytecode is kept beside the packages: none may lie in a step's folder, and without any each run compiles NumPy.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(programs.parent / "bytecode")
    command = [programs / "python", "-m", "pytest", "-p", "no:cacheprovider"]
    result = run(*command, cwd=step.recommended.context, env=environment)
    assert result.returncode == 0, result.stdout
