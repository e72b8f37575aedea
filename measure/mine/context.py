"""The folder that an image is built from: what it offers to the builder, and what its ignore file does."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from measure.base.errors import Problem
from measure.mine.model import Context, plain
from measure.steps.inputs import ignore_rules

#: Files of a folder that are looked at.
_MOST_FILES = 500_000
_LARGEST = 10
#: What an ignore file usually names: nobody needs it in an image.
AVOIDABLE = re.compile(
    r"(^|/)(\.git|\.hg|\.svn|\.venv|venv|env|node_modules|__pycache__|\.mypy_cache|\.pytest_cache|\.ruff_cache|\.tox"
    r"|\.nox|\.idea|\.vscode|\.ipynb_checkpoints|htmlcov|\.coverage|\.DS_Store|[^/]+\.egg-info|[^/]+\.pyc)(/|$)"
)
#: Names of files that hold secrets as a rule; examples of them do not.
_SECRETS = re.compile(
    r"(^|/)(\.env(\.(?!example|sample|template|dist)[^/]+)?|\.netrc|\.pypirc|\.npmrc|\.pgpass|\.htpasswd|id_(rsa|dsa|ecdsa|ed25519)"
    r"|[^/]+\.(pem|key|p12|pfx|jks|keystore)|credentials(\.json)?|service[-_]account[^/]*\.json|secrets?\.(ya?ml|json|toml|env)"
    r"|\.aws/credentials|\.docker/config\.json|kubeconfig)$"
)


def looks_secret(path: str) -> bool:
    """Does a file of this name hold a secret, as a rule?"""
    return bool(_SECRETS.search(path))


def _text(ignore: Path | None) -> str:
    """What an ignore file says, without the byte-order mark that some editors put first."""
    return ignore.read_text(encoding="utf-8-sig", errors="replace") if ignore else ""


def ignore_file_of(folder: Path, dockerfile: Path) -> Path | None:
    """The ignore file that counts: that of the Dockerfile, else that of the context."""
    own = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
    return next((path for path in (own, folder / ".dockerignore") if path.is_file()), None)


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """Every file and symbolic link below a folder, and its bytes; a link is not followed."""
    count = 0
    waiting = [""]
    while waiting:
        inner = waiting.pop()
        try:
            entries = sorted(os.scandir(folder / inner), key=lambda entry: entry.name)
        except OSError:
            continue  # what cannot be listed is not sent either: the builder says so
        for entry in entries:
            path = f"{inner}/{entry.name}" if inner else entry.name
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
                continue
            count += 1
            if count > _MOST_FILES:
                raise Problem(
                    f"{folder} holds more than {_MOST_FILES:,} files: counting stopped there.",
                    next="the folder of the application alone, and not one above it",
                )
            regular = entry.is_file(follow_symlinks=False)
            yield path, entry.stat(follow_symlinks=False).st_size if regular else 0


def _top(path: str) -> str:
    """The folder or file of a path that an ignore file would name."""
    match = AVOIDABLE.search(path)
    name = path[: match.end()].rstrip("/") if match else path
    return f"**/{name.rpartition('/')[2]}" if "/" in name else name


def _patterns(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            yield number, line.strip()


def _idle(ignore: Path, text: str, paths: list[str]) -> list[str]:
    """Patterns that match nothing. One that stands for what is not there yet does no harm: it is told, not more."""
    folders = {path.rpartition("/")[0] for path in paths}
    every = [*paths, *{"/".join(one.split("/")[:n]) for one in folders if one for n in range(1, one.count("/") + 2)}]
    found = []
    for number, pattern in _patterns(text):
        rules = ignore_rules(pattern.removeprefix("!"))
        if not any(map(rules.match_file, every)):
            found.append(f"{ignore.name}:{number}: {plain(pattern, 100)}")
    return found


def sent_files(folder: Path, dockerfile: Path) -> list[tuple[str, int]]:
    """The files that the ignore file lets through, and their bytes."""
    ignore = ignore_file_of(folder, dockerfile)
    rules = ignore_rules(_text(ignore))
    return [(path, size) for path, size in _files(folder) if not rules.match_file(path)]


def context_of(folder: Path, dockerfile: Path) -> Context:
    """What a folder offers to a builder. Files are counted, and not opened."""
    ignore = ignore_file_of(folder, dockerfile)
    text = _text(ignore)
    rules = ignore_rules(text)
    every = list(_files(folder))
    sent = [(path, size) for path, size in every if not rules.match_file(path)]
    avoidable: dict[str, int] = {}
    for path, size in sent:
        if AVOIDABLE.search(path):
            top = plain(_top(path), 200)
            avoidable[top] = avoidable.get(top, 0) + size
    largest = sorted(sent, key=lambda one: (-one[1], one[0]))[:_LARGEST]
    return Context(
        folder_files=len(every),
        folder_bytes=sum(size for _, size in every),
        files=len(sent),
        bytes=sum(size for _, size in sent),
        largest={plain(path): size for path, size in largest},
        ignore_file=ignore.name if ignore else None,
        idle_patterns=_idle(ignore, text, [path for path, _ in every]) if ignore else [],
        secrets=[plain(path) for path, _ in sent if looks_secret(path)][:50],
        avoidable=dict(sorted(avoidable.items(), key=lambda one: -one[1])),
    )
