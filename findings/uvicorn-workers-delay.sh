#!/bin/bash
# With `--workers 2`, uvicorn 0.54.0 answers the second and each later request of a connection 40 ms late. With one
# worker it does not, nor in gunicorn 27.0.1, nor do Hypercorn 0.18.0 and Granian 2.8.9 with two. uvloop 0.23.0 cures
# it, and not for a socket that is handed over with `--fd`, as systemd, podman and circus do.
#
# uvicorn sends the head of an answer and its body apart. Nagle's algorithm keeps the body back until the client has
# acknowledged the head, which Linux puts off for 40 ms. asyncio turns the algorithm off where the listening socket says
# that it is TCP; uvloop asks for an Internet address only. The socket that uvicorn opens for its workers names no
# protocol, and that of --fd it takes for a Unix socket, whatever it is. gunicorn turns the algorithm off itself. Who
# adds workers to be faster has them slower behind a proxy that keeps its connections. curl opens a connection for each
# call, and shows nothing.
#
# Seen on 2026-11-30 with Python 3.11, the median of 25 requests over one connection:
#   uvicorn: late no
#   uvicorn --workers 2: late yes
#   uvicorn --fd: late yes
#   uvicorn --workers 2, uvloop: late no
#   uvicorn --fd, uvloop: late yes
#   gunicorn with uvicorn-worker: late no
#   hypercorn --workers 2: late no
#   granian --workers 2: late no
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet uvicorn==0.54.0 h11==0.16.0 uvloop==0.23.0 uvicorn-worker==0.4.0 \
    gunicorn==27.0.1 hypercorn==0.18.0 granian==2.8.9
cd "$folder"
cat > application.py <<'PYTHON'
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
    await send({"type": "http.response.body", "body": b"served"})
PYTHON
# Starts a server at a free port, PORT in its options, or with a socket that listens there already, FD.
cat > ask.py <<'PYTHON'
import http.client
import socket
import statistics
import subprocess
import sys
import time

name, program, *options = sys.argv[1:]
listening = socket.socket()
listening.bind(("127.0.0.1", 0))
port, number = listening.getsockname()[1], listening.fileno()
handed = [number] if "FD" in options else []
if handed:
    listening.listen()
else:
    listening.close()
words = [word.replace("PORT", str(port)).replace("FD", str(number)) for word in options]
took = []
with open("log", "w") as log:
    server = subprocess.Popen([f"venv/bin/{program}", *words], stdout=log, stderr=log, pass_fds=handed)
    try:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for _ in range(300):
            try:
                client.connect()
                break
            except ConnectionRefusedError:
                time.sleep(0.1)
        for _ in range(25):
            start = time.perf_counter()
            client.request("GET", "/")
            assert client.getresponse().read() == b"served"
            took.append(time.perf_counter() - start)
        client.close()
    finally:
        server.terminate()
        server.wait(30)
print(f"{name}: late {'yes' if statistics.median(took) > 0.03 else 'no'}")
PYTHON
show() {
    venv/bin/python ask.py "$@" application:app
}
{
    show 'uvicorn' uvicorn --loop asyncio --http h11 --port PORT
    show 'uvicorn --workers 2' uvicorn --loop asyncio --http h11 --port PORT --workers 2
    show 'uvicorn --fd' uvicorn --loop asyncio --http h11 --fd FD
    show 'uvicorn --workers 2, uvloop' uvicorn --loop uvloop --http h11 --port PORT --workers 2
    show 'uvicorn --fd, uvloop' uvicorn --loop uvloop --http h11 --fd FD
    show 'gunicorn with uvicorn-worker' gunicorn --no-control-socket --bind 127.0.0.1:PORT \
        --worker-class uvicorn_worker.UvicornH11Worker
    show 'hypercorn --workers 2' hypercorn --workers 2 --bind 127.0.0.1:PORT
    show 'granian --workers 2' granian --interface asgi --workers 2 --port PORT
} > seen
diff seen - <<'SEEN'
uvicorn: late no
uvicorn --workers 2: late yes
uvicorn --fd: late yes
uvicorn --workers 2, uvloop: late no
uvicorn --fd, uvloop: late yes
gunicorn with uvicorn-worker: late no
hypercorn --workers 2: late no
granian --workers 2: late no
SEEN
echo "as seen on 2026-11-30"
