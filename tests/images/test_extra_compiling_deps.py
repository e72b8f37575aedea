"""extra-compiling-deps with a real PostgreSQL: what it does when that is away, and where the password is not."""

import collections
import json
import os
import re
import secrets
import subprocess
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from measure.run.probe import labelled, remove_orphans, wait_for
from measure.steps.compose import find_step
from measure.steps.copying import clean_copy
from tests.conftest import NATIVE, eventually, everything_in

STEP = find_step("extra-compiling-deps")
APP, DATABASE = STEP.name, f"{STEP.name}-database"
#: The image that is there already, a port that nobody else has, and a health check that does not keep a test waiting.
OVERRIDE = """
services:
  {app}:
    build: !reset null
    image: {image}
    pull_policy: never
    ports: !override ["127.0.0.1::8000"]
    healthcheck: {{interval: 1s, retries: 2}}
"""
CLIENTS = 32
#: Of the application: gunicorn.conf.py says so.
THREADS = 4
#: Seconds that a request may wait: what the application allows itself, the queue before it, and a busy machine.
TIMEOUT = 120
AWAY = "the database does not answer"


class Project:
    """The step's compose file under a name of its own, with a password that nothing else in the world contains."""

    def __init__(self, docker, folder, tmp_path, image: str) -> None:
        self.docker, self.folder, self.name = docker, folder, f"test-{uuid.uuid4().hex[:8]}"
        self.password = secrets.token_hex(16)
        self.override, password = tmp_path / "override.yaml", tmp_path / "password"
        self.override.write_text(OVERRIDE.format(app=APP, image=image))
        password.write_text(f"{self.password}\n")
        password.chmod(0o644)
        self.password_file = password

    def __call__(self, *words: str, check: bool = True) -> str:
        """Run `docker compose`; returns what it prints."""
        files = ("--file", str(self.folder / "compose.yaml"), "--file", str(self.override))
        # For the command alone: threads call this too, and one process has one environment.
        environment = {**os.environ, "DB_PASSWORD_FILE": str(self.password_file)}
        result = self.docker("compose", "--project-name", self.name, *files, *words, env=environment)
        assert not check or result.returncode == 0, result.stderr
        return result.stdout

    @property
    def url(self) -> str:
        return f"http://{self('port', APP, '8000').strip()}"

    def container(self, service: str) -> str:
        return self("ps", "--all", "--quiet", service).strip()

    def inspect(self, service: str) -> dict:
        (found,) = json.loads(self.docker("inspect", self.container(service)).stdout)
        return found

    def health(self) -> str:
        return self.inspect(APP)["State"]["Health"]["Status"]

    def becomes(self, health: str) -> bool:
        """Does the application become healthy, or unhealthy, by itself?"""
        return eventually(lambda: self.health() == health)

    def rows(self) -> int:
        """What the database itself says how many visits there are."""
        return int(self.sql("SELECT count(*) FROM visits"))

    def sql(self, command: str) -> str:
        """Ask the database itself, past the application."""
        return self("exec", "-T", DATABASE, "psql", "--username=visits", "-tAc", command).strip()


def get(url: str, page: str) -> httpx.Response:
    return httpx.get(f"{url}{page}", timeout=TIMEOUT, trust_env=False)


def refused(project, page: str, **more) -> None:
    """A page says that the database does not answer."""
    answer = get(project.url, page)
    assert (answer.status_code, answer.json()) == (503, {"error": AWAY, **more})


@pytest.fixture
def project(docker, engine, image, tmp_path):
    """The recommended variant and its database, not started yet; all of it is removed in the end."""
    engine.provide(STEP.recommended.images, [NATIVE])
    with clean_copy(STEP.folder) as folder:
        found = Project(docker, folder, tmp_path, image(STEP, STEP.recommended, NATIVE))
        try:
            yield found
        finally:
            found("--profile", "*", "down", "--volumes", check=False)


@pytest.fixture
def up(project):
    """The same, started."""
    project("up", "--detach", "--wait")
    return project


@pytest.mark.postgres
def test_one_command_starts_it_each_visit_counts_and_what_it_counted_outlives_its_containers(up):
    assert up.health() == "healthy"
    assert [get(up.url, "/visits").json() for _ in range(3)] == [{"visits": n} for n in (1, 2, 3)]
    assert get(up.url, "/health").json() == {"status": "ok"}
    assert up.rows() == 3
    before = up.container(DATABASE)
    up("down")
    up("up", "--detach", "--wait")
    assert up.container(DATABASE) != before
    assert get(up.url, "/visits").json() == {"visits": 4}


