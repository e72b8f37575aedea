"""A Dockerfile whose code is copied after what installs, and lists of requirements before the line that reads them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from measure.base.dockerfiles import Instruction, Stage
from measure.mine.copied import ELSEWHERE, Made, brought, copied, copies_by_name, included
from measure.mine.draft import Draft, by_hand, every_command, folder_at, is_in, target_of
from measure.mine.model import NextStep
from measure.mine.order import (
    ASKED,
    copied_and_late,
    installers,
    installs_code,
    installs_packages,
    needs_no_code,
    only_names,
)

#: The file that such an option names, where its name is all there is to it.
_FILE = re.compile(ASKED + r"""[ =]*["']?([\w./-]+)["']?(?!\S)""")
#: Variables that name files for an installer.
_FILES_OF = re.compile(r"\b(PIP|UV)_(CONFIG_FILE|(BUILD_)?CONSTRAINT|FIND_LINKS|OVERRIDE|REQUIREMENT)")
#: Where a tool reads other files than those in its folder, or other packages than its files list.
_OTHERS = re.compile(
    r"\s(-C|--(prefix|cwd|dir|directory|project|package|all-packages|workspaces?))\b"
    r"|\bnpm\b.*\s(install|i|ci)\s(.*\s)?[^-\s]|\buv\b(?!(?! pip\b).* sync\b)"
)
#: Where a command writes, or finds packages; and those whose words are paths.
_WRITES = re.compile(
    r"""(?:>>?\s*|\s--(?:find-links|output|output-document)[ =]|\bpip[\d.]* install\b.*?\s-f ?"""
    r"""|\b(?:curl|wget)\b.*?\s-[a-zA-Z]*[oOP] ?)["']?([\w./~$][^\s"')]*)"""
)
_PATHS = re.compile(r"(mkdir|ln|rm|(?:user|group)add|add(?:user|group))\s")
#: What brings an installer, or the environment that it installs into, or says who installs, and how.
_PROVIDES = re.compile(
    r"^(ARG|ENV|SHELL|USER)\b|^(COPY|ADD|RUN)\b.*(--from=|/etc/|\b(venv|virtualenv|curl|wget|corepack)\b)"
)
#: Files that a tool reads its requirements from.
_LISTS = {"poetry": ("pyproject.toml", "poetry.lock"), "uv": ("pyproject.toml", "uv.lock"),
          "npm": ("package.json", "package-lock.json"), "pipenv": ("Pipfile", "Pipfile.lock")}  # fmt: skip


def _lists_alone(named: list[str], target: str, copy: Instruction, made: Mapping[str, Made]) -> list[str]:
    """Lines that copy lists of requirements alone; of a folder of such all, because they name each other.

    They get the owner and the mode that the code gets, as the folder does that is made for them.
    """
    to = f"{target.rstrip('/')}/" if any(one.startswith("/") for one in named) else "./"
    names = {_full(one, target): posixpath.relpath(_full(one, target), target) for one in named}
    if any(name.startswith("..") for name in names.values()):
        raise by_hand("The list of requirements is not in the folder that the code is copied to.")
    begin = " ".join(["COPY", *re.findall(r"--ch(?:own|mod)=\S+", copy.value)])
    alone, apart = [], {}
    for full, name in names.items():
        source, folder = made[full].source, posixpath.dirname(name)
        if name == posixpath.basename(source):
            alone.append(source)
        elif re.search("req|dep", folder):
            apart[folder] = posixpath.dirname(source)
        else:
            apart[name] = source
    lines = [f"{begin} {source} {to}{name}" for name, source in apart.items()]
    return [*([f"{begin} {' '.join(alone)} {to}"] if alone else []), *lines]


def _full(name: str, folder: str) -> str:
    return posixpath.normpath(posixpath.join(folder, name))


def _lists_of(part: str) -> list[str]:
    """The files that one command reads what it installs from, as it names them, or as its tool does."""
    found = _FILE.findall(part) if installers(part) <= {"pip", "uv"} else []
    if len(found) < len(re.findall(ASKED, part)):
        raise by_hand("Which file lists the requirements is not to be seen in the line.")
    if found or only_names(part):
        return found
    tool = next(iter(installers(part)))
    if tool not in _LISTS or _OTHERS.search(part):
        raise by_hand("Which file lists the requirements is not to be seen in the line.")
    return [*_LISTS[tool]]


def _lists(one: Instruction, folder: str, target: str) -> list[str]:
    """The files that an installing line reads; `folder` is where it runs, `target` where the code is copied to."""
    text = f"{one.value} {' '.join(one.here)}"
    if not installs_packages(text):
        return []
    if installs_code(text):
        raise by_hand("The line installs the project itself too, and its code is copied later then.")
    parts = [part for part in every_command(one) if installs_packages(part)]
    named = [name for part in parts for name in _lists_of(part)]
    if named and re.search(r"(?<!\S)cd(?!\S)", text):
        raise by_hand("The line works in another folder.")
    return named if folder == target else [posixpath.join(folder, name) for name in named]


def touches(one: Instruction, folder: str, code: list[str]) -> bool:
    """Does a line make, change or delete a file where code is copied to, or read packages from there?"""
    found: list[str] = []
    for command in every_command(one):
        found += _WRITES.findall(command)
        if match := _PATHS.match(command):
            words = [word.strip("\"'") for word in command[match.end() :].split() if not word.startswith("-")]
            found += [word for word in words if word.startswith("/") or match[1] in ("mkdir", "ln")]
    paths = [path for path in found if "://" not in path and not path.startswith(("~", "/dev/"))]
    known = [path for path in code if path != "/"]  # else the working folder may be that of another stage
    return any(
        is_in(posixpath.normpath(posixpath.join(folder, path)), known if path.startswith("/") else code)
        for path in paths
    )


def _with_included(named: list[str], target: str, made: Mapping[str, Made], files: Mapping[str, Path]) -> list[str]:
    """Lists of requirements, and those that they name; a tool's lock file only where there is one."""
    locks = [lock for _, lock in _LISTS.values()]
    found = dict.fromkeys(
        name for name in named if posixpath.basename(name) not in locks or _full(name, target) in made
    )
    waiting = [*found]
    while waiting:
        one = waiting.pop()
        what = made.get(_full(one, target))
        more = [name for name in included(one, what.source, files) if name not in found] if what else []
        found |= dict.fromkeys(more)
        waiting += more
    return [*found]


def _read(stage: Stage, one: Instruction, paths: list[str], files: Mapping[str, Path]) -> dict[str, Made]:
    """By its whole path what a line reads, as the stage copied it. Raises Problem for what a command may have made."""
    made = copied(stage, files, one)
    found = {path: made[path] for path in paths if path in made}
    first = min((what.by.first for what in found.values()), default=0)
    names = "|".join(re.escape(posixpath.basename(path)) for path in paths)
    for line in stage.instructions if paths else ():
        said = f"{line.value} {' '.join(line.here)}"
        reads = installs_packages(said) and needs_no_code(line)
        between = line.word == "RUN" and first < line.first < one.first and not reads
        if between and re.search(rf"(?<![\w.-])({names})(?![\w.-])", said):
            raise by_hand(f"Line {line.first} may make the list of requirements.")
    for path, what in made.items():
        holds = any(one.startswith(f"{path.rstrip('/')}/") for one in paths)
        if what.source.startswith(ELSEWHERE) and holds and first <= what.by.first:
            raise by_hand(f"Line {what.by.first} may bring the list of requirements.")
    if len(found) < len(paths):
        raise by_hand("No line copies the list of requirements to where it is read.")
    return found


def code_last(draft: Draft, step: NextStep) -> None:
    """Copy the code after the last line that installs, and lists of requirements before the line that reads them."""
    every = [one for stage in draft.dockerfile.chain(draft.target) for one in stage.instructions]
    copies, late = copied_and_late(every)
    stage = draft.stage_of(copies[0])
    if any(one not in stage.instructions for one in (*copies, *late)):
        raise by_hand("The code is copied in another stage of the same file.")
    if not all(map(needs_no_code, late)):
        raise by_hand("A line that installs does more, and may need the code.")
    if any(_FILES_OF.search(one.value) for one in every if one in late or one.word in ("ARG", "ENV")):
        raise by_hand("A variable names a file that the installer reads, which may come with the code.")
    code = places_of(stage, copies, draft.files)
    if any(touches(one, folder_at(stage, one), code) for one in late):
        raise by_hand("A line that installs makes, changes or deletes files where the code is.")
    target = target_of(stage, copies[0])
    named = {
        one: _with_included(
            _lists(one, folder_at(stage, one), target), target, copied(stage, draft.files, one), draft.files
        )
        for one in late
    }
    read = {one: _read(stage, one, [_full(name, target) for name in named[one]], draft.files) for one in late}
    lists = {what.by for found in read.values() for what in found.values()} - {*copies}
    for one in lists:
        by_name = copies_by_name(one, draft.files) and ".py " not in one.value
        alone = by_name or re.search(r"require|\breqs?\b|dependenc|\bdeps?\b", one.value)
        if one.first > copies[0].first and not alone and "--from=" not in one.value:
            raise by_hand(f"Line {one.first} copies more than lists of requirements.")
    lines = {one: draft.lines(draft.with_comments(one)) for one in (*copies, *late, *lists)}
    there: set[str] = set()
    for one in late:
        fresh = [name for name in named[one] if read[one][_full(name, target)].by in copies]
        fresh = [name for name in fresh if _full(name, target) not in there]
        there |= {_full(name, target) for name in fresh}
        lines[one] = [*_lists_alone(fresh, target, copies[0], read[one]), *lines[one]]
    _move(draft, stage, copies, [one for one in stage.instructions if one in late or one in lists], lines, code)
    _same_files(draft, stage, read)


def places_of(stage: Stage, copies: Iterable[Instruction], files: Mapping[str, Path]) -> list[str]:
    """The files that lines copy by name, and the folders that they fill."""
    found: list[str] = []
    for one in copies:
        made = [path for path, what in brought(stage, one, files).items() if what.source]
        found += made if copies_by_name(one, files) else [target_of(stage, one)]
    return found


def _move(
    draft: Draft, stage: Stage, copies: list[Instruction], moves: list[Instruction],
    lines: dict[Instruction, list[str]], code: list[str],
) -> None:  # fmt: skip
    """Put the code below what installs: below the line before the first one that may need the code, or the last."""
    copy, last = copies[0], moves[-1]
    moves = [one for one in moves if one.first > copy.first]
    before = stage.instructions[: stage.instructions.index(last) + 1]
    between = [one for one in before[before.index(copy) :] if one not in (*copies, *moves)]
    others = [
        one
        for one in between
        if one.word == "RUN"
        or (one.word in ("COPY", "ADD") and any(is_in(path, code) for path in brought(stage, one, draft.files)))
    ]
    # A line that may need the code, or replaces some of it, stays below it; what is installed later goes above both.
    up = [one for one in moves if others and one.first > others[0].first]
    if any(folder_at(stage, one) != folder_at(stage, others[0]) for one in up):
        raise by_hand("The working folder changes between the code and what is installed.")
    for one in between if up else ():
        said = f"{one.word} {one.value} {' '.join(one.here)}"
        if others[0].first <= one.first < up[-1].first and _PROVIDES.search(said):
            raise by_hand(f"What is installed below line {one.first} may need it.")
    place = before[before.index(others[0]) - 1] if up else moves[-1]
    copies = [one for one in copies if one.first <= place.first]
    changed = {one: [] if one in copies or one in up else lines[one] for one in (*copies, *moves)}
    below = [line for one in (*up, *copies) for line in lines[one]]
    draft.changed |= {draft.with_comments(one): new for one, new in changed.items() if one is not place}
    place_with = draft.with_comments(place) if place in changed else place
    draft.changed[place_with] = [*changed.get(place, draft.lines(place_with)), *below]


def _same_files(draft: Draft, stage: Stage, read: Mapping[Instruction, Mapping[str, Made]]) -> None:
    """Raises Problem where other files are copied than before, to elsewhere, or for another line to read."""
    new = draft.changed_stage(stage)
    found = [(stage, {}), (new, {})]
    for each, made in found:
        made |= {path: what[:3] for path, what in copied(each, draft.files).items()}
    if found[0][1] != found[1][1]:
        raise by_hand("Two lines copy to the same place, or the working folder changes, and the order decides.")
    runs = [one for one in new.instructions if one.word == "RUN"]
    for one, lists in read.items():
        runs = runs[[line.value for line in runs].index(one.value) :]
        made = copied(new, draft.files, runs.pop(0))
        if any(path not in made or made[path].source != what.source for path, what in lists.items()):
            raise by_hand("Two lines copy a list of requirements to the same place, and the order decides.")
