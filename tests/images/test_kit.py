"""The offline kit, with the network cut: installed on a bare Debian and into Docker, and every solution built."""

import pytest

from kit.making import make
from kit.trial import apart
from kit.wanted import Wanted, numbers
from measure.exercises.model import exercises

CHAPTERS = "1-4"


@pytest.mark.workshop
@pytest.mark.timeout(5400)
def test_the_kit_is_all_that_the_exercises_need(engine, tmp_path):
    """Each exercise holds by `make exercise`, in under five minutes of installing each way."""
    if engine.kind != "lab":
        pytest.skip("a kit is made out of the lab")
    archive, told = make(Wanted(numbers(CHAPTERS)), engine=True, target=tmp_path / "kit.tar")
    assert set(told["bytes"]) >= {"base images", "packages", "tooling", "repository", "engine"}
    found = apart(archive, CHAPTERS, docker=True)
    solved = [one.name for one in exercises() if one.check.chapter in numbers(CHAPTERS)]
    assert list(found) == ["unpacked", "installed", *solved, "docker installed", *(f"docker {name}" for name in solved)]
    assert found["unpacked"] + found["installed"] < 300
    assert found["unpacked"] + found["docker installed"] < 300
