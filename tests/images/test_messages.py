"""Messages of the builder, the engine and of what runs in a container, each provoked and read; words are the lab's."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import uuid
from pathlib import Path

import pytest

from measure.base.errors import Problem
from measure.build.engine import driver
from measure.run.step import provide_bases
from measure.steps.compose import all_steps, find_step
from tests.conftest import NATIVE, OTHER, eventually, run
from tests.unit.test_messages import MESSAGES, seen

pytestmark = pytest.mark.study

NAME = "messages-of-tools"
SLIM = find_step("step-3").variant("recommended")
FULL = next(one for step in all_steps() for one in step.variants if one.external_images == ["python:3.14"])
ALPINE = find_step("step-4").variant("alpine")
#: What fails when it is started, each for a reason of its own.
BROKEN = r"""
FROM python:3.14-slim
RUN pip install --no-cache-dir --root-user-action ignore gunicorn==27.0.1
RUN install -d /opt/venv/bin /app && printf '#!/nowhere/python\n' > /opt/venv/bin/gunicorn \
    && printf '#!/bin/sh\r\n' > /windows && printf '\001\002' > /garbage && echo true > /script \
    && chmod 755 /opt/venv/bin/gunicorn /windows /garbage \
    && install -m 600 /dev/null /app/gunicorn.conf.py \
    && install -D -m 600 /dev/null /run/secrets/database-password
WORKDIR /app
USER 10001
"""


@pytest.fixture(scope="module")
def lab(engine):
    """The lab's engine with the bases that are needed here; other engines' words may be others."""
    if engine.kind != "lab":
        pytest.skip("the words are those of the lab's engine; run it with ENGINE=lab")
    provide_bases(engine, [(FULL, NATIVE), (SLIM, NATIVE)])
    return engine


@pytest.fixture
def build(lab, docker, tmp_path):
    """What the builder prints for a Dockerfile in a folder that has nothing else in it."""

    def call(dockerfile: str, *options: str, **environment: str) -> str:
        (tmp_path / "Dockerfile").write_text(dockerfile)
        words = ("build", "--tag", NAME, *options, ".")
        done = docker(*words, cwd=tmp_path, env={**os.environ, "BUILDKIT_PROGRESS": "plain", **environment})
        return done.stdout + done.stderr

    yield call
    docker("image", "rm", "--force", NAME)


@pytest.fixture(scope="module")
def broken(lab, docker, tmp_path_factory):
    """The image of all that fails when it is started."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "Dockerfile").write_text(BROKEN)
    built = docker("build", "--quiet", "--tag", f"{NAME}-broken", ".", cwd=folder)
    assert built.returncode == 0, built.stderr
    yield f"{NAME}-broken"
    docker("image", "rm", "--force", f"{NAME}-broken")


@pytest.fixture
def started(docker):
    """What `docker run --rm` prints."""

    def call(*words: str) -> str:
        done = docker("run", "--rm", *words)
        return done.stdout + done.stderr

    return call


@pytest.fixture
def composed(docker, lab, tmp_path):
    """Compose, in a folder with this compose file."""
    project = f"{NAME}-{uuid.uuid4().hex[:8]}"

    def call(text: str, *words: str) -> str:
        (tmp_path / "compose.yaml").write_text(text)
        done = docker("compose", "--project-name", project, *words, cwd=tmp_path)
        return done.stdout + done.stderr

    yield call
    docker("compose", "--project-name", project, "down", "--timeout", "0", "--volumes", "--rmi", "local", cwd=tmp_path)


