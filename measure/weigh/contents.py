"""What is in an image, read from its layers without running it.

Formats: dpkg's status file (deb822) and file lists; Alpine's installed database (apk-tools, `installed`); the Python
packaging user guide's "Recording installed projects" (METADATA, RECORD).
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from email.parser import HeaderParser
from pathlib import PurePosixPath

from measure.base.model import Strict
from measure.weigh.filesystem import FileSystem, Inode, Node

_COMPILER = re.compile(r"^(.+-)?(gcc|g\+\+|cc|c\+\+|clang|clang\+\+|tcc)(-[\d.]+)?$")
_SHELL = re.compile(r"^(sh|ash|bash|dash|ksh|zsh|busybox)$")
_METADATA = re.compile(r"^(?P<location>.*)/[^/]+\.(dist-info/METADATA|egg-info/PKG-INFO|egg-info)$")
_SITE = re.compile(r"/(site|dist)-packages(/|$)")
_LOGS = "/var/log/"
#: How deep the sums by directory go: /usr/local/lib is three deep.
DIRECTORY_DEPTH = 3


class OsPackage(Strict):
    """An installed package of the distribution, and the bytes of those of its files that are in the image."""

    #: NAME:ARCHITECTURE where it is of another architecture than most, as dpkg calls it.
    name: str
    version: str
    bytes: int | None = None


class PythonPackage(Strict):
    """An installed Python package, where it is, and the bytes of the files that its RECORD lists."""

    name: str
    version: str
    location: str
    bytes: int | None = None
    #: Shared libraries that its wheel brings along, from NAME.libs, where auditwheel puts them: bytes by file name.
    vendored: dict[str, int] | None = None


class Contents(Strict):
    """What can be seen in the running image; hidden files do not count. Sizes in bytes."""

    #: The user that the image runs as, as its configuration says it; root where that says nothing.
    user: str
    has_compiler: bool
    has_shell: bool
    has_pip: bool
    #: Regular files, and their bytes; one with several names counts once.
    files: int
    file_bytes: int
    #: Byte-compiled Python, in any place.
    pyc_files: int
    pyc_bytes: int
    #: Regular files that run with their owner's rights.
    setuid_files: list[str]
    os_packages: list[OsPackage]
    python_packages: list[PythonPackage]
    #: Bytes of the files below each directory, three directories deep.
    directories: dict[str, int]

    @property
    def sha256(self) -> str:
        """All of it as one, but for the bytes below /var/log: what apt-get writes there differs from build to build."""
        directories = {path: size for path, size in self.directories.items() if not f"{path}/".startswith(_LOGS)}
        directories.pop("/var", None)
        logs = self.directories.get("/var/log", 0)
        rest = self.model_copy(update={"directories": directories, "file_bytes": self.file_bytes - logs})
        text = json.dumps(rest.model_dump(mode="json", exclude_none=True), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _size(files: FileSystem, paths: Iterable[str]) -> int:
    """Bytes of the regular files at these paths; one with several names counts once, one that is missing not at all."""
    seen: dict[int, Inode] = {}
    for path in paths:
        node = files.find(path, follow=False)
        if node and node.inode:
            seen[id(node.inode)] = node.inode
    return sum(inode.size for inode in seen.values())


def _fields(text: str) -> Iterator[dict[str, str]]:
    """Paragraphs of `Name: value` lines, continuation lines left out."""
    for paragraph in text.split("\n\n"):
        lines = [line for line in paragraph.splitlines() if line and not line[0].isspace()]
        if lines:
            yield {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _dpkg(files: FileSystem) -> Iterator[OsPackage]:
    status = files.find("var/lib/dpkg/status")
    found = list(_fields(status.document or "")) if status else []
    entries = [(one, True) for one in found if one.get("Status", "").endswith(" installed")]
    # Images without a package manager keep one file for each package.
    folder = files.find("var/lib/dpkg/status.d")
    for name, node in folder.children.items() if folder else ():
        entries += [(one, False) for one in _fields(node.document or "") if not name.endswith(".md5sums")]
    architectures = Counter(one.get("Architecture", "all") for one, _ in entries)
    del architectures["all"]
    native = max(architectures, key=architectures.__getitem__, default="")
    for entry, has_list in entries:
        name, architecture = entry["Package"], entry.get("Architecture", "all")
        full = f"{name}:{architecture}"
        # Where it is there for several architectures, each has a list of its own (dpkg's "Multi-Arch: same").
        lists = (files.find(f"var/lib/dpkg/info/{one}.list") for one in (full, name))
        listed = next((node.document for node in lists if node and node.document is not None), None)
        yield OsPackage(
            name=name if architecture in (native, "all") else full,
            version=entry["Version"],
            bytes=_size(files, listed.splitlines()) if has_list and listed is not None else None,
        )


def _apk(files: FileSystem) -> Iterator[OsPackage]:
    database = files.find("lib/apk/db/installed") or files.find("usr/lib/apk/db/installed")
    for paragraph in (database.document or "").split("\n\n") if database else ():
        folder, paths = "", []
        entry: dict[str, str] = {}
        for line in paragraph.splitlines():
            key, _, value = line.partition(":")
            if key == "F":
                folder = value
            elif key == "R":
                paths.append(f"{folder}/{value}")
            else:
                entry.setdefault(key, value)
        if "P" in entry:
            yield OsPackage(name=entry["P"], version=entry["V"], bytes=_size(files, paths))


def _is_installed(location: str) -> bool:
    """Is it a place that packages are installed to, and not a folder that another package vendors its own in?"""
    match = _SITE.search(location)
    return not match or match.end() == len(location)


def _python(files: FileSystem, visible: list[tuple[str, Node]]) -> Iterator[PythonPackage]:
    for path, node in visible:
        match = _METADATA.match(path) if node.document is not None else None
        if not match or not _is_installed(match["location"]):
            continue
        header = HeaderParser().parsestr(node.document)
        record = files.find(f"{path.rpartition('/')[0]}/RECORD")
        size = vendored = None
        if record and record.document is not None:
            paths = [f"{match['location']}/{row[0]}" for row in csv.reader(record.document.splitlines()) if row]
            size = _size(files, paths)
            libraries = [path for path in paths if PurePosixPath(path).parent.suffix == ".libs"]
            vendored = {PurePosixPath(path).name: _size(files, [path]) for path in sorted(libraries)}
        if header["Name"]:
            yield PythonPackage(
                name=header["Name"],
                version=header["Version"] or "",
                location=match["location"],
                bytes=size,
                vendored=vendored or None,
            )


def _programs(files: FileSystem, visible: list[tuple[str, Node]], names: re.Pattern[str]) -> bool:
    """Is there a program of such a name in a bin directory, one that links lead to included?"""
    for path, node in visible:
        folder, _, name = path.rpartition("/")
        if folder.endswith("bin") and names.match(name):
            found = files.find(path) if node.kind == "symlink" else node
            if found and found.kind == "file" and found.mode & 0o111:
                return True
    return False


def _directories(visible: list[tuple[str, Node]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    seen: set[int] = set()
    for path, node in visible:
        if node.kind == "directory" and path.count("/") <= DIRECTORY_DEPTH:
            sums.setdefault(path, 0)
        if node.inode and id(node.inode) not in seen:
            seen.add(id(node.inode))
            parts = path.split("/")[:-1]
            for depth in range(1, min(len(parts), DIRECTORY_DEPTH + 1)):
                folder = "/".join(parts[: depth + 1])
                sums[folder] = sums.get(folder, 0) + node.inode.size
    return {path: size for path, size in sorted(sums.items()) if size}


def read_contents(files: FileSystem, user: str) -> Contents:
    """List what is visible in an image's file system. `user` is what the image's configuration says."""
    visible = list(files.walk())
    inodes = {id(node.inode): node.inode for _, node in visible if node.inode}
    compiled = {id(node.inode): node.inode for path, node in visible if node.inode and path.endswith(".pyc")}
    python_packages = sorted(_python(files, visible), key=lambda package: (package.location, package.name.lower()))
    return Contents(
        user=user or "root",
        has_compiler=_programs(files, visible, _COMPILER),
        has_shell=_programs(files, visible, _SHELL),
        has_pip=any(package.name == "pip" for package in python_packages),
        files=len(inodes),
        file_bytes=sum(inode.size for inode in inodes.values()),
        pyc_files=len(compiled),
        pyc_bytes=sum(inode.size for inode in compiled.values()),
        setuid_files=sorted(path for path, node in visible if node.kind == "file" and node.mode & 0o4000),
        os_packages=sorted([*_dpkg(files), *_apk(files)], key=lambda package: package.name),
        python_packages=python_packages,
        directories=_directories(visible),
    )
