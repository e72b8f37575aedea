#!/bin/bash
# Behind uvicorn 0.54.0 and Granian 2.8.9, OpenTelemetry 1.45.1 loses what it collected in the seconds before SIGTERM.
# Behind gunicorn 27.0.1 and Hypercorn 0.18.0 it sends it. Behind uvicorn it does so too where uvicorn is process 1 of a
# container: there it is the init, which is put in for a good end, that costs the spans.
#
# `opentelemetry-instrument` sends every five seconds, and what is left when Python runs its exit handlers (atexit).
# uvicorn shuts down well, then sends itself the signal again, to end by it, and no handler is run. The kernel does not
# end process 1 in that way: uvicorn goes on, and the handlers are run. A worker of `--workers 2` is never process 1,
# nor is one of gunicorn. Granian forks its workers by multiprocessing, whose children end without exit handlers unless
# the start method is `spawn`. (By its source it takes that with Python 3.14.) So no trace has the last requests before
# a deployment, and whatever else waits for atexit is not done. `force_flush` at the end of the lifespan cures uvicorn.
#
# Seen on 2026-11-30 with Python 3.11, 3.12 and 3.13, SIGTERM sent half a second after one request (process 1 of a PID
# namespace, where the machine allows one; the five seconds made a minute, lest they end in between):
#   gunicorn: sent 1, exit code 0
#   gunicorn with its own ASGI worker: sent 1, exit code 0
#   gunicorn with uvicorn-worker: sent 0, exit code 0
#   uvicorn: sent 0, exit code 143
#   uvicorn as process 1: sent 1, exit code 0
#   uvicorn --workers 2: sent 0, exit code 0
#   uvicorn, force_flush: sent 1, exit code 143
#   hypercorn: sent 1, exit code 0
#   granian: sent 0, exit code 0
#   granian, spawn: sent 1, exit code 0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet opentelemetry-distro==0.66b1 opentelemetry-instrumentation-flask==0.66b1 \
    opentelemetry-instrumentation-starlette==0.66b1 opentelemetry-sdk==1.45.1 flask==3.1.3 starlette==1.10.0 \
    gunicorn==27.0.1 uvicorn==0.54.0 uvicorn-worker==0.4.0 hypercorn==0.18.0 granian==2.8.9
cd "$folder"
cat > application.py <<'PYTHON'
import contextlib

import flask
import opentelemetry.trace
import starlette.applications
import starlette.responses
import starlette.routing

wsgi = flask.Flask(__name__)
wsgi.add_url_rule("/", view_func=lambda: "served")


@contextlib.asynccontextmanager
async def flush(app):
    yield
    opentelemetry.trace.get_tracer_provider().force_flush()


def answer(request):
    return starlette.responses.PlainTextResponse("served")


routes = [starlette.routing.Route("/", answer)]
asgi = starlette.applications.Starlette(routes=routes)
flushed = starlette.applications.Starlette(routes=routes, lifespan=flush)
PYTHON
cat > spawn.py <<'PYTHON'
import multiprocessing

import granian.cli

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    granian.cli.entrypoint()
PYTHON
export OTEL_TRACES_EXPORTER=console OTEL_METRICS_EXPORTER=none OTEL_LOGS_EXPORTER=none OTEL_BSP_SCHEDULE_DELAY=60000
# Starts a server, with what is in `before` in front of it, asks it once, stops it, and counts what was sent of that.
before=()
show() {
    rm -f socket
    "${before[@]}" venv/bin/opentelemetry-instrument venv/bin/"$2" "${@:3}" > spans 2> log &
    server=$!
    for _ in $(seq 120); do
        if [ "$(curl --silent --max-time 30 --unix-socket socket http://localhost/)" = served ]; then break; fi
        sleep 0.5
    done
    sleep 0.5
    if [ "${#before[@]}" = 0 ]; then kill "$server"; else kill "$(cat "/proc/$server/task/$server/children")"; fi
    code=0
    wait "$server" 2> /dev/null || code=$?
    echo "$1: sent $(grep --count '"kind": "SpanKind.SERVER"' spans), exit code $code"
}
namespace=(unshare --user --map-root-user --pid --fork)
shown=all
"${namespace[@]}" true 2> /dev/null || shown=others
{
    show gunicorn gunicorn --no-control-socket --bind unix:socket application:wsgi
    show 'gunicorn with its own ASGI worker' gunicorn --no-control-socket --worker-class asgi --bind unix:socket \
        application:asgi
    show 'gunicorn with uvicorn-worker' gunicorn --no-control-socket --worker-class uvicorn_worker.UvicornWorker \
        --bind unix:socket application:asgi
    show uvicorn uvicorn --uds socket application:asgi
    if [ "$shown" = all ]; then
        before=("${namespace[@]}")
        show 'uvicorn as process 1' uvicorn --uds socket application:asgi
        before=()
    fi
    show 'uvicorn --workers 2' uvicorn --workers 2 --uds socket application:asgi
    show 'uvicorn, force_flush' uvicorn --uds socket application:flushed
    show hypercorn hypercorn --bind unix:socket application:asgi
    show granian granian --interface wsgi --uds socket application:wsgi
    show 'granian, spawn' python spawn.py --interface wsgi --uds socket application:wsgi
} > seen
{ if [ "$shown" = all ]; then cat; else grep --invert-match 'process 1'; fi; } > expected <<'SEEN'
gunicorn: sent 1, exit code 0
gunicorn with its own ASGI worker: sent 1, exit code 0
gunicorn with uvicorn-worker: sent 0, exit code 0
uvicorn: sent 0, exit code 143
uvicorn as process 1: sent 1, exit code 0
uvicorn --workers 2: sent 0, exit code 0
uvicorn, force_flush: sent 1, exit code 143
hypercorn: sent 1, exit code 0
granian: sent 0, exit code 0
granian, spawn: sent 1, exit code 0
SEEN
diff seen expected
echo "as seen on 2026-11-30"
