"""What each package costs, and which requirement brings it.

Formats: PEP 376 and 345 (RECORD, Requires-Dist), PEP 508 (markers), deb822 and Debian policy, chapter 7 (Depends).
"""

from __future__ import annotations

import posixpath
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from measure.base.platforms import MACHINES
from measure.mine.model import Package, plain
from measure.mine.seen import Seen
from measure.weigh.contents import Installed, is_vendored
from measure.weigh.filesystem import Inode

#: Python packages that a running application hardly needs.
DEVELOPMENT = frozenset((
    "autopep8", "bandit", "black", "build", "coverage", "cython", "debugpy", "django-debug-toolbar", "factory-boy",
    "faker", "flake8", "hatch", "hatchling", "hypothesis", "ipdb", "ipython", "isort", "jupyter", "jupyterlab",
    "maturin", "meson", "mkdocs", "mypy", "nbconvert", "ninja", "notebook", "nox", "pdm", "pip-tools", "pipenv",
    "poetry", "poetry-core", "pre-commit", "pudb", "pycodestyle", "pyflakes", "pylint", "pyright",
    "pytest", "pytest-asyncio", "pytest-cov", "pytest-django", "pytest-mock", "pytest-xdist", "ruff", "scikit-build",
    "setuptools", "sphinx", "tox", "twine", "uv", "virtualenv", "watchdog", "watchfiles", "wheel", "yapf",
))  # fmt: skip
#: Packages of Debian and Alpine that compile, and what only these need.
BUILDING = re.compile(
    r"^(build-essential|build-base|alpine-sdk|dpkg-dev|make|cmake|ninja-build|pkg-config|pkgconf.*|autoconf|automake"
    r"|libtool|binutils.*|patch|gcc.*|g\+\+.*|c?pp(-.*)?|clang.*|llvm.*|rustc|cargo|gfortran.*|musl-dev|linux-headers.*"
    r"|libc6-dev.*|linux-libc-dev.*|lib(a|t|l|ub|hwa)san\d+|libgomp1-dev|libcc1-0|libctf.*|libgprofng0|libsframe1"
    r"|libstdc\+\+-.*-dev|libgcc-.*-dev|.*-dev)(:\w+)?$"
)
#: Packages of Debian and Alpine whose programs a build or a person calls, and a running application hardly ever.
CALLED = re.compile(
    r"^(git|git-lfs|mercurial|subversion|vim|vim-tiny|nano|emacs.*|less|man-db|wget|curl|strace|gdb|htop|net-tools"
    r"|iputils-ping|dnsutils|bind9-dnsutils|telnet|gnupg2?|lsb-release|software-properties-common|sudo|unzip|zip|rsync)$"
)


@dataclass
class Owned:
    """A package, its files, and what it requires."""

    installed: Installed
    key: str
    inodes: dict[int, Inode] | None
    of_base: bool
    requires: set[str] = field(default_factory=set)
    recommends: set[str] = field(default_factory=set)
    asked_for: bool = False


def python_owned(seen: Seen) -> list[Owned]:
    """The Python packages with their files, the bytecode that was made of these later included."""
    found = []
    for one in seen.python:
        inodes = None
        if one.paths is not None:
            paths = {posixpath.normpath(path) for path in one.paths}
            paths |= {pyc for path in paths if path.endswith(".py") for pyc in bytecode_of(seen, path)}
            inodes = seen.inodes(paths)
        metadata = seen.nodes.get(one.metadata)
        of_base = bool(metadata and metadata.inode and not seen.is_own(metadata.inode))
        found.append(Owned(one, _key(one), inodes, of_base))
    _python_requirements(seen, found)
    return found


def _key(one: Installed) -> str:
    """Packages of one place require each other, whatever another place has."""
    return f"{_place(one)}\0{canonicalize_name(one.name)}"


def _place(one: Installed) -> str:
    """Where it is installed; in the store of Nix each has a folder of its own."""
    return re.sub(r"^/nix/store/[^/]+", "/nix/store", one.location)


def bytecode_of(seen: Seen, source: str) -> Iterator[str]:
    """The visible byte-compiled files of a source, whichever Python and level made them."""
    folder, _, name = source.rpartition("/")
    cache = seen.nodes.get(f"{folder}/__pycache__")
    if cache:
        for tag in seen.tags:
            if f"{name[:-3]}.{tag}" in cache.children:
                yield f"{folder}/__pycache__/{name[:-3]}.{tag}"


