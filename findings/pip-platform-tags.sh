#!/bin/bash
# pip 26.3 with `--platform manylinux_2_28_x86_64` refuses wheels for manylinux_2_17, which any system with glibc 2.28
# runs (PEP 600: a tag names the oldest glibc that a wheel needs). Run on such a system without --platform, pip takes
# them. Each older tag has to be given beside the first one.
#
# Seen on 2026-11-29, MarkupSafe 2.1.5 for Python 3.11, whose wheel is tagged manylinux_2_17 and manylinux2014:
#   manylinux_2_28_x86_64: exit code 1, 0 wheels
#   manylinux_2_28_x86_64 and manylinux_2_17_x86_64: exit code 0, 1 wheels
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pip==26.3
fetch() {
    code=0
    rm -rf "$folder/wheels"
    "$folder/venv/bin/pip" download --quiet --no-deps --python-version 3.11 --only-binary=:all: "${@/#/--platform=}" \
        --dest "$folder/wheels" MarkupSafe==2.1.5 > /dev/null 2>&1 || code=$?
    echo "$1${2:+ and $2}: exit code $code, $(find "$folder/wheels" -name '*.whl' 2> /dev/null | wc -l) wheels"
}
{
    fetch manylinux_2_28_x86_64
    fetch manylinux_2_28_x86_64 manylinux_2_17_x86_64
} > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
manylinux_2_28_x86_64: exit code 1, 0 wheels
manylinux_2_28_x86_64 and manylinux_2_17_x86_64: exit code 0, 1 wheels
SEEN
echo "as seen on 2026-11-29"
