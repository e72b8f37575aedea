"""Records: one JSON file for each environment, step, variant and platform. The only source of numbers."""

from __future__ import annotations

import hashlib
import json
import re
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal

from filelock import FileLock
from pydantic import BaseModel, Field, ValidationError

from measure.base.errors import Problem, say
from measure.base.files import RESULTS, ROOT, cache_folder, shown, write_whole
from measure.base.model import Strict, read, reasons
from measure.base.names import LAB_ENVIRONMENT
from measure.base.platforms import PLATFORMS, in_file
from measure.record.enough import Compared, Rule
from measure.record.facts import same
from measure.steps.compose import RECOMMENDED, find_step
from measure.steps.inputs import Inputs
from measure.weigh.contents import Contents
from measure.weigh.oci import Layer

SCHEMA_VERSION = 2
#: What to do about a file that is no record.
AGAIN = "git checkout it, or measure again: make step-N"


class Wasted(Strict):
    """Bytes of regular files that are shipped though nothing shows them: a later layer deleted or replaced them."""

    #: In layers that come with the base image, by whichever layer they are hidden.
    base_bytes: int
    #: In the layers that the Dockerfile adds.
    own_bytes: int


class Size(Strict):
    """How large an image is; all in bytes."""

    #: What crosses the network: the sum of the manifest's layer sizes (compressed).
    transfer_bytes: int
    #: The sum of the uncompressed layers, as tar streams.
    unpacked_tar_bytes: int
    #: The sum of the regular files in the layers.
    unpacked_file_bytes: int
    wasted: Wasted
    #: The regular files that the build context offers under the variant's ignore file.
    context_bytes: int
    layers: list[Layer]


class Failure(Strict):
    """A build that failed: its exit code, and the line that tells why."""

    exit_code: int
    line: str


class BaseImage(Strict):
    """A base image and how it came to be: pulled from docker.io, or built by the lab from a recipe of its own."""

    name: str
    origin: Literal["docker.io", "lab"]
    #: Digest of the index or manifest that the name stood for; None where the builder did not tell.
    digest: str | None = None
    recipe_sha256: str | None = None


class Provenance(Strict):
    """Where the numbers come from."""

    bases: list[BaseImage]
    #: Was the build run by the processor it is for, or by QEMU?
    execution: Literal["native", "emulated"]
    engine: str
    buildx: str
    builder_driver: str
    #: Did packages come through the lab's package-index cache?
    index_cache: bool
    command: str
    #: UTC
    measured_at: datetime


class Samples(Strict):
    """A duration in seconds, or an amount of memory in bytes, as the field's name says, taken several times."""

    samples: list[float] = Field(min_length=1)
    median: float

    @classmethod
    def of(cls, samples: list[float]) -> Samples:
        """These samples, rounded to four digits that count, with their median."""
        rounded = [float(f"{sample:.4g}") for sample in samples]
        return cls(samples=rounded, median=float(f"{statistics.median(rounded):.4g}"))


class Times(Strict):
    """What takes how long: each taken several times in one sitting, in turns. See measure/run/timing.py."""

    #: The builder's own platform, where the image is for another one: what such a build runs is emulated, and its times
    #: compare with those of the same sitting alone. None for a native build.
    builder: str | None = None

    #: With no layer of its own in the builder's cache, and cache mounts empty; base images and package index are there.
    cold_build_s: Samples | None = None
    #: After one line of the application's code changed, with everything else in the builder's cache.
    rebuild_after_edit_s: Samples | None = None
    #: After one dependency, of Python alone, changed its version.
    rebuild_after_lock_s: Samples | None = None
    #: After a dependency that is compiled changed its version.
    rebuild_after_compiled_s: Samples | None = None
    #: After the base image changed; the new one is there.
    rebuild_after_base_s: Samples | None = None
    #: On an engine that has nothing, with a cache in a registry of the build before one line of code changed.
    fresh_after_edit_s: Samples | None = None
    #: The same after one dependency, of Python alone, changed its version.
    fresh_after_lock_s: Samples | None = None
    #: From one line of code changed, to a container that runs already, to its answer: `docker compose up --build`.
    edit_to_answer_s: Samples | None = None
    #: The same under `docker compose watch`, which builds nothing.
    watch_to_answer_s: Samples | None = None
    #: From `docker run` to the first answer.
    start_to_first_response_s: Samples | None = None
    #: What importing the application takes, in a process of its own, in a new container.
    import_s: Samples | None = None
    #: Where the time goes: the steps of each kind of build, and of `edit_to_answer_s`, by the words that name them.
    #: Those of a build may run at the same time.
    steps_s: dict[str, dict[str, Samples]] | None = None
    #: What the application says of itself when it is asked, by the name in its answer.
    reported_s: dict[str, Samples] | None = None
    #: What the processes keep in memory after the first answer, and after a thousand more: their anonymous pages, and
    #: once the pages of files that they map.
    resident_idle_bytes: Samples | None = None
    resident_loaded_bytes: Samples | None = None
    #: When it was enough: by builds, starts and memory. None in records from before 2026-11-29: five samples and more.
    rules: dict[str, Rule] | None = None
    #: By kind, what the samples say against those of other variants in the same sitting.
    compared: dict[str, list[Compared]] | None = None
    #: The one-minute load average before the sitting: a busy machine spoils timings.
    load_before: float
    #: Name of the processor that they were taken on; None in records from before 2026-11-26.
    cpu: str | None = None
    #: UTC
    measured_at: datetime

    @property
    def busy(self) -> bool:
        """Was the machine busy with something else before? Pages flag such a sitting."""
        return self.load_before >= BUSY


