"""What was built today and has not changed: neither built again, nor loaded, nor started where it need not be."""

import json
import os
import re
import shutil
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from measure.base.errors import Problem
from measure.build import images as builder
from measure.build import layout as layouts
from measure.build.engine import image_ids
from measure.build.images import BuildError
from measure.build.layout import blob, keep, latest, layout, tidy
from measure.record import records
from measure.run import probe, remembered
from measure.run import step as run
from measure.run.remembered import Entry
from measure.steps.compose import Step
from measure.weigh.oci import read_image
from tests import handmade
from tests.conftest import program

NATIVE, OTHER = PLATFORMS = ["linux/amd64", "linux/arm64"]
NAME = "step-9-demo"
TEACHING = "x-measure: {title: A, teaches: It., question: Why?"
COMPOSE = f"""services:
  {NAME}:
    build: {{context: .}}
    ports: ["8000:8000"]
    {TEACHING}}}
  {NAME}-other:
    build: {{context: ., dockerfile: other.Dockerfile}}
    {TEACHING}}}
  {NAME}-broken:
    build: {{context: ., dockerfile: broken.Dockerfile}}
    {TEACHING}, fails_with: boom}}
"""
ALL = {(name, platform) for name in ("recommended", "other", "broken") for platform in PLATFORMS}


def a_clone(folder) -> Step:
    """A clone with one step. README.md is in no image."""
    step = Step(NAME, folder / NAME)
    step.folder.mkdir(parents=True)
    files = {"compose.yaml": COMPOSE, "Dockerfile": "FROM python:3.14\n", "app.py": "", "README.md": ""}
    files |= {"other.Dockerfile": "FROM python:3.14-slim\n", "broken.Dockerfile": "FROM python:3.14\nRUN boom\n"}
    for name, text in (files | {".dockerignore": "README.md\ncompose.yaml\n"}).items():
        (step.folder / name).write_text(text)
    return step


