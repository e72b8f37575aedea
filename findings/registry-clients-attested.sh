#!/bin/bash
# oras 0.2.43 (the package for Python) pulls nothing of an image that has an attestation, and raises nothing. dxf
# 12.1.1 (`python-dxf` in the package index) counts attestations as one platform more, however many they are.
#
# buildx attests what it pushes, unless it is told not to. The tag then names an index, even for one platform: the
# manifest of the image, and one with the record of how it was built, whose platform is `unknown/unknown` by Docker's
# convention. oras asks the registry for an index too, looks for layers in it, finds none, and returns an empty list,
# as if there were nothing to pull. dxf returns the list of layers for an image without attestation, and a dict by
# platform for the same image with one. Who adds up its entries counts the record as a layer, and the records
# of two platforms have one key, so that one is lost.
#
# Seen on 2026-11-30 with Python 3.11, images of one layer for one platform or for two:
#   one: oras 1 files, dxf list
#   one-attested: oras 0 files, dxf dict linux/amd64 unknown/unknown
#   two-attested: oras 0 files, dxf dict linux/amd64 linux/arm64 unknown/unknown
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet oras==0.2.43 python-dxf==12.1.1
cd "$folder"
# What stands in for the registry has three tags, and answers with what they name.
HOME=$folder no_proxy=127.0.0.1 venv/bin/python - > seen <<'PYTHON'
import hashlib
import http.server
import io
import json
import tarfile
import threading

from dxf import DXF
from oras.client import OrasClient

OCI = "application/vnd.oci.image."
stored = {}


def store(content, kind, **more):
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    stored[digest] = kind, content
    return {"mediaType": kind, "digest": digest, "size": len(content), **more}


def manifest(layer, kind, system, machine, **more):
    config = store(json.dumps({"os": system, "architecture": machine}).encode(), f"{OCI}config.v1+json")
    layers = [store(layer, kind)]
    whole = {"schemaVersion": 2, "mediaType": f"{OCI}manifest.v1+json", "config": config, "layers": layers}
    platform = {"os": system, "architecture": machine}
    return store(json.dumps(whole).encode(), whole["mediaType"], platform=platform, **more)


def image(machine):
    with tarfile.open(fileobj=(layer := io.BytesIO()), mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo(f"app-{machine}"))
    return manifest(layer.getvalue(), f"{OCI}layer.v1.tar+gzip", "linux", machine)


def attestation(of):
    notes = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": of["digest"]}
    record = json.dumps({"subject": [{"digest": of["digest"]}]}).encode()
    return manifest(record, "application/vnd.in-toto+json", "unknown", "unknown", annotations=notes)


def index(*images):
    whole = {"schemaVersion": 2, "mediaType": f"{OCI}index.v1+json", "manifests": [*images, *map(attestation, images)]}
    return whole["mediaType"], json.dumps(whole).encode()


class Registry(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        kind, content = stored[self.path.rpartition("/")[2]]
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


amd64, arm64 = image("amd64"), image("arm64")
stored |= {"one": stored[amd64["digest"]], "one-attested": index(amd64), "two-attested": index(amd64, arm64)}
with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f"127.0.0.1:{server.server_port}"
    for tag in ("one", "one-attested", "two-attested"):
        files = OrasClient(insecure=True).pull(f"{host}/app:{tag}", outdir=tag)
        layers = DXF(host, "app", insecure=True).get_alias(tag)
        print(f"{tag}: oras {len(files)} files, dxf {type(layers).__name__}", *(layers if type(layers) is dict else ()))
    server.shutdown()
PYTHON
diff seen - <<'SEEN'
one: oras 1 files, dxf list
one-attested: oras 0 files, dxf dict linux/amd64 unknown/unknown
two-attested: oras 0 files, dxf dict linux/amd64 linux/arm64 unknown/unknown
SEEN
echo "as seen on 2026-11-30"
