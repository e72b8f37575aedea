#!/bin/bash
# pip 26.3 does not read the `size` that a pylock.toml (PEP 751) says of a file: it installs what has another one, and
# says nothing. uv 0.13.9 refuses it. Both refuse another hash, another Python, another environment and another version
# of the lock, and both leave out a package whose marker does not hold.
#
# Seen on 2026-11-30 with Python 3.11:
#   size, pip: exit code 0, installed: yes
#   size, uv: exit code 2, installed: no
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pip==26.3 uv==0.13.9
"$folder/venv/bin/pip" download --quiet --no-deps --dest "$folder" six==1.17.0
wheel=six-1.17.0-py2.py3-none-any.whl
declare -A right=(
    [version]='"1.0"' [python]='">=3.11"' [environments]='["os_name == '"'posix'"'"]' [marker]="\"os_name == 'posix'\""
    [size]=$(stat --format %s "$folder/$wheel") [hashes]="{sha256 = '$(sha256sum "$folder/$wheel" | cut -d ' ' -f 1)'}"
)
# A lock of that wheel, in which one thing is another: NAME VALUE.
lock() {
    declare -A say
    for name in "${!right[@]}"; do say[$name]=${right[$name]}; done
    [ "$1" = right ] || say[$1]=$2
    cat <<LOCK
lock-version = ${say[version]}
requires-python = ${say[python]}
environments = ${say[environments]}
created-by = "by hand"

[[packages]]
name = "six"
version = "1.17.0"
marker = ${say[marker]}
wheels = [{name = "$wheel", path = "$wheel", size = ${say[size]}, hashes = ${say[hashes]}}]
LOCK
}
show() {
    lock "$1" "$2" > "$folder/pylock.toml"
    for tool in pip uv; do
        rm -rf "$folder/into"
        command=("$folder/venv/bin/pip" install --no-index)
        [ $tool = pip ] || command=("$folder/venv/bin/uv" pip install --preview-features pylock --offline --no-cache)
        code=0
        "${command[@]}" --target "$folder/into" -r "$folder/pylock.toml" > "$folder/$1-$tool" 2>&1 || code=$?
        echo "$1, $tool: exit code $code, installed: $([ -e "$folder/into/six.py" ] && echo yes || echo no)"
    done
}
{
    show right ''
    show size 1
    show hashes "{sha256 = '$(printf '0%.0s' {1..64})'}"
    show python '">=99"'
    show environments '["os_name == '"'nt'"'"]'
    show marker "\"os_name == 'nt'\""
    show version '"2.0"'
} > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
right, pip: exit code 0, installed: yes
right, uv: exit code 0, installed: yes
size, pip: exit code 0, installed: yes
size, uv: exit code 2, installed: no
hashes, pip: exit code 1, installed: no
hashes, uv: exit code 1, installed: no
python, pip: exit code 1, installed: no
python, uv: exit code 2, installed: no
environments, pip: exit code 1, installed: no
environments, uv: exit code 2, installed: no
marker, pip: exit code 0, installed: no
marker, uv: exit code 0, installed: no
version, pip: exit code 1, installed: no
version, uv: exit code 2, installed: no
SEEN
echo "as seen on 2026-11-30"
