#!/bin/bash
# A health check by nc gets no answer from Granian 2.8.9 and from gunicorn's own ASGI worker (27.0.1), and none from
# uvicorn 0.54.0 and Daphne 4.2.3 once the application waits for something. gunicorn's sync and gthread workers,
# waitress 3.0.2 and Hypercorn 0.18.0 answer.
#
# printf 'GET /health HTTP/1.0\r\n\r\n' | nc 127.0.0.1 8000 is what is written where an image has no curl. At the end
# of its input busybox's nc (1.35.0 was tried) tells the server that nothing more will come, as `nc -N` and a script
# with shutdown(SHUT_WR) do, and reads on. By RFC 9112, section 6.3, that does not mean that the client wants no answer.
# These servers take it for a client that has left: they run the application, Granian not each time, and drop what it
# says. uvicorn has no line of it in its log, and gunicorn one with the code 500, or with 200 where nothing was waited
# for. An answer that waits for nothing leaves uvicorn and Daphne before they look. So the check succeeds until /health
# asks the database, or is a `def` in place of an `async def`, which Starlette runs in a thread. With curl, and with
# Python's http.client, all is well.
#
# Seen on 2026-12-01 with Python 3.11. The connection is kept open, or the client says with its request that it has no
# more to send; the application waits for 0.3 seconds, or for nothing. (Granian is not asked the last: there the faster
# of two threads decides, and once in 40 times that was the answer.)
#   gunicorn: kept open 200, waits 200, at once 200
#   gunicorn --threads 2: kept open 200, waits 200, at once 200
#   waitress: kept open 200, waits 200, at once 200
#   hypercorn: kept open 200, waits 200, at once 200
#   granian: kept open 200, waits nothing
#   gunicorn, ASGI: kept open 200, waits nothing, at once nothing
#   uvicorn: kept open 200, waits nothing, at once 200
#   daphne: kept open 200, waits nothing, at once 200
#   hypercorn, ASGI: kept open 200, waits 200, at once 200
#   granian, ASGI: kept open 200, waits nothing
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet flask==3.1.3 werkzeug==3.1.9 gunicorn==27.0.1 waitress==3.0.2 \
    hypercorn==0.18.0 granian==2.8.9 uvicorn==0.54.0 h11==0.16.0 daphne==4.2.3
cd "$folder"
cat > application.py <<'PYTHON'
import asyncio
import pathlib
import time

import flask

wsgi = flask.Flask(__name__)


@wsgi.get("/health")
def at_once():
    return "fine"


@wsgi.get("/database")
def waits():
    time.sleep(0.3)
    pathlib.Path("ran").touch()
    return "fine"


async def asgi(scope, receive, send):
    assert scope["type"] == "http"
    if scope["path"] == "/database":
        await asyncio.sleep(0.3)
        pathlib.Path("ran").touch()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"fine"})
PYTHON
cat > check.py <<'PYTHON'
import pathlib
import socket
import subprocess
import sys
import time

name, program, *options = sys.argv[1:]
pathlib.Path("ran").unlink(missing_ok=True)
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]


def connect():
    for _ in range(300):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=30)
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise SystemExit(f"{name} does not listen")


def ask(path, keep):
    """Asks for a path, and returns the code of the answer."""
    request = f"GET {path} HTTP/1.0\r\n\r\n".encode()
    said = b""
    with connect() as client:
        if keep:
            client.sendall(request)
        else:
            client.send(request, socket.MSG_MORE)  # goes out together with the end, so that no answer comes between
            client.shutdown(socket.SHUT_WR)
        while part := client.recv(1000):
            said += part
    assert not said or said.endswith(b"fine"), said
    return said.split()[1].decode() if said else "nothing"


def ran():
    """Whether the application has come to its end, within ten seconds."""
    for _ in range(100):
        if pathlib.Path("ran").exists():
            return True
        time.sleep(0.1)
    return False


with open("log", "w") as log:
    words = [word.replace("PORT", str(port)) for word in options]
    server = subprocess.Popen([f"venv/bin/{program}", *words], stdout=log, stderr=log)
    try:
        told = f"kept open {ask('/database', keep=True)}"
        pathlib.Path("ran").unlink()
        told += f", waits {ask('/database', keep=False)}"
        if program != "granian":
            assert ran()
            told += f", at once {ask('/health', keep=False)}"
    finally:
        server.terminate()
        server.wait(60)
print(f"{name}: {told}")
PYTHON
show() {
    venv/bin/python check.py "$@"
}
{
    show gunicorn gunicorn --no-control-socket --bind 127.0.0.1:PORT application:wsgi
    show 'gunicorn --threads 2' gunicorn --no-control-socket --bind 127.0.0.1:PORT --threads 2 application:wsgi
    show waitress waitress-serve --listen 127.0.0.1:PORT application:wsgi
    show hypercorn hypercorn --bind 127.0.0.1:PORT application:wsgi
    show granian granian --interface wsgi --port PORT application:wsgi
    show 'gunicorn, ASGI' gunicorn --no-control-socket --bind 127.0.0.1:PORT --worker-class asgi --access-logfile - \
        application:asgi
    grep --quiet '"GET /database HTTP/1.0" 500' log
    grep --quiet '"GET /health HTTP/1.0" 200' log
    show uvicorn uvicorn --http h11 --lifespan off --port PORT application:asgi
    test "$(grep --count 'GET /database' log)" = 1
    show daphne daphne --port PORT application:asgi
    show 'hypercorn, ASGI' hypercorn --bind 127.0.0.1:PORT application:asgi
    show 'granian, ASGI' granian --interface asginl --port PORT application:asgi
} > seen
diff seen - <<'SEEN'
gunicorn: kept open 200, waits 200, at once 200
gunicorn --threads 2: kept open 200, waits 200, at once 200
waitress: kept open 200, waits 200, at once 200
hypercorn: kept open 200, waits 200, at once 200
granian: kept open 200, waits nothing
gunicorn, ASGI: kept open 200, waits nothing, at once nothing
uvicorn: kept open 200, waits nothing, at once 200
daphne: kept open 200, waits nothing, at once 200
hypercorn, ASGI: kept open 200, waits 200, at once 200
granian, ASGI: kept open 200, waits nothing
SEEN
echo "as seen on 2026-12-01"
