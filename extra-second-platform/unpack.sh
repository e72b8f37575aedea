#!/bin/sh
# unpack.sh PACKAGE ROOT: put a Debian package for the processor $TARGETARCH, and what
# it needs besides, into ROOT, which has the list of what is installed (/var/lib/dpkg).
# Scripts of packages do not run: a library's have nothing to do but to tell ldconfig.
set -eu
package=$1 root=$2 new=$(mktemp --directory)
chmod 755 "$new" # apt downloads as a user of its own
mkdir "$new/partial"

# apt, as if it ran there: with another processor, and another list.
there() {
    apt-get -o APT::Architecture="$TARGETARCH" -o APT::Architectures::="$TARGETARCH" \
        -o Dir::State::status="$root/var/lib/dpkg/status" \
        -o Dir::Cache::archives="$new" "$@"
}
there update
there install --yes --no-install-recommends --download-only "$package"
(cd "$root" && find . -type f ! -path ./var/lib/dpkg/status) > "$new/there-already"
dpkg --root="$root" --force-architecture --no-triggers --unpack "$new"/*.deb
sed -i -e 's/^Status: install ok .*/Status: install ok installed/' -e '/^Triggers-/d' \
    "$root/var/lib/dpkg/status"
(cd "$root" && xargs rm < "$new/there-already")
