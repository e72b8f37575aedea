"""postgres:17 keeps the promises that a compose file relies on, as the official image documents them."""

import gzip
import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from measure.base.files import ROOT
from measure.steps.compose import find_step
from tests.conftest import NATIVE, eventually
from tests.unit.test_messages import MESSAGES, seen

pytestmark = pytest.mark.postgres
IMAGE = "postgres:17"
PASSWORD = "correct-horse"
X = "--env=POSTGRES_PASSWORD=x"


@pytest.fixture(autouse=True, scope="module")
def image_is_there(engine):
    engine.provide([IMAGE], [NATIVE])


class Server:
    """A server's container, and the client in it."""

    def __init__(self, docker, container: str) -> None:
        self.docker, self.container = docker, container

    def execute(self, *words: str, options: tuple[str, ...] = ()):
        return self.docker("exec", *options, self.container, *words)

    def inspect(self, form: str) -> str:
        return self.docker("inspect", "--format", form, self.container).stdout.strip()

    def logs(self) -> str:
        shown = self.docker("logs", self.container)
        return shown.stdout + shown.stderr

    def ready(self) -> "Server":
        """It answers pg_isready by TCP, before it ends."""

        def known() -> str:
            if self.execute("pg_isready", "--host=127.0.0.1").returncode == 0:
                return "ready"
            return "" if self.inspect("{{.State.Running}}") == "true" else "ended"

        assert eventually(known, told=self.logs) == "ready", self.logs()
        return self

    def query(self, sql: str, *options: str) -> str:
        """Ask it through its local socket, by default as postgres."""
        options = options or ("--username=postgres",)
        asked = self.execute("psql", "--no-psqlrc", "--tuples-only", "--no-align", *options, "--command", sql)
        assert asked.returncode == 0, asked.stderr
        return asked.stdout.strip()

    @property
    def address(self) -> str:
        """Its address in the network that it is in."""
        return self.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")


@pytest.fixture
def server(docker, volume):  # after the volume, so that it is removed before it
    """Runs a server in the background; removes it in the end, and its volumes."""
    started = []

    def start(*options: str, arguments: tuple[str, ...] = ()) -> Server:
        created = docker("run", "--detach", *options, IMAGE, *arguments)
        started.extend(created.stdout.split())  # of one that cannot start, too
        assert created.returncode == 0, created.stderr
        return Server(docker, started[-1])

    yield start
    for container in started:
        docker("rm", "--force", "--volumes", container)


@pytest.fixture
def volume(docker):
    """The name of a volume that is removed in the end."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    yield name
    docker("volume", "rm", "--force", name)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), ("POSTGRES_PASSWORD", "POSTGRES_HOST_AUTH_METHOD=trust")),
        ((X, "--env=POSTGRES_PASSWORD_FILE=/etc/hostname"), ("POSTGRES_PASSWORD_FILE",)),
    ],
)
def test_it_does_not_start_without_a_password_or_with_two(docker, options, words):
    refused = docker("run", "--rm", *options, IMAGE)
    assert refused.returncode == 1
    assert all(word in refused.stderr for word in words)


def test_unless_everybody_is_trusted(server):
    found = server("--env", "POSTGRES_HOST_AUTH_METHOD=trust").ready()
    assert found.query("SELECT current_user", "--host", found.address, "--username=postgres") == "postgres"


def test_user_database_and_password_are_those_that_were_asked_for(engine, docker, server, tmp_path):
    """The password is in a file that the container's root alone may read, and in no environment."""
    path = tmp_path / "password"
    path.write_text(f"{PASSWORD}\n")
    path.chmod(0o600)
    secret = ("--volume", f"{path}:/run/secrets/password:ro", "--env", "POSTGRES_PASSWORD_FILE=/run/secrets/password")
    found = server(*secret, "--env", "POSTGRES_USER=ann", "--env", "POSTGRES_DB=notes").ready()
    asked = "SELECT concat_ws(' ', usename, datname, pg_encoding_to_char(encoding), datcollate, usesuper)"
    asked += " FROM pg_database, pg_user WHERE datname = current_database() AND usename = current_user"
    assert found.query(asked, "--username=ann", "notes") == "ann notes UTF8 en_US.utf8 t"
    # From another address a password is asked for, and only the right one opens.
    for password, expected in ((PASSWORD, 0), ("wrong", 2)):
        words = ("psql", "--host", found.address, "--username=ann", "notes", "--command", "SELECT 1")
        assert found.execute(*words, options=("--env", f"PGPASSWORD={password}")).returncode == expected
    assert found.execute("stat", "--format=%u:%g", "/proc/1").stdout.strip() == "999:999"
    running = found.execute("readlink", "/proc/1/exe", options=("--user=postgres",)).stdout.strip()
    assert running == "/usr/lib/postgresql/17/bin/postgres"
    assert found.execute("stat", "--format=%a", "/var/lib/postgresql/data").stdout.strip() == "700"
    if engine.kind == "lab":  # the official image leaves it in the server's own environment
        environment = found.execute("cat", "/proc/1/environ", options=("--user=postgres",)).stdout
        assert "PGDATA=" in environment
        seen = docker("inspect", found.container).stdout + docker("top", found.container, "-ef").stdout
        assert PASSWORD not in environment + seen


