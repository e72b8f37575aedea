"""Kinds of timings that take more than a build: with a step of three lines, so that each takes seconds."""

import shutil

import pytest

from measure.base.errors import Problem
from measure.build.images import load_into_engine
from measure.record import plan
from measure.run import sample
from measure.steps.compose import Step
from tests.conftest import NATIVE, left_of_runs

pytestmark = pytest.mark.study
COMPOSE = """
services:
  step-9-demo:
    build: .
    ports: ["8000:8000"]
    x-measure: {title: A demonstration, teaches: Nothing., question: "Where does the time go?"}
  step-9-demo-development:
    build: .
    ports: ["8000:8000"]
    develop: {watch: [{action: sync, path: told.txt, target: /app/told.txt}]}
"""
DOCKERFILE = """
FROM python:3.14-slim
WORKDIR /app
RUN cat /proc/sys/kernel/random/uuid > /made
COPY told.txt ./
STOPSIGNAL SIGINT
CMD ["python", "-m", "http.server", "8000"]
"""
PLAN = """
time = {}
code = "told.txt"
watch = "step-9-demo-development"
answer = {path = "/told.txt", before = "one", after = "NEW"}
"""


@pytest.fixture
def step(tmp_path, engine, monkeypatch):
    engine.provide(["python:3.14-slim"], [NATIVE])
    folder = tmp_path / "step-9-demo"
    folder.mkdir()
    for name, text in {"compose.yaml": COMPOSE, "Dockerfile": DOCKERFILE, "told.txt": "one\n"}.items():
        (folder / name).write_text(text)
    (tmp_path / "step-9-demo.toml").write_text(PLAN)
    monkeypatch.setattr(plan, "PLANS", tmp_path)
    monkeypatch.setattr(sample, "SETTLED", 1)
    yield Step("step-9-demo", folder)
    shutil.rmtree(folder)
    names = [f"step-9-demo:{name}-{NATIVE.split('/')[1]}" for name in ("recommended", "development")]
    engine.docker.image.remove([name for name in names if engine.docker.image.exists(name)], force=True)


def ran(log: list[str], words: str) -> bool:
    """Was the instruction with these words run, and not taken from a cache?"""
    (number,) = {line.split()[0] for line in log if words in line and line.startswith("#") and "] " in line}
    return f"{number} CACHED" not in log


def test_on_a_changed_base_everything_is_built_again(engine, step, monkeypatch):
    logs: list[list[str]] = []

    def load(*arguments, log, **settings):
        load_into_engine(*arguments, log=log, **settings)
        logs.append(log)

    monkeypatch.setattr(sample.builder, "load_into_engine", load)
    for kind in ("", "", "base", "", "edit"):
        if kind:
            sample.build_after(engine, step, step.recommended, kind)
        else:
            sample.build(engine, step, step.recommended)
    assert [ran(log, "RUN cat /proc") for log in logs[1:]] == [False, True, False, False]
    assert [ran(log, "COPY told.txt") for log in logs[1:]] == [False, True, False, True]
    assert not [image for image in engine.docker.image.list() if "measure-base" in str(image.repo_tags)]


def test_a_changed_line_that_does_not_reach_the_image_is_no_sample(engine, step, monkeypatch):
    sample.build_after(engine, step, step.recommended, "edit")
    (step.folder / "Dockerfile").write_text(DOCKERFILE.replace("COPY told.txt ./", "RUN echo one > told.txt"))
    with pytest.raises(Problem, match="does not have the new value") as problem:
        sample.build_after(engine, step, step.recommended, "edit")
    assert "/told.txt answers: one" in problem.value.why
    assert left_of_runs(engine) == []


@pytest.mark.lab
def test_a_fresh_machine_has_what_the_registry_has_and_no_more(engine, step):
    if engine.fresh is None:
        pytest.skip("only the lab makes a second engine")
    cache = f"type=registry,ref={sample.registry_cache(engine, step, step.recommended)}"
    name = load_into_engine(engine, step, step.recommended, NATIVE, **{"cache-to": f"{cache},mode=max"})
    log: list[str] = []
    with engine.fresh() as other, plan.changed(step, "edit") as (copy, _):
        assert other.docker.image.list() == []
        load_into_engine(other, copy, copy.recommended, NATIVE, log=log, **{"cache-from": cache})
        assert ran(log, "COPY told.txt")
        made, now = (one.docker.run(name, ["cat", "/made"], remove=True) for one in (engine, other))
    # The builder does not always print CACHED where it also fetches: what was made once is proof.
    assert made == now


def test_a_running_container_answers_with_a_changed_line(engine, step):
    seconds, parts = sample.edit_to_answer(engine, step, step.recommended)
    assert list(parts) == [*sample.PARTS.values(), sample.LAST_PART]
    assert sum(parts.values()) == pytest.approx(seconds)
    assert left_of_runs(engine) == []


def test_watch_brings_changed_lines_into_a_running_container(engine, step):
    assert len(sample.watch(engine, step, 2)) == 2
    assert left_of_runs(engine) == []
