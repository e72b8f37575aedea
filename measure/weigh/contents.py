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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email.parser import HeaderParser
from pathlib import PurePosixPath

from measure.base.model import Strict
from measure.weigh.filesystem import FileSystem, Inode, Node

COMPILER = re.compile(r"^(.+-)?(gcc|g\+\+|cc|c\+\+|clang|clang\+\+|tcc)(-[\d.]+)?$")
SHELL = re.compile(r"^(sh|ash|bash|dash|ksh|zsh|busybox)$")
_METADATA = re.compile(r"^(?P<location>.*)/[^/]+\.(dist-info/METADATA|egg-info/PKG-INFO|egg-info)$")
_METADATA_ENDINGS = ("/METADATA", "/PKG-INFO", ".egg-info")
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


@dataclass(frozen=True)
class Installed:
    """A package as its database tells of it, and the paths of its files where that lists them."""

    name: str
    version: str
    paths: list[str] | None
    #: All that the database says of it, by the names that it has there.
    fields: Mapping[str, str] = field(default_factory=dict)
    #: Where a Python package is installed, its metadata, and the lines of it that say what the package requires.
    location: str = ""
    metadata: str = ""
    requires: tuple[str, ...] = ()


def _fields(text: str) -> Iterator[dict[str, str]]:
    """Paragraphs of `Name: value` lines, continuation lines left out."""
    for paragraph in text.split("\n\n"):
        lines = [line for line in paragraph.splitlines() if line and not line[0].isspace()]
        if lines:
            yield {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _is_named(entry: dict[str, str]) -> bool:
    return bool(entry.get("Package") and entry.get("Version"))


def os_packages(files: FileSystem) -> Iterator[Installed]:
    """The packages of the distribution: dpkg's, those of images without a package manager, and Alpine's."""
    yield from _dpkg(files)
    yield from _apk(files)


def _dpkg(files: FileSystem) -> Iterator[Installed]:
    status = files.find("var/lib/dpkg/status")
    found = list(_fields(status.document or "")) if status else []
    entries = [(one, True) for one in found if one.get("Status", "").endswith(" installed") and _is_named(one)]
    # Images without a package manager keep one file for each package.
    folder = files.find("var/lib/dpkg/status.d")
    for name, node in folder.children.items() if folder else ():
        if not name.endswith(".md5sums"):
            entries += [(one, False) for one in _fields(node.document or "") if _is_named(one)]
    architectures = Counter(one.get("Architecture", "all") for one, _ in entries)
    del architectures["all"]
    native = max(architectures, key=architectures.__getitem__, default="")
    for entry, has_list in entries:
        name, architecture = entry["Package"], entry.get("Architecture", "all")
        full = f"{name}:{architecture}"
        # Where it is there for several architectures, each has a list of its own (dpkg's "Multi-Arch: same").
        lists = (files.find(f"var/lib/dpkg/info/{one}.list") for one in (full, name))
        listed = next((node.document for node in lists if node and node.document is not None), None)
        yield Installed(
            name if architecture in (native, "all") else full,
            entry["Version"],
            listed.splitlines() if has_list and listed is not None else None,
            entry,
        )


def _apk(files: FileSystem) -> Iterator[Installed]:
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
            yield Installed(entry["P"], entry.get("V", ""), paths, entry)


def _is_installed(location: str) -> bool:
    """Is it a place that packages are installed to, and not a folder that another package vendors its own in?"""
    match = _SITE.search(location)
    return not match or match.end() == len(location)


def _recorded(files: FileSystem, folder: str) -> list[str] | None:
    """The paths that the RECORD in a package's .dist-info folder lists; None where there is none, or a damaged one."""
    record = files.find(f"{folder}/RECORD")
    if record is None or record.document is None:
        return None
    location = folder.rpartition("/")[0]
    try:
        return [f"{location}/{row[0]}" for row in csv.reader(record.document.splitlines()) if row]
    except csv.Error:
        return None


def python_packages(files: FileSystem, visible: Iterable[tuple[str, Node]]) -> Iterator[Installed]:
    """The installed Python packages; not those that another package keeps its own of."""
    for path, node in visible:
        told = node.document is not None and path.endswith(_METADATA_ENDINGS)
        match = _METADATA.match(path) if told else None
        if not match or not _is_installed(match["location"]):
            continue
        header = HeaderParser().parsestr(node.document.partition("\n\n")[0])
        if header["Name"]:
            yield Installed(
                str(header["Name"]),
                str(header["Version"] or ""),
                _recorded(files, path.rpartition("/")[0]),
                location=match["location"],
                metadata=path,
                requires=tuple(map(str, header.get_all("Requires-Dist", []))),
            )


def is_vendored(path: str) -> bool:
    """Is it a shared library that a wheel brings along, in NAME.libs, where auditwheel puts them?"""
    folder = path.rpartition("/")[0].rpartition("/")[2]
    return folder.endswith(".libs") and folder != ".libs"


def _python(files: FileSystem, visible: list[tuple[str, Node]]) -> Iterator[PythonPackage]:
    for one in python_packages(files, visible):
        vendored = {
            PurePosixPath(path).name: _size(files, [path]) for path in sorted(filter(is_vendored, one.paths or ()))
        }
        yield PythonPackage(
            name=one.name,
            version=one.version,
            location=one.location,
            bytes=None if one.paths is None else _size(files, one.paths),
            vendored=vendored or None,
        )


def has_program(files: FileSystem, visible: Iterable[tuple[str, Node]], names: re.Pattern[str]) -> bool:
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
    python = sorted(_python(files, visible), key=lambda package: (package.location, package.name.lower()))
    distribution = [
        OsPackage(name=one.name, version=one.version, bytes=None if one.paths is None else _size(files, one.paths))
        for one in os_packages(files)
    ]
    return Contents(
        user=user or "root",
        has_compiler=has_program(files, visible, COMPILER),
        has_shell=has_program(files, visible, SHELL),
        has_pip=any(package.name == "pip" for package in python),
        files=len(inodes),
        file_bytes=sum(inode.size for inode in inodes.values()),
        pyc_files=len(compiled),
        pyc_bytes=sum(inode.size for inode in compiled.values()),
        setuid_files=sorted(path for path, node in visible if node.kind == "file" and node.mode & 0o4000),
        os_packages=sorted(distribution, key=lambda package: package.name),
        python_packages=python,
        directories=_directories(visible),
    )
