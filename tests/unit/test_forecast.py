"""The first line of `make step-N`: what will happen, and about how long it takes where that is known."""

import json
from dataclasses import replace

import pytest

from lab.config import HOME_VARIABLE, Lab
from measure.base import progress
from measure.base.platforms import PLATFORMS
from measure.base.progress import Task
from measure.build.layout import layout
from measure.run import forecast
from measure.run.forecast import NATIVE, Forecast
from measure.steps.compose import find_step

STEP = find_step("step-1")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A cache of its own, with nothing in it; no benchmark's records; a machine for linux/amd64."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "lab"))
    monkeypatch.delenv("PLATFORMS", raising=False)
    monkeypatch.setattr(progress, "_recorded", dict)
    monkeypatch.setattr(forecast, "native_platform", lambda: PLATFORMS[0])


@pytest.fixture
def one():
    return Forecast(STEP, Task("make step-1", 0.0))


def made(*bases: str) -> None:
    """The lab has its engine, and these bases."""
    lab = Lab.from_environment()
    lab.tree.mkdir(parents=True)
    lab.bases_file.write_text(json.dumps(dict.fromkeys(bases, "key")))


def built() -> None:
    kept = {f"{STEP.folder}:{v.name}:{platform}": "sha256:1" for v in STEP.variants for platform in PLATFORMS}
    (layout() / "kept.json").write_text(json.dumps(kept))


def test_from_nothing_it_says_all_that_is_made_and_no_time_that_nobody_knows(one):
    said = one.tell("lab")
    assert said == (
        "building the base images python:3.14 and python:3.14-slim from Debian packages, "
        f"then building the {len(STEP.variants)} images of step-1-kiss for linux/amd64 and linux/arm64"
    )
    assert one.name == "make step-1, from nothing"
    assert one.task.expected_s is None


def test_what_it_took_the_last_time_is_said_and_shown_as_the_rest(one, monkeypatch):
    progress.remember("make step-1, from nothing", 563)
    progress.remember("make step-1, from nothing" + NATIVE, 241)
    progress.remember("make step-1, nothing changed", 11)
    assert one.tell("lab").endswith(
        "linux/arm64: about 9 min (as the last time here), the rows of linux/amd64 after about 4 min; "
        "the same again takes less than a minute"
    )
    assert one.task.expected_s == 563
    benchmark = {"make step-1, from nothing": (563.0, "by results/lab-amd64/bench.json")}
    monkeypatch.setattr(progress, "_durations", dict)  # on a machine that never did it
    monkeypatch.setattr(progress, "_recorded", lambda: benchmark)
    assert one.tell("lab").endswith(": about 9 min (by results/lab-amd64/bench.json)")


def test_what_was_interrupted_takes_at_most_as_long_as_all_of_it(one):
    made("python:3.14-slim")
    progress.remember("make step-1, from nothing", 563)
    said = one.tell("lab")
    assert said.startswith("building the base images python:3.14 from")
    assert said.endswith(": at most about 9 min (as the last time here)")
    assert (one.name, one.task.expected_s) == ("make step-1, base images missing", None)


@pytest.mark.parametrize(("there", "name"), [(False, "bases there, nothing built"), (True, "nothing changed")])
def test_with_the_bases_there(one, there, name):
    made("python:3.14-slim", "python:3.14")
    if there:
        built()
    said = one.tell("lab")
    assert said.startswith("looking whether anything has changed in the" if there else "building the 4 images")
    assert one.name == f"make step-1, {name}"  # as the benchmark calls it
    one.tell("host")  # which brings its bases
    assert one.name == f"make step-1 (host), {name}"


def test_less_to_build_is_another_kind_of_run(one, monkeypatch):
    monkeypatch.setenv("PLATFORMS", "linux/amd64")
    assert one.tell("lab").endswith("for linux/amd64")
    assert one.name == "make step-1, linux/amd64 alone, from nothing"
    quick = Forecast(replace(STEP, quick=True), one.task)
    quick.tell("lab")
    assert quick.name == "make step-1, linux/amd64 alone, QUICK=1, from nothing"


def test_it_is_kept_for_the_next_time(one, monkeypatch):
    one.tell("lab")
    one._begun -= 100
    one.keep(NATIVE)
    one._begun -= 100
    one.keep()
    assert 100 <= progress.expected("make step-1, from nothing" + NATIVE) < 160
    assert 200 <= progress.expected("make step-1, from nothing") < 260
