#!/bin/bash
# Make this Debian system compile for musl on the architecture $1, called as Debian calls it. `gcc` is then Debian's own
# gcc with Debian's musl, and what it makes runs right here: by the kernel, or through QEMU. So configure scripts find
# things out by running programs, as they do on Alpine; only the compiler itself need not be emulated.
set -eux
case $1 in
    amd64) machine=x86_64 ;;
    arm64) machine=aarch64 ;;
esac
dpkg --add-architecture "$1"
apt-get update
apt-get install -y --no-install-recommends \
    autoconf automake bzip2 "gcc-${machine/_/-}-linux-gnu" libc6-dev libtool linux-libc-dev make "musl-dev:$1" perl \
    pkgconf tcl xz-utils

headers=/usr/include/$machine-linux-musl
ln -s /usr/include/linux /usr/include/asm-generic /usr/include/mtd "/usr/include/$machine-linux-gnu/asm" "$headers/"
mkdir -p /opt/musl/bin /sysroot/usr/include /sysroot/usr/lib
for tool in ar nm objcopy objdump ranlib readelf strip; do
    ln -s "/usr/bin/$machine-linux-gnu-$tool" "/opt/musl/bin/$tool"
done
# Alpine's gcc has the options about stack and linking built in. CPython asks for the name of the system.
cat > /opt/musl/bin/gcc << END
#!/bin/sh
if [ "\$*" = --print-multiarch ]; then
    echo $machine-linux-musl
else
    exec /usr/bin/$machine-linux-gnu-gcc -fstack-protector-strong -fstack-clash-protection \\
        -Wl,--as-needed,-z,relro,-z,now,-rpath-link,/sysroot/usr/lib "\$@" \\
        -isystem /sysroot/usr/include -L/sysroot/usr/lib -specs /usr/lib/$machine-linux-musl/musl-gcc.specs
fi
END
chmod +x /opt/musl/bin/gcc
ln -s gcc /opt/musl/bin/cc
# Where musl's loader looks. LD_LIBRARY_PATH would reach the compiler too, which is glibc's.
echo /sysroot/usr/lib >> "/etc/ld-musl-$machine.path"
