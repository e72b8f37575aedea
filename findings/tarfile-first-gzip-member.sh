#!/bin/bash
# Python's tarfile reads only the first gzip member in its streaming mode `r|gz`, and raises nothing. `r:gz` and GNU tar
# read them all. So it is with bz2 and xz, and with Python 3.11, 3.12 and 3.13.
#
# A gzip file may have several members, one after the other (RFC 1952, section 2.2). Image layers in the eStargz format
# have one for each file, and are valid layers for any engine. The streaming mode is what suits a layer that
# comes from a registry, and where a member ends at the end of a file in the archive, what follows is not missed:
# the layer just looks smaller. To pass `gzip.open(layer)` with the mode `r|` instead cures it.
#
# Seen on 2026-11-29 with Python 3.11, an archive of three files, each of its three parts compressed for itself:
#   GNU tar: one two three
#   tarfile r:gz: one two three
#   tarfile r|gz: one
#   tarfile r| of gzip.open: one two three
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for name in one two three; do
    echo "$name" > "$name"
done
tar --format=ustar -cf plain.tar one two three
# A header and a block of content for each file: 1,024 bytes, then what ends the archive.
for part in 0 1 2; do
    dd if=plain.tar bs=1024 skip="$part" count=$((part < 2 ? 1 : 99)) status=none | gzip
done > layer.tar.gz
{
    echo "GNU tar: $(tar -tzf layer.tar.gz | paste -s -d ' ')"
    python3 - <<'PYTHON'
import gzip
import tarfile

for mode in ("r:gz", "r|gz"):
    with tarfile.open("layer.tar.gz", mode) as archive:
        print(f"tarfile {mode}:", *archive.getnames())
with gzip.open("layer.tar.gz") as plain, tarfile.open(fileobj=plain, mode="r|") as archive:
    print("tarfile r| of gzip.open:", *archive.getnames())
PYTHON
} > seen
diff seen - <<'SEEN'
GNU tar: one two three
tarfile r:gz: one two three
tarfile r|gz: one
tarfile r| of gzip.open: one two three
SEEN
echo "as seen on 2026-11-29"
