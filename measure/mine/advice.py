"""Next steps: what to change, and what that saves in this very image. Each file is counted in one step only."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from measure.base.dockerfiles import Dockerfile, Instruction
from measure.mine import facts, packages
from measure.mine.context import AVOIDABLE
from measure.mine.model import Context, NextStep, plain
from measure.mine.packages import Owned
from measure.mine.seen import Seen, Sum
from measure.weigh.filesystem import Inode

#: At most so many are told, and none that saves less.
MOST, LEAST_BYTES = 5, 100_000
_INSTALLS = re.compile(
    r"\b(pip3?|uv|poetry|pipenv|pdm|conda|mamba|npm|yarn|pnpm)\b[^&|;]*\b(install|sync|ci|update)\b", re.IGNORECASE
)
#: What a slim base is built from: Debian's required packages, apt, and these (docker-library/python, slim-template).
_SLIM = ("apt", "ca-certificates", "netbase", "tzdata", "adduser", "libffi8", "libgdbm6t64", "libncursesw6",
         "libreadline8t64", "readline-common", "openssl", "libssl3t64", "libsqlite3-0", "libbz2-1.0", "liblzma5",
         "libuuid1", "libexpat1", "zlib1g", "libzstd1", "libdb5.3t64", "libdb5.3", "libnsl2", "libtirpc3t64", "libffi7",
         "libreadline8", "libgdbm6", "libssl3")  # fmt: skip


#: What Debian's slim images leave out of every package (debuerreotype, .slimify-excludes).
_NOT_SLIM = re.compile(r"/usr/share/(doc/.*/(?!copyright$)[^/]*$|(info|linda|lintian/overrides|locale|man)/)")
_ARCHES = (":amd64", ":arm64", ":armhf", ":i386", ":ppc64el", ":riscv64", ":s390x")


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


def _step(name: str, what: str, saved: Sum, where: str, page: str, of: Iterable[str] = ()) -> NextStep:
    return NextStep(
        name=name,
        what=what,
        where=where,
        of=[plain(one) for one in of],
        transfer_bytes=saved.transfer_bytes,
        unpacked_tar_bytes=saved.tar_bytes,
        page=page,
    )


def _again(work: Work) -> Iterator[NextStep]:
    """A tree that is there twice because a later line changed its owner or mode."""
    copies = [inode for inode in work.seen.image.files.inodes if inode.again and work.seen.is_own(inode)]
    if copies:
        work.counted |= {id(inode.again) for inode in copies}  # the copies stay for what other steps leave out
        where = work.where(copies)
        made = dict.fromkeys(
            work.seen.origin.where[inode.again.layer] for inode in copies if work.seen.is_own(inode.again)
        )
        what = "set owner and mode where the files arrive (COPY --chown, --chmod), and not in a line of its own"
        yield _step("written twice", what, work.seen.sum_of(copies), where, "steps/step-3.md", made)


def _hidden(work: Work) -> Iterator[NextStep]:
    """Files of own lines that a later line deletes or replaces."""
    gone = [
        inode
        for inode in work.seen.image.files.inodes
        if not inode.names and work.seen.is_own(inode) and inode.hidden_by is not None and inode.hidden_by > inode.layer
    ]
    if gone:
        by = [work.seen.origin.where[layer] for layer in sorted({inode.hidden_by for inode in gone})]
        what = f"delete in the line that makes them, or build in another stage: {', '.join(by[:3])} only hides them"
        yield _step("hidden files", what, work.take(gone), work.where(gone), "steps/step-3.md", by)


def _caches(work: Work) -> Iterator[NextStep]:
    every: list[Inode] = []
    sizes: Counter[str] = Counter()
    folders: dict[str, None] = {}
    for name, folder, inode in facts.cached(work.seen):
        every.append(inode)
        sizes[name] += inode.size
        folders[folder] = None
    if every:
        names = [name for name in sizes if sizes[name] * 20 >= sum(sizes.values())]
        what = f"leave out {', '.join(names)}: a cache mount keeps them for the next build, and out of the image"
        yield _step("caches", what, work.take(every), work.where(every), "steps/extra-need-for-speed.md", folders)


def _avoidable(work: Work) -> Iterator[NextStep]:
    """What an ignore file keeps out, where it was copied into the image."""
    found: dict[int, Inode] = {}
    names: dict[str, None] = {}
    for path, node in work.seen.visible:
        if not node.inode or not work.seen.is_own(node.inode) or "-packages/" in path:
            continue
        match = AVOIDABLE.search(path)
        text = work.seen.origin.text[node.inode.layer]
        if match and text.startswith(("COPY ", "ADD ")) and "--from" not in text and _is_of_context(match[2]):
            found[id(node.inode)] = node.inode
            names[match[2]] = None
    if found:
        what = f"name {', '.join(list(names)[:5])} in .dockerignore"
        saved, where = work.take(found.values()), work.where(found.values())
        yield _step("ignore file", what, saved, where, "steps/step-1.md", (f"**/{name}" for name in names))


def _is_of_context(name: str) -> bool:
    """A virtual environment that is copied may be the application's own: it is, from another stage."""
    return not name.endswith(".pyc") and name != "env"


