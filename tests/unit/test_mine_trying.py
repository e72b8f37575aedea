"""A next step that is done: what becomes of the text, what is written, and how a start and a build are watched."""

import json
import sys
from contextlib import nullcontext
from dataclasses import replace

import pytest

from measure.base.dockerfiles import Dockerfile
from measure.base.errors import Problem
from measure.mine import building, cli, running, trying
from measure.mine.advice import STEPS, order_steps
from measure.mine.building import Source
from measure.mine.editing import WAYS, edited
from measure.mine.model import Facts, Floor, NextStep, Package, Report, Sizes, Started
from measure.mine.reporting import Asked
from measure.mine.showing import markdown
from tests.conftest import program
from tests.model_of_build import sent

SITE = "/opt/venv/lib/python3.14/site-packages"
#: A step, what it is about, the Dockerfile, and what becomes of it.
CASES = {
    "chown in a line of its own": (
        "written twice", "Dockerfile:4", ["Dockerfile:2", "Dockerfile:3"],
        "FROM a\nCOPY x /app/x\nRUN pip install b --target /app/b\nRUN echo 1 && chown -R app:app /app && echo 2\n",
        "FROM a\nCOPY --chown=app:app x /app/x\nRUN pip install b --target /app/b && chown -R app:app /app\n"
        "RUN echo 1 && echo 2\n",
    ),
    "chmod, in a working folder": (
        "written twice", "Dockerfile:5", ["Dockerfile:3"],
        "FROM a\nWORKDIR /app\nCOPY . .\nCOPY y /other/\nRUN chmod -R 755 .\nUSER 1\n",
        "FROM a\nWORKDIR /app\nCOPY --chmod=755 . .\nCOPY y /other/\nUSER 1\n",
    ),
    "installed, used and removed in three lines": (
        "hidden files", "Dockerfile:2", ["Dockerfile:5"],
        "FROM a\nRUN apt-get install -y gcc\nCOPY r.txt .\nRUN --mount=type=cache,target=/c pip install -r r.txt\n"
        "RUN apt-get purge -y gcc\n",
        "FROM a\nCOPY r.txt .\n"
        "RUN --mount=type=cache,target=/c apt-get install -y gcc && pip install -r r.txt && apt-get purge -y gcc\n",
    ),
    "copied, used and deleted": (
        "hidden files", "Dockerfile:4", ["Dockerfile:6"],
        "FROM a AS one\nRUN x\nFROM a\nCOPY --from=one /wheels /wheels\nRUN pip install /wheels/*\n"
        "RUN rm -r /wheels && ldconfig\n",
        "FROM a AS one\nRUN x\nFROM a\n"
        "RUN --mount=type=bind,from=one,source=/wheels,target=/wheels pip install /wheels/*\nRUN ldconfig\n",
    ),
    "caches": (
        "caches", "Dockerfile:2", ["/root/.cache/pip", "/var/lib/apt/lists"],
        "FROM a\nRUN pip install \\\n    flask\n",
        "FROM a\nRUN --mount=type=cache,target=/root/.cache/pip "
        "--mount=type=cache,target=/var/lib/apt/lists,sharing=locked pip install \\\n    flask\n",
    ),
    "a second pip, and where pip is called": (
        "a second pip", "Dockerfile:5", [SITE],
        "FROM a AS b\nRUN python -m venv /opt/venv\nRUN /opt/venv/bin/pip install flask\nFROM a\n"
        "COPY --from=b /opt/venv /opt/venv\n",
        "FROM a AS b\nRUN python -m venv --without-pip /opt/venv\n"
        "RUN /usr/local/bin/python -m pip --python /opt/venv/bin/python install flask\nFROM a\n"
        "COPY --from=b /opt/venv /opt/venv\n",
    ),
    "wheels that stay": (
        "copied wheels", "Dockerfile:4", [],
        "FROM a AS one\nRUN x\nFROM a\nCOPY --from=one /wheels /wheels\nRUN pip install /wheels/*\nUSER 1\n",
        "FROM a AS one\nRUN x\nFROM a\n"
        "RUN --mount=type=bind,from=one,source=/wheels,target=/wheels pip install /wheels/*\nUSER 1\n",
    ),
    "an upgraded pip, alone and beside another command": (
        "an upgraded pip", "Dockerfile:2, Dockerfile:3", [],
        "FROM a\nRUN pip install --upgrade pip\nRUN python -m pip install -U 'pip' && pip install -U pip && x\n",
        "FROM a\nRUN python -m pip install -U 'pip' && x\n",
    ),
    "what is recommended": (
        "recommended packages", "Dockerfile:2", [],
        "FROM a\nRUN apt-get update && \\\n    apt-get -qq install -y git && apt install x\n",
        "FROM a\nRUN apt-get update && \\\n    apt-get -qq install --no-install-recommends -y git && "
        "apt install --no-install-recommends x\n",
    ),
    "a comment among commands, one of which goes": ("an upgraded pip", "Dockerfile:2", [],
        "FROM a\nRUN pip install -U pip && \\\n    # all\n    x && y\n", "FROM a\n# all\nRUN x && y\n"),
    "comments and mounts of lines that become one": ("hidden files", "Dockerfile:2", ["Dockerfile:5"],
        "FROM a\nRUN --mount=type=cache,target=/c a && \\\n# b\nb\nRUN --mount=type=cache,target=/c rm c\n",
        "FROM a\n# b\nRUN --mount=type=cache,target=/c a && b && rm c\n"),
    "bytecode of the base": (
        "bytecode of the base", "Dockerfile:2", [], "FROM a\nRUN <<EOF\npip install x\nEOF\n",
        "FROM a\nARG PYTHONDONTWRITEBYTECODE=1\nRUN <<EOF\npip install x\nEOF\n",
    ),
    "development tools": (
        "development tools", "Dockerfile:4", ["pytest", "pluggy"],
        "FROM a AS b\nRUN pip install -r r.txt\nFROM a\nCOPY --from=b /opt/venv /opt/venv\n",
        "FROM a AS b\nRUN pip install -r r.txt\n"
        "RUN /usr/local/bin/python -m pip --python /opt/venv/bin/python uninstall --yes pytest pluggy\n"
        "FROM a\nCOPY --from=b /opt/venv /opt/venv\n",
    ),
    "the slim base, its name an argument": (
        "slim base", "FROM", [], "ARG V=3.14\nFROM --platform=$BUILDPLATFORM python:$V-trixie AS One\nRUN x\n",
        "ARG V=3.14\nFROM --platform=$BUILDPLATFORM python:3.14-slim-trixie AS one\nRUN x\n",
    ),
    "tests, in a here-document": (
        "tests", "Dockerfile:2", [SITE], "FROM a\nRUN <<EOF\npip install x\nEOF\n",
        "FROM a\nRUN <<EOF\npip install x\n"
        f"find {SITE} -type d -name tests -prune -exec rm -rf {{}} +\nEOF\n",
    ),
    "requirements before the code": (
        "order of lines", "Dockerfile:3", [], "FROM a\nCOPY . .\nRUN pip install -r requirements.txt -c a.txt\nCMD x\n",
        "FROM a\nCOPY requirements.txt a.txt ./\nRUN pip install -r requirements.txt -c a.txt\nCOPY . .\nCMD x\n",
    ),
    "packages named in the line, after the code": (
        "order of lines", "Dockerfile:3", [], "FROM a\nCOPY . .\nRUN pip install --no-cache-dir numpy==2.5 a[b]>=1\n",
        "FROM a\nRUN pip install --no-cache-dir numpy==2.5 a[b]>=1\nCOPY . .\n",
    ),
}  # fmt: skip


