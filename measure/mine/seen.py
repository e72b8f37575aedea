"""An image that was read, looked at once: what all parts of the report ask for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from measure.mine.lines import Origin
from measure.weigh.contents import Installed, os_packages, python_packages
from measure.weigh.filesystem import Inode, Node
from measure.weigh.oci import Opened


@dataclass(frozen=True)
class Sum:
    """Bytes of files: their own, of the tar stream, and of the compressed layers where these are compressed."""

    bytes: int
    tar_bytes: int
    transfer_bytes: int | None


@dataclass(frozen=True)
class Seen:
    """An image, where its layers come from, and what is visible in it."""

    image: Opened
    origin: Origin
    platform: str

    @cached_property
    def visible(self) -> list[tuple[str, Node]]:
        """Every visible name, directories before what is in them."""
        return list(self.image.files.walk())

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """The same by path."""
        return dict(self.visible)

    @cached_property
    def names(self) -> dict[int, str]:
        """The first visible path of each file, by the identity of its inode."""
        found: dict[int, str] = {}
        for path, node in self.visible:
            if node.inode:
                found.setdefault(id(node.inode), path)
        return found

    @cached_property
    def python(self) -> list[Installed]:
        """The Python packages that are installed."""
        return list(python_packages(self.image.files, self.visible))

    @cached_property
    def distribution(self) -> list[Installed]:
        """The distribution's packages."""
        return list(os_packages(self.image.files))

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """How the names of byte-compiled files end, for the versions of Python that packages are installed for."""
        found = (re.search(r"python3\.(\d+)", one.location) for one in self.python)
        versions = sorted({match[1] for match in found if match})
        return tuple(f"cpython-3{v}{level}.pyc" for v in versions for level in ("", ".opt-1", ".opt-2"))

    def node(self, path: str) -> Node | None:
        """What is visible at a path that may lead through links."""
        return self.nodes.get(path) or self.image.files.find(path, follow=False)

    def inodes(self, paths: Iterable[str]) -> dict[int, Inode]:
        """The files at these paths, by identity; what is missing is left out."""
        found: dict[int, Inode] = {}
        for path in paths:
            node = self.node(path)
            if node and node.inode:
                found[id(node.inode)] = node.inode
        return found

    def is_own(self, inode: Inode) -> bool:
        """Does it come with a line of the reader's Dockerfile, and not with the base?"""
        return not self.origin.is_base(inode.layer)

    def sum_of(self, inodes: Iterable[Inode]) -> Sum:
        """What these files take."""
        size = tar = transfer = 0
        known = True
        for inode in inodes:
            size += inode.size
            if inode.entry:
                tar += inode.entry.tar_bytes
                transfer += inode.entry.transfer_bytes
                known = known and not self.image.facts[inode.layer].is_plain
        return Sum(size, tar, transfer if known else None)
