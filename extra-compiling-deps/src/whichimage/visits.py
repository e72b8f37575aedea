"""Visits, counted in PostgreSQL: a row for each, in a table that visits.sql makes.

Each call opens a connection and closes it again. That is not the fastest way, and the one in which nothing is left over
when the database goes away and comes back.
"""

import os
import time
import uuid
from contextlib import closing
from pathlib import Path

import psycopg2

#: Seconds that a visit may take to be counted. A database that restarts is back by then.
PATIENCE = 10
#: Seconds between two attempts.
PAUSE = 0.2
#: What psycopg2 raises when there is no database to talk to, or not any more.
GONE = (psycopg2.OperationalError, psycopg2.InterfaceError)


class UnavailableError(Exception):
    """The database does not answer. `answer` is what the one who asked is told."""

    def __init__(self, reason: Exception, **more: str) -> None:
        super().__init__(str(reason).strip())
        self.answer = {"error": "the database does not answer", **more}


def connect() -> psycopg2.extensions.connection:
    """A new connection. libpq itself reads PGHOST, PGDATABASE and PGUSER; the password stands in a file."""
    password = Path(os.environ["PASSWORD_FILE"]).read_text().strip()
    # A server that does not answer, or vanishes without a word, is given up within seconds.
    return psycopg2.connect(password=password, connect_timeout=2, keepalives_idle=2, keepalives_interval=1,
                            keepalives_count=3, tcp_user_timeout=5000)  # fmt: skip


def ping() -> None:
    """Raises UnavailableError when the database does not answer."""
    try:
        with closing(connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except GONE as error:
        raise UnavailableError(error) from error


def add() -> int:
    """Count one visit, and return how many there are; those that are being counted at this very moment do not show.

    Raises UnavailableError when that does not work within PATIENCE; it says whether the visit may be in all the same.

    When the connection breaks in the middle of COMMIT, nobody knows whether the row is in. So it has an identity, made
    here: to insert it again is safe, and when that works, it is known to be in, once.
    """
    visit = str(uuid.uuid4())
    counted, end = "no", time.monotonic() + PATIENCE
    while True:
        try:
            with closing(connect()) as connection, connection.cursor() as cursor:
                cursor.execute("INSERT INTO visits (id) VALUES (%s) ON CONFLICT DO NOTHING", (visit,))
                cursor.execute("SELECT count(*) FROM visits")
                (count,) = cursor.fetchone()
                counted = "unknown"  # until COMMIT is answered
                connection.commit()
                return count
        except GONE as error:
            if time.monotonic() + PAUSE > end:
                raise UnavailableError(error, counted=counted) from error
            time.sleep(PAUSE)
