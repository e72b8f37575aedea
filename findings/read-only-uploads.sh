#!/bin/bash
# On a read-only disk, waitress 3.0.2 and Daphne 4.2.3 start, pass the health check, take small uploads, and cut off a
# large one without an answer. Behind gunicorn 27.0.1, Granian 2.8.9 and uvicorn 0.54.0 the same body arrives. Flask
# 3.1.3 (Werkzeug 3.1.9) and Starlette 1.10.0 answer 500 to it there when it is a file in a form.
#
# What is small is kept in memory, and what is large in a temporary file. Daphne does so from 100,000 bytes on, waitress
# from 512 KiB, Flask from 500 KiB, Starlette from 1 MiB, the other servers never. Nothing asks for the folder before
# the first large upload, and Daphne does not log it even then. Only gunicorn does not start, as it puts a file there
# for each worker; `--worker-tmp-dir /dev/shm`, which is the usual advice, takes that warning away. So `docker run
# --read-only` needs `--tmpfs /tmp` with all of them. Whoever tries it out with a small file does not see why.
#
# Seen on 2026-11-30 with Python 3.11 and 3.13, 50,000 and 2,000,000 bytes, as a body and as a file in a form. A limit
# of 0 bytes for each file stands for the read-only disk, and 000 for no answer (Hypercorn is not here: the limit stops
# its start). The same lines came of `docker run --read-only` with Docker 26.1.5 and Python 3.14:
#   gunicorn: health 000, small 000 and 000, large 000 and 000
#   gunicorn --worker-tmp-dir, Flask: health 200, small 200 and 200, large 200 and 500
#   granian, Flask: health 200, small 200 and 200, large 200 and 500
#   waitress, Flask: health 200, small 200 and 200, large 000 and 000
#   uvicorn, Starlette: health 200, small 200 and 200, large 200 and 500
#   daphne, Starlette: health 200, small 200 and 200, large 000 and 000
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gunicorn==27.0.1 waitress==3.0.2 granian==2.8.9 uvicorn==0.54.0 daphne==4.2.3 \
    flask==3.1.3 werkzeug==3.1.9 starlette==1.10.0 python-multipart==0.0.34
cd "$folder"
cat > application.py <<'PYTHON'
import flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

wsgi = flask.Flask(__name__)


@wsgi.get("/health")
def health():
    return "well"


@wsgi.post("/body")
def body():
    return str(len(flask.request.get_data()))


@wsgi.post("/form")
def form():
    return str(len(flask.request.files["file"].read()))


async def asgi_health(request):
    return PlainTextResponse("well")


async def asgi_body(request):
    return PlainTextResponse(str(len(await request.body())))


async def asgi_form(request):
    async with request.form() as form:
        return PlainTextResponse(str(len(await form["file"].read())))


asgi = Starlette(
    routes=[
        Route("/health", asgi_health),
        Route("/body", asgi_body, methods=["POST"]),
        Route("/form", asgi_form, methods=["POST"]),
    ]
)
PYTHON
head -c 50000 /dev/zero > small
head -c 2000000 /dev/zero > large
python3 -m compileall -q application.py
ask() {
    curl --silent --max-time 20 --header Expect: --output /dev/null --write-out '%{http_code}' \
        --unix-socket socket "${@:2}" "http://localhost/$1" || true
}
# Starts a server that may not write to any file, as on a read-only disk, and uploads a small and a large file to it.
show() {
    rm -f socket
    (
        ulimit -f 0
        exec "venv/bin/$2" "${@:3}" > /dev/null 2>&1
    ) &
    server=$!
    for _ in $(seq 100); do
        if [ "$(ask health)" = 200 ]; then break; fi
        sleep 0.1
    done
    shown="$1: health $(ask health)"
    for size in small large; do
        shown="$shown, $size $(ask body --data-binary "@$size") and $(ask form --form "file=@$size")"
    done
    kill "$server" 2> /dev/null || true
    wait "$server" || true
    echo "$shown"
}
{
    show 'gunicorn' gunicorn --no-control-socket --bind unix:socket application:wsgi
    show 'gunicorn --worker-tmp-dir, Flask' gunicorn --no-control-socket --worker-tmp-dir /dev/shm --bind unix:socket \
        application:wsgi
    show 'granian, Flask' granian --interface wsgi --uds socket application:wsgi
    show 'waitress, Flask' waitress-serve --unix-socket socket application:wsgi
    show 'uvicorn, Starlette' uvicorn --uds socket application:asgi
    show 'daphne, Starlette' daphne -u socket application:asgi
} > seen
diff seen - <<'SEEN'
gunicorn: health 000, small 000 and 000, large 000 and 000
gunicorn --worker-tmp-dir, Flask: health 200, small 200 and 200, large 200 and 500
granian, Flask: health 200, small 200 and 200, large 200 and 500
waitress, Flask: health 200, small 200 and 200, large 000 and 000
uvicorn, Starlette: health 200, small 200 and 200, large 200 and 500
daphne, Starlette: health 200, small 200 and 200, large 000 and 000
SEEN
echo "as seen on 2026-11-30"
