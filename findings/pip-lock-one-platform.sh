#!/bin/bash
# `pip lock` of pip 26.3 writes a pylock.toml for the Python and the platform that it runs on: of MarkupSafe, which has
# wheels for dozens, one, and no archive of the source. The file does not say what it is for: neither `environments` nor
# `requires-python`, which PEP 751 has for it, are in it.
#
# Seen on 2026-11-30 with Python 3.11 on x86_64:
#   1 file, 0 lines that say what it is for
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pip==26.3
"$folder/venv/bin/pip" lock --quiet --output "$folder/pylock.toml" markupsafe==3.0.4
count() { grep --count --extended-regexp "$1" "$folder/pylock.toml" || true; }
echo "$(count 'sha256 *=') file, $(count '^(environments|requires-python)') lines that say what it is for" \
    > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
1 file, 0 lines that say what it is for
SEEN
echo "as seen on 2026-11-30"
