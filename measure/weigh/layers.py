"""One layer of an image, read as a stream: how large it is, and what is in it. Nothing is unpacked.

Formats: OCI image spec v1.1, layer.md (tar, gzip, zstd, whiteouts); POSIX.1-2001 pax.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from measure.base.errors import Problem
from measure.base.files import cache_folder, write_whole
from measure.weigh.unpacking import MOST, Damaged, Unpacked

#: What an entry is: a regular file, a directory, a symbolic link, a hard link, or anything else (a device, a pipe).
Kind = Literal["file", "directory", "symlink", "link", "other"]

#: Files whose text tells what an image contains: package databases, and the metadata of installed Python packages.
_DOCUMENTS = re.compile(
    r"^(var/lib/dpkg/(status|info/[^/]+\.list|status\.d/[^/]+)"
    r"|(usr/)?lib/apk/db/installed"
    r"|.*\.dist-info/(METADATA|RECORD)"
    r"|.*\.egg-info(/PKG-INFO)?)$"
)
#: The header of a package's METADATA is all that is needed; the rest is its README.
_HEADER_BYTES = 16_384
_CHUNK = 1 << 20
#: How the names of entries begin that hide something of a lower layer.
WHITEOUT = ".wh."


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of a layer's tar stream."""

    path: str  #: without a leading slash; `.wh.NAME` for a whiteout
    kind: Kind
    mode: int = 0  #: permission bits, set-user-ID included
    size: int = 0  #: in bytes; 0 for all but regular files
    target: str = ""  #: what a link names

    @property
    def is_whiteout(self) -> bool:
        """Does it hide something of a lower layer?"""
        return self.path.rpartition("/")[2].startswith(WHITEOUT)


@dataclass(frozen=True)
class LayerFacts:
    """What is to be known about a layer; sizes in bytes."""

    diff_id: str  #: SHA-256 of the tar stream, as the image's configuration names the layer
    tar_bytes: int
    file_bytes: int  #: of the regular files; a hard link has no bytes of its own
    files: int  #: how many regular files; whiteouts are none
    entries: list[Entry] = field(repr=False)
    documents: dict[str, str] = field(repr=False)  #: text of the package databases, by path


class _Counter:
    """A stream that counts and hashes the bytes read through it."""

    def __init__(self, stream: Stream) -> None:
        self.stream, self.count, self.hash = stream, 0, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(size)
        self.count += len(data)
        self.hash.update(data)
        return data


def _kind(member: tarfile.TarInfo) -> Kind:
    if member.isreg():
        return "file"
    if member.isdir():
        return "directory"
    if member.issym():
        return "symlink"
    return "link" if member.islnk() else "other"


def _clean(path: str) -> str:
    return path.removeprefix("./").strip("/")


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in archive:
        archive.members = []  # tarfile would keep them all
        yield member


def read_layer(path: Path) -> LayerFacts:
    """Read a layer, in gzip, zstd or plain, from a file. Raises Problem when it is damaged or compressed otherwise."""
    with path.open("rb") as raw:
        try:
            return _read(Stream(raw))
        except (tarfile.TarError, EOFError, Damaged) as error:
            what = f"The layer {path.name[:12]} is damaged."
            raise Problem(what, why=str(error), next="make clean, then the same command again") from None


class Stream:
    """The tar stream of a layer, as `tarfile.open(mode="r|")` reads it. Raises Damaged where it is cut short."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._unpacked = Unpacked(raw)

    def read(self, size: int = MOST) -> bytes:
        """The next bytes; fewer only where the stream ends."""
        return self._unpacked.take(size)


def _read(stream: Stream) -> LayerFacts:
    counter = _Counter(stream)
    entries: list[Entry] = []
    documents: dict[str, str] = {}
    with tarfile.open(fileobj=counter, mode="r|", bufsize=_CHUNK) as archive:
        for member in _members(archive):
            name, kind = _clean(member.name), _kind(member)
            if not name or name == ".":
                continue
            target = member.linkname if kind == "symlink" else _clean(member.linkname)
            entries.append(Entry(name, kind, member.mode, member.size if kind == "file" else 0, target))
            if kind == "file" and _DOCUMENTS.match(name):
                limit = _HEADER_BYTES if name.endswith(("METADATA", "PKG-INFO")) else -1
                documents[name] = archive.extractfile(member).read(limit).decode(errors="replace")
    while counter.read(_CHUNK):  # the padding after the archive's end is part of the stream
        pass
    files = [entry for entry in entries if entry.kind == "file" and not entry.is_whiteout]
    return LayerFacts(
        diff_id=f"sha256:{counter.hash.hexdigest()}",
        tar_bytes=counter.count,
        file_bytes=sum(entry.size for entry in files),
        files=len(files),
        entries=entries,
        documents=documents,
    )


@functools.cache
def reader_version() -> str:
    """Changes whenever the code that reads images does, so that facts read by older code are read again."""
    here = Path(__file__).parent
    sources = b"".join(
        (here / name).read_bytes() for name in ("unpacking.py", "layers.py", "filesystem.py", "contents.py", "oci.py")
    )
    return hashlib.sha256(sources).hexdigest()[:12]


def layer_facts(blob: Path) -> LayerFacts:
    """A layer's facts, from the cache if it was read before. `blob` is named by its digest, as in an OCI layout."""
    cached = cache_folder() / "layers" / reader_version() / f"{blob.name}.json.gz"
    try:
        content = json.loads(gzip.decompress(cached.read_bytes()))
        entries = [Entry(*entry) for entry in content.pop("entries")]
        return LayerFacts(entries=entries, **content)
    except (OSError, EOFError, ValueError, TypeError):
        facts = read_layer(blob)
        content = {**vars(facts), "entries": [(e.path, e.kind, e.mode, e.size, e.target) for e in facts.entries]}
        write_whole(cached, gzip.compress(json.dumps(content).encode(), 1, mtime=0))
        return facts
