#!/bin/bash
# Compile and install CPython, from the current folder, for the GNU system type $1. Leaves:
#   /out/full      /usr/local and the gdb helper as python:3.14 has them (with debugging symbols)
#   /out/slim      the same, stripped, as python:3.14-slim has them
#   /out/packages  the Debian packages whose shared libraries the interpreter and its extension modules need
set -eux
host=$1
build=$(dpkg-architecture --query DEB_BUILD_GNU_TYPE)

out=/out
options=(--build="$build" --enable-loadable-sqlite-extensions --enable-option-checking=fatal --enable-shared
    --enable-experimental-jit=yes-off)
if [ "$host" = "$build" ]; then
    options+=(--with-ensurepip)
else
    mv /out /native
    make distclean > /dev/null
    # The answers that configure would get by running a program, which a cross build cannot.
    export ac_cv_file__dev_ptmx=yes ac_cv_file__dev_ptc=no ac_cv_buggy_getaddrinfo=no
    export PKG_CONFIG_LIBDIR="/usr/lib/$host/pkgconfig:/usr/share/pkgconfig"
    options+=(--host="$host" --with-build-python=/native/full/usr/local/bin/python3 --with-ensurepip=no)
fi

DEB_HOST_ARCH=$(dpkg-architecture --host-type "$host" --query DEB_HOST_ARCH 2> /dev/null)
export DEB_HOST_ARCH
cflags="$(dpkg-buildflags --get CFLAGS) -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer"
# Pointer authentication, which only arm64 has, makes each call several times slower under emulation.
cflags=${cflags/-mbranch-protection=standard/}
ldflags=$(dpkg-buildflags --get LDFLAGS)
./configure "${options[@]}"
make -j "$(nproc)" EXTRA_CFLAGS="$cflags" LDFLAGS="$ldflags"
# Linked again, so that the interpreter finds its own libpython and no other.
rm python
make EXTRA_CFLAGS="$cflags" LDFLAGS="$ldflags,-rpath='\$\$ORIGIN/../lib'" python
# Without compiling the library to bytecode, and without the test suite: neither ships. The folders for bytecode do.
make install DESTDIR=$out/full COMPILEALL_OPTS=--help TESTSUBDIRS= > /dev/null
find $out/full/usr/local/lib/python3* -name 'config-*' -prune -o -name '*.py' -printf '%h/__pycache__\0' | sort -zu \
    | xargs -0 mkdir -p

usr_local=$out/full/usr/local
if [ "$host" = "$build" ]; then
    # What ships is derived from what is linked, not listed by hand. Tk stays out, as in the official images.
    find $usr_local -type f -executable -not -name '*tkinter*' -exec ldd '{}' ';' 2> /dev/null \
        | awk '/=> \// { print $3 }' | grep -v /out/ | sort -u | xargs realpath | xargs -n 1 basename \
        | sed 's,^,*/,' | xargs dpkg-query --search | grep -v '^diversion by ' | sed 's/:.*//' | sort -u > $out/packages
else
    # pip is pure Python: the native build's copy serves.
    cp -a /native/full/usr/local/lib/python3*/site-packages/. $usr_local/lib/python3*/site-packages/
    cp -a /native/full/usr/local/bin/pip3* $usr_local/bin/
    cp /native/packages $out/
fi

version=$(basename $usr_local/bin/python3.*[0-9])
helper=$out/full/usr/share/gdb/auto-load/usr/local/bin
mkdir -p "$helper"
cp Tools/gdb/libpython.py "$helper/$version-gdb.py"
for name in idle3 pip3 pydoc3 python3 python3-config; do
    ln -s "$name" "$usr_local/bin/${name/3/}"
done

# Neither the test suite nor bytecode nor the static library ships.
find $usr_local -depth \( -type d \( -name test -o -name tests -o -name idle_test \) \
    -o -type f \( -name '*.pyc' -o -name 'libpython*.a' \) \) -exec rm -rf '{}' +

mkdir $out/slim
cp -a $out/full/usr $out/slim/
rm -r $out/slim/usr/share
find $out/slim -type f \( -name '*.so*' -o -path "*/bin/$version" \) -exec "$host-strip" --strip-all '{}' +
