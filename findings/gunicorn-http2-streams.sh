#!/bin/bash
# With HTTP/2, gunicorn 27.0.1 answers the requests of one connection one after another, however many threads it has:
# while Flask 3.1.3 streams events to a page, nothing else that the page asks for is answered. Over HTTP/1.1 it is, and
# with HTTP/2 from gunicorn's own ASGI worker, Hypercorn 0.18.0 and Granian 2.8.9.
#
# A browser that speaks HTTP/2 sends all that it asks of one server over one connection. With HTTP/1.1 it has six, and
# a page that keeps one for its events soon wants more. gunicorn's guide recommends gthread with four threads for it,
# because the sync worker cannot do two things at once, and a setting is said to allow 100 requests at once on one
# connection. So a good guess is that four are worked on. But a thread takes a connection, and its requests in turn;
# with gevent a greenlet does the same. The thread is not free until --keep-alive ends, 2 seconds if nothing else is
# said: four visitors who read what they have keep a fifth one waiting. A proxy that speaks HTTP/2 with gunicorn puts
# the requests of many visitors into one connection. Behind one that speaks HTTP/1.1 with it all is well, and curl, one
# request a call, shows nothing.
#
# Seen on 2026-12-01 with Python 3.11, what is asked for once the first of six parts is there, and a fifth visitor
# beside four that have their answers and keep their connections:
#   gthread, HTTP/1.1: answered during the stream; a fifth visitor at once
#   gthread, HTTP/2: answered after the stream; a fifth visitor later
#   gevent, HTTP/1.1: answered during the stream; a fifth visitor at once
#   gevent, HTTP/2: answered after the stream; a fifth visitor at once
#   asgi, HTTP/1.1: answered during the stream; a fifth visitor at once
#   asgi, HTTP/2: answered during the stream; a fifth visitor at once
#   hypercorn, HTTP/1.1: answered during the stream; a fifth visitor at once
#   hypercorn, HTTP/2: answered during the stream; a fifth visitor at once
#   granian, HTTP/1.1: answered during the stream; a fifth visitor at once
#   granian, HTTP/2: answered during the stream; a fifth visitor at once
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet flask==3.1.3 werkzeug==3.1.9 a2wsgi==1.10.10 gunicorn==27.0.1 gevent==26.9.0 \
    packaging==26.4 h2==4.4.1 hypercorn==0.18.0 granian==2.8.9 httpx==0.28.1 trustme==1.2.1
cd "$folder"
venv/bin/python -m trustme --quiet --identities 127.0.0.1
cat > application.py <<'PYTHON'
import time

import a2wsgi
import flask

wsgi = flask.Flask(__name__)


@wsgi.get("/events")
def events():
    def parts():
        for _ in range(6):
            yield "part\n"
            time.sleep(0.5)

    return flask.Response(parts(), mimetype="text/event-stream")


@wsgi.get("/")
def page():
    return "served"


asgi = a2wsgi.WSGIMiddleware(wsgi)
PYTHON
cat > visit.py <<'PYTHON'
import asyncio
import contextlib
import socket
import ssl
import subprocess
import sys
import time

import httpx

name, program, *options = sys.argv[1:]
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
trust = ssl.create_default_context(cafile="client.pem")


def visitor(protocol):
    return httpx.AsyncClient(
        base_url=f"https://127.0.0.1:{port}",
        http2=protocol == "HTTP/2",
        verify=trust,
        timeout=30,
        trust_env=False,
    )


async def ask(client, protocol):
    """Asks for the page, and returns how many seconds that took."""
    start = time.perf_counter()
    answer = await client.get("/")
    assert (answer.http_version, answer.text) == (protocol, "served"), answer
    return time.perf_counter() - start


async def second(protocol):
    """Asks for the page during a stream, and returns when it was there."""
    async with visitor(protocol) as client, client.stream("GET", "/events") as stream:
        parts = stream.aiter_raw()
        await anext(parts)
        page = asyncio.create_task(ask(client, protocol))
        async for _ in parts:
            pass
        there = page.done()
        await page
    return "during the stream" if there else "after the stream"


async def fifth(protocol):
    """Asks for the page beside four visitors who have it, and returns when it was there."""
    async with contextlib.AsyncExitStack() as kept:
        visitors = [await kept.enter_async_context(visitor(protocol)) for _ in range(5)]
        took = [await ask(client, protocol) for client in visitors]
    return "later" if took[4] > 2 else "at once"


with open("log", "w") as log:
    words = [word.replace("PORT", str(port)) for word in options]
    server = subprocess.Popen([f"venv/bin/{program}", *words], stdout=log, stderr=log)
    try:
        for _ in range(300):
            with socket.socket() as client:
                if not client.connect_ex(("127.0.0.1", port)):
                    break
            time.sleep(0.1)
        else:
            raise SystemExit(f"{name} does not listen")
        for protocol in "HTTP/1.1", "HTTP/2":
            when = asyncio.run(second(protocol))
            print(f"{name}, {protocol}: answered {when}; a fifth visitor {asyncio.run(fifth(protocol))}")
    finally:
        server.terminate()
        server.wait(60)
PYTHON
show() {
    venv/bin/python visit.py "$@"
}
by_gunicorn() {
    show "$1" gunicorn --no-control-socket --bind 127.0.0.1:PORT --worker-class "$1" --threads 4 --keep-alive 5 \
        --http-protocols h2,h1 --certfile server.pem --keyfile server.key "application:$2"
}
{
    by_gunicorn gthread wsgi
    by_gunicorn gevent wsgi
    by_gunicorn asgi asgi
    show hypercorn hypercorn --bind 127.0.0.1:PORT --certfile server.pem --keyfile server.key application:wsgi
    show granian granian --interface wsgi --port PORT --blocking-threads 4 --ssl-certificate server.pem \
        --ssl-keyfile server.key application:wsgi
} > seen
diff seen - <<'SEEN'
gthread, HTTP/1.1: answered during the stream; a fifth visitor at once
gthread, HTTP/2: answered after the stream; a fifth visitor later
gevent, HTTP/1.1: answered during the stream; a fifth visitor at once
gevent, HTTP/2: answered after the stream; a fifth visitor at once
asgi, HTTP/1.1: answered during the stream; a fifth visitor at once
asgi, HTTP/2: answered during the stream; a fifth visitor at once
hypercorn, HTTP/1.1: answered during the stream; a fifth visitor at once
hypercorn, HTTP/2: answered during the stream; a fifth visitor at once
granian, HTTP/1.1: answered during the stream; a fifth visitor at once
granian, HTTP/2: answered during the stream; a fifth visitor at once
SEEN
echo "as seen on 2026-12-01"
