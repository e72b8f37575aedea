"""Folklore, measured: advice as people state it, and a verdict on each that is computed from records.

folklore/claims.toml has the claims. What decides one is an expression, written like Python and run by Jinja in its
sandbox: it can compare and count, and call the functions of `Facts`, nothing else. It is computed whenever the site is
built, so a verdict is never older than its records. A record that is missing or stale decides nothing: undecided.
"""

from __future__ import annotations

import copy
import tomllib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self

from jinja2 import StrictUndefined, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import Field, ValidationError, model_validator

from measure.base.errors import Problem
from measure.base.files import ROOT, shown
from measure.base.model import Strict
from measure.base.platforms import PLATFORMS
from measure.base.units import megabytes
from measure.record import then
from measure.record.records import Record
from measure.steps.compose import find_step
from measure.studies.fidelity import model as fidelity
from measure.studies.recipes import model as recipes
from measure.studies.wheels import model as wheels
from measure.studies.wheels.model import Libc, Machine

if TYPE_CHECKING:
    from measure.tell.pages import Page, Records

CLAIMS = ROOT / "folklore/claims.toml"
Verdict = Literal["holds", "it depends", "no longer", "undecided"]
#: What an expression or words that are written wrongly end in.
_WRONG = (TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
VERDICTS: tuple[Verdict, ...] = ("holds", "it depends", "no longer", "undecided")


class Means(Strict):
    """What each outcome means, in Markdown; numbers are expressions, as on a page."""

    holds: str
    no_longer: str
    depends: str | None = None


class Claim(Strict):
    """A piece of advice, as people state it."""

    #: The anchor that people link to: it stays as it is.
    id: str = Field(pattern=r"^[a-z][a-z0-9-]+$")
    theme: str
    #: The advice, in the words it was given in (… where some are left out), or else as one usually hears it.
    says: str
    #: Is it somebody's words, letter by letter?
    quoted: bool = True
    #: Who said it, and where; or that it is as one usually hears it.
    who: str
    #: A date as precise as it is known, like 2021-07; or `undated`, where the source shows none or there is no source.
    when: str = Field(pattern=r"^(undated|\d{4}(-\d\d(-\d\d)?)?)$")
    url: str | None = Field(default=None, pattern=r"^https://")
    #: The claim holds if this expression is true;
    holds: str
    #: else it depends if this one is; else it holds no longer.
    depends: str | None = None
    means: Means
    #: What is not measured yet. A claim without it must be decided: a test says so.
    waits_for: str | None = None

    @model_validator(mode="after")
    def _in_step(self) -> Self:
        if self.quoted and not self.url:
            raise ValueError("what is quoted has a `url`; what is not says `quoted = false`")
        if (self.depends is None) != (self.means.depends is None):
            raise ValueError("`depends` and `means.depends` come together")
        return self


class WrongClaim(Problem):
    """A claim is written wrongly: nothing that measuring could mend."""

    def __init__(self, claim: Claim, error: Exception, where: str) -> None:
        super().__init__(f"The claim {claim.id}: {error}", why=f"in {where}", next=f"mend {shown(CLAIMS)}")


@dataclass(frozen=True)
class Decided:
    """A claim with its verdict. All texts are Markdown."""

    claim: Claim
    verdict: Verdict
    #: What the verdict means; where there is none, why.
    words: str
    #: Links to the records that it rests on.
    records: list[str]
    #: What to type to take those records again.
    commands: list[str]


def claims() -> list[Claim]:
    """The claims by theme, else in the file's order. Raises Problem when the file is not valid."""
    try:
        found = [Claim.model_validate(row) for row in tomllib.loads(CLAIMS.read_text())["claim"]]
    except (tomllib.TOMLDecodeError, KeyError, ValidationError) as error:
        raise Problem(f"{shown(CLAIMS)} is not valid.", why=str(error), next=f"mend {shown(CLAIMS)}") from None
    names = [claim.id for claim in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise Problem(f"{shown(CLAIMS)} has {twice[0]} twice.", next=f"mend {shown(CLAIMS)}")
    themes = [claim.theme for claim in found]
    return sorted(found, key=lambda claim: themes.index(claim.theme))


class Seen:
    """Records that remember which of them were asked for."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.environment = records.environment
        self.native = records.native
        self.asked: dict[tuple[str, str, str], Record] = {}

    def get(self, name: str, platform: str = PLATFORMS[0]) -> Record:
        """The record of STEP/VARIANT. Raises Problem when it does not hold."""
        record = self._records.get(name, platform)
        self.asked[record.step, record.variant, record.platform] = record
        return record


@dataclass
class Facts:
    """What an expression can ask. Each function gives a plain number, a truth or a list; sizes are in bytes.

    They raise Problem when a record does not hold, and note what was asked for.
    """

    page: Page
    files: dict[str, None] = field(default_factory=dict)
    commands: dict[str, None] = field(default_factory=dict)

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The functions by name: all that an expression may name."""
        names = ("adds", "base", "built_with", "count", "failed", "folder", "has", "has_wheel", "layer", "ratio",
                 "seconds", "size", "then", "wheel", "wheels")  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def _of_file(self, path: Any, command: str) -> None:
        self.files[self.page._file(path, f"`{path.name}`")] = None
        self.commands[command] = None

    def size(self, name: str, kind: str = "transfer", platform: str = PLATFORMS[0]) -> int:
        """A size of an image: transfer, unpacked, wasted, or a field's name, like context_bytes or pyc_bytes."""
        return self.page._get(name, platform, kind)[1]

    def count(self, name: str, what: str, platform: str = PLATFORMS[0]) -> int:
        """How many there are in an image: os_packages, python_packages, setuid_files."""
        return len(getattr(self.page._get(name, platform, "files")[0].contents, what))

    def has(self, name: str, what: str, platform: str = PLATFORMS[0]) -> bool:
        """Is there a compiler, a shell, a pip, or a Python package of this name in an image?"""
        inside = self.page._get(name, platform, "files")[0].contents
        if what in ("compiler", "shell", "pip"):
            return getattr(inside, f"has_{what}")
        return any(package.name.lower() == what for package in inside.python_packages)

    def failed(self, name: str, words: str = "", platform: str = PLATFORMS[0]) -> bool:
        """Did the build fail, with these words in the line that tells why?"""
        failure = self.page.records.get(name, platform).failure
        return failure is not None and words in failure.line

    def layer(self, name: str, words: str, kind: str = "unpacked_tar_bytes") -> int:
        """A size of the one layer of an image whose instruction has these words."""
        record = self.page.records.get(name)
        (found,) = [one for one in record.size.layers if words in one.created_by and not one.of_base]
        return getattr(found, kind)

    def folder(self, name: str, path: str) -> int:
        """Bytes of the files in one of an image's folders, of those that a record lists."""
        return self.page.records.get(name).contents.directories[path]

    def seconds(self, name: str, kind: str) -> float:
        """The median of what was timed: cold, edit, lock, start, or what the application reports."""
        record, found = self.page._samples(name, kind)
        self.commands[find_step(record.step).timing_command] = None
        return found.median

    def ratio(self, slow: str, fast: str, kind: str, of: str | None = None) -> float:
        """How many times as long one thing takes as another; `of` is the second one's kind of time, if it differs.

        Raises Problem, as for a missing record, when the two were not timed in one sitting.
        """
        asked = ((slow, kind), (fast, of or kind))
        self.page._of_one_sitting(*(self.page._samples(*one)[0] for one in asked))
        above, below = (self.seconds(*one) for one in asked)
        return above / below

    def has_wheel(self, package: str, libc: Libc, machine: Machine = "x86_64") -> bool:
        """Has the latest version of a package a wheel?"""
        row = wheels.complete().package(package)
        self._of_file(wheels.record_path(), f"make wheels PACKAGES={package}")
        if row is None:
            raise Problem(f"No one asked for wheels of {package}.", next=f"make wheels PACKAGES={package}")
        return row.state(libc, machine) == "yes"

    def wheel(self, package: str, libc: Libc, machine: Machine = "x86_64") -> int:
        """Bytes of the wheel of a package's latest version."""
        row = wheels.complete().package(package)
        if not self.has_wheel(package, libc, machine) or (found := row.answer(libc, machine).wheel.bytes) is None:
            raise Problem(f"There is no size of a {libc} wheel of {package}.", next=f"make wheels PACKAGES={package}")
        return found

    def wheels(self, libc: Libc, machine: Machine = "x86_64") -> int:
        """Of how many of the listed packages is there a wheel of the latest version?"""
        table = wheels.complete()
        self._of_file(wheels.record_path(), "make wheels")
        return sum(row.state(libc, machine) == "yes" for row in table.packages)

    def _recipe(self, package: str) -> recipes.RecipeRecord:
        environment = self.page.records.environment
        found = recipes.complete(environment).recipe(package)
        self._of_file(recipes.record_path(environment), f"make recipes NAME={package}")
        if found is None or found.built is None:
            raise Problem(f"{package} has no proved recipe.", next=f"make recipes NAME={package}")
        return found

    def built_with(self, package: str) -> list[str]:
        """The apt packages that building a Python package from source takes, as proved."""
        return self._recipe(package).recipe.build

    def adds(self, package: str, kind: str = "unpacked_tar_bytes") -> int:
        """What those add to an image, with all that they bring along."""
        return getattr(self._recipe(package).built.build_cost, kind)

    def base(self, image: str, kind: str = "file_bytes") -> int:
        """A published size of an official base image on amd64."""
        found = fidelity.load()
        self._of_file(fidelity.record_path(), "make lab-fidelity")
        if changed := fidelity.changed(found):
            why = f"the recipes of {', '.join(changed)} changed"
            raise Problem(f"{shown(fidelity.record_path())} is stale.", why=why, next="make lab-fidelity")
        (one,) = [one for one in found.comparisons if (one.image, one.platform) == (image, PLATFORMS[0])]
        return getattr(one.official, kind)

    def then(self, title: str) -> int:
        """Bytes of an old image, as somebody told them (measure/record/then.toml)."""
        (found,) = {image.bytes for source in then.sources() for image in source.image if image.title == title}
        return found


def _sandbox() -> ImmutableSandboxedEnvironment:
    """Jinja with nothing in it but the language."""
    found = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    found.globals.clear()
    return found


def _true(claim: Claim, expression: str, facts: Facts) -> bool:
    """Is an expression true? Raises Problem, which names the claim, when it is no expression that can be."""
    sandbox, functions = _sandbox(), facts.functions()
    try:
        unknown = meta.find_undeclared_variables(sandbox.parse(f"{{{{ {expression} }}}}")) - functions.keys()
        if unknown:
            raise TypeError(f"there is no {', '.join(sorted(unknown))}; there is {', '.join(functions)}")
        found = sandbox.compile_expression(expression, undefined_to_none=False)(**functions)
        if not isinstance(found, bool):
            raise TypeError(f"{found!r} is neither true nor false")
    except _WRONG as error:
        raise WrongClaim(claim, error, expression) from None
    return found


def outcome(claim: Claim, facts: Facts) -> Verdict:
    """The verdict on a claim. Raises Problem when a record does not hold, or an expression is wrong."""
    if _true(claim, claim.holds, facts):
        return "holds"
    return "it depends" if claim.depends and _true(claim, claim.depends, facts) else "no longer"


def told(claim: Claim, verdict: Verdict, facts: Facts) -> str:
    """What a verdict means, with its numbers filled in. Raises Problem as `outcome` does."""
    words = {"holds": claim.means.holds, "it depends": claim.means.depends, "no longer": claim.means.no_longer}[verdict]
    page = facts.page

    def times(large: str, small: str, kind: str = "transfer") -> str:
        """How many times as large one image is as another."""
        (_, a), (record, b) = page._get(large, PLATFORMS[0], kind), page._get(small, PLATFORMS[0], kind)
        return page._number(f"{a / b:.1f} times", record, f"{a:,} bytes against {b:,} bytes")

    def count(name: str, what: str) -> str:
        """How many there are in an image."""
        return page._number(str(facts.count(name, what)), page.records.get(name), what.replace("_", " "))

    def base(image: str) -> str:
        """The published unpacked size of an official base image."""
        return page._file(fidelity.record_path(), megabytes(facts.base(image)).replace(" ", "&nbsp;"))

    more = {"times": times, "count": count, "base": base, "then": lambda title: megabytes(facts.then(title)),
            "with_wheels": lambda *target: str(facts.wheels(*target)),
            "built_with": lambda package: f"`{' '.join(facts.built_with(package))}`"}  # fmt: skip
    try:
        return _sandbox().from_string(words or "").render(page.functions() | more).strip()
    except _WRONG as error:
        raise WrongClaim(claim, error, words or "") from None


def decide(claim: Claim, page: Page) -> Decided:
    """Compute the verdict on a claim for a page. Raises Problem, which names the claim, when it is written wrongly."""
    asking = copy.copy(page)
    asking.records = Seen(page.records)
    asking.timed = defaultdict(list)  # a claim is decided by what it asks for itself
    facts = Facts(asking)
    try:
        verdict = outcome(claim, facts)
        words = told(claim, verdict, facts)
    except WrongClaim:
        raise
    except Problem as problem:
        waits = f" It waits for {claim.waits_for}." if claim.waits_for else ""
        because = f": {problem.why.splitlines()[0].rstrip('.')}" if problem.why and not waits else ""
        commands = [] if problem.next in ("make help", "make steps") else [problem.next]
        return Decided(claim, "undecided", f"{problem.what.rstrip('.')}{because}.{waits}", [], commands)
    records = asking.records.asked.values()
    steps = [find_step(record.step) for record in records]
    measuring = [step.command for step in steps if step.timing_command not in facts.commands]
    links = [asking._record_link(record) for record in records]
    return Decided(claim, verdict, words, [*links, *facts.files], list(dict.fromkeys([*measuring, *facts.commands])))
