#!/bin/bash
# `mkdocs serve` of MkDocs 1.6.1 watches nothing with click 8.3.1, and reloads pages with click 8.2.1.
#
# Its options --no-livereload and --livereload write to one parameter, and the second has the default True, which click
# 8.3.1 does not give it. The server runs, says nothing of it, and shows the
# first version of a page for ever. MkDocs 1.6.1 asks for click 7 or newer, so a fresh install has the newer one.
#
# Seen on 2026-11-29 with Python 3.11:
#   click 8.2.1: reload True, asked for by name True
#   click 8.3.1: reload False, asked for by name True
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
for version in 8.2.1 8.3.1; do
    "$folder/venv/bin/pip" install --quiet mkdocs==1.6.1 "click==$version"
    "$folder/venv/bin/python" - "$version" <<'PYTHON'
import sys

from mkdocs.__main__ import serve_command

asked = [serve_command.make_context("serve", words).params["livereload"] for words in ([], ["--livereload"])]
print(f"click {sys.argv[1]}: reload {asked[0]}, asked for by name {asked[1]}")
PYTHON
done > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
click 8.2.1: reload True, asked for by name True
click 8.3.1: reload False, asked for by name True
SEEN
echo "as seen on 2026-11-29"
