"""Step 3: hashes are checked, what should not ship does not, and the recommended image runs with nothing to spare."""

import contextlib
import dataclasses
import re
import threading
import time
from pathlib import Path

import httpx
import pytest

from measure import build as builder
from measure.build import BuildError, clean_copy
from measure.dockerfiles import external_images
from measure.probe import running, wait_for
from measure.steps import Step, find_step
from tests.conftest import changed, everything_in

STEP = find_step("step-3")
HARDENED = {
    "read_only": True,
    "tmpfs": [Path("/tmp")],
    "cap_drop": ["ALL"],
    "security_options": ["no-new-privileges"],
}


@pytest.fixture(autouse=True, scope="module")
def bases_are_there(engine):
    engine.provide(sorted({image for v in STEP.variants for image in external_images(v.dockerfile)}), ["linux/amd64"])


@pytest.fixture
def recommended(image) -> str:
    """Name of the recommended image in the engine."""
    return image(STEP, STEP.recommended, "linux/amd64")


@pytest.fixture
def folder():
    """A copy of the step's folder to change."""
    with clean_copy(STEP.folder) as copy:
        yield copy


@pytest.mark.parametrize("name", ["export", "recommended"])
def test_pip_refuses_a_package_that_is_not_the_one_that_was_locked(engine, folder, name):
    lock = folder / "poetry.lock"
    block = re.search(r'name = "flask"\n.*?\n\]\n', lock.read_text(), re.DOTALL)[0]
    tampered = re.sub(r"sha256:(\w{4})", "sha256:0000", block)
    copy = Step(STEP.name, folder)
    with changed(lock, block, tampered), pytest.raises(BuildError) as failure:
        builder.load_into_engine(engine, copy, copy.variant(name), "linux/amd64")
    assert failure.value.line_with("THESE PACKAGES DO NOT MATCH THE HASHES"), "\n".join(failure.value.log)


def test_it_becomes_healthy_with_a_read_only_disk_and_no_rights_at_all(engine, recommended):
    with running(engine, recommended, STEP.recommended, "linux/amd64", **HARDENED) as (container, url):
        assert wait_for(url, 30).json()["variant"] == "recommended"
        for _ in range(100):
            container.reload()
            if container.state.health.status == "healthy":
                break
            time.sleep(0.1)
        assert container.state.health.status == "healthy"
        assert container.execute(["id", "-u"]) == "10001"
        with pytest.raises(Exception, match="Read-only file system"):
            container.execute(["python", "-c", "open('/app/x', 'w')"])
        logs = str(container.logs())
        assert "rror" not in logs, logs
        engine.docker.stop(container, time=10)
        container.reload()
        assert container.state.exit_code == 0


#: The application with a page that takes its time, served as the image serves its own.
SLOW = """FROM {image}
COPY slow.py ./
CMD ["gunicorn", "slow:app"]
"""
SLOW_APP = """import time
from whichimage import app
@app.get("/slow/<float:seconds>")
def slow(seconds):
    time.sleep(seconds)
    return {"slept": seconds}
"""


def test_sigterm_under_load_completes_every_request_that_was_accepted(engine, docker, recommended, tmp_path):
    """60 requests of 1.5 to 3 seconds are in flight when it is told to stop."""
    (tmp_path / "Dockerfile").write_text(SLOW.format(image=recommended))
    (tmp_path / "slow.py").write_text(SLOW_APP)
    assert docker("build", "--tag", "step-3-slow", str(tmp_path)).returncode == 0
    count, codes = 60, []
    variant = STEP.recommended
    options = {**HARDENED, "envs": {"WEB_CONCURRENCY": "2", "THREADS": "32"}}
    try:
        with slow_container(engine, variant, options) as (container, url):
            wait_for(url, 30)

            client = httpx.Client(timeout=30, trust_env=False, limits=httpx.Limits(max_connections=count))

            def ask(number: int) -> None:
                with contextlib.suppress(httpx.HTTPError):
                    codes.append(client.get(f"{url}/slow/{1.5 + 1.5 * number / count}").status_code)

            threads = [threading.Thread(target=ask, args=(number,)) for number in range(count)]
            for thread in threads:
                thread.start()
            time.sleep(1)  # all are in, none is through
            assert codes == []
            engine.docker.stop(container, time=20)
            for thread in threads:
                thread.join(timeout=30)
            container.reload()
            assert container.state.exit_code == 0
    finally:
        docker("image", "rm", "--force", "step-3-slow")
    assert codes == [200] * count


@contextlib.contextmanager
def slow_container(engine, variant, options):
    environment = {**variant.environment, **options.pop("envs")}
    changed_variant = dataclasses.replace(variant, environment=environment)
    with running(engine, "step-3-slow", changed_variant, "linux/amd64", **options) as found:
        yield found


