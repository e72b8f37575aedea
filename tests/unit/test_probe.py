"""What is run is labelled and removed, whatever the engine does; nothing else is; switches, and Compose's words."""

import contextlib
import functools
import itertools
import os
import re
from types import SimpleNamespace

import httpx
import pytest
import yaml
from python_on_whales.exceptions import DockerException

from measure.base.errors import Problem
from measure.base.names import run_label
from measure.base.switches import is_on
from measure.build.engine import STILLBORN
from measure.run import probe, sample
from measure.steps.compose import find_step

VARIANT = SimpleNamespace(depends_on=[], environment={}, port=8000)
GONE = "99999999"  # more than any Linux has processes


def an_engine(*failures: str) -> tuple[SimpleNamespace, list[str]]:
    """An engine whose first containers do not start, for these reasons, and what it was told to do."""
    left, told = list(failures), []

    def run(image, *, name, **_):
        told.append(f"run {name}")
        if left:
            raise DockerException(["docker", "run"], 125, stderr=left.pop(0).encode())
        published = {"8000/tcp": [{"HostPort": "4242"}]}
        return SimpleNamespace(network_settings=SimpleNamespace(ports=published))

    def remove(name, **_):
        told.append(f"remove {name}")

    return SimpleNamespace(docker=SimpleNamespace(run=run, remove=remove), elsewhere=""), told


@pytest.mark.parametrize("failures", [1, 2])
def test_a_container_that_runc_lost_is_removed_and_run_again(failures):
    engine, told = an_engine(*[f"docker: runc create failed: {STILLBORN}: unknown."] * failures)
    begun = []
    with probe.running(engine, "image", VARIANT, "linux/amd64", when_run=lambda: begun.append(1)) as (_, url):
        assert url == "http://127.0.0.1:4242"
    assert len(begun) == failures + 1
    assert [words.split()[0] for words in told] == ["run", "remove"] * (failures + 1)
    assert len({words.split()[1] for words in told}) == 1


@pytest.mark.parametrize(("failures", "tries"), [([STILLBORN] * 3, 3), (["docker: no such image"], 1)])
def test_one_that_is_lost_each_time_or_fails_otherwise_is_an_error_and_leaves_nothing(failures, tries):
    engine, told = an_engine(*failures)
    with pytest.raises(DockerException), probe.running(engine, "image", VARIANT, "linux/amd64"):
        pass
    assert [words.split()[0] for words in told] == ["run", "remove"] * tries


def test_what_another_machine_would_start_is_told_before_it_is_started():
    """With DOCKER_HOST=ssh://…: it was asked here for two minutes, where nothing answers, and said not to answer."""
    engine, told = an_engine()
    engine.elsewhere = "ssh://you@elsewhere.example"
    with pytest.raises(Problem, match="not asked from here") as problem, probe.running(engine, "a", VARIANT, "linux/x"):
        raise AssertionError
    assert "ssh://you@elsewhere.example" in problem.value.why
    assert "unset DOCKER_HOST" in problem.value.next, "which stands before the context"
    assert told == []


@pytest.mark.parametrize(("error", "running"), [("refused", True), ("refused", False), ("slow", True)])
def test_a_container_that_runs_and_is_not_reached_may_be_beside_the_shell(monkeypatch, error, running):
    """As from a container that develops, with the engine's socket in it: it listens on another loopback."""
    errors = {"refused": httpx.ConnectError("Connection refused"), "slow": httpx.ReadTimeout("timed out")}
    state = SimpleNamespace(running=running)
    box = SimpleNamespace(state=state, reload=lambda: None, logs=lambda: "Listening at: http://0.0.0.0:8000")
    monkeypatch.setattr(probe, "running", lambda *_, **__: contextlib.nullcontext((box, "http://127.0.0.1:1")))

    def wait_for(*_):
        raise errors[error]

    monkeypatch.setattr(probe, "wait_for", wait_for)
    with pytest.raises(Problem, match="does not answer on linux/x") as problem:
        probe.ask(SimpleNamespace(platform="linux/x"), "a", VARIANT, "linux/x")
    told = "this shell may be in a container of its own" in problem.value.why
    assert told is (running and error == "refused")


@pytest.fixture
def answering(monkeypatch):
    """Answers of a service, one after another: exceptions are raised. Returns how long each was waited for."""

    def call(*answers: httpx.Response | Exception) -> list[float]:
        left, waited = list(answers), []

        def answer(request: httpx.Request) -> httpx.Response:
            waited.append(request.extensions["timeout"]["read"])
            if isinstance(one := left.pop(0) if len(left) > 1 else left[0], Exception):
                raise one
            return one

        client = functools.partial(httpx.Client, transport=httpx.MockTransport(answer))
        monkeypatch.setattr(probe.httpx, "Client", client)
        return waited

    return call


