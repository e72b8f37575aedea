"""One layer of an image, read as a stream: how large it is, and what is in it. Nothing is unpacked.

Formats: OCI image spec v1.1, layer.md (tar, gzip, zstd, whiteouts); PEP 3147 and 552 (bytecode); ELF-64 (gABI 4.1).
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

from measure.base.errors import Problem
from measure.base.files import cache_folder, write_whole
from measure.weigh.tarring import Kind, members
from measure.weigh.unpacking import Damaged, Unpacked

#: Files whose text tells what an image contains: package databases, and the metadata of installed Python packages.
_DOCUMENTS = re.compile(
    r"^(var/lib/dpkg/(status|info/[^/]+\.list|status\.d/[^/]+)"
    r"|var/lib/apt/extended_states"
    r"|(usr/)?lib/apk/db/installed"
    r"|.*\.dist-info/(METADATA|RECORD)"
    r"|.*\.egg-info(/PKG-INFO)?)$"
)
#: How their names end, which is looked at first.
_ENDINGS = ("status", ".list", "installed", "states", "METADATA", "RECORD", "-info", "PKG-INFO")
#: The header of a package's METADATA is all that is needed; the rest is its README.
_HEADER_BYTES = 65_536
#: No document is longer than this, nor are all of a layer's together.
_DOCUMENT_BYTES, _DOCUMENTS_BYTES = 16_000_000, 128_000_000
#: Of byte-compiled Python the header: what it was compiled from.
_PYC_BYTES = 16
#: Python's own libraries: how much of each only debuggers read is kept.
_LIBRARY = re.compile(r"usr/local/lib/(libpython3[^/]*|python3[^/]*/lib-dynload/[^/]+)\.so[\d.]*$")
#: A layer of more entries than this is not read.
_MOST_ENTRIES = 2_000_000
#: How the names of entries begin that hide something of a lower layer.
WHITEOUT = ".wh."


class Entry(NamedTuple):
    """One member of a layer's tar stream."""

    path: str  #: without a leading slash; `.wh.NAME` for a whiteout
    kind: Kind
    mode: int = 0  #: permission bits, set-user-ID included
    size: int = 0  #: in bytes; 0 for all but regular files
    target: str = ""  #: what a link names
    mtime: int = 0
    owner: int = 0  #: number of its user
    tar_bytes: int = 0  #: of the tar stream, its header included
    transfer_bytes: int = 0  #: of the compressed layer, as far as that can be told of one entry; the sum is exact
    capable: bool = False  #: does it carry file capabilities?

    @property
    def is_whiteout(self) -> bool:
        """Does it hide something of a lower layer?"""
        return self.path.rpartition("/")[2].startswith(WHITEOUT)


@dataclass(frozen=True)
class LayerFacts:
    """What is to be known about a layer; sizes in bytes."""

    digest: str  #: SHA-256 of the layer as it is stored, as the image's manifest names it
    tar_bytes: int
    file_bytes: int  #: of the regular files; a hard link has no bytes of its own
    files: int  #: how many regular files; whiteouts are none
    entries: list[Entry] = field(repr=False)
    #: Text of the package databases, and the header of byte-compiled Python in hexadecimal digits, by path; of Python's
    #: own libraries how many bytes are symbols.
    documents: dict[str, str] = field(repr=False)
    packed_bytes: int = 0  #: of the layer as it is stored
    escapes: int = 0  #: entries whose names lead out of the image, as they are written
    #: SHA-256 of the tar stream, as the image's configuration names the layer; '' where nobody asked for it.
    diff_id: str = ""

    @property
    def is_plain(self) -> bool:
        """Is it stored as it is, without compression?"""
        return self.packed_bytes == self.tar_bytes


def read_layer(path: Path) -> LayerFacts:
    """Read a layer, in gzip, zstd or plain, from a file. Raises Problem when it is damaged or compressed otherwise."""
    with path.open("rb") as raw:
        return read_stream(raw, path.name)


def read_stream(
    raw: IO[bytes], name: str, next: str = "make clean, then the same command again", *, hashed: bool = False
) -> LayerFacts:
    """Read a layer from a stream that can seek; `name` and `next` are for the Problem when it is damaged.

    `hashed`: its tar stream is hashed too, for images that name their layers by nothing else. That takes a while.
    """
    try:
        return _read(Unpacked(raw, hashed=hashed))
    except Damaged as error:
        raise Problem(f"The layer {name[:12]} is damaged.", why=str(error), next=next) from None