@pytest.mark.postgres
def test_without_its_database_it_starts_says_so_and_serves_as_soon_as_there_is_one(up):
    """The visit is asked for before there is a database, and answered after."""
    up("stop", DATABASE)
    up("rm", "--force", "--stop", APP)
    up("up", "--detach", "--no-deps", APP)
    assert wait_for(f"{up.url}/", 120).json()["variant"] == "recommended"
    refused(up, "/health")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(get, up.url, "/visits")
        time.sleep(1)
        assert not waiting.done()
        up("start", DATABASE)
        assert waiting.result(TIMEOUT).json() == {"visits": 1}
    assert up.becomes("healthy")


@pytest.mark.postgres
def test_a_database_that_stops_is_told_and_one_that_comes_back_is_used_without_a_restart(up):
    assert get(up.url, "/visits").json() == {"visits": 1}
    before = up.inspect(APP)
    up("stop", DATABASE)
    refused(up, "/health")  # which waits for TIMEOUT seconds at most
    refused(up, "/visits", counted="no")
    assert up.becomes("unhealthy")
    assert get(up.url, "/").status_code == 200, "what needs no database works on"
    up("start", DATABASE)
    assert up.becomes("healthy")
    assert get(up.url, "/visits").json() == {"visits": 2}
    after = up.inspect(APP)
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])
    assert after["RestartCount"] == 0


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("seconds", "command"),
    [pytest.param(30, ("restart", DATABASE), id="restart"), pytest.param(15, ("kill", DATABASE), id="kill")],
)
def test_under_load_the_count_is_that_of_the_visits_that_were_answered(up, seconds, command):
    """32 clients, and in the middle the database is restarted, or killed without warning and started again."""
    url, enough = up.url, threading.Event()
    counted, outcomes = [], collections.Counter()

    def visit() -> None:
        with httpx.Client(timeout=TIMEOUT, trust_env=False) as client:
            while not enough.is_set():
                answer = client.get(f"{url}/visits")
                if answer.status_code == 200:
                    counted.append(answer.json()["visits"])
                else:
                    assert answer.status_code == 503, answer.text
                    outcomes[answer.json()["counted"]] += 1

    started = up.inspect(DATABASE)["State"]["StartedAt"]
    with ThreadPoolExecutor(CLIENTS) as pool:
        for _ in range(CLIENTS):
            pool.submit(visit)
        try:
            time.sleep(seconds / 2)
            before = eventually(lambda: len(counted))
            up(*command)
            if command[0] == "kill":
                up("start", DATABASE)
            there_again = len(counted)
            eventually(lambda: len(counted) > there_again)
            time.sleep(seconds / 2)
        finally:
            enough.set()
    assert up.inspect(DATABASE)["State"]["StartedAt"] != started
    print(f"{len(counted)} visits counted, {before} of them before; answered with an error: {dict(outcomes)}")
    # "unknown" is the one answer after which nobody can tell. It takes a database that stays away for longer than the
    # application's patience just when it was told to commit, so at most one for each thread: on any but a very busy
    # machine, none, and then this says that the two numbers are equal.
    assert outcomes["unknown"] <= THREADS
    assert len(counted) <= up.rows() <= len(counted) + outcomes["unknown"]
    assert max(counted) <= up.rows()  # two at the same moment do not see each other


