#!/bin/bash
# Run a command as on a machine of its own whose network is cut: it has loopback alone, and sees no other process.
#
#   unshare --net --mount --propagation private --pid --fork --kill-child --mount-proc bash apart.sh PROGRAM [ARGUMENT…]
#
# The kernel has one list of foreign programs for all: a stand-in keeps this one from being changed, as if all were there.
set -euo pipefail
ip link set lo up
foreign=/proc/sys/fs/binfmt_misc
mount -t tmpfs tmpfs "$foreign"
touch "$foreign/register" "$foreign/pyimages-aarch64"
# Not by exec: whoever is the first process here has to wait for what others leave behind, as this shell does.
"$@"
