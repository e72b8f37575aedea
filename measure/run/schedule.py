"""In which order a step's variants are built: those for this machine's own platform first, the others beside and after.

Their base images come first of all. As soon as they are there, those for the other platforms are provided at the side.
A build for another platform begins when its bases are there and a core has nothing native to build any more.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from measure.base.platforms import native_platform
from measure.base.progress import ending
from measure.steps.compose import RECOMMENDED, Variant

if TYPE_CHECKING:
    from measure.run.probe import Answer
    from measure.run.step import Outcome, Run

Pair = tuple[Variant, str]
#: Seconds after which the native rows are shown by themselves, where those of the other platforms are not there yet.
EARLY = 5.0


@dataclass
class Sitting:
    """What has come of a step's variants so far."""

    work: Run
    pairs: list[Pair]
    found: dict[tuple[str, str], Outcome] = field(default_factory=dict)
    #: What the recommended one answers, by platform. Asking it for the result raises Problem when it did not answer.
    answers: dict[str, Future[Answer]] = field(default_factory=dict)
    #: The engine's own platform.
    native: str = field(default_factory=lambda: native_platform())
    _building: dict[Future[Outcome], Pair] = field(default_factory=dict)
    #: The pairs whose base images are not there yet, or that wait for a core.
    _waiting: list[Pair] = field(default_factory=list)
    #: The base images for the other platforms, being made at the side.
    _bases: Future[None] = field(default_factory=Future)
    _native_since: float | None = None
    _told: bool = False

    @property
    def outcomes(self) -> list[Outcome]:
        """What is known, in the order of the compose file."""
        return [self.found[v.name, platform] for v, platform in self.pairs if (v.name, platform) in self.found]

    def run(self) -> None:
        """Do everything. Whatever ends it ends all that runs for it, in every thread, before it is raised.

        Raises what `provide` raises, for the other platforms once everything native is known.
        """
        native = [pair for pair in self.pairs if pair[1] == self.native]
        first = native or self.pairs
        self._waiting = [pair for pair in self.pairs if pair not in first]
        self.work.provide(first)
        # Twice as many at a time as there are cores: many wait for a network, or for a layer that another one is
        # building. Of the emulated ones as many as there are cores: the first is asked while others are being built.
        cores = os.cpu_count() or 1
        pools = [ThreadPoolExecutor(number) for number in (2 * cores, cores, 2 * cores, 1)]
        with pools[0] as builds, pools[1] as emulated, pools[2] as starts, pools[3] as side:
            try:
                self._bases = side.submit(self.work.provide, self._waiting)
                self._submit(builds, first)
                while self._step(starts):
                    if self._waiting and self._bases.done() and self._room():
                        self._bases.result()
                        self._submit(emulated, self._waiting)
                        self._waiting = []
            except BaseException:
                ending.set()
                for pool in pools:
                    pool.shutdown(wait=False, cancel_futures=True)
                while any(future.running() for future in (*self._building, *self.answers.values(), self._bases)):
                    self.work.stop()  # again and again: one may just be starting
                    time.sleep(0.1)
                self.work.stop()
                raise

    def _submit(self, builds: ThreadPoolExecutor, pairs: list[Pair]) -> None:
        """Build these; what is started afterwards takes longest, so it is first."""
        for pair in sorted(pairs, key=lambda pair: pair[0].name != RECOMMENDED):
            self._building[builds.submit(self.work.build, *pair)] = pair

    def _step(self, starts: ThreadPoolExecutor) -> bool:
        """Take in what is done, and wait for more, a second at most. Is anything left to do?"""
        running = {*self._building, *(future for future in self.answers.values() if not future.done())}
        if self._waiting and not self._bases.done():
            running.add(self._bases)
        for future in wait(running, timeout=1, return_when=FIRST_COMPLETED).done & set(self._building):
            variant, platform = self._building.pop(future)
            outcome = self.found[variant.name, platform] = future.result()
            self.work.done(outcome)
            if variant.name == RECOMMENDED and outcome.record.outcome == "built":
                self.answers[platform] = starts.submit(self.work.start, outcome)
        left = self._building or self._waiting or any(not future.done() for future in self.answers.values())
        if left and not self._told and self._natively_known():
            failed = self._bases.done() and self._bases.exception()
            if failed or time.monotonic() - self._native_since >= EARLY:
                self._told = True
                self.work.early(self)
        return bool(left)

    def _natively_known(self) -> bool:
        """Is everything known of this machine's own platform, the answer too? Notes since when."""
        here = self.native
        pairs = [(variant.name, platform) for variant, platform in self.pairs if platform == here]
        answered = here not in self.answers or self.answers[here].done()
        if not pairs or not answered or any(pair not in self.found for pair in pairs):
            return False
        self._native_since = self._native_since or time.monotonic()
        return True

    def _room(self) -> bool:
        """May builds for the other platforms begin? Where their bases cannot be had, that is said after the rest."""
        if self._bases.exception():
            return self._natively_known()
        return len(self._building) < (os.cpu_count() or 1)