#: COMMIT waits while somebody else holds the lock, so that a test can do something meanwhile.
SLOW_COMMIT = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON visits DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION slow()
"""
HOLD = "SELECT pg_advisory_lock(1), pg_sleep(1000)"
HELD = "FROM pg_locks WHERE locktype = 'advisory' AND granted"
COMMITTING = "SELECT count(*) FROM pg_stat_activity WHERE query = 'COMMIT' AND wait_event_type = 'Lock'"


def connections(project) -> int:
    """How many connections the application has to a PostgreSQL; 1538 is 5432, and 01 is ESTABLISHED."""
    return len(re.findall(r":1538 01 ", project("exec", "-T", APP, "cat", "/proc/net/tcp")))


@pytest.mark.postgres
def test_a_visit_whose_commit_was_never_confirmed_is_counted_once(up, docker):
    """The network is cut while the database commits: it does, and the application never hears of it."""
    up.sql(SLOW_COMMIT)
    up("exec", "--detach", DATABASE, "psql", "--username=visits", "-c", HOLD)
    eventually(lambda: up.sql(f"SELECT count(*) {HELD}") == "1")
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(get, up.url, "/visits")
        eventually(lambda: up.sql(COMMITTING) == "1")
        network, database = f"{up.name}_default", up.container(DATABASE)
        assert connections(up) == 1
        docker("network", "disconnect", network, database).check_returncode()
        up.sql(f"SELECT pg_terminate_backend(pid) {HELD}")
        eventually(lambda: up.rows() == 1)
        eventually(lambda: connections(up) == 0)
        assert not asking.done()
        docker("network", "connect", "--alias", DATABASE, network, database).check_returncode()
        assert asking.result(TIMEOUT).json() == {"visits": 1}
    assert up.rows() == 1


@pytest.mark.postgres
def test_the_password_is_nowhere_but_in_its_file(up, docker, image):
    """Not in the image, its history and layers, not in variables, not in the process list, not in a log."""
    get(up.url, "/visits").raise_for_status()
    for service in (APP, DATABASE):
        there = up("exec", "-T", service, "cat", "/run/secrets/database-password")
        assert there.strip() == up.password, "what is searched for is there to be found"
        container = up.container(service)
        seen = {
            "inspect": docker("inspect", container).stdout,
            "variables": docker("exec", container, "env").stdout,
            "processes": docker("top", container, "-eo", "pid,args").stdout,
            "log": up("logs", "--no-color", service),
            "written": docker("diff", container).stdout,
        }
        assert "/run/secrets/database-password" in seen["inspect"]
        assert [name for name, text in seen.items() if up.password in text] == []
    command = "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline"
    assert up.password not in up("exec", "-T", APP, "sh", "-c", command)
    shipped = everything_in(docker, image(STEP, STEP.recommended, NATIVE))
    assert b"whichimage" in shipped
    assert up.password.encode() not in shipped
    assert (STEP.folder / "development-password.txt").read_bytes().strip() not in shipped


def test_what_ships_has_the_library_and_no_compiler(engine, image):
    name = image(STEP, STEP.recommended, NATIVE)
    command = "dpkg-query --show libpq5 && ! command -v gcc pg_config && python -c 'import psycopg2'"
    assert "libpq5" in engine.docker.run(name, ["sh", "-c", command], remove=True)


@pytest.mark.alpine
def test_on_alpine_the_driver_is_compiled_against_musl_and_ships_without_a_compiler(engine, image):
    name = image(STEP, STEP.variant("alpine"), NATIVE)
    driver = "/opt/venv/lib/python3.14/site-packages/psycopg2/_psycopg*.so"
    # musl's ldd fails in the end: what an extension takes from Python itself is in no library.
    libraries = engine.docker.run(name, ["sh", "-c", f"ldd {driver} 2>/dev/null | grep '=>'"], remove=True)
    assert "libpq.so.5 => /usr/lib/libpq.so.5" in libraries
    assert "libc.so => ldd" in libraries and "libc.so.6" not in libraries
    command = "! command -v gcc pg_config && sed -n 's/^P://p' /lib/apk/db/installed"
    packages = engine.docker.run(name, ["sh", "-c", command], remove=True).split()
    assert "libpq" in packages and "libpq-dev" not in packages


@pytest.mark.postgres
def test_a_wrong_password_is_told_in_the_log_and_to_nobody_else(up, docker):
    up.password_file.write_text("wrong")
    refused(up, "/health")
    eventually(lambda: "password authentication failed" in docker("logs", up.container(APP)).stderr)


@pytest.mark.postgres
def test_what_a_killed_measurement_left_is_removed_by_the_next_one(project, engine, docker):
    """A database that was started for a probe whose process is dead: its container, its network, its volume."""
    killed = subprocess.Popen(["true"])
    killed.wait()
    project.name = f"measure-{killed.pid}-{uuid.uuid4().hex[:12]}"

    def left() -> list[bool]:
        mine = ("--filter", f"label=com.docker.compose.project={project.name}", "--quiet")
        return [bool(docker(kind, "ls", *mine).stdout) for kind in ("container", "network", "volume")]

    project("up", "--detach", DATABASE)  # someone else's, whatever it is called
    remove_orphans(engine)
    assert left() == [True] * 3
    project("down", "--volumes")
    project.override.write_text(labelled(project.folder / "compose.yaml", killed.pid))
    project("up", "--detach", DATABASE)
    assert left() == [True] * 3
    remove_orphans(engine)
    assert left() == [False] * 3
