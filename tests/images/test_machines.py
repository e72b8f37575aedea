"""What surrounds a container on other people's machines: browsers, proxies, few processors, a stop while it works."""

import json
import socket
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from measure.run.probe import project, running, wait_for
from measure.run.step import provide_bases
from measure.steps.compose import Step, all_steps, find_step
from measure.steps.copying import clean_copy
from tests.conftest import HARDENED, NATIVE, ON_BOTH, eventually

STEPS = [find_step(name) for name in ("step-1", "step-2", "step-3")]
BY_NAME = {"argvalues": STEPS, "ids": [step.name for step in STEPS]}
#: The application with pages that take their time, tell how they were asked, and print.
MORE = """import time
from flask import request
from {module} import app
@app.get("/slow/<int:seconds>")
def slow(seconds):
    time.sleep(seconds)
    return {{"waited": seconds}}
@app.get("/scheme")
def scheme():
    return {{"scheme": request.scheme}}
@app.get("/print/<word>")
def say(word):
    print(word)
    return {{}}
"""


@pytest.fixture(scope="module")
def more(docker, image, tmp_path_factory):
    """The recommended image of a step with the pages above, served with the same words; removed in the end."""
    made: dict[tuple[str, str], str] = {}

    def build(step: Step, platform: str) -> str:
        if (step.name, platform) not in made:
            base = image(step, step.recommended, platform)
            folder = tmp_path_factory.mktemp("more")
            shown = docker("inspect", "--format", "{{json .Config.Cmd}}", base).stdout
            *words, served = json.loads(shown)
            (folder / "more.py").write_text(MORE.format(module=served.split(":")[0]))
            command = json.dumps([*words, "more:app"])
            where = "src/" if "--pythonpath=src" in words else "./"
            (folder / "Dockerfile").write_text(f"FROM {base}\nCOPY --chmod=644 more.py {where}\nCMD {command}\n")
            name = f"{step.name}:more-{platform.partition('/')[2]}"
            docker("build", "--platform", platform, "--tag", name, str(folder)).check_returncode()
            made[step.name, platform] = name
        return made[step.name, platform]

    yield build
    for name in made.values():
        docker("image", "rm", "--force", name)


@contextmanager
def silent(url: str, count: int):
    """Connections on which nothing is sent: what a browser opens before it knows what it wants."""
    host, port = url.removeprefix("http://").split(":")
    with ExitStack() as opened:
        for _ in range(count):
            opened.enter_context(socket.create_connection((host, int(port))))
        time.sleep(0.5)  # so that the server has taken them
        yield


def seconds_to(url: str) -> float:
    begun = time.monotonic()
    httpx.get(url, timeout=60, trust_env=False).raise_for_status()
    return time.monotonic() - begun


@pytest.mark.alone
@pytest.mark.parametrize("platform", **ON_BOTH)
@pytest.mark.parametrize("step", **BY_NAME)
def test_connections_on_which_nothing_comes_keep_nobody_waiting(engine, image, step, platform):
    """One of them stopped steps 1 and 2, with one thread, for half a minute. Three are what four threads bear."""
    built = image(step, step.recommended, platform)
    with running(engine, built, step.recommended, platform, **HARDENED) as (_, url):
        wait_for(url, 120)
        with silent(url, 3):
            assert seconds_to(f"{url}/health") < 2


#: A proxy that buffers: it asks the application only when a request has come whole.
PROXY = """events {}
http {
    access_log off;
    client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u;
    scgi_temp_path /tmp/s;
    server { listen 8080; location / { proxy_pass http://127.0.0.1:8000; } }
}
"""