def test_files_to_begin_with_are_run_once_in_the_order_of_their_names(docker, server, volume, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "1.sql").write_text("CREATE TABLE seen (n serial, what text); INSERT INTO seen (what) VALUES ('sql');")
    (tmp_path / "2.sql.gz").write_bytes(gzip.compress(b"INSERT INTO seen (what) VALUES ('gz');"))
    insert = "#!/bin/bash\npsql --username $POSTGRES_USER $POSTGRES_DB -c \"INSERT INTO seen (what) VALUES ('{}')\"\n"
    for name, mode in (("3-run.sh", 0o755), ("4-sourced.sh", 0o644)):
        (tmp_path / name).write_text(insert.format(name))
        (tmp_path / name).chmod(mode)
    (tmp_path / "5.txt").write_text("ignored")
    options = [X, "--volume", f"{tmp_path}:/docker-entrypoint-initdb.d:ro"]
    options += ["--volume", f"{volume}:/var/lib/postgresql/data"]
    for _ in range(2):  # the second container finds the first one's data
        found = server(*options).ready()
        seen = found.query("SELECT string_agg(what, ' ' ORDER BY n) FROM seen")
        assert seen == "sql gz 3-run.sh 4-sourced.sh"
        docker("rm", "--force", found.container).check_returncode()


def test_a_file_that_fails_stops_it(docker, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "wrong.sql").write_text("SELECT nothing_like_it;")
    failed = docker("run", "--rm", X, "--volume", f"{tmp_path}:/docker-entrypoint-initdb.d:ro", IMAGE)
    assert failed.returncode != 0
    assert "nothing_like_it" in failed.stderr


def test_nobody_reaches_a_database_that_is_half_made(server, tmp_path):
    tmp_path.chmod(0o755)
    begin, end = (f"psql --username=postgres --command 'CREATE TABLE {name} ()'" for name in ("begun", "done"))
    (tmp_path / "slow.sh").write_text(f"{begin}\nuntil [ -e /tmp/now ]; do sleep 0.1; done\n{end}\n")
    found = server(X, "--volume", f"{tmp_path}:/docker-entrypoint-initdb.d:ro")
    local = ("psql", "--username=postgres", "--command", "SELECT 1 FROM begun")
    eventually(lambda: found.execute(*local).returncode == 0, told=lambda: found.execute(*local).stderr + found.logs())
    assert found.execute("pg_isready", "--host=127.0.0.1").returncode != 0
    found.execute("touch", "/tmp/now").check_returncode()
    found.ready().query("SELECT 1 FROM done")


