#!/bin/bash
# Two gunicorns (27.0.1) of one user share one control socket. The second takes the name from the first without a
# word, and when it ends, `gunicornc` reaches neither, though the first one still serves.
#
# A socket that is in use would be expected to be refused, as a port is, or to have the process in its name. It is
# ~/.gunicorn/gunicorn.ctl for all of them, and both write "Control socket listening at" it. Who runs two applications
# in one container and says `gunicornc -c "worker add 1"` gives the worker to the one that was started last.
# --control-socket gives each its own, --no-control-socket none.
#
# Seen on 2026-11-29 with Python 3.11, the first with one worker and the second with two:
#   first alone: 1 workers
#   second beside it: 2 workers
#   second ended: no answer, and the first serves: yes
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gunicorn==27.0.1
cat > "$folder/application.py" <<'PYTHON'
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "6")])
    return [b"served"]
PYTHON
cd "$folder"
export HOME=$folder
unset XDG_RUNTIME_DIR
start() {
    venv/bin/gunicorn --bind "unix:$1" --workers "$2" application:app > "$1.log" 2>&1 &
    for _ in $(seq 100); do
        if grep --quiet 'Control socket listening' "$1.log"; then break; fi
        sleep 0.1
    done
}
count() {
    venv/bin/gunicornc -c 'show workers' 2> /dev/null | sed -n 's/^Total: //p' | grep . || echo 'no answer'
}
{
    start first 1
    first=$!
    echo "first alone: $(count)"
    start second 2
    second=$!
    echo "second beside it: $(count)"
    kill "$second"
    wait "$second" || true
    served=$(curl --silent --max-time 10 --unix-socket first http://localhost/ || true)
    echo "second ended: $(count), and the first serves: $([ "$served" = served ] && echo yes || echo no)"
    kill "$first"
    wait "$first" || true
} > seen
diff seen - <<'SEEN'
first alone: 1 workers
second beside it: 2 workers
second ended: no answer, and the first serves: yes
SEEN
echo "as seen on 2026-11-29"
