#!/bin/bash
# uv 0.13.9 with --compile-bytecode writes .pyc files that no RECORD names. pip 26.3 names each one it compiles.
#
# RECORD lists the files of an installed package (PEP 376 and the "Recording installed projects" specification, which
# lets installers leave .pyc out). A tool that adds up a package's size from RECORD finds the same package
# smaller where uv installed it, and calls the rest files of nobody.
#
# Seen on 2026-11-29 with Python 3.11, itsdangerous 2.2.0:
#   pip: 8 .pyc files, 8 of them in RECORD
#   uv: 8 .pyc files, 0 of them in RECORD
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pip==26.3 uv==0.13.9
"$folder/venv/bin/pip" install --quiet --no-deps --target "$folder/pip" itsdangerous==2.2.0
"$folder/venv/bin/uv" pip install --quiet --no-deps --compile-bytecode --target "$folder/uv" itsdangerous==2.2.0
for tool in pip uv; do
    there=$(find "$folder/$tool" -name '*.pyc' | wc -l)
    listed=$(grep -c '\.pyc,' "$folder/$tool"/itsdangerous-2.2.0.dist-info/RECORD || true)
    echo "$tool: $there .pyc files, $listed of them in RECORD"
done > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
pip: 8 .pyc files, 8 of them in RECORD
uv: 8 .pyc files, 0 of them in RECORD
SEEN
echo "as seen on 2026-11-29"
