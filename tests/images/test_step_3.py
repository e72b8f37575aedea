"""Step 3: hashes are checked, what should not ship does not, and the recommended image runs with nothing to spare."""

import contextlib
import dataclasses
import re
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from measure.build import images as builder
from measure.build.images import BuildError
from measure.run.probe import running, wait_for
from measure.steps.compose import Step, find_step
from tests.conftest import HARDENED, NATIVE, changed, eventually, everything_in

STEP = find_step("step-3")


#: Where the hashes come from, and the part of it about one package.
TAMPERED_WITH = {
    "export": ("poetry.lock", r'name = "flask"\n.*?\n\]\n'),
    "recommended": ("requirements.txt", r"flask==.*?\n(?=\w)"),
}


@pytest.mark.study
@pytest.mark.parametrize("name", TAMPERED_WITH)
def test_pip_refuses_a_package_that_is_not_the_one_that_was_locked(engine, folder, name):
    file, pattern = TAMPERED_WITH[name]
    lock = folder / file
    block = re.search(pattern, lock.read_text(), re.DOTALL)[0]
    tampered = re.sub(r"sha256:(\w{4})", "sha256:0000", block)
    copy = Step(STEP.name, folder)
    with changed(lock, block, tampered), pytest.raises(BuildError) as failure:
        builder.load_into_engine(engine, copy, copy.variant(name), NATIVE)
    assert failure.value.line_with("THESE PACKAGES DO NOT MATCH THE HASHES"), "\n".join(failure.value.log)


def test_without_any_right_it_writes_nothing_and_complains_of_nothing(engine, image):
    """tests/images/test_images.py has that it gets healthy so, and stops."""
    name = image(STEP, STEP.recommended, NATIVE)
    with running(engine, name, STEP.recommended, NATIVE, **HARDENED) as (container, url):
        assert wait_for(url, 120).json()["variant"] == "recommended"
        assert container.execute(["id", "-u"]) == "10001"
        with pytest.raises(Exception, match="Read-only file system"):
            container.execute(["python", "-c", "open('/app/x', 'w')"])
        assert "rror" not in (logs := str(container.logs())), logs


#: The application with a page that takes its time, served as the image serves its own.
SLOW = """FROM {image}
COPY slow.py ./
CMD ["gunicorn", "slow:app"]
"""
#: It answers nobody until /tmp/now is there, and says who waits.
SLOW_APP = """import os, time
from whichimage import app
@app.get("/slow/<int:number>")
def slow(number):
    print(f"waiting: {number}\\n", end="")
    while not os.path.exists("/tmp/now"):
        time.sleep(0.05)
    return {"waited": number}
"""


def test_sigterm_under_load_completes_every_request_that_was_accepted(engine, docker, image, tmp_path):
    """60 requests wait for their answers when it is told to stop, and get them only after that."""
    (tmp_path / "slow.py").write_text(SLOW_APP)
    (tmp_path / "Dockerfile").write_text(SLOW.format(image=image(STEP, STEP.recommended, NATIVE)))
    docker("build", "--tag", "step-3-slow", str(tmp_path)).check_returncode()
    count, codes = 60, []
    environment = {**STEP.recommended.environment, "WEB_CONCURRENCY": "2", "THREADS": str(count)}
    variant = dataclasses.replace(STEP.recommended, environment=environment)
    client = httpx.Client(timeout=120, trust_env=False, limits=httpx.Limits(max_connections=count))
    try:
        with running(engine, "step-3-slow", variant, NATIVE, **HARDENED) as (container, url):
            wait_for(url, 120)

            def ask(number: int) -> None:
                with contextlib.suppress(httpx.HTTPError):
                    codes.append(client.get(f"{url}/slow/{number}").status_code)

            def logs() -> str:
                shown = docker("logs", container.id)
                return shown.stdout + shown.stderr

            with ThreadPoolExecutor(count + 1) as pool:
                for number in range(count):
                    pool.submit(ask, number)
                eventually(lambda: logs().count("waiting: ") == count, told=logs)
                pool.submit(engine.docker.stop, container, time=60)
                eventually(lambda: "Handling signal: term" in logs(), told=logs)
                assert codes == []
                container.execute(["python", "-c", "open('/tmp/now', 'w')"])
            container.reload()
            assert container.state.exit_code == 0
    finally:
        docker("image", "rm", "--force", "step-3-slow")
    assert codes == [200] * count


