"""Goal by goal: what holds, in numbers, and what in the image is to blame."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from measure.base.platforms import PLATFORMS, native_platform
from measure.base.units import megabytes
from measure.build.images import BuildError
from measure.exercises.model import Goals
from measure.exercises.trying import Tried
from measure.mine.model import Line, Report, plain

#: A line of a builder's log that says what went wrong, and one that only says that something did.
_FAULT = re.compile(r"\berror\b|not found|no such|denied|unable|cannot|failed to", re.IGNORECASE)
_NOISE = re.compile(r"subprocess|finished with status|did not complete successfully")


@dataclass(frozen=True)
class Verdict:
    """Whether a goal holds: what the reader's image has, what it should have, and why it has not."""

    goal: str
    what: str
    holds: bool
    you: str
    should: str
    because: str = ""


def judge(goals: Goals, tried: Tried) -> list[Verdict]:
    """A verdict for each goal, in order; the first one alone where it does not build."""
    if tried.failure:
        return [Verdict("builds", "it builds", False, "no", "yes", "\n".join(in_short(tried.failure, tried.where)))]
    return [Verdict("builds", "it builds", True, "yes", "yes"), *_behaviour(goals, tried), *_sizes(goals, tried),
            *_contents(goals, tried)]  # fmt: skip


def in_short(error: BuildError, where: dict[str, str]) -> list[str]:
    """The line that failed, by `where` each stands, and what of the builder's own words tells of a fault."""
    said = error.own_lines or error.log
    instruction = " ".join(said[0].partition("] ")[2].split()) if error.own_lines else ""
    told = [line.strip() for line in said[1 if instruction else 0 :] if _FAULT.search(line) and not _NOISE.search(line)]
    place = where.get(instruction, "")
    first = [f"{place} {plain(instruction, 80)}".strip()] if instruction else []
    return [*first, *dict.fromkeys(plain(line, 200) for line in [*told[:4], *told[-2:]] or said[-3:])]


def _behaviour(goals: Goals, tried: Tried) -> Iterator[Verdict]:
    started = tried.started
    if started is None:
        return
    for path, words in goals.answers.items():
        status, text = started.answers.get(path, (0, ""))
        you = f"{status} {plain(text, 60)}" if status else started.trouble or "not asked"
        should = f"200, with “{words}”" if words else "200"
        holds = status == 200 and words in text
        yield Verdict("answers", f"it answers on {path}", holds, you, should, "" if holds else started.logs)
    for goal, what, seconds, bound in (
        ("healthy_s", "its health check succeeds", started.healthy_s, goals.healthy_s),
        ("stops_s", "it ends after SIGTERM", started.stopped_s, goals.stops_s),
    ):
        if bound is not None:
            you = f"after {seconds:.1f} s" if seconds is not None else f"not within {bound:g} s"
            because = "" if seconds is not None else _why_late(goal, tried.report)
            yield Verdict(goal, what, seconds is not None, you, f"within {bound:g} s", because)


def _why_late(goal: str, report: Report) -> str:
    if goal == "stops_s" and report.facts.shell_form:
        return f"a shell is process 1, and gets the signal: {report.facts.command}"
    return f"it runs: {report.facts.command}" if goal == "stops_s" else "there is no HEALTHCHECK, or it fails"


def _own(report: Report) -> list[Line]:
    return [line for line in report.lines if not line.of_base]


def _heaviest(report: Report, size: Callable[[Line], int]) -> str:
    line = max(report.lines, key=size, default=None)
    if line is None or not size(line):
        return ""
    return f"your line {line.where} `{plain(line.instruction, 50)}` has {megabytes(size(line))} of it"


def _sizes(goals: Goals, tried: Tried) -> Iterator[Verdict]:
    report = tried.report
    cached = {name: size for name, size in report.facts.caches.items() if size}
    largest = sorted(tried.context.largest.items(), key=lambda one: -one[1])[:3]
    for goal, what, size, because in (
        ("transfer_mb", "transfer", report.sizes.transfer_bytes or 0,
         _heaviest(report, lambda line: line.transfer_bytes or 0)),
        ("own_mb", "transfer of your own lines", sum(line.transfer_bytes or 0 for line in _own(report)),
         _heaviest(report, lambda line: 0 if line.of_base else line.transfer_bytes or 0)),
        ("hidden_mb", "hidden by later lines", sum(line.hidden_bytes for line in _own(report)),
         _heaviest(report, lambda line: 0 if line.of_base else line.hidden_bytes)),
        ("caches_mb", "caches in the image", sum(cached.values()), ", ".join(cached)),
        ("context_mb", "build context", tried.context.bytes,
         ", ".join(f"{path} {megabytes(number)}" for path, number in largest)),
    ):  # fmt: skip
        bound = getattr(goals, goal)
        if bound is not None:
            holds = size <= bound * 1e6
            yield Verdict(goal, what, holds, megabytes(size), f"at most {bound:g} MB", "" if holds else because)


