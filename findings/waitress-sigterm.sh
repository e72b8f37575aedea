#!/bin/bash
# waitress 3.0.2 drops the request that it works on when SIGTERM comes, which is what `docker stop` sends. SIGINT ends
# it well. gunicorn 27.0.1 and Hypercorn 0.18.0 with one worker answer first, and exit with 0.
#
# waitress has a shutdown that waits for its threads, but no handler for SIGTERM: only KeyboardInterrupt leads to it. As
# PID 1 of a container it would not even see the signal, since Linux gives that process no default action, and
# Docker kills it after ten seconds. `STOPSIGNAL SIGINT` in the Dockerfile cures both.
#
# Seen on 2026-11-29 with Python 3.11, the signal sent during a request of two seconds:
#   gunicorn TERM: answered yes, exit code 0
#   hypercorn TERM: answered yes, exit code 0
#   waitress-serve TERM: answered no, exit code 143
#   waitress-serve INT: answered yes, exit code 0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gunicorn==27.0.1 hypercorn==0.18.0 waitress==3.0.2
cat > "$folder/slow.py" <<'PYTHON'
import time


def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        open("working", "w").close()
        time.sleep(2)
    start_response("200 OK", [("Content-Length", "6")])
    return [b"served"]
PYTHON
cd "$folder"
set -m # what runs in the background would ignore SIGINT otherwise
ask() {
    curl --silent --max-time 20 --unix-socket socket "$@"
}
show() {
    rm -f working socket
    "venv/bin/$1" "${@:3}" slow:app > log 2>&1 &
    server=$!
    ask --retry 20 --retry-delay 1 --retry-all-errors http://localhost/ > /dev/null || true
    ask http://localhost/slow > answer &
    client=$!
    for _ in $(seq 100); do
        if [ -e working ]; then break; fi
        sleep 0.1
    done
    kill -s "$2" "$server"
    code=0
    wait "$server" 2> /dev/null || code=$?
    wait "$client" || true
    echo "$1 $2: answered $([ "$(< answer)" = served ] && echo yes || echo no), exit code $code"
}
{
    show gunicorn TERM --no-control-socket --bind unix:socket
    show hypercorn TERM --bind unix:socket
    show waitress-serve TERM --unix-socket socket
    show waitress-serve INT --unix-socket socket
} > seen
diff seen - <<'SEEN'
gunicorn TERM: answered yes, exit code 0
hypercorn TERM: answered yes, exit code 0
waitress-serve TERM: answered no, exit code 143
waitress-serve INT: answered yes, exit code 0
SEEN
echo "as seen on 2026-11-29"