def report_with(*packages):
    facts = dict.fromkeys(("shell_form", "has_shell", "has_compiler"), False)
    facts |= dict.fromkeys(("capable_files", "test_bytes", "device_files", "escaping_names"), 0)
    pip = ["/usr/local/lib/python3.14/site-packages"]
    made = Facts(user="root", command="", pip=pip, setuid_files=[], caches={}, bytecode={}, secrets=[], **facts)
    return Report(subject="x", facts=made, packages=list(packages))


PYTEST = Package(
    name="pytest", version="1", kind="python", location=SITE, of_base=False, bytes=1, transfer_bytes=1
)  # fmt: skip


def step(name, where, of):
    return NextStep(name=name, what="", where=where, of=of, transfer_bytes=0, unpacked_tar_bytes=0, page="x.md")


@pytest.mark.parametrize("name", CASES)
def test_a_step_is_done_to_the_text(name):
    kind, where, of, before, after = CASES[name]
    late, dockerfile = step(kind, where, of), Dockerfile("Dockerfile", before)
    assert edited(dockerfile, None, report_with(PYTEST), late, sent(before, after)).text == after
    Dockerfile("Dockerfile", after).check()


def test_patterns_go_into_the_ignore_file():
    draft = edited(
        Dockerfile("Dockerfile", "FROM a\nCOPY . .\n"), None, report_with(), step("ignore file", "x", ["**/.git"])
    )
    assert (draft.ignore, draft.text) == (["**/.git"], "FROM a\nCOPY . .\n")


