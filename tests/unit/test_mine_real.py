"""Shapes that the Dockerfiles and compose files of many public applications have, in words of our own."""

import json
import os
import random

import pytest
from typer.testing import CliRunner

from measure.base.errors import Problem
from measure.mine import cli
from measure.mine.services import Build, service

pytestmark = pytest.mark.usefixtures("cache")

NOISE = random.Random(4).randbytes(200_000)
#: What a file of this size takes of a tar stream.
BLOCKS = 512 + len(NOISE) + -len(NOISE) % 512


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def run(*words):
    return CliRunner().invoke(cli.app, list(map(str, words)))


@pytest.fixture
def unnamed(monkeypatch):
    """The shell names no compose file."""
    for name in ("COMPOSE_FILE", "COMPOSE_PATH_SEPARATOR", "TAG"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("unnamed")
@pytest.mark.parametrize("separator", ["", ":", ";"])
@pytest.mark.parametrize("where", ["shell", ".env"])
def test_the_files_that_compose_file_names_are_merged_and_no_override(tmp_path, monkeypatch, where, separator):
    """All paths begin at the folder of the first, as `docker compose -f one -f other` has it."""
    write(tmp_path, {
        "base.yml": "services: {web: {build: {context: app, args: {TAG: }}}}\n",
        "deploy/prod.yml": "services: {web: {build: {target: prod, dockerfile: other}}, job: {build: ./jobs}}\n",
        "compose.yaml": "services: {web: {build: wrong}}\n", "base.override.yml": "services: {web: {build: wrong}}\n",
        "compose.override.yaml": "services: {web: {build: wrong}}\n",
    })  # fmt: skip
    settings = {"COMPOSE_FILE": (separator or os.pathsep).join(("base.yml", "deploy/prod.yml")), "TAG": "1"}
    settings |= {"COMPOSE_PATH_SEPARATOR": separator} if separator else {}
    if where == "shell":
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
    else:
        write(tmp_path, {".env": "".join(f"{name}={value}\n" for name, value in settings.items())})
    app = tmp_path / "app"
    assert service(tmp_path, "web") == Build(app, app / "other", "prod", {"TAG": "1"})
    assert service(tmp_path, "job").context == tmp_path / "jobs"


@pytest.mark.usefixtures("unnamed")
def test_a_compose_file_of_any_name_is_taken_alone(tmp_path, monkeypatch):
    write(tmp_path, {
        "local.yml": "services: {web: {extends: {file: deploy/base.yml, service: app}, build: {target: dev}}}\n",
        "deploy/base.yml": "services: {app: {build: {context: ..}}}\n", "Dockerfile": "FROM a AS dev\n",
        "local.override.yml": "services: {web: {build: {target: no}}}\n", ".env": "COMPOSE_FILE=none.yml\n",
    })  # fmt: skip
    assert service(tmp_path / "local.yml", "web") == Build(tmp_path, tmp_path / "Dockerfile", "dev")
    assert json.loads(run(tmp_path / "local.yml", "--service", "web", "--json").stdout)["base"] == "a"
    found = run(tmp_path, "--service", "web")
    assert (found.exit_code, "none.yml cannot be read" in found.output.replace("\n", "")) == (1, True)
    (tmp_path / ".env").unlink()
    found = run(tmp_path, "--service", "web")
    assert found.exit_code == 1
    assert "no compose file" in found.output and "COMPOSE_FILE=NAME and the same command" in found.output


INLINE = """
services:
  web:
    build:
      context: app
      dockerfile_inline: |
        ARG TAG=3.13
        FROM python:$$TAG AS last
        COPY . .
        RUN echo $$HOME ${WORD:-said} && pip install -r requirements.txt
      args: {TAG: "3.14"}
"""


@pytest.mark.usefixtures("unnamed")
def test_a_dockerfile_in_a_compose_file_is_weighed_and_not_tried(tmp_path):
    write(tmp_path, {"compose.yaml": INLINE, "app/.dockerignore": "a\n", "app/a": "1", "app/b": "22"})
    before = sorted(tmp_path.rglob("*"))
    made = json.loads(run(tmp_path, "--service", "web", "--json").stdout)
    assert (made["base"], made["dockerfile"]) == ("python:3.14", "dockerfile_inline")
    assert [one["where"] for one in made["next_steps"]] == ["dockerfile_inline:4"]
    assert (made["context"]["bytes"], made["context"]["ignore_file"]) == (4, ".dockerignore")
    text = service(tmp_path, "web").dockerfile.read_text()
    assert "RUN echo $HOME said && pip" in text
    found = run(tmp_path, "--service", "web", "--try", "1")
    assert found.exit_code == 1
    assert "stands in the compose file" in found.output and "no such file" not in found.output
    assert [path for path in sorted(tmp_path.rglob("*")) if "cache" not in path.parts] == [
        path for path in before if "cache" not in path.parts
    ]


@pytest.mark.usefixtures("unnamed")
def test_a_service_that_is_built_from_elsewhere_is_told_where_its_dockerfile_is_here_too(tmp_path):
    text = "services: {web: {build: {context: 'https://example.com/a.git', dockerfile_inline: FROM a}}}\n"
    write(tmp_path, {"compose.yaml": text})
    with pytest.raises(Problem, match="no file here"):
        service(tmp_path, "web")
