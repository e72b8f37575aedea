#!/bin/bash
# Compile and install CPython, from the current folder, into /out/usr/local, as the official Alpine image has it: with
# the same configure switches but --with-lto, which the lab's other images leave out as well.
set -eux
unset CFLAGS
export PKG_CONFIG_LIBDIR=/sysroot/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=/sysroot
./configure --build="$(gcc --print-multiarch)" --enable-loadable-sqlite-extensions --enable-option-checking=fatal \
    --enable-shared --with-ensurepip CC=gcc CXX=g++
# musl gives a thread a small stack, too small for Python's recursion limit.
flags=(EXTRA_CFLAGS='-DTHREAD_STACK_SIZE=0x100000 -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer')
make -j "$(nproc)" "${flags[@]}" LDFLAGS=-Wl,--strip-all
# Linked again, so that the interpreter finds its own libpython and no other.
rm python
make "${flags[@]}" LDFLAGS="-Wl,--strip-all,-rpath='\$\$ORIGIN/../lib'" python
# No bytecode is made, because none ships.
make install DESTDIR=/out COMPILEALL_OPTS=--help

usr_local=/out/usr/local
for name in idle3 pip3 pydoc3 python3 python3-config; do
    ln -s "$name" "$usr_local/bin/${name/3/}"
done
find $usr_local -depth \( -type d \( -name test -o -name tests -o -name idle_test \) \
    -o -type f \( -name '*.pyc' -o -name 'libpython*.a' \) \) -exec rm -rf '{}' +