@pytest.mark.parametrize(
    ("kind", "where", "of", "text"),
    [
        ("compilers", "Dockerfile:2", [], "FROM a\nRUN apt-get install gcc\n"),
        ("written twice", "Dockerfile:3", ["Dockerfile:2"], "FROM a\nCOPY a /a\nRUN chmod -R g+w /a\n"),
        ("written twice", "Dockerfile:3", ["Dockerfile:2"], "FROM a\nCOPY a /a\nRUN cp -r /a /b\n"),
        ("hidden files", "Dockerfile:2", ["Dockerfile:4"], "FROM a\nRUN a\nUSER 1\nRUN rm a\n"),
        ("hidden files", "Dockerfile:2", ["Dockerfile:3"], "FROM a\nCOPY a /a\nCOPY b /a\n"),
        ("hidden files", "Dockerfile:2", ["Dockerfile:3"], "FROM a\nCOPY a b /a/\nRUN rm -r /a\n"),
        ("hidden files", "Dockerfile:2", ["Dockerfile:3"], "FROM a\nRUN cd /tmp && a\nRUN rm -rf b\n"),
        ("hidden files", "Dockerfile:2", ["Dockerfile:4"], "FROM a\nRUN a\nWORKDIR /b\nRUN rm -rf c\n"),
        ("hidden files", "Dockerfile:2", ["Dockerfile:3"], "FROM a\nRUN a # why\nRUN rm b\n"),
        ("hidden files", "Dockerfile:3", ["Dockerfile:4"], "FROM a\nWORKDIR /x\nCOPY w w\nRUN ls w && rm -r /x/w\n"),
        ("hidden files", "Dockerfile:2", ["Dockerfile:3"], "FROM a\nCOPY *.whl /w/\nRUN ls /w/* && rm -r /w\n"),
        ("hidden files", "Dockerfile:2", ["Dockerfile:3"], "FROM a\nCOPY b.whl /w/\nRUN ls /w/* && rm -r /w\n"),
        ("hidden files", "Dockerfile:2", ["Dockerfile:3"], "FROM a\nCOPY w /tmp\nRUN ls /tmp/b && rm -r /tmp/*\n"),
        ("written twice", "Dockerfile:4", ["Dockerfile:2"], "FROM a\nCOPY . /a\nARG U=1\nRUN chown -R $U:$U /a\n"),
        ("written twice", "Dockerfile:4", ["Dockerfile:2"], "FROM a\nCOPY . /a\nARG U\nRUN useradd $U && chown b /a\n"),
        ("written twice", "Dockerfile:3", ["Dockerfile:2"], "FROM a\nCOPY . /a\nRUN chown -R 1 /a # theirs\n"),
        ("caches", "Dockerfile:2", ["/c"], "FROM a\nCOPY --from=x /c /c\n"),
        ("caches", "layer 2", ["/c"], "FROM a\nRUN b\n"),
        ("a second pip", "Dockerfile:2", [], "FROM a\nRUN virtualenv /opt/venv\n"),
        ("a second pip", "Dockerfile:2", [], "FROM a\nRUN python -m venv /v\nRUN /v/bin/pip uninstall -y b\n"),
        ("an upgraded pip", "Dockerfile:2", [], "FROM a\nRUN pip install --upgrade pip wheel\n"),
        ("copied wheels", "Dockerfile:2", [], "FROM a\nCOPY wheels /wheels\nRUN pip install flask\n"),
        ("recommended packages", "Dockerfile:2", [], "FROM a\nRUN ./install-all\n"),
        ("programs", "Dockerfile:2", ["git"], "FROM a\nRUN apt-get install git\n"),
        ("slim base", "FROM", [], "FROM registry.example/base:1\nRUN b\n"),
        ("tests", "Dockerfile:2", [SITE], 'FROM a\nRUN ["pip", "install", "x"]\n'),
        ("tests", "Dockerfile:2", [SITE], 'FROM a\nRUN --mount=type=tmpfs,target=/c ["x"]\n'),
        ("tests", "Dockerfile:2", ["/s"], "FROM a\nRUN x # b\n"), ("tests", "Dockerfile:2", ["/s"], "FROM a\nRUN x;\n"),
        ("tests", "Dockerfile:2", [SITE], "FROM a\nRUN python <<EOF\nx\nEOF\n"),
        ("tests", "Dockerfile:2", [SITE], "FROM a\nRUN <<EOF\n#!/usr/bin/env python\nx\nEOF\n"),
        ("tests", "Dockerfile:4", [SITE], "FROM a AS b\nUSER x\nFROM a\nCOPY --from=b /v /v\n"),
        ("order of lines", "Dockerfile:3", [], "FROM a\nCOPY . .\nRUN pip install .\n"),
        ("order of lines", "Dockerfile:3", [], "FROM a\nCOPY . .\nRUN pip install -e . numpy\n"),
        ("order of lines", "Dockerfile:3", [], "FROM a\nCOPY . .\nRUN poetry install --only main\n"),
    ],
)  # fmt: skip
def test_what_takes_a_person_is_said_and_not_done(kind, where, of, text):
    with pytest.raises(Problem, match="not done by itself") as problem:
        edited(Dockerfile("Dockerfile", text), None, report_with(), step(kind, where, of))
    assert problem.value.why and problem.value.next


