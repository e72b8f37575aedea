#!/bin/bash
# With Flask-Compress 1.25, the parts of a file that a client asks Flask 3.1.3 for by range cannot be put together. Each
# part is compressed for itself, and Content-Range still counts the bytes of the file as it is on the disk.
#
# A range is one of the representation that Content-Encoding names (RFC 9110, section 14.1.2): the parts in a row,
# decoded at the end, are the file. WhiteNoise 6.12.0 cuts them out of the compressed file beside the plain one. Flask
# itself does not compress, and Flask-Compress compresses whatever answer has a code of 2xx, 206 among them. So a
# download of text or JSON that is resumed or fetched in parts is broken for clients that take br. For those that take
# gzip alone Flask-Compress leaves files as they are. `COMPRESS_STREAMS = False` cures it: files are left as they are
# for all.
#
# Seen on 2026-11-30 with Python 3.11, a file of 48,890 bytes in two parts, for a client that takes br:
#   Flask: 0-999/48890 1000 bytes, 1000-48889/48890 47890 bytes, encoding None, one file: yes
#   Flask-Compress: 0-999/48890 137 bytes, 1000-48889/48890 1937 bytes, encoding br, one file: no
#   Flask-Compress, no streams: 0-999/48890 1000 bytes, 1000-48889/48890 47890 bytes, encoding None, one file: yes
#   WhiteNoise: 0-999/3343 1000 bytes, 1000-3342/3343 2343 bytes, encoding br, one file: yes
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet flask==3.1.3 werkzeug==3.1.9 flask-compress==1.25 brotli==1.2.1 \
    whitenoise==6.12.0
cd "$folder"
mkdir static
seq --format 'line %g' 0 4999 > static/lines.txt
venv/bin/python -m whitenoise.compress --quiet static
cat > ask.py <<'PYTHON'
import pathlib

import brotli
import flask
import flask_compress
import werkzeug.test
import whitenoise

WHOLE = pathlib.Path("static/lines.txt").read_bytes()
DECODE = {None: bytes, "br": brotli.decompress}


def show(name, app):
    def part(first, last):
        headers = {"Accept-Encoding": "br", "Range": f"bytes={first}-{last}"}
        answer = werkzeug.test.Client(app).get("/static/lines.txt", headers=headers)
        assert answer.status_code == 206, answer.status
        said = answer.headers["Content-Range"].removeprefix("bytes ")
        return said, answer.headers.get("Content-Encoding"), answer.data

    said, encoding, body = part(0, 999)
    size = int(said.partition("/")[2])
    rest, _, more = part(1000, size - 1)
    try:
        same = DECODE[encoding](body + more) == WHOLE
    except brotli.error:
        same = False
    told = f"{said} {len(body)} bytes, {rest} {len(more)} bytes"
    print(f"{name}: {told}, encoding {encoding}, one file: {'yes' if same else 'no'}")


def made(**settings):
    app = flask.Flask(__name__)
    app.config.update(settings)
    return app


plain, compressed, whole = made(), made(), made(COMPRESS_STREAMS=False)
flask_compress.Compress(compressed)
flask_compress.Compress(whole)
show("Flask", plain)
show("Flask-Compress", compressed)
show("Flask-Compress, no streams", whole)
show("WhiteNoise", whitenoise.WhiteNoise(plain, root="static", prefix="static/"))
PYTHON
venv/bin/python ask.py > seen
diff seen - <<'SEEN'
Flask: 0-999/48890 1000 bytes, 1000-48889/48890 47890 bytes, encoding None, one file: yes
Flask-Compress: 0-999/48890 137 bytes, 1000-48889/48890 1937 bytes, encoding br, one file: no
Flask-Compress, no streams: 0-999/48890 1000 bytes, 1000-48889/48890 47890 bytes, encoding None, one file: yes
WhiteNoise: 0-999/3343 1000 bytes, 1000-3342/3343 2343 bytes, encoding br, one file: yes
SEEN
echo "as seen on 2026-11-30"