def test_docker_stop_ends_it_cleanly_and_the_data_is_there_when_it_comes_back(docker, server, volume):
    """Its arguments are the server's."""
    options = (X, "--env=PGDATA=/data/17", "--volume", f"{volume}:/data")
    found = server(*options, arguments=("-c", "max_connections=7")).ready()
    assert found.query("SHOW max_connections") == "7"
    found.query("CREATE TABLE kept AS SELECT 42 AS n")
    # A client that is still there does not keep it up.
    found.execute("psql", "--username=postgres", "--command", "SELECT pg_sleep(1000)", options=("--detach",))
    eventually(lambda: found.query("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "1")
    docker("stop", "--time", "60", found.container).check_returncode()
    assert found.inspect("{{.State.ExitCode}}") == "0"  # one that had to be killed has 137
    eventually(lambda: "database system is shut down" in found.logs())
    docker("start", found.container).check_returncode()
    assert found.ready().query("SELECT n FROM kept") == "42"
    assert "was interrupted" not in found.logs(), "it was not stopped cleanly"


@pytest.mark.parametrize("command", ["psql --version", "postgres --version", "pg_ctl --version"])
def test_other_commands_need_no_database(docker, command):
    shown = docker("run", "--rm", IMAGE, *command.split())
    assert shown.returncode == 0, shown.stderr
    assert "PostgreSQL) 17." in shown.stdout


def test_what_docker_knows_about_it(docker):
    docker("pull", IMAGE).check_returncode()
    (about,) = json.loads(docker("image", "inspect", IMAGE).stdout)
    config = about["Config"]
    assert (config["StopSignal"], config["Cmd"]) == ("SIGINT", ["postgres"])
    assert config["ExposedPorts"] == {"5432/tcp": {}}
    assert list(config["Volumes"]) == ["/var/lib/postgresql/data"]
    assert {"PGDATA=/var/lib/postgresql/data", "PG_MAJOR=17"} <= set(config["Env"])


def test_one_client_more_than_max_connections_is_refused(server):
    """By a server whose every connection is an administrator's, so that none is kept for one."""
    most = 7
    found = server(X, arguments=("-c", f"max_connections={most}")).ready()
    sleep = 'psql --username=postgres --command "SELECT pg_sleep(5)" &'
    refused = found.execute("sh", "-c", f"for one in $(seq {most + 1}); do {sleep} done; wait").stderr
    seen("too-many-clients", refused)


STEP = find_step("extra-compiling-deps")
#: What the page "Around the application" hands out.
POOL_PER_WORKER = (ROOT / "docs/assets/pool.gunicorn.conf.py").read_text()
#: An application whose every answer says whose it is: its worker's process, the database's, and what was asked.
DATABASE = """
import json, os
from psycopg2.pool import ThreadedConnectionPool
pool = None
def open_pool():
    global pool
    pool = ThreadedConnectionPool(1, 4)
if os.environ["OPENED"] == "before the fork":
    open_pool()
def app(environ, start_response):
    connection = pool.getconn()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid(), %s FROM pg_sleep(0.05)", (environ["QUERY_STRING"],))
            answer = cursor.fetchone()
    finally:
        pool.putconn(connection)
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps([os.getpid(), *answer]).encode()]
"""
#: Where a worker hangs because another one read its answer, gunicorn ends it after five seconds.
SERVE = """
cd /tmp && printf %s "$DATABASE" > database.py && printf %s "$CONFIGURATION" > gunicorn.conf.py
exec gunicorn --bind 0.0.0.0:8000 --workers 2 --timeout 5 --no-control-socket database:app
"""


class Application:
    """gunicorn with two sync workers, and a pool that is opened before or after the fork."""

    def __init__(self, docker, image: str, database: Server, opened: str) -> None:
        self.docker = docker
        configuration = "preload_app = True" if opened == "before the fork" else POOL_PER_WORKER
        variables = {
            "OPENED": opened,
            "DATABASE": DATABASE,
            "CONFIGURATION": configuration,
            "PGHOST": database.address,
            "PGUSER": "postgres",
            "PGPASSWORD": "x",
        }
        options = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
        command = ("run", "--detach", "--publish", "127.0.0.1::8000", *options, image, "sh", "-c", SERVE)
        created = docker(*command)
        assert created.returncode == 0, created.stderr
        self.container = created.stdout.strip()

    @property
    def log(self) -> str:
        shown = self.docker("logs", self.container)
        return shown.stdout + shown.stderr

    def started(self) -> "Application":
        """Its last start is over, and both workers serve."""
        eventually(lambda: self.log.rpartition("Listening at")[2].count("Booting worker") >= 2, told=lambda: self.log)
        return self

    def ask_at_once(self) -> dict[int, list | str]:
        """The answers to forty questions of eight clients: two processes and what was asked, or an error in words."""
        address = self.docker("port", self.container, "8000").stdout.split()[0]  # another one after a restart

        def ask(number: int) -> list | str:
            try:
                answer = httpx.get(f"http://{address}/?{number}", timeout=30, trust_env=False)
                return answer.json() if answer.is_success else str(answer)
            except httpx.TransportError as error:
                return repr(error)

        with ThreadPoolExecutor(8) as pool:
            return dict(enumerate(pool.map(ask, range(40))))


@pytest.fixture
def application(docker, image, server):
    """Starts a database, and an application with a pool of connections to it; removes the application in the end."""
    started = []

    def start(opened: str) -> Application:
        name = image(STEP, STEP.recommended, NATIVE)
        started.append(Application(docker, name, server(X).ready(), opened))
        return started[-1].started()

    yield start
    for one in started:
        docker("rm", "--force", one.container)


def wrong(answers: dict[int, list | str]) -> list[list | str]:
    """The answers that are errors, or somebody else's."""
    return [answer for number, answer in answers.items() if isinstance(answer, str) or answer[2] != str(number)]


def test_a_pool_that_each_worker_opens_after_the_fork_gives_each_query_its_answer(application):
    answers = application("after the fork").ask_at_once()
    assert wrong(answers) == []
    workers, connections = ({answer[place] for answer in answers.values()} for place in (0, 1))
    assert (len(workers), len(connections)) == (2, 2), "each worker has a connection of its own"


def test_a_connection_from_before_the_fork_breaks_with_two_workers(application):
    """Which error it is is left to chance, so the container begins anew until it is the one that everybody reports."""
    found = application("before the fork")
    for _ in range(5):
        assert wrong(found.ask_at_once())
        if MESSAGES["connection-forked"].is_in(found.log):
            break
        found.docker("restart", "--time", "1", found.container).check_returncode()
        found.started()
    seen("connection-forked", found.log)
