#!/bin/bash
# BuildKit 0.13 in Docker Engine 26.1.5, with the containerd image store: once a layer was exported in zstd alone, the
# same builder gives zstd to whoever asks for no compression, `docker build` and `docker compose up` among them. It
# names the layer in Docker's old form, which has no zstd. The engine runs the image, because the builder unpacked it.
# Saved and loaded, or built for another platform, it is unpacked by the engine, which refuses it. With
# `oci-mediatypes=true`, or `compression=gzip,force-compression=true`, it is not refused.
#
# Who pushes in zstd from the builder that also builds for the engine saves images that nobody can load.
#
# Seen on 2026-11-29 (it takes an engine with that store; a layer that nothing else has is built):
#   built: created
#   saved and loaded: mismatched image rootfs and manifest layers
#   saved and loaded, oci-mediatypes=true: created
set -eu
folder=$(mktemp -d)
name=finding-zstd-$$
trap 'docker image rm --force "$name" > "$folder/removed" 2>&1; rm -rf "$folder"' EXIT
od -An -N 64 -t x1 /dev/urandom > "$folder/content"
printf 'FROM scratch\nCOPY content /content\nCMD ["/content"]\n' > "$folder/Dockerfile"
build() {
    docker buildx build --quiet --provenance=false --output "$1" "$folder" > "$folder/built"
}
show() {
    said=$(docker create "$name" 2>&1) && docker rm "$said" > "$folder/removed" && said=created
    echo "$1: ${said##*daemon: }"
}
again() {
    docker save --output "$folder/saved.tar" "$name"
    docker image rm --force "$name" > "$folder/removed"
    docker load --input "$folder/saved.tar" > "$folder/loaded"
}
build "type=oci,compression=zstd,dest=$folder/image.tar"
{
    build "type=docker,name=$name"
    show "built"
    again
    show "saved and loaded"
    build "type=docker,name=$name,oci-mediatypes=true"
    again
    show "saved and loaded, oci-mediatypes=true"
} > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
built: created
saved and loaded: mismatched image rootfs and manifest layers
saved and loaded, oci-mediatypes=true: created
SEEN
echo "as seen on 2026-11-29"
