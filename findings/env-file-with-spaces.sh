#!/bin/bash
# From a file that `docker run --env-file` takes, honcho 2.0.0 and uv 0.13.9 give a program other variables: honcho
# glues the words of a value together, and uv leaves out that value and all lines after it. Both exit with 0.
#
# For Docker a value is what stands behind the =, to the end of the line. Its client for Python (docker 7.2.0) reads it
# so, and so does python-dotenv 1.2.4, with which podman-compose and Flask read such files, as long as there are no
# quotes. honcho takes the line apart as a shell does and joins the words without spaces, stops at a # inside a
# word, and leaves out what is empty. uv warns in one line and starts the program. With quotes around the two words uv
# has all of it, honcho still loses two values, and Docker hands on the quotes as part of the value. So one file
# suits all four only if no value has a space, a # or nothing in it: --workers=2.
#
# Seen on 2026-11-30 with Python 3.11:
#   plain.env, docker: APP_FIRST=1; GUNICORN_CMD_ARGS=--workers 2; APP_TAG=step#4; APP_PREFIX=; APP_LAST=1
#   plain.env, python-dotenv: APP_FIRST=1; GUNICORN_CMD_ARGS=--workers 2; APP_TAG=step#4; APP_PREFIX=; APP_LAST=1
#   plain.env, honcho: APP_FIRST=1; GUNICORN_CMD_ARGS=--workers2; APP_TAG=step; APP_LAST=1
#   plain.env, uv: APP_FIRST=1
#   quoted.env, docker: APP_FIRST=1; GUNICORN_CMD_ARGS="--workers 2"; APP_TAG=step#4; APP_PREFIX=; APP_LAST=1
#   quoted.env, python-dotenv: APP_FIRST=1; GUNICORN_CMD_ARGS=--workers 2; APP_TAG=step#4; APP_PREFIX=; APP_LAST=1
#   quoted.env, honcho: APP_FIRST=1; GUNICORN_CMD_ARGS=--workers 2; APP_TAG=step; APP_LAST=1
#   quoted.env, uv: APP_FIRST=1; GUNICORN_CMD_ARGS=--workers 2; APP_TAG=step#4; APP_PREFIX=; APP_LAST=1
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet docker==7.2.0 python-dotenv==1.2.4 honcho==2.0.0 uv==0.13.9
cd "$folder"
cat > plain.env <<'LINES'
APP_FIRST=1
GUNICORN_CMD_ARGS=--workers 2
APP_TAG=step#4
APP_PREFIX=
APP_LAST=1
LINES
sed 's/--workers 2/"&"/' plain.env > quoted.env
cat > show.py <<'PYTHON'
import os
import sys

import docker.utils
import dotenv

file, reader = sys.argv[1:]
read = {"docker": docker.utils.parse_env_file, "python-dotenv": dotenv.dotenv_values}
names = [line.partition("=")[0] for line in open(file)]
values = read[reader](file) if reader in read else os.environ
print(f"{file}, {reader}:", "; ".join(f"{name}={values[name]}" for name in names if name in values))
PYTHON
unset APP_FIRST GUNICORN_CMD_ARGS APP_TAG APP_PREFIX APP_LAST
for file in plain.env quoted.env; do
    venv/bin/python show.py "$file" docker
    venv/bin/python show.py "$file" python-dotenv
    venv/bin/honcho --env "$file" run "$folder/venv/bin/python" show.py "$file" honcho
    venv/bin/uv run --offline --no-project --python venv/bin/python --env-file "$file" show.py "$file" uv 2> said
done > seen
diff seen - <<'SEEN'
plain.env, docker: APP_FIRST=1; GUNICORN_CMD_ARGS=--workers 2; APP_TAG=step#4; APP_PREFIX=; APP_LAST=1
plain.env, python-dotenv: APP_FIRST=1; GUNICORN_CMD_ARGS=--workers 2; APP_TAG=step#4; APP_PREFIX=; APP_LAST=1
plain.env, honcho: APP_FIRST=1; GUNICORN_CMD_ARGS=--workers2; APP_TAG=step; APP_LAST=1
plain.env, uv: APP_FIRST=1
quoted.env, docker: APP_FIRST=1; GUNICORN_CMD_ARGS="--workers 2"; APP_TAG=step#4; APP_PREFIX=; APP_LAST=1
quoted.env, python-dotenv: APP_FIRST=1; GUNICORN_CMD_ARGS=--workers 2; APP_TAG=step#4; APP_PREFIX=; APP_LAST=1
quoted.env, honcho: APP_FIRST=1; GUNICORN_CMD_ARGS=--workers 2; APP_TAG=step; APP_LAST=1
quoted.env, uv: APP_FIRST=1; GUNICORN_CMD_ARGS=--workers 2; APP_TAG=step#4; APP_PREFIX=; APP_LAST=1
SEEN
echo "as seen on 2026-11-30"