def test_the_allow_list_keeps_out_what_nobody_named(engine, folder):
    """.env, .git, a virtual environment and a large file: neither in the context nor in the image."""
    rubbish = {
        ".env": b"PASSWORD=secret",
        ".git/config": b"[core]",
        ".venv/lib/x.py": b"x",
        "dump.sql": bytes(50_000_000),
    }
    for name, content in rubbish.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    # Not through clean_copy, which would leave out what git ignores: the folder as it is.
    copy = Step(STEP.name, folder)
    listed = {path for path, _ in builder.context_listing(engine, copy, copy.recommended)}
    assert listed == {"gunicorn.conf.py", "poetry.lock", "pyproject.toml", "src/whichimage/__init__.py"}
    name = builder.load_into_engine(engine, copy, copy.recommended, "linux/amd64")
    found = engine.docker.run(
        name, ["find", "/", "-xdev", "-name", "dump.sql", "-o", "-name", ".env"], remove=True, user="0"
    )
    assert found == ""


def test_the_testing_target_runs_the_tests_and_fails_when_one_fails(docker, folder):
    build = ("build", "--file", "targets.Dockerfile", "--target", "testing", "--progress", "plain")
    build += ("--no-cache-filter", "testing", ".")
    passed = docker(*build, cwd=folder)
    assert passed.returncode == 0, passed.stderr
    assert re.search(r"\d passed", passed.stderr)
    with changed(folder / "tests/test_app.py", '{"status": "ok"}', '{"status": "no"}'):
        failed = docker(*build, cwd=folder)
    assert failed.returncode != 0
    assert "1 failed" in failed.stderr


def test_production_has_nothing_of_the_tests(engine, image):
    name = image(STEP, STEP.variant("targets"), "linux/amd64")
    assert "pytest" not in engine.docker.run(name, ["ls", "/opt/venv/lib/python3.14/site-packages"], remove=True)
    assert engine.docker.run(name, ["ls", "/app"], remove=True).split() == ["gunicorn.conf.py", "whichimage"]


def test_the_development_target_reloads_what_changes(docker, folder):
    """The folder is put in by `docker cp`, because an engine need not see this machine's folders."""
    tag = "step-3-development"
    built = docker("build", "--file", "targets.Dockerfile", "--target", "development", "--tag", tag, ".", cwd=folder)
    assert built.returncode == 0, built.stderr
    container = docker("create", "--publish", "127.0.0.1::8000", tag).stdout.strip()
    try:
        docker("cp", f"{folder}/.", f"{container}:/app").check_returncode()
        docker("start", container).check_returncode()
        port = docker("port", container, "8000/tcp").stdout.strip().rpartition(":")[2]
        url = f"http://127.0.0.1:{port}/"
        assert wait_for(url, 30).json()["step"] == STEP.name
        code = folder / "src/whichimage/__init__.py"
        code.write_text(code.read_text().replace('"step": "step-3-multistage"', '"step": "changed"'))
        docker("cp", str(code), f"{container}:/app/src/whichimage/__init__.py").check_returncode()
        for _ in range(100):
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(url, trust_env=False).json()["step"] == "changed":
                    break
            time.sleep(0.1)
        else:
            pytest.fail(docker("logs", container).stderr)
    finally:
        docker("rm", "--force", container)
        docker("image", "rm", "--force", tag)


SECRET = "hunter2-9f1c"


@pytest.fixture
def secret_image(docker, tmp_path):
    """Builds an image from a text with a secret at hand; returns all that it ships."""
    tag = "step-3-secret"

    def build(dockerfile: str, *options: str) -> bytes:
        (tmp_path / "Dockerfile").write_text(dockerfile)
        (tmp_path / "token").write_text(SECRET)
        built = docker("build", *options, "--tag", tag, ".", cwd=tmp_path)
        assert built.returncode == 0, built.stderr
        return everything_in(docker, tag)

    yield build
    docker("image", "rm", "--force", tag)


def test_a_secret_in_a_build_argument_is_there_for_everybody(secret_image):
    shipped = secret_image('FROM python:3.14-slim\nARG TOKEN\nRUN test -n "$TOKEN"\n', "--build-arg", f"TOKEN={SECRET}")
    assert SECRET.encode() in shipped


def test_a_secret_that_is_mounted_is_nowhere(secret_image):
    shipped = secret_image(
        f"FROM python:3.14-slim\nRUN --mount=type=secret,id=token grep -q {SECRET[:7]} /run/secrets/token\n",
        "--secret", "id=token,src=token",
    )  # fmt: skip
    assert SECRET.encode() not in shipped
