"""The application without a database: psycopg2 is there, and what it talks to is played by a class of a few lines."""

import platform

import psycopg2
import pytest
from whichimage import app, visits


class Database:
    """Connections to a table in memory. `script` says how each of them ends: "ok", or where it breaks."""

    def __init__(self, *script: str) -> None:
        self.script, self.rows, self.connections = list(script), set(), 0

    def connect(self) -> "Connection":
        self.connections += 1
        fate = self.script.pop(0) if self.script else "ok"
        if fate == "refused":
            raise psycopg2.OperationalError("connection refused")
        return Connection(self, fate)


class Connection:
    """One connection, which is its own cursor."""

    def __init__(self, database: Database, fate: str) -> None:
        self.database, self.fate, self.new = database, fate, set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def cursor(self):
        return self

    def close(self):
        self.closed = True

    def execute(self, sql, values=()):
        if self.fate == "broken":
            raise psycopg2.OperationalError("server closed the connection unexpectedly")
        if sql.startswith("INSERT"):
            assert "ON CONFLICT DO NOTHING" in sql
            self.new.add(values[0])

    def fetchone(self):
        return (len(self.database.rows | self.new),)

    def commit(self):
        if self.fate != "lost before commit":
            self.database.rows |= self.new
        if self.fate.startswith("lost"):
            raise psycopg2.InterfaceError("connection already closed")


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setattr(visits, "PATIENCE", 0.3)
    monkeypatch.setattr(visits, "PAUSE", 0.05)
    return app.test_client()


@pytest.fixture
def database(monkeypatch):
    """Puts a database with a script in the place of the real one."""

    def play(*script: str) -> Database:
        found = Database(*script)
        monkeypatch.setattr(visits, "connect", found.connect)
        return found

    return play


def test_the_start_page_tells_which_image_it_runs_in_and_needs_no_database(client, database, monkeypatch):
    monkeypatch.setenv("VARIANT", "slim")
    none = database(*["refused"] * 10)
    answer = client.get("/").get_json()
    assert answer["step"] == "extra-compiling-deps"
    assert answer["variant"] == "slim"
    assert answer["python"] == platform.python_version()
    assert answer["machine"] == platform.machine()
    assert none.connections == 0


def test_without_a_variant_it_does_not_make_one_up(client, monkeypatch):
    monkeypatch.delenv("VARIANT", raising=False)
    assert client.get("/").get_json()["variant"] == "unknown"


def test_an_unknown_page_is_not_found(client):
    assert client.get("/nowhere").status_code == 404


def test_each_visit_counts(client, database):
    database()
    assert [client.get("/visits").get_json() for _ in range(3)] == [{"visits": n} for n in (1, 2, 3)]


@pytest.mark.parametrize("trouble", ["refused", "broken", "lost before commit", "lost after commit"])
def test_a_visit_is_counted_once_whatever_went_wrong_before(client, database, trouble):
    table = database(trouble, trouble)
    answer = client.get("/visits")
    assert (answer.status_code, answer.get_json()) == (200, {"visits": 1})
    assert table.connections == 3
    assert len(table.rows) == 1


@pytest.mark.parametrize("trouble", ["refused", "broken"])
def test_a_database_that_stays_away_is_told_and_nothing_is_counted(client, database, trouble):
    table = database(*[trouble] * 1000)
    answer = client.get("/visits")
    assert answer.status_code == 503
    assert answer.get_json() == {"error": "the database does not answer", "counted": "no"}
    assert table.rows == set()


@pytest.mark.parametrize(("trouble", "rows"), [("lost before commit", 0), ("lost after commit", 1)])
def test_when_nobody_can_know_it_says_so(client, database, trouble, rows):
    table = database(trouble, *["refused"] * 1000)
    answer = client.get("/visits")
    assert answer.status_code == 503
    assert answer.get_json()["counted"] == "unknown"
    assert len(table.rows) == rows


def test_health_is_ok_with_a_database(client, database):
    database()
    answer = client.get("/health")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("trouble", ["refused", "broken"])
def test_health_says_at_once_that_the_database_is_away_and_recovers_by_itself(client, database, trouble):
    table = database(trouble)
    answer = client.get("/health")
    assert (answer.status_code, answer.get_json()) == (503, {"error": "the database does not answer"})
    assert table.connections == 1
    assert client.get("/health").get_json() == {"status": "ok"}


def test_the_password_comes_from_a_file_and_the_rest_from_libpqs_own_variables(monkeypatch, tmp_path):
    (tmp_path / "password").write_text("hunter2\n")
    monkeypatch.setenv("PASSWORD_FILE", str(tmp_path / "password"))
    seen = {}
    monkeypatch.setattr(psycopg2, "connect", lambda **options: seen.update(options))
    visits.connect()
    assert seen["password"] == "hunter2"
    assert not {"host", "dbname", "user"} & set(seen)
