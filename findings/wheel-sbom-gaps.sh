#!/bin/bash
# The SBOM in the wheel of psycopg2-binary 2.9.13 names krb5, pcre and libselinux, and neither OpenSSL nor libpq, for
# which the wheel is there. So it is with psycopg-binary 3.3.9. cyclonedx-bom 7.5.0 reads neither of the two SBOMs.
#
# PEP 770 gives a wheel a place for them, .dist-info/sboms, because a wheel may hold more than Python. auditwheel copies
# libraries into the wheel, asks the package manager of the machine which package each one comes from, and writes down
# the answers. A library that was compiled for the wheel is in no package, and is left out without a word. Projects
# compile what the distribution has too old, so what they care about most is missing. A file that is there looks
# complete: who asks it which libpq an image holds, or under which licences, gets no answer.
#
# Seen on 2026-11-30 with Python 3.11, the wheels for x86_64:
#   psycopg2_binary: 15 libraries, libcrypto libpq libssl among them
#     its SBOM: cyrus-sasl-lib keyutils-libs krb5-libs libcom_err libselinux pcre
#   psycopg_binary: 13 libraries, libcrypto libpq libssl among them
#     its SBOM: cyrus-sasl-lib keyutils-libs libcom_err
#   SBOM of the environment: psycopg-binary psycopg2-binary
set -eu
if [ "$(uname -m)" != x86_64 ]; then
    echo "needs an x86_64 machine" >&2
    exit 2
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/tools"
python3 -m venv --without-pip "$folder/app"
"$folder/tools/bin/pip" install --quiet pip==26.3 cyclonedx-bom==7.5.0
"$folder/tools/bin/pip" --python "$folder/app" install --quiet psycopg2-binary==2.9.13 psycopg-binary==3.3.9
"$folder/tools/bin/cyclonedx-py" environment --output-file "$folder/environment.json" "$folder/app"
"$folder/app/bin/python" - "$folder/environment.json" > "$folder/seen" <<'PYTHON'
import json
import pathlib
import sys
import sysconfig


def show(title, sbom):
    names = {part["name"] for part in json.loads(sbom.read_text())["components"]}
    print(title, *sorted(names - {"psycopg2_binary", "psycopg_binary"}))


site = pathlib.Path(sysconfig.get_path("platlib"))
for project in ("psycopg2_binary", "psycopg_binary"):
    libraries = {library.name.partition("-")[0] for library in (site / f"{project}.libs").iterdir()}
    found = sorted(libraries & {"libcrypto", "libpq", "libssl"})
    print(f"{project}: {len(libraries)} libraries,", *found, "among them")
    (sbom,) = site.glob(f"{project}-*.dist-info/sboms/*")
    show("  its SBOM:", sbom)
show("SBOM of the environment:", pathlib.Path(sys.argv[1]))
PYTHON
diff "$folder/seen" - <<'SEEN'
psycopg2_binary: 15 libraries, libcrypto libpq libssl among them
  its SBOM: cyrus-sasl-lib keyutils-libs krb5-libs libcom_err libselinux pcre
psycopg_binary: 13 libraries, libcrypto libpq libssl among them
  its SBOM: cyrus-sasl-lib keyutils-libs libcom_err
SBOM of the environment: psycopg-binary psycopg2-binary
SEEN
echo "as seen on 2026-11-30"
