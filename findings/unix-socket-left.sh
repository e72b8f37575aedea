#!/bin/bash
# Granian 2.8.9 does not start where a Unix socket was left behind, and uvicorn 0.54.0 with `--workers 2` starts there
# at the second attempt. gunicorn 27.0.1, Hypercorn 0.18.0, waitress 3.0.2 and uvicorn with one worker take its place at
# once, since nobody listens at it any more.
#
# A socket is left when a server is killed: by the kernel for its memory, by Docker after the grace period, by a power
# cut. A restart gives the container its own files back, and a volume through which a proxy reaches the server outlives
# it anyway. So `restart: always` starts Granian again and again until someone deletes the file. uvicorn fails, deletes
# the file, and serves when it is started once more. Both delete it at a regular end too, so a trial with
# `docker stop` shows nothing.
#
# Seen on 2026-11-30 with Python 3.11, each started up to three times:
#   gunicorn: served
#   hypercorn: served
#   waitress-serve: served
#   uvicorn: served
#   uvicorn --workers 2: exit code 3, served
#   granian: exit code 1, exit code 1, exit code 1
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gunicorn==27.0.1 hypercorn==0.18.0 waitress==3.0.2 uvicorn==0.54.0 \
    granian==2.8.9
cd "$folder"
cat > application.py <<'PYTHON'
def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Length", "6")])
    return [b"served"]


async def asgi(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
    await send({"type": "http.response.body", "body": b"served"})
PYTHON
# Starts a server, and says that it served, or how it ended.
start() {
    "$@" > log 2>&1 &
    server=$!
    for _ in $(seq 200); do
        if answer=$(curl --silent --max-time 20 --unix-socket socket http://localhost/); then break; fi
        if ! kill -0 "$server" 2> /dev/null; then break; fi
        sleep 0.1
    done
    code=0
    kill "$server" 2> /dev/null || true
    wait "$server" 2> /dev/null || code=$?
    echo "${answer:-exit code $code}"
}
show() {
    rm -f socket
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
    for _ in 1 2 3; do
        start "venv/bin/${1%% *}" "${@:2}"
        if [ -n "$answer" ]; then break; fi
    done > starts
    echo "$1: $(paste -s -d , starts | sed 's/,/, /g')"
}
{
    show gunicorn --no-control-socket --bind unix:socket application:wsgi
    show hypercorn --bind unix:socket application:wsgi
    show waitress-serve --unix-socket socket application:wsgi
    show uvicorn --uds socket application:asgi
    show 'uvicorn --workers 2' --workers 2 --uds socket application:asgi
    show granian --interface wsgi --uds socket application:wsgi
} > seen
diff seen - <<'SEEN'
gunicorn: served
hypercorn: served
waitress-serve: served
uvicorn: served
uvicorn --workers 2: exit code 3, served
granian: exit code 1, exit code 1, exit code 1
SEEN
echo "as seen on 2026-11-30"
