"""Two layers that ought to be the same, path by path: what differs, and of which kind the difference is.

Formats: POSIX.1-2001 pax (tar); PEP 552 (the header of bytecode).
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Literal, NamedTuple

from measure.base.errors import Problem
from measure.weigh.unpacking import Damaged, Unpacked

#: How a path differs. Time: nothing but when it was changed last. Order: the same paths, one after another otherwise.
#: Bytecode: compiled Python with other bytes. Content: other bytes, or another kind, mode, owner or link. Missing and
#: extra: only the one, or only the other layer has it. Compression: the same files, packed otherwise.
Kind = Literal["time", "order", "bytecode", "content", "missing", "extra", "compression"]


@dataclass(frozen=True)
class Different:
    """A path, '' for the layer as a whole, and how it differs."""

    path: str
    kind: Kind


class _Seen(NamedTuple):
    """What a layer says of a path."""

    head: tuple[object, ...]
    sha256: str
    mtime: float


def differences(before: Path, after: Path) -> list[Different]:
    """What differs between two layers, given as files, by path. Raises Problem when one is damaged."""
    old, new = dict(_seen(before)), dict(_seen(after))
    found = []
    for path in sorted(old.keys() | new.keys()):
        if path not in old or path not in new:
            found.append(Different(path, "extra" if path in new else "missing"))
        elif old[path] != new[path]:
            found.append(Different(path, _kind(path, old[path], new[path])))
    if not found and list(old) != list(new):
        return [Different("", "order")]
    if not found and before.read_bytes() != after.read_bytes():
        return [Different("", "compression")]
    return found


def _kind(path: str, old: _Seen, new: _Seen) -> Kind:
    if old.head != new.head:
        return "content"
    if old.sha256 != new.sha256:
        return "bytecode" if path.endswith(".pyc") else "content"
    return "time"


def _seen(layer: Path) -> Iterator[tuple[str, _Seen]]:
    try:
        # That it can be read is all that tarfile asks of a stream.
        with (
            layer.open("rb") as raw,
            tarfile.open(fileobj=SimpleNamespace(read=Unpacked(raw).take), mode="r|") as archive,
        ):
            for member in archive:
                archive.members = []  # tarfile would keep them all
                content = hashlib.sha256()
                if member.isreg():
                    file = archive.extractfile(member)
                    while data := file.read(1 << 20):
                        content.update(data)
                head = (member.type, member.mode, member.uid, member.gid, member.linkname)
                yield member.name.removeprefix("./"), _Seen(head, content.hexdigest(), member.mtime)
    except (tarfile.TarError, Damaged, EOFError) as error:
        what = f"The layer {layer.name[:12]} is damaged."
        raise Problem(what, why=str(error), next="make clean, then the same command again") from None
