"""A next step, done to a Dockerfile: its text with some lines changed. What takes thought is not done, and said so."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from measure.base.dockerfiles import Dockerfile, Instruction, Stage
from measure.mine.copied import copied
from measure.mine.draft import (
    Draft,
    by_hand,
    commands_of,
    every_command,
    folder_at,
    is_in,
    target_of,
    user_at,
    wheres,
    words_of,
)
from measure.mine.model import NextStep, Report
from measure.mine.order import installs_packages, needs_no_code
from measure.mine.reorder import code_last, places_of, touches

_CHANGES = re.compile(r"(?P<what>chown|chmod)\s+(?:-\S+\s+|--\S+\s+)*(?P<to>[\w:.$}{+=,-]+)\s+(?P<paths>[^|;<>&#]+)")
_PIP = re.compile(r"(?<!uv )(?:\S*/)?\b(?:pip3?|python3? -m pip) install\b")
_PIP_ELSE = re.compile(r"(?:\S*/)?(?:python[\d.]* -m )?pip[\d.]*\s+(?!install\b)")
#: By the step the command that gets an option, and the option.
_OPTIONS = {
    "recommended packages": (r"(\bapt(?:-get)?\b[^&|;]*?\binstall\b)(?!.*OPTION)", "--no-install-recommends"),
    "documentation": (
        r"(\b(?:dnf|microdnf|yum)\b[^&|;]*?\b(?:install|update|upgrade)\b)(?!.*OPTION)", "--setopt=tsflags=nodocs",
    ),
}  # fmt: skip
_UPGRADE = re.compile(r"(\S*python3? -m )?\S*pip3? install( -\S+)* pip([=<>~!]\S+)?( -\S+)*")
_RECURSIVE = re.compile(r"\s(-[a-zA-Z]*R|--recursive)")
#: What a shell does for the commands behind it too, and a comment, which ends with the line.
_ALONE = re.compile(r"(^|[;&|(]\s*)(cd|pushd|export|set|umask|exit|source|\.)\s|\s#")
_MKDIR = re.compile(r"\bmkdir\b")
_ADDS = re.compile(r"\b(?:(?:user|group)add|add(?:user|group))\b")
_VENV = re.compile(r"-m venv (?!.*--without-pip)(?:-\S+ )*(?P<path>[^\s;&|]+)")
#: An official image on Debian that is not slim: the version, and the release where it is named.
_FULL = re.compile(r"(?P<name>(?:\S+/)?python)(?::(?P<version>[\d.]+(?:rc\d+)?|latest))?(?:-?(?P<release>[a-z]+))?$")


def _written_twice(draft: Draft, step: NextStep) -> None:
    for one in map(draft.at, wheres(step)):
        stage, made = draft.stage_of(one), [draft.at(where) for where in step.of]
        found = [match for command in commands_of(one) if (match := _CHANGES.fullmatch(command))]
        changes = [match for match in found if _RECURSIVE.search(match[0])] or found
        if one.word != "RUN" or one.here or not changes:
            raise by_hand(f"{step.where} changes files in a way of its own.")
        if any(line not in stage.instructions for line in made):
            raise by_hand("The files come from another stage of the same file.")
        others = {match[0]: _owned(draft, one, match, made) for match in changes}
        draft.instead(one, {**others, **dict.fromkeys(_user_first(draft, one, changes, made), "")})
        _as_before(draft, one, changes, [what for what, left in others.items() if left])


def _as_before(draft: Draft, one: Instruction, changes: list[re.Match[str]], left: list[str]) -> None:
    """Raises Problem where copied files get an owner or a mode that a line did not give them, or do not get it.

    What is `left` for the line to do, it does as before.
    """
    stage = draft.stage_of(one)
    new, names = copied(draft.changed_stage(stage), draft.files), {"chown": "owner", "chmod": "mode"}
    for path, old in copied(stage, draft.files).items():
        unknown = folder_at(stage, old.by) == "/" and not _at_root(stage)
        if unknown and not words_of(old.by)[-1].startswith("/"):
            continue
        wanted, now = ({"owner": each.owner, "mode": each.mode} for each in (old, new[path]))
        for match in changes if old.by.first < one.first or old.by not in stage.instructions else ():
            if any(
                f"{path.rstrip('/')}/".startswith(f"{folder.rstrip('/')}/") for folder in _paths_of(stage, one, match)
            ):
                wanted[names[match["what"]]] = match["to"]
                now[names[match["what"]]] = match["to"] if match[0] in left else now[names[match["what"]]]
        owners = {(each["owner"].partition(":")[0] or "root").replace("root", "0") for each in (wanted, now)}
        if len(owners) > 1 or (wanted["mode"] != now["mode"] and not path.endswith("/")):
            raise by_hand(f"Line {old.by.first} copies other files than line {one.first} changes.")


def _at_root(stage: Stage) -> bool:
    """Does a base image have no working folder of its own? These official images do not; others may."""
    base = (
        _at_root(stage.parent)
        if stage.parent
        else re.match(r"(\S+/)?(python|debian|ubuntu|alpine)([:@]|$)", stage.image)
    )
    return bool(base)


def _paths_of(stage: Stage, one: Instruction, match: re.Match[str]) -> list[str]:
    """The files and folders that a command of a line changes."""
    return [posixpath.normpath(posixpath.join(folder_at(stage, one), path)) for path in match["paths"].split()]


def _owned(draft: Draft, one: Instruction, match: re.Match[str], made: list[Instruction]) -> str:
    """Give files their owner or mode where they arrive. What is left to do in the line: folders that no COPY makes."""
    what, to, stage = match["what"], match["to"], draft.stage_of(one)
    user = to.partition(":")[0]
    if what == "chmod" and not re.fullmatch("[0-7]+", to):
        raise by_hand(f"--chmod takes a number, and line {one.first} says {to}.")
    if what == "chown" and not user:
        raise by_hand(f"--chown takes a user, and line {one.first} says {to}.")
    folders = _paths_of(stage, one, match)
    before = stage.instructions[: stage.instructions.index(one)]
    copies = [line for line in before if line.word in ("COPY", "ADD") and is_in(target_of(stage, line), folders)]
    targets = [target_of(stage, line) for line in copies]
    whole = all(any(f"{target}/".startswith(f"{folder}/") for target in targets) for folder in folders)
    others = {folder_at(stage, line) for line in [*before, one]} & set(folders)
    left, paths = "", match["paths"].strip()
    if others or not whole or any(_MKDIR.search(line.value) for line in [*before, one]):
        if what == "chown":
            left = f"find {paths} ! -user {user} -exec chown -h {to} {{}} +"
        elif what == "chmod" and int(to, 8) & 0o022:  # for others than their owner to write in
            left = f"find {paths} ! -type l ! -perm {to} -exec chmod {to} {{}} +"
    _known(draft, to, copies, one)
    for line in copies:
        if f"--{what}" not in line.value:
            owner = to if ":" in to else f"{to}:0"
            draft.option(line, f"--chown={owner}" if what == "chown" else f"--chmod={to}")
    for line in made:
        if line.word == "RUN":
            draft.also(f":{line.first}", left or match[0])
    return left


def _known(draft: Draft, text: str, earlier: list[Instruction], one: Instruction) -> None:
    """Raises Problem where a variable that goes from a line to earlier ones gets its value between them."""
    stage, names = draft.stage_of(one), re.findall(r"\$\{?(\w+)", text)
    first = min((line.first for line in earlier), default=one.first)
    between = [line for line in stage.instructions if first < line.first < one.first and line.word in ("ARG", "ENV")]
    for name in names:
        if any(re.search(rf"\b{name}\b", line.value) for line in between):
            raise by_hand(f"The value of {name} is not there yet where the files arrive.")


def _user_first(draft: Draft, one: Instruction, changes: list[re.Match[str]], made: list[Instruction]) -> list[str]:
    """Add the user before the files that COPY gives to it by name. The commands that did so later, and do no more."""
    names = [match["to"] for match in changes if match["what"] == "chown" and not match["to"][0].isdigit()]
    stage = draft.stage_of(one)
    copies = [line for line in draft.changed if line.word in ("COPY", "ADD") and line in stage.instructions]
    lines = stage.instructions[: stage.instructions.index(one) + 1]
    later = lines[lines.index(min([*copies, *made], key=lambda line: line.first)) :] if names and copies else []
    commands = {line: commands_of(line) for line in later if line.word == "RUN"}
    adds = {line: [text for text in texts if _ADDS.search(text)] for line, texts in commands.items()}
    moved = [text for texts in adds.values() for text in texts]
    if not moved:
        return []
    plain = all(_ADDS.match(text) and not re.search(r"[;|]", text) for text in moved)
    if not plain or user_at(stage, later[0]) or any(adds.get(line) for line in made):
        raise by_hand(f"A user is added after the files are copied: {names[0]} has to be there before.")
    _known(draft, " ".join(moved), later[:1], one)
    draft.changed[later[0]] = [f"RUN {' && '.join(moved)}", *draft.lines(later[0])]
    for line, texts in adds.items():
        if texts and line is not one:
            draft.instead(line, dict.fromkeys(texts, ""))
    return moved


def _hidden(draft: Draft, step: NextStep) -> None:
    made, hiding = [draft.at(where) for where in wheres(step)], [draft.at(where) for where in step.of]
    stage = draft.stage_of(hiding[-1])
    between = [one for one in stage.instructions if made[0].first <= one.first <= hiding[-1].first]
    if any(one not in stage.instructions for one in made) or any(one.word != "RUN" or one.here for one in hiding):
        raise by_hand("A file that a COPY replaces is best not made before.")
    if all(one.word in ("COPY", "ADD") for one in made):
        _mounted(draft, made, hiding, between)
        return
    runs = [one for one in between if one.word == "RUN"]
    if any(one.word in ("USER", "WORKDIR", "SHELL") or one.here for one in between) or any(
        one.word != "RUN" for one in made
    ):
        raise by_hand("Between the line that makes the files and the one that deletes them stands more than RUN.")
    copies = [one for one in between if one.word in ("COPY", "ADD")]
    places = places_of(stage, copies, draft.files)
    for one in runs if copies else ():
        alone = (
            needs_no_code(one) and not installs_packages(one.value) and not touches(one, folder_at(stage, one), places)
        )
        if one.first < copies[-1].first and not alone:
            raise by_hand(f"Line {one.first} would run after line {copies[-1].first}, and may need to be before it.")
    commands = [re.sub(r"^(--\S+\s+)+", "", one.value) for one in runs]
    if any(_ALONE.search(command) for command in commands[:-1]) or any(text.startswith("[") for text in commands):
        raise by_hand("A line between changes its folder or its shell, which ends with the line.")
    options = [word for one in runs if (match := re.match(r"(--\S+\s+)+", one.value)) for word in match[0].split()]
    said = [line.lstrip() for one in runs for line in draft.lines(one) if line.lstrip().startswith("#")]
    draft.changed |= {one: [] for one in runs}
    draft.changed[between[-1]] = [*said, f"RUN {' '.join([*dict.fromkeys(options), ' && '.join(commands)])}"]


def _mounted(draft: Draft, made: list[Instruction], hiding: list[Instruction], between: list[Instruction]) -> None:
    """What is copied and deleted later, all of it, is mounted where it is used."""
    targets = {copy: target_of(draft.stage_of(copy), copy) for copy in made}
    deletes = {to: re.compile(rf"rm .*(?<!\S){re.escape(to)}(/|/?\*)?(?!\S)") for to in targets.values()}
    for one in hiding:
        draft.without(one, lambda command: any(each.match(command) for each in deletes.values()))
    for copy, to in targets.items():
        *sources, _ = words_of(copy)
        if len(sources) != 1 or copy.word != "COPY" or len(deletes) < len(made):
            raise by_hand("More than one file is copied and deleted.")
        if hiding and not any(deletes[to].match(command) for one in hiding for command in commands_of(one)):
            raise by_hand(f"No command deletes all of {to} and nothing more: what is needed of it is copied alone.")
        origin = re.search(r"--from=(\S+)", copy.value)
        source = re.sub(r"/\*[^/]*$", "", sources[0])  # all files of a folder: the folder is mounted
        place = f"from={origin[1]},source={source}" if origin else f"source={source}"
        inside = words_of(copy)[-1].endswith("/") and "." in posixpath.basename(source)
        users = [one for one in between if one.word == "RUN" and to in " ".join(draft.lines(one))]
        if "*" in source or inside or to in ("/", "/tmp") or not users:  # noqa: S108 - no file is made here
            raise by_hand(f"Which file or folder is used at {to}, and where, is not to be seen in the lines.")
        draft.changed[copy] = []
        for one in users:
            draft.option(one, f"--mount=type=bind,{place},target={to}")


def _wheels(draft: Draft, step: NextStep) -> None:
    for one in map(draft.at, wheres(step)):
        stage = draft.stage_of(one)
        after = stage.instructions[stage.instructions.index(one) + 1 :] if stage else []
        if not any(line.word == "RUN" and target_of(stage, one) in line.value for line in after):
            raise by_hand("No line installs from where the wheels are copied to.")
        _mounted(draft, [one], [], after)


def _caches(draft: Draft, step: NextStep) -> None:
    lines = [draft.at(where) for where in wheres(step)]
    for one in lines:
        if one.word != "RUN":
            raise by_hand("A cache that is copied is best left out where it is made.")
        user = user_at(draft.stage_of(one), one)
        if user and not user.isdigit():
            raise by_hand(f"The line runs as {user}: a cache mount takes its number, uid=….")
        own = f",uid={user}" if user else ""
        shared = {folder: ",sharing=locked" if "/apt" in folder else own for folder in step.of}
        draft.option(one, " ".join(f"--mount=type=cache,target={folder}{more}" for folder, more in shared.items()))
        # What apt-get update reads into a mount, an install in another line looks for there.
        lists = [f"--mount=type=cache,target={folder}{shared[folder]}" for folder in step.of if "/apt" in folder]
        stage = draft.stage_of(one)
        for line in stage.instructions[stage.instructions.index(one) + 1 :] if lists else ():
            if line.word == "RUN" and re.search(r"\bapt(-get)? ", line.value) and line not in [*lines, *draft.changed]:
                draft.option(line, " ".join(lists))


def _ignored(draft: Draft, step: NextStep) -> None:
    draft.ignore += step.of


def _second_pip(draft: Draft, step: NextStep) -> None:
    for one in map(draft.at, wheres(step)):
        stage = draft.source(one) if one.word == "COPY" else draft.stage_of(one)
        makes = next((line for line in stage.instructions if _VENV.search(line.value)), None) if stage else None
        if not makes or makes.here:
            raise by_hand("No line makes the virtual environment with `python -m venv`.")
        path = _VENV.search(makes.value)["path"]
        draft.changed[makes] = [line.replace("-m venv ", "-m venv --without-pip ", 1) for line in draft.lines(makes)]
        for line in stage.instructions[stage.instructions.index(makes) :]:
            if line.word == "RUN" and _PIP.search(line.value):
                call = f"/usr/local/bin/python -m pip --python {path}/bin/python install"
                draft.changed[line] = [_PIP.sub(call, text) for text in draft.lines(line)]
            if line.word == "RUN" and any(map(_PIP_ELSE.match, every_command(line))):
                raise by_hand(f"Line {line.first} calls pip in another way, and the environment has none then.")


def _upgraded(draft: Draft, step: NextStep) -> None:
    for one in map(draft.at, wheres(step)):
        if one.word != "RUN" or one.here or not any(map(_UPGRADE.fullmatch, commands_of(one))):
            raise by_hand("No command of the line upgrades pip alone.")
        draft.without(one, lambda command: bool(_UPGRADE.fullmatch(command)))


def _option(draft: Draft, step: NextStep) -> None:
    pattern, option = _OPTIONS[step.name]
    for one in map(draft.at, wheres(step)):
        lines = [re.sub(pattern.replace("OPTION", option), rf"\1 {option}", line) for line in draft.lines(one)]
        if lines == draft.lines(one):
            raise by_hand("No command that installs stands in the line.")
        draft.changed[one] = lines


def _base_bytecode(draft: Draft, step: NextStep) -> None:
    for one in map(draft.at, wheres(step)):
        draft.changed[one] = ["ARG PYTHONDONTWRITEBYTECODE=1", *draft.lines(one)]


def _development(draft: Draft, step: NextStep) -> None:
    wanted = {*step.of} - {"pip"}  # which goes along, and is elsewhere too
    place = next((one.location for one in draft.report.packages if one.name in wanted and one.location), "")
    prefix = place.partition("/lib/python")[0]
    pips = [location.partition("/lib/python")[0] for location in draft.report.facts.pip] if draft.report.facts else []
    if not pips:
        raise by_hand("The image has no pip that could take them away: name them in no list that it installs.")
    pip = (
        f"{prefix}/bin/python -m pip" if prefix in pips else f"{pips[0]}/bin/python -m pip --python {prefix}/bin/python"
    )
    for where in wheres(step):
        draft.also(where, f"{pip} uninstall --yes {' '.join(step.of)}")


def _slim(draft: Draft, step: NextStep) -> None:
    first = draft.dockerfile.chain(draft.target)[0]
    match = _FULL.match(first.image)
    if not match or "slim" in first.image:
        raise by_hand(f"Which image is the slim one of {first.image} is not known.")
    words = [match["version"] or "", "slim", match["release"] or ""]
    new = f"{match['name']}:{'-'.join(word for word in words if word and word != 'latest')}"
    position = draft.dockerfile.stages.index(first)
    one = [line for line in draft.dockerfile.structure if line.word == "FROM"][position]
    name = f" AS {first.name}" if first.name else ""
    flags = "".join(f"{word} " for word in one.value.split() if word.startswith("--"))
    draft.changed[one] = [f"FROM {flags}{new}{name}"]


def _tests(draft: Draft, step: NextStep) -> None:
    folders = " ".join(step.of)
    if not folders:
        raise by_hand("Where the packages are is not known.")
    command = f"find {folders} -type d -name tests -prune -exec rm -rf {{}} +"
    if ".pyi" in step.what:
        command += f" && find {folders} -name '*.pyi' -delete"
    for where in wheres(step):
        draft.also(where, command)


#: How each step is done, by its name.
WAYS: dict[str, Callable[[Draft, NextStep], None]] = {
    "written twice": _written_twice,
    "hidden files": _hidden,
    "caches": _caches,
    "copied wheels": _wheels,
    "ignore file": _ignored,
    "build context": _ignored,
    "a second pip": _second_pip,
    "an upgraded pip": _upgraded,
    "bytecode of the base": _base_bytecode,
    "development tools": _development,
    "recommended packages": _option,
    "documentation": _option,
    "slim base": _slim,
    "tests": _tests,
    "order of lines": code_last,
}


def edited(
    dockerfile: Dockerfile, target: str | None, report: Report, step: NextStep, files: Mapping[str, Path] | None = None
) -> Draft:
    """A Dockerfile with a next step of its report done; `files` are what its build context sends, and where it is.

    Raises Problem for a step that takes a person.
    """
    way = WAYS.get(step.name)
    if not way:
        raise by_hand(f"How it is done depends on what the image is for: docs/{step.page} teaches it.")
    draft = Draft(dockerfile, target, report, files or {})
    way(draft, step)
    return draft