def _environment(seen: Seen, location: str) -> dict[str, str]:
    match = re.search(r"python(\d+\.\d+)", location)
    version = match[1] if match else "3.14"
    return {
        "python_version": version, "python_full_version": f"{version}.0", "implementation_name": "cpython",
        "implementation_version": f"{version}.0", "platform_python_implementation": "CPython", "os_name": "posix",
        "sys_platform": "linux", "platform_system": "Linux", "platform_release": "", "platform_version": "",
        "platform_machine": MACHINES.get(seen.platform, seen.platform.split("/")[-1]),
    }  # fmt: skip


def _wanted(line: str, extras: set[str], environment: Mapping[str, str]) -> Requirement | None:
    """What a line of Requires-Dist asks for here, with these extras of its own package; None for nothing."""
    try:
        wanted = Requirement(line)
        if wanted.marker is None:
            return wanted
        for extra in extras | {""}:
            if wanted.marker.evaluate({**environment, "extra": extra}):
                return wanted
    except (InvalidRequirement, UndefinedEnvironmentName, ValueError, RecursionError):
        pass
    return None


def _python_requirements(seen: Seen, found: list[Owned]) -> None:
    """Fill in what each requires of the others in its place: extras count where somebody asks for them."""
    by_key = {one.key: one for one in found}
    extras: dict[str, set[str]] = {key: set() for key in by_key}
    waiting = deque(found)
    while waiting:
        one = waiting.popleft()
        location = _place(one.installed)
        environment = _environment(seen, location)
        for line in one.installed.requires:
            wanted = _wanted(line, extras[one.key], environment)
            key = f"{location}\0{canonicalize_name(wanted.name)}" if wanted else ""
            if not wanted or key not in by_key or key == one.key:
                continue
            one.requires.add(key)
            if not wanted.extras <= extras[key]:
                extras[key] |= wanted.extras
                waiting.append(by_key[key])
    required = {key for one in found for key in one.requires}
    for one in found:
        one.asked_for = one.key not in required


def os_owned(seen: Seen) -> list[Owned]:
    """The distribution's packages with their files, and what each needs of the others."""
    base = _base_names(seen)
    manual = _automatic(seen)
    found = []
    for one in seen.distribution:
        inodes = None if one.paths is None else seen.inodes(_rooted(one.paths))
        owned = Owned(one, one.name, inodes, one.name.partition(":")[0] in base)
        owned.asked_for = not owned.of_base and one.name.partition(":")[0] not in manual
        found.append(owned)
    # A real package comes before those that provide its name.
    names = {name: one.key for one in found for name in _named(one, "Provides", "p")}
    names |= {one.key.partition(":")[0]: one.key for one in found}
    for one in found:
        one.requires = {names[name] for name in _named(one, "Depends", "Pre-Depends", "D") if name in names} - {one.key}
        others = {names[name] for name in _named(one, "Recommends") if name in names}
        one.recommends = others - {one.key} - one.requires
    if not manual:
        required = {key for one in found if not one.of_base for key in one.requires}
        for one in found:
            one.asked_for = not one.of_base and one.key not in required
    return found


def _named(one: Owned, *fields: str) -> Iterator[str]:
    """The names of packages in these fields, without versions and architectures.

    Formats: Debian policy, 7.1; Alpine's fields have one letter, and spaces between the names (apk-package(5)).
    """
    for field_name in fields:
        text = one.installed.fields.get(field_name, "")
        if len(field_name) == 1:
            yield from (re.split("[<>=~]", word)[0] for word in text.split())
        else:
            yield from (re.split(r"[\s(:]", word)[0] for word in re.split(r"\s*[,|]\s*", text.strip()) if word)


def _rooted(paths: list[str]) -> Iterator[str]:
    return (path if path.startswith("/") else f"/{path}" for path in paths)


def _base_names(seen: Seen) -> set[str]:
    """Names of the packages that the base image has: its last list of them tells, or a file for each."""
    layers, folder = seen.image.facts[: seen.origin.base_layers], "var/lib/dpkg/status.d/"
    each = [text for facts in layers for path, text in facts.documents.items() if path.startswith(folder)]
    if each:
        return set(re.findall(r"^Package: (\S+)", "\n".join(each), re.MULTILINE))
    for facts in reversed(layers):
        for path in ("var/lib/dpkg/status", "lib/apk/db/installed", "usr/lib/apk/db/installed"):
            if text := facts.documents.get(path):
                return set(re.findall(r"^(?:Package: |P:)(\S+)", text, re.MULTILINE))
    return set()