def test_every_way_is_that_of_a_step():
    told = " ".join(name for make in (*STEPS, order_steps) for name in make.__code__.co_consts if isinstance(name, str))
    assert [name for name in WAYS if name not in told and name != "build context"] == []


LOG = """#1 [internal] load build definition from Dockerfile
#1 DONE 0.1s
#4 [one 1/3] FROM docker.io/library/python:3.14
#4 DONE 0.0s
#5 [one 2/3] COPY a /a
#5 CACHED
#6 [one 3/3] RUN pip install b
#6 0.512 Collecting b
#6 DONE 12.3s
#7 [stage-1 2/3] WORKDIR /app
#7 DONE 0.0s
#8 [linux/arm64 stage-1 3/3] COPY --from=one /a /a
#8 DONE 0.4s
"""
TWO = "FROM a AS One\nCOPY a /a\nENV x=1\nRUN pip install b\nFROM a\nWORKDIR /app\nCOPY --from=one /a /a\nCMD x\n"


def test_the_seconds_of_each_line_are_read_from_the_builders_log():
    dockerfile = Dockerfile("Dockerfile", TWO)
    seconds = running.line_seconds(dockerfile, LOG.splitlines())
    assert seconds == {2: None, 4: 12.3, 6: 0.0, 7: 0.4}
    assert running._why(dockerfile, {2: 0.1, 4: 1.0, 7: 0.1}, "a.py") == {
        2: "a.py is among what it reads", 4: "line 2 before it changed", 7: "it copies from a stage that changed"
    }  # fmt: skip


@pytest.fixture
def docker(tmp_path):
    """A docker whose one container is in one state after another, and that writes down what it was told."""
    script = program(
        tmp_path / "docker",
        f"""#!/bin/bash
echo "$@" >> {tmp_path}/told
case "$1 $2" in
"image inspect") echo '[{{"Config": {{"ExposedPorts": {{"8000/tcp": {{}}}}}}}}]' ;;
inspect*) head -n 1 {tmp_path}/states; [ $(wc -l < {tmp_path}/states) = 1 ] || sed -i 1d {tmp_path}/states ;;
logs*) echo "KeyError: 'URL'" ;;
run*) [ ! -e {tmp_path}/fail ] || {{ echo "no such program" >&2; exit 127; }} ;;
esac
""",
    )

    def told(*states):
        (tmp_path / "states").write_text("".join(json.dumps([{"State": state}]) + "\n" for state in states))
        return building.Client((str(script),))

    return told


