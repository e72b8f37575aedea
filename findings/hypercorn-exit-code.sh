#!/bin/bash
# Hypercorn 0.18.0 exits with 0 when it cannot import the application, and so does uvicorn 0.54.0 with `--workers 2`.
# gunicorn 27.0.1, Granian 2.8.9, waitress 3.0.2 and uvicorn with one worker exit with another code.
#
# All of them write the error down. But the exit code is what is read by `restart: on-failure`, by a job of Kubernetes,
# and by a smoke test such as `docker run IMAGE && push`: they take the image without its application for one that has
# done its work. Hypercorn asks its workers for their exit codes twice, and the second time none is left. uvicorn stops
# when one fails at its start, and does not hand the code on.
#
# Seen on 2026-11-29 with Python 3.11, a module named that is not there:
#   gunicorn: exit code 3
#   waitress-serve: exit code 1
#   granian: exit code 1
#   uvicorn: exit code 3
#   uvicorn --workers 2: exit code 0
#   hypercorn: exit code 0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gunicorn==27.0.1 waitress==3.0.2 granian==2.8.9 uvicorn==0.54.0 hypercorn==0.18.0
cd "$folder"
show() {
    code=0
    rm -f socket
    timeout 30 "venv/bin/${1%% *}" "${@:2}" absent:app > log 2>&1 || code=$?
    grep --quiet absent log
    echo "$1: exit code $code"
}
{
    show gunicorn --no-control-socket --bind unix:socket
    show waitress-serve --unix-socket socket
    show granian --interface wsgi --uds socket
    show uvicorn --uds socket
    show 'uvicorn --workers 2' --workers 2 --uds socket
    show hypercorn --bind unix:socket
} > seen
diff seen - <<'SEEN'
gunicorn: exit code 3
waitress-serve: exit code 1
granian: exit code 1
uvicorn: exit code 3
uvicorn --workers 2: exit code 0
hypercorn: exit code 0
SEEN
echo "as seen on 2026-11-29"
