"""The file system that layers add up to: what is visible in the end, and what is shipped but hidden.

Rules: OCI image spec v1.1, layer.md, "Applying changesets": a whiteout hides what lies in lower layers, never what its
own layer brings; an opaque whiteout does so for all that is in its directory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from measure.base.errors import Problem
from measure.weigh.layers import WHITEOUT, Entry, Kind, LayerFacts

_OPAQUE = ".wh..wh..opq"
#: How many symbolic links a path may lead through, as in Linux (path_resolution(7)).
_MAX_LINKS = 40


@dataclass(slots=True)
class Inode:
    """The bytes of a regular file, which any number of names may share."""

    layer: int
    size: int
    names: int = 0


@dataclass(slots=True)
class Node:
    """One name in the file system."""

    kind: Kind
    mode: int = 0o755
    target: str = ""
    inode: Inode | None = None
    document: str | None = None
    children: dict[str, Node] = field(default_factory=dict)


class FileSystem:
    """The layers of an image laid over one another, lowest first."""

    def __init__(self, layers: list[LayerFacts]) -> None:
        self.root = Node("directory")
        self._inodes: list[Inode] = []
        for number, layer in enumerate(layers):
            self._apply(number, layer)

    def _apply(self, number: int, layer: LayerFacts) -> None:
        additions = []
        for entry in layer.entries:
            folder, _, name = entry.path.rpartition("/")
            if entry.is_whiteout:
                self._hide(folder, name)
            else:
                additions.append((folder, name, entry))
        for folder, name, entry in additions:
            self._add(number, self._folder(folder), name, entry, layer.documents.get(entry.path))

    def _hide(self, folder: str, name: str) -> None:
        """Apply a whiteout. Names that begin with .wh..wh. are reserved; of these only the opaque one has a meaning."""
        parent = self.find(folder)
        if parent is None:
            return
        if name == _OPAQUE:
            for child in parent.children.values():
                self._drop(child)
            parent.children.clear()
        elif not name.startswith(WHITEOUT * 2) and (hidden := parent.children.pop(name.removeprefix(WHITEOUT), None)):
            self._drop(hidden)

    def _drop(self, node: Node) -> None:
        if node.inode:
            node.inode.names -= 1
        for child in node.children.values():
            self._drop(child)

    def _add(self, number: int, parent: Node, name: str, entry: Entry, document: str | None) -> None:
        old = parent.children.get(name)
        if entry.kind == "directory" and old and old.kind == "directory":
            old.mode = entry.mode
            return
        node = Node(entry.kind, entry.mode, entry.target, document=document)
        if entry.kind == "file":
            node.inode = Inode(number, entry.size)
            self._inodes.append(node.inode)
        elif entry.kind == "link":
            other = self.find(entry.target, follow=False)
            if other is None:
                raise Problem(f"A layer is damaged: the hard link {entry.path} names {entry.target}, which is missing.")
            node = Node(other.kind, other.mode, other.target, other.inode, other.document)
        if node.inode:
            node.inode.names += 1
        parent.children[name] = node
        if old:
            self._drop(old)

    def _folder(self, path: str) -> Node:
        """The directory at a path, symbolic links followed; made where it is missing, as an unpacker does."""
        found = self.find(path)
        if found and found.kind == "directory":
            return found
        node, walked = self.root, ""
        for name in path.split("/"):
            walked = f"{walked}/{name}"
            child = self.find(walked)
            if child is None or child.kind != "directory":
                if old := node.children.pop(name, None):
                    self._drop(old)
                child = node.children[name] = Node("directory")
            node = child
        return node

    def find(self, path: str, *, follow: bool = True, way: list[tuple[str, Node]] | None = None) -> Node | None:
        """What is visible at a path, or None. Links on the way are followed; one at the end only with `follow`.

        `way` gets the names that the kernel goes through: directories, links, and what these lead to.
        """
        waiting, here, links = _parts(path), [("", self.root)], 0
        while waiting:
            name = waiting.pop()
            if name == "..":
                here = here[:-1] or here
                continue
            where, node = here[-1]
            child = node.children.get(name)
            if child is None:
                return None
            named = (f"{where}/{name}", child)
            if way is not None:
                way.append(named)
            if child.kind != "symlink" or not (waiting or follow):
                here.append(named)
                continue
            links += 1
            if links > _MAX_LINKS:
                return None
            here = here[:1] if child.target.startswith("/") else here
            waiting += _parts(child.target)
        return here[-1][1]

    def walk(self, node: Node | None = None, path: str = "") -> Iterator[tuple[str, Node]]:
        """Every visible name below a directory, as (path, node), directories before what is in them."""
        for name, child in (node or self.root).children.items():
            inner = f"{path}/{name}"
            yield inner, child
            if child.children:
                yield from self.walk(child, inner)

    def wasted_bytes(self, layers: int) -> list[int]:
        """For each layer: the bytes of its regular files that no visible name leads to. They are shipped all the same.

        Hidden by whiteouts and opaque directories, replaced by other files, or written twice. Bytes that a hard link
        still shows are not wasted.
        """
        wasted = [0] * layers
        for inode in self._inodes:
            if inode.names == 0:
                wasted[inode.layer] += inode.size
        return wasted


def _parts(path: str) -> list[str]:
    """The names in a path, the first one last."""
    return [part for part in path.split("/") if part not in ("", ".")][::-1]
