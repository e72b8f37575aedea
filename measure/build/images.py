"""Build a variant for a platform, once for the scales and once, when asked, for the engine to run."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from python_on_whales.exceptions import DockerException
from tenacity import Retrying, retry_if_exception, stop_after_attempt

from measure.base.errors import Problem, say
from measure.base.files import cache_folder, write_whole
from measure.base.platforms import normal, short
from measure.build.engine import BAKE_VARIABLES, STILLBORN, Engine
from measure.build.lab_engine import end_orphaned_builds
from measure.build.layout import blob, keep, layout, layout_in_use
from measure.steps.compose import Step, Variant
from measure.steps.copying import clean_copy
from measure.weigh.layers import read_layer
from measure.weigh.oci import Image, manifest_of, read_image

#: The builder's own choice of compression, asked for by name.
GZIP = ",compression=gzip,force-compression=true"
#: One progress line of the builder in plain form: `#7 [2/5] RUN …`, `#9 exporting to oci image format`.
_STEP_LINE = re.compile(r"^#\d+ (?P<step>(\[|exporting to ).*)$")
_NOISE = re.compile(r"^(#\d+ )?(\d+\.\d+ )?")
#: Is told what the builder is doing.
Telling = Callable[[str], None]


class BuildError(Problem):
    """A build that failed: the builder's exit code and all that it printed."""

    def __init__(self, exit_code: int, log: list[str]) -> None:
        self.exit_code, self.log = exit_code, log
        super().__init__(f"The build failed with exit code {exit_code}.", why="\n".join(self.tail), next="mend it")

    @property
    def own_lines(self) -> list[str]:
        """The failing instruction and all that it printed, without the builder's own framing; [] where none failed."""
        errors = [i for i, line in enumerate(self.log) if re.match(r"^#\d+ ERROR", line)]
        if not errors:
            return []
        number = self.log[errors[0]].split()[0]
        own = [line for line in self.log[: errors[0] + 1] if line.startswith(f"{number} ")]
        return [_NOISE.sub("", line) for line in own]

    @property
    def tail(self) -> list[str]:
        """The last lines that the failing instruction printed, without the builder's own framing."""
        return (self.own_lines or self.log)[-10:]

    def line_with(self, words: str) -> str | None:
        """The first line with these words that an instruction printed; the builder's own lines do not count."""
        return next((line for line in self.log if words in line and re.match(r"^#\d+ \d+\.\d+ ", line)), None)

    @property
    def telling_line(self) -> str:
        """The line of the log that says what went wrong."""
        candidates = [line for line in self.tail if re.search(r"error|not found|failed|no such", line, re.IGNORECASE)]
        return (candidates or self.tail or ["no output"])[0].strip()


def scrub(line: str) -> str:
    """A line of output without the builder's prefix and without host names."""
    line = re.sub(r"(host: |host )[\w-]+(\.[\w-]+)+", r"\1…", _NOISE.sub("", line))
    return re.sub(r"https?://[^\s/]+", "https://…", line).strip()


def _run(lines: Iterator, progress: Telling) -> list[str]:
    """Follow a build to its end; returns what the builder printed. Raises BuildError when it fails."""
    log: list[str] = []
    try:
        for line in lines:
            text = (line if isinstance(line, str) else line.decode(errors="replace")).rstrip()
            log.append(text)
            if match := _STEP_LINE.match(text):
                progress(match["step"])
    except DockerException as error:
        raise BuildError(error.return_code, log or (error.stderr or "").splitlines()) from None
    except KeyboardInterrupt:
        stop_clients()
        raise
    return log


def stop_clients() -> None:
    """End the clients of all running builds: the builder drops a build when its client goes, and the lab sees to it."""
    for child in _own_children():
        with contextlib.suppress(psutil.NoSuchProcess):
            child.terminate()
    psutil.wait_procs(_own_children(), timeout=10)
    end_orphaned_builds()


