"""What grew since another report of an image, and a budget: what an image may cost, in a file beside its Dockerfile.

transfer = "60 MB"
unpacked = "150 MB"
hidden = "1 MB"          # files that a later line hides
context = "5 MB"         # what the ignore file lets through
packages = 20            # Python packages that own lines bring
forbidden = ["pytest", "gcc"]
root = false             # the user may not be root
growth = "2 %"           # of transfer, against the image that --against names
edit = "30 %"            # seconds of a build after an edit, of those of a cold one: with --time

[platform."linux/arm64"]
transfer = "62 MB"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from packaging.utils import canonicalize_name
from pydantic import BeforeValidator, ValidationError

from measure.base.errors import Problem, say
from measure.base.model import Strict, reasons
from measure.base.platforms import normal
from measure.base.units import megabytes
from measure.mine.model import Breach, Growth, Line, Report

_UNITS = {"": 1, "b": 1, "kb": 1000, "mb": 10**6, "gb": 10**9, "kib": 1024, "mib": 1024**2, "gib": 1024**3}


def _bytes(value: Any) -> Any:
    """Bytes of a size as people write it: 60 MB, 1.5 GiB."""
    match = (
        re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]?i?b?)\s*", value, re.IGNORECASE) if isinstance(value, str) else None
    )
    if match and match[2].lower() in _UNITS:
        return round(float(match[1]) * _UNITS[match[2].lower()])
    return value


def _part(value: Any) -> Any:
    """2 % as a part of one. Raises ValueError for a number that can only be meant as percent."""
    if isinstance(value, int | float) and value > 1:
        raise ValueError(f'a number is a part of one: write "{value:g} %"')
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", value) if isinstance(value, str) else None
    return float(match[1]) / 100 if match else value


Size = Annotated[int, BeforeValidator(_bytes)]
Part = Annotated[float, BeforeValidator(_part)]


class Limits(Strict):
    """What may be limited; what is left out is not."""

    transfer: Size | None = None
    unpacked: Size | None = None
    hidden: Size | None = None
    context: Size | None = None
    packages: int | None = None
    forbidden: list[str] | None = None
    root: bool | None = None
    growth: Part | None = None
    edit: Part | None = None


class Budget(Limits):
    """The limits for every platform, and those that differ for one."""

    platform: dict[str, Limits] = {}  # noqa: RUF012 - pydantic copies it

    def on(self, platform: str | None) -> Limits:
        """The limits for one platform."""
        own = next((limits for name, limits in self.platform.items() if normal(name) == platform), Limits())
        return Limits(**{**self.model_dump(exclude={"platform"}), **own.model_dump(exclude_none=True)})


def read_budget(path: Path) -> Budget:
    """The budget in a file. Raises Problem when it is none."""
    try:
        return Budget.model_validate(tomllib.loads(path.read_text()))
    except FileNotFoundError:
        raise Problem(f"There is no file {path}.", next="the same command with --budget and the file's path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Problem(f"{path} is no TOML.", why=str(error), next=f"mend {path}") from None
    except ValidationError as error:
        raise Problem(f"{path} is no budget.", why=reasons(error), next=f"mend {path}") from None


def breaches(budget: Budget, report: Report, before: Report | None = None) -> list[Breach]:
    """What of a report is over the budget, and the line that is to blame: what grew most, else the heaviest."""
    limits = budget.on(report.platform)
    of_image = limits.model_dump(exclude_none=True, exclude={"context", "edit"})
    if of_image and not report.sizes:
        raise Problem(
            f"The budget limits {', '.join(of_image)}, and no image was weighed.",
            why="A folder alone tells its build context.",
            next="measure-mine FOLDER --build --budget budget.toml",
        )
    if limits.context is not None and not report.context:
        say("the budget limits context, which no archive tells: measure-mine FOLDER does")
    if limits.growth is not None and not before:
        say("the budget limits growth, and nothing is named with --against")
    return [*_sizes(limits, report, before), *_contents(limits, report), *_seconds(limits, report)]


def _sizes(limits: Limits, report: Report, before: Report | None) -> Iterator[Breach]:
    sizes = report.sizes
    if sizes:
        found = {"transfer": sizes.transfer_bytes, "unpacked": sizes.unpacked_tar_bytes, "hidden": sizes.hidden_bytes}
        for name, value in found.items():
            limit = getattr(limits, name)
            if limit is None:
                continue
            if value is None:
                raise Problem(
                    f"The budget limits {name}, and this archive does not tell it.",
                    why="Its layers are not compressed, as docker save writes them.",
                    next="docker buildx build --output type=oci,dest=image.tar .  # an archive that tells it",
                )
            if value > limit:
                told = f"{name} {megabytes(value)}, and {megabytes(limit)} are allowed"
                yield Breach(limit=name, told=told, blame=blame(report, name))
        if limits.growth is not None and before and before.sizes:
            old, new = before.sizes.transfer_bytes, sizes.transfer_bytes
            kind = "transfer"
            if old is None or new is None:
                old, new, kind = before.sizes.unpacked_tar_bytes, sizes.unpacked_tar_bytes, "unpacked"
            if new > old * (1 + limits.growth):
                told = f"{kind} grew by {(new - old) / old:.1%}, and {limits.growth:.1%} are allowed"
                yield Breach(limit="growth", told=told, blame=blame(report, kind))
    if limits.context is not None and report.context and report.context.bytes > limits.context:
        largest = next(iter(report.context.largest), "")
        told = f"context {megabytes(report.context.bytes)}, and {megabytes(limits.context)} are allowed"
        yield Breach(limit="context", told=told, blame=f"the largest file is {largest}")


def _contents(limits: Limits, report: Report) -> Iterator[Breach]:
    own = [one for one in report.packages if not one.of_base]
    python = [one for one in own if one.kind == "python"]
    if limits.packages is not None and len(python) > limits.packages:
        newest = ", ".join(row.where for row in report.growth if row.kind == "package" and row.is_new)
        told = f"{len(python)} Python packages, and {limits.packages} are allowed"
        yield Breach(limit="packages", told=told, blame=f"new: {newest}" if newest else "")
    for name in limits.forbidden or ():
        for one in (one for one in own if canonicalize_name(one.name) == canonicalize_name(name)):
            brought = f"{' → '.join(one.brought_by)} brings it" if one.brought_by else "it was asked for itself"
            yield Breach(limit="forbidden", told=f"{one.name} {one.version} is in the image", blame=brought)
    if limits.root is False and report.facts and report.facts.user.partition(":")[0] in ("root", "0"):
        yield Breach(limit="root", told="the image runs as root", blame="add a line with USER")


def _seconds(limits: Limits, report: Report) -> Iterator[Breach]:
    if limits.edit is None:
        return
    if not (timed := report.timed):
        raise Problem(
            "The budget limits edit, and no build was timed.",
            why="It bounds the seconds of a build after an edit, as a part of those of a cold one.",
            next="measure-mine FOLDER --time --budget budget.toml",
        )
    if timed.edit_part > limits.edit:
        told = f"a build after an edit takes {timed.edit_part:.0%} of a cold one, and {limits.edit:.0%} are allowed"
        slow = max(timed.lines, key=lambda line: line.edit_seconds or 0, default=None)
        found = slow and slow.edit_seconds and f"{slow.where} takes {slow.edit_seconds:.1f} s of it ({slow.why})"
        yield Breach(limit="edit", told=told, blame=f"{found}: {slow.instruction}" if found else "")


def _weight(line: Line, kind: str) -> int:
    if kind == "hidden":
        return line.hidden_bytes
    return (line.transfer_bytes or 0) if kind == "transfer" else line.unpacked_tar_bytes


def blame(report: Report, kind: str) -> str:
    """The line that grew most since the other report, else the heaviest own one, in words."""
    rows = [row for row in report.growth if row.kind == "line" and row.bytes > 0]
    if rows and kind != "hidden":
        row = rows[0]
        word = "is new" if row.is_new else "grew"
        text = f"{row.where} {word}: {megabytes(row.bytes)} unpacked more: {row.name}"
        package = next((one for one in report.growth if one.kind == "package" and one.bytes > 0), None)
        return text + (f" ({package.where}: {megabytes(package.bytes)} more)" if package else "")
    own = [line for line in report.lines if not line.of_base] or report.lines
    if not own:
        return ""
    heaviest = max(own, key=lambda line: _weight(line, kind))
    return f"the heaviest line is {heaviest.where}, {megabytes(_weight(heaviest, kind))}: {heaviest.instruction}"


#: Bytes of the transfer by which what is the same may differ.
NOISE_BYTES = 10_000


def _line_name(text: str) -> str:
    """A line by what it says, without versions of what it names: a pinned version that moved is the same line."""
    return re.sub(r"\d+(\.\d+)+\S*", "…", text)


def _lines(report: Report) -> dict[str, tuple[str, int | None, int]]:
    """Where each line stands, its transfer and its unpacked bytes, by a name that survives an edit elsewhere."""
    found: dict[str, tuple[str, int | None, int]] = {}
    for line in report.lines:
        name = "base" if line.of_base else _line_name(line.instruction)
        where, transfer, unpacked = found.get(name, (line.where, 0, 0))
        both = None if transfer is None or line.transfer_bytes is None else transfer + line.transfer_bytes
        found[name] = (where, both, unpacked + line.unpacked_tar_bytes)
    return found


def _packages(report: Report) -> dict[str, tuple[str, int | None, int]]:
    found: dict[str, tuple[str, int | None, int]] = {}
    for one in report.packages:
        place = f" in {one.location}" if one.kind == "python" else ""
        found[f"{one.name}{place}"] = (f"{one.name} {one.version}", one.transfer_bytes, one.bytes or 0)
    return found


def _rows(
    kind: str, before: Mapping[str, tuple[str, int | None, int]], after: Mapping[str, tuple[str, int | None, int]]
) -> Iterable[Growth]:
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if old and new and _same(old, new):
            continue
        there = new or old
        known = all(one is None or one[1] is not None for one in (old, new))
        yield Growth(
            kind=kind,
            where=there[0],
            name=name if kind == "line" else "",
            transfer_bytes=(new[1] if new else 0) - (old[1] if old else 0) if known else None,
            bytes=(new[2] if new else 0) - (old[2] if old else 0),
            is_new=old is None,
            is_gone=new is None,
        )


def _same(old: tuple[str, int | None, int], new: tuple[str, int | None, int]) -> bool:
    """Are they as large, unpacked? What they take of the transfer moves by some bytes with what stands beside them."""
    if old[2] != new[2]:
        return False
    one, other = old[1] or 0, new[1] or 0
    return abs(one - other) <= max(NOISE_BYTES, one // 100)


def grown(before: Report, after: Report) -> list[Growth]:
    """What is not the same, lines before packages, and what grew most before the rest."""
    lines = sorted(_rows("line", _lines(before), _lines(after)), key=lambda row: (-row.bytes, row.where))
    packages = sorted(_rows("package", _packages(before), _packages(after)), key=lambda row: (-row.bytes, row.where))
    return [*lines, *packages]
