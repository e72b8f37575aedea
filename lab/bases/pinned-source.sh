#!/bin/bash
# Fetch and unpack one release of a Debian source package, $1, as its authors published it: version $2, with the SHA-256
# $3. Debian's mirrors keep such a file for a while after it left the index, and now and then lack the one that is in the
# index. Once they no longer have it, any release in the index serves, as for the others.
set -eu
mirror=$(sed -n '1s/^deb \([^ ]*\) .*/\1/p' /etc/apt/sources.list)
url=$mirror/pool/main/${1:0:1}/$1/$1_$2.orig.tar.bz2
if /usr/lib/apt/apt-helper download-file "$url" /archive "SHA256:$3"; then
    mkdir -p "/src/$1"
    tar -xf /archive -C "/src/$1" --strip-components=1
    rm /archive
    echo "$2" > "/src/$1.version"
else
    musl-source.sh "$1"
fi
