"""postgres:17 keeps the promises that a compose file relies on, as the official image documents them."""

import gzip
import json
import uuid

import pytest

from tests.conftest import eventually

pytestmark = pytest.mark.postgres
IMAGE = "postgres:17"
PASSWORD = "correct-horse"


@pytest.fixture(autouse=True, scope="module")
def image_is_there(engine):
    engine.provide([IMAGE], ["linux/amd64"])


@pytest.fixture
def server(docker, volume):  # after the volume, so that it is removed before it
    """Runs a server in the background and returns its container's ID; removes it in the end, and its volumes."""
    started = []

    def start(*options: str, arguments: tuple[str, ...] = ()) -> str:
        created = docker("run", "--detach", *options, IMAGE, *arguments)
        started.extend(created.stdout.split())  # of one that cannot start, too
        assert created.returncode == 0, created.stderr
        return started[-1]

    yield start
    for container in started:
        docker("rm", "--force", "--volumes", container)


@pytest.fixture
def volume(docker):
    """The name of a volume that is removed in the end."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    yield name
    docker("volume", "rm", "--force", name)


def ready(docker, container: str) -> bool:
    """Does a server answer pg_isready by TCP, before it ends?"""

    def known() -> str:
        if docker("exec", container, "pg_isready", "--host=127.0.0.1").returncode == 0:
            return "ready"
        running = docker("inspect", "--format", "{{.State.Running}}", container).stdout.strip() == "true"
        return "" if running else "ended"

    return eventually(known, told=lambda: logs(docker, container)) == "ready"


def query(docker, container: str, sql: str, *options: str) -> str:
    """Ask a server through its local socket."""
    asked = docker("exec", container, "psql", "--no-psqlrc", "--tuples-only", "--no-align", *options, "--command", sql)
    assert asked.returncode == 0, asked.stderr
    return asked.stdout.strip()


def address_of(docker, container: str) -> str:
    """Its address in the network that it is in."""
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return docker("inspect", "--format", form, container).stdout.strip()


def logs(docker, container: str) -> str:
    shown = docker("logs", container)
    return shown.stdout + shown.stderr


def test_it_does_not_start_without_a_password(docker):
    refused = docker("run", "--rm", IMAGE)
    assert refused.returncode == 1
    assert "POSTGRES_PASSWORD" in refused.stderr
    assert "POSTGRES_HOST_AUTH_METHOD=trust" in refused.stderr


def test_unless_everybody_is_trusted(docker, server):
    container = server("--env", "POSTGRES_HOST_AUTH_METHOD=trust")
    assert ready(docker, container), logs(docker, container)
    address = address_of(docker, container)
    assert query(docker, container, "SELECT current_user", "--host", address, "--username=postgres") == "postgres"


def test_a_variable_and_its_file_at_once_are_refused(docker):
    refused = docker("run", "--rm", "--env=POSTGRES_PASSWORD=x", "--env=POSTGRES_PASSWORD_FILE=/etc/hostname", IMAGE)
    assert refused.returncode == 1
    assert "POSTGRES_PASSWORD_FILE" in refused.stderr


@pytest.fixture
def secret(tmp_path):
    """The options that give a container the password as a file that its root alone may read."""
    path = tmp_path / "password"
    path.write_text(f"{PASSWORD}\n")
    path.chmod(0o600)
    return "--volume", f"{path}:/run/secrets/password:ro", "--env", "POSTGRES_PASSWORD_FILE=/run/secrets/password"


def test_user_database_and_password_are_those_that_were_asked_for(docker, server, secret):
    container = server(*secret, "--env", "POSTGRES_USER=ann", "--env", "POSTGRES_DB=notes")
    assert ready(docker, container), logs(docker, container)
    asked = (
        "SELECT current_user || ' ' || current_database() || ' ' || pg_encoding_to_char(encoding) || ' ' || datcollate"
    )
    asked += " FROM pg_database WHERE datname = current_database()"
    assert query(docker, container, asked, "--username=ann", "notes") == "ann notes UTF8 en_US.utf8"
    assert (
        query(docker, container, "SELECT usesuper FROM pg_user WHERE usename = 'ann'", "--username=ann", "notes") == "t"
    )
    # From another address a password is asked for, and only the right one opens.
    address = address_of(docker, container)
    for password, expected in ((PASSWORD, 0), ("wrong", 2)):
        asked = docker(
            "exec", "--env", f"PGPASSWORD={password}", container, "psql", "--host", address, "--username=ann", "notes",
            "--command", "SELECT 1",
        )  # fmt: skip
        assert asked.returncode == expected, asked.stderr
    assert docker("exec", container, "stat", "--format=%u:%g", "/proc/1").stdout.strip() == "999:999"
    running = docker("exec", "--user=postgres", container, "readlink", "/proc/1/exe").stdout.strip()
    assert running == "/usr/lib/postgresql/17/bin/postgres"
    assert docker("exec", container, "stat", "--format=%a", "/var/lib/postgresql/data").stdout.strip() == "700"


def test_the_password_is_in_no_environment(engine, docker, server, secret):
    if engine.kind != "lab":
        pytest.skip("the official image leaves it in the server's own environment; run it with ENGINE=lab")
    container = server(*secret)
    assert ready(docker, container), logs(docker, container)
    environment = docker("exec", "--user=postgres", container, "cat", "/proc/1/environ").stdout
    assert "PGDATA=" in environment
    assert PASSWORD not in environment + docker("inspect", container).stdout + docker("top", container, "-ef").stdout


def test_files_to_begin_with_are_run_once_in_the_order_of_their_names(docker, server, volume, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "1.sql").write_text("CREATE TABLE seen (n serial, what text); INSERT INTO seen (what) VALUES ('sql');")
    (tmp_path / "2.sql.gz").write_bytes(gzip.compress(b"INSERT INTO seen (what) VALUES ('gz');"))
    script = (
        "#!/bin/bash\npsql --username $POSTGRES_USER $POSTGRES_DB --command \"INSERT INTO seen (what) VALUES ('{}')\"\n"
    )
    for name, mode in (("3-run.sh", 0o755), ("4-sourced.sh", 0o644)):
        (tmp_path / name).write_text(script.format(name))
        (tmp_path / name).chmod(mode)
    (tmp_path / "5.txt").write_text("ignored")
    options = ["--env", "POSTGRES_PASSWORD=x", "--volume", f"{tmp_path}:/docker-entrypoint-initdb.d:ro"]
    options += ["--volume", f"{volume}:/var/lib/postgresql/data"]
    seen = "SELECT string_agg(what, ' ' ORDER BY n) FROM seen"
    expected = "sql gz 3-run.sh 4-sourced.sh"
    for _ in range(2):  # the second container finds the first one's data
        container = server(*options)
        assert ready(docker, container), logs(docker, container)
        assert query(docker, container, seen, "--username=postgres") == expected
        docker("rm", "--force", container).check_returncode()


def test_a_file_that_fails_stops_it(docker, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "wrong.sql").write_text("SELECT nothing_like_it;")
    mounted = f"{tmp_path}:/docker-entrypoint-initdb.d:ro"
    failed = docker("run", "--rm", "--env", "POSTGRES_PASSWORD=x", "--volume", mounted, IMAGE)
    assert failed.returncode != 0
    assert "nothing_like_it" in failed.stderr


def test_nobody_reaches_a_database_that_is_half_made(docker, server, tmp_path):
    tmp_path.chmod(0o755)
    begin, end = (f"psql --username=postgres --command 'CREATE TABLE {name} ()'" for name in ("begun", "done"))
    (tmp_path / "slow.sh").write_text(f"{begin}\nuntil [ -e /tmp/now ]; do sleep 0.1; done\n{end}\n")
    container = server("--env=POSTGRES_PASSWORD=x", "--volume", f"{tmp_path}:/docker-entrypoint-initdb.d:ro")
    local = ("exec", container, "psql", "--username=postgres", "--command", "SELECT 1 FROM begun")
    eventually(lambda: docker(*local).returncode == 0, told=lambda: logs(docker, container))
    assert docker("exec", container, "pg_isready", "--host=127.0.0.1").returncode != 0
    docker("exec", container, "touch", "/tmp/now").check_returncode()
    assert ready(docker, container)
    query(docker, container, "SELECT 1 FROM done", "--username=postgres")


def test_docker_stop_ends_it_cleanly_and_the_data_is_there_when_it_comes_back(docker, server, volume):
    options = ("--env=POSTGRES_PASSWORD=x", "--env=PGDATA=/data/17", "--volume", f"{volume}:/data")
    container = server(*options)
    assert ready(docker, container), logs(docker, container)
    query(docker, container, "CREATE TABLE kept AS SELECT 42 AS n", "--username=postgres")
    # A client that is still there does not keep it up.
    docker("exec", "--detach", container, "psql", "--username=postgres", "--command", "SELECT pg_sleep(1000)")
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    eventually(lambda: query(docker, container, asleep, "--username=postgres") == "1")
    docker("stop", "--time", "60", container).check_returncode()
    # One that had to be killed has 137.
    assert docker("inspect", "--format", "{{.State.ExitCode}}", container).stdout.strip() == "0"
    eventually(lambda: "database system is shut down" in logs(docker, container))
    docker("start", container).check_returncode()
    assert ready(docker, container)
    assert query(docker, container, "SELECT n FROM kept", "--username=postgres") == "42"
    assert "was interrupted" not in logs(docker, container), "it was not stopped cleanly"


def test_arguments_are_the_servers(docker, server):
    container = server("--env=POSTGRES_PASSWORD=x", arguments=("-c", "max_connections=7"))
    assert ready(docker, container), logs(docker, container)
    assert query(docker, container, "SHOW max_connections", "--username=postgres") == "7"


@pytest.mark.parametrize("command", ["psql --version", "postgres --version", "pg_ctl --version"])
def test_other_commands_need_no_database(docker, command):
    shown = docker("run", "--rm", IMAGE, *command.split())
    assert shown.returncode == 0, shown.stderr
    assert "PostgreSQL) 17." in shown.stdout


def test_what_docker_knows_about_it(docker):
    docker("pull", IMAGE).check_returncode()
    (about,) = json.loads(docker("image", "inspect", IMAGE).stdout)
    config = about["Config"]
    assert config["StopSignal"] == "SIGINT"
    assert config["ExposedPorts"] == {"5432/tcp": {}}
    assert list(config["Volumes"]) == ["/var/lib/postgresql/data"]
    assert config["Cmd"] == ["postgres"]
    assert "PGDATA=/var/lib/postgresql/data" in config["Env"]
    assert "PG_MAJOR=17" in config["Env"]