def test_a_client_without_an_engine_says_so(lab, docker, tmp_path):
    nowhere = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/nowhere"}
    seen("no-daemon", docker("ps", env=nowhere).stderr)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_user_who_may_not_is_told(lab):
    with socket.socket(socket.AF_UNIX) as server:
        folder = Path(f"/tmp/{NAME}-{uuid.uuid4().hex[:8]}")
        folder.mkdir(mode=0o755)
        try:
            server.bind(str(folder / "socket"))
            server.listen()
            (folder / "socket").chmod(0o600)
            client = shutil.copy(Path(lab.docker.client_config.client_call[0]).resolve(), folder / "docker")
            environment = {"PATH": os.defpath, "HOME": "/", "DOCKER_HOST": f"unix://{folder}/socket"}
            refused = run("setpriv", "--reuid", "10001", "--clear-groups", client, "ps", env=environment)
        finally:
            shutil.rmtree(folder)
    seen("no-permission-for-the-socket", refused.stderr)


def test_a_client_without_plugins_says_so(lab, docker, tmp_path):
    without = {**os.environ, "DOCKER_CONFIG": str(tmp_path)}
    seen("no-compose", docker("compose", "up", env=without).stderr)
    seen("no-compose-shorthand", docker("compose", "-f", "compose.yaml", "up", env=without).stderr)
    seen("buildx-missing", docker("build", ".", env={**without, "DOCKER_BUILDKIT": "1"}, cwd=tmp_path).stderr)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("platform-empty", "FROM --platform=$BUILDPLATFORM python:3.14-slim"),
        ("mount-needs-buildkit", "FROM python:3.14-slim\nRUN --mount=type=cache,target=/cache true"),
        ("chmod-needs-buildkit", "FROM python:3.14-slim\nCOPY --chmod=644 Dockerfile /"),
    ],
)
def test_the_builder_of_old_says_what_it_does_not_know(build, name, line):
    output = build(line, DOCKER_BUILDKIT="0")
    seen("legacy-builder", output)
    seen(name, output)


def test_the_builder_of_old_ignores_the_rest_without_a_word(build):
    """What the page says of it: the option is ignored, the here-document does nothing, and the build succeeds."""
    output = build("FROM python:3.14-slim\nCOPY --link Dockerfile /\nRUN <<END\nfalse\nEND\n", DOCKER_BUILDKIT="0")
    assert "Successfully built" in output


FAILING = {
    "not-in-the-context": ("FROM python:3.14-slim\nCOPY nothing /\n", ()),
    "no-match-for-platform": ("FROM --platform=linux/s390x python:3.14-slim\nRUN true\n", ()),
    "secret-not-found": ("FROM python:3.14-slim\nRUN --mount=type=secret,id=token,required=true true\n", ()),
    "manifest-lists": (
        "FROM scratch\nCOPY Dockerfile /\n",
        ("--platform", "linux/amd64,linux/arm64", "--output", "type=docker,dest=image.tar"),
    ),
}


@pytest.mark.parametrize("name", FAILING)
def test_the_builder_says_what_is_wrong(build, name):
    dockerfile, options = FAILING[name]
    seen(name, build(dockerfile, *options))


def test_a_secret_that_is_not_required_is_silently_empty(build):
    """What the page says of it."""
    line = 'RUN --mount=type=secret,id=token echo "token <$(cat /run/secrets/token 2> /dev/null)>"'
    assert "token <>" in build(f"FROM python:3.14-slim\n{line}\n", "--no-cache")


def test_a_builder_that_is_not_there_is_told(lab):
    with pytest.raises(Problem) as problem:
        driver(str(lab.docker.client_config.client_call[0]), "nothing")
    seen("no-builder", problem.value.what)


def test_a_second_engine_of_the_same_driver_is_refused(lab, docker):
    seen("second-docker-driver", docker("buildx", "create", "--driver", "docker").stderr)


IN_SLIM = {
    "apt-resolving": ("--network", "none", "apt-get update"),
    "unable-to-locate": ("--network", "none", "apt-get install --yes gcc"),
    "shared-libraries": ("rm /usr/lib/*/libselinux.so.1; ls",),
    "uid-max": ("useradd --system --no-create-home --uid 10001 app",),
    "root-user": ("pip install pip",),
    "poetry-not-found": ("poetry run gunicorn",),
}


