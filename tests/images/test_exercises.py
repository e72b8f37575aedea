"""The workshop: each exercise fails as it is given, for a goal that it has a hint on, and passes with its solution."""

import os

import pytest

from measure.base import progress as told
from measure.base.names import EXERCISE_LABEL
from measure.exercises import model, progress
from measure.exercises.judging import judge
from measure.exercises.trying import Trial
from measure.run.probe import LABEL

#: The one that everybody waits for: it is built, started, asked, and held against five kinds of goals.
FIRST = "08-owner"
EACH = [
    pytest.param(one, id=one.name, marks=[] if one.name == FIRST else pytest.mark.workshop) for one in model.exercises()
]


def images(engine):
    return engine.docker.image.list(filters=[("label", EXERCISE_LABEL)])


def verdicts(engine, exercise, folder, *, keep=False):
    with told.task(exercise.name, told=False, kept=False) as task, Trial(engine, exercise, folder, task) as trial:
        tried = trial.run()
        trial.keep = keep
    own = [("label", f"{LABEL}={os.getpid()}")]
    assert engine.docker.container.list(all=True, filters=own) == []
    assert [one.repo_tags for one in images(engine)] == [[f"exercise:{exercise.name}"]] * keep
    found = judge(exercise.check.goals, tried)
    print(f"{exercise.name}: {tried.seconds:.1f} s", *found, sep="\n")
    return found


@pytest.mark.parametrize("exercise", EACH)
def test_it_fails_as_it_is_given_and_passes_when_mended(engine, exercise, tmp_path):
    (tmp_path / "given").mkdir()
    progress.fill(exercise, tmp_path / "given")
    given = verdicts(engine, exercise, tmp_path / "given", keep=exercise.name == FIRST)
    failing = [one for one in given if not one.holds]
    assert failing, "nothing is left to do"
    assert failing[0].goal in exercise.check.hints
    with progress.solved(exercise) as folder:
        assert [one for one in verdicts(engine, exercise, folder) if not one.holds] == []