@pytest.fixture
def step(cache, tmp_path, monkeypatch):
    """The step of a clone; records and cache are the test's own, the machine is one for linux/amd64."""
    monkeypatch.setattr(records, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(run, "check_disk", lambda *_: None)
    yield a_clone(tmp_path / "clone")
    probe.ending.clear()


@pytest.fixture
def engine(step, monkeypatch):
    """An engine that notes what it is told to do. What it builds is a layer with the variant's and platform's names."""
    engine = SimpleNamespace(
        environment="lab-amd64", kind="lab", builder="default", version="1", buildx="1", driver="docker", chosen=False,
        platform=NATIVE, platforms=PLATFORMS,
        recipe=lambda name: None, diagnose=lambda: None, provide=lambda names, platforms: None,
        base="sha256:1", images={"python:3.14": "sha256:b"}, built=[], loaded=[], started=[], asked=0,
        during=lambda variant: None,
    )  # fmt: skip
    engine.digest = lambda name, platform: engine.base

    def build(engine, step, variant, platform, progress):
        engine.built.append((variant.name, platform))
        engine.during(variant)
        if variant.teaching.fails_with:
            raise BuildError(1, ["#7 0.1 boom"])
        made = handmade.Layout(layout() / f"export-{variant.name}-{platform.replace('/', '-')}")
        digest = made.image([handmade.tar({made.root.name: b"x"})])
        (layout() / "blobs/sha256").mkdir(parents=True, exist_ok=True)
        for path in (made.root / "blobs/sha256").iterdir():
            if not blob(f"sha256:{path.name}").exists():  # what is there already stays, as the builder does it
                path.rename(blob(f"sha256:{path.name}"))
        shutil.rmtree(made.root)
        keep(step, variant, platform, digest)
        return read_image(layout(), digest)

    def load(engine, step, variant, platform):
        engine.loaded.append(platform)
        engine.images[builder.tag(step, variant, platform)] = f"sha256:{platform}"

    def ask(engine, image, variant, platform):
        engine.started.append(platform)
        return probe.Answer({"on": platform}, {"ok": True})

    def ids(engine, names):
        engine.asked += 1
        return {name: engine.images[name] for name in names if name in engine.images}

    monkeypatch.setattr(builder, "build", build)
    monkeypatch.setattr(builder, "context_bytes", lambda *_: 7)
    monkeypatch.setattr(builder, "load_into_engine", load)
    monkeypatch.setattr(builder, "stop_clients", lambda: None)
    monkeypatch.setattr(probe, "ask", ask)
    monkeypatch.setattr(probe, "remove_own", lambda engine: None)
    monkeypatch.setattr(remembered, "image_ids", ids)
    return engine


def again(engine, step: Step, *, start_again: bool = False) -> SimpleNamespace:
    """What was built, loaded and started in another run: of `make all`, or, with `start_again`, of `make step-9`."""
    engine.built, engine.loaded, engine.started, engine.asked = [], [], [], 0
    run.measure_step(engine, Step(step.name, step.folder), start_again=start_again)
    return SimpleNamespace(built={*engine.built}, loaded={*engine.loaded}, started={*engine.started})


def entries() -> list:
    return sorted((layout() / "remembered").glob("*.json"))


def test_what_did_not_change_is_not_built_loaded_or_started_again(engine, step, tmp_path, capsys):
    """`make step-9` starts it again each time."""
    first = again(engine, step)
    assert (first.built, first.loaded, first.started) == (ALL, {*PLATFORMS}, {*PLATFORMS})
    before = {path: path.read_bytes() for path in (tmp_path / "results").rglob("*.json")}
    assert len(before) == len(ALL)
    (written,) = re.findall("^Files written: (.+); `git status", capsys.readouterr().out, re.MULTILINE)
    assert {*written.split(", ")} == {path.name for path in before}
    second = again(engine, step)
    assert (second.built, second.loaded, second.started) == (set(), set(), set())
    assert engine.asked == 1  # for all images at once
    shown = capsys.readouterr()
    assert shown.err.count("built on 20") == 4 and shown.err.count("failed on 20") == 2
    assert shown.err.count("and not built again") == len(ALL)
    assert "Against the recorded numbers: 6 the same to the byte." in shown.out
    assert "written" not in shown.out
    assert shown.out.count("and is not started again: {'on': ") == len(PLATFORMS)
    assert {path: path.read_bytes() for path in (tmp_path / "results").rglob("*.json")} == before
    third = again(engine, step, start_again=True)
    assert (third.built, third.loaded, third.started) == (set(), set(), {*PLATFORMS})
    assert f"{OTHER} answers: {{'on': '{OTHER}'}}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "what", ["base", "pulled base", "builder", "driver", "version", "buildx", "kind", "environment", "recipe", "reader",
             "Dockerfile", "context", "new file", "option", "ignore", "unignored", "layout"],
)  # fmt: skip
def test_what_is_another_is_built(engine, step, monkeypatch, what):
    again(engine, step)
    folder, expected = step.folder, ALL
    match what:
        case "base":
            engine.base = "sha256:2"
        case "pulled base":  # under the name of the full image alone
            engine.images["python:3.14"] = "sha256:c"
            expected = {(name, platform) for name, platform in ALL if name != "other"}
        case "recipe":
            engine.recipe = lambda name: "0" * 64
        case "reader":
            monkeypatch.setattr(remembered, "reader_version", lambda: "newer")
        case "Dockerfile":
            (folder / "other.Dockerfile").write_text("FROM python:3.14-slim\nUSER 1000\n")
        case "context" | "new file":
            (folder / {"context": "app.py"}.get(what, "more.py")).write_text("print()\n")
        case "option":
            (folder / "compose.yaml").write_text(COMPOSE.replace("other.Dockerfile", "other.Dockerfile, args: {A: b}"))
            expected = {("other", platform) for platform in PLATFORMS}
        case "ignore" | "unignored":
            (folder / ".dockerignore").write_text(f"compose.yaml\n{'README.md app.py' if what == 'ignore' else ''}\n")
        case "layout":  # so does `make clean`
            shutil.rmtree(layout())
        case _:
            setattr(engine, what, "another")
    assert again(engine, step).built == expected
    assert again(engine, step).built == set()