@pytest.mark.parametrize("name", IN_SLIM)
def test_what_a_slim_image_lacks_is_told(lab, started, name):
    *options, command = IN_SLIM[name]
    seen(name, started(*options, "python:3.14-slim", "sh", "-c", command))


def test_two_apts_at_once_are_told(lab, started):
    script = """import fcntl, subprocess
with open("/var/cache/apt/archives/lock", "w") as lock:
    fcntl.lockf(lock, fcntl.LOCK_EX)
    subprocess.run(["apt-get", "clean"])"""
    seen("apt-lock", started("python:3.14-slim", "python", "-c", script))


IN_FULL = {
    "assert-h": "echo '#include <assert.h>' | gcc -nostdinc -isystem /opt -x c -c -o /dev/null -",
    "python-h": "echo '#include <Python.h>' | gcc -x c -c -o /dev/null -",
    "libpq": "rm /usr/lib/*/libpq.so.5*; cd /tmp; echo > x.c; gcc -shared -o libpq.so.5 x.c"
    " && gcc -shared -o x.so x.c -Wl,--no-as-needed -L. -l:libpq.so.5 && rm libpq.so.5; python -c 'import x'",
}


@pytest.mark.parametrize("name", IN_FULL)
def test_what_compiling_and_running_lack_is_told(lab, started, name):
    output = started("python:3.14", "sh", "-c", IN_FULL[name])
    seen(name, output)
    if name == "libpq":
        seen("cannot-open-shared-object", output)


@pytest.mark.alpine
def test_what_alpine_lacks_is_told(lab, started):
    provide_bases(lab, [(ALPINE, NATIVE)])
    library = "import ctypes; ctypes.CDLL('libstdc++.so.6')"
    seen("libstdc", started("python:3.14-alpine", "python", "-c", library))


STARTED = {
    "exec-format-error": ("/garbage",),
    "exec-no-such-file": ("/windows",),
    "exec-no-loader": ("/opt/venv/bin/gunicorn",),
    "exec-permission-denied": ("/script",),
    "executable-not-found": ("nothing",),
    "config-unreadable": ("gunicorn", "app:app"),
    "secret-unreadable": ("python", "-c", "open('/run/secrets/database-password')"),
    "permission-as-user": ("python", "-c", "open('/app/data', 'w')"),
}


@pytest.mark.arm64
def test_an_image_for_another_processor_is_told_where_nobody_asked_for_it(lab, build, started):
    provide_bases(lab, [(SLIM, OTHER)])
    build("FROM python:3.14-slim\n", "--platform", OTHER)
    seen("other-platform", started(NAME, "true"))
    assert started("--platform", OTHER, NAME, "true") == ""


@pytest.mark.parametrize("name", STARTED)
def test_what_cannot_start_is_told(broken, started, name):
    seen(name, started(broken, *STARTED[name]))


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("read-only", "open('/app/data', 'w')"),
        ("no-temporary", "import tempfile; tempfile.gettempdir()"),
    ],
)
def test_a_read_only_disk_is_told(broken, started, name, script):
    seen(name, started("--read-only", broken, "python", "-c", script))


def test_gunicorn_says_that_its_user_has_no_home(broken, docker):
    script = "import gunicorn.app.wsgiapp as app; app.run()"
    words = (
        "--workdir",
        "/tmp",
        "--env",
        "HOME=/nowhere",
        broken,
        "python",
        "-c",
        script,
        "wsgiref.simple_server:demo_app",
    )
    container = docker("run", "--detach", *words).stdout.strip()
    try:
        eventually(lambda: MESSAGES["control-server"].is_in(docker("logs", container).stderr),
                   told=lambda: docker("logs", container).stderr)  # fmt: skip
        seen("control-server", docker("logs", container).stderr)
    finally:
        docker("rm", "--force", container)


