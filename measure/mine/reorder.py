"""A Dockerfile whose code is copied after what installs, and lists of requirements before the line that reads them."""

from __future__ import annotations

import posixpath
import re

from measure.base.dockerfiles import Instruction, Stage
from measure.mine.draft import Draft, by_hand, folder_at, is_in, target_of, words_of
from measure.mine.model import NextStep
from measure.mine.order import copied_and_late, copies_all, installs_code, installs_packages, needs_no_code

#: pip, and nothing but options and packages by their names.
_NAMED = re.compile(
    r"^(--mount=\S+\s+)*(python3? -m )?pip3? install"
    r"(\s+(-[-\w=]+|[A-Za-z][\w.-]*(\[[\w,-]+\])?([=<>~!]=?[\w.*,<>=]+)?))+$"
)
#: What brings an installer, or the environment that it installs into, or says who installs, and how.
_PROVIDES = re.compile(
    r"^(ARG|ENV|SHELL|USER)\b|^(COPY|ADD|RUN)\b.*(--from=|/etc/|\b(venv|virtualenv|curl|wget|corepack)\b)"
)
#: Files that a tool reads its requirements from.
_LISTS = {"poetry": ("pyproject.toml", "poetry.lock"), "uv": ("pyproject.toml", "uv.lock"),
          "npm": ("package.json", "package-lock.json"), "pipenv": ("Pipfile", "Pipfile.lock")}  # fmt: skip


def _brought(stage: Stage, one: Instruction) -> set[str]:
    """The files and folders that COPY makes, whole paths: of what may be a folder that which it is copied to."""
    *sources, to = words_of(one)
    target, names = target_of(stage, one), [posixpath.basename(source.rstrip("/")) for source in sources]
    files = [name for name in names if re.match(r"[A-Z]|[^*]*\.[^*]+$", name)]
    is_folder = to.endswith(("/", ".")) or target == folder_at(stage, one) or len(names) > 1
    return {posixpath.join(target, name) for name in files} | ({target} if files != names or not is_folder else set())


def _source(copy: Instruction, name: str) -> str:
    """Where a list of requirements is in the build context, by its name below what a line copies the code to."""
    sources = words_of(copy)[:-1]
    if copies_all(copy):
        return name
    found = [source for source in sources if posixpath.basename(source) == name]
    if not found and not name.startswith("..") and len(sources) == 1 and not sources[0].endswith(".py"):
        found = [posixpath.normpath(posixpath.join(sources[0].rstrip("*"), name))]
    if not found:
        raise by_hand("The list of requirements is not in the folder that the code is copied to.")
    return found[0]


def _lists_alone(named: list[str], target: str, copy: Instruction) -> list[str]:
    """Lines that copy lists of requirements alone; of a folder of such all, because they name each other."""
    to = f"{target.rstrip('/')}/" if any(one.startswith("/") for one in named) else "./"
    names = [posixpath.relpath(one, target) if one.startswith("/") else posixpath.normpath(one) for one in named]
    if any(one.startswith("..") for one in names):
        raise by_hand("The list of requirements is not in the folder that the code is copied to.")
    alone = [_source(copy, one) for one in names if "/" not in one]
    parents = {one: posixpath.dirname(one) for one in names if "/" in one}
    folders = dict.fromkeys(folder if re.search("req|dep", folder) else one for one, folder in parents.items())
    lines = [f"COPY {_source(copy, one)} {to}{one}" for one in folders]
    return [*([f"COPY {' '.join(alone)} {to}"] if alone else []), *lines]


def _lists(one: Instruction, folder: str, target: str) -> list[str]:
    """The files that an installing line reads; `folder` is where it runs, `target` where the code is copied to."""
    text = f"{one.value} {' '.join(one.here)}"
    if not installs_packages(text):
        return []
    if installs_code(text):
        raise by_hand("The line installs the project itself too, and its code is copied later then.")
    named = re.findall(r"(?<!\S)(?:-r|-c|--requirement|--constraint)[ =]?([\w./-]+)", text)
    tool = next((name for name in _LISTS if re.search(rf"\b{name}\b(?! *$)", text)), "")
    named += [] if named or not tool or _NAMED.search(one.value) else _LISTS[tool]
    if not named and (one.here or not _NAMED.search(one.value)):
        raise by_hand("Which file lists the requirements is not to be seen in the line.")
    if named and re.search(r"(?<!\S)cd(?!\S)", text):
        raise by_hand("The line works in another folder.")
    return named if folder == target else [posixpath.join(folder, name) for name in named]


def code_last(draft: Draft, step: NextStep) -> None:
    """Copy the code after the last line that installs, and lists of requirements before the line that reads them."""
    every = [one for stage in draft.dockerfile.chain(draft.target) for one in stage.instructions]
    copies, late = copied_and_late(every)
    copy, stage = copies[0], draft.stage_of(copies[0])
    target = target_of(stage, copy)
    if any(one not in stage.instructions for one in (*copies, *late)):
        raise by_hand("The code is copied in another stage of the same file.")
    if not all(map(needs_no_code, late)):
        raise by_hand("A line that installs does more, and may need the code.")
    named = {one: _lists(one, folder_at(stage, one), target) for one in late}
    before = stage.instructions[: stage.instructions.index(late[-1]) + 1]
    made = {one: _brought(stage, one) for one in before if one.word in ("COPY", "ADD")}
    brings = {one: _among(one, paths, target, named) for one, paths in made.items() if one not in copies}
    moves = [one for one in before if one.first > copy.first and (one in late or brings.get(one))]
    # A line that may need the code, or replaces some of it, stays below it; what is installed later goes above both.
    code = [path for one in copies for path in made.get(one, ())]
    between = [one for one in before[before.index(copy) :] if one not in (*copies, *moves)]
    others = [one for one in between if one.word == "RUN" or any(is_in(path, code) for path in made.get(one, ()))]
    stay = [one for one in moves if not others or one.first < others[0].first]
    last, up = stay[-1] if stay else copy, [one for one in moves if one not in stay]
    place, copies = folder_at(stage, last), [one for one in copies if one is copy or one.first < last.first]
    there = set().union(*brings.values())
    if any(posixpath.normpath(posixpath.join(place, words_of(one)[-1])) != target_of(stage, one) for one in copies):
        raise by_hand("The working folder changes between the code and what is installed.")
    if any(folder_at(stage, one) not in (place, place if there else target) for one in up):
        raise by_hand("The working folder changes between the code and what is installed.")
    for one in between if up else ():
        said = f"{one.word} {one.value} {' '.join(one.here)}"
        if last.first < one.first < up[-1].first and _PROVIDES.search(said):
            raise by_hand(f"What is installed below line {one.first} may need it.")
    lines = {one: draft.lines(one) for one in (*copies, *moves)}
    for one in late:
        fresh = [name for name in named[one] if name not in there]
        there |= set(fresh)
        lines[one] = [*_lists_alone(fresh, target, copy), *lines[one]]
    draft.changed |= {one: lines[one] if one in stay else [] for one in lines}
    draft.changed[last] += [line for one in (*up, *copies) for line in lines[one]]


def _among(one: Instruction, made: set[str], target: str, named: dict[Instruction, list[str]]) -> set[str]:
    """The lists among what COPY makes, by the names that the reading lines have; a folder of lists has them all."""
    full = {name: posixpath.normpath(posixpath.join(target, name)) for names in named.values() for name in names}
    folder = re.search(r"require|\breqs?\b|dependenc|\bdeps?\b", one.value)
    return {name for name, path in full.items() if path in made or (folder and posixpath.dirname(path) in made)}