#: The one-minute load average from which on a machine is called busy: one processor of it is never free.
BUSY = 1.0
#: The one below which a sitting does not wait any more for a machine to become quiet.
QUIET = 0.6

#: The fields of Times by the kind of time, as plans and pages call it.
TIMES = {
    "cold": "cold_build_s",
    "edit": "rebuild_after_edit_s",
    "lock": "rebuild_after_lock_s",
    "compiled": "rebuild_after_compiled_s",
    "base": "rebuild_after_base_s",
    "fresh-edit": "fresh_after_edit_s",
    "fresh-lock": "fresh_after_lock_s",
    "answer": "edit_to_answer_s",
    "watch": "watch_to_answer_s",
    "start": "start_to_first_response_s",
    "import": "import_s",
}
#: Those that are amounts of memory.
MEMORY = {"memory-idle": "resident_idle_bytes", "memory-loaded": "resident_loaded_bytes"}


class Record(Strict):
    """What was found out about one variant of a step on one platform."""

    schema_version: Literal[2] = SCHEMA_VERSION
    environment: str
    step: str
    variant: str
    platform: str
    dockerfile: str
    #: SHA-256 of all that the build depends on; `inputs` has its parts.
    inputs_sha256: str
    inputs: Inputs
    #: Of the image's manifest, where the compose file sets the time of every file, so that it is the same twice.
    digest: str | None = None
    outcome: Literal["built", "failed"]
    size: Size | None = None
    contents: Contents | None = None
    #: Taken by `make time-step-N`, for this platform when it is the machine's own.
    time: Times | None = None
    failure: Failure | None = None
    provenance: Provenance

    @property
    def path(self) -> Path:
        """Where this record belongs, below `results/`."""
        return record_path(self.environment, self.step, self.variant, self.platform)


class Environment(Strict):
    """The machine and the engine that the records of an environment were measured with."""

    schema_version: Literal[2] = SCHEMA_VERSION
    name: str
    #: The machine's own platform, like linux/amd64; None where that was not recorded yet.
    platform: str | None = None
    cpu: str
    cores: int
    memory_bytes: int
    system: str
    engine: str
    buildx: str
    builder_driver: str
    #: The engine's image store, like overlayfs (containerd) or overlay2.
    store: str
    #: Where base images come from: docker.io, or the lab's own recipes.
    bases: Literal["docker.io", "lab"]

    @property
    def path(self) -> Path:
        """Where this description belongs, below `results/`."""
        return environment_path(self.name)


def record_path(environment: str, step: str, variant: str, platform: str) -> Path:
    """Path of a record, like results/lab-amd64/step-1-kiss/full.linux-arm64.json."""
    return RESULTS / environment / step / f"{variant}.{in_file(platform)}.json"


def environment_path(environment: str) -> Path:
    """Path of the description of an environment."""
    return RESULTS / environment / "environment.json"


def load_environment(name: str) -> Environment | None:
    """The description of an environment, or None when it has none. Raises Problem when it is not a valid one."""
    return read(Environment, environment_path(name), AGAIN)


def named(bases: Literal["docker.io", "lab"]) -> str:
    """Where base images come from, for people."""
    return {"lab": "the lab", "docker.io": "Docker Hub"}[bases]


def environments() -> list[str]:
    """Names of the environments that have records, the lab's first."""
    names = {path.parent.parent.name for path in RESULTS.glob("*/*/*.json")}
    return sorted(names, key=lambda name: (name != LAB_ENVIRONMENT, name))


def record_files(environment: str) -> list[Path]:
    """Every record file of an environment, valid or not."""
    return sorted((RESULTS / environment).glob("*/*.json"))


def parse(text: str, name: str) -> Record:
    """The record in a text. Raises Problem, which calls it `name`, when it is not a valid record."""
    try:
        version = json.loads(text).get("schema_version")
    except (ValueError, AttributeError):
        version = None
    if isinstance(version, int) and version < SCHEMA_VERSION:
        why = f"It has the form of version {version}; this is version {SCHEMA_VERSION}."
        raise Problem(f"{name} is not a valid record.", why=why, next=AGAIN)
    try:
        return Record.model_validate_json(text)
    except ValidationError as error:
        raise Problem(f"{name} is not a valid record.", why=reasons(error), next=AGAIN) from None


def load(path: Path) -> Record | None:
    """The record in a file, or None when there is no file. Raises Problem when it is not a valid record."""
    try:
        return parse(path.read_bytes().decode(errors="replace"), shown(path))
    except FileNotFoundError:
        return None


