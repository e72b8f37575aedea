"""What was built, or failed as it was meant to, today: the builder is not asked for it again.

Each build is remembered in a file of its own beside the layers that it consists of, so that whoever deletes these
forgets it too. The file's name is a hash of all that the build is made from and made by, and of no path: clones share
what they remember, and each writes the record of it whole.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime

from measure.base.errors import Problem
from measure.base.files import write_whole
from measure.base.model import Strict, kept
from measure.build.engine import Engine, image_ids
from measure.build.images import natively, tag
from measure.build.layout import holds, keep, latest, layout, layout_in_use
from measure.record.check import as_intended
from measure.record.records import Record, load, record_path
from measure.run.probe import Answer
from measure.steps.compose import Step, Variant
from measure.steps.inputs import hash_of, inputs_of
from measure.weigh.layers import reader_version

#: For so long. After a day the builder is asked for everything anew, and what is meant to fail is tried again.
HOLDS = timedelta(hours=24)


class Started(Strict):
    """An image in the engine's store that was started, and answered."""

    image: str  #: its ID there
    setting_sha256: str  #: hash of what it was started with
    start: dict
    health: dict
    at: AwareDatetime


class Entry(Strict):
    """What is remembered of a build."""

    record: Record
    #: The image's, in the layout; None for a build that failed.
    digest: str | None = None
    started: Started | None = None


class Memory:
    """What is known of one step's builds without building: by what was built today, and by the records that are there.

    What they are built from is what the files are when it is made.
    """

    def __init__(self, engine: Engine, step: Step) -> None:
        self.engine, self.step = engine, step
        names = {name for variant in step.variants for name in variant.external_images}
        if not step.experiment:
            names |= {tag(step, step.recommended, platform) for platform in engine.platforms}
        #: IDs of what the engine's own store had of it, and of its base images, when the run came to it; by name.
        self.images = image_ids(engine, sorted(names))
        self.inputs = {variant.name: inputs_of(step, variant, engine.recipe) for variant in step.variants}
        #: By variant and platform, as they were before the build. None: it cannot be remembered.
        self._paths: dict[tuple[str, str], Path | None] = {}

    def _holds(self, record: Record | None, variant: Variant) -> bool:
        """Is a record of these files, and as it is meant to be?"""
        same = record is not None and record.inputs_sha256 == self.inputs[variant.name].sha256
        return same and as_intended(record, variant)

    def kept(self, variant: Variant, platform: str) -> Record | None:
        """The record that is there, where a build takes minutes and would make the same; else None.

        Such are the builds that compose.yaml calls not quick, and those that it does not want emulated. What they are
        made from are their inputs, and base images whose recipe is not known, by their digests.
        """
        engine, teaching = self.engine, variant.teaching
        if teaching.quick and (teaching.emulate or natively(engine, platform)):
            return None
        try:
            record = load(record_path(engine.environment, self.step.name, variant.name, platform))
        except Problem:
            return None
        if not self._holds(record, variant):
            return None
        pulled = (base for base in record.provenance.bases if engine.recipe(base.name) is None)
        same = all(base.digest and base.digest == engine.digest(base.name, platform) for base in pulled)
        return record if same else None

    def recall(self, variant: Variant, platform: str) -> Entry | None:
        """What is remembered of a build, where it still counts: it is not too old, and its image is in the layout.

        That then is the variant's latest build here, wherever it was made.
        """
        path = self._paths[variant.name, platform] = self._path(variant, platform)
        entry = _read(path)
        if entry is None or not self._holds(entry.record, variant):
            return None
        if not timedelta(0) <= datetime.now(UTC) - entry.record.provenance.measured_at < HOLDS:
            return None
        if entry.record.size:
            with layout_in_use():
                if not entry.digest or not holds(entry.digest, entry.record.size.layers):
                    return None
                keep(self.step, variant, platform, entry.digest)
        return entry

    def _path(self, variant: Variant, platform: str) -> Path | None:
        """Where a build is remembered; None where a registry does not say which base image it has."""
        engine = self.engine
        # Some builders take a base image from the engine's own store, whatever a registry has under its name now.
        bases = [(engine.digest(name, platform), self.images.get(name)) for name in variant.external_images]
        if any(digest is None for digest, _ in bases):
            return None
        by = [engine.environment, engine.kind, engine.builder, engine.driver, engine.version, engine.buildx]
        made_from = [variant.step, variant.name, platform, self.inputs[variant.name].sha256, bases]
        return layout() / "remembered" / f"{hash_of([*by, reader_version(), *made_from])}.json"

    def unchanged(self, variant: Variant) -> bool:
        """Are the files, read anew, those from before the build?"""
        step = replace(self.step)
        now = inputs_of(step, step.variant(variant.name), self.engine.recipe)
        return now.sha256 == self.inputs[variant.name].sha256

    def remember(self, variant: Variant, platform: str, record: Record) -> None:
        """Remember what `recall` did not know, and was built since, or failed as it was meant to."""
        path = self._paths[variant.name, platform]
        if path is None:
            return
        digest = latest(self.step, variant, platform) if record.size else None
        with layout_in_use():
            if record.size and not (digest and holds(digest, record.size.layers)):
                return
            _write(path, Entry(record=record, digest=digest))
        for other in path.parent.glob("*.json"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - other.stat().st_mtime > HOLDS.total_seconds():
                    other.unlink()

    def loaded(self, variant: Variant, platform: str, entry: Entry | None) -> bool:
        """Has the engine the very image that was started of a remembered build, under the name that people use?"""
        started = entry.started if entry else None
        return started is not None and self.images.get(tag(self.step, variant, platform)) == started.image

    def answer(self, variant: Variant, platform: str, entry: Entry | None) -> Answer | None:
        """What an image that is loaded answered when it was started with all that is there now; None where unknown."""
        if self.loaded(variant, platform, entry) and entry.started.setting_sha256 == self._setting(variant):
            return Answer(entry.started.start, entry.started.health, entry.started.at)
        return None

    def remember_answer(self, variant: Variant, platform: str, answer: Answer) -> None:
        """Remember what the image that was built, or recalled, answered just now, under its name in the engine."""
        path, name = self._paths.get((variant.name, platform)), tag(self.step, variant, platform)
        entry, image, setting = _read(path), image_ids(self.engine, [name]).get(name), self._setting(variant)
        if entry and image and setting and self.unchanged(variant):
            at = datetime.now(UTC).replace(microsecond=0)
            one = Started(image=image, setting_sha256=setting, start=answer.start, health=answer.health, at=at)
            _write(path, entry.model_copy(update={"started": one}))

    def _setting(self, variant: Variant) -> str | None:
        """Hash of all that a variant is started with, but for its image: its folder's files, and what it depends on.

        None where a registry does not say which image that is.
        """
        others = [self.engine.digest(name, self.engine.platform) for name in variant.images]
        files = self.step.now(variant).offered_sha256
        return None if None in others else hash_of([files, self.step.compose_file.read_text(), others])


def _read(path: Path | None) -> Entry | None:
    return kept(Entry, path) if path else None


def _write(path: Path, entry: Entry) -> None:
    with contextlib.suppress(OSError):  # it is built again then
        write_whole(path, entry.model_dump_json())
