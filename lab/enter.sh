#!/bin/bash
# Run one program with the engine's own Debian tree as its root directory.
#
#   unshare --mount --propagation private bash enter.sh TREE STATE PROGRAM [ARGUMENT…]
#
# A plain chroot is not enough: runc needs to pivot_root itself, and that wants a real mount point below it. Everything
# mounted here lives in a mount namespace of its own, so it is gone with the last process that uses it.
set -euo pipefail
tree=$1 state=$2
shift 2

mount --bind "$tree" "$tree"
cd "$tree"
for folder in proc sys dev; do
    mount --rbind "/$folder" "$folder"
done
mount -t tmpfs tmpfs run
mount --bind "$(readlink -f /etc/resolv.conf)" etc/resolv.conf
mount --bind "$(readlink -f /etc/hosts)" etc/hosts

# The user's own folders keep their paths, so that `docker run -v "$PWD:/code"` means what it says.
for folder in /* /var/tmp /var/www; do
    case $folder in
        /bin | /boot | /dev | /etc | /lib* | /lost+found | /proc | /run | /sbin | /sys | /usr | /var) continue ;;
    esac
    [ -d "$folder" ] && [ ! -L "$folder" ] || continue
    mkdir -p ".$folder"
    mount --rbind "$folder" ".$folder"
done
mkdir -p ".$state"
mount --bind "$state" ".$state"

mkdir run/host
pivot_root . run/host
cd /
umount --lazy /run/host
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec "$@"
