#!/bin/bash
# pip 26.3 with `--target` installs half of a package into a folder that has another one, says "Successfully
# installed", and exits with 0. uv 0.13.9 installs all of it.
#
# pip moves what it installs into the folder by its topmost names, and leaves out those that are there already. `bin` is
# one: the second package has no commands. The folder of a namespace package is one too: the second package has
# metadata and no code. A warning names the folder, not what is missing. With --upgrade pip replaces `bin`, and
# the first package's commands are gone. Who splits one list into two lines of a Dockerfile gets another image.
#
# Seen on 2026-11-29 with Python 3.11, flask before gunicorn, sphinxcontrib-jsmath before sphinxcontrib-htmlhelp:
#   pip: exit code 0, commands: flask; of 2 packages in sphinxcontrib: jsmath
#   pip --upgrade: exit code 0, commands: gunicorn gunicornc; of 2 packages in sphinxcontrib: htmlhelp
#   uv: exit code 0, commands: flask gunicorn gunicornc; of 2 packages in sphinxcontrib: htmlhelp jsmath
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pip==26.3 uv==0.13.9
list() {
    (cd "$1" && printf '%s\n' [!_.]* | paste -s -d ' ')
}
show() {
    code=0
    target=$folder/$1
    for package in flask==3.1.3 gunicorn==27.0.1 sphinxcontrib-jsmath==1.0.1 sphinxcontrib-htmlhelp==2.1.0; do
        "${@:2}" --quiet --no-deps --target "$target" "$package" > /dev/null 2>&1 || code=$?
    done
    metadata=$(find "$target" -name 'sphinxcontrib_*.dist-info' | wc -l)
    echo "$1: exit code $code, commands: $(list "$target/bin"); of $metadata packages in sphinxcontrib:" \
        "$(list "$target/sphinxcontrib")"
}
{
    show pip "$folder/venv/bin/pip" install
    show 'pip --upgrade' "$folder/venv/bin/pip" install --upgrade
    show uv "$folder/venv/bin/uv" pip install
} > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
pip: exit code 0, commands: flask; of 2 packages in sphinxcontrib: jsmath
pip --upgrade: exit code 0, commands: gunicorn gunicornc; of 2 packages in sphinxcontrib: htmlhelp
uv: exit code 0, commands: flask gunicorn gunicornc; of 2 packages in sphinxcontrib: htmlhelp jsmath
SEEN
echo "as seen on 2026-11-29"
