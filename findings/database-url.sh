#!/bin/bash
# Seven readers make five things of one DATABASE_URL. With a Unix socket in the place of the host, SQLAlchemy 2.1.9
# looks for a machine named "%2Frun%2Fpostgresql", where psycopg 3.3.9, with which it connects, takes the socket. peewee
# 4.5.3 logs in with the password as the URL has it, percent sign and all.
#
# The form is libpq's, so psql, pg_dump and `pg_isready --dbname "$DATABASE_URL"` read it as psycopg does. A good guess
# is that whatever stands on libpq hands it on. But these take it apart, and hand on the parts. Of user, password, host
# and database, SQLAlchemy and django-environ 0.14.0 decode all but the host, Tortoise ORM 1.1.9 the password alone, and
# peewee none that it is not told to (`unquote_password`, `unquote_user`). dj-database-url 3.1.2 decodes all four. In a
# parameter, + is a + for libpq, and a space for the others. So a container waits until the database is ready, and then
# its application does not find it, or is refused. All agree on a socket in `?host=`, on %20, and on names and passwords
# that need no percent sign.
#
# Seen on 2026-11-30 with Python 3.11, user, password, host, database and name of the application. Nothing is connected:
#   percent, psycopg: app@shop pa$s /run/postgresql shop-1 web+1
#   percent, psycopg2: app@shop pa$s /run/postgresql shop-1 web+1
#   percent, dj-database-url: app@shop pa$s /run/postgresql shop-1 web 1
#   percent, SQLAlchemy: app@shop pa$s %2Frun%2Fpostgresql shop-1 web 1
#   percent, django-environ: app@shop pa$s %2Frun%2Fpostgresql shop-1 web 1
#   percent, Tortoise: app%40shop pa$s %2Frun%2Fpostgresql shop%2D1 web 1
#   percent, peewee: app%40shop pa%24s %2Frun%2Fpostgresql shop%2D1 web 1
#   careful, all seven: app pass /run/postgresql shop web 1
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet psycopg==3.3.9 psycopg-binary==3.3.9 psycopg2-binary==2.9.13 sqlalchemy==2.1.9 \
    dj-database-url==3.1.2 django-environ==0.14.0 tortoise-orm==1.1.9 peewee==4.5.3
"$folder/venv/bin/python" - > "$folder/seen" <<'PYTHON'
import dj_database_url
import environ
import psycopg.conninfo
import psycopg2.extensions
import sqlalchemy
from playhouse import db_url
from tortoise.backends.base.config_generator import expand_db_url


def by_sqlalchemy(url):
    engine = sqlalchemy.create_engine(url)
    assert engine.driver == "psycopg"
    return engine.dialect.create_connect_args(engine.url)[1]


def by_django(settings):
    return settings["OPTIONS"] | {name.lower(): value for name, value in settings.items() if value}


readers = {
    "psycopg": psycopg.conninfo.conninfo_to_dict,
    "psycopg2": psycopg2.extensions.parse_dsn,
    "dj-database-url": lambda url: by_django(dj_database_url.parse(url)),
    "SQLAlchemy": by_sqlalchemy,
    "django-environ": lambda url: by_django(environ.Env.db_url_config(url)),
    "Tortoise": lambda url: expand_db_url(url.replace("postgresql:", "asyncpg:"))["credentials"],
    "peewee": db_url.parse,
}
urls = {
    "percent": "postgresql://app%40shop:pa%24s@%2Frun%2Fpostgresql/shop%2D1?application_name=web+1",
    "careful": "postgresql://app:pass@/shop?host=/run/postgresql&application_name=web%201",
}
for title, url in urls.items():
    for name, read in readers.items():
        found = read(url)
        database = found.get("dbname") or found.get("database") or found["name"]
        print(f"{title}, {name}:", found["user"], found["password"], found["host"], database, found["application_name"])
PYTHON
diff "$folder/seen" - <<'SEEN'
percent, psycopg: app@shop pa$s /run/postgresql shop-1 web+1
percent, psycopg2: app@shop pa$s /run/postgresql shop-1 web+1
percent, dj-database-url: app@shop pa$s /run/postgresql shop-1 web 1
percent, SQLAlchemy: app@shop pa$s %2Frun%2Fpostgresql shop-1 web 1
percent, django-environ: app@shop pa$s %2Frun%2Fpostgresql shop-1 web 1
percent, Tortoise: app%40shop pa$s %2Frun%2Fpostgresql shop%2D1 web 1
percent, peewee: app%40shop pa%24s %2Frun%2Fpostgresql shop%2D1 web 1
careful, psycopg: app pass /run/postgresql shop web 1
careful, psycopg2: app pass /run/postgresql shop web 1
careful, dj-database-url: app pass /run/postgresql shop web 1
careful, SQLAlchemy: app pass /run/postgresql shop web 1
careful, django-environ: app pass /run/postgresql shop web 1
careful, Tortoise: app pass /run/postgresql shop web 1
careful, peewee: app pass /run/postgresql shop web 1
SEEN
echo "as seen on 2026-11-30"
