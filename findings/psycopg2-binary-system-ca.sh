#!/bin/bash
# psycopg2-binary 2.9.13 looks for certificates of authorities in /host/tmp/libpq.build, the folder in which its
# wheel was made, and psycopg[binary] 3.3.9 in /usr/lib/psycopg-openssl. No image has either.
#
# Both bring their own OpenSSL, with the folder compiled in. So `sslrootcert=system`, which libpq has since version 16
# and which means the authorities that the system trusts, trusts none: the connection fails, though ca-certificates is
# installed and Python's own ssl module works beside it. psycopg2 that was built in the image uses Debian's OpenSSL and
# Debian's folder. SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt cures it.
#
# Seen on 2026-11-29 with Python 3.11, the wheels for x86_64:
#   psycopg2_binary: libpq 17, /host/tmp/libpq.build/cert.pem, there: no
#   psycopg_binary: libpq 18, /usr/lib/psycopg-openssl/cert.pem, there: no
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet psycopg2-binary==2.9.13 'psycopg[binary]==3.3.9'
"$folder/venv/bin/python" - > "$folder/seen" <<'PYTHON'
import ctypes
import pathlib
import sysconfig

import psycopg
import psycopg2.extensions

versions = {"psycopg2_binary": psycopg2.extensions.libpq_version(), "psycopg_binary": psycopg.pq.version()}
for name, version in versions.items():
    (crypto,) = pathlib.Path(sysconfig.get_path("platlib"), f"{name}.libs").glob("libcrypto-*")
    default = ctypes.CDLL(str(crypto)).X509_get_default_cert_file
    default.restype = ctypes.c_char_p
    path = default().decode()
    there = "yes" if pathlib.Path(path).exists() else "no"
    print(f"{name}: libpq {version // 10000}, {path}, there: {there}")
PYTHON
diff "$folder/seen" - <<'SEEN'
psycopg2_binary: libpq 17, /host/tmp/libpq.build/cert.pem, there: no
psycopg_binary: libpq 18, /usr/lib/psycopg-openssl/cert.pem, there: no
SEEN
echo "as seen on 2026-11-29"
