"""What next steps are made from: an image, its packages, and the files that a step has counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from measure.base.dockerfiles import Dockerfile
from measure.mine import packages
from measure.mine.model import NextStep, plain
from measure.mine.packages import Owned
from measure.mine.seen import Seen, Sum
from measure.weigh.filesystem import Inode


@dataclass
class Work:
    """An image, its packages, and the files that a step has counted."""

    seen: Seen
    python: list[Owned]
    distribution: list[Owned]
    dockerfile: Dockerfile | None
    target: str | None
    counted: set[int] = field(default_factory=set)

    def take(self, inodes: Iterable[Inode]) -> Sum:
        """What these files take, but for those that another step has counted; they are counted then."""
        fresh = {id(inode): inode for inode in inodes if id(inode) not in self.counted}
        self.counted |= set(fresh)
        return self.seen.sum_of(fresh.values())

    def where(self, inodes: Iterable[Inode]) -> str:
        """The lines that most of these files come with."""
        bytes_of: dict[int, int] = {}
        for inode in inodes:
            if self.seen.is_own(inode):
                bytes_of[inode.layer] = bytes_of.get(inode.layer, 0) + inode.size
        least = sum(bytes_of.values()) / 20
        layers = [layer for layer, size in sorted(bytes_of.items()) if size >= least]
        return ", ".join(dict.fromkeys(self.seen.origin.where[layer] for layer in layers[:3]))


def next_step(name: str, what: str, saved: Sum, where: str, page: str, of: Iterable[str] = ()) -> NextStep:
    """A step: `saved` is what `of`, in the lines `where`, takes; `page` is the page below docs/ that teaches it."""
    return NextStep(
        name=name,
        what=what,
        where=where,
        of=[plain(one) for one in of],
        transfer_bytes=saved.transfer_bytes,
        unpacked_tar_bytes=saved.tar_bytes,
        page=page,
    )


def files_of(owned: Iterable[Owned], *, own: Callable[[Inode], bool]) -> list[Inode]:
    """The files of packages, of those that `own` says are meant."""
    return [inode for one in owned for inode in (one.inodes or {}).values() if own(inode)]


def tools(owned: list[Owned]) -> list[Owned]:
    """Those that own lines bring and that a running application hardly needs."""
    return [one for one in owned if not one.of_base and packages.is_development(one)]


def gone(
    work: Work, owned: list[Owned], unneeded: list[Owned], but: Iterable[str] = ()
) -> tuple[list[Inode], list[str]]:
    """The files of these packages and of what only they bring, without those of the keys `but`, and all their names."""
    without = packages.closure(owned, {one.key for one in unneeded}, set(but))
    own = [one for one in owned if one.key in without]
    return files_of(own, own=work.seen.is_own), sorted(one.installed.name for one in own)
