#!/bin/bash
# Five servers stop with an open WebSocket in four ways. Only uvicorn 0.54.0 tells the client that the service restarts.
# gunicorn 27.0.1 with its own ASGI worker tells it nothing until Docker kills the container after ten seconds, Granian
# 2.8.9 and Daphne 4.2.3 cut the connection off, and Hypercorn 0.18.0 reports an internal error.
#
# A client reads from the code whether to come back: 1012 is a restart, 1001 a server that goes away, 1011 a fault
# that it met (RFC 6455, section 7.4, and the registry that it founded). graphql-ws, a client for browsers, connects
# again after 1012 and after a cut, and gives up after 1011. So each new version that is deployed behind Hypercorn
# loses such clients. With Python 3.12 and 3.13 Hypercorn waits for the client, and says nothing in that time either.
# gunicorn waits for the 30 seconds of its graceful timeout. There the class of the worker decides: with uvicorn-worker
# 0.4.0 the client is told.
#
# Seen on 2026-11-30 with Python 3.11, 3.12 and 3.13, what the client is told within ten seconds after SIGTERM:
#   uvicorn: 1012
#   uvicorn, wsproto: 1012
#   gunicorn with uvicorn-worker: 1012
#   gunicorn with its own worker: nothing
#   hypercorn: 1011 (with Python 3.12 and 3.13: nothing)
#   granian: cut off
#   daphne: cut off
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet uvicorn==0.54.0 websockets==17.4 wsproto==1.3.2 hypercorn==0.18.0 \
    granian==2.8.9 daphne==4.2.3 gunicorn==27.0.1 uvicorn-worker==0.4.0
cd "$folder"
cat > application.py <<'PYTHON'
async def app(scope, receive, send):
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": event["text"]})
PYTHON
# Says what the client of a WebSocket is told in the ten seconds that Docker gives a server after SIGTERM.
cat > ask.py <<'PYTHON'
import pathlib
import socket
import subprocess
import sys
import time

import websockets
from websockets.sync.client import unix_connect

name, program, *options = sys.argv[1:]
pathlib.Path("socket").unlink(missing_ok=True)
with open("log", "w") as log:
    server = subprocess.Popen([f"venv/bin/{program}", *options, "application:app"], stdout=log, stderr=log)
    try:
        for _ in range(300):
            try:
                with socket.socket(socket.AF_UNIX) as trial:
                    trial.connect("socket")
                break
            except OSError:
                time.sleep(0.1)
        with unix_connect("socket", "ws://localhost/", ping_interval=None, open_timeout=30) as client:
            client.send("hello")
            assert client.recv(30) == "hello"
            server.terminate()
            try:
                told = client.recv(10)
            except websockets.ConnectionClosed as closed:
                told = closed.rcvd.code if closed.rcvd else "cut off"
            except TimeoutError:
                told = "nothing"
    finally:
        server.terminate()
        try:
            server.wait(40)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
print(f"{name}: {told}")
PYTHON
show() {
    venv/bin/python ask.py "$@"
}
{
    show 'uvicorn' uvicorn --ws websockets --uds socket
    show 'uvicorn, wsproto' uvicorn --ws wsproto --uds socket
    show 'gunicorn with uvicorn-worker' gunicorn --no-control-socket --bind unix:socket \
        --worker-class uvicorn_worker.UvicornWorker
    show 'gunicorn with its own worker' gunicorn --no-control-socket --bind unix:socket --worker-class asgi
    show 'hypercorn' hypercorn --bind unix:socket
    show 'granian' granian --interface asgi --uds socket
    show 'daphne' daphne -u socket
} > seen
hypercorn=$(python3 -c 'import sys; print("1011" if sys.version_info < (3, 12) else "nothing")')
diff seen - <<SEEN
uvicorn: 1012
uvicorn, wsproto: 1012
gunicorn with uvicorn-worker: 1012
gunicorn with its own worker: nothing
hypercorn: $hypercorn
granian: cut off
daphne: cut off
SEEN
echo "as seen on 2026-11-30"