def test_what_no_image_has_is_started_again_and_not_built(engine, step):
    """A container has more than its image: the services beside it, and secrets, lie in the folder too."""
    again(engine, step)
    (step.folder / "README.md").write_text("more\n")
    second = again(engine, step)
    assert (second.built, second.loaded, second.started) == (set(), set(), {*PLATFORMS})
    assert again(engine, step).started == set()


def edit_entries(change) -> None:
    for path in entries():
        path.write_text(change(Entry.model_validate_json(path.read_bytes())).model_dump_json())


@pytest.mark.parametrize("hours", [25, -1])
def test_it_is_remembered_for_a_day_and_then_deleted(engine, step, hours):
    def aged(entry):
        at = {"measured_at": datetime.now(UTC) - timedelta(hours=hours)}
        record = entry.record.model_copy(update={"provenance": entry.record.provenance.model_copy(update=at)})
        return entry.model_copy(update={"record": record})

    again(engine, step)
    edit_entries(aged)
    old = layout() / "remembered/old.json"
    old.write_text("{}")
    os.utime(old, (0, 0))
    found = again(engine, step)
    assert found.built == ALL and found.started == {*PLATFORMS}
    assert not old.exists() and len(entries()) == len(ALL)


@pytest.mark.parametrize("what", ["manifest", "config", "layer", "short layer"])
def test_where_a_part_of_the_image_is_gone_it_is_built(engine, step, what):
    again(engine, step)
    digest = latest(step, step.recommended, NATIVE)
    manifest = json.loads(blob(digest).read_text())
    (layer,) = (blob(one["digest"]) for one in manifest["layers"])
    gone = {"manifest": blob(digest), "config": blob(manifest["config"]["digest"])}.get(what, layer)
    if what == "short layer":
        gone.write_bytes(gone.read_bytes()[:-1])
    else:
        gone.unlink()
    assert again(engine, step).built == {("recommended", NATIVE)}
    assert layouts.holds(digest, read_image(layout(), digest).layers)


@pytest.mark.parametrize("identity", [None, "sha256:another"])
def test_what_the_engine_has_no_more_is_loaded_and_not_built(engine, step, identity):
    again(engine, step)
    name = builder.tag(step, step.recommended, OTHER)
    del engine.images[name]
    if identity:
        engine.images[name] = identity
    second = again(engine, step)
    assert (second.built, second.loaded, second.started) == (set(), {OTHER}, {OTHER})
    assert again(engine, step).loaded == set()


def test_what_did_not_answer_is_loaded_and_started_again(engine, step, monkeypatch):
    def fail(engine, image, variant, platform):
        raise Problem("No answer.")

    with monkeypatch.context() as patch:
        patch.setattr(probe, "ask", fail)
        for _ in range(2):
            with pytest.raises(Problem, match="No answer"):
                again(engine, step)
    assert engine.built == [] and {*engine.loaded} == {*PLATFORMS}
    assert again(engine, step).started == {*PLATFORMS}


@pytest.mark.parametrize("text", ["", "{", '{"record": 1}'])
def test_a_damaged_memory_is_none(engine, step, text):
    again(engine, step)
    for path in entries():
        path.write_text(text)
    assert again(engine, step).built == ALL
    assert again(engine, step).built == set()


def test_a_memory_of_another_image_is_none(engine, step):
    again(engine, step)
    another = {"digest": latest(step, step.recommended, NATIVE)}
    edit_entries(lambda entry: entry.model_copy(update=another if entry.record.variant == "other" else {}))
    assert again(engine, step).built == {("other", platform) for platform in PLATFORMS}


