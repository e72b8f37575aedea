"""Files that are written whole or not at all, and the project's place in the user's cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from measure.base.errors import Problem

#: The top folder of the repository.
ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "results"
#: Free disk space below which nothing is built, in bytes.
DISK_NEEDED_BYTES = 6_000_000_000


def cache_folder(*, made: bool = True) -> Path:
    """Where expensive results are kept between runs, shared by all clones of the repository; `made`: it is there.

    Raises Problem where the user has no home folder, or none that can be written to.
    """
    try:
        return user_cache_path("python-images-measured", ensure_exists=made)
    except (OSError, RuntimeError) as error:  # the latter: nobody knows where it is
        next = "the same with a folder of yours: XDG_CACHE_HOME=/a/folder make …"
        raise Problem("There is no place for what is kept between runs.", why=str(error), next=next) from None


def write_whole(path: Path, content: str | bytes) -> None:
    """Write whole or not at all, whatever crashes or reads meanwhile. Raises OSError, the old file still in place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any]:
    """What a JSON file of ours says; nothing where there is none, or none that can be read."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def sha256_of(path: Path) -> str:
    """A file's SHA-256, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def shown(path: Path) -> str:
    """A path as people see it: from the repository's top folder where it is below that."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def check_disk(folder: Path) -> None:
    """Raises Problem when less than DISK_NEEDED_BYTES are free where `folder` is, or will be."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < DISK_NEEDED_BYTES:
        raise Problem(
            f"Too little disk space: {free / 1e9:.1f} GB free, {DISK_NEEDED_BYTES / 1e9:.0f} GB needed.",
            why=f"Images and base images are built below {folder}.",
            next="free some space, or put the cache elsewhere: XDG_CACHE_HOME=/big/disk make …",
        )
