#!/bin/bash
# Put the packages together as one file system, in /system, with apk's database of what is installed.
set -eu
case $1 in
    amd64) machine=x86_64 ;;
    arm64) machine=aarch64 ;;
esac
apt-get update -q
apt-get install -y --no-install-recommends ca-certificates netbase
cp -r /extra-ca/. /usr/local/share/ca-certificates/
update-ca-certificates

bundle=/packages/ca-certificates-bundle/etc/ssl
mkdir -p $bundle/certs
cp /etc/ssl/certs/ca-certificates.crt $bundle/certs/
ln -s certs/ca-certificates.crt $bundle/cert.pem
apk-entry.sh ca-certificates-bundle "$(dpkg-query -f '${Version}' -W ca-certificates)" noarch 'CA certificates'
cp /etc/services /etc/protocols /packages/baselayout-lab/etc/
chmod 640 /packages/baselayout-lab/etc/shadow
mkdir /packages/apk-lab/sbin
mv /packages/baselayout-lab/sbin/apk /packages/apk-lab/sbin/
mv "/packages/apk-lab/lib/apk/index.$machine" /packages/apk-lab/lib/apk/index
apk-entry.sh baselayout-lab 1 noarch 'the layout of the file system, users and groups'
apk-entry.sh apk-lab 1 noarch "the lab's stand-in for apk"

umask 022
mkdir -p /system/{dev,home,media,mnt,opt,proc,root,run,srv,sys,tmp,usr/local,etc/apk,lib/apk/db,var/{cache,log,tmp}}
chmod 1777 /system/tmp /system/var/tmp
chmod 700 /system/root
ln -s ../run /system/var/run
for package in /packages/*/; do
    cp -a "$package." /system/
done
cat /packages/*.entry > /system/lib/apk/db/installed
echo "$machine" > /system/etc/apk/arch
