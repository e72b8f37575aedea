#!/bin/bash
# Install the tooling into .venv from the hashed requirements.txt. $1: the Python to use.
set -euo pipefail
python=${1:-python3}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

problem() { # what, why, next
    printf '✗ %s\n  %s\n  Next: %s\n' "$1" "$2" "$3" >&2
    exit 1
}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null ||
    problem "The tooling needs Python 3.11 or newer." "$python is $("$python" --version 2>&1 || echo 'not there')." \
        "make PYTHON=/path/to/python3.13 …"
# Debian keeps the venv module in a package of its own.
if ! "$python" -c 'import ensurepip' 2> /dev/null && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    echo "· installing python3-venv with apt" >&2
    { apt-get update && apt-get install -y --no-install-recommends python3-venv; } > "$log" 2>&1 || true
fi
if ! "$python" -m venv .venv > "$log" 2>&1; then
    problem "Python cannot make a virtual environment here." "$(tail -n 3 "$log")" "apt-get install python3-venv"
fi
echo "· installing the tooling into .venv (once)" >&2
if ! .venv/bin/python -m pip install --disable-pip-version-check --require-hashes --no-deps --no-input \
    --requirement requirements.txt > "$log" 2>&1; then
    problem "The tooling could not be installed." "$(grep -vi '^warning: location' "$log" | tail -n 6)" \
        "check that pip reaches its package index, then run the same command again"
fi
touch .venv/.ready
