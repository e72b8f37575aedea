#!/bin/bash
# poetry-core 2.5.0 builds another wheel in an image than in the checkout. Where there is a .git folder, files that
# .gitignore names are left out; where there is none, they are in. Hatchling 1.33.0 and flit-core 4.2.0 build the same
# in both.
#
# A .dockerignore names .git as a rule, so the wheel that a Dockerfile makes holds what the one from the checkout does
# not: local settings, a generated module, a database for trials. Hatchling reads .gitignore itself, git or no git, so
# a good guess is that a backend that heeds the file always does.
#
# Seen on 2026-11-29 with Python 3.11 and build 1.6.1, a package with __init__.py and made.py, the latter in .gitignore:
#   poetry-core: __init__.py in the checkout, __init__.py made.py without .git
#   hatchling: __init__.py in the checkout, __init__.py without .git
#   flit-core: __init__.py made.py in the checkout, __init__.py made.py without .git
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet build==1.6.1
mkdir -p "$folder/source/app"
cd "$folder/source"
echo '"""An application."""' > app/__init__.py
touch app/made.py
echo made.py > .gitignore
wheel() {
    rm -rf dist
    "$folder/venv/bin/python" -m build --wheel > ../log 2>&1
    python3 -m zipfile --list dist/*.whl | sed -n 's#^app/\([^ ]*\) .*#\1#p' | sort | paste -s -d ' '
}
show() {
    printf '[build-system]\nrequires = ["%s"]\nbuild-backend = "%s"\n' "$1" "$2" > pyproject.toml
    printf '[project]\nname = "app"\nversion = "1"\ndescription = "An application."\n' >> pyproject.toml
    git init --quiet
    checkout=$(wheel)
    rm -rf .git
    echo "${1%%==*}: $checkout in the checkout, $(wheel) without .git"
}
{
    show poetry-core==2.5.0 poetry.core.masonry.api
    show hatchling==1.33.0 hatchling.build
    show flit-core==4.2.0 flit_core.buildapi
} > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
poetry-core: __init__.py in the checkout, __init__.py made.py without .git
hatchling: __init__.py in the checkout, __init__.py without .git
flit-core: __init__.py made.py in the checkout, __init__.py made.py without .git
SEEN
echo "as seen on 2026-11-29"
