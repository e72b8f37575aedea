"""The members of a tar stream, one after the other, as fast as Python reads them: nothing is kept, nothing unpacked.

Formats: POSIX.1-2001 ustar and pax, and of GNU tar long names, large numbers and sparse files. What an unpacker of
images does with a name is done here (containerd, pkg/archive/tar.go): it is cleaned, and counts from the image's root.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Literal, NamedTuple

from measure.weigh.unpacking import Damaged, Unpacked

#: What an entry is: a regular file, a directory, a symbolic link, a hard link, or anything else (a device, a pipe).
Kind = Literal["file", "directory", "symlink", "link", "other"]

_BLOCK = 512
_ZERO = bytes(_BLOCK)
#: A long name, or the attributes of one member, are not longer than this.
_LONGEST = 1 << 20
#: PATH_MAX of Linux.
_LONGEST_NAME = 4096
_KINDS: dict[bytes, Kind] = {
    b"0": "file", b"\0": "file", b"7": "file", b"S": "file", b"1": "link", b"2": "symlink", b"5": "directory",
}  # fmt: skip
#: Types that have no data, whatever size they say.
_WITHOUT_DATA = frozenset(b"123456")
_CAPABILITY = "SCHILY.xattr.security.capability"


class Member(NamedTuple):
    """One member of a tar stream."""

    name: str  #: without a leading slash, cleaned; empty for the root
    kind: Kind
    mode: int
    size: int  #: of its data, in bytes
    stored: int  #: bytes of it in the stream, which are fewer than its size for a sparse file
    end: int  #: where in the stream the next member begins
    target: str  #: what a link names; as it is written for a symbolic one
    mtime: int
    owner: int
    group: int
    escapes: bool  #: does its name lead out of the image's root, as written?
    capable: bool  #: does it carry file capabilities?


def _number(field: bytes) -> int:
    try:
        if field[0] & 0x80:  # GNU's way for large numbers: the rest, in base 256
            value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
            return value - (1 << (8 * len(field) - 2)) * 2 if field[0] & 0x40 else value
        return int(field.partition(b"\0")[0] or b"0", 8)
    except ValueError:
        if not field.strip(b"\0 "):
            return 0
        raise Damaged("It is no tar stream: a header has no number where one should be.") from None


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def clean(path: str) -> tuple[str, bool]:
    """A path from the image's root, cleaned, and whether it leads out of that as it is written."""
    path = path.removeprefix("./").strip("/")
    if path == "." or "./" in path or "//" in path or path.endswith(("/.", "..")):
        escapes = f"{posixpath.normpath(path)}/".startswith("../")
        path = posixpath.normpath(f"/{path}").strip("/")
        return path, escapes
    return path, False


def _attributes(data: bytes) -> dict[str, str]:
    """The records of a pax header: LENGTH KEY=VALUE."""
    found: dict[str, str] = {}
    at = 0
    while at < len(data) and data[at]:
        length, _, _ = data[at : at + 20].partition(b" ")
        if not length.isdigit() or not 5 <= int(length) <= len(data) - at:
            raise Damaged("It is no tar stream: a pax header is damaged.")
        key, sign, value = data[at + len(length) + 1 : at + int(length) - 1].partition(b"=")
        if not sign:
            raise Damaged("It is no tar stream: a pax header is damaged.")
        found[_text(key)] = value.decode("utf-8", "surrogateescape")
        at += int(length)
    return found


def _checked(header: bytes) -> None:
    try:
        stated = _number(header[148:156])
    except Damaged:
        stated = -1
    if stated != sum(header[:148]) + sum(header[156:]) + 8 * 32:
        raise Damaged("It is no tar stream: a header has a wrong checksum.")


def _attached(stream: Unpacked, size: int) -> bytes:
    """What a member says of the next one: a long name, or attributes."""
    if not 0 <= size <= _LONGEST:
        raise Damaged(f"It is no tar stream that an image has: a name is {size:,} bytes long.")
    data = stream.take(size + -size % _BLOCK)
    if len(data) < size:
        raise Damaged("It is cut short.")
    return data[:size]


def _whole(text: str) -> int:
    try:
        return int(float(text)) if "." in text else int(text)
    except (ValueError, OverflowError):
        raise Damaged("It is no tar stream: a pax header has no number where one should be.") from None


def _member(header: bytes, attributes: dict[str, str], at: int) -> Member:
    flag = header[156:157]
    name = _text(header[:100])
    if header[257:263] == b"ustar\0" and header[345]:
        name = f"{_text(header[345:500])}/{name}"
    size = 0 if flag[0] in _WITHOUT_DATA else _number(header[124:136])
    kind, target = _KINDS.get(flag, "other"), _text(header[157:257]) if flag in b"12" else ""
    mtime, owner, group = (_number(header[a:b]) for a, b in ((136, 148), (108, 116), (116, 124)))
    real = None
    if attributes:
        name = attributes.get("GNU.sparse.name") or attributes.get("path", name)
        target = attributes.get("linkpath", target) if target else target
        if "size" in attributes and flag[0] not in _WITHOUT_DATA:
            size = _whole(attributes["size"])
        mtime, owner, group = (
            _whole(attributes[key]) if key in attributes else value
            for key, value in (("mtime", mtime), ("uid", owner), ("gid", group))
        )
        sparse = attributes.get("GNU.sparse.realsize") or attributes.get("GNU.sparse.size")
        real = _whole(sparse) if sparse else None
    if flag == b"S":
        real = _number(header[483:495])
    if size < 0 or (real or 0) < 0:
        raise Damaged("It is no tar stream: a size is below zero.")
    if kind == "file" and name.endswith("/") and flag == b"\0":  # as tar wrote folders before there was a type
        kind = "directory"
    if len(name) > _LONGEST_NAME or len(target) > _LONGEST_NAME:
        raise Damaged(f"A name in it is {max(len(name), len(target)):,} characters long, which no system takes.")
    cleaned, escapes = clean(name)
    if kind == "link":
        target, out = clean(target)
        escapes = escapes or out
    mode = _number(header[100:108]) & 0o7777
    stated = size if real is None else real
    end = at + size + -size % _BLOCK
    return Member(
        cleaned, kind, mode, stated, size, end, target, mtime, owner, group, escapes, _CAPABILITY in attributes
    )


def members(stream: Unpacked) -> Iterator[Member]:
    """The members in order. What is not taken of a member's data is left out. Raises Damaged."""
    attributes: dict[str, str] = {}
    first = True
    while True:
        header = stream.take(_BLOCK)
        if header == _ZERO or not header:
            if first and not header:
                raise Damaged("It is empty.")
            return
        if len(header) < _BLOCK:
            raise Damaged("It is cut short, or no tar stream.")
        if first or header[257:262] != b"ustar":  # a layer's digest vouches for the rest
            _checked(header)
            first = False
        flag = header[156:157]
        if flag in b"xXLKg":
            data = _attached(stream, _number(header[124:136]))
            if flag in b"xX":
                attributes |= _attributes(data)
            elif flag in b"LK":
                attributes["path" if flag == b"L" else "linkpath"] = _text(data)
            continue  # what stands for all members (g) means nothing to those who unpack images
        more = flag == b"S" and header[482]
        while more:  # a sparse file's map goes on
            more = stream.take(_BLOCK)[504:505].strip(b"\0")
        member = _member(header, attributes, stream.position)
        attributes = {}
        yield member
        stream.skip(member.end - stream.position)