def _own_children() -> list[psutil.Process]:
    """What this process started to wait for it; not the services of a lab that it brought up, which are to stay."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
            found += [child] if os.getsid(child.pid) == os.getsid(0) else []
    return found


def _bake_once(
    engine: Engine, file: Path, target: str, platform: str, progress: Telling, **settings: Any
) -> tuple[dict[str, Any], list[str]]:
    """Build one target of a bake or compose file; returns what the builder tells about it, and what it printed.

    bake would look for the context from the folder that this process is in, so `settings` says where it is.
    """
    with tempfile.TemporaryDirectory() as folder:
        metadata = Path(folder) / "metadata.json"
        lines = engine.docker.buildx.bake(
            [target],
            builder=engine.builder,
            files=[str(file)],
            set={f"{target}.{key}": value for key, value in {"platform": platform, **settings}.items()},
            progress="plain",
            stream_logs=True,
            metadata_file=metadata,
            variables=BAKE_VARIABLES,
        )
        log = _run(lines, progress)
        return json.loads(metadata.read_text()).get(target, {}), log


#: What a build says that the engine spoiled: by that, or its garbage collector removed what was about to be used.
SPOILED = f"{STILLBORN}|parent snapshot .* does not exist"
#: Calls what builds; when the engine spoiled it, twice more at most.
AGAIN = Retrying(
    retry=retry_if_exception(lambda error: isinstance(error, Problem) and bool(re.search(SPOILED, error.why))),
    stop=stop_after_attempt(3),
    before_sleep=lambda _: say("the engine lost what this build needed: building again"),
    reraise=True,
)
_bake = AGAIN.wraps(_bake_once)


def _export(
    engine: Engine, file: Path, target: str, platform: str, progress: Telling, how: str = "", **more: Any
) -> str:
    """Build a target into the layout, which must be in use; returns the image's digest. `how`: `Variant.exported`."""
    (layout() / "blobs").mkdir(exist_ok=True)
    # Each export has an index of its own, because it is read and written again, and all share the blobs.
    with tempfile.TemporaryDirectory(dir=layout(), prefix="export-", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "blobs").symlink_to(layout() / "blobs")
        output = f"type=oci,tar=false,dest={folder}{how}"
        built, _ = _bake(engine, file, target, platform, progress, output=output, **more)
        return built["containerimage.digest"]


def _in_copy(step: Step, variant: Variant, copy: Path) -> tuple[Path, str, dict[str, str]]:
    """Compose file, target and context of a variant in a copy of its step's folder."""
    context = copy / variant.context.relative_to(step.folder)
    return copy / step.compose_file.name, variant.service, {"context": str(context)}


def push(engine: Engine, step: Step, variant: Variant, name: str, **settings: Any) -> str:
    """Build a variant for the engine's own platform and push it under this name. Returns its digest. Raises BuildError.

    `settings` are those of a bake target, like `no-cache`. The image is not kept in the engine's store. By way of a
    file: this builder would push what the engine stores, which has neither another compression nor another time.
    """
    with clean_copy(step.folder) as copy, tempfile.TemporaryDirectory() as folder:
        file, target, where = _in_copy(step, variant, copy)
        archive = Path(folder) / "image.tar"
        output = f"type=oci,dest={archive},name={name}{variant.exported or GZIP}"
        settings = where | _attests(variant) | settings
        built, _ = _bake(engine, file, target, engine.platform, lambda _: None, output=output, **settings)
        engine.docker.image.load(archive, quiet=True)
    try:
        engine.docker.image.push(name, quiet=True)
    finally:
        engine.docker.image.remove(name, force=True)
    return built["containerimage.digest"]


def _attests(variant: Variant) -> dict[str, str]:
    return {"attest": variant.teaching.attest} if variant.teaching.attest else {}


