#!/bin/bash
# dockerfile-parse 2.0.1, the newest, reads the body of a heredoc as instructions, and `${NAME:-default}` in
# FROM as a name with a colon in it.
#
# Heredocs came with Dockerfile frontend 1.4. A line of its body that begins with FROM becomes the
# base image that the library names; its end mark becomes an instruction of its own. Nothing is raised or warned of.
#
# Seen on 2026-11-29 with Python 3.11:
#   heredoc: ['FROM', 'COPY', 'FROM', 'RUN', 'EOF', 'USER'] base the
#   default: base python::-3.14}-slim
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dockerfile-parse==2.0.1
"$folder/venv/bin/python" - > "$folder/seen" <<'PYTHON'
import io

from dockerfile_parse import DockerfileParser

heredoc = b"""FROM python:3.14-slim AS base
COPY <<EOF /etc/motd
FROM the top floor
RUN when it rings
EOF
USER 1000
"""
parser = DockerfileParser(fileobj=io.BytesIO(heredoc))
print("heredoc:", [one["instruction"] for one in parser.structure], "base", parser.baseimage)
parser = DockerfileParser(fileobj=io.BytesIO(b"ARG TAG\nFROM python:${TAG:-3.14}-slim\n"))
print("default: base", parser.baseimage)
PYTHON
diff "$folder/seen" - <<'SEEN'
heredoc: ['FROM', 'COPY', 'FROM', 'RUN', 'EOF', 'USER'] base the
default: base python::-3.14}-slim
SEEN
echo "as seen on 2026-11-29"