def _files_of(owned: Iterable[Owned], *, own: Callable[[Inode], bool]) -> list[Inode]:
    return [inode for one in owned for inode in (one.inodes or {}).values() if own(inode)]


def _pips(work: Work) -> Iterator[NextStep]:
    """pip, setuptools and wheel in a virtual environment, where the base has pip."""
    has_base = any(one.of_base and one.installed.name == "pip" for one in work.python)
    second = [one for one in work.python if not one.of_base and one.installed.name.lower() == "pip"]
    if has_base and second:
        files = _files_of(second, own=work.seen.is_own)
        what = "make the virtual environment with `python -m venv --without-pip`, or leave pip in the builder's stage"
        of = (one.installed.location for one in second)
        yield _step("a second pip", what, work.take(files), work.where(files), "steps/step-3.md", of)


def _base_bytecode(work: Work) -> Iterator[NextStep]:
    """What Python compiled of the base's own files while pip ran: pip, and what pip imports.

    Where pip itself is not among it, somebody compiled the standard library on purpose: that shortens each start.
    """
    found: dict[int, list[Inode]] = {}
    of_pip: set[int] = set()
    for path, node, source in facts.compiled(work.seen):
        if source and work.seen.is_own(node.inode) and not work.seen.is_own(source.inode):
            found.setdefault(node.inode.layer, []).append(node.inode)
            if "-packages/pip/" in path:
                of_pip.add(node.inode.layer)
    if of_pip:
        files = [inode for layer in of_pip for inode in found[layer]]
        what = "pip compiled itself and what it imports: install in another stage, or with PYTHONDONTWRITEBYTECODE=1"
        page = "steps/extra-need-for-speed.md"
        yield _step("bytecode of the base", what, work.take(files), work.where(files), page)


def _tools(owned: list[Owned]) -> list[Owned]:
    """Those that own lines bring and that a running application hardly needs."""
    return [one for one in owned if not one.of_base and packages.is_development(one)]


def _gone(work: Work, owned: list[Owned], tools: list[Owned]) -> tuple[list[Inode], list[str]]:
    """The files of these packages and of what only they bring, and the names of all of them."""
    gone = packages.closure(owned, {one.key for one in tools})
    own = [one for one in owned if one.key in gone]
    return _files_of(own, own=work.seen.is_own), sorted(one.installed.name for one in own)


def _development(work: Work) -> Iterator[NextStep]:
    if tools := [one for one in _tools(work.python) if one.asked_for and one.installed.name != "pip"]:
        files, of = _gone(work, work.python, tools)
        names = sorted({one.installed.name for one in tools})
        what = f"leave out development tools and what only they bring: {', '.join(names[:6])}"
        yield _step("development tools", what, work.take(files), work.where(files), "steps/step-2.md", of)


def _compilers(work: Work) -> Iterator[NextStep]:
    if tools := _tools(work.distribution):
        files, of = _gone(work, work.distribution, tools)
        count = f"{len(of)} packages of compilers and headers"
        what = f"compile in a stage of its own, and copy the result: {count} stay there"
        yield _step("compilers", what, work.take(files), work.where(files), "steps/step-3.md", of)


def _slim(work: Work) -> Iterator[NextStep]:
    """A slim base: what of the full one's packages it has not."""
    base = [one for one in work.distribution if one.of_base]
    if len(base) < 200 or not any(one.installed.name.startswith("gcc") for one in base):
        return
    by_name = {one.key.partition(":")[0]: one for one in base}
    kept = {
        name for name, one in by_name.items()
        if one.installed.fields.get("Essential") == "yes" or one.installed.fields.get("Priority") == "required"
    }  # fmt: skip
    waiting = [*kept, *(name for name in _SLIM if name in by_name)]
    while waiting:
        name = waiting.pop()
        kept.add(name)
        others = (key.partition(":")[0] for key in by_name[name].requires)
        waiting += [other for other in others if other in by_name and other not in kept]
    listed = {number for name in kept for number in by_name[name].inodes or ()}
    infos = {f"{name}{arch}" for name in kept for arch in ("", *_ARCHES)}
    gone = [
        inode
        for inode in work.seen.image.files.inodes
        if not work.seen.is_own(inode) and not _stays(work.seen.names.get(id(inode)), id(inode) in listed, infos)
    ]
    what = (
        f"begin with the slim base: {len(base) - len(kept)} packages less; what is compiled needs its libraries named"
    )
    step, symbols = _step("slim base", what, work.take(gone), "FROM", "steps/step-4.md"), _symbols(work)
    if step.transfer_bytes is not None:
        step.transfer_bytes += symbols.transfer_bytes or 0
    step.unpacked_tar_bytes += symbols.tar_bytes
    yield step


