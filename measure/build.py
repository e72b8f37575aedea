"""Build a variant for a platform, once for the scales and once, when asked, for the engine to run."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout
from python_on_whales.exceptions import DockerException

from measure.engine import Engine
from measure.errors import say
from measure.files import cache_folder, write_whole
from measure.oci import Image, read_image
from measure.steps import Step, Variant

#: One progress line of the builder in plain form: `#7 [2/5] RUN …`.
_STEP_LINE = re.compile(r"^#\d+ \[(?P<step>.*)$")
_NOISE = re.compile(r"^(#\d+ )?(\d+\.\d+ )?")


class BuildError(Exception):
    """A build that failed: the builder's exit code and all that it printed."""

    def __init__(self, exit_code: int, log: list[str]) -> None:
        super().__init__(f"exit code {exit_code}")
        self.exit_code, self.log = exit_code, log

    @property
    def tail(self) -> list[str]:
        """The last lines that the failing instruction printed, without the builder's own framing."""
        errors = [i for i, line in enumerate(self.log) if re.match(r"^#\d+ ERROR", line)]
        if not errors:
            return self.log[-10:]
        number = self.log[errors[0]].split()[0]
        own = [line for line in self.log[: errors[0] + 1] if line.startswith(f"{number} ")]
        return [_NOISE.sub("", line) for line in own[-10:]]

    def line_with(self, words: str) -> str | None:
        """The first line with these words that an instruction printed; the builder's own lines do not count."""
        return next((line for line in self.log if words in line and re.match(r"^#\d+ \d+\.\d+ ", line)), None)

    @property
    def telling_line(self) -> str:
        """The line of the log that says what went wrong."""
        candidates = [line for line in self.tail if re.search(r"error|not found|failed|no such", line, re.IGNORECASE)]
        return (candidates or self.tail or ["no output"])[0].strip()


def layout() -> Path:
    """The OCI image layout, in the cache, that builds are exported to. Layers that are there already stay."""
    folder = cache_folder() / "layout"
    folder.mkdir(exist_ok=True)
    return folder


@contextlib.contextmanager
def layout_lock() -> Iterator[None]:
    """Held while the layout is written or tidied, because all clones share it. Says so when it has to wait."""
    lock = FileLock(cache_folder() / "layout.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say("another clone is building; waiting for it")
        lock.acquire(timeout=3600)
    try:
        yield
    finally:
        lock.release()


#: Modification time of every file in a clean copy, in seconds since 1970: 2026-01-01.
COPY_TIME = 1_767_225_600


def _git_files(folder: Path) -> list[Path] | None:
    """The files below a folder that git has or would take, or None outside of a repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    if listed.returncode:
        return None
    return [Path(name) for name in listed.stdout.split("\0") if name and (folder / name).is_file()]


@contextlib.contextmanager
def clean_copy(folder: Path) -> Iterator[Path]:
    """A copy of a step's folder with the files that git would give, and nothing that tests or editors left there.

    All files have the same modification time, so that two copies give the same layers.
    """
    with tempfile.TemporaryDirectory(prefix="measure-") as temporary:
        copy = Path(temporary) / folder.name
        files = _git_files(folder)
        if files is None:
            shutil.copytree(folder, copy)
            files = [path.relative_to(copy) for path in copy.rglob("*") if path.is_file()]
        for name in files:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / name, copy / name)
        for path in (copy, *copy.rglob("*")):
            os.utime(path, (COPY_TIME, COPY_TIME))
        yield copy


def _run(step: Step, lines: Iterator, progress: Callable[[str], None]) -> None:
    """Follow a build. It runs in a copy of the step's folder: bake resolves `context: .` against the current folder."""
    log: list[str] = []
    try:
        with clean_copy(step.folder) as copy, contextlib.chdir(copy):
            for line in lines:
                text = (line if isinstance(line, str) else line.decode(errors="replace")).rstrip()
                log.append(text)
                if match := _STEP_LINE.match(text):
                    progress(match["step"][:90])
    except DockerException as error:
        raise BuildError(error.return_code, log or (error.stderr or "").splitlines()) from None
    except KeyboardInterrupt:
        # The builder drops the build when its client goes, so the client must not outlive us.
        for child in psutil.Process().children(recursive=True):
            child.terminate()
        psutil.wait_procs(psutil.Process().children(recursive=True), timeout=10)
        raise


def _bake(
    engine: Engine, step: Step, variant: Variant, platform: str, output: str, tag: str | None, **more: Any
) -> Iterator:
    settings = {f"{variant.service}.platform": platform, f"{variant.service}.output": output}
    if tag:
        settings[f"{variant.service}.tags"] = tag
    return engine.docker.buildx.bake(
        [variant.service],
        builder=engine.builder,
        files=[step.compose_file.name],
        set=settings,
        progress="plain",
        stream_logs=True,
        # Attestations would add megabytes that are no part of the image.
        variables={"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
        **more,
    )


def build(engine: Engine, step: Step, variant: Variant, platform: str, progress: Callable[[str], None]) -> Image:
    """Build a variant for a platform and weigh it. `progress` is told what the builder is doing.

    Raises BuildError when the build fails, Problem when the engine cannot provide a base image.
    """
    with layout_lock(), tempfile.TemporaryDirectory() as folder:
        metadata = Path(folder) / "metadata.json"
        output = f"type=oci,tar=false,dest={layout()}"
        _run(step, _bake(engine, step, variant, platform, output, None, metadata_file=metadata), progress)
        digest = json.loads(metadata.read_text())[variant.service]["containerimage.digest"]
        progress("weighing")
        image = read_image(layout(), digest)
        _remember(step, variant, platform, digest)
        return image


def load_into_engine(engine: Engine, step: Step, variant: Variant, platform: str) -> str:
    """Build a variant for a platform into the engine's own store, so that it can be run. Returns its name."""
    tag = f"{step.name}:{variant.name}-{platform.split('/')[1]}"
    _run(step, _bake(engine, step, variant, platform, "type=docker", tag), lambda _: None)
    return tag


def _kept() -> dict[str, str]:
    """Digest of the latest build of each variant, by folder, variant and platform."""
    try:
        return json.loads((layout() / "kept.json").read_text())
    except (OSError, ValueError):
        return {}


def _remember(step: Step, variant: Variant, platform: str, digest: str) -> None:
    kept = _kept() | {f"{step.folder}:{variant.name}:{platform}": digest}
    # A clone that was deleted needs its layers no more.
    kept = {key: value for key, value in kept.items() if Path(key.split(":")[0]).exists()}
    write_whole(layout() / "kept.json", json.dumps(kept, indent=1))


def tidy() -> None:
    """Delete layers that no variant's latest build uses any more, and what an interrupted export left."""
    with layout_lock():
        shutil.rmtree(layout() / "ingest", ignore_errors=True)
        used: set[str] = set()
        waiting = list(_kept().values())
        while waiting:
            digest = waiting.pop()
            path = layout() / "blobs" / digest.replace(":", "/")
            if digest in used or not path.exists():
                continue
            used.add(digest)
            if path.stat().st_size < 1_000_000 and path.read_bytes()[:1] == b"{":
                content = json.loads(path.read_bytes())
                parts = [*content.get("manifests", []), *content.get("layers", []), content.get("config")]
                waiting += [part["digest"] for part in parts if isinstance(part, dict) and "digest" in part]
        for path in (layout() / "blobs" / "sha256").glob("*"):
            if f"sha256:{path.name}" not in used:
                path.unlink()
