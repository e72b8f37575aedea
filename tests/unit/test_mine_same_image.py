"""Whatever lines a Dockerfile has: what `make mine` makes of it builds the same image, or nothing is made of it."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from measure.base.dockerfiles import Dockerfile
from measure.base.errors import Problem
from measure.mine.editing import edited
from measure.mine.model import NextStep
from measure.mine.order import order_steps
from tests.model_of_build import CONTEXT, Fails, Machine, built
from tests.unit.test_mine_trying import report_with, step

#: The same ones each time.
ALIKE = settings(derandomize=True, deadline=None, max_examples=1000)
COPIES = [
    ". .", ". ./", ". /app", ". /app/", "app app", "app/ app/", "app /app", "app .", "app/ /srv/", "app/* app/",
    "main.py .", "main.py /srv/", "*.py ./", "requirements.txt .", "requirements.txt /app/", "tests tests",
    "requirements.txt main.py ./", "prod.txt requirements.txt", "req req", "req/ /app/req/", "app/requirements.txt ./",
    "req/base.txt req/prod.txt req/", "pyproject.toml poetry.lock ./", "config.json app/config.json",
    "--chown=web . .", "--chown=web app app", "--chmod=755 app app",
]  # fmt: skip
INSTALLS = [
    "pip install -r requirements.txt", "pip install -r ./requirements.txt", "pip install -r req/prod.txt",
    "pip install -r app/requirements.txt", "pip install -r /app/requirements.txt", "pip install flask",
    "pip install -r prod.txt", "pip install poetry && poetry install --no-root", "poetry install --no-root",
    "apt-get update && apt-get install -y git", "pip install -r requirements.txt && rm -rf /root/.cache",
    "pip install -r requirements.txt && mkdir -p logs", "pip install -r requirements.txt && echo A > .env",
    "pip install flask && ./prepare", "useradd -m web && pip install flask",
]  # fmt: skip
OTHERS = [
    "RUN ./prepare", "RUN mkdir -p logs", "RUN mkdir -p /app/logs", "RUN echo A > .env", "RUN useradd -m web",
    "USER web", "USER root", "RUN rm -rf tests", "RUN rm -rf /app/tests", "RUN sed -i 1d requirements.txt",
    "RUN chown -R web .", "RUN chown -R web /app", "RUN chmod -R 755 app", "WORKDIR /app", "WORKDIR /srv",
    "WORKDIR app", "ENV A=1", "RUN echo celery >> requirements.txt", "COPY --from=a /opt /opt",
]  # fmt: skip
OWNED = [
    "chown -R web .", "chown -R web:web /app", "chmod -R 755 app", "chown -R web /app /srv", "chmod 700 main.py",
    "useradd web && chown -R web /app", "mkdir -p logs && chown -R web .", "chown -R web app && rm -rf tests",
]  # fmt: skip
BROUGHT = [
    "requirements.txt /tmp/", "req /tmp/req", "requirements.txt /tmp/r.txt", "requirements.txt prod.txt /tmp/",
    "req/* /tmp/req/", "app/requirements.txt ./", "tests tests",
]  # fmt: skip
USED = [
    "pip install -r /tmp/requirements.txt", "pip install -r /tmp/req/prod.txt", "pip install -r /tmp/r.txt",
    "pip install -r requirements.txt", "pip install flask", "echo A > /tmp/a",
]  # fmt: skip
DELETED = [
    "rm /tmp/requirements.txt", "rm -rf /tmp/req", "rm -f /tmp/r.txt", "rm -rf /tmp", "rm -f /tmp/a", "rm -rf tests",
    "rm requirements.txt", "rm -rf /app/tests", "rm /tmp/requirements.txt /tmp/prod.txt",
]  # fmt: skip


def drawn(word: str, *values: str) -> some.SearchStrategy[list[str]]:
    """One line of these."""
    return some.sampled_from(values).map(lambda value: [f"{word} {value}"])


def lines(*parts: some.SearchStrategy[list[str]]) -> some.SearchStrategy[list[str]]:
    """Lines that build, between them up to three of any kind: those that end the build are left out."""
    any_line = some.one_of(
        drawn("COPY", *COPIES), drawn("RUN", *INSTALLS), some.sampled_from(OTHERS).map(lambda x: [x])
    )
    between = some.lists(any_line, max_size=3).map(lambda found: [line for one in found for line in one])
    every = [one for part in parts for one in (between, part)] + [between]
    return some.tuples(*every).map(lambda found: that_build([line for one in found for line in one]))


def that_build(every: list[str]) -> list[str]:
    """Those of the lines that do not end the build."""
    kept: list[str] = []
    for line in every:
        kept += [line] if machine_of(dockerfile_of([*kept, line])) else []
    return kept


def dockerfile_of(every: list[str]) -> Dockerfile:
    return Dockerfile("Dockerfile", "\n".join(["FROM python:3.14", *every, ""]))


def machine_of(dockerfile: Dockerfile) -> Machine | None:
    """What a Dockerfile makes; None where it does not build."""
    try:
        return built(dockerfile)
    except Fails:
        return None


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    """The build context on a disk, since lists name other lists."""
    folder = tmp_path_factory.mktemp("context")
    for name, content in CONTEXT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return {name: folder / name for name in CONTEXT}


def changed(dockerfile: Dockerfile, late: NextStep, files: Mapping[str, Path]) -> list[Dockerfile]:
    """What becomes of a Dockerfile, which builds the same image; none where a step takes a person."""
    try:
        made = edited(dockerfile, None, report_with(), late, files).text
    except Problem as problem:
        assert "not done by itself" in problem.what and problem.why and problem.next
        return []
    assert machine_of(Dockerfile("Dockerfile", made)) == machine_of(dockerfile), made
    return [Dockerfile("Dockerfile", made)]


def test_with_the_code_copied_last_the_same_image_is_built(files):
    done = []

    @ALIKE
    @given(lines(drawn("COPY", *COPIES), drawn("RUN", *INSTALLS)))
    def every_one(every):
        dockerfile = dockerfile_of(every)
        made = [one for late in order_steps(dockerfile, None) for one in changed(dockerfile, late, files)]
        assert not [late for one in made for late in order_steps(one, None)], made
        done.extend(made)

    every_one()
    assert len(done) > 100


def test_with_owners_and_modes_set_on_arrival_the_same_image_is_built(files):
    done = []

    @ALIKE
    @given(lines(drawn("COPY", *COPIES), drawn("RUN", *OWNED)))
    def every_one(every):
        dockerfile = dockerfile_of(every)
        for line, by in machine_of(dockerfile).changed.items():
            made = [f"Dockerfile:{one}" for one in sorted(by)]
            done.extend(changed(dockerfile, step("written twice", f"Dockerfile:{line}", made), files))

    every_one()
    assert len(done) > 50


def test_with_what_is_deleted_mounted_or_deleted_at_once_the_same_image_is_built(files):
    done = []

    @ALIKE
    @example(["COPY app/requirements.txt ./", "RUN echo A > /tmp/a", "RUN pip install -r requirements.txt",
              "COPY . .", "RUN rm -f /tmp/a"])  # fmt: skip
    @given(lines(drawn("COPY", *BROUGHT), drawn("RUN", *USED), drawn("RUN", *DELETED)))
    def every_one(every):
        dockerfile = dockerfile_of(every)
        for line, by in machine_of(dockerfile).deleted.items():
            made = ", ".join(f"Dockerfile:{one}" for one in sorted(by))
            done.extend(changed(dockerfile, step("hidden files", made, [f"Dockerfile:{line}"]), files))

    every_one()
    assert len(done) > 20