def _document(stream: Unpacked, name: str, size: int) -> str | None:
    """The text of a file that tells something; None for one that tells nothing."""
    if name.endswith(".pyc"):
        return stream.take(min(size, _PYC_BYTES)).hex()
    if ".so" in name and _LIBRARY.match(name):
        return str(_symbols(stream, size))
    if not name.endswith(_ENDINGS) and "/status.d/" not in name:
        return None
    if not _DOCUMENTS.match(name):
        return None
    limit = _HEADER_BYTES if name.endswith(("METADATA", "PKG-INFO")) else _DOCUMENT_BYTES
    return stream.take(min(size, limit)).decode(errors="replace")


def _symbols(stream: Unpacked, size: int) -> int:
    """Bytes of the sections of a shared library that nothing loads: `strip --strip-all` takes them away."""
    header = stream.take(min(size, 64))
    if len(header) < 64 or header[:6] != b"\x7fELF\x02\x01":  # 64 bits, the lowest byte first
        return 0
    (start,) = struct.unpack_from("<Q", header, 40)
    width, count = struct.unpack_from("<HH", header, 58)
    if width != 64 or not 64 <= start <= size - width * count:
        return 0
    stream.skip(start - 64)
    table = stream.take(width * count)
    sections = (struct.unpack_from("<IQ16xQ", table, at + 4) for at in range(0, len(table), width))
    return min(size, sum(length for kind, flags, length in sections if kind != 8 and not flags & 2))


def _read(stream: Unpacked) -> LayerFacts:
    entries: list[Entry] = []
    documents: dict[str, str] = {}
    began = packed = kept = escapes = file_bytes = files = 0
    for member in members(stream):
        name, kind = member.name, member.kind
        if kind == "file" and (text := _document(stream, name, member.stored)) is not None:
            kept += len(text)
            if kept > _DOCUMENTS_BYTES:
                raise Damaged("Its package databases are larger than any image's.")
            documents[name] = text
        stream.skip(member.end - stream.position)
        size = member.size if kind == "file" else 0
        tar, transfer = member.end - began, int(stream.packed) - packed
        began, packed = member.end, packed + transfer
        escapes += member.escapes
        if not name:
            continue
        entry = Entry(
            name, kind, member.mode, size, member.target, member.mtime, member.owner, tar, transfer, member.capable
        )
        entries.append(entry)
        if kind == "file" and not entry.is_whiteout:
            files, file_bytes = files + 1, file_bytes + size
        if len(entries) > _MOST_ENTRIES:
            raise Damaged(f"It has more than {_MOST_ENTRIES:,} entries: reading stopped there.")
    stream.drain()  # the padding after the archive's end is part of the stream
    return LayerFacts(
        digest=f"sha256:{stream.sha256}",
        tar_bytes=stream.position,
        file_bytes=file_bytes,
        files=files,
        entries=entries,
        documents=documents,
        packed_bytes=round(stream.packed),
        escapes=escapes,
        diff_id=f"sha256:{stream.unpacked_sha256}" if stream.unpacked_sha256 else "",
    )


@functools.cache
def reader_version() -> str:
    """Changes whenever the code that reads images does, so that facts read by older code are read again."""
    here = Path(__file__).parent
    names = ("unpacking.py", "tarring.py", "layers.py", "filesystem.py", "contents.py", "oci.py")
    return hashlib.sha256(b"".join((here / name).read_bytes() for name in names)).hexdigest()[:12]


def layer_facts(blob: Path) -> LayerFacts:
    """A layer's facts, from the cache if it was read before. `blob` is named by its digest, as in an OCI layout."""
    return remembered(blob.name, lambda: read_layer(blob))


def remembered(name: str, read: Callable[[], LayerFacts]) -> LayerFacts:
    """The facts of the layer with this digest, from the cache if it was read before."""
    cached = cache_folder() / "layers" / reader_version() / f"{name}.json.gz"
    try:
        content = json.loads(gzip.decompress(cached.read_bytes()))
        entries = [Entry(*entry) for entry in content.pop("entries")]
        return LayerFacts(entries=entries, **content)
    except (OSError, EOFError, ValueError, TypeError):
        facts = read()
        write_whole(cached, gzip.compress(json.dumps(vars(facts)).encode(), 1, mtime=0))
        return facts
