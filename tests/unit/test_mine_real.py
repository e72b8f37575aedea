"""Shapes that the Dockerfiles and compose files of many public applications have, in words of our own."""

import json
import os
import re

import pytest
from typer.testing import CliRunner

from measure.base.dockerfiles import Dockerfile
from measure.base.errors import Problem
from measure.mine import cli, order
from measure.mine.editing import edited
from measure.mine.reporting import Asked, report
from measure.mine.services import Build, service
from tests.images_by_hand import SITE, package
from tests.model_of_build import sent
from tests.unit.test_mine_others import BLOCKS, NOISE, steps, weigh
from tests.unit.test_mine_trying import PYTEST, report_with, step

pytestmark = pytest.mark.usefixtures("cache")


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


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("COPY . /app\nRUN apt-get update && apt-get install -y gcc\nRUN pip install -U pip\nRUN pip install -r r.txt",
         (3, 4, 5)),
        ("COPY . .\nRUN pip install poetry\nRUN poetry install", (3, 4)),
        ("COPY . .\nRUN apk add --no-cache git", (3,)), ("COPY ./* /app/\nRUN pip install -r /app/r.txt", (3,)),
        ("COPY . .\nRUN pip install a\nRUN pip install -r r.txt\nRUN pip install -e .[b]", (3, 4)),
        ("RUN apt-get install -y gcc\nCOPY . .\nRUN apt-get purge -y gcc", ()),
        ("RUN uv pip install -r r.txt\nCOPY . .\nRUN pip install -e .", ()),
        ("RUN poetry install --no-root\nCOPY . .\nRUN pip install .", ()),
        ("RUN conda env create -f e.yml\nCOPY . .\nRUN pip install -e .", ()),
        ("RUN conda create -n e python=3.14\nCOPY . .\nRUN pip install .", (4,)),
        ("RUN pip install -r r.txt\nCOPY . .\nRUN pip install flask\nRUN useradd a\nRUN playwright install", (4, 6)),
    ],
)  # fmt: skip
def test_every_line_that_installs_after_the_code_is_named(tmp_path, text, lines):
    write(tmp_path, {"Dockerfile": f"FROM a\n{text}\n"})
    made = report(Asked(folder=tmp_path, dockerfile=tmp_path / "Dockerfile", subject="."))
    where = ", ".join(f"Dockerfile:{line}" for line in lines)
    assert [one.where for one in made.next_steps] == ([where] if where else [])


def test_what_several_lines_install_after_the_code_is_sent_again_together(tmp_path):
    lines = ["COPY . /app", "RUN apt-get install -y a", "RUN pip install -U pip", "RUN pip install -r r.txt"]
    own = {"app/a": b"1"}, {"usr/a": NOISE}, {"b": b"1"}, {f"{SITE}/c": NOISE}
    one = steps(weigh(tmp_path, *own, lines=lines, text="\n".join(["FROM a", *lines])))["order of lines"]
    assert (one.where, one.other_bytes > 2 * len(NOISE)) == ("Dockerfile:3, Dockerfile:4, Dockerfile:5", True)


