#!/bin/bash
# Install into .venv what a hashed requirements.txt lists, beside what is there. $1: the Python to use, $2: the file.
set -euo pipefail
python=${1:-python3} list=${2:-requirements.txt}
# Where a reader's own settings have pip install elsewhere, as Manjaro's do, .venv is meant all the same.
unset PIP_PREFIX PIP_ROOT PIP_TARGET
export PIP_USER=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

problem() { # what, why, next
    printf '✗ %s\n  %s\n  Next: %s\n' "$1" "${2//$'\n'/$'\n  '}" "$3" >&2
    exit 1
}

# One at a time, where the system has a command for that: pip is not made for two in one place.
exec 9< "$0"
if command -v flock > /dev/null && ! flock --nonblock 9; then
    echo "· waiting for another installation to end" >&2
    flock 9
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null ||
    problem "The tooling needs Python 3.11 or newer." "$python is $("$python" --version 2>&1 || echo 'not there')." \
        "make PYTHON=/path/to/python3.13 …"
# Debian keeps the pip that a virtual environment begins with in a package of its own.
if ! .venv/bin/python -c 'import pip' 2> /dev/null && ! "$python" -c 'import ensurepip' 2> /dev/null && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    echo "· installing python3-venv with apt" >&2
    { apt-get update && apt-get install -y --no-install-recommends python3-venv; } > "$log" 2>&1 || true
fi
if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
    rm -rf .venv
    "$python" -m venv --without-pip .venv > "$log" 2>&1 ||
        problem "Python cannot make a virtual environment here." "$(tail -n 3 "$log")" "apt-get install python3-venv"
fi
# pip is unpacked from the wheel that Python brings: to install it with all its bytecode takes as long as all of the rest.
# It writes INSTALLER after a package's files: a package without one was interrupted, and has to be installed again.
.venv/bin/python - > "$log" 2>&1 << 'END' ||
import shutil, sys, sysconfig, zipfile
from pathlib import Path

packages = Path(sysconfig.get_path("purelib"))
for package in packages.glob("*.dist-info"):
    if not (package / "INSTALLER").exists():
        shutil.rmtree(package)
if not any(packages.glob("pip-*.dist-info")):
    import ensurepip

    folders = (sysconfig.get_config_var("WHEEL_PKG_DIR"), Path(ensurepip.__file__).parent / "_bundled")
    wheels = [wheel for folder in filter(None, folders) for wheel in Path(folder).glob("pip-*.whl")]
    if not wheels:
        sys.exit(f"Python {sys.version.split()[0]} brings no pip.")
    zipfile.ZipFile(wheels[0]).extractall(packages)
    next(packages.glob("pip-*.dist-info")).joinpath("INSTALLER").write_text("ensurepip\n")
END
    problem "Python cannot make a virtual environment here." "$(tail -n 3 "$log")" "apt-get install python3-venv"
echo "· installing what $list lists into .venv (once)" >&2
if ! .venv/bin/python -m pip install --disable-pip-version-check --require-hashes --no-deps --no-input --no-compile \
    --requirement "$list" > "$log" 2>&1; then
    next="check that pip reaches its package index"
    ! grep -qE 'CERTIFICATE_VERIFY_FAILED|CertVerificationError' "$log" ||
        next="name the file with your company's certificates (export PIP_CERT=/path/to/them.pem)"
    ! grep -q 'No space left' "$log" || next="df -h . \"${TMPDIR:-/tmp}\"  # make room"
    problem "What $list lists could not be installed." \
        "$(grep -viE '^(warning: location|looking in|ignoring) ' "$log" | tail -n 6)" \
        "$next, then run the same command again"
fi
