#!/bin/sh
# Runs what lies in /docker-entrypoint.d before nginx starts, as the official image documents it; there is nothing in it.
set -e
for script in /docker-entrypoint.d/*.sh; do
    if [ -x "$script" ]; then "$script"; fi
done
exec "$@"