def _symbols(work: Work) -> Sum:
    """Symbols in the libraries of the base's Python, which the slim one has not, and their part of the transfer."""
    size = transfer = 0
    for path, node in work.seen.visible:
        inode = node.inode
        if not inode or ".so" not in path or not (node.document or "").isdigit() or work.seen.is_own(inode):
            continue
        size += int(node.document)
        if inode.entry and inode.size:
            transfer += inode.entry.transfer_bytes * int(node.document) // inode.size
    return Sum(size, size, transfer)


def _stays(path: str | None, is_listed: bool, infos: set[str]) -> bool:
    """Is a file of a full base in the slim one too? One that none of its packages lists was made by one below /usr."""
    if path is None or _NOT_SLIM.match(path):
        return False
    if path.startswith("/var/lib/dpkg/info/"):
        return path.rpartition("/")[2].rpartition(".")[0] in infos
    return is_listed or path.startswith("/usr/local/") or not path.startswith(("/usr/", "/var/cache/"))


def _tests(work: Work) -> Iterator[NextStep]:
    found = {
        id(node.inode): node.inode
        for path, node in work.seen.visible
        if node.inode and work.seen.is_own(node.inode) and (facts.TESTS.search(path) or facts.STUBS.search(path))
    }
    if found:
        what = "delete packages' tests and .pyi files in the line or the stage that installs them"
        of = dict.fromkeys(one.installed.location for one in work.python if not one.of_base)
        yield _step("tests", what, work.take(found.values()), work.where(found.values()), "guide/floor.md", of)


def _stale(work: Work) -> Iterator[NextStep]:
    found = {
        id(node.inode): node.inode
        for _, node, source in facts.compiled(work.seen)
        if source and work.seen.is_own(node.inode) and facts.is_stale(node, source)
    }
    if found:
        what = "bytecode is stale: Python compiles anew at each start; compile where the files get their last time"
        step = _step("stale bytecode", what, Sum(0, 0, 0), work.where(found.values()), "steps/extra-need-for-speed.md")
        stale = work.take(found.values()).bytes
        yield step.model_copy(update={"other_bytes": stale, "other": "of bytecode that no start can use"})


def _order(work: Work) -> Iterator[NextStep]:
    """Requirements after the code: each edit installs anew, and sends all of it anew."""
    for step in order_steps(work.dockerfile, work.target) if work.dockerfile else ():
        layers = [number for number, one in enumerate(work.seen.origin.where) if one == step.where]
        sent = sum(work.seen.image.facts[number].packed_bytes for number in layers)
        other = {"other_bytes": sent, "other": "sent again after each edit of the code"}
        yield step.model_copy(update={"transfer_bytes": 0, **other})


def order_steps(dockerfile: Dockerfile, target: str | None) -> Iterator[NextStep]:
    """Requirements after the code, as far as a Dockerfile alone tells."""
    if late := late_install(dockerfile.chain(target)[-1].instructions):
        yield NextStep(
            name="order of lines",
            what="copy the list of requirements alone, install, then copy the code",
            where=f"{posixpath.basename(dockerfile.name)}:{late.first}",
            transfer_bytes=None,
            unpacked_tar_bytes=0,
            other="installed again after each edit of the code",
            page="steps/step-1.md",
        )


def late_install(lines: list[Instruction]) -> Instruction | None:
    """The first line that installs packages although all of the code was copied before it."""
    copied = False
    for one in lines:
        words = [word for word in one.value.split() if not word.startswith("--")]
        if one.word in ("COPY", "ADD") and "--from" not in one.value and words[:1] in (["."], ["./"]):
            copied = True
        if copied and one.word == "RUN" and _INSTALLS.search(f"{one.value} {' '.join(one.here)}"):
            return one
    return None


def context_steps(context: Context | None) -> list[NextStep]:
    """What an ignore file keeps out of the build context."""
    total = sum(context.avoidable.values()) if context else 0
    if total < LEAST_BYTES:
        return []
    names = ", ".join(list(context.avoidable)[:5])
    return [
        NextStep(
            name="build context",
            what=f"name {names} in .dockerignore",
            where=context.ignore_file or ".dockerignore",
            of=list(context.avoidable),
            transfer_bytes=0,
            unpacked_tar_bytes=0,
            other_bytes=total,
            other="offered to the builder for nothing",
            page="steps/step-1.md",
        )
    ]


#: In this order: a file that two steps would leave out is counted in the first.
STEPS = (
    _again,
    _hidden,
    _caches,
    _avoidable,
    _pips,
    _base_bytecode,
    _development,
    _compilers,
    _slim,
    _tests,
    _stale,
    _order,
)


def next_steps(work: Work, context: Context | None) -> list[NextStep]:
    """The steps that save most, at most five; what is saved in the image counts before what is saved elsewhere."""
    found = [step for make in STEPS for step in make(work)] + context_steps(context)
    worth = [step for step in found if max(step.unpacked_tar_bytes, step.other_bytes) >= LEAST_BYTES]
    return sorted(worth, key=_worth, reverse=True)[:MOST]


def _worth(step: NextStep) -> tuple[int, int]:
    saved = step.unpacked_tar_bytes if step.transfer_bytes is None else step.transfer_bytes
    return max(saved, step.other_bytes // 2), step.unpacked_tar_bytes
