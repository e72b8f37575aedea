#!/bin/bash
# pip 26.3 with `--platform manylinux_2_28_aarch64` evaluates environment markers for the machine that it runs on. A
# requirement for the other processor alone is left out, and the exit code is 0. uv 0.13.9 with
# `--python-platform aarch64-unknown-linux-gnu` evaluates them for the one asked for, and installs it.
#
# Who fetches wheels for a second platform on the first one ships an image without that package.
#
# Seen on 2026-11-29 with Python 3.11 on x86_64 (on another processor there is nothing to see):
#   pip: exit code 0, six.py installed: no
#   uv: exit code 0, six.py installed: yes
set -eu
if [ "$(uname -m)" != x86_64 ]; then
    echo "needs an x86_64 machine" >&2
    exit 2
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pip==26.3 uv==0.13.9
echo 'six==1.17.0; platform_machine == "aarch64"' > "$folder/list"
show() {
    code=0
    "${@:2}" > /dev/null 2>&1 || code=$?
    echo "$1: exit code $code, six.py installed: $([ -e "$folder/$1/six.py" ] && echo yes || echo no)"
}
{
    show pip "$folder/venv/bin/pip" install --target "$folder/pip" --platform manylinux_2_28_aarch64 \
        --only-binary=:all: -r "$folder/list"
    show uv "$folder/venv/bin/uv" pip install --target "$folder/uv" --python-platform aarch64-unknown-linux-gnu \
        --only-binary :all: -r "$folder/list"
} > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
pip: exit code 0, six.py installed: no
uv: exit code 0, six.py installed: yes
SEEN
echo "as seen on 2026-11-29"
