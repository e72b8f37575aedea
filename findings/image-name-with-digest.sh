#!/bin/bash
# A base image that is pinned by tag and digest, `python:3.14-slim@sha256:…`, is taken apart in three ways by three
# clients of one kind of engine. podman 5.8.0 (the package for Python) cuts at the digest's own colon: the name then
# ends in `@sha256`, and the digest counts as a tag. docker 7.2.0 cuts at the @ and leaves the tag in the name.
# docker-image-py 0.2.0 has all three parts.
#
# The form is the one of the reference grammar (distribution/reference): name, then tag, then digest. A script that
# groups images by name with one of the first two has the same image under two names.
#
# Seen on 2026-11-29 with Python 3.11: the lines below.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet podman==5.8.0 docker==7.2.0 docker-image-py==0.2.0
"$folder/venv/bin/python" - > "$folder/seen" <<'PYTHON'
from docker.utils import parse_repository_tag
from docker_image.reference import Reference
from podman.api import parse_repository

name = "python:3.14-slim@sha256:" + 64 * "a"
for client, (repository, rest) in (
    ("podman", parse_repository(name)),
    ("docker", parse_repository_tag(name)),
):
    print(f"{client}: name {repository}, tag {rest[:10]}")
found = Reference.parse(name)
print(f"docker-image-py: name {found['name']}, tag {found['tag']}, digest {found['digest'][:10]}")
PYTHON
diff "$folder/seen" - <<'SEEN'
podman: name python:3.14-slim@sha256, tag aaaaaaaaaa
docker: name python:3.14-slim, tag sha256:aaa
docker-image-py: name python, tag 3.14-slim, digest sha256:aaa
SEEN
echo "as seen on 2026-11-29"
