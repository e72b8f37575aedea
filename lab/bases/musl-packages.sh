#!/bin/bash
# Sort what was compiled, and what Debian has ready, into /packages/NAME, with the names that Alpine's packages have.
set -eu
case $1 in
    amd64) machine=x86_64 ;;
    arm64) machine=aarch64 ;;
esac

# compiled NAME SOURCE DESCRIPTION FILE…: files of the current folder, and the version of the source package
compiled() {
    local name=$1 version description=$3
    version=$(cat "/src/$2.version")
    mkdir -p "/packages/$name"
    cp -a --parents "${@:4}" "/packages/$name/"
    find "/packages/$name" -type f -name '*.so*' -exec strip --strip-unneeded '{}' +
    apk-entry.sh "$name" "$version" "$machine" "$description"
}
# of_debian PACKAGE: unpack a Debian package into ./PACKAGE, and leave its version in $version
of_debian() {
    apt-get download -q "$1" > /dev/null
    version=$(dpkg-deb -f "${1%:*}"_*.deb Version)
    dpkg-deb -x "${1%:*}"_*.deb "${1%:*}"
    version=${version#*:}
}

cd /sysroot
compiled gdbm gdbm 'GNU dbm' usr/lib/libgdbm*.so.*
compiled libbz2 bzip2 'bzip2, the library' usr/lib/libbz2.so.*
compiled libcrypto3 openssl 'OpenSSL: cryptography' usr/lib/libcrypto.so.3 usr/lib/ossl-modules etc/ssl/openssl.cnf
compiled libffi libffi 'calls of functions known at run time only' usr/lib/libffi.so.*
compiled libncursesw ncurses 'terminal screens' usr/lib/libncursesw.so.*
compiled libpanelw ncurses 'terminal screens: panels' usr/lib/libpanelw.so.*
compiled libssl3 openssl 'OpenSSL: TLS' usr/lib/libssl.so.3
compiled libuuid util-linux 'universally unique identifiers' usr/lib/libuuid.so.*
compiled readline readline 'editing of command lines' usr/lib/libreadline.so.* usr/lib/libhistory.so.*
compiled sqlite-libs sqlite3 'SQLite, the library' usr/lib/libsqlite3.so.*
compiled xz-libs xz-utils 'xz, the library' usr/lib/liblzma.so.*
compiled zlib zlib 'zlib' usr/lib/libz.so.*
compiled zstd-libs libzstd 'Zstandard, the library' usr/lib/libzstd.so.*
apk-entry.sh busybox "$(cat /src/busybox.version)" "$machine" 'shell and Unix utilities'

mkdir /tmp/debian && cd /tmp/debian
of_debian "musl:$1"
lib=/packages/musl/lib
mkdir -p $lib /packages/musl/usr/bin
cp "musl/usr/lib/$machine-linux-musl/libc.so" "$lib/ld-musl-$machine.so.1"
ln -s "ld-musl-$machine.so.1" "$lib/libc.musl-$machine.so.1"
ln -s "/lib/ld-musl-$machine.so.1" /packages/musl/usr/bin/ldd
apk-entry.sh musl "$version" "$machine" 'the C library'
of_debian tzdata
mkdir -p /packages/tzdata/usr/share
cp -a tzdata/usr/share/zoneinfo /packages/tzdata/usr/share/
apk-entry.sh tzdata "$version" noarch 'time zones'
of_debian ncurses-base
mkdir -p /packages/ncurses-terminfo-base/etc
cp -a ncurses-base/usr/share/terminfo /packages/ncurses-terminfo-base/etc/
apk-entry.sh ncurses-terminfo-base "$version" noarch 'descriptions of common terminals'