def meant(name: str, environment: str = LAB_ENVIRONMENT) -> Record:
    """The record that a person means: STEP/VARIANT[@PLATFORM], or REVISION:FILE for one that git has.

    Or a file, which may be named below results/ alone, and without `.json`. Raises Problem when there is none.
    """
    files = [folder / f"{name}{end}" for end in ("", ".json") for folder in (Path(), ROOT, RESULTS)]
    path = next((file.resolve() for file in files if file.is_file()), RESULTS / name.removeprefix("results/"))
    if not path.exists() and ":" in name and name.endswith(".json"):
        try:
            text = subprocess.run(["git", "show", name], cwd=ROOT, capture_output=True, text=True)
        except FileNotFoundError:
            raise Problem(f"There is no git here, which has {name}.", next="make diff A=step-1 B=step-1/full") from None
        if text.returncode:
            raise Problem(f"git has no {name}.", why=text.stderr.strip(), next="git log -- results")
        return parse(text.stdout, name)
    words, _, platform = name.partition("@")
    if not path.exists() and words.count("/") < 2 and not name.endswith(".json"):
        step_name, _, variant = words.partition("/")
        step = find_step(step_name)
        path = record_path(environment, step.name, step.variant(variant or RECOMMENDED).name, platform or PLATFORMS[0])
    if (record := load(path)) is None:
        there = ", ".join(sorted(one.name for one in path.parent.glob("*.json") if path.parent != RESULTS))
        why = f"There: {there}." if there else f"The environments are: {', '.join(environments())}."
        raise Problem(
            f"There is no record {shown(path)}.", why=why, next="make steps  # then make step-N, which writes it"
        )
    return record


def as_json(model: BaseModel) -> str:
    """A model as text: indented, small objects on one line each, so that a change reads well in a diff."""
    text = json.dumps(model.model_dump(mode="json", exclude_none=True), indent=2, ensure_ascii=False)
    # A line break never stands within a JSON string, so only white space between values is touched. The pattern says
    # where a line's indent ends: left open, each way to split it was tried, a quarter of a second long per record.
    small = re.compile(r"\{\n +([^ {}\[\]\n][^{}\[\]\n]*(?:\n +[^ {}\[\]\n][^{}\[\]\n]*){0,4})\n +\}")
    return small.sub(lambda match: "{" + re.sub(r"\n\s+", " ", match[1]) + "}", text) + "\n"


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold the right to write in a folder of results, and clear away what a killed writer left there."""
    locks = cache_folder() / "locks"
    locks.mkdir(exist_ok=True)
    with FileLock(locks / f"{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}.lock", timeout=60):
        for part in folder.glob(".*.partial"):
            part.unlink(missing_ok=True)
        yield


def save(record: Record) -> Record | None:
    """Write a record, whole or not at all. One that says the same as before keeps its date.

    Times stay with what has the same inputs: `save_times` writes them. Returns the record that was there before, None
    when there was none or no valid one, which is told. Raises OSError, with the old record still in place, when it
    cannot be written.
    """
    with writing(record.path.parent):
        try:
            old = load(record.path)
        except Problem as problem:
            say(f"{problem} What was measured now replaces it. ({problem.why.splitlines()[0]})")
            old = None
        if old and record.time is None and old.inputs_sha256 == record.inputs_sha256:
            record = record.model_copy(update={"time": old.time})
        if old is None or not same(old, record) or old.time != record.time:
            write_whole(record.path, as_json(record))
    return old


def save_times(taken: dict[Path, tuple[str, Times]]) -> None:
    """Put times into the records that are in these files now, and change nothing else of them.

    Each comes with the `inputs_sha256` of what was timed. Raises Problem, with all files as they were, when one of them
    is of something else, or is no more.
    """
    with writing(next(iter(taken)).parent):
        there = {path: load(path) for path in taken}
        if other := [shown(path) for path, one in there.items() if not one or one.inputs_sha256 != taken[path][0]]:
            why = "What was built from changed while it was timed, or its record did."
            raise Problem(
                f"No times were recorded: {', '.join(other)} is of something else.", why=why, next="make check"
            )
        for path, record in there.items():
            write_whole(path, as_json(record.model_copy(update={"time": taken[path][1]})))


def save_environment(environment: Environment) -> None:
    """Write an environment's description where it changed. Raises Problem when the one there has other base images."""
    try:
        old = load_environment(environment.name)
    except Problem:
        old = None
    if old and old.bases != environment.bases:
        raise Problem(
            f"The records in {shown(environment.path.parent)}/ are of another kind.",
            why=f"Their base images come from {named(old.bases)}, and here they come from {named(environment.bases)}.",
            next="ENVIRONMENT=another-name make …",
        )
    if old and (other := [f"{name} was {was}" for name, was in old if was != getattr(environment, name)]):
        say(f"{shown(environment.path)} is written anew: {', '.join(other)}. Times of two machines do not compare")
    if old != environment:
        with writing(environment.path.parent):
            write_whole(environment.path, as_json(environment))
