"""Build a variant for a platform, once for the scales and once, when asked, for the engine to run."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock
from python_on_whales.exceptions import DockerException

from measure.engine import Engine
from measure.files import cache_folder
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

    @property
    def telling_line(self) -> str:
        """The line of the log that says what went wrong."""
        candidates = [line for line in self.tail if re.search(r"error|not found|failed|no such", line, re.IGNORECASE)]
        return (candidates or self.tail or ["no output"])[0].strip()


@dataclass(frozen=True)
class Built:
    """A variant built for a platform, weighed."""

    image: Image


def layout() -> Path:
    """The OCI image layout, in the cache, that builds are exported to. Layers that are there already stay."""
    folder = cache_folder() / "layout"
    folder.mkdir(exist_ok=True)
    return folder


def layout_lock() -> FileLock:
    """Held while the layout is written or tidied, because all clones share it."""
    return FileLock(cache_folder() / "layout.lock")


def _run(step: Step, lines: Iterator, progress: Callable[[str], None]) -> None:
    """Follow a build. It runs in the step's folder: bake resolves `context: .` against the current folder."""
    log: list[str] = []
    try:
        with contextlib.chdir(step.folder):
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
        files=[step.compose_file],
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


def _remember(step: Step, variant: Variant, platform: str, digest: str) -> None:
    path = cache_folder() / "layout" / "kept.json"
    try:
        kept = json.loads(path.read_text())
    except (OSError, ValueError):
        kept = {}
    kept[f"{step.folder}:{variant.name}:{platform}"] = digest
    path.write_text(json.dumps(kept, indent=1))


def tidy() -> None:
    """Delete layers that no variant's latest build uses any more."""
    with layout_lock():
        used: set[str] = set()
        kept = layout() / "kept.json"
        waiting = list(json.loads(kept.read_text()).values()) if kept.exists() else []
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
