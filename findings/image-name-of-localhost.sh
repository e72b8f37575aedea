#!/bin/bash
# `localhost/app` names an image in a registry on this machine, or one that podman built, for Docker, podman and
# docker-image-py 0.2.0. oras 0.2.43 (the package for Python) takes `localhost` for a namespace of Docker Hub: the same
# name asks another registry. With a port, as in `localhost:5000/app`, both agree.
#
# By the reference grammar (distribution/reference) the first part is a registry when it has a dot or a colon, or when
# it is `localhost`. podman gives every image that it builds such a name.
#
# Seen on 2026-11-29 with Python 3.11: the lines below. Nothing is asked for: the names are taken apart, no more.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet oras==0.2.43 docker-image-py==0.2.0
"$folder/venv/bin/python" - > "$folder/seen" <<'PYTHON'
from docker_image.reference import Reference
from oras.container import Container

for name in ("localhost/app", "localhost:5000/app", "example.org/app"):
    theirs = Reference.parse_normalized_named(name).split_hostname()[0]
    print(f"{name}: docker-image-py {theirs}, oras {Container(name).registry}")
PYTHON
diff "$folder/seen" - <<'SEEN'
localhost/app: docker-image-py localhost, oras docker.io
localhost:5000/app: docker-image-py localhost:5000, oras localhost:5000
example.org/app: docker-image-py example.org, oras example.org
SEEN
echo "as seen on 2026-11-29"