def test_an_answer_is_waited_for_as_long_as_there_is_time(answering):
    """An emulated image took longer than ten seconds for each on a busy machine, and was asked again and again."""
    waited = answering(
        httpx.ConnectError("refused"), httpx.Response(200, text="not yet"), httpx.Response(200, text="yes")
    )
    assert probe.wait_for("http://service/", 90, "yes").text == "yes"
    assert len(waited) == 3
    assert all(80 < one <= 90 for one in waited)


@pytest.mark.parametrize(
    ("answer", "error"),
    [(httpx.ReadTimeout("timed out"), "timed out"), (httpx.Response(200, text="no"), "yes is not there yet")],
)
def test_where_none_comes_it_is_said_why(answering, answer, error):
    answering(answer)
    with pytest.raises((httpx.TransportError, ValueError), match=error):
        probe.wait_for("http://service/", 0.2, "yes")


def test_only_what_carries_the_label_of_a_process_that_is_no_more_is_removed():
    """Not what is merely named as ours is: a foreign Compose project would lose its volumes."""
    mine, removed = str(os.getpid()), []

    def kind(word: str) -> SimpleNamespace:
        def listed(filters, **_):
            assert filters == [("label", probe.LABEL)]
            found = [SimpleNamespace(name=f"{word}-{owner}", labels={probe.LABEL: owner}) for owner in (GONE, mine)]
            for one in found:
                one.config = one
            return found

        return SimpleNamespace(list=listed, remove=lambda name, **_: removed.append(name))

    kinds = {word: kind(word) for word in ("container", "network", "volume")}
    docker = SimpleNamespace(**kinds, remove=kinds["container"].remove)
    probe.remove_orphans(SimpleNamespace(docker=docker))
    assert removed == [f"container-{GONE}", f"network-{GONE}", f"volume-{GONE}"]


def test_what_runs_on_another_machine_that_shares_the_engine_is_not_ours(tmp_path, monkeypatch):
    """A colleague's run by DOCKER_HOST, or one in WSL's other distribution, has a process that is none here."""
    (tmp_path / "id").write_text("0123\n")
    here = {run_label(tmp_path / "id"), run_label(tmp_path / "none")}
    assert run_label() == probe.LABEL, "the same each time"
    monkeypatch.setattr("platform.node", lambda: "another")
    there = {run_label(tmp_path / "id"), run_label(tmp_path / "none")}
    assert len(here | there) == 4
    assert all(re.fullmatch(r"[a-z0-9.-]+", one) for one in here | there)


def test_all_that_a_compose_project_makes_carries_the_label():
    file = find_step("extra-compiling-deps").compose_file
    content, own = yaml.safe_load(file.read_text()), yaml.safe_load(probe.labelled(file, 42))
    assert {*own["services"]} == {*content["services"]} and {*own["volumes"]} == {*content["volumes"]}
    assert {*own["networks"]} == {"default"}
    assert {str(one) for part in own.values() for one in part.values()} == {str({"labels": {probe.LABEL: "42"}})}


@pytest.mark.parametrize("words", [" Container x-1  {}", " Container x-1 {} ", "Container x-1 {}"])
def test_composes_words_are_understood_in_all_its_versions(words, monkeypatch):
    """Of version 2, of version 5, which writes one space, and one more at the end, and without any around it."""
    clock = itertools.count(1)
    monkeypatch.setattr(sample.time, "monotonic", lambda: next(clock))
    said = [words.format(word) for word in ("Running", "Recreate", "Recreated", "Starting", "Started")]
    assert sample.parts_of(said, 0) == dict.fromkeys(sample.PARTS.values(), 1)
    with pytest.raises(Problem, match="Compose did not print"):
        sample.parts_of(said[:-1], 0)


@pytest.mark.parametrize(("value", "found"), [("1", True), ("yes", True), ("ON", True), ("0", False), ("no", False),
                                              ("", False), ("off", False), (None, False)])  # fmt: skip
def test_a_switch_is_yes_or_no(monkeypatch, value, found):
    monkeypatch.delenv("QUICK", raising=False)
    if value is not None:
        monkeypatch.setenv("QUICK", value)
    assert is_on("QUICK") is found
    monkeypatch.setenv("QUICK", "2")
    with pytest.raises(Problem, match="QUICK=2 means nothing"):
        is_on("QUICK")
