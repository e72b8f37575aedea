#!/bin/bash
# When one of its two workers is killed, Hypercorn 0.18.0 drops the request that the other works on, and exits with 0.
# Granian 2.8.9 lets the other finish, and exits with 1. Robyn 0.88.0 goes on with one worker. gunicorn 27.0.1 and
# uvicorn 0.54.0 start another.
#
# Docker's limit of memory kills one process of a container, as a rule the largest, which is a worker. Two
# workers are there so that one can be missed, and a good guess is that each server does as gunicorn does. Hypercorn
# waits for whichever ends first, sends SIGTERM to the other, which has no handler for it, and asks for exit codes a
# second time before that one has ended. Its log says nothing, and `restart: on-failure` starts nothing, since 0 stands
# for work that is done. With `--workers 0` it works in its first process, and Docker sees 137. Granian needs
# --respawn-failed-workers. Robyn has half of its workers from then on, and exits with 0 when the last one is killed.
#
# Seen on 2026-11-30 with Python 3.11, a worker killed while the other works on a request of three seconds:
#   gunicorn: the other's request finished, starts another
#   uvicorn: the other's request finished, starts another
#   granian: the other's request finished, exit code 1
#   granian --respawn-failed-workers: the other's request finished, starts another
#   hypercorn: the other's request lost, exit code 0
#   robyn: the other's request finished, goes on with one, that one killed too: exit code 0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gunicorn==27.0.1 uvicorn==0.54.0 granian==2.8.9 robyn==0.88.0 hypercorn==0.18.0
cd "$folder"
cat > application.py <<'PYTHON'
import asyncio
import os
import pathlib
import sys
import time


def mark():
    pathlib.Path("started", str(os.getpid())).touch()


def work():
    pathlib.Path("working.part").write_text(str(os.getpid()))
    pathlib.Path("working.part").rename("working")
    time.sleep(3)
    pathlib.Path("finished").touch()


def wsgi(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        work()
    start_response("200 OK", [("Content-Length", "6")])
    return [b"served"]


async def asgi(scope, receive, send):
    assert scope["type"] == "http"
    if scope["path"] == "/slow":
        await asyncio.to_thread(work)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
    await send({"type": "http.response.body", "body": b"served"})


mark()
os.register_at_fork(after_in_child=mark)
if __name__ == "__main__":
    import robyn

    server = robyn.Robyn(__file__)

    @server.get("/")
    def health(request):
        return "served"

    @server.get("/slow")
    def answer(request):
        work()
        return "served"

    server.start(host="127.0.0.1", port=int(sys.argv.pop()))
PYTHON
# Waits for so many tenths of a second, until a condition holds.
await() {
    for _ in $(seq "$1"); do
        if "${@:2}"; then return; fi
        sleep 0.1
    done
    return 1
}
ask() { curl --silent --max-time 10 --output answer "${by[@]}" "$at$1" && grep --quiet served answer; }
ended() { ! kill -0 "$server" 2> /dev/null; }
# The workers that started, however they ended, but for those named.
workers() { find started -type f -not -name "$server" -not -name "${1:-none}" -printf '%f\n' | sort; }
count() { [ "$(workers | wc -l)" -ge "$1" ]; }
show() {
    rm -rf started working finished socket
    mkdir started
    "${@:2}" > log 2>&1 &
    server=$!
    await 300 ask /
    await 300 count 2
    ask /slow &
    asked=$!
    await 100 test -e working
    kill -KILL "$(workers "$(cat working)")"
    other=lost
    if wait "$asked" && [ -e finished ]; then other=finished; fi
    code=0
    if await 50 ended; then
        wait "$server" || code=$?
        after="exit code $code"
    elif await 50 count 3; then
        await 50 ask /
        kill "$server"
        wait "$server" || true
        after="starts another"
    else
        ask /
        kill -KILL "$(cat working)"
        await 50 ended
        wait "$server" || code=$?
        after="goes on with one, that one killed too: exit code $code"
    fi
    echo "$1: the other's request $other, $after"
}
{
    by=(--unix-socket socket)
    at=http://localhost
    show gunicorn venv/bin/gunicorn --no-control-socket --workers 2 --bind unix:socket application:wsgi
    show uvicorn venv/bin/uvicorn --workers 2 --uds socket application:asgi
    show granian venv/bin/granian --workers 2 --interface wsgi --uds socket application:wsgi
    show 'granian --respawn-failed-workers' venv/bin/granian --workers 2 --respawn-failed-workers --interface wsgi \
        --uds socket application:wsgi
    show hypercorn venv/bin/hypercorn --workers 2 --bind unix:socket application:wsgi
    port=$(python3 -c 'import socket; at = socket.socket(); at.bind(("127.0.0.1", 0)); print(at.getsockname()[1])')
    by=()
    at=http://127.0.0.1:$port
    show robyn venv/bin/python application.py --processes 2 "$port"
} > seen 2> errors
diff seen - <<'SEEN'
gunicorn: the other's request finished, starts another
uvicorn: the other's request finished, starts another
granian: the other's request finished, exit code 1
granian --respawn-failed-workers: the other's request finished, starts another
hypercorn: the other's request lost, exit code 0
robyn: the other's request finished, goes on with one, that one killed too: exit code 0
SEEN
echo "as seen on 2026-11-30"
