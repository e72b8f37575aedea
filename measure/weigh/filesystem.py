"""The file system that layers add up to: what is visible in the end, and what is shipped but hidden.

Rules: OCI image spec v1.1, layer.md, "Applying changesets": a whiteout hides what lies in lower layers, never what its
own layer brings; an opaque whiteout does so for all that is in its directory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from measure.base.errors import Problem
from measure.weigh.layers import WHITEOUT, Entry, LayerFacts
from measure.weigh.tarring import Kind

_OPAQUE = ".wh..wh..opq"
#: How many symbolic links a path may lead through, as in Linux (path_resolution(7)).
_MAX_LINKS = 40
#: Names that a file system may have.
_MOST_NAMES = 3_000_000


@dataclass(slots=True)
class Inode:
    """The bytes of a regular file, which any number of names may share."""

    layer: int
    size: int
    names: int = 0
    #: As its layer brings it: its first name, what it takes of the layer, when it was changed.
    entry: Entry | None = None
    #: The layer that hides it, which may be its own; None where a name leads to it.
    hidden_by: int | None = None
    #: The file of a lower layer that it replaces, of the same name, size and time: a mode or an owner was changed.
    again: Inode | None = None


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
        self._names = 0
        for number, layer in enumerate(layers):
            self._apply(number, layer)

    def _count(self) -> None:
        self._names += 1
        if self._names > _MOST_NAMES:
            raise Problem(
                f"The image has more than {_MOST_NAMES:,} files and folders: reading stopped there.",
                why="No image that was built for use has so many.",
                next="look at the largest layer: tar -tzf LAYER | head",
            )

    def _apply(self, number: int, layer: LayerFacts) -> None:
        additions = []
        for entry in layer.entries:
            folder, _, name = entry.path.rpartition("/")
            if name.startswith(WHITEOUT):
                self._hide(number, folder, name)
            else:
                additions.append((folder, name, entry))
        at, node = None, self.root  # most entries are in the same folder as the one before them
        for folder, name, entry in additions:
            if folder != at:
                at, node = folder, self._folder(number, folder)
            if self._add(number, node, name, entry, layer.documents.get(entry.path)):
                at = None

    def _hide(self, number: int, folder: str, name: str) -> None:
        """Apply a whiteout. Names that begin with .wh..wh. are reserved; of these only the opaque one has a meaning."""
        parent = self.find(folder)
        if parent is None:
            return
        if name == _OPAQUE:
            for child in parent.children.values():
                self._drop(number, child)
            parent.children.clear()
        elif not name.startswith(WHITEOUT * 2) and (hidden := parent.children.pop(name.removeprefix(WHITEOUT), None)):
            self._drop(number, hidden)

    def _drop(self, number: int, node: Node) -> None:
        """A layer hides a name and all below it."""
        waiting = [node]
        while waiting:
            node = waiting.pop()
            if node.inode:
                node.inode.names -= 1
                if not node.inode.names:
                    node.inode.hidden_by = number
            waiting += node.children.values()

    def _add(self, number: int, parent: Node, name: str, entry: Entry, document: str | None) -> bool:
        """Add an entry; says whether a path may lead elsewhere now."""
        old = parent.children.get(name)
        if entry.kind == "directory" and old and old.kind == "directory":
            old.mode = entry.mode
            return False
        self._count()
        node = Node(entry.kind, entry.mode, entry.target, document=document)
        if entry.kind == "file":
            node.inode = Inode(number, entry.size, entry=entry)
            if _same(old, node.inode):
                node.inode.again = old.inode
            self._inodes.append(node.inode)
        elif entry.kind == "link":
            other = self.find(entry.target, follow=False)
            if other is None:
                raise Problem(f"A layer is damaged: the hard link {entry.path} names {entry.target}, which is missing.")
            node = Node(other.kind, other.mode, other.target, other.inode, other.document)
        if node.inode:
            node.inode.names += 1
            node.inode.hidden_by = None
        parent.children[name] = node
        if old:
            self._drop(number, old)
        return bool(old) or entry.kind == "symlink"

    def _folder(self, number: int, path: str) -> Node:
        """The directory at a path, symbolic links followed; made where it is missing, as an unpacker does."""
        found = self.find(path)
        if found and found.kind == "directory":
            return found
        node, walked = self.root, ""
        for name in path.split("/"):
            walked = f"{walked}/{name}"
            child = node.children.get(name)
            if child and child.kind == "symlink":
                child = self.find(walked)
            if child is None or child.kind != "directory":
                self._count()
                if old := node.children.pop(name, None):
                    self._drop(number, old)
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

    @property
    def inodes(self) -> list[Inode]:
        """Every regular file of every layer, those that are hidden too."""
        return self._inodes

    def walk(self) -> Iterator[tuple[str, Node]]:
        """Every visible name, as (path, node), directories before what is in them."""
        waiting = [("", iter(self.root.children.items()))]
        while waiting:
            path, names = waiting[-1]
            for name, child in names:
                inner = f"{path}/{name}"
                yield inner, child
                if child.children:
                    waiting.append((inner, iter(child.children.items())))
                    break
            else:
                waiting.pop()

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


def _same(old: Node | None, new: Inode) -> bool:
    """Is a file the same as the one below it, as far as size and time tell?"""
    if not old or not old.inode or not old.inode.entry or old.inode.layer == new.layer:
        return False
    return old.inode.size == new.size and old.inode.entry.mtime == new.entry.mtime


def _parts(path: str) -> list[str]:
    """The names in a path, the first one last."""
    return [part for part in path.split("/") if part not in ("", ".")][::-1]
