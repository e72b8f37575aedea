#!/bin/bash
# pip 26.3 with `--target` writes bytecode that no second run writes again: each .pyc holds the random name of a
# temporary folder, where pip compiles before it moves the files. SOURCE_DATE_EPOCH does not help.
#
# pip has hash-checked bytecode when SOURCE_DATE_EPOCH is set (PEP 552), so two runs with the same packages would be
# expected to be equal, as they are with --prefix and with uv 0.13.9. The name is seen nowhere else: the
# import system replaces it, and tracebacks have the right path. --no-compile and `compileall` afterwards cure it.
#
# Seen on 2026-11-29 with Python 3.11, itsdangerous 2.2.0, SOURCE_DATE_EPOCH=0:
#   pip --target: 0 of 8 .pyc files equal, traceback names a temporary folder: no
#   pip --prefix: 8 of 8 .pyc files equal, traceback names a temporary folder: no
#   uv --target: 8 of 8 .pyc files equal, traceback names a temporary folder: no
set -eu
export SOURCE_DATE_EPOCH=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pip==26.3 uv==0.13.9
show() {
    for run in 1 2; do
        rm -rf "$folder/to"
        "$folder/venv/bin/${1%% *}" "${@:2}" "$folder/to" itsdangerous==2.2.0 > /dev/null 2>&1
        find "$folder/to" -name '*.pyc' -exec sha256sum {} + | sort > "$folder/run-$run"
    done
    equal=$(comm -12 "$folder/run-1" "$folder/run-2" | wc -l)
    package=$(find "$folder/to" -name itsdangerous)
    traceback=$(PYTHONPATH=${package%/*} "$folder/venv/bin/python" -c \
        'import itsdangerous; itsdangerous.Signer("key").unsign(b"unsigned")' 2>&1 || true)
    grep --quiet 'itsdangerous/signer.py' <<< "$traceback"
    echo "$1: $equal of $(wc -l < "$folder/run-1") .pyc files equal, traceback names a temporary folder:" \
        "$(grep --quiet pip-target <<< "$traceback" && echo yes || echo no)"
}
{
    show 'pip --target' install --no-deps --target
    show 'pip --prefix' install --no-deps --prefix
    show 'uv --target' pip install --no-deps --compile-bytecode --target
} > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
pip --target: 0 of 8 .pyc files equal, traceback names a temporary folder: no
pip --prefix: 8 of 8 .pyc files equal, traceback names a temporary folder: no
uv --target: 8 of 8 .pyc files equal, traceback names a temporary folder: no
SEEN
echo "as seen on 2026-11-29"
