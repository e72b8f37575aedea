#!/bin/bash
# After `compileall -o 1`, a package that pip 26.3 has uninstalled can still be imported. uv 0.13.9 uninstalls it.
#
# pip deletes what RECORD lists, and bytecode of the level at which it runs itself. What compileall has written for
# `python -O` stays, and so does the folder. A folder without __init__.py is a namespace package, so the import
# succeeds and gives a module that is empty. Code that tries an import to learn whether a package is there is told yes.
# pip says "Successfully uninstalled" and exits with 0; no RECORD is left that would name the rest.
#
# Seen on 2026-11-29 with Python 3.11, itsdangerous 2.2.0:
#   pip: exit code 0, 8 .pyc files left, import: []
#   uv: exit code 0, 0 .pyc files left, import: ModuleNotFoundError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/tools"
"$folder/tools/bin/pip" install --quiet pip==26.3 uv==0.13.9
show() {
    code=0
    python3 -m venv --without-pip "$folder/$1"
    python="$folder/$1/bin/python"
    "$folder/tools/bin/uv" pip install --quiet --python "$python" itsdangerous==2.2.0
    "$python" -m compileall -q -o 1 "$(find "$folder/$1" -name itsdangerous)"
    "$folder/tools/bin/$2" "${@:3}" > /dev/null 2>&1 || code=$?
    left=$(find "$folder/$1" -path '*itsdangerous*' -name '*.pyc' | wc -l)
    found=$("$python" -c 'import itsdangerous; print([n for n in dir(itsdangerous) if n[0] != "_"])' 2>&1 || true)
    found=$(tail -n 1 <<< "$found")
    echo "$1: exit code $code, $left .pyc files left, import: ${found%%:*}"
}
{
    show pip pip --python "$folder/pip" uninstall --yes itsdangerous
    show uv uv pip uninstall --python "$folder/uv" itsdangerous
} > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
pip: exit code 0, 8 .pyc files left, import: []
uv: exit code 0, 0 .pyc files left, import: ModuleNotFoundError
SEEN
echo "as seen on 2026-11-29"
