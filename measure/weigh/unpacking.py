"""A compressed stream, unpacked piece by piece, with the place in both countings: memory is bounded, whatever is in it.

Formats: RFC 1952 (gzip, of several members too, as eStargz and pigz write it), RFC 8878 (zstd).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import IO, Any

from isal import isal_zlib

from measure.base.errors import Problem

#: Bytes read at a time, and the most that are unpacked from them at once. Such pieces stay in the processor's cache;
#: from 128 kB on each is memory of its own from the kernel, where threads wait for each other.
_IN, _OUT = 1 << 14, 1 << 16
#: What unpacks to more than this many times its size is no image's layer, from so many bytes on.
_RATIO, _HARMLESS = 250, 2_000_000_000
#: No layer is larger than this unpacked.
MOST = 200_000_000_000

#: A piece of the unpacked stream, and how many compressed bytes made it.
Piece = tuple[bytes, int]


class Damaged(Exception):  # noqa: N818 - it becomes a Problem, which names the layer
    """The stream is not what it should be: how, in words."""


class _Hashed:
    """A stream that is hashed as it is read; once over, from its beginning."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw, self.hash = raw, hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._raw.read(size)
        self.hash.update(data)
        return data


def _zstd() -> Callable[[], Any]:
    try:
        from compression import zstd  # Python 3.14
    except ImportError:
        try:
            from backports import zstd
        except ImportError:
            raise Problem(
                "A layer is compressed with zstd, and nothing here unpacks that.",
                why="Python has it from 3.14 on; for an older one there is the package backports.zstd.",
                next="docker buildx build --output type=oci,dest=image.tar,compression=gzip,force-compression=true .",
            ) from None
    return zstd.ZstdDecompressor


def _gzip_pieces(raw: _Hashed) -> Iterator[Piece]:
    unpacker, data, began = isal_zlib.decompressobj(wbits=31), b"", False
    while True:
        data = data or raw.read(_IN)
        if not data:
            if began:
                raise Damaged("It is cut short: its gzip stream does not end.")
            return
        if not began:
            length = len(data)
            data = data.lstrip(b"\0")  # some writers pad what is between two members
            if length > len(data):
                yield b"", length - len(data)
            if not data:
                continue
        began = True
        try:
            piece = unpacker.decompress(data, _OUT)
        except isal_zlib.error as error:
            raise Damaged(f"Its gzip stream is damaged: {error}") from None
        rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
        yield piece, len(data) - len(rest)
        if unpacker.eof:
            unpacker, began = isal_zlib.decompressobj(wbits=31), False
        data = rest


def _zstd_pieces(raw: _Hashed) -> Iterator[Piece]:
    make = _zstd()
    unpacker, data, began = make(), b"", False
    while True:
        if unpacker.needs_input:
            data = data or raw.read(_IN)
            if not data:
                if began:
                    raise Damaged("It is cut short: its zstd stream does not end.")
                return
        began, used = True, len(data)
        try:
            piece = unpacker.decompress(data, _OUT)
        except Exception as error:  # the class of the error is another one in each of the two packages
            raise Damaged(f"Its zstd stream is damaged: {error}") from None
        data = b""
        if unpacker.eof:
            data = unpacker.unused_data
            unpacker, began = make(), False
        yield piece, used - len(data)


def _plain_pieces(raw: _Hashed) -> Iterator[Piece]:
    while data := raw.read(_OUT):
        yield data, len(data)


def _pieces(raw: IO[bytes], hashed: _Hashed) -> tuple[Iterator[Piece], bool]:
    """The pieces of a stream, and whether it is stored as it is."""
    magic = raw.read(4)
    raw.seek(0)
    if magic[:2] == b"\x1f\x8b":
        return _gzip_pieces(hashed), False
    # A skippable frame may stand first, as zstd:chunked writes it.
    if magic == b"\x28\xb5\x2f\xfd" or (magic[1:] == b"\x2a\x4d\x18" and 0x50 <= magic[0] <= 0x5F):
        return _zstd_pieces(hashed), False
    return _plain_pieces(hashed), True


class Unpacked:
    """The unpacked stream: what is next, where in it that is, and how many compressed bytes it took up to there.

    `hashed`: its own SHA-256 is wanted too, and not that of the compressed stream alone, which is shorter.
    """

    def __init__(self, raw: IO[bytes], *, hashed: bool = False) -> None:
        self._raw = _Hashed(raw)
        self._pieces, self._is_plain = _pieces(raw, self._raw)
        self._hash = hashlib.sha256() if hashed and not self._is_plain else None
        self._piece, self._at, self._ratio = b"", 0, 0.0
        #: Where the piece begins, unpacked and compressed.
        self._began, self._began_packed, self._used = 0, 0, 0

    @property
    def position(self) -> int:
        """Bytes of the unpacked stream that were taken or skipped."""
        return self._began + self._at

    @property
    def packed(self) -> float:
        """Compressed bytes that these took; within a piece each byte took as many as another."""
        return self._began_packed + self._at * self._ratio

    @property
    def sha256(self) -> str:
        """Of the stream as it is stored; of all of it once it was drained."""
        return self._raw.hash.hexdigest()

    @property
    def unpacked_sha256(self) -> str:
        """Of what was unpacked; '' where nobody asked for it."""
        if self._is_plain:
            return self.sha256
        return self._hash.hexdigest() if self._hash else ""

    def _next(self) -> bool:
        self._began += len(self._piece)
        self._began_packed += self._used
        self._piece, self._at, self._used = b"", 0, 0
        used = 0
        for piece, taken in self._pieces:
            used += taken
            if piece:
                if self._hash:
                    self._hash.update(piece)
                self._piece, self._used, self._ratio = piece, used, used / len(piece)
                self._bound()
                return True
        self._began_packed += used  # the trailer of the compressed stream
        return False

    def _bound(self) -> None:
        unpacked, packed = self._began + len(self._piece), self._began_packed + self._used
        if unpacked > MOST or (unpacked > _HARMLESS and unpacked > _RATIO * packed):
            raise Damaged(
                f"It unpacks to more than {unpacked / 1e9:.0f} GB from {packed / 1e6:.0f} MB: reading stopped there."
            )

    def take(self, size: int) -> bytes:
        """The next bytes; fewer only where the stream ends."""
        end = self._at + size
        if end <= len(self._piece):
            found = self._piece[self._at : end]
            self._at = end
            return found
        found, self._at = self._piece[self._at :], len(self._piece)
        parts = [found]
        missing = size - len(found)
        while missing and self._next():
            part = self._piece[:missing]
            self._at = len(part)
            missing -= len(part)
            parts.append(part)
        return b"".join(parts)

    def skip(self, size: int) -> None:
        """Leave out the next bytes. Raises Damaged where the stream ends before that."""
        while size > (left := len(self._piece) - self._at):
            size -= left
            self._at = len(self._piece)
            if not self._next():
                raise Damaged("It is cut short: its last file does not end.")
        self._at += size

    def drain(self) -> None:
        """Leave out all the rest."""
        self._at = len(self._piece)
        while self._next():
            self._at = len(self._piece)
