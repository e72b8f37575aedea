#!/bin/sh
# /native/install PACKAGE…: what `apt-get install` does, with nothing of apt's own left behind.
# For another processor than the builder's, the builder's apt and dpkg do it. They need to find their libraries, and what
# they need is taken away again.
set -eu
apt() { apt-get -o DPkg::Path=/native/shared:/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
if [ -d /native/foreign ]; then
    trap 'rm -f /lib64 /usr/lib/x86_64-linux-gnu' EXIT
    ln -s native/usr/lib64 /lib64
    ln -s /native/usr/lib/x86_64-linux-gnu /usr/lib/x86_64-linux-gnu
    export PATH=/native/foreign:/native/usr/sbin:/native/usr/bin:"$PATH"
    apt() { /native/usr/bin/apt-get -c /native/foreign/apt.conf "$@"; }
fi
apt update
apt install -y --no-install-recommends "$@"
apt dist-clean
if [ -d /native/foreign ]; then
    restore-scripts
fi