def test_how_a_container_begins_and_ends(docker, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "RUNS", 0.2)
    up, killed = {"Status": "running"}, {"Status": "exited", "ExitCode": 137}
    starting, healthy = ({**up, "Health": {"Status": word}} for word in ("starting", "healthy"))
    found = running.start(docker(starting, healthy, {"Status": "exited", "ExitCode": 0}), "x:1")
    assert (found.told, found.works, found.killed) == ("healthy", True, False)
    found = running.start(docker({"Status": "exited", "ExitCode": 1}), "x:1")
    assert (found.told, found.works, found.stop_seconds) == ("ends with exit code 1: KeyError: 'URL'", False, None)
    found = running.start(docker(up), "x:1")
    assert (found.told.startswith("runs after"), found.works) == (True, True)
    assert running.start(docker(healthy, killed), "x:1").killed
    (tmp_path / "fail").touch()
    found = running.start(docker(up), "x:1")
    assert found.told == "does not start: no such program"
    told = (tmp_path / "told").read_text()
    assert "--publish 127.0.0.1::8000/tcp" in told, "nobody else reaches it"
    assert told.count("rm --force --volumes x-1") == 5, "whatever happens it is removed"


SIZES = Sizes(
    transfer_bytes=100, unpacked_tar_bytes=300, unpacked_file_bytes=0, hidden_bytes=0, overlay2_bytes=0,
    containerd_bytes=0,
)  # fmt: skip


