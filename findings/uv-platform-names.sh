#!/bin/bash
# uv 0.13.9 knows platforms by a list, not by the rule of PEP 600, and the list has gaps: `--python-platform
# aarch64-manylinux_2_28` and 2_31 to 2_40 are there, 2_27, 2_29 and 2_30 are not, and neither is 2_41, which is the
# glibc of Debian 13 and of every image that stands on it. All are refused as a misspelt option would be.
#
# Seen on 2026-11-29: the versions below, of 17 to 42.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet uv==0.13.9
for minor in $(seq 17 42); do
    "$folder/venv/bin/uv" pip install --dry-run --offline --no-deps --python "$folder/venv" \
        --python-platform "aarch64-manylinux_2_$minor" six 2>&1 | grep --quiet 'invalid value' || echo "$minor"
done | paste -s -d ' ' > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
17 28 31 32 33 34 35 36 37 38 39 40
SEEN
echo "as seen on 2026-11-29"