def build(
    engine: Engine,
    step: Step,
    variant: Variant,
    platform: str,
    progress: Telling,
    *,
    remember: bool = True,
    **settings: Any,
) -> Image:
    """Build a variant for a platform and weigh it. `progress` is told what the builder is doing.

    `settings` are those of a bake target, like `no-cache`. `remember`: it is the variant's latest build, whose layers
    are kept; else the next `tidy` deletes them.
    Raises BuildError when the build fails, Problem when the exported image is damaged or its base changed meanwhile.
    """
    with layout_in_use():
        with clean_copy(step.folder) as copy:
            file, target, where = _in_copy(step, variant, copy)
            options = where | _attests(variant) | settings
            if "compression=" in variant.exported:
                # A builder that has layers in zstd alone gives them to whoever asks for no compression, in a form that
                # the engine cannot unpack (findings/docker-save-after-zstd.sh). So that it has them in gzip too:
                _export(engine, file, target, platform, progress, GZIP, **options)
                options.pop("no-cache", None)
            digest = _export(engine, file, target, platform, progress, variant.exported, **options)
        if remember:
            keep(step, variant, platform, digest)
        progress("weighing")
        layers = base_layers(engine, variant.base_image, platform, variant.exported) if variant.base_image else []
        return read_image(layout(), digest, platform).on(layers)


_one_at_a_time = threading.Lock()


def base_layers(engine: Engine, name: str, platform: str, exported: str = "") -> list[str]:
    """Digests of a base image's layers for a platform, as the builder exports them so. The layout must be in use."""
    key = (name, platform, exported)
    with _one_at_a_time:
        if key not in engine.base_layers:
            with _small_build({"Dockerfile": f"FROM {name}\n"}) as file:
                digest = _export(engine, file, "small", platform, lambda _: None, exported)
            engine.base_layers[key] = [layer["digest"] for layer in manifest_of(layout(), digest)["layers"]]
    return engine.base_layers[key]


def natively(engine: Engine, platform: str) -> bool:
    """Is the machine that builds for a platform one of that platform itself?

    The engine's builds, or else a node of the builder that the user chose: then an image is built on it that says.
    """
    if not engine.chosen:
        return platform == engine.platform
    with _one_at_a_time:
        if platform not in engine.nodes:
            dockerfile = "FROM scratch\nARG BUILDPLATFORM\nLABEL node=$BUILDPLATFORM\n"
            with layout_in_use(), _small_build({"Dockerfile": dockerfile}) as file:
                digest = _export(engine, file, "small", platform, lambda _: None)
                config = manifest_of(layout(), digest)["config"]["digest"]
                labels = json.loads(blob(config).read_text())["config"]["Labels"]
                engine.nodes[platform] = normal(labels["node"])
    return engine.nodes[platform] == platform


def context_bytes(engine: Engine, step: Step, variant: Variant) -> int:
    """Bytes of the regular files that a variant's build context offers: what `COPY . /` finds under its ignore file.

    What the builder said of the same files and the same rules before comes from the cache.
    """
    cached = cache_folder() / "contexts" / variant.offered_sha256
    try:
        return int(cached.read_text())
    except (OSError, ValueError):
        found = sum(size for _, size in context_listing(engine, step, variant))
        write_whole(cached, str(found))
        return found


def context_listing(engine: Engine, step: Step, variant: Variant) -> list[tuple[str, int]]:
    """Path and size in bytes of each regular file in a variant's build context, as the builder sees it.

    Found by a two-line Dockerfile of which nothing but the context can come: FROM scratch, COPY . /.
    """
    files = {"Dockerfile": "FROM scratch\nCOPY . /\n"}
    if variant.ignore is not None:
        # The builder looks beside the Dockerfile first, so this one wins over the context's own.
        files["Dockerfile.dockerignore"] = variant.ignore
    with layout_in_use(), clean_copy(step.folder) as copy:
        context = copy / variant.context.relative_to(step.folder)
        with _small_build(files, context) as file:
            digest = _export(engine, file, "small", engine.platform, lambda _: None)
        layers = manifest_of(layout(), digest)["layers"]
        entries = [entry for layer in layers for entry in read_layer(blob(layer["digest"])).entries]
    return [(entry.path, entry.size) for entry in entries if entry.kind == "file"]