@pytest.mark.study
@pytest.mark.lab
def test_threads_do_not_cure_many_of_them_and_a_proxy_that_buffers_does(docker, engine, image, tmp_path):
    """What gunicorn.conf.py says. gunicorn gives a thread to a connection for five seconds before anything comes."""
    step = find_step("step-3")
    (tmp_path / "nginx.conf").write_text(PROXY)
    (tmp_path / "Dockerfile").write_text(
        "FROM python:3.14-slim\nRUN apt-get update && apt-get install -y --no-install-recommends nginx-light\n"
        'COPY nginx.conf /\nCMD ["nginx", "-c", "/nginx.conf", "-g", "daemon off; pid /tmp/pid;"]\n'
    )
    docker("build", "--tag", "machines:proxy", str(tmp_path)).check_returncode()
    built = image(step, step.recommended, NATIVE)
    try:
        with running(engine, built, step.recommended, NATIVE, **HARDENED) as (box, url):
            wait_for(url, 120)
            beside = docker("run", "--detach", "--rm", "--network", f"container:{box.id}", "machines:proxy")
            try:
                ask = textwrap.dedent("""
                    import socket, sys, time, urllib.request
                    port = int(sys.argv[1])
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health").read()
                    kept = [socket.create_connection(("127.0.0.1", port)) for _ in range(12)]
                    time.sleep(0.5)
                    begun = time.monotonic()
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health").read()
                    print(time.monotonic() - begun)
                """)

                def took(port: int) -> float:
                    asked = docker("exec", beside.stdout.strip(), "python", "-c", ask, str(port))
                    assert asked.returncode == 0, asked.stderr
                    return float(asked.stdout)

                eventually(lambda: docker("exec", beside.stdout.strip(), "test", "-s", "/tmp/pid").returncode == 0)
                assert took(8080) < 2
                assert took(8000) > 5
            finally:
                docker("rm", "--force", beside.stdout.strip())
    finally:
        docker("image", "rm", "--force", "machines:proxy")


def test_compose_stop_waits_for_a_request_of_fifteen_seconds(docker, engine):
    """Docker kills after ten what gunicorn would finish within thirty: an empty reply, and exit code 137.

    Of step 1 and step 3 at the same time: nearly all of it is waiting.
    """
    steps = [STEPS[0], STEPS[2]]
    provide_bases(engine, [(step.recommended, NATIVE) for step in steps])

    def stopped(step: Step) -> tuple[list[dict], str]:
        tag, answers = f"{step.name}:slow", []
        with clean_copy(step.folder) as folder:
            (code,) = [*folder.glob("app.py"), *folder.glob("src/whichimage/__init__.py")]
            more = MORE.format(module="").replace("from  import app\n", "")
            code.write_text(f"{code.read_text()}\n\n{more}")
            with project(engine, folder, step.name, tag) as compose:
                try:
                    compose.run("up", "--detach", "--build", step.name)
                    wait_for(compose.url, 120)
                    asking = threading.Thread(
                        target=lambda: answers.append(httpx.get(f"{compose.url}/slow/15", timeout=60, trust_env=False))
                    )
                    asking.start()
                    time.sleep(1)
                    compose.run("stop", step.name)
                    asking.join(60)
                    ended = docker("ps", "--all", "--filter", f"ancestor={tag}", "--format", "{{.Status}}").stdout
                    return [one.json() for one in answers], ended[:10]
                finally:
                    compose.run("down", "--volumes")
                    docker("image", "rm", "--force", tag)

    with ThreadPoolExecutor() as pool:
        assert list(pool.map(stopped, steps)) == [([{"waited": 15}], "Exited (0)")] * 2


@pytest.mark.parametrize("platform", **ON_BOTH)
@pytest.mark.parametrize("step", **BY_NAME)
def test_the_scheme_that_a_proxy_tells_is_believed_when_the_proxy_is_trusted(engine, more, step, platform):
    """gunicorn believes what comes from 127.0.0.1, which a proxy in another container is not."""
    told = {"X-Forwarded-Proto": "https"}
    for trusted, scheme in (({}, "http"), ({"FORWARDED_ALLOW_IPS": "*"}, "https")):
        with running(engine, more(step, platform), step.recommended, platform, envs=trusted, **HARDENED) as (_, url):
            wait_for(url, 120)
            assert httpx.get(f"{url}/scheme", headers=told, trust_env=False).json() == {"scheme": scheme}


@pytest.mark.parametrize("platform", **ON_BOTH)
@pytest.mark.parametrize("step", **BY_NAME)
def test_what_is_printed_is_logged_at_once_without_an_access_log(docker, engine, more, step, platform):
    """The access log, which flushes what was printed before, is what hides that prints wait."""
    shown = docker("inspect", "--format", "{{json .Config.Cmd}}", more(step, platform)).stdout
    quiet = [word for word in json.loads(shown) if not word.startswith("--access-logfile")]
    quiet.insert(1, "--access-logfile=/dev/null")
    with running(engine, more(step, platform), step.recommended, platform, command=quiet, **HARDENED) as (box, url):
        wait_for(url, 120)
        httpx.get(f"{url}/print/hello-out-there", trust_env=False).raise_for_status()
        eventually(lambda: "hello-out-there" in docker("logs", box.id).stdout, seconds=5)


THREADS = "import numpy, os; numpy.ones((500, 500)) @ numpy.ones((500, 500)); print(len(os.listdir('/proc/self/task')))"


