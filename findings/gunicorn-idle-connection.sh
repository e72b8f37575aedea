#!/bin/bash
# One connection on which nothing is asked costs an application in gunicorn's own ASGI worker (27.0.1) its clean-up: at
# SIGTERM the worker waits for the connection until the graceful timeout ends, and is killed before it tells the
# application to shut down. More time does not help. gunicorn exits with 0.
#
# A connection that is kept for the next request has nothing to finish. uvicorn 0.54.0, Granian 2.8.9 and gunicorn with
# uvicorn-worker 0.4.0 close it at once, and lifespan.shutdown, where pools are closed and buffers written, is run. The
# worker has the same limit as its master and begins to count later, so the master is the first to lose patience.
# Proxies and load balancers keep connections, and --keep-alive is raised to suit them; the limit is 30 seconds, and
# Docker kills after ten. In a trial with curl, which keeps none, all is well.
#
# Seen on 2026-11-30 with Python 3.11 and 3.13:
#   uvicorn, a connection kept: cleaned up yes, exit code 143
#   granian, a connection kept: cleaned up yes, exit code 0
#   gunicorn with uvicorn-worker, a connection kept: cleaned up yes, exit code 0
#   gunicorn, no connection: cleaned up yes, exit code 0
#   gunicorn, a connection kept: cleaned up no, exit code 0
#   gunicorn, a connection kept, more time: cleaned up no, exit code 0
#   gunicorn, a connection without a request: cleaned up no, exit code 0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gunicorn==27.0.1 uvicorn==0.54.0 uvicorn-worker==0.4.0 granian==2.8.9
cd "$folder"
cat > application.py <<'PYTHON'
import pathlib


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] == "lifespan.startup":
            pathlib.Path("started").touch()
            await send({"type": "lifespan.startup.complete"})
        pathlib.Path("cleaned").touch()
        await send({"type": "lifespan.shutdown.complete"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
        await send({"type": "http.response.body", "body": b"served"})
PYTHON
# Starts a server, has a connection to it on which nothing is asked any more, and sends SIGTERM.
cat > stop.py <<'PYTHON'
import pathlib
import socket
import subprocess
import sys
import time

name, asked, program, *options = sys.argv[1:]
started, cleaned = pathlib.Path("started"), pathlib.Path("cleaned")
for left in (started, cleaned, pathlib.Path("socket")):
    left.unlink(missing_ok=True)
with open("log", "w") as log:
    server = subprocess.Popen([f"venv/bin/{program}", *options, "application:app"], stdout=log, stderr=log)
    try:
        for _ in range(300):
            if started.exists():
                break
            time.sleep(0.1)
        time.sleep(0.75)  # gunicorn's worker looks once a second whether it is to stop: not at that moment
        client = socket.socket(socket.AF_UNIX)
        if asked != "none":
            client.connect("socket")
        if asked == "kept":
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while not answer.endswith(b"served"):
                answer += client.recv(1000)
        time.sleep(0.75)
        server.terminate()
        server.wait(60)
        client.close()
    finally:
        server.kill()
        server.wait()
code = server.returncode if server.returncode >= 0 else 128 - server.returncode
print(f"{name}: cleaned up {'yes' if cleaned.exists() else 'no'}, exit code {code}")
PYTHON
show() {
    venv/bin/python stop.py "$@"
}
gunicorn() {
    show "$1" "$2" gunicorn --no-control-socket --bind unix:socket --keep-alive 75 --worker-class "${@:3}"
}
{
    show 'uvicorn, a connection kept' kept uvicorn --timeout-keep-alive 75 --uds socket
    show 'granian, a connection kept' kept granian --interface asgi --uds socket
    gunicorn 'gunicorn with uvicorn-worker, a connection kept' kept uvicorn_worker.UvicornWorker --graceful-timeout 3
    gunicorn 'gunicorn, no connection' none asgi --graceful-timeout 3
    gunicorn 'gunicorn, a connection kept' kept asgi --graceful-timeout 3
    gunicorn 'gunicorn, a connection kept, more time' kept asgi --graceful-timeout 8
    gunicorn 'gunicorn, a connection without a request' silent asgi --graceful-timeout 3
} > seen
diff seen - <<'SEEN'
uvicorn, a connection kept: cleaned up yes, exit code 143
granian, a connection kept: cleaned up yes, exit code 0
gunicorn with uvicorn-worker, a connection kept: cleaned up yes, exit code 0
gunicorn, no connection: cleaned up yes, exit code 0
gunicorn, a connection kept: cleaned up no, exit code 0
gunicorn, a connection kept, more time: cleaned up no, exit code 0
gunicorn, a connection without a request: cleaned up no, exit code 0
SEEN
echo "as seen on 2026-11-30"