def _contents(goals: Goals, tried: Tried) -> Iterator[Verdict]:
    report, facts = tried.report, tried.report.facts
    if goals.non_root:
        number = facts.user.partition(":")[0]
        holds = number.isdigit() and number != "0"
        because = "" if holds else _why_root(number)
        yield Verdict("non_root", "user", holds, facts.user, "a number that is not root's", because)
    there = {"compiler": facts.has_compiler, "pip": bool(_own_pips(report)), "shell": facts.has_shell}
    for name in goals.without:
        because = "" if not there[name] else _brings(report, name)
        yield Verdict("without", f"no {name}", not there[name], "there" if there[name] else "none", "none", because)
    names = {one.name.lower(): one for one in report.packages if one.kind == "python" and not one.of_base}
    for name in goals.without_packages:
        because = f"brought by {', '.join(names[name].brought_by) or 'your list'}" if name in names else ""
        you = f"{name} {names[name].version}" if name in names else "none"
        yield Verdict("without_packages", f"no {name}", name not in names, you, "none", because)
    for goal, patterns in (("absent", goals.absent), ("present", goals.present)):
        for pattern in (one.format(**processors()) for one in patterns):
            found = [path for path in tried.paths if fnmatchcase(path, pattern)]
            you = f"{plain(found[0], 80)}{f' and {len(found) - 1} more' if found[1:] else ''}" if found else "none"
            holds, should = bool(found) == (goal == "present"), "none" if goal == "absent" else "there"
            yield Verdict(goal, f"files {pattern}", holds, you, should)
    yield from _rest(goals, tried)


def _rest(goals: Goals, tried: Tried) -> Iterator[Verdict]:
    if goals.again_part is not None:
        cold, again = sum(tried.cold.values()), sum(tried.again.values())
        holds, you = again <= goals.again_part * cold, f"{again:.1f} s, where a build from nothing takes {cold:.1f} s"
        because = "\n".join(f"Dockerfile:{line} was made again: {spent:.1f} s" for line, spent in tried.again.items())
        should = f"at most {goals.again_part:.0%} of that"
        yield Verdict("again_part", "built after one more line of code", holds, you, should, "" if holds else because)
    if goals.pinned:
        own = [one for one in tried.report.packages if one.kind == "python" and not one.of_base]
        loose = [f"{one.name}=={one.version}" for one in own if not _is_pinned(one.name, one.version, tried)]
        because = f"not in requirements.txt: {' '.join(loose)}" if loose else ""
        you = f"{len(own) - len(loose)} of {len(own)}"
        yield Verdict("pinned", "packages with their exact version", not loose, you, "all", because)
    for target, error in tried.targets.items():
        because = "\n".join(in_short(error, tried.where)) if error else ""
        yield Verdict("targets", f"the stage {target} builds", not error, "no" if error else "yes", "yes", because)
    if goals.secret:
        you = ", ".join(tried.leaks) or "nowhere"
        yield Verdict("secret", "the token can be read in", not tried.leaks, you, "nowhere")


def _why_root(user: str) -> str:
    if user in ("root", "0"):
        return "no USER line, or it says root: whoever breaks in may do all"
    return "a name says nothing to Kubernetes: it wants to see a number"


def _is_pinned(name: str, version: str, tried: Tried) -> bool:
    loosely = re.sub(r"[-_.]+", "[-_.]+", re.escape(name).replace("\\-", "-").replace("\\.", "."))
    return bool(re.search(rf"(?im)^{loosely}(\[.*\])?=={re.escape(version)}(\s|;|$)", tried.requirements))


def processors() -> dict[str, str]:
    """How names of compiled files call this machine's processor, and the other one."""
    names = ["x86_64", "aarch64"]
    native, other = names if native_platform() == PLATFORMS[0] else names[::-1]
    return {"native": native, "other": other}


def _own_pips(report: Report) -> list[str]:
    """Where pip is that your own lines bring."""
    return [one.location for one in report.packages if one.name == "pip" and one.kind == "python" and not one.of_base]


def _brings(report: Report, name: str) -> str:
    if name == "pip":
        return f"in {', '.join(_own_pips(report))}"
    packages = [one.name for one in report.packages if one.kind == "os" and one.development]
    in_base = all(one.of_base for one in report.packages if one.name in packages)
    return f"{', '.join(packages[:4])}{': the base brings them' if in_base else ''}" if packages else ""
