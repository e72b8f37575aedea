#!/bin/bash
# `python -m compileall --invalidation-mode unchecked-hash` changes nothing where pip has compiled before, and exits
# with 0. Python 3.11, 3.12 and 3.13 do so; `-f` is needed.
#
# The option says how bytecode is checked (PEP 552). A line of a Dockerfile that asks for another mode, to have the
# same bytes in each build or to spare reading times at start, is skipped file by file: each .pyc has the time of its
# source in it, so compileall finds it up to date, and never looks at the mode. The other way round each run compiles
# everything anew, since a hash is never the time that it looks for.
#
# Seen on 2026-11-29 with Python 3.11 and pip 26.3, itsdangerous 2.2.0:
#   pip: 8 of 8 files checked by time
#   compileall: exit code 0, 8 of 8 files checked by time
#   compileall -f: exit code 0, 0 of 8 files checked by time
set -eu
unset SOURCE_DATE_EPOCH
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pip==26.3
"$folder/venv/bin/pip" install --quiet --no-deps --target "$folder/to" itsdangerous==2.2.0
count() {
    python3 - "$folder/to" <<'PYTHON'
import pathlib
import sys

flags = [int.from_bytes(path.read_bytes()[4:8], "little") for path in pathlib.Path(sys.argv[1]).rglob("*.pyc")]
print(f"{flags.count(0)} of {len(flags)} files checked by time")
PYTHON
}
compile_again() {
    code=0
    python3 -m compileall -q "$@" --invalidation-mode unchecked-hash "$folder/to" || code=$?
    echo "compileall${*:+ $*}: exit code $code, $(count)"
}
{
    echo "pip: $(count)"
    compile_again
    compile_again -f
} > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
pip: 8 of 8 files checked by time
compileall: exit code 0, 8 of 8 files checked by time
compileall -f: exit code 0, 0 of 8 files checked by time
SEEN
echo "as seen on 2026-11-29"
