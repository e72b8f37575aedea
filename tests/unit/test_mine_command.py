"""The command as it is installed, alone, and what it asks of an engine where it is to build."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.mine import building, cli
from measure.mine.services import Build, service
from tests.__main__ import actionlint
from tests.conftest import program
from tests.handmade import tar
from tests.images_by_hand import as_archive, layout

TARS = [tar({"base": b"b" * 100}), tar({"app/a": b"a" * 5000})]
HISTORY = [
    {"created_by": "COPY / / # buildkit"}, {"created_by": 'CMD ["python3"]', "empty_layer": True},
    {"created_by": "COPY . /app # buildkit"},
]  # fmt: skip


pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def archive(tmp_path):
    return as_archive(layout(tmp_path / "layout", TARS, history=HISTORY).root, tmp_path / "image.tar")


def test_what_is_installed_is_enough(tmp_path, archive):
    """The files that the wheel takes, in a place of their own, without the rest of the repository."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for name in project["tool"]["hatch"]["build"]["targets"]["wheel"]["include"]:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        (tmp_path / "site" / name).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, tmp_path / "site" / name)
    module, _, function = project["project"]["scripts"]["measure-mine"].partition(":")
    start = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); from {module} import {function}; {function}()"
    done = subprocess.run(
        [sys.executable, "-I", "-c", start, archive], capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "COPY . /app" in done.stdout


@pytest.fixture
def docker(tmp_path, archive, monkeypatch):
    """A docker that writes down what it is asked for, and hands over a ready archive."""
    script = program(
        tmp_path / "docker",
        f'#!/bin/bash\nprintf "%s\\n" "$@" > {tmp_path}/asked\n[ "$FAIL" ] && echo "no such image" >&2 && exit 1\n'
        f"for word; do case $word in type=oci,dest=*|*/image.tar) cp {archive} "
        '"${word#*dest=}";; esac; done\n',
    )
    wanted = []
    monkeypatch.setattr(
        building,
        "client",
        lambda images, platform: wanted.append((images, platform)) or building.Client((str(script),), "b"),
    )
    return lambda: (wanted, (tmp_path / "asked").read_text().splitlines())


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app/Dockerfile").write_text("FROM python:3.14 AS one\nFROM one\nCOPY . /app\n")
    return tmp_path / "app"


def run(*words):
    return CliRunner().invoke(cli.app, list(map(str, words)))


def test_a_folder_is_read_and_with_build_built(tmp_path, folder, docker):
    found = run(folder)
    assert (found.exit_code, "by line" in found.output) == (0, False)
    before = sorted(path.name for path in folder.iterdir())
    found = run(folder, "--build", "--target", "one", "--platform", "linux/x86_64")
    assert found.exit_code == 0, found.output
    wanted, asked = docker()
    assert wanted == [(["python:3.14"], "linux/amd64")]
    assert asked[:4] == ["buildx", "build", "--platform", "linux/amd64"]
    assert {"--provenance=false", "--sbom=false", "--target", "one", "--builder", "b", str(folder)} <= set(asked)
    assert "build context" in found.output
    assert sorted(path.name for path in folder.iterdir()) == before
    assert not list((tmp_path / "cache").rglob("*.tar")), "the archive is deleted when it was read"
    found = run(folder, "--build")
    assert "Dockerfile:3" in found.output


COMPOSE = """
services:
  web:
    build:
      context: app
      dockerfile: ${NAME:-Dockerfile}
      target: one
      args: [BASE=debian:trixie, UNSET, "GIVEN=$GIVEN"]
  db:
    image: postgres:17
  inline:
    build: {dockerfile_inline: FROM a}
"""


def test_a_service_of_a_compose_file_says_what_it_is_built_from(tmp_path, folder, docker, monkeypatch):
    monkeypatch.setenv("GIVEN", "1")
    monkeypatch.delenv("UNSET", raising=False)
    (folder / "Dockerfile").write_text("ARG BASE=python:3.14\nFROM $BASE AS one\nCOPY . /app\nFROM scratch\n")
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    found = run(tmp_path, "--service", "web", "--build")
    assert found.exit_code == 0, found.output
    wanted, asked = docker()
    assert wanted[0][0] == ["debian:trixie"]
    assert [two for one, two in pairwise(asked) if one in ("--target", "--build-arg")] == [
        "one", "BASE=debian:trixie", "GIVEN=1"
    ]  # fmt: skip
    assert "Dockerfile:3" in found.output
    for name, told in (("db", "Those that it builds: web, inline"), ("no", "no service called no")):
        found = run(tmp_path, "--service", name)
        assert found.exit_code == 1
        assert told in found.output.replace("\n", " ")
    (tmp_path / "compose.yaml").write_text("services: {web: {build: [a]}, db: , other: {build: }}")
    assert "Those that it builds: none" in run(tmp_path, "--service", "web").output.replace("\n", " ")
    (tmp_path / "compose.yaml").write_text("a: [")
    assert "not valid YAML" in run(tmp_path, "--service", "web").output
    assert "no compose file" in run(folder, "--service", "web").output


FILLED = """
services:
  web:
    ports: !reset []
    build:
      context: app
      target: ${STAGE:-prod}
      args: {V: "${V}", W: "${W:+w}", N: 1, B: true, STAGE: , Q: "${Q-none}", R: "${R:?why}", D: "$$x", E: "${E-e}"}
"""
SETTINGS = """
V=given # a comment
W=x#y
export STAGE = dev
Q="quoted # $V"
R='single $V'
E=
"""


def test_a_service_is_built_from_what_compose_reads(tmp_path, monkeypatch):
    """`docker compose config` of Compose 2.26 says the same of each."""
    for name in ("V", "W", "STAGE", "Q", "R", "E"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "docker-compose.yml").write_text(FILLED)
    with pytest.raises(Problem, match="needs the variable R"):
        service(tmp_path, "web")
    (tmp_path / ".env").write_text(SETTINGS)
    args = {"V": "given", "W": "w", "N": "1", "B": "true", "STAGE": "dev", "Q": "quoted # given", "R": "single $V",
            "D": "$x", "E": ""}  # fmt: skip
    assert service(tmp_path, "web") == Build(tmp_path / "app", tmp_path / "app/Dockerfile", "dev", args)
    monkeypatch.setenv("V", "the shell's")
    assert service(tmp_path, "web").args["V"] == "the shell's"
    (tmp_path / "docker-compose.override.yml").write_text(
        "services:\n"
        '  web: {build: {target: !reset null, args: ["W=", "NEW=two=2"]}, ports: !override ["80:80"]}\n'
        "  other: {build: there}\n"
    )
    changed = service(tmp_path, "web")
    assert changed.target is None
    assert (changed.args["W"], changed.args["NEW"], changed.args["N"]) == ("", "two=2", "1")
    assert service(tmp_path, "other").context == tmp_path / "there"


COMPOSED = {
    "compose.yaml": """
include:
  - inc/compose.yaml
  - path: [inc/two.yaml]
services:
  web:
    extends: {file: base/common.yaml, service: app}
    build:
      args: {B: "2", C: "${NOPE:-${ALSO:-deep}}"}
  here:
    extends: web
    build: {target: prod}
  short:
    extends:
      service: here
  plain:
    build: .
""",
    "compose.override.yaml": """
services:
  here:
    build: !override
      context: other
  plain:
    image: x
    build: !reset null
""",
    "base/common.yaml": """
services:
  app:
    build:
      context: ./app
      dockerfile: ../Dockerfile
      args: [A=1, B=1]
""",
    "inc/compose.yaml": "services: {inside: {build: {context: ., dockerfile: Inside.Dockerfile}}}",
    "inc/two.yaml": "services: {second: {build: ./sub}}",
}


def test_a_service_is_built_from_what_its_compose_file_extends_and_includes(tmp_path, monkeypatch):
    """`docker compose config` of Compose 2.26 says the same of each."""
    monkeypatch.delenv("NOPE", raising=False)
    monkeypatch.delenv("ALSO", raising=False)
    for name, text in COMPOSED.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    app, args = tmp_path / "base/app", {"A": "1", "B": "2", "C": "deep"}
    for name, wanted in {
        "web": Build(app, app / "../Dockerfile", None, args),
        "short": Build(app, app / "../Dockerfile", "prod", args),
        "here": Build(tmp_path / "other", tmp_path / "other/Dockerfile"),
        "inside": Build(tmp_path / "inc", tmp_path / "inc/Inside.Dockerfile"),
        "second": Build(tmp_path / "inc/sub", tmp_path / "inc/sub/Dockerfile"),
    }.items():
        assert service(tmp_path, name) == wanted, name
    with pytest.raises(Problem, match="no service called plain"):
        service(tmp_path, "plain")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("services: {web: {extends: two}, two: {extends: web}}", "extends itself"),
        ("include: [compose.yaml]", "includes itself"),
        ("include: [none.yaml]", "none.yaml cannot be read"),
        ('services: {web: {build: "${A:-${B"}}', "has no end"),
    ],
)
def test_a_compose_file_that_leads_nowhere_is_told(tmp_path, text, told):
    (tmp_path / "compose.yaml").write_text(text)
    with pytest.raises(Problem, match=told):
        service(tmp_path, "web")