def _automatic(seen: Seen) -> set[str]:
    """Names of the packages that apt installed because others need them."""
    node = seen.nodes.get("/var/lib/apt/extended_states")
    paragraphs = (node.document or "").split("\n\n") if node else ()
    return {
        match[1]
        for one in paragraphs
        if "Auto-Installed: 1" in one and (match := re.search(r"^Package: (\S+)", one, re.MULTILINE))
    }


def brought_by(found: list[Owned]) -> dict[str, list[str]]:
    """For each package the shortest way to it from one that was asked for; a circle begins with its first one.

    What is there because it is recommended comes after what is required.
    """
    by_key = {one.key: one for one in found}
    ways: dict[str, list[str]] = {}

    def follow(key: str, way: list[str]) -> None:
        if key in ways:
            return
        ways[key] = way
        waiting = deque([key])
        while waiting:
            key = waiting.popleft()
            for other in sorted(by_key[key].requires):
                if other not in ways:
                    ways[other] = [*ways[key], key]
                    waiting.append(other)

    for one in found:
        if one.asked_for:
            follow(one.key, [])
    reached = deque(ways)
    while reached:
        key, known = reached.popleft(), set(ways)
        for other in sorted(by_key[key].recommends):
            follow(other, [*ways[key], key])
        reached.extend(way for way in ways if way not in known)
    for one in found:
        if not one.of_base:
            follow(one.key, [])
    return ways


def _reached(
    found: list[Owned], start: set[str], but: set[str] = frozenset(), *, recommended: bool = False
) -> set[str]:
    """All that these packages require, themselves included, without those that `but` names; or recommend, too."""
    by_key = {one.key: one for one in found}
    reached, waiting = set(start), list(start)
    while waiting:
        one = by_key[waiting.pop()]
        more = (one.requires | (one.recommends if recommended else set())) - reached - set(but)
        reached |= more
        waiting += more
    return reached


def libraries(found: list[Owned]) -> set[str]:
    """What headers that were asked for are those of, by the source that both are built from: it is needed to run."""
    by_key = {one.key: one for one in found}
    return {
        key
        for one in found
        for key in one.requires
        if one.asked_for and is_development(one) and not is_development(by_key[key])
        and _source(one) == _source(by_key[key])
    }  # fmt: skip


def _source(one: Owned) -> str:
    """Formats: Debian policy, 5.6.1 (Source: NAME (VERSION)); Alpine's `o`."""
    fields = one.installed.fields
    return (fields.get("Source") or fields.get("o") or one.installed.name).partition(" ")[0]


def closure(found: list[Owned], keys: set[str], but: set[str] = frozenset()) -> set[str]:
    """These packages and all that nothing but these, and none of `but`, needs: what goes when they go."""
    kept = {one.key for one in found if (one.asked_for or one.of_base) and one.key not in keys} | (but - keys)
    return _reached(found, keys, _reached(found, kept, keys))


def only_recommended(found: list[Owned]) -> set[str]:
    """Packages, not of the base, that are there because others recommend them, and none that stays requires them."""
    kept = {one.key for one in found if one.asked_for or one.of_base}
    return _reached(found, kept, recommended=True) - _reached(found, kept)


def is_development(one: Owned) -> bool:
    """Is it of those that a running application hardly needs?"""
    if one.installed.location:
        return canonicalize_name(one.installed.name) in DEVELOPMENT
    return bool(BUILDING.match(one.installed.name))


def rows(seen: Seen, found: list[Owned]) -> list[Package]:
    """The packages as they are reported, the largest first."""
    ways = brought_by(found)
    names = {one.key: one.installed.name for one in found}
    listed = []
    for one in found:
        total = seen.sum_of(one.inodes.values()) if one.inodes is not None else None
        compiled = vendored = 0
        for path in one.installed.paths or () if one.installed.location else ():
            if is_vendored(path) and (node := seen.node(posixpath.normpath(path))) and node.inode:
                vendored += node.inode.size
        for number, inode in (one.inodes or {}).items():
            compiled += inode.size if seen.names.get(number, "").endswith(".pyc") else 0
        listed.append(
            Package(
                name=plain(one.installed.name, 100),
                version=plain(one.installed.version, 100),
                kind="python" if one.installed.location else "os",
                location=plain(one.installed.location),
                of_base=one.of_base,
                bytes=total and total.bytes,
                transfer_bytes=total and total.transfer_bytes,
                bytecode_bytes=compiled,
                vendored_bytes=vendored,
                brought_by=[plain(names[key], 100) for key in ways.get(one.key, [])],
                development=is_development(one),
            )
        )
    return sorted(listed, key=lambda package: (-(package.bytes or 0), package.name))
