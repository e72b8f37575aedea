#!/bin/bash
# Hypercorn 0.18.0 goes on with what a Flask application streams when the client has left, to the end, however long. So
# does uvicorn 0.54.0 with a2wsgi 1.10.10 or with its own adapter, and Daphne 4.2.3 with asgiref 3.13.0, which never
# closes the answer either. gunicorn 27.0.1, waitress 3.0.2 and Granian 2.8.9 stop at the next part, and close it.
#
# WSGI has it that the server calls close() when the browser leaves early (PEP 3333). For Flask (3.1.3) that is when a
# generator's `finally` and `call_on_close` are run, which give back a database connection or a file. The adapters run
# the application in a thread, and hand over the parts to a loop which knows that nobody listens; no word of that comes
# back. So a report that is half read, or a stream of events in a page that was closed, keeps its thread and
# what it holds for as long as it has something to say. A trial with a client that stays to the end shows nothing.
#
# Seen on 2026-11-30 with Python 3.11, 3.12 and 3.13, a stream of six seconds, the client gone after its first part:
#   gunicorn: stopped, closed
#   gunicorn --threads 2: stopped, closed
#   waitress: stopped, closed
#   granian: stopped, closed
#   hypercorn: went on to the end, closed then
#   uvicorn with a2wsgi: went on to the end, closed then
#   uvicorn --interface wsgi: went on to the end, closed then
#   daphne with asgiref: went on to the end, never closed
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet flask==3.1.3 werkzeug==3.1.9 gunicorn==27.0.1 waitress==3.0.2 granian==2.8.9 \
    hypercorn==0.18.0 uvicorn==0.54.0 a2wsgi==1.10.10 daphne==4.2.3 asgiref==3.13.0
cd "$folder"
cat > application.py <<'PYTHON'
import pathlib
import time

import a2wsgi
import asgiref.wsgi
import flask

wsgi = flask.Flask(__name__)


@wsgi.get("/")
def stream():
    def parts():
        for number in range(60):
            pathlib.Path("made").write_text(str(number + 1))
            yield "part\n"
            time.sleep(0.1)

    answer = flask.Response(parts(), mimetype="text/event-stream")
    answer.call_on_close(pathlib.Path("closed").touch)
    return answer


by_a2wsgi = a2wsgi.WSGIMiddleware(wsgi)
by_asgiref = asgiref.wsgi.WsgiToAsgi(wsgi)
PYTHON
cat > leave.py <<'PYTHON'
import pathlib
import socket
import subprocess
import sys
import time

name, program, *options = sys.argv[1:]
for left in ("socket", "made", "closed"):
    pathlib.Path(left).unlink(missing_ok=True)


def connect():
    for _ in range(300):
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect("socket")
            return client
        except OSError:
            client.close()
            time.sleep(0.1)
    raise SystemExit(f"{name} does not listen")


with open("log", "w") as log:
    server = subprocess.Popen([f"venv/bin/{program}", *options], stdout=log, stderr=log)
    try:
        with connect() as client:
            client.settimeout(30)
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            heard = b""
            while b"part" not in heard:
                heard += client.recv(1000)
        time.sleep(3)
        closed = pathlib.Path("closed").exists()
        time.sleep(6)
        made = int(pathlib.Path("made").read_text())
        assert made == 60 or made < 20, made
        if made < 20:
            told = f"stopped, {'closed' if closed else 'not closed'}"
        else:
            told = f"went on to the end, {'closed then' if pathlib.Path('closed').exists() else 'never closed'}"
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
print(f"{name}: {told}")
PYTHON
show() {
    venv/bin/python leave.py "$@"
}
{
    show gunicorn gunicorn --no-control-socket --bind unix:socket application:wsgi
    show 'gunicorn --threads 2' gunicorn --no-control-socket --threads 2 --bind unix:socket application:wsgi
    show waitress waitress-serve --unix-socket=socket application:wsgi
    show granian granian --interface wsgi --uds socket application:wsgi
    show hypercorn hypercorn --bind unix:socket application:wsgi
    show 'uvicorn with a2wsgi' uvicorn --uds socket application:by_a2wsgi
    show 'uvicorn --interface wsgi' uvicorn --interface wsgi --uds socket application:wsgi
    show 'daphne with asgiref' daphne -u socket application:by_asgiref
} > seen
diff seen - <<'SEEN'
gunicorn: stopped, closed
gunicorn --threads 2: stopped, closed
waitress: stopped, closed
granian: stopped, closed
hypercorn: went on to the end, closed then
uvicorn with a2wsgi: went on to the end, closed then
uvicorn --interface wsgi: went on to the end, closed then
daphne with asgiref: went on to the end, never closed
SEEN
echo "as seen on 2026-11-30"
