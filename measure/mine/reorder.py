"""A Dockerfile whose code is copied after what installs, and lists of requirements before the line that reads them."""

from __future__ import annotations

import posixpath
import re
from fnmatch import fnmatchcase

from measure.base.dockerfiles import Instruction, Stage
from measure.mine.draft import Draft, by_hand, every_command, folder_at, is_in, target_of, words_of
from measure.mine.model import NextStep
from measure.mine.order import (
    ASKED,
    copied_and_late,
    copies_all,
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


def _brought(stage: Stage, one: Instruction) -> set[str]:
    """The files and folders that COPY makes, whole paths: of what may be a folder that which it is copied to."""
    *sources, to = words_of(one)
    target, names = target_of(stage, one), [posixpath.basename(source.rstrip("/")) for source in sources]
    files = [name for name in names if re.match(r"[A-Z]|.*\.[^.]", name)]
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
    """Lines that copy lists of requirements alone; of a folder of such all, because they name each other.

    They get the owner and the mode that the code gets, as the folder does that is made for them.
    """
    to = f"{target.rstrip('/')}/" if any(one.startswith("/") for one in named) else "./"
    names = [posixpath.relpath(one, target) if one.startswith("/") else posixpath.normpath(one) for one in named]
    if any(one.startswith("..") for one in names):
        raise by_hand("The list of requirements is not in the folder that the code is copied to.")
    begin = " ".join(["COPY", *re.findall(r"--ch(?:own|mod)=\S+", copy.value)])
    alone = [_source(copy, one) for one in names if "/" not in one]
    parents = {one: posixpath.dirname(one) for one in names if "/" in one}
    folders = dict.fromkeys(folder if re.search("req|dep", folder) else one for one, folder in parents.items())
    lines = [f"{begin} {_source(copy, one)} {to}{one}" for one in folders]
    return [*([f"{begin} {' '.join(alone)} {to}"] if alone else []), *lines]


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


def _touches(one: Instruction, folder: str, code: list[str]) -> bool:
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
    if any(_FILES_OF.search(one.value) for one in every if one in late or one.word in ("ARG", "ENV")):
        raise by_hand("A variable names a file that the installer reads, which may come with the code.")
    named = {one: _lists(one, folder_at(stage, one), target) for one in late}
    before = stage.instructions[: stage.instructions.index(late[-1]) + 1]
    made = {one: _brought(stage, one) for one in before if one.word in ("COPY", "ADD")}
    brings = {one: _among(one, paths, target, named) for one, paths in made.items() if one not in copies}
    moves = [one for one in before if one.first > copy.first and (one in late or brings.get(one))]
    # A line that may need the code, or replaces some of it, stays below it; what is installed later goes above both.
    code = [path for one in copies for path in made.get(one, ())]
    if any(_touches(one, folder_at(stage, one), code) for one in late):
        raise by_hand("A line that installs makes, changes or deletes files where the code is.")
    between = [one for one in before[before.index(copy) :] if one not in (*copies, *moves)]
    others = [one for one in between if one.word == "RUN" or any(is_in(path, code) for path in made.get(one, ()))]
    stay = [one for one in moves if not others or one.first < others[0].first]
    last, up = stay[-1] if stay else copy, [one for one in moves if one not in stay]
    copies = [one for one in copies if one is copy or one.first < last.first]
    there = set().union(*brings.values())
    _same_folder(stage, copies, last, up, lists=bool(there))
    _nothing_needed(between, last, up)
    lines = {one: draft.lines(draft.with_comments(one)) for one in (*copies, *moves)}
    for one in late:
        fresh = [name for name in named[one] if name not in there]
        _from_code(stage, fresh, [line for line in others if line.first < one.first], copy, made)
        there |= set(fresh)
        lines[one] = [*_lists_alone(fresh, target, copy), *lines[one]]
    changed = {one: lines[one] if one in stay else [] for one in lines}
    changed[last] = [*changed[last], *(line for one in (*up, *copies) for line in lines[one])]
    draft.changed |= {draft.with_comments(one): new for one, new in changed.items()}


def _same_folder(
    stage: Stage, copies: list[Instruction], last: Instruction, up: list[Instruction], *, lists: bool
) -> None:
    """Raises Problem where lines would work in another folder than before; `lists` are among those that go `up`."""
    place, target = folder_at(stage, last), target_of(stage, copies[0])
    same = all(posixpath.normpath(posixpath.join(place, words_of(one)[-1])) == target_of(stage, one) for one in copies)
    if not same or any(folder_at(stage, one) not in (place, place if lists else target) for one in up):
        raise by_hand("The working folder changes between the code and what is installed.")
    if any("--chown" in one.value and folder_at(stage, one) != place for one in copies):
        raise by_hand("WORKDIR would make the folder of the code, and not for the user that the code is for.")


def _nothing_needed(between: list[Instruction], last: Instruction, up: list[Instruction]) -> None:
    """Raises Problem where a line that installs would go above one that it may need."""
    for one in between if up else ():
        said = f"{one.word} {one.value} {' '.join(one.here)}"
        if last.first < one.first < up[-1].first and _PROVIDES.search(said):
            raise by_hand(f"What is installed below line {one.first} may need it.")


def _from_code(
    stage: Stage, fresh: list[str], others: list[Instruction], copy: Instruction, made: dict[Instruction, set[str]]
) -> None:
    """Raises Problem where lists may come from another line than the one that copies the code."""
    for name in fresh:
        path = posixpath.normpath(posixpath.join(target_of(stage, copy), name))
        whole = rf"(?<![\w.-]){re.escape(posixpath.basename(name))}(?![\w.-])"
        for one in [*others, *(line for line in made if line is not copy)]:
            holds = any(path.startswith(f"{folder.rstrip('/')}/") for folder in made.get(one, ()))
            if holds or re.search(whole, f"{one.value} {' '.join(one.here)}"):
                raise by_hand(f"Line {one.first} may make the list of requirements.")


def _among(one: Instruction, made: set[str], target: str, named: dict[Instruction, list[str]]) -> set[str]:
    """The lists among what COPY makes, by the names that the reading lines have; a folder of lists has them all."""
    full = {name: posixpath.normpath(posixpath.join(target, name)) for names in named.values() for name in names}
    folder = re.search(r"require|\breqs?\b|dependenc|\bdeps?\b", one.value)
    return {
        name
        for name, path in full.items()
        if any(fnmatchcase(path, each) for each in made) or (folder and posixpath.dirname(path) in made)
    }
