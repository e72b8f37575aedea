#!/bin/bash
# Fetch and unpack the sources, as their authors published them, of the Debian source packages named: into /src/NAME,
# and their versions into /src/NAME.version. Newest first; where a mirror lacks a file, the next older, then testing.
set -eu
fetch() {
    local version line uri hash
    for version in $(apt-cache showsrc --only-source "$1" | sed -n 's/^Version: //p' | sort -ruV); do
        line=$(apt-get source --print-uris --download-only --only-source "$1=$version" | grep '\.orig\.tar\.[a-z0-9]* ')
        read -r uri _ _ hash <<< "$line"
        if /usr/lib/apt/apt-helper download-file "${uri//\'/}" /archive "$hash"; then
            version=${version#*:} version=${version%-*} version=${version##*really}
            echo "${version%+dfsg}" > "/src/$1.version"
            return
        fi
    done
    return 1
}

mkdir -p /src
debian=$(sed -n 's/^deb /deb-src /p' /etc/apt/sources.list)
testing=$(echo "$debian" | sed -n '1s/ [a-z]* main/ testing main/p')
echo "$debian" > /etc/apt/sources.list
apt-get update -qq
for name; do
    if ! fetch "$name"; then
        echo "$testing" >> /etc/apt/sources.list
        apt-get update -qq
        fetch "$name"
    fi
    mkdir "/src/$name"
    tar -xf /archive -C "/src/$name" --strip-components=1
done
rm /archive