@pytest.mark.parametrize("why", ["the base image is not known", "nothing can be written"])
def test_where_nothing_can_be_remembered_it_is_built_and_recorded_all_the_same(engine, step, tmp_path, why):
    if "base" in why:
        engine.base = None
    else:
        (layout() / "remembered").write_text("no folder")
    again(engine, step)
    assert again(engine, step).built == ALL
    assert entries() == []
    assert len([*(tmp_path / "results").rglob("*.json")]) == len(ALL)


def test_what_is_edited_while_it_is_built_is_neither_recorded_nor_remembered(engine, step, tmp_path, capsys):
    engine.during = lambda variant: (step.folder / "more.py").write_text("print()\n")
    again(engine, step)
    assert [*(tmp_path / "results").rglob("*.linux-*.json"), *entries()] == []
    shown = capsys.readouterr()
    assert f"other · {NATIVE} is not recorded: a file that it is built from changed" in shown.err
    assert "Against the recorded numbers: nothing to compare." in shown.out
    engine.during = lambda variant: None
    (step.folder / "more.py").unlink()
    assert again(engine, step).built == ALL


def test_what_was_interrupted_is_not_remembered_and_what_was_done_before_is(engine, step):
    engine.platforms = [NATIVE]

    def interrupt(variant):
        if variant.name == "other":
            raise KeyboardInterrupt

    engine.during = interrupt
    with pytest.raises(KeyboardInterrupt):
        again(engine, step)
    probe.ending.clear()
    done = {(Entry.model_validate_json(path.read_bytes()).record.variant, NATIVE) for path in entries()}
    assert ("other", NATIVE) not in done
    engine.during = lambda variant: None
    assert again(engine, step).built == {one for one in ALL if one[1] == NATIVE} - done


def test_another_clone_writes_its_records_of_it_and_keeps_its_layers(engine, step, tmp_path, monkeypatch):
    again(engine, step)
    of_one = {path.name: path.read_bytes() for path in (tmp_path / "results").rglob("*.json")}
    monkeypatch.setattr(records, "RESULTS", tmp_path / "others")
    other, recommended = a_clone(tmp_path / "other"), step.recommended
    second = again(engine, other)
    assert (second.built, second.loaded) == (set(), set())
    assert {path.name: path.read_bytes() for path in (tmp_path / "others").rglob("*.json")} == of_one
    shutil.rmtree(step.folder)
    keep(other, other.variant("other"), "linux/386", "sha256:1")  # whoever keeps something forgets deleted clones
    assert latest(step, recommended, NATIVE) is None
    tidy()
    assert again(engine, other).built == set()


def test_a_record_that_is_gone_or_another_is_written_whole(engine, step, tmp_path):
    again(engine, step)
    gone, other = sorted((tmp_path / "results").rglob("recommended*.json"))
    before = [gone.read_bytes(), other.read_bytes()]
    gone.unlink()
    other.write_text(records.as_json(records.load(other).model_copy(update={"size": handmade.size(99)})))
    assert again(engine, step).built == set()
    assert [gone.read_bytes(), other.read_bytes()] == before


def test_the_engine_is_asked_once_for_all_images_and_tells_those_that_it_has(tmp_path):
    client = program(
        tmp_path / "docker",
        f"""#!/bin/sh
echo "$@" >> {tmp_path}/asked
echo 'sha256:1 ["step-1-kiss:recommended-amd64","else:where"]'
echo 'sha256:2 null'
echo ''
echo 'Error: No such image: gone:1' >&2
exit 1
""",
    )
    config = SimpleNamespace(client_call=[str(client)])
    engine = SimpleNamespace(docker=SimpleNamespace(client_config=config))
    names = ["step-1-kiss:recommended-amd64", "gone:1"]
    assert image_ids(engine, names) == {"step-1-kiss:recommended-amd64": "sha256:1"}
    (asked,) = (tmp_path / "asked").read_text().splitlines()
    assert asked.startswith("image inspect ") and asked.endswith(" ".join(names))
    assert image_ids(engine, []) == {}
