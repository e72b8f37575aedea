#!/bin/bash
# Write /packages/NAME.entry: what apk's database of installed packages says about the package whose files lie in
# /packages/NAME. Arguments: its name, version, architecture and description, and the packages that it needs.
set -eu
name=$1 version=$2 architecture=$3 description=$4
shift 4
cd "/packages/$name"
{
    printf '%s\n' "P:$name" "V:$version" "A:$architecture" "I:$(du -sb --apparent-size . | cut -f1)" "T:$description"
    if [ $# -gt 0 ]; then echo "D:$*"; fi
    find . ! -type d -printf '%P\n' | sort | awk '{
        folder = $0; file = $0
        sub(/\/?[^\/]*$/, "", folder); sub(/.*\//, "", file)
        if (NR == 1 || folder != last) print "F:" folder
        last = folder
        print "R:" file
    }'
    echo
} > "/packages/$name.entry"