@pytest.mark.parametrize("name", ["step-4", "extra-need-for-speed"])
def test_numpy_starts_no_thread_for_a_processor_that_the_container_may_not_use(docker, image, name):
    step = find_step(name)
    built = image(step, step.recommended, NATIVE)

    def threads(*options: str) -> int:
        return int(docker("run", "--rm", "--cpus", "1", *options, built, "python", "-c", THREADS).stdout)

    assert threads() == 1
    assert threads("--env", "OPENBLAS_NUM_THREADS=2") == 2, "whoever has more processors says so"


def test_the_user_is_made_without_a_warning_and_without_what_it_needs_not(docker, engine, tmp_path):
    """The same line in each image on Debian; alone, so that it is not in the cache."""
    lines = {
        line
        for step in all_steps()
        for variant in step.variants
        for line in variant.parsed.instructions
        if line.startswith("RUN useradd")
    }
    (line,) = lines
    engine.provide(["python:3.14-slim"], [NATIVE])
    (tmp_path / "Dockerfile").write_text(f"FROM python:3.14-slim\n{line}\n")
    built = docker("build", "--no-cache", "--progress", "plain", "--tag", "machines:user", str(tmp_path))
    assert built.returncode == 0, built.stderr
    assert "warning" not in built.stderr.lower()
    try:
        script = "getent passwd app; id app; ls -d /home/app /var/mail/app /var/spool/mail/app"
        shown = docker("run", "--rm", "machines:user", "sh", "-c", script).stdout.splitlines()
    finally:
        docker("image", "rm", "--force", "machines:user")
    assert shown[0].endswith(":/usr/sbin/nologin")
    assert shown[1].startswith("uid=10001(app) gid=10001(app)")
    assert shown[2:] == [], "no home, and no mail"


#: How many of the packages' files of bytecode are bound to the source's content, not to its time; see PEP 552.
BOUND = """import pathlib
flags = [path.read_bytes()[4] & 1 for path in pathlib.Path("/opt/venv").rglob("*.pyc")]
print(len(flags), sum(flags))
"""


@pytest.mark.parametrize("platform", **ON_BOTH)
def test_bytecode_stays_valid_where_files_get_another_time(docker, engine, tmp_path, platform):
    """In an image whose files all have one time, so that it comes out the same twice, all of it was stale."""
    step = find_step("step-3")
    provide_bases(engine, [(step.recommended, platform)])
    for options, bound in (([], False), (["--build-arg", "SOURCE_DATE_EPOCH=1700000000"], True)):
        built = docker("build", "--quiet", "--platform", platform, *options, str(step.folder))
        assert built.returncode == 0, built.stderr
        found = docker("run", "--rm", "--platform", platform, built.stdout.strip(), "python", "-c", BOUND).stdout
        docker("image", "rm", "--force", built.stdout.strip())
        everything, valid = map(int, found.split())
        assert everything > 100
        assert valid == (everything if bound else 0)


def test_a_module_that_is_renamed_under_watch_is_renamed_in_the_container(docker, engine):
    """What watch brings and takes away, it does as the container's user: `rm: cannot remove`, it said before."""
    step = find_step("extra-need-for-speed")
    provide_bases(engine, [(step.recommended, NATIVE)])
    service, tag = f"{step.name}-development", f"{step.name}:watched"
    with clean_copy(step.folder) as folder, project(engine, folder, service, tag) as compose:
        code = folder / "src/whichimage"
        (code / "before.py").write_text("NAME = 'before'\n")
        try:
            compose.run("up", "--detach", "--build", service)
            wait_for(compose.url, 120)
            (box,) = docker("ps", "--quiet", "--filter", f"ancestor={tag}").stdout.split()

            def there() -> set[str]:
                return set(docker("exec", box, "ls", "/app/whichimage").stdout.split())

            assert docker("exec", box, "id", "-u").stdout.strip() == "10001"
            with compose.printing("watch", "--no-up", service) as lines:
                assert any("watch" in line.lower() for line in lines)
                assert "before.py" in there()
                (code / "before.py").rename(code / "after.py")
                main = code / "__init__.py"
                main.write_text(f"from whichimage.after import NAME  # noqa: F401\n{main.read_text()}")
                eventually(lambda: "after.py" in there() and "before.py" not in there(), seconds=30)
                eventually(lambda: httpx.get(f"{compose.url}/health", trust_env=False).status_code == 200, seconds=30)
        finally:
            compose.run("down", "--volumes")
            docker("image", "rm", "--force", tag)
