#!/bin/bash
# Make the archives of the packages for the architecture $1, called as Debian calls it, in /out.
set -eux
case $1 in
    amd64) machine=x86_64 ;;
    arm64) machine=aarch64 ;;
esac
zig=/wheels/ziglang-$(dpkg --print-architecture)/ziglang
chmod +x "$zig/zig"
target=(--target="$machine-linux-musl")
version=$(basename /wheels/ziglang-amd64/ziglang-*.dist-info .dist-info)
version=${version#ziglang-}
index=/out/index.$machine
mkdir -p "/out/$machine"
: > "$index"

# pack NAME VERSION DESCRIPTION PACKAGE…: archive /packages/NAME, which needs these packages
pack() {
    mkdir -p "/packages/$1"
    apk-entry.sh "$1" "$2" "$machine" "${@:3}"
    mkdir -p "/packages/$1/lib/apk/db"
    mv "/packages/$1.entry" "/packages/$1/lib/apk/db/installed.entry"
    (cd "/packages/$1" && find . -mindepth 1 ! -type d -printf '%P\n' | sort \
        | tar --owner=0 --group=0 --numeric-owner --mtime=@0 -czf "/out/$machine/$1.tar.gz" --verbatim-files-from -T -)
    echo "$1 $2 $(sha256sum "/out/$machine/$1.tar.gz" | cut -d ' ' -f 1) ${*:4}" >> "$index"
}
# program PACKAGE NAME WORD…: a program that calls zig with these words
program() {
    mkdir -p "/packages/$1/usr/bin"
    printf '#!/bin/sh\nexec /usr/lib/zig/zig %s "$@"\n' "${*:3}" > "/packages/$1/usr/bin/$2"
    chmod +x "/packages/$1/usr/bin/$2"
}

# gcc: the compiler for C, and what its programs need besides the C library.
library=/packages/gcc/usr/lib/zig
mkdir -p $library/lib/linux
cp "/wheels/ziglang-$1/ziglang/zig" $library/
chmod +x $library/zig
cp -r "$zig/lib/include" $library/
# What only links, or only compiles, is unused otherwise: meson takes clang's warning about that for "not supported".
quiet=--start-no-unused-arguments loud=--end-no-unused-arguments
options="--target=$machine-alpine-linux-musl -resource-dir /usr/lib/zig --rtlib=compiler-rt --ld-path=/usr/bin/ld"
for name in gcc cc; do
    program gcc $name clang $quiet "$options" $loud
done
program gcc ld ld.lld
program gcc ar ar
program gcc ranlib ranlib

# g++: zig compiles its libraries when they are first linked to; here they are kept.
export ZIG_GLOBAL_CACHE_DIR=/tmp/zig ZIG_LOCAL_CACHE_DIR=/tmp/zig
echo '#include <iostream>
int main() { throw 1; }' > /tmp/main.cpp
"$zig/zig" c++ -target "$machine-linux-musl" -mcpu=baseline -O2 -fPIC -shared /tmp/main.cpp -o /tmp/main.so
found() { find /tmp/zig -name "$1" | head -n 1; }
cp "$(found libcompiler_rt.a)" "$library/lib/linux/libclang_rt.builtins-$machine.a"
echo '__attribute__((visibility("hidden"))) void *__dso_handle = &__dso_handle;' > /tmp/begin.c
echo > /tmp/end.c
for end in begin end; do
    "$zig/zig" clang "${target[@]}" -fPIC -c "/tmp/$end.c" -o "$library/lib/linux/clang_rt.crt$end-$machine.o"
done
cxx=/packages/g++/usr/lib/zig/c++
mkdir -p $cxx /packages/g++/usr/include/c++/v1
cp "$(found libc++abi.a)" "$(found libunwind.a)" $cxx/
cp "$(found libc++.a)" $cxx/libc++std.a
echo 'INPUT(-lc++std -lc++abi -lunwind)' > $cxx/libc++.a
cp -r "$zig/lib/libcxx/include/." "$zig/lib/libcxxabi/include/." /packages/g++/usr/include/c++/v1/
"$machine-linux-gnu-strip" --strip-debug $library/lib/linux/*.a $cxx/libc++std.a $cxx/libc++abi.a $cxx/libunwind.a
# How the library is set up, which zig passes on its own command lines.
ZIG_VERBOSE_CC=1 "$zig/zig" c++ -target "$machine-linux-musl" -O2 -c /tmp/main.cpp -o /tmp/main.o 2>&1 | tr ' ' '\n' \
    | sed -n -e '/^-D_LIBC/!d' -e 's/^-D\([^=]*\)$/#define \1 1/p' -e 's/^-D\([^=]*\)=\(.*\)$/#define \1 \2/p' \
    | sort -u > /packages/g++/usr/include/c++/v1/__config_site
for name in g++ c++; do
    program g++ $name clang --driver-mode=g++ $quiet "$options" -stdlib=libc++ -nostdinc++ \
        -isystem /usr/include/c++/v1 -include /usr/include/c++/v1/__config_site -L/usr/lib/zig/c++ $loud
done

# musl-dev and linux-headers: Debian's, where Alpine has them.
dpkg --add-architecture "$1"
apt-get update
cd /tmp
apt-get download "musl-dev:$1" linux-libc-dev
dpkg-deb -x musl-dev_*.deb musl-dev
dpkg-deb -x linux-libc-dev_*.deb linux-libc-dev
include=/packages/musl-dev/usr/include
mkdir -p $include /packages/musl-dev/usr/lib /packages/linux-headers/usr/include
cp -a "musl-dev/usr/include/$machine-linux-musl/." $include/
cp -a "musl-dev/usr/lib/$machine-linux-musl/." /packages/musl-dev/usr/lib/
rm /packages/musl-dev/usr/lib/musl-gcc.specs
ln -s "/lib/ld-musl-$machine.so.1" /packages/musl-dev/usr/lib/libc.so
kernel=linux-libc-dev/usr/include
cp -rL $kernel/asm-generic $kernel/linux $kernel/mtd $kernel/rdma "$kernel/$machine-linux-gnu/asm" \
    /packages/linux-headers/usr/include/

# libpq-dev: what compiling against PostgreSQL's client library takes; libpq keeps the library.
mkdir -p /packages/libpq-dev/usr/lib
mv /packages/libpq/usr/bin /packages/libpq/usr/include /packages/libpq-dev/usr/
mv /packages/libpq/usr/lib/libpq.so /packages/libpq/usr/lib/pkgconfig /packages/libpq-dev/usr/lib/
"$machine-linux-gnu-strip" --strip-unneeded /packages/libpq/usr/lib/libpq.so.* /packages/libpq-dev/usr/bin/pg_config

set +x
musl=$(dpkg-deb -f musl-dev_*.deb Version)
make=$(cat /packages/make/version)
libpq=$(cat /packages/libpq/version)
rm /packages/make/version /packages/libpq/version
pack gcc "$version" "clang, called gcc"
pack g++ "$version" "clang for C++, called g++, with libc++" gcc libc-dev
pack libc-dev "$musl" "needs musl-dev" musl-dev
pack musl-dev "$musl" "headers and start files of the C library"
pack linux-headers "$(dpkg-deb -f linux-libc-dev_*.deb Version)" "headers of the Linux kernel"
pack make "$make" "GNU make"
pack libpq "$libpq" "PostgreSQL: the client library"
pack libpq-dev "$libpq" "PostgreSQL: headers of the client library, and pg_config" libpq
pack build-base "$version" "needs what most builds need" g++ gcc libc-dev make
# Named by Dockerfiles that are written for Alpine's own g++: here it is inside of what the compiler makes.
pack libgcc "$version" "nothing: the lab's compiler puts it into what it makes"
pack libstdc++ "$version" "nothing: the lab's compiler puts it into what it makes"
