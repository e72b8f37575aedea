#!/bin/bash
# Behind Hypercorn 0.18.0, a Flask application gets no body from a request that is sent in chunks. gunicorn 27.0.1,
# waitress 3.0.2 and Granian 2.8.9 give it the whole body.
#
# Hypercorn has the body, all of it, in wsgi.input. But such a request has no Content-Length, and Flask (Werkzeug 3.1.9)
# reads without one only when the server promises, by wsgi.input_terminated, that the input ends. The others set it or
# count the bytes; Hypercorn does neither. The answer is 200, and an upload through a proxy that streams is empty.
#
# Seen on 2026-11-29 with Python 3.11, Flask 3.1.3, 2,000 bytes sent:
#   gunicorn: with a length 2000 bytes, in chunks 2000 bytes
#   waitress-serve: with a length 2000 bytes, in chunks 2000 bytes
#   granian: with a length 2000 bytes, in chunks 2000 bytes
#   hypercorn: with a length 2000 bytes, in chunks 0 bytes
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet flask==3.1.3 werkzeug==3.1.9 gunicorn==27.0.1 waitress==3.0.2 granian==2.8.9 \
    hypercorn==0.18.0
cat > "$folder/upload.py" <<'PYTHON'
from flask import Flask, request

app = Flask(__name__)


@app.post("/")
def upload():
    return str(len(request.get_data()))
PYTHON
cd "$folder"
head -c 2000 /dev/zero > body
ask() {
    curl --silent --max-time 10 --unix-socket socket --retry 10 --retry-delay 1 --retry-all-errors --data-binary @body \
        "$@" http://localhost/ || true
}
show() {
    rm -f socket
    "venv/bin/$1" "${@:2}" > log 2>&1 &
    server=$!
    echo "$1: with a length $(ask) bytes, in chunks $(ask --header 'Transfer-Encoding: chunked') bytes"
    kill "$server"
    wait "$server" || true
}
{
    show gunicorn --no-control-socket --bind unix:socket upload:app
    show waitress-serve --unix-socket socket upload:app
    show granian --interface wsgi --uds socket upload:app
    show hypercorn --bind unix:socket wsgi:upload:app
} > seen
diff seen - <<'SEEN'
gunicorn: with a length 2000 bytes, in chunks 2000 bytes
waitress-serve: with a length 2000 bytes, in chunks 2000 bytes
granian: with a length 2000 bytes, in chunks 2000 bytes
hypercorn: with a length 2000 bytes, in chunks 0 bytes
SEEN
echo "as seen on 2026-11-29"
