#!/bin/bash
# Put busybox and nginx into /system, with the folders and the user that the official image has.
set -eu
cd /system
umask 022
mkdir -p bin dev docker-entrypoint.d etc/nginx/conf.d proc root run sys tmp usr/lib/nginx usr/sbin usr/share/nginx/html \
    var/cache/nginx var/log/nginx
chmod 700 root
chmod 1777 tmp
ln -s ../run var/run
ln -s /dev/stdout var/log/nginx/access.log
ln -s /dev/stderr var/log/nginx/error.log

cp /debian/usr/bin/busybox bin/
busybox --list-full | while read -r path; do
    mkdir -p "$(dirname "$path")"
    [ -e "$path" ] || ln -s /bin/busybox "$path"
done

cp /wheels/nginx usr/lib/nginx/
cp /debian/etc/nginx/mime.types etc/nginx/
cp /debian/usr/share/nginx/html/* usr/share/nginx/html/ || echo 'nginx works.' > usr/share/nginx/html/index.html
echo 'nginx:x:101:101:nginx:/var/cache/nginx:/sbin/nologin' >> etc/passwd
echo 'nginx:x:101:nginx' >> etc/group
echo 'nginx:!::0:::::' >> etc/shadow
