"""When have two variants been timed often enough to be compared? A rule for stopping, and what it found.

Two variants take turns, so that sample i of one and sample i of the other met the same machine. What is looked at is
the logarithm of their ratio, turn by turn: the mean of these, and Student's interval around it (paired observations:
NIST/SEMATECH e-Handbook of Statistical Methods, 7.3.1.1; the quantiles are from its table 1.3.6.7.2). The comparison
is finished when the interval leaves out 1, or when it has shrunk into what is called alike; else it goes on, and gives
up in the end. Of builds, it is looked at after three, four and five turns. An interval of 98 in 100 errs twice in 100
looks, so those three err together in at most 6 of 100 (Bonferroni's inequality).

A ratio and not a difference, because a busy hour slows both by a factor. One sample that waited for something widens
the interval, so it asks for more samples and settles nothing.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from typing import Literal

from measure.base.model import Strict

#: Student's t for an interval of 98 in 100, by degrees of freedom: one less than there are pairs.
QUANTILES = {1: 31.821, 2: 6.965, 3: 4.541, 4: 3.747, 5: 3.365, 6: 3.143, 7: 2.998, 8: 2.896}
LEVEL = 0.98

Found = Literal["differs", "alike", "open"]


class Rule(Strict):
    """When to stop. What the numbers mean is told in this module's docstring."""

    name: Literal["paired-ratios"] = "paired-ratios"
    #: How often in a hundred an interval has what it is to have in it.
    level: float = LEVEL
    #: Samples that each variant gets before anything is decided, and at most.
    least: int = 3
    most: int
    #: Two are alike when they differ by less than this part, or by less than so many seconds.
    margin: float = 0.1
    margin_s: float = 0
    #: Seconds: after two variants took so long together, of one kind, they get no more than `least`; where each turn
    #: takes so long, two are enough when they are decided.
    spent_s: float | None = None


#: A quarter of a second is what nobody waits for, after a change.
BUILDS = Rule(most=5, margin_s=0.25, spent_s=60)
STARTS = Rule(most=7)
MEMORY = Rule(most=5)


class Compared(Strict):
    """A variant against another one, of the same sitting: the ratio of what they took, with its interval."""

    against: str
    #: The other one's, in the unit of the samples.
    median: float
    #: How many times as much as the other one: the mean over the turns, and how low and how high it may be.
    ratio: float
    low: float
    high: float
    found: Found


def compare(against: str, ours: list[float], theirs: list[float], rule: Rule) -> Compared | None:
    """Compare samples, paired by their order, with those of `against`; None for fewer than two pairs, or too many."""
    ratios = [math.log(a / b) for a, b in zip(ours, theirs, strict=False)]
    if len(ratios) - 1 not in QUANTILES:
        return None
    mean = statistics.fmean(ratios)
    half = QUANTILES[len(ratios) - 1] * statistics.stdev(ratios) / math.sqrt(len(ratios))
    ratio, low, high = (float(f"{math.exp(one):.4g}") for one in (mean, mean - half, mean + half))
    median = statistics.median(theirs[: len(ratios)])
    alike = math.log1p(max(rule.margin, rule.margin_s / median))
    differs = abs(mean) > half
    inside = abs(mean) + half < alike
    found: Found = "differs" if differs else "alike" if inside else "open"
    median = float(f"{median:.4g}")
    return Compared(against=against, median=median, ratio=ratio, low=low, high=high, found=found)


def finished(ours: list[float], theirs: list[float], rule: Rule) -> bool:
    """Need two variants no more samples of a kind? They are decided, or there is no more time to spend on them."""
    pairs = min(len(ours), len(theirs))
    spent = sum(ours[:pairs]) + sum(theirs[:pairs])
    limit = math.inf if rule.spent_s is None else rule.spent_s
    if pairs >= rule.most or (pairs >= rule.least and spent > limit):
        return True
    if pairs < (2 if spent > pairs * limit else rule.least):
        return False
    found = compare("", ours, theirs, rule)
    return found is not None and found.found != "open"


class Turns:
    """Who still takes turns in a sitting, and the samples that were taken.

    `kinds` are those of each variant; `against` says with which others it is compared. What is compared with nothing
    gets as many samples as the rule has at most.
    """

    def __init__(self, rule: Rule, kinds: dict[str, list[str]], against: dict[str, list[str]]) -> None:
        self.rule = rule
        self.kinds = kinds
        #: By variant and kind.
        self.samples: dict[str, defaultdict[str, list[float]]] = {name: defaultdict(list) for name in kinds}
        #: Kind, variant, other variant: all that is compared.
        self.pairs = [
            (kind, name, other)
            for name in kinds for other in against.get(name, []) for kind in kinds[name] if kind in kinds.get(other, [])
        ]  # fmt: skip
        self._open = set(self.pairs)
        compared = {(kind, name) for kind, *both in self.pairs for name in both}
        self._alone = {(kind, name) for name in kinds for kind in kinds[name]} - compared

    def wants(self, variant: str, *kinds: str) -> bool:
        """Has a variant to be timed once more, of one of these kinds?"""
        return any(variant in both and kind in kinds for kind, *both in self._open) or any(
            (kind, variant) in self._alone for kind in kinds
        )

    def end(self) -> bool:
        """End a turn: close what is finished, for good, so that samples stay paired. Returns whether one follows."""
        self._open = {
            (kind, one, other) for kind, one, other in self._open
            if not finished(self.samples[one][kind], self.samples[other][kind], self.rule)
        }  # fmt: skip
        self._alone = {one for one in self._alone if not self._alone_finished(*one)}
        return bool(self._open or self._alone)

    def _alone_finished(self, kind: str, variant: str) -> bool:
        taken = self.samples[variant][kind]
        spent = self.rule.spent_s is not None and sum(taken) > self.rule.spent_s
        return len(taken) >= (self.rule.least if spent else self.rule.most)

    def compared(self, variant: str) -> dict[str, list[Compared]]:
        """What a variant's samples say against those of others, by kind."""
        found: defaultdict[str, list[Compared]] = defaultdict(list)
        for kind, name, other in self.pairs:
            if name == variant and (
                one := compare(other, self.samples[name][kind], self.samples[other][kind], self.rule)
            ):
                found[kind].append(one)
        return dict(found)
