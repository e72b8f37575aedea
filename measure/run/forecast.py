"""What `make step-N` is going to do, and about how long that takes: its first line says so."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from measure.base import progress
from measure.base.platforms import PLATFORMS, asked_for, native_platform
from measure.base.progress import expected, known, roughly
from measure.build import lab_engine
from measure.build.layout import latest
from measure.steps.compose import Step

#: What is there already when a run begins; its duration is kept, and looked for in the benchmarks, under that name.
NOTHING, NO_BASES, NOT_BUILT, BUILT = (
    "from nothing", "base images missing", "bases there, nothing built", "nothing changed",
)  # fmt: skip
#: What the native rows' time is kept under, behind the name of the run.
NATIVE = ": native rows"


@dataclass
class Forecast:
    """What is known beforehand of one run, and how long it took afterwards."""

    step: Step
    #: Shows how much is left of the whole run.
    task: progress.Task
    name: str = ""
    _begun: float = field(default_factory=time.monotonic)

    def tell(self, kind: str) -> str:
        """What an engine of this kind, host or lab, will do, and about how long that takes where it is known."""
        images = sorted({name for variant in self.step.variants for name in variant.external_images})
        missing = lab_engine.missing_bases(images) if kind == "lab" else []
        pairs = [(v, platform) for v in self.step.variants for platform in v.platforms(asked_for())]
        built = all(latest(self.step, *pair) for pair in pairs)
        if kind == "lab" and not lab_engine.was_made():
            state = NOTHING
        else:
            state = NO_BASES if missing else BUILT if built else NOT_BUILT
        self.name = self._named(kind, state)
        words = [f"building the base images {' and '.join(missing)} from Debian packages"] if missing else []
        platforms = " and ".join(dict.fromkeys(platform for _, platform in pairs))
        look = "looking whether anything has changed in" if state == BUILT else "building"
        words.append(f"{look} the {len(self.step.variants)} images of {self.step.name} for {platforms}")
        return ", then ".join(words) + self._time(kind, state)

    def keep(self, part: str = "") -> None:
        """Keep how long this run took until now: until its end, or until the part that is called so."""
        progress.remember(self.name + part, time.monotonic() - self._begun)

    def _named(self, kind: str, state: str) -> str:
        """Name of a run of this kind: with less to build it is another one."""
        less = "" if asked_for() == list(PLATFORMS) else f", {' '.join(asked_for())} alone"
        quick = ", QUICK=1" if self.step.quick else ""
        return f"{self.step.command}{'' if kind == 'lab' else f' ({kind})'}{less}{quick}, {state}"

    def _time(self, kind: str, state: str) -> str:
        """About how long it takes, in words; '' where nobody knows."""
        # What was interrupted takes no longer than all of it.
        names = [self.name, *([self._named(kind, NOTHING)] if state == NO_BASES else [])]
        name = next((one for one in names if expected(one)), None)
        if name is None:
            return ""
        self.task.expected_s, (seconds, source) = expected(self.name), known(name)
        words = f": {'at most ' if name != self.name else ''}{roughly(seconds)} ({source})"
        if native := expected(name + NATIVE):
            words += f", the rows of {native_platform()} after {roughly(native)}"
        if state != BUILT and (again := expected(self._named(kind, BUILT))):
            words += f"; the same again takes {roughly(again)}"
        return words