@pytest.mark.study
def test_the_allow_list_keeps_out_what_nobody_named(engine, folder):
    """.env, .git, a virtual environment and a large file: neither in the context nor in the image."""
    for name, size in ((".env", 9), (".git/config", 9), (".venv/lib/x.py", 9), ("dump.sql", 50_000_000)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(bytes(size))
    # Not through clean_copy, which would leave out what git ignores: the folder as it is.
    copy = Step(STEP.name, folder)
    listed = {path for path, _ in builder.context_listing(engine, copy, copy.recommended)}
    named = {"gunicorn.conf.py", "poetry.lock", "pyproject.toml", "requirements.txt", "src/whichimage/__init__.py"}
    assert listed == named
    name = builder.load_into_engine(engine, copy, copy.recommended, NATIVE)
    found = engine.docker.run(
        name, ["find", "/", "-xdev", "-name", "dump.sql", "-o", "-name", ".env"], remove=True, user="0"
    )
    assert found == ""


@pytest.mark.study
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


@pytest.mark.study
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
        assert wait_for(url, 120).json()["step"] == STEP.name
        code = folder / "src/whichimage/__init__.py"
        code.write_text(code.read_text().replace('"step": "step-3-multistage"', '"step": "changed"'))
        docker("cp", str(code), f"{container}:/app/src/whichimage/__init__.py").check_returncode()
        eventually(
            lambda: httpx.get(url, trust_env=False).json()["step"] == "changed",
            told=lambda: docker("logs", container).stderr,
        )
    finally:
        docker("rm", "--force", container)
        docker("image", "rm", "--force", tag)


SECRET = "hunter2-9f1c"


@pytest.mark.study
@pytest.mark.parametrize(
    ("lines", "options", "there"),
    [
        ('ARG TOKEN\nRUN test -n "$TOKEN"\n', ("--build-arg", f"TOKEN={SECRET}"), True),
        (f"RUN --mount=type=secret,id=token,required=true grep -q {SECRET[:7]} /run/secrets/token\n",
         ("--secret", "id=token,src=token"), False),
    ],
    ids=["argument", "mount"],
)  # fmt: skip
def test_a_secret_in_an_argument_is_there_for_everybody_and_one_that_is_mounted_nowhere(
    engine, docker, tmp_path, lines, options, there
):
    engine.provide(["python:3.14-slim"], [NATIVE])
    (tmp_path / "Dockerfile").write_text(f"FROM python:3.14-slim\n{lines}")
    (tmp_path / "token").write_text(SECRET)
    try:
        built = docker("build", *options, "--tag", "step-3-secret", ".", cwd=tmp_path)
        assert built.returncode == 0, built.stderr
        assert (SECRET.encode() in everything_in(docker, "step-3-secret")) == there
    finally:
        docker("image", "rm", "--force", "step-3-secret")


@pytest.mark.study
def test_a_secret_that_nobody_handed_in_is_empty_without_a_word_unless_it_is_required(engine, docker, tmp_path):
    engine.provide(["python:3.14-slim"], [NATIVE])
    for option, code in (("", 0), (",required=true", 1)):
        mount = f"--mount=type=secret,id=token{option}"
        (tmp_path / "Dockerfile").write_text(f"FROM python:3.14-slim\nRUN {mount} ! test -s /run/secrets/token\n")
        built = docker("build", "--output", "type=cacheonly", ".", cwd=tmp_path)
        assert built.returncode == code, built.stderr
    assert "secret token: not found" in built.stderr