#: What a step is about, the Dockerfile, and what becomes of it; None where that takes a person.
DONE = {
    "the code is copied after all that installs": (
        "order of lines", "", [],
        "COPY . /app\nWORKDIR /app\nRUN apt-get install -y gcc\nRUN pip install -U pip\n"
        "RUN pip install -r requirements.txt\nCMD x\n",
        "WORKDIR /app\nRUN apt-get install -y gcc\nRUN pip install -U pip\nCOPY requirements.txt ./\n"
        "RUN pip install -r requirements.txt\nCOPY . /app\nCMD x\n",
    ),
    "the tool, then what it installs": (
        "order of lines", "", [], "COPY . .\nRUN pip install pipenv\nRUN pipenv install --system --deploy\n",
        "RUN pip install pipenv\nCOPY Pipfile Pipfile.lock ./\nRUN pipenv install --system --deploy\nCOPY . .\n",
    ),
    "a list among the code": (
        "order of lines", "", [], "COPY . /app\nWORKDIR /app/web\nRUN pip install -r requirements.txt\n",
        "WORKDIR /app/web\nCOPY web/requirements.txt /app/web/requirements.txt\nRUN pip install -r requirements.txt\n"
        "COPY . /app\n",
    ),
    "lists of packages that another line reads": (
        "caches", "Dockerfile:2", ["/var/lib/apt/lists"],
        "RUN apt-get update\nRUN apt-get install -y gcc\nRUN pip install a\n",
        "RUN --mount=type=cache,target=/var/lib/apt/lists,sharing=locked apt-get update\n"
        "RUN --mount=type=cache,target=/var/lib/apt/lists,sharing=locked apt-get install -y gcc\nRUN pip install a\n",
    ),
    "two lines that read lists of packages": (
        "caches", "Dockerfile:2, Dockerfile:3", ["/var/lib/apt/lists"],
        "RUN apt-get update && apt-get install -y gcc\nRUN apt-get update && apt-get install -y git\n",
        "RUN --mount=type=cache,target=/var/lib/apt/lists,sharing=locked apt-get update && apt-get install -y gcc\n"
        "RUN --mount=type=cache,target=/var/lib/apt/lists,sharing=locked apt-get update && apt-get install -y git\n",
    ),
    "what may need the code stands between": (
        "order of lines", "", [],
        "COPY . .\nRUN pip install a\nRUN ./configure\nRUN pip install -r requirements.txt\n",
        "RUN pip install a\nCOPY requirements.txt ./\nRUN pip install -r requirements.txt\nCOPY . .\nRUN ./configure\n",
    ),
    "what replaces code stands between": (
        "order of lines", "", [], "COPY . .\nCOPY prod.py a.py\nRUN pip install -r requirements.txt\n",
        "COPY requirements.txt ./\nRUN pip install -r requirements.txt\nCOPY . .\nCOPY prod.py a.py\n",
    ),
    "a line that installs, and works with the code": (
        "order of lines", "", [], "COPY . .\nRUN pip install -r r.txt && python manage.py collectstatic\n", None
    ),
    "a line that installs, and deletes some of the code": (
        "order of lines", "", [], "COPY . .\nRUN pip install -r r.txt && rm -rf /tmp/x tests\n", None
    ),
    "a line of the distribution's, that works with the code": (
        "order of lines", "", [], "COPY . .\nRUN apt-get install -y gettext; ./manage.py compilemessages\n", None
    ),
    "packages that a file of the code names, and a list": (
        "order of lines", "", [], "COPY . .\nRUN apt-get install -y $(cat apt.txt) && pip install -r r.txt\n", None
    ),
    "an assignment and a pipe": (
        "order of lines", "", [], "COPY . .\nRUN A=1 pip install -r r.txt && curl x | sh\n", None
    ),
    "what installs is fetched": ("order of lines", "", [], "COPY . .\nRUN curl x | sh\nRUN pip install a\n", None),
    "an environment is made between": (
        "order of lines", "", [],
        "COPY . .\nRUN python -m venv /v\nENV PATH=/v/bin:$PATH\nRUN pip install -r requirements.txt\n", None
    ),
    "what installs is copied between": (
        "order of lines", "", [], "COPY . .\nCOPY --from=uv /uv /bin/\nRUN uv pip install -r requirements.txt\n", None
    ),
    "where packages come from is said between": (
        "order of lines", "", [], "COPY . .\nRUN echo x >> /etc/apt/sources.list\nRUN apt-get install -y git\n", None
    ),
    "somebody else installs": (
        "order of lines", "", [], "COPY . .\nRUN ./x\nUSER app\nRUN pip install -r requirements.txt\n", None
    ),
    "curl is installed between": (
        "order of lines", "", [],
        "COPY . .\nRUN ./x\nRUN apt-get install -y curl\nRUN pip install -r requirements.txt\n",
        "RUN apt-get install -y curl\nCOPY requirements.txt ./\nRUN pip install -r requirements.txt\nCOPY . .\n"
        "RUN ./x\n",
    ),
    "the code would arrive elsewhere": (
        "order of lines", "", [], "COPY . .\nWORKDIR /app\nRUN pip install -r requirements.txt\n", None
    ),
    "installed and deleted in one line": (
        "hidden files", "Dockerfile:2", ["Dockerfile:3"],
        "COPY --from=b /app/wheels /wheels\nRUN pip install /wheels/* && rm -rf /wheels /tmp/r.txt && mkdir /data\n",
        "RUN --mount=type=bind,from=b,source=/app/wheels,target=/wheels pip install /wheels/* && mkdir /data\n",
    ),
    "two that are copied and deleted in one line": (
        "hidden files", "Dockerfile:2, Dockerfile:3", ["Dockerfile:4"],
        "COPY a /a\nCOPY b /b\nRUN pip install /a /b && rm -r /a && rm -r /b\n",
        "RUN --mount=type=bind,source=b,target=/b --mount=type=bind,source=a,target=/a pip install /a /b\n",
    ),
    "an image's file": (
        "hidden files", "Dockerfile:2", ["Dockerfile:3"], "COPY --from=i:1 /x /x\nRUN /x && rm /x\n",
        "RUN --mount=type=bind,from=i:1,source=/x,target=/x /x\n",
    ),
    "two that are copied to one place": (
        "hidden files", "Dockerfile:2, Dockerfile:3", ["Dockerfile:4"],
        "COPY a /w\nCOPY b /w\nRUN pip install /w/* && rm -r /w\n", None
    ),
    "an option of the line, and all wheels of a folder": (
        "hidden files", "Dockerfile:2", ["Dockerfile:3"],
        "COPY --from=b /dist/*.whl /tmp/dist/\n"
        "RUN --mount=type=cache,target=/c rm -f /x && pip install /tmp/dist/*.whl && rm -rf /tmp/dist\n",
        "RUN --mount=type=bind,from=b,source=/dist,target=/tmp/dist --mount=type=cache,target=/c "
        "rm -f /x && pip install /tmp/dist/*.whl\n",
    ),
    "an upgrade in a line with a mount": (
        "an upgraded pip", "Dockerfile:2", [],
        "RUN --mount=type=cache,target=/root/.cache/pip pip install -U pip && pip install -r r.txt\n",
        "RUN --mount=type=cache,target=/root/.cache/pip pip install -r r.txt\n",
    ),
    "a part of the code is deleted": (
        "hidden files", "Dockerfile:3", ["Dockerfile:4"], "WORKDIR /app\nCOPY . .\nRUN rm -rf .git /app/tests\n", None
    ),
    "a user and folders of its own": (
        "written twice", "Dockerfile:4", ["Dockerfile:3"],
        "WORKDIR /app\nCOPY . .\nRUN mkdir data && useradd -m app && chown -R app:app /app && chmod +x start.sh\n",
        "WORKDIR /app\nRUN useradd -m app\nCOPY --chown=app:app . .\n"
        "RUN mkdir data && find /app ! -user app -exec chown -h app:app {} + && chmod +x start.sh\n",
    ),
    "a part of what a line copies is changed": (
        "written twice", "Dockerfile:3", ["Dockerfile:2"], "COPY . /app\nRUN chown -R 1000 /app/data\n", None
    ),
    "a group alone": ("written twice", "Dockerfile:3", ["Dockerfile:2"], "COPY . /a\nRUN chown -R :a /a\n", None),
    "a file that is copied into a folder": (
        "written twice", "Dockerfile:3", ["Dockerfile:2"], "COPY ./x/y /usr/bin/\nRUN chmod 755 /usr/bin/y\n",
        "COPY --chmod=755 ./x/y /usr/bin/\n",
    ),
    "a folder that everybody may write in": (
        "written twice", "Dockerfile:4", ["Dockerfile:3"], "WORKDIR /app\nCOPY . .\nRUN chmod -R 777 /app\n",
        "WORKDIR /app\nCOPY --chmod=777 . .\nRUN find /app ! -type l ! -perm 777 -exec chmod 777 {} +\n",
    ),
    "a working folder of another stage, and files that a line made": (
        "written twice", "Dockerfile:5", ["Dockerfile:3", "Dockerfile:4"],
        "USER root\nCOPY . .\nRUN ./collect\nRUN chown -R 1000 /app\n",
        "USER root\nCOPY --chown=1000:0 . .\nRUN ./collect && find /app ! -user 1000 -exec chown -h 1000 {} +\n"
        "RUN find /app ! -user 1000 -exec chown -h 1000 {} +\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DONE)
def test_a_step_is_done_to_what_people_have(name):
    kind, where, of, before, after = DONE[name]
    stages = "FROM a AS b\nRUN x\n" if "--from=b" in before else ""
    moved = stages.count("\n")
    where, *of = (re.sub(r"(?<=Dockerfile:)\d+", lambda at: f"{int(at[0]) + moved}", one) for one in (where, *of))
    dockerfile, files = Dockerfile("Dockerfile", f"{stages}FROM a\n{before}"), sent(before, after or "")
    if after is None:
        with pytest.raises(Problem, match="not done by itself"):
            edited(dockerfile, None, report_with(), step(kind, where, of), files)
        return
    assert edited(dockerfile, None, report_with(), step(kind, where, of), files).text == f"{stages}FROM a\n{after}"


def test_an_installed_tool_is_taken_from_its_own_environment():
    """The base has a pip too, and as much as that weighs it stands before the tool in the report."""
    places = {"pip": "/usr/local/lib/python3.14/site-packages", "poetry": "/x/pipx/venvs/poetry/lib/python3.14/s"}
    found = [PYTEST.model_copy(update={"name": name, "location": place}) for name, place in places.items()]
    dockerfile = Dockerfile("Dockerfile", "FROM a\nRUN pipx install poetry\n")
    draft = edited(dockerfile, None, report_with(*found), step("development tools", "Dockerfile:2", ["pip", "poetry"]))
    assert "--python /x/pipx/venvs/poetry/bin/python uninstall --yes pip poetry" in draft.text


def test_what_is_copied_and_deleted_again_is_best_not_copied(tmp_path):
    lines = ["COPY . /app", "RUN rm -rf /app/tests"]
    own = {"app/tests/a": NOISE, "app/b": b"1"}, {"app/.wh.tests": b""}
    one = steps(weigh(tmp_path, *own, lines=lines, text="\n".join(["FROM a", *lines])))["hidden files"]
    assert "name in .dockerignore" in one.what and "line that makes them" not in one.what
    lines[0] = "COPY --from=x /app /app"
    one = steps(weigh(tmp_path / "b", *own, lines=lines, text="\n".join(["FROM x", "FROM a", *lines])))["hidden files"]
    assert "RUN --mount=type=bind" in one.what and "line that makes them" not in one.what


def test_packages_that_are_copied_over_those_of_the_base(tmp_path):
    """Another stage's site-packages hold the base's pip too, and the base keeps its own."""
    site = "usr/local/lib/python3.14/site-packages"
    base = package("pip", {"pip/a.py": NOISE}, site=site) | package("setuptools", {"s/a.py": NOISE}, site=site)
    own, lines = base | package("flask", {"flask/a.py": NOISE}, site=site), [f"COPY --from=b /{site} /{site}"]
    found = steps(weigh(tmp_path, own, lines=lines, base=base))
    assert list(found) == ["written twice"]
    assert "virtual environment" in found["written twice"].what
    assert 2 * BLOCKS < found["written twice"].unpacked_tar_bytes < 2 * BLOCKS + 10_000


def test_the_history_of_a_repository_that_a_line_clones(tmp_path):
    own = {"src/.git/objects/a": NOISE, "src/a.py": NOISE}
    for number, line in enumerate(("RUN git clone --depth 1 https://example.com/a /src", "RUN pip install git+x@y")):
        one = steps(weigh(tmp_path / str(number), own, lines=[line]))["git history"]
        assert (one.unpacked_tar_bytes, "delete .git in the line" in one.what) == (BLOCKS, True)
    assert steps(weigh(tmp_path / "c", own, lines=["COPY --from=b /src /src"])) == {}
    assert set(steps(weigh(tmp_path / "d", own, lines=["COPY . /src"]))) == {"ignore file"}


def test_an_installer_that_was_copied_from_its_image_is_a_program(tmp_path):
    own, lines = {"bin/uv": NOISE, "bin/uvx": b"x", "app/bin/uv.py": NOISE}, ["COPY --from=uv /uv /uvx /bin/"]
    one = steps(weigh(tmp_path, own, lines=lines, settings={"Cmd": ["uvicorn", "app:app"]}))["programs"]
    assert (one.of, one.unpacked_tar_bytes) == (["uv", "uvx"], BLOCKS + 1024)
    assert steps(weigh(tmp_path / "b", own, lines=lines, settings={"Cmd": ["uv", "run", "a.py"]})) == {}
    assert steps(weigh(tmp_path / "c", {"a": b"1"}, base=own)) == {}, "the base's is left to it"
    of_pip = package("uv", {"../../../bin/uv": NOISE})
    assert set(steps(weigh(tmp_path / "d", of_pip | {"opt/venv/bin/uv": NOISE}))) == {"development tools"}


def test_the_environment_of_an_installed_tool_goes_with_the_tool(tmp_path):
    """Poetry's own installer and pipx make one, with a pip of its own."""
    base = package("pip", {"pip/a.py": b"x"}, site="usr/local/lib/python3.14/site-packages")
    for number, place in enumerate(("etc/poetry/venv", "root/.local/share/pypoetry/venv", "x/pipx/venvs/poetry")):
        site = f"{place}/lib/python3.14/site-packages"
        own = package("pip", {"pip/b.py": NOISE}, site=site) | package("poetry", {"poetry/a.py": NOISE}, site=site)
        found = steps(weigh(tmp_path / str(number), own, base=base))
        assert {name: one.of for name, one in found.items()} == {"development tools": ["pip", "poetry"]}
        runs = {"Cmd": ["poetry", "run", "a"]}
        assert steps(weigh(tmp_path / f"{number}-runs", own, base=base, settings=runs)) == {}
    site = "root/.cache/pypoetry/virtualenvs/a-py3.14/lib/python3.14/site-packages"
    own = package("pip", {"pip/b.py": NOISE}, site=site)
    assert set(steps(weigh(tmp_path / "own", own, base=base))) == {"a second pip"}


@pytest.mark.parametrize("command", [["./start.sh"], ["sh", "/docker-entrypoint.sh"], ["/entrypoint", "web"]])
def test_a_script_may_call_a_tool_that_the_image_does_not_name(tmp_path, command):
    own = package("poetry", {"poetry/a.py": NOISE})
    one = steps(weigh(tmp_path, own, settings={"Entrypoint": command}))["development tools"]
    assert one.what.startswith(f"unless {command[-1] if 'web' not in command else command[0]} calls them, leave out")
    assert steps(weigh(tmp_path / "b", own))["development tools"].what.startswith("leave out")


@pytest.mark.parametrize(
    ("command", "shell"),
    [
        ("source activate e && exec python a.py", False), ("set -e; exec gunicorn a:b --log '|'", False),
        ("python manage.py migrate && gunicorn a", True), ("echo exec && gunicorn a", True),
        ("exec  2>&1; gunicorn a", True),
    ],
)  # fmt: skip
def test_a_shell_that_is_replaced_at_the_end_hands_signals_on(tmp_path, command, shell):
    assert weigh(tmp_path, {"a": b"1"}, settings={"Cmd": ["sh", "-c", command]}).facts.shell_form is shell


@pytest.mark.parametrize(
    "installs",
    [
        "xargs apt-get install -y < apt.txt",
        "apt-get install -y $(cat apt.txt)",
        "apt-get install -y ./tool.deb",
        "apk add --allow-untrusted tool.apk",
    ],
)
def test_packages_that_come_with_the_code_are_installed_after_it(installs):
    lines = Dockerfile("Dockerfile", f"FROM a\nCOPY . .\nRUN apt-get update && {installs}\n").structure
    assert order.late_installs(lines[1:]) == []
    lines = Dockerfile("Dockerfile", "FROM a\nCOPY . .\nRUN apt-get update && apt-get install -y git\n").structure
    assert [one.first for one in order.late_installs(lines[1:])] == [3]
