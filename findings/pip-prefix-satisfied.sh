#!/bin/bash
# pip 26.3 with `--prefix` or `--root` leaves out what the Python that runs it has already, and exits with 0. With
# `--target` it does not, and neither does uv 0.13.9 with --prefix.
#
# The three options say where a package goes, so the same would be expected of each. In a Dockerfile with two
# stages, `pip install --prefix=/install` and a copy of /install lose each package that the first stage has and the last
# one has not: a build tool, or what an earlier line installed. "Requirement already satisfied" is all that pip says.
# With --ignore-installed they are there.
#
# Seen on 2026-11-29 with Python 3.11, six 1.17.0 installed beforehand:
#   pip --prefix: exit code 0, six.py installed: no
#   pip --root: exit code 0, six.py installed: no
#   pip --target: exit code 0, six.py installed: yes
#   pip --ignore-installed --prefix: exit code 0, six.py installed: yes
#   uv --prefix: exit code 0, six.py installed: yes
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pip==26.3 uv==0.13.9 six==1.17.0
show() {
    code=0
    rm -rf "$folder/to"
    "$folder/venv/bin/${1%% *}" "${@:2}" "$folder/to" six==1.17.0 > /dev/null 2>&1 || code=$?
    found=$(find "$folder/to" -name six.py 2> /dev/null || true)
    echo "$1: exit code $code, six.py installed: $([ -n "$found" ] && echo yes || echo no)"
}
{
    show 'pip --prefix' install --prefix
    show 'pip --root' install --root
    show 'pip --target' install --target
    show 'pip --ignore-installed --prefix' install --ignore-installed --prefix
    show 'uv --prefix' pip install --python "$folder/venv" --prefix
} > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
pip --prefix: exit code 0, six.py installed: no
pip --root: exit code 0, six.py installed: no
pip --target: exit code 0, six.py installed: yes
pip --ignore-installed --prefix: exit code 0, six.py installed: yes
uv --prefix: exit code 0, six.py installed: yes
SEEN
echo "as seen on 2026-11-29"
