#!/bin/bash
# Of eleven commands that start a server in a container, five cost gunicorn 27.0.1 its good end at SIGTERM. Poe the Poet
# 0.49.0 makes it drop its requests. hatch 1.18.2, invoke 3.0.3 and `honcho run` 2.0.0 do not tell it. taskipy 1.14.1
# tells its workers in its place, where the task has `exec` in it.
#
# `poetry run`, `pipenv run` and `dotenv run` are replaced by the program, and uv 0.13.9, PDM 2.29.4 and `honcho start`
# hand the signal on, so a good guess is that a runner of tasks does one or the other. Poe makes SIGINT of it, which is
# gunicorn's signal to stop at once, sends it every 0.8 seconds, and SIGKILL with the third, however long Docker would
# wait. `use_exec = true` in the task cures it. The three that say nothing end alone here. As process 1 they do not end
# either: Linux gives that process no default action, and Docker kills all after ten seconds. taskipy signals the
# children of the shell that it starts. With `exec`, which is the usual advice, or where sh is bash, gunicorn has taken
# the shell's place, and its children are workers: they end, and it starts others. When the kernel kills gunicorn for
# its memory, PDM, invoke, and taskipy with `exec` exit with 247, and not with 137, by which this is known.
#
# Seen on 2026-11-30 with Python 3.11 and 3.13, and dash as sh, as in Debian: what became of a request of three
# seconds, and the exit code when gunicorn is killed (with another sh, the lines of honcho, hatch and taskipy without
# `exec` are left out):
#   gunicorn itself: finished, killed 137
#   poetry run: finished, killed 137
#   pipenv run: finished, killed 137
#   dotenv run: finished, killed 137
#   uv run: finished, killed 137
#   pdm run: finished, killed 247
#   honcho start: finished, killed 137
#   honcho run: not told, killed 137
#   hatch run: not told, killed 137
#   invoke: not told, killed 247
#   poe: lost, killed 137
#   poe, use_exec: finished, killed 137
#   task: finished, killed 137
#   task, exec: goes on, killed 247
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gunicorn==27.0.1 poetry==2.5.1 pipenv==2026.10.3 python-dotenv==1.2.4 \
    uv==0.13.9 pdm==2.29.4 honcho==2.0.0 hatch==1.18.2 invoke==3.0.3 poethepoet==0.49.0 taskipy==1.14.1
cd "$folder"
cat > pyproject.toml <<'TOML'
[project]
name = "application"
version = "1"
requires-python = ">=3.11"

[tool.poetry]
package-mode = false

[tool.hatch.envs.default]
path = "venv"
skip-install = true

[tool.poe.tasks]
serve = "gunicorn"
replace = {cmd = "gunicorn", use_exec = true}

[tool.taskipy.tasks]
serve = "gunicorn"
replace = "exec gunicorn"
TOML
cat > tasks.py <<'PYTHON'
import invoke


@invoke.task
def serve(context):
    context.run("gunicorn")
PYTHON
cat > application.py <<'PYTHON'
import pathlib
import time


def wsgi(environ, start_response):
    pathlib.Path("working").touch()
    time.sleep(3)
    pathlib.Path("finished").touch()
    start_response("200 OK", [("Content-Length", "6")])
    return [b"served"]
PYTHON
cat > gunicorn.conf.py <<'PYTHON'
bind = "unix:socket"
control_socket_disable = True
pidfile = "pid"
wsgi_app = "application:wsgi"
PYTHON
echo "serve: gunicorn" > Procfile
touch Pipfile variables
export HOME="$folder" VIRTUAL_ENV="$folder/venv" PATH="$folder/venv/bin:$PATH" PDM_CHECK_UPDATE=0 PIPENV_VERBOSITY=-1
# Waits for so many tenths of a second, until a condition holds.
await() {
    for _ in $(seq "$1"); do
        if "${@:2}"; then return; fi
        sleep 0.1
    done
    return 1
}
ended() { ! kill -0 "$1" 2> /dev/null; }
start() {
    rm -f socket working finished pid
    "$@" > log 2>&1 &
    runner=$!
    await 600 test -S socket
    await 50 test -s pid
    gunicorn=$(cat pid)
}
show() {
    start "${@:2}"
    curl --silent --output answer --retry 5 --retry-connrefused --unix-socket socket http://localhost/ &
    asked=$!
    await 100 test -e working
    kill "$runner"
    if ! await 80 ended "$runner"; then
        seen="goes on"
    elif [ -e finished ]; then
        seen=finished
    elif ended "$gunicorn"; then
        seen=lost
    else
        seen="not told"
    fi
    kill "$gunicorn" 2> /dev/null || true
    await 80 ended "$gunicorn"
    wait "$runner" "$asked" 2> /dev/null || true
    start "${@:2}"
    kill -KILL "$gunicorn"
    code=0
    wait "$runner" 2> /dev/null || code=$?
    echo "$1: $seen, killed $code"
}
by_sh='^(honcho|hatch|task:)'
case $(readlink -f /bin/sh) in *dash) by_sh='^nothing' ;; esac
{
    show 'gunicorn itself' gunicorn
    show 'poetry run' poetry run gunicorn
    show 'pipenv run' pipenv run gunicorn
    show 'dotenv run' dotenv --file variables run gunicorn
    show 'uv run' uv run --no-project gunicorn
    show 'pdm run' pdm run gunicorn
    show 'honcho start' honcho start
    show 'honcho run' honcho run gunicorn
    show 'hatch run' hatch run gunicorn
    show invoke invoke serve
    show poe poe serve
    show 'poe, use_exec' poe replace
    show task task serve
    show 'task, exec' task replace
} | grep --extended-regexp --invert-match "$by_sh" > seen
grep --extended-regexp --invert-match "$by_sh" > expected <<'SEEN'
gunicorn itself: finished, killed 137
poetry run: finished, killed 137
pipenv run: finished, killed 137
dotenv run: finished, killed 137
uv run: finished, killed 137
pdm run: finished, killed 247
honcho start: finished, killed 137
honcho run: not told, killed 137
hatch run: not told, killed 137
invoke: not told, killed 247
poe: lost, killed 137
poe, use_exec: finished, killed 137
task: finished, killed 137
task, exec: goes on, killed 247
SEEN
diff seen expected
echo "as seen on 2026-11-30"
