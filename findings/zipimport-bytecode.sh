#!/bin/bash
# Python does not use the bytecode in __pycache__ of a zip file. Each start compiles each module that it imports.
#
# pip compiles what it installs, `python -m zipapp` packs the __pycache__ folders with it, and a module's __cached__
# names the file in the zip: all of it looks as in a folder. But zipimport only knows the place of old, module.pyc
# beside module.py, which `compileall -b` writes. So an archive of installed packages carries bytecode as dead weight,
# and starts slower than the same files in a folder.
#
# Seen on 2026-11-29 with Python 3.11 and pip 26.3, itsdangerous 2.2.0, compilations counted by an audit hook:
#   folder: 0 modules compiled at import, 8 .pyc files
#   zip: 8 modules compiled at import, 8 .pyc files
#   zip after compileall -b: 0 modules compiled at import, 16 .pyc files
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pip==26.3
"$folder/venv/bin/pip" install --quiet --no-deps --target "$folder/packages" itsdangerous==2.2.0
cd "$folder"
cat > count.py <<'PYTHON'
import sys

compiled = set()
sys.path.insert(0, sys.argv[1])
sys.addaudithook(lambda event, args: compiled.add(str(args[1])) if event == "compile" else None)
import itsdangerous.url_safe

print(len([name for name in compiled if "itsdangerous" in name]), "modules compiled at import")
PYTHON
show() {
    count=$(python3 -B count.py "$2")
    echo "$1: $count, $(find packages -name '*.pyc' | wc -l) .pyc files"
}
pack() {
    (cd packages && python3 -m zipfile --create "../$1" itsdangerous)
}
{
    show folder packages
    pack first.zip
    show zip first.zip
    python3 -m compileall -q -b packages
    pack second.zip
    show 'zip after compileall -b' second.zip
} > seen
diff seen - <<'SEEN'
folder: 0 modules compiled at import, 8 .pyc files
zip: 8 modules compiled at import, 8 .pyc files
zip after compileall -b: 0 modules compiled at import, 16 .pyc files
SEEN
echo "as seen on 2026-11-29"
