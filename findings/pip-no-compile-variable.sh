#!/bin/bash
# `PIP_NO_COMPILE=1` makes pip 26.3 compile, and `PIP_NO_COMPILE=0` keeps it from compiling. `PIP_NO_CACHE_DIR` turns
# the cache off with either value, and `PIP_NO_DEPS` means what it says.
#
# In a Dockerfile the three stand in one ENV line and look alike. The first takes the value for the setting `compile`
# that the option writes to, which a note in pip's documentation on configuration says; the second has an exception
# in pip's code, kept for files that had it wrong. Who wants to save the bytecode's megabytes writes 1, as with
# PYTHONDONTWRITEBYTECODE, sees no message, and ships them.
#
# Seen on 2026-11-29 with Python 3.11, itsdangerous 2.2.0 and Jinja2 3.1.6, which needs MarkupSafe:
#   PIP_NO_COMPILE=1: compiled yes
#   PIP_NO_COMPILE=0: compiled no
#   PIP_NO_CACHE_DIR=1: cache no
#   PIP_NO_CACHE_DIR=0: cache no
#   PIP_NO_DEPS=1: dependency no
#   PIP_NO_DEPS=0: dependency yes
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pip==26.3
install() {
    rm -rf "$folder/to"
    env "$1" "$folder/venv/bin/pip" install --quiet --target "$folder/to" "$2"
}
there() {
    [ -n "$(find "$folder/to" -name "$1")" ] && echo yes || echo no
}
for value in 1 0; do
    install "PIP_NO_COMPILE=$value" itsdangerous==2.2.0
    echo "PIP_NO_COMPILE=$value: compiled $(there '*.pyc')"
done > "$folder/seen"
for value in 1 0; do
    cache=$(env "PIP_NO_CACHE_DIR=$value" "$folder/venv/bin/pip" cache dir 2> /dev/null || true)
    echo "PIP_NO_CACHE_DIR=$value: cache $([ -n "$cache" ] && echo yes || echo no)"
done >> "$folder/seen"
for value in 1 0; do
    install "PIP_NO_DEPS=$value" Jinja2==3.1.6
    echo "PIP_NO_DEPS=$value: dependency $(there markupsafe)"
done >> "$folder/seen"
diff "$folder/seen" - <<'SEEN'
PIP_NO_COMPILE=1: compiled yes
PIP_NO_COMPILE=0: compiled no
PIP_NO_CACHE_DIR=1: cache no
PIP_NO_CACHE_DIR=0: cache no
PIP_NO_DEPS=1: dependency no
PIP_NO_DEPS=0: dependency yes
SEEN
echo "as seen on 2026-11-29"