def build_text(engine: Engine, dockerfile: str, progress: Telling, **settings: Any) -> list[str]:
    """Build a Dockerfile given as text, natively, into the builder's cache alone; returns what the builder printed.

    `settings` are those of a bake target, like `target`; the `context` is a folder to copy from, by default an empty
    one. Raises BuildError.
    """
    with _small_build({"Dockerfile": dockerfile}, **settings) as file:
        return _bake(engine, file, "small", engine.platform, progress, output="type=cacheonly")[1]


def export_text(engine: Engine, dockerfile: str, platform: str, progress: Telling, **settings: Any) -> str:
    """Build as `build_text` does, for a platform; returns the image's digest. The layout must be in use."""
    with _small_build({"Dockerfile": dockerfile}, **settings) as file:
        return _export(engine, file, "small", platform, progress)


def weigh_text(engine: Engine, dockerfile: str, base: str | None, progress: Telling, **settings: Any) -> Image:
    """Build as `build_text` does, and weigh what comes of it, upon its base image; None: it begins with nothing."""
    with layout_in_use():
        digest = export_text(engine, dockerfile, engine.platform, progress, **settings)
        progress("weighing")
        return read_image(layout(), digest).on(base_layers(engine, base, engine.platform) if base else [])


def load_text(engine: Engine, dockerfile: str, name: str, progress: Telling = lambda _: None, **settings: Any) -> None:
    """Build as `build_text` does, into the engine's own store under this name."""
    with _small_build({"Dockerfile": dockerfile}, **settings) as file:
        _bake(engine, file, "small", engine.platform, progress, output="type=docker", tags=name)


@contextlib.contextmanager
def _small_build(files: dict[str, str], context: Path | None = None, **settings: Any) -> Iterator[Path]:
    """A bake file whose target `small` builds the Dockerfile among `files`, by default with no other context."""
    with tempfile.TemporaryDirectory(prefix="measure-") as name:
        folder = Path(name)
        for path, text in files.items():
            (folder / path).write_text(text)
        target = {"context": str(context or folder), "dockerfile": str(folder / "Dockerfile"), **settings}
        (folder / "bake.json").write_text(json.dumps({"target": {"small": target}}))
        yield folder / "bake.json"


def tag(step: Step, variant: Variant, platform: str) -> str:
    """The name that a variant's image for a platform has in the engine's own store."""
    return f"{step.name}:{variant.name}-{short(platform)}"


def load_into_engine(
    engine: Engine,
    step: Step,
    variant: Variant,
    platform: str,
    *,
    log: list[str] | None = None,
    once: bool = False,
    **settings: Any,
) -> str:
    """Build a variant for a platform into the engine's own store, so that it can be run. Returns its name.

    `settings` are those of a bake target, like `cache-from`; `log` gets what the builder printed. `once`: a build that
    the engine itself spoiled fails, where it would be built again.
    """
    name = tag(step, variant, platform)
    bake = _bake_once if once else _bake
    with clean_copy(step.folder) as copy, tempfile.TemporaryDirectory() as folder:
        file, target, where = _in_copy(step, variant, copy)
        # As it is shipped, where the compose file says how: the builder cannot set times in the engine's own store.
        archive = Path(folder) / "image.tar"
        output = f"type=oci,dest={archive}{variant.exported}" if variant.exported else "type=docker"
        settings = {"output": output, "tags": name} | where | settings
        _, lines = bake(engine, file, target, platform, lambda _: None, **settings)
        if variant.exported:
            engine.docker.image.load(archive, quiet=True)
    if log is not None:
        log += lines
    return name


@contextlib.contextmanager
def changed_base(engine: Engine, name: str) -> Iterator[str]:
    """Yields the name of another version of a base image in the engine's store: one file more, that none had before."""
    changed = f"measure-base:{uuid.uuid4().hex}"
    with _small_build({"Dockerfile": f"FROM {name}\nRUN echo {changed} > /etc/measure-base\n"}) as file:
        _bake(engine, file, "small", engine.platform, lambda _: None, output="type=docker", tags=changed)
    try:
        yield changed
    finally:
        engine.docker.image.remove(changed, force=True)
