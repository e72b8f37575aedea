#!/bin/bash
# A server that is told under which prefix a proxy publishes it expects the proxy to strip the prefix, or to keep it,
# and servers differ in which: uvicorn 0.54.0 the first, gunicorn 27.0.1 the second, waitress 3.0.2 either. Hypercorn
# 0.18.0 and Granian 2.8.9 take either for an ASGI application, and only the second for a WSGI application.
#
# The settings look alike: --root-path of uvicorn and Hypercorn, --url-path-prefix, --url-prefix, SCRIPT_NAME. uvicorn
# puts the prefix before each path that it gets, because ASGI has it there, and where the proxy kept it there are two.
# gunicorn answers "500 Bad Request" to a path without it, before the application is asked. A health check has no
# proxy in front: who sets SCRIPT_NAME and leaves HEALTHCHECK at /health has a container that serves, called unhealthy.
#
# Seen on 2026-11-30 with Python 3.11, Flask 3.1.3 and Starlette 1.10.0, the prefix stripped and kept:
#   Flask, gunicorn: stripped 500, kept 200
#   Flask, waitress-serve: stripped 200, kept 200
#   Flask, hypercorn: stripped 404, kept 200
#   Flask, granian: stripped 404, kept 200
#   Starlette, uvicorn: stripped 200, kept 404
#   Starlette, hypercorn: stripped 200, kept 200
#   Starlette, granian: stripped 200, kept 200
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet flask==3.1.3 werkzeug==3.1.9 starlette==1.10.0 gunicorn==27.0.1 waitress==3.0.2 \
    hypercorn==0.18.0 granian==2.8.9 uvicorn==0.54.0
cd "$folder"
cat > Flask.py <<'PYTHON'
from flask import Flask

app = Flask(__name__)


@app.get("/health")
def health():
    return "well"
PYTHON
cat > Starlette.py <<'PYTHON'
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


def health(request):
    return PlainTextResponse("well")


app = Starlette(routes=[Route("/health", health)])
PYTHON
ask() {
    curl --silent --max-time 10 --unix-socket socket --output answer --write-out '%{http_code}' "http://localhost$1" \
        || true
}
show() {
    rm -f socket
    timeout --kill-after=10 120 "venv/bin/$2" "${@:3}" "$1:app" > log 2>&1 &
    server=$!
    for _ in $(seq 100); do
        if [ "$(ask /)" != 000 ]; then break; fi
        sleep 0.1
    done
    echo "$1, $2: stripped $(ask /health), kept $(ask /app/health)"
    kill "$server"
    wait "$server" || true
}
{
    export SCRIPT_NAME=/app
    show Flask gunicorn --no-control-socket --bind unix:socket
    unset SCRIPT_NAME
    show Flask waitress-serve --unix-socket socket --url-prefix /app
    show Flask hypercorn --bind unix:socket --root-path /app
    show Flask granian --interface wsgi --uds socket --url-path-prefix /app
    show Starlette uvicorn --uds socket --root-path /app
    show Starlette hypercorn --bind unix:socket --root-path /app
    show Starlette granian --interface asgi --uds socket --url-path-prefix /app
} > seen
diff seen - <<'SEEN'
Flask, gunicorn: stripped 500, kept 200
Flask, waitress-serve: stripped 200, kept 200
Flask, hypercorn: stripped 404, kept 200
Flask, granian: stripped 404, kept 200
Starlette, uvicorn: stripped 200, kept 404
Starlette, hypercorn: stripped 200, kept 200
Starlette, granian: stripped 200, kept 200
SEEN
echo "as seen on 2026-11-30"
