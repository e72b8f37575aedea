#!/bin/bash
# docker-py 7.2.0 (`docker` in the package index) sends the whole context that .dockerignore allows, and never reads
# NAME.Dockerfile.dockerignore beside NAME.Dockerfile.
#
# `docker build` and Compose take the second file in place of the first, since Docker 19.03. It is how several
# Dockerfiles in one folder each have a context of their own. With docker-py and what stands on it, such as
# testcontainers, the same Dockerfile gets other files: COPY takes what should have been left out, and fails
# on what the general file leaves out and the special one allows.
#
# Seen on 2026-11-29 with Python 3.11, .dockerignore naming data.csv, and full.Dockerfile.dockerignore notes.txt:
#   sent for full.Dockerfile: .dockerignore full.Dockerfile full.Dockerfile.dockerignore notes.txt
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet docker==7.2.0
mkdir "$folder/context"
cd "$folder/context"
touch data.csv notes.txt full.Dockerfile
echo data.csv > .dockerignore
echo notes.txt > full.Dockerfile.dockerignore
# What stands in for the engine keeps the archive that it is sent, and answers.
"$folder/venv/bin/python" - > "$folder/seen" <<'PYTHON'
import http.server
import io
import tarfile
import threading

import docker


class Engine(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        with tarfile.open(fileobj=io.BytesIO(sent)) as archive:
            print("sent for full.Dockerfile:", *sorted(archive.getnames()))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


with http.server.HTTPServer(("127.0.0.1", 0), Engine) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = docker.APIClient(f"tcp://127.0.0.1:{server.server_port}", version="1.44")
    list(client.build(path=".", dockerfile="full.Dockerfile"))
    server.shutdown()
PYTHON
diff "$folder/seen" - <<'SEEN'
sent for full.Dockerfile: .dockerignore full.Dockerfile full.Dockerfile.dockerignore notes.txt
SEEN
echo "as seen on 2026-11-29"