def test_an_image_that_the_engine_has_is_saved_and_read(docker):
    found = run("mine:latest")
    assert found.exit_code == 0, found.output
    assert docker()[1][:2] == ["save", "mine:latest"]


def test_what_an_engine_refuses_is_told(folder, docker, monkeypatch):
    monkeypatch.setenv("FAIL", "1")
    for words, told in (([folder, "--build"], "does not build"), (["mine:latest"], "no image mine:latest")):
        found = run(*words)
        assert found.exit_code == 1
        assert told in found.output


@pytest.mark.parametrize(
    ("script", "subject", "told"),
    [
        (None, "app", "There is no docker here"), ("exit 1", "app", "no engine answers"),
        ("exit 1", "mine:latest", "no engine answers"),
        ('[ "$1" != buildx ] && echo 26', "app", "has no buildx"),
        ("""echo '{"Version": "5.4.0", "OsArch": "linux/amd64"}'""", "app", "is podman"),
    ],
)  # fmt: skip
def test_what_a_machine_lacks_to_build_is_told_where_the_command_is_installed_alone(
    tmp_path, folder, monkeypatch, script, subject, told
):
    (tmp_path / "bin").mkdir()
    if script:
        program(tmp_path / "bin/docker", f"#!/bin/bash\n{script}\n")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setitem(sys.modules, "measure.build.choosing", None)
    monkeypatch.setenv("DOCKER_DEFAULT_PLATFORM", "linux/amd64")
    found = run(folder if subject == "app" else subject, "--build")
    assert (found.exit_code, found.output.count("✗")) == (1, 1)
    assert told in found.output
    assert "An image in a file is weighed without it." in found.output
    assert "DOCKER_DEFAULT_PLATFORM" not in os.environ, "what is started would be another platform's"


def test_the_help_fits_a_terminal_of_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = CliRunner().invoke(cli.app, ["--help"], terminal_width=80).output.splitlines()
    assert len(lines) > 30
    assert max(map(len, lines)) <= 80 and not any("…" in line for line in lines), "nothing is cut"


def test_the_workflow_to_copy_is_one_and_calls_what_is_there():
    path = ROOT / "docs/assets/image-size.yml"
    done = subprocess.run(actionlint(str(path)), capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout
    options = set(re.findall(r" (--[a-z]+) ", path.read_text().partition("measure-mine")[2].partition("cat ")[0]))
    help_text = run("--help").output
    assert options and all(option in help_text for option in options)