@pytest.fixture
def folder(cache, tmp_path, monkeypatch):
    """A folder, and an engine that builds whatever it is given."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app/Dockerfile").write_text("FROM python:3.14\nCOPY . .\n")
    (tmp_path / "app/.dockerignore").write_text("*.log")
    seen = []

    def built(source):
        seen.append({path.name: path.read_text() for path in source.dockerfile.parent.iterdir()})
        return nullcontext(source)

    monkeypatch.setattr(building, "built", built)
    monkeypatch.setattr(building, "loaded", lambda docker, source: nullcontext(source))
    monkeypatch.setattr(building, "client_of", lambda source: None)
    ended = Started(told="healthy", works=True, seconds=1, stop_seconds=0.2)
    monkeypatch.setattr(running, "start", lambda docker, image: ended)
    smaller = SIZES.model_copy(update={"transfer_bytes": 60, "unpacked_tar_bytes": 200})
    monkeypatch.setattr(trying, "report", lambda asked: Report(subject="after", sizes=smaller))
    return tmp_path / "app", seen


def made(*steps):
    return Report(subject="x", sizes=SIZES, facts=report_with().facts, next_steps=list(steps))


SLIM = step("slim base", "FROM", []).model_copy(update={"transfer_bytes": 41, "unpacked_tar_bytes": 99})


def test_the_changed_file_stands_beside_the_readers_and_nothing_is_overwritten(folder):
    app, built = folder
    before = {path.name: path.read_text() for path in app.iterdir()}
    found = trying.tried(Source(app, app / "Dockerfile"), made(SLIM), 1)
    assert (found.predicted, found.measured) == ({"transfer": 41, "unpacked": 99}, {"transfer": 40, "unpacked": 100})
    after = {path.name: path.read_text() for path in app.iterdir()}
    assert after == {**before, "try-1.Dockerfile": "FROM python:3.14-slim\nCOPY . .\n"}
    assert built == [{"try-1.Dockerfile": "FROM python:3.14-slim\nCOPY . .\n"}]
    with pytest.raises(Problem, match="already"):
        trying.tried(Source(app, app / "Dockerfile"), made(SLIM), 1)
    with pytest.raises(Problem, match="no next step 2"):
        trying.tried(Source(app, app / "Dockerfile"), made(SLIM), 2)
    assert {path.name: path.read_text() for path in app.iterdir()} == after


def test_patterns_are_tried_in_an_ignore_file_of_its_own(folder):
    app, _ = folder
    trying.tried(Source(app, app / "Dockerfile"), made(step("ignore file", "x", ["**/.git"])), 1)
    assert (app / "try-1.Dockerfile.dockerignore").read_text() == "*.log\n**/.git\n"
    assert (app / ".dockerignore").read_text() == "*.log"


def test_what_does_not_build_writes_nothing(folder, monkeypatch):
    app, _ = folder

    def fails(source):
        raise Problem("does not build")

    monkeypatch.setattr(building, "built", fails)
    with pytest.raises(Problem, match="does not build"):
        trying.tried(Source(app, app / "Dockerfile"), made(SLIM), 1)
    assert not list(app.glob("try*"))


def test_an_edit_is_timed_in_a_copy_and_the_readers_files_stay_as_they_are(cache, tmp_path, monkeypatch):
    app = tmp_path / "app"
    (app / "tests").mkdir(parents=True)
    for name, text in {"main.py": "x = 1\n", "tests/t.py": "", "a.log": "1", ".dockerignore": "*.log"}.items():
        (app / name).write_text(text)
    (app / "Dockerfile").write_text("FROM a\nCOPY . .\nRUN pip install b\n")
    before = {path: path.read_text() for path in app.rglob("*") if path.is_file()}
    seen = []

    def build(docker, source, *options, log):
        files = {
            path.relative_to(source.folder).as_posix(): path.read_text()
            for path in source.folder.rglob("*.*")
            if path.is_file()
        }
        seen.append((files, options[-1]))
        log += ["#2 [2/3] COPY . .", "#2 DONE 0.1s", "#3 [3/3] RUN pip install b", "#3 DONE 2.0s"]

    monkeypatch.setattr(building, "build", build)
    monkeypatch.setattr(building, "client_of", lambda source: None)
    found = running.timed(Source(app, app / "Dockerfile"))
    assert (found.edited, found.edit_part) == ("main.py", found.edit_seconds / found.cold_seconds)
    assert [(one.where, one.cold_seconds, one.edit_seconds, one.why) for one in found.lines] == [
        ("Dockerfile:2", 0.1, 0.1, "main.py is among what it reads"),
        ("Dockerfile:3", 2.0, 2.0, "line 2 before it changed"),
    ]
    (cold, option), (edit, _) = seen
    assert option == "--no-cache" and "a.log" not in cold
    assert cold["main.py"] == "x = 1\n" != edit["main.py"]
    assert {path: path.read_text() for path in app.rglob("*") if path.is_file()} == before


def test_a_folders_image_is_started_where_that_is_asked_for(folder, monkeypatch):
    app, _ = folder
    monkeypatch.setattr("measure.mine.reporting.report", lambda asked: made())
    found = cli._reported(replace(Asked(), subject=str(app)), build=False, start=True)
    assert "started: healthy (1.0 s after its start), ends 0.2 s after SIGTERM" in markdown(found)
    assert cli._reported(replace(Asked(), subject=str(app)), build=True).started is None


def test_what_nothing_looks_at_is_told_beside_the_images_sizes():
    floor = Floor(
        answered={"GET /": 200}, healthy=True, file_bytes=90, files=3, transfer_bytes=25, unpacked_tar_bytes=100,
        untouched_bytes=200, untouched={"perl-base, a Debian package": 150},
    )  # fmt: skip
    told = markdown(made().model_copy(update={"floor": floor}))
    assert "floor, 3 files that were looked at (GET / 200, healthy)" in told
    assert "25 B transfer (the image: 4.0 times), 100 B unpacked (the image: 3.0 times)" in told
    assert "nothing looked at 200 B: perl-base, a Debian package 150 B" in told


def test_a_floor_is_found_in_a_clone_and_for_the_machine_itself_alone(folder, monkeypatch):
    app, _ = folder
    monkeypatch.setitem(sys.modules, "measure.studies.floor.yours", None)
    with pytest.raises(Problem, match="needs a clone"):
        running.floor(None, Source(app, app / "Dockerfile"))
    monkeypatch.undo()
    with pytest.raises(Problem, match="no linux/s390x"):
        running.floor(None, Source(app, app / "Dockerfile", platform="linux/s390x"))


def test_an_archive_is_neither_timed_nor_changed(tmp_path):
    (tmp_path / "image.tar").touch()
    with pytest.raises(Problem, match="no folder"):
        cli._reported(replace(Asked(), subject=str(tmp_path / "image.tar")), build=False, number=1)
