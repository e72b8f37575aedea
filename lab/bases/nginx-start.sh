#!/bin/sh
# The program was compiled to look for everything in the current folder. The official one looks here.
exec /usr/lib/nginx/nginx -p /etc/nginx/ -e /var/log/nginx/error.log "$@"
