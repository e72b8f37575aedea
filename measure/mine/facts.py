"""What an image is like, seen from its files, its history and its configuration: nothing of it is run.

Formats: PEP 3147 and PEP 552 (bytecode: magic number, flags, then time and size of the source, or its hash).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from measure.mine.model import Bytecode, Facts, Sizes, plain
from measure.mine.seen import Seen
from measure.weigh.contents import COMPILER, SHELL, has_program
from measure.weigh.filesystem import Inode, Node

#: Folders that only builds and installations read, by what they are called.
CACHES = {
    "apt's lists": re.compile(r"^/var/lib/apt/lists/(?!partial$|auxfiles$)."),
    "apt's archives": re.compile(r"^/var/cache/apt/"),
    "apk's cache": re.compile(r"^/(var/cache/apk|etc/apk/cache)/"),
    "dnf's cache": re.compile(r"^/var/cache/(lib)?(dnf5?|yum)/"),
    "pip's cache": re.compile(r"/\.cache/pip/"),
    "uv's cache": re.compile(r"/\.cache/uv/"),
    "Poetry's cache": re.compile(r"/\.cache/pypoetry/(?!virtualenvs/)"),
    "npm's cache": re.compile(r"/(\.npm/_cacache|\.cache/(yarn|node-gyp|pnpm))/"),
    "conda's packages": re.compile(r"/(\.?conda|miniconda3?|anaconda3|miniforge3|\.?mamba|micromamba)/pkgs/"),
    "other tools' caches": re.compile(
        r"/\.cache/(pdm|pipenv|pip-tools|hatch|rattler|conda|pre-commit|mypy|ruff|black|ccache|go-build|bazel)/"
    ),
}
#: A package's own folder `test` may be what others import: django.test, the test plugins of Ansible.
TESTS = re.compile(r"/(site|dist)-packages/(.*/)?tests/")
STUBS = re.compile(r"/(site|dist)-packages/.*\.pyi$")
_COMPILED = re.compile(r"^(?P<folder>.*)/__pycache__/(?P<name>[^/]+)\.[a-z]+-\d+[^/]*\.pyc$")
#: The version of the Python that bytecode is below, and of the one that it is for.
_FOR = re.compile(r"/python3\.(\d+)/.*\.cpython-3(\d+)[^/]*$")
_SITE = re.compile(r"/(site|dist)-packages/")
_SECRET = re.compile(
    r"(^|_)(PASS(WORD|WD|PHRASE)?|SECRETS?|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?|AUTH)(_|$)",
    re.IGNORECASE,
)
#: What is read from elsewhere when the line runs, and what only turns something on.
_NO_VALUE = re.compile(r"""['"]?[$`]|['"]?(true|false|yes|no|on|off|none|null|[01])['"]?;?$""", re.IGNORECASE)
#: A place where a secret is, and not the secret itself; what official images say of their own sources.
_NO_SECRET = re.compile(
    r"_(FILE|PATH|URL|SHA256|ID|NAME|SECONDS|MINUTES|HOURS|DAYS|TTL|LENGTH|LIMIT|ALGORITHM|ENABLED)$|^GPG_KEY$",
    re.IGNORECASE,
)


def compiled(seen: Seen) -> Iterator[tuple[str, Node, Node | None]]:
    """The byte-compiled files in __pycache__, and the source of each, None where it is not there."""
    for path, node in seen.visible:
        if path.endswith(".pyc") and node.inode and (match := _COMPILED.match(path)):
            source = seen.nodes.get(f"{match['folder']}/{match['name']}.py")
            yield path, node, source if source and source.inode else None


def is_stale(path: str, bytecode: Node, source: Node) -> bool:
    """Was it compiled from another source, as Python would judge, or for another Python than the one that it is below?

    One that goes by a hash is taken at its word.
    """
    if (match := _FOR.search(path)) and match[1] != match[2]:
        return True
    header = bytes.fromhex(bytecode.document or "")
    if len(header) < 16:
        return True
    if int.from_bytes(header[4:8], "little"):
        return False
    time, size = (int.from_bytes(header[at : at + 4], "little") for at in (8, 12))
    entry = source.inode.entry
    return (time, size) != (entry.mtime & 0xFFFFFFFF, source.inode.size & 0xFFFFFFFF)


def _bytecode(seen: Seen) -> Bytecode:
    found = Bytecode()
    have: set[int] = set()
    for path, node, source in compiled(seen):
        found.files += 1
        found.bytes += node.inode.size
        if source:
            have.add(id(source))
            if is_stale(path, node, source):
                found.stale_files += 1
                found.stale_bytes += node.inode.size
    found.missing_files = sum(
        path.endswith(".py") and id(node) not in have and _SITE.search(path) is not None and not TESTS.search(path)
        for path, node in seen.visible
        if node.inode and seen.is_own(node.inode)
    )
    return found


def cache_of(path: str) -> str | None:
    """Which cache a file is in; None for one that is in none."""
    if "cache" not in path and "/lists/" not in path and "/pkgs/" not in path:
        return None
    return next((name for name, pattern in CACHES.items() if pattern.search(path)), None)


def cache_folder_of(path: str) -> str:
    """The folder of a file in a cache that a cache mount would be put at."""
    if match := re.match(r"/var/lib/apt/lists|/var/cache/(apt|apk|(lib)?(dnf5?|yum))|/etc/apk/cache", path):
        return match[0]
    # Poetry keeps its virtual environments beside what it caches.
    if match := re.match(r".*?/(\.cache/pypoetry/[^/]+|\.cache/[^/]+|\.npm/_cacache|pkgs)(?=/)", path):
        return match[0]
    return path.rpartition("/")[0]


def cached(seen: Seen) -> Iterator[tuple[str, str, Inode]]:
    """Own files that only caches have names of: which cache, its folder, and the file.

    What has another name too stays when a cache goes: uv links what it installs to what it keeps.
    """
    found: dict[int, list[tuple[str, str, Inode]]] = {}
    for path, node in seen.visible:
        if node.inode and seen.is_own(node.inode) and (name := cache_of(path)):
            found.setdefault(id(node.inode), []).append((name, cache_folder_of(path), node.inode))
    for names in found.values():
        if len(names) == names[0][2].names:
            yield names[0]


def _secrets(seen: Seen) -> list[str]:
    """Names of build arguments and variables that look like secrets and have a value in what anybody can read."""
    names: dict[str, None] = {}
    for one in seen.image.settings.get("Env") or ():
        name, _, value = str(one).partition("=")
        if _is_secret(name, value):
            names[plain(name, 100)] = None
    for one in seen.image.history:
        created_by = str(one.get("created_by") or "")[:100_000]
        for name, value in re.findall(r"(?:^|\s)(\w+)=(\S+)", created_by):
            if _is_secret(name, value):
                names[plain(name, 100)] = None
    return list(names)


def _is_secret(name: str, value: str) -> bool:
    return bool(value) and looks_secret(name) and not _NO_VALUE.match(value)


def looks_secret(name: str) -> bool:
    """Does a variable of this name hold something that is nobody's business?"""
    return bool(_SECRET.search(name)) and not _NO_SECRET.search(name)