def test_a_port_that_is_taken_is_told(broken, docker, started):
    container = docker("run", "--detach", "--publish", "127.0.0.1::8000", broken, "sleep", "60").stdout.strip()
    try:
        port = docker("port", container, "8000").stdout.strip().rpartition(":")[2]
        seen("port-allocated", started("--publish", f"127.0.0.1:{port}:8000", broken, "true"))
    finally:
        docker("rm", "--force", container)


def test_compose_says_that_a_file_is_not_there(composed):
    seen("bind-source", composed("""
services:
  app: {image: "python:3.14-slim", command: ["true"], secrets: [password]}
secrets:
  password: {file: nothing.txt}
""", "up"))  # fmt: skip


def test_compose_waits_for_a_health_check_that_is_switched_off(composed):
    worker = "services: {worker: {image: python:3.14-slim, command: [sleep, '60'], init: true, HEALTH}}"
    seen("wait-without-check", composed(worker.replace("HEALTH", "healthcheck: {disable: true}"), "up", "--wait"))
    assert "no healthcheck" not in composed(worker.replace(", HEALTH", ""), "up", "--wait")


def test_compose_says_that_a_value_in_braces_has_a_question_mark(composed):
    written = "services: {db: {image: x, environment: {URL: postgresql://db/app?sslmode=require}}}"
    seen("compose-braces", composed(written, "config"))
    quoted = written.replace("postgresql://db/app?sslmode=require", '"postgresql://db/app?sslmode=require"')
    assert "sslmode=require" in composed(quoted, "config")


def test_compose_says_that_what_it_waited_for_is_unhealthy(composed):
    seen("dependency-failed", composed("""
services:
  database:
    image: python:3.14-slim
    command: [sleep, "60"]
    healthcheck: {test: [CMD, "false"], interval: 0.2s, retries: 1}
  app:
    image: python:3.14-slim
    command: ["true"]
    depends_on: {database: {condition: service_healthy}}
""", "up"))  # fmt: skip


WATCHED = """
services:
  app:
    build:
      context: .
      dockerfile_inline: |
        FROM python:3.14-slim
        COPY src /app/src
        USER 10001
    init: true
    command: [sleep, "120"]
    develop:
      watch: [{action: sync, path: src, target: /app/src}]
"""


def test_watch_says_that_the_user_may_not(composed, docker, lab, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/one.py").write_text("1")
    output = composed(WATCHED, "up", "--build", "--detach")
    name = next(word for word in output.split() if word.startswith(NAME) and word.endswith("-app-1"))
    project, log = name.removesuffix("-app-1"), tmp_path / "watch.log"
    command = [lab.docker.client_config.client_call[0], "compose", "--project-name", project, "watch", "--no-up"]
    with log.open("w") as file:
        watching = subprocess.Popen(command, cwd=tmp_path, stdout=file, stderr=file, stdin=subprocess.DEVNULL)

    def told() -> str:
        return log.read_text().replace('\\"', '"')

    try:
        eventually(lambda: "Watch enabled" in told(), told=told)
        time.sleep(1)  # it says so before it looks
        (tmp_path / "src/one.py").write_text("2")
        eventually(lambda: MESSAGES["getent"].is_in(told()), told=told)
        (tmp_path / "src/one.py").rename(tmp_path / "src/two.py")
        eventually(lambda: MESSAGES["watch-remove"].is_in(told()), told=told)
    finally:
        watching.kill()
        watching.wait()


@pytest.mark.postgres
def test_a_database_keeps_its_first_password(composed):
    provided = find_step("extra-compiling-deps").variant("recommended")
    assert "postgres:17" in provided.images
    compose = """
services:
  database:
    image: postgres:17
    environment: {POSTGRES_PASSWORD: first}
    healthcheck: {test: [CMD, pg_isready, --host, 127.0.0.1], interval: 0.3s, retries: 200}
"""
    composed(compose, "up", "--detach", "--wait")
    ask = ("exec", "-T", "--env", "PGPASSWORD=second", "database", "sh", "-c")
    seen("password", composed(compose, *ask, "psql --host $(hostname) --username postgres --command 'SELECT 1'"))
