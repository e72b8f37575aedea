#!/bin/sh
# runc, for whom QEMU is a processor without pointer authentication (Arm's Neoverse N1, of 2019): Debian's arm64 packages
# sign and check each return address where the processor can, and to emulate that takes a seventh of a build's time.
previous=
for word; do
    case $previous in
        -b | --bundle) sed -i 's/"env":\[/&"QEMU_CPU=neoverse-n1",/' "$word/config.json" ;;
    esac
    previous=$word
done
exec /usr/sbin/runc "$@"
