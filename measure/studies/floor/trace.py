"""Which files a traced program looked at, held against the file system of its image.

Format: strace(1) with `-ff -y -e trace=%file`: a file for each thread, a line for each system call that takes a path,
each file descriptor followed by what it stands for.
"""

from __future__ import annotations

import codecs
import posixpath
import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from measure.studies.floor.model import Untouched
from measure.weigh.filesystem import FileSystem, Node

_CALL = re.compile(r'^(?P<call>\w+)\((?:(?:AT_FDCWD|\d+)<(?P<folder>[^>]*)>[^,]*, )?"(?P<path>(?:[^"\\]|\\.)*)"')
_FOLDER = re.compile(r"\bAT_FDCWD<([^>]*)>")
_ERROR = re.compile(r" = -1 (E[A-Z]+) \(")
#: What a call says of a path that leads nowhere. Any other error is about something that is there.
_ABSENT = {"ENOENT", "ENOTDIR"}
#: Calls that look at a link itself, and not at what it leads to.
_OF_LINKS = {"readlink", "readlinkat", "lstat"}
_STDLIB = re.compile(r"^/usr/local/lib/python3\.\d+/(?P<rest>.+)$")
_SITE = re.compile(r"/site-packages/(?P<rest>.+)$")
#: How deep a directory is named that belongs to nothing else.
_DEPTH = 3


@dataclass(frozen=True)
class Look:
    """A path that a system call took."""

    path: str  #: absolute, as it was asked for
    there: bool
    follow: bool = True  #: did it want what a link leads to?
    executed: bool = False


def looks(lines: Iterable[str], folder: str) -> Iterator[Look]:
    """The paths in the trace of one thread, which begins in a working folder. Calls without a path are passed over."""
    for line in lines:
        if at := _FOLDER.search(line):
            folder = at[1]
        match = _CALL.match(line)
        if not match or not match["path"]:
            continue
        # Bytes that are no printable ASCII are written as in C: \303\244, \n.
        path = codecs.escape_decode(match["path"].encode())[0].decode(errors="surrogateescape")
        error = _ERROR.search(line)
        path = posixpath.join(match["folder"] or folder, path)
        if match["call"] == "chdir" and not error:
            folder = path
        yield Look(
            path=path,
            there=not (error and error[1] in _ABSENT),
            follow=match["call"] not in _OF_LINKS and "AT_SYMLINK_NOFOLLOW" not in line,
            executed=match["call"].startswith("execve") and not error,
        )


def interpreter(head: bytes) -> str | None:
    """The program that the kernel opens to run a file, from the file's first bytes; None where it needs none.

    Formats: execve(2), "Interpreter scripts"; elf(5), 64 bits, little-endian: PT_INTERP. No system call tells of it.
    """
    if head.startswith(b"#!"):
        words = head[2:].partition(b"\n")[0].split()
        return words[0].decode() if words else None
    if head[:6] != b"\x7fELF\x02\x01" or len(head) < 64:  # as long as its own header is
        return None
    (offset,) = struct.unpack_from("<Q", head, 32)
    size, count = struct.unpack_from("<HH", head, 54)
    for at in range(offset, min(offset + size * count, len(head) - 39), size):
        kind, _, begin = struct.unpack_from("<IIQ", head, at)
        (length,) = struct.unpack_from("<Q", head, at + 32)
        if kind == 3:
            return head[begin : begin + length].rstrip(b"\0").decode()
    return None


@dataclass
class Touched:
    """What was looked at of an image's file system: names of files, of directories, and of links on the way."""

    files: FileSystem
    names: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    executed: set[str] = field(default_factory=set)

    def add(self, look: Look) -> None:
        """Count a look: all that its path leads through, as far as it is in the image."""
        way: list[tuple[str, Node]] = []
        self.files.find(look.path, follow=look.follow, way=way)
        self.names.update(name for name, _ in way)
        if not look.there:
            self.missing.add(look.path)
        elif look.executed and way:
            self.executed.add(way[-1][0])

    def untouched(self) -> list[Untouched]:
        """The files that nothing looked at, by what they belong to, largest first."""
        seen = {id(node.inode) for name, node in self.files.walk() if node.inode and name in self.names}
        packages = _debian(self.files)
        sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for name, node in self.files.walk():
            if node.inode and id(node.inode) not in seen:
                seen.add(id(node.inode))
                total = sums[belongs_to(name, packages.get(id(node.inode)))]
                total[0] += node.inode.size
                total[1] += 1
        found = [Untouched(name=name, bytes=size, files=count) for name, (size, count) in sums.items()]
        return sorted(found, key=lambda one: (-one.bytes, one.name))


def _debian(files: FileSystem) -> dict[int, str]:
    """The Debian package of each file that is listed by one, by the identity of its inode."""
    found = {}
    folder = files.find("var/lib/dpkg/info")
    for name, listed in (folder.children if folder else {}).items():
        for path in (listed.document or "").splitlines() if name.endswith(".list") else ():
            node = files.find(path, follow=False)
            if node and node.inode:
                found[id(node.inode)] = name.removesuffix(".list").partition(":")[0]
    return found


def belongs_to(path: str, package: str | None) -> str:
    """What a file is part of, in words: a Debian package, a Python package or its part, or a directory."""
    if package:
        return f"{package}, a Debian package"
    if match := _SITE.search(path):
        parts = [part for part in match["rest"].split("/") if part != "__pycache__"]
        return f"site-packages/{'/'.join(parts[: min(2, len(parts) - 1) or 1])}"
    if match := _STDLIB.match(path):
        folder, slash, _ = match["rest"].partition("/")
        return f"Python's own {folder}" if slash else "Python's own modules of one file"
    parts = path.split("/")
    return "/".join(parts[: min(_DEPTH + 1, len(parts) - 1)]) or path
