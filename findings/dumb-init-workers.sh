#!/bin/bash
# Behind dumb-init 1.2.5, SIGTERM costs Hypercorn 0.18.0 the request and Celery 5.7.0 the task that each works on, and
# both exit with 0. Without an init, and with `dumb-init --single-child`, they finish it. gunicorn 27.0.1, uvicorn
# 0.54.0 and Granian 2.8.9 finish it in each way. Hypercorn with two workers loses it in each way.
#
# dumb-init sends the signal to all processes of its session, as its documentation says, where `docker stop` without it
# tells the first process alone. gunicorn's workers take the signal for what their master means by it. Those of
# Hypercorn and Celery are told to stop by other means: the signal has its default action there, and ends them. With two
# workers Hypercorn does the same to itself: it waits until one has ended, which is the one without work, and sends
# SIGTERM to the other. An init is put into images so that they end well.
#
# Seen on 2026-11-30 with Python 3.11, SIGTERM sent during work of two seconds:
#   gunicorn: finished 0, dumb-init: finished 0, --single-child: finished 0
#   uvicorn --workers 2: finished 0, dumb-init: finished 0, --single-child: finished 0
#   granian: finished 0, dumb-init: finished 0, --single-child: finished 0
#   hypercorn: finished 0, dumb-init: lost 0, --single-child: finished 0
#   hypercorn --workers 2: lost 0, dumb-init: lost 0, --single-child: lost 0
#   celery: finished 0, dumb-init: lost 0, --single-child: finished 0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dumb-init==1.2.5.post1 gunicorn==27.0.1 hypercorn==0.18.0 granian==2.8.9 \
    uvicorn==0.54.0 celery==5.7.0
cd "$folder"
cat > application.py <<'PYTHON'
import asyncio
import pathlib
import time

import celery
import celery.signals

worker = celery.Celery("application", broker="memory://")


@worker.task
def slow():
    pathlib.Path("working").touch()
    time.sleep(2)
    pathlib.Path("finished").touch()


@celery.signals.worker_ready.connect
def start(**_):
    slow.delay()


def wsgi(environ, start_response):
    slow()
    start_response("200 OK", [("Content-Length", "6")])
    return [b"served"]


async def asgi(scope, receive, send):
    assert scope["type"] == "http"
    await asyncio.to_thread(slow)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
    await send({"type": "http.response.body", "body": b"served"})
PYTHON
# Stops a program while it works, and says whether the work was done, and the exit code.
stop() {
    rm -f working finished socket
    "$@" > log 2>&1 &
    server=$!
    for _ in $(seq 300); do
        if [ -e socket ] && [ ! -e asked ]; then
            curl --silent --output answer --retry 5 --retry-connrefused --unix-socket socket http://localhost/ > asked &
        fi
        if [ -e working ]; then break; fi
        sleep 0.1
    done
    rm -f asked
    kill "$server"
    code=0
    wait "$server" 2> /dev/null || code=$?
    echo "$([ -e finished ] && echo finished || echo lost) $code"
}
show() {
    program="venv/bin/${1%% *}"
    shown="$1: $(stop "$program" "${@:2}"), dumb-init: $(stop venv/bin/dumb-init "$program" "${@:2}")"
    echo "$shown, --single-child: $(stop venv/bin/dumb-init --single-child "$program" "${@:2}")"
}
{
    show gunicorn --no-control-socket --bind unix:socket application:wsgi
    show 'uvicorn --workers 2' --workers 2 --uds socket application:asgi
    show granian --interface wsgi --uds socket application:wsgi
    show hypercorn --bind unix:socket application:wsgi
    show 'hypercorn --workers 2' --workers 2 --bind unix:socket application:wsgi
    show celery --app application:worker worker --concurrency 1
} > seen
diff seen - <<'SEEN'
gunicorn: finished 0, dumb-init: finished 0, --single-child: finished 0
uvicorn --workers 2: finished 0, dumb-init: finished 0, --single-child: finished 0
granian: finished 0, dumb-init: finished 0, --single-child: finished 0
hypercorn: finished 0, dumb-init: lost 0, --single-child: finished 0
hypercorn --workers 2: lost 0, dumb-init: lost 0, --single-child: lost 0
celery: finished 0, dumb-init: lost 0, --single-child: finished 0
SEEN
echo "as seen on 2026-11-30"