def commands(seen: Seen) -> list[list[str]]:
    """What the image itself runs, each in words: its entry point, its command, and its health check."""
    settings = seen.image.settings
    health = settings.get("Healthcheck")
    parts = [settings.get("Entrypoint"), settings.get("Cmd"), health.get("Test") if isinstance(health, dict) else None]
    return [[part] if isinstance(part, str) else [str(word) for word in part or ()] for part in parts]


def runs(seen: Seen, name: str) -> bool:
    """Do the image's own commands name this package, or what its name begins with, as `jupyter lab` does?"""
    words = set(re.findall(r"[a-z0-9+]+", " ".join(word for one in commands(seen) for word in one).lower()))
    return name.lower() in words or any(len(word) > 3 and name.lower().startswith(word) for word in words)


def script(seen: Seen) -> str:
    """A script that the image's own commands name, whose text nobody has read; '' for none."""
    words = [word for one in commands(seen)[:2] for part in one for word in part.split()]
    return plain(next((word for word in words if re.search(r"\.sh$|entrypoint", word)), ""), 100)


def _command(seen: Seen) -> tuple[str, bool]:
    """What the container runs, and whether that is in shell form."""
    parts = commands(seen)[:2]
    first = parts[0] or parts[1]
    words = first[-2:-1]  # before it other options may stand, as SHELL says: bash -o pipefail -c
    shell = first[:1] != [] and SHELL.match(first[0].rpartition("/")[2]) and re.fullmatch(r"-\w*c", "".join(words))
    replaces = shell and re.search(r"(^|&&|;|\n)\s*exec\s(?!\s*\d*[<>&])", first[-1].strip())
    return plain(" ".join([*parts[0], *parts[1]]), 300), bool(shell) and not replaces


def facts_of(seen: Seen) -> Facts:
    """What an image is like."""
    files, visible = seen.image.files, seen.visible
    caches: Counter[str] = Counter()
    for name, _, inode in cached(seen):
        caches[name] += inode.size
    tests: dict[int, Inode] = {}
    for path, node in visible:
        if not node.inode or not seen.is_own(node.inode):
            continue
        if "est" in path and TESTS.search(path):
            tests[id(node.inode)] = node.inode
    command, shell_form = _command(seen)
    own = seen.image.facts[seen.origin.base_layers :]
    return Facts(
        user=plain(str(seen.image.settings.get("User") or "root"), 100),
        command=command,
        shell_form=shell_form,
        has_shell=has_program(files, visible, SHELL),
        has_compiler=has_program(files, visible, COMPILER),
        pip=sorted(plain(one.location) for one in seen.python if one.name == "pip"),
        setuid_files=sorted(plain(path) for path, node in visible if node.kind == "file" and node.mode & 0o4000),
        capable_files=sum(bool(inode.names and inode.entry and inode.entry.capable) for inode in files.inodes),
        test_bytes=sum(inode.size for inode in tests.values()),
        caches=dict(sorted(caches.items())),
        bytecode=_bytecode(seen),
        secrets=_secrets(seen),
        device_files=sum(entry.kind == "other" for facts in own for entry in facts.entries),
        escaping_names=sum(facts.escapes for facts in seen.image.facts),
    )


def sizes_of(seen: Seen) -> Sizes:
    """How large an image is, in each counting."""
    facts = seen.image.facts
    known = not any(one.is_plain for one in facts)
    transfer = sum(one.packed_bytes for one in facts) if known else None
    blocks = sum(_blocks(entry.kind, entry.size) for one in facts for entry in one.entries)
    return Sizes(
        transfer_bytes=transfer,
        unpacked_tar_bytes=sum(one.tar_bytes for one in facts),
        unpacked_file_bytes=sum(one.file_bytes for one in facts),
        hidden_bytes=sum(inode.size for inode in seen.image.files.inodes if not inode.names),
        overlay2_bytes=sum(one.file_bytes for one in facts),
        containerd_bytes=None if transfer is None else transfer + blocks,
    )


def _blocks(kind: str, size: int) -> int:
    """Bytes on a disk with blocks of 4096: a folder takes one, a link that is short none."""
    return 4096 if kind == "directory" else size + -size % 4096
