"""The health check: cheap, deaf to proxies, right on 200 and wrong on anything else, and the same in every image."""

import json
import subprocess
import time
from dataclasses import replace

import httpx
import pytest

from measure.run.probe import running, wait_for
from measure.steps.compose import find_step
from tests.conftest import HARDENED, NATIVE, ON_BOTH, eventually, marks

STEP = find_step("step-3")
#: One of each kind: with a shell and the standard library as it comes, with its bytecode, on musl, without a shell.
KINDS = [
    ("step-1", "recommended"),
    ("step-3", "recommended"),
    ("step-4", "alpine-multistage"),
    ("step-4", "distroless"),
    ("extra-need-for-speed", "recommended"),
]
CASES = [
    pytest.param(step, step.variant(name), id=f"{step.name}-{name}", marks=marks(step.variant(name)))
    for step, name in ((find_step(step), name) for step, name in KINDS)
]
#: What these images asked with before.
BEFORE = "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=2)"
#: Microseconds of CPU that the container's cgroup has used, of version 2 or 1.
USED = """import glob, re
for path in glob.glob("/sys/fs/cgroup/cpu.stat") + glob.glob("/sys/fs/cgroup/cpu*acct/cpuacct.usage"):
    text = open(path).read()
    print(int(re.search(r"usage_usec (\\d+)", text)[1]) if "usage_usec" in text else int(text) // 1000)
    break
"""
#: A server whose answer is what is in /tmp/answer.
SERVER = """import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.wfile.write(open("/tmp/answer", "rb").read() if self.path == "/health" else b"HTTP/1.0 200 OK\\r\\n\\r\\n")
http.server.HTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""
ANSWERS = {
    "HTTP/1.1 200 OK": 0,
    "HTTP/1.0 200 OK": 0,
    "HTTP/1.1 204 No Content": 1,
    "HTTP/1.1 302 Found": 1,
    "HTTP/1.1 404 Not Found, not 200": 1,
    "HTTP/1.1 500 Internal Server Error": 1,
    "HTTP/1.1 503 200": 1,
    "": 1,
}


def check(docker, name: str) -> list[str]:
    """The command of an image's or a container's health check."""
    shown = docker("inspect", "--format", "{{json .Config.Healthcheck.Test}}", name)
    assert shown.returncode == 0, shown.stderr
    kind, *words = json.loads(shown.stdout)
    assert kind == "CMD", "in exec form: an image without a shell has it, too"
    return words


def execute(docker, container: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a container; once more when it was not run at all, which is what 126 says."""
    done = docker("exec", container, *words)
    return docker("exec", container, *words) if done.returncode == 126 else done


def used(docker, container: str) -> int:
    found = execute(docker, container, "python", "-c", USED)
    assert found.returncode == 0, found.stderr
    return int(found.stdout)


def status(docker, container: str) -> str:
    return docker("inspect", "--format", "{{.State.Health.Status}}", container).stdout.strip()


@pytest.mark.parametrize(("step", "variant"), CASES)
def test_it_takes_a_quarter_of_the_processor_that_it_took_with_urllib(docker, engine, image, step, variant):
    with running(engine, image(step, variant, NATIVE), variant, NATIVE, health_cmd="true", **HARDENED) as (box, url):
        wait_for(url, 120)
        ours = check(docker, image(step, variant, NATIVE))

        def cost(words: list[str]) -> int:
            before = used(docker, box.id)
            for _ in range(10):
                execute(docker, box.id, *words).check_returncode()
            return used(docker, box.id) - before

        # What it costs to start Python and nothing more is in both.
        new, old = cost(ours), cost(["python", "-c", BEFORE])
    # On purpose, or because pip ran in the last stage. Elsewhere each probe compiled urllib and what it imports.
    has_bytecode = step.name in ("step-1-kiss", "extra-need-for-speed")
    assert new < (old if has_bytecode else old / 4)


@pytest.mark.parametrize(("step", "variant"), CASES)
def test_it_is_right_on_200_and_wrong_on_anything_else(docker, engine, image, step, variant):
    name = image(step, variant, NATIVE)
    ours = check(docker, name)
    alone = replace(variant, depends_on=[])
    with running(engine, name, alone, NATIVE, command=["python", "-c", SERVER], entrypoint="") as (box, url):
        wait_for(url, 120)
        found = {}
        for answer in ANSWERS:
            text = f"{answer}\r\nContent-Length: 0\r\n\r\n" if answer else ""
            script = f"open('/tmp/answer', 'w', newline='').write({text!r})"
            execute(docker, box.id, "python", "-c", script).check_returncode()
            found[answer] = execute(docker, box.id, *ours).returncode
        assert found == ANSWERS
    nobody = docker("run", "--rm", "--network", "none", name, *ours)
    assert (nobody.returncode, nobody.stderr.strip()) == (1, "no connection"), "and it says so in one line"


@pytest.mark.parametrize("platform", **ON_BOTH)
@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_the_containers_proxy_is_nothing_to_it(docker, engine, image, name, platform):
    """Docker's client puts its user's proxies into every container. With urllib it was unhealthy, and served."""
    proxies = {name: "http://127.0.0.1:9", "no_proxy": ""}
    built = image(STEP, STEP.recommended, platform)
    with running(engine, built, STEP.recommended, platform, envs=proxies, **HARDENED) as (box, url):
        wait_for(url, 120)
        eventually(lambda: status(docker, box.id) == "healthy", seconds=20 if platform == NATIVE else 60)
        if name == "http_proxy":
            assert docker("exec", box.id, "python", "-c", BEFORE).returncode != 0, "this is what the test would see"


@pytest.mark.alone
@pytest.mark.parametrize("cpus", [1, 0.2])
def test_it_is_healthy_within_a_second_of_the_first_answer(docker, engine, image, cpus):
    built = image(STEP, STEP.recommended, NATIVE)
    with running(engine, built, STEP.recommended, NATIVE, cpus=cpus, **HARDENED) as (box, url):
        wait_for(f"{url}/health", 120)
        answered = time.monotonic()
        eventually(lambda: status(docker, box.id) == "healthy", seconds=20)
        assert time.monotonic() - answered < 1
        assert httpx.get(f"{url}/health", trust_env=False).status_code == 200
