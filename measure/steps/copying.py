"""A step's folder as git would give it, to build from."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measure.steps.inputs import git_files

#: Modification time of every file in a clean copy, in whole seconds since 1970: 2026-01-01.
COPY_TIME = 1_767_225_600


@contextlib.contextmanager
def clean_copy(folder: Path) -> Iterator[Path]:
    """A copy of a step's folder with the files that git would give, and nothing that tests or editors left there.

    Files and folders keep the modes that they have in the checkout, as in a reader's build. All have one modification
    time to the second, so that two copies give the same layers. The nanoseconds come from the content: the builder
    sends a file again only when its size or time is another than in the folder of that name before, so that without
    them it would miss a change that keeps the size.
    """
    with tempfile.TemporaryDirectory(prefix="measure-") as temporary:
        copy = Path(temporary) / folder.name
        names = git_files(folder)
        for name in sorted({one for path in names for one in (path, *path.parents)}):
            if name in names:
                shutil.copy(folder / name, copy / name, follow_symlinks=False)
            else:
                (copy / name).mkdir()
                shutil.copymode(folder / name, copy / name)
        for path in (copy, *copy.rglob("*")):
            if path.is_symlink():
                content = str(path.readlink()).encode()
            else:
                content = b"" if path.is_dir() else path.read_bytes()
            nanoseconds = COPY_TIME * 10**9 + int(hashlib.sha256(content).hexdigest(), 16) % 10**9
            os.utime(path, ns=(nanoseconds, nanoseconds), follow_symlinks=False)
        yield copy
