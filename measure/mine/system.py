"""Next steps about the distribution: its compilers, its programs, what it recommends, and a slim base."""

from __future__ import annotations

import re
from collections.abc import Iterator

from measure.mine import facts, packages
from measure.mine.model import NextStep
from measure.mine.seen import Sum
from measure.mine.work import Work, files_of, gone, next_step, tools
from measure.weigh.filesystem import Inode

#: What a slim base is built from: Debian's required packages, apt, and these (docker-library/python, slim-template).
_SLIM = ("apt", "ca-certificates", "netbase", "tzdata", "adduser", "libffi8", "libgdbm6t64", "libncursesw6",
         "libreadline8t64", "readline-common", "openssl", "libssl3t64", "libsqlite3-0", "libbz2-1.0", "liblzma5",
         "libuuid1", "libexpat1", "zlib1g", "libzstd1", "libdb5.3t64", "libdb5.3", "libnsl2", "libtirpc3t64", "libffi7",
         "libreadline8", "libgdbm6", "libssl3")  # fmt: skip
#: What Debian's slim images leave out of every package (debuerreotype, .slimify-excludes).
_NOT_SLIM = re.compile(r"/usr/share/(doc/.*/(?!copyright$)[^/]*$|(info|linda|lintian/overrides|locale|man)/)")
#: What rpm leaves out where it is told to (macros.in: __docdir_path, without licences), and who tells it.
_MANUALS = re.compile(r"/usr/share/(doc|man|info|gtk-doc|help)/")
_DNF = re.compile(r"\b(dnf|microdnf|yum)\b[^&|;\n]*\b(install|update|upgrade)\b")
_ARCHES = (":amd64", ":arm64", ":armhf", ":i386", ":ppc64el", ":riscv64", ":s390x")


def compilers(work: Work) -> Iterator[NextStep]:
    """Compilers and headers, and what only these need."""
    if found := tools(work.distribution):
        files, of = gone(work, work.distribution, found, packages.libraries(work.distribution))
        count = f"{len(of)} packages of compilers and headers"
        what = f"compile in a stage of its own, and copy the result: {count} stay there"
        yield next_step("compilers", what, work.take(files), work.where(files), "steps/step-3.md", of)


def called(work: Work) -> Iterator[NextStep]:
    """Programs that a build or a person calls; one that the image's own commands name is the application's."""
    found = [
        one for one in work.distribution
        if one.asked_for and packages.CALLED.match(one.installed.name) and not facts.runs(work.seen, one.installed.name)
    ]  # fmt: skip
    copied = {} if facts.runs(work.seen, "uv") else _copied(work)
    if found or copied:
        files, of = gone(work, work.distribution, found)
        files, names = [*files, *copied.values()], sorted([*(one.installed.name for one in found), *copied])
        what = f"unless your code calls them, use in another stage: {', '.join(names[:5])}, and what only they need"
        yield next_step("programs", what, work.take(files), work.where(files), "guide/multi-stage.md", [*of, *copied])


def _copied(work: Work) -> dict[str, Inode]:
    """The programs of uv that a line copies from an image; those that pip installs are a package's."""
    of_packages = {number for one in work.python for number in one.inodes or ()}
    return {
        name: node.inode
        for path, node in work.seen.visible
        if (name := path.rpartition("/")[2]) in ("uv", "uvx") and path.endswith(f"bin/{name}")
        and node.inode and work.seen.is_own(node.inode) and id(node.inode) not in of_packages
    }  # fmt: skip


def recommended(work: Work) -> Iterator[NextStep]:
    """What apt installed because a package recommends it, and no package depends on it."""
    only = packages.only_recommended(work.distribution)
    if only:
        own = [one for one in work.distribution if one.key in only]
        files, of = files_of(own, own=work.seen.is_own), sorted(one.installed.name for one in own)
        what = f"add --no-install-recommends to apt-get install: {len(of)} packages that none depends on"
        yield next_step("recommended packages", what, work.take(files), work.where(files), "guide/practices.md", of)


def documentation(work: Work) -> Iterator[NextStep]:
    """Manuals of what dnf installed, by their folders: rpm's list of packages is not read."""
    lines = {number for number, text in enumerate(work.seen.origin.text) if _DNF.search(text) and "nodocs" not in text}
    found = {
        id(node.inode): node.inode
        for path, node in work.seen.visible
        if _MANUALS.match(path) and node.inode and work.seen.is_own(node.inode) and node.inode.layer in lines
    }
    if found:
        what = "add --setopt=tsflags=nodocs to dnf, microdnf or yum install: manuals that nobody reads in an image"
        saved, where = work.take(found.values()), work.where(found.values())
        yield next_step("documentation", what, saved, where, "guide/practices.md")


def slim(work: Work) -> Iterator[NextStep]:
    """A slim base: what of the full one's packages it has not. Only official images of Python have such a twin."""
    base = [one for one in work.distribution if one.of_base]
    python = work.seen.image.files.find("usr/local/bin/python3")
    if not python or not python.inode or work.seen.is_own(python.inode):
        return
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
    left = [
        inode
        for inode in work.seen.image.files.inodes
        if not work.seen.is_own(inode) and not _stays(work.seen.names.get(id(inode)), id(inode) in listed, infos)
    ]
    what = (
        f"begin with the slim base: {len(base) - len(kept)} packages less; what is compiled needs its libraries named"
    )
    step, symbols = next_step("slim base", what, work.take(left), "FROM", "steps/step-4.md"), _symbols(work)
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
