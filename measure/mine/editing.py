"""A next step, done to a Dockerfile: its text with some lines changed. What takes thought is not done, and said so."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from measure.base.dockerfiles import Dockerfile, Instruction, Stage
from measure.base.errors import Problem
from measure.mine.advice import copies_all, late_install
from measure.mine.model import NextStep, Report

_CHANGES = re.compile(r"(?P<what>chown|chmod)\s+(?:-\S+\s+|--\S+\s+)*(?P<to>[\w:.$}{+=,-]+)\s+(?P<paths>[^|;<>&]+)")
_AND = re.compile(r"\s*&&\s*")
_PIP = re.compile(r"(?<!uv )(?:\S*/)?\b(?:pip3?|python3? -m pip) install\b")
_APT = re.compile(r"(\bapt(?:-get)?\b[^&|;]*?\binstall\b)(?!.*--no-install-recommends)")
_UPGRADE = re.compile(r"(\S*python3? -m )?\S*pip3? install( -\S+)* pip([=<>~!]\S+)?( -\S+)*")
_ADDS = re.compile(r"\b(?:(?:user|group)add|add(?:user|group))\b")
_VENV = re.compile(r"-m venv (?!.*--without-pip)(?:-\S+ )*(?P<path>[^\s;&|]+)")
#: pip, and nothing but options and packages by their names.
_NAMED = re.compile(
    r"^(--mount=\S+\s+)*(python3? -m )?pip3? install"
    r"(\s+(-[-\w=]+|[A-Za-z][\w.-]*(\[[\w,-]+\])?([=<>~!]=?[\w.*,<>=]+)?))+$"
)
#: An official image on Debian that is not slim: the version, and the release where it is named.
_FULL = re.compile(r"(?P<name>(?:\S+/)?python)(?::(?P<version>[\d.]+(?:rc\d+)?|latest))?(?:-?(?P<release>[a-z]+))?$")
#: Files that a tool reads its requirements from.
_LISTS = {"poetry": ("pyproject.toml", "poetry.lock"), "uv": ("pyproject.toml", "uv.lock"),
          "npm": ("package.json", "package-lock.json"), "pipenv": ("Pipfile", "Pipfile.lock")}  # fmt: skip


@dataclass
class Draft:
    """A Dockerfile that is changed line by line; `ignore` are patterns that its ignore file gets."""

    dockerfile: Dockerfile
    target: str | None
    report: Report
    changed: dict[Instruction, list[str]] = field(default_factory=dict)
    ignore: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What it has become."""
        lines = self.dockerfile.text.removeprefix("\ufeff").splitlines()
        for one, new in sorted(self.changed.items(), key=lambda item: -item[0].first):
            lines[one.first - 1 : one.last] = new
        return "\n".join(lines) + "\n"

    def lines(self, one: Instruction) -> list[str]:
        """The lines of an instruction as they are now."""
        if one in self.changed:
            return list(self.changed[one])
        return self.dockerfile.text.removeprefix("\ufeff").splitlines()[one.first - 1 : one.last]

    def at(self, where: str) -> Instruction:
        """The instruction at FILE:LINE. Raises Problem for what is none, as `layer 3`."""
        number = where.rpartition(":")[2]
        for one in self.dockerfile.structure:
            if str(one.first) == number:
                return one
        raise _by_hand(f"No line of the Dockerfile is known for {where}.")

    def stage_of(self, one: Instruction) -> Stage:
        """The stage that an instruction is in."""
        return next(stage for stage in self.dockerfile.stages if one in stage.instructions)

    def source(self, one: Instruction) -> Stage | None:
        """The stage that COPY --from takes from; None where it takes from the context or from an image."""
        match = re.search(r"--from=(\S+)", one.value)
        stages = self.dockerfile.stages
        for number, stage in enumerate(stages):
            if match and (stage.name == match[1].lower() or str(number) == match[1]):
                return stage
        return None

    def option(self, one: Instruction, options: str) -> None:
        """Give an instruction more options."""
        lines = self.lines(one)
        lines[0] = re.sub(rf"^(\s*{one.word})\s+", rf"\1 {options} ", lines[0], flags=re.IGNORECASE)
        self.changed[one] = lines

    def also(self, where: str, command: str) -> None:
        """Have a command run in the line that makes files, or at the end of the stage that they are copied from."""
        one = self.at(where)
        if one.word in ("COPY", "ADD"):
            stage = self.source(one)
            if not stage or not stage.instructions:
                raise _by_hand(f"{where} copies the files from elsewhere.")
            last = stage.instructions[-1]
            self.changed[last] = [*self.lines(last), f"RUN {command}"]
        elif one.word != "RUN" or one.value.startswith("["):
            raise _by_hand(f"{where} is no line that a command can be added to.")
        elif one.here:
            lines = self.lines(one)
            self.changed[one] = [*lines[:-1], command, lines[-1]]
        else:
            lines = self.lines(one)
            self.changed[one] = [*lines[:-1], f"{lines[-1].rstrip()} && {command}"]

    def without(self, one: Instruction, part: Callable[[str], bool]) -> None:
        """Leave out those of the commands that a RUN joins by && that `part` accepts."""
        left = [command for command in _AND.split(one.value) if not part(command.strip())]
        self.changed[one] = [f"RUN {' && '.join(left)}"] if left else []


def _by_hand(why: str) -> Problem:
    return Problem(
        "This step is not done by itself.", why=why, next="change the Dockerfile, and weigh it with --against"
    )


def _wheres(step: NextStep) -> list[str]:
    return [where for where in step.where.split(", ") if where]


def _is_in(path: str, folders: list[str]) -> bool:
    return any(
        path == one or path.startswith(one.rstrip("/") + "/") or one.startswith(path.rstrip("/") + "/")
        for one in folders
    )


def _folder(stage: Stage, before: Instruction) -> str:
    """The working folder at an instruction, as far as its own stage tells."""
    folder = "/"
    for one in stage.instructions[: stage.instructions.index(before)]:
        if one.word == "WORKDIR":
            folder = posixpath.join(folder, one.value.strip())
    return folder


def _user(stage: Stage, before: Instruction) -> str:
    """Who runs an instruction, as far as its own stage tells; '' for root."""
    lines = stage.instructions[: stage.instructions.index(before)]
    named = [one.value.strip().partition(":")[0] for one in lines if one.word == "USER"]
    return "" if not named or named[-1] in ("root", "0") else named[-1]


def _words(one: Instruction) -> list[str]:
    """Sources of COPY, and where it copies to."""
    return [word.strip('",') for word in re.sub(r"^(--\S+\s+)+", "", one.value).strip("[] ").split()]


def _target(stage: Stage, one: Instruction) -> str:
    return posixpath.normpath(posixpath.join(_folder(stage, one), _words(one)[-1]))


def _written_twice(draft: Draft, step: NextStep) -> None:
    for one in map(draft.at, _wheres(step)):
        match = _CHANGES.search(one.value)
        if one.word != "RUN" or one.here or not match:
            raise _by_hand(f"{step.where} changes files in a way of its own.")
        what, to, stage = match["what"], match["to"], draft.stage_of(one)
        if what == "chmod" and not to.isdigit():
            raise _by_hand(f"--chmod takes a number, and {step.where} says {to}.")
        owner = to if ":" in to else f"{to}:0"
        folders = [posixpath.normpath(posixpath.join(_folder(stage, one), path)) for path in match["paths"].split()]
        for made in map(draft.at, step.of):
            if made not in stage.instructions:
                raise _by_hand("The files come from another stage of the same file.")
            if made.word == "RUN":
                draft.also(f":{made.first}", match[0].strip())
        before = stage.instructions[: stage.instructions.index(one)]
        copies = [made for made in before if made.word in ("COPY", "ADD") and _is_in(_target(stage, made), folders)]
        later = before[before.index(copies[0]) :] if copies else []
        if what == "chown" and any(_ADDS.search(line.value) for line in [*later, one]) and not owner[0].isdigit():
            raise _by_hand(f"A user is added after the files are copied: {to} has to be there before.")
        for made in copies:
            if f"--{what}" not in made.value:
                draft.option(made, f"--chown={owner}" if what == "chown" else f"--chmod={to}")
        draft.without(one, lambda command: command.startswith(("chown ", "chmod ")))


def _hidden(draft: Draft, step: NextStep) -> None:
    made, hiding = [draft.at(where) for where in _wheres(step)], [draft.at(where) for where in step.of]
    stage = draft.stage_of(hiding[-1])
    between = [one for one in stage.instructions if made[0].first <= one.first <= hiding[-1].first]
    if any(one not in stage.instructions for one in made) or any(one.word != "RUN" or one.here for one in hiding):
        raise _by_hand("A file that a COPY replaces is best not made before.")
    if all(one.word in ("COPY", "ADD") for one in made):
        _mounted(draft, made, hiding, between)
        return
    if any(one.word == "USER" or one.here or one.value.startswith("[") for one in between) or any(
        one.word != "RUN" for one in made
    ):
        raise _by_hand("Between the line that makes the files and the one that deletes them stands more than RUN.")
    commands = [re.sub(r"^(--\S+\s+)+", "", one.value) for one in between if one.word == "RUN"]
    options = [match[0].strip() for one in between if (match := re.match(r"(--\S+\s+)+", one.value))]
    for one in between:
        if one.word == "RUN":
            draft.changed[one] = []
    draft.changed[between[-1]] = [f"RUN {' '.join([*options, ' && '.join(commands)])}"]


def _mounted(draft: Draft, made: list[Instruction], hiding: list[Instruction], between: list[Instruction]) -> None:
    """What is copied and deleted later is mounted where it is used."""
    for copy in made:
        *sources, _ = _words(copy)
        if len(sources) != 1 or copy.word != "COPY":
            raise _by_hand("More than one file is copied and deleted.")
        to = _target(draft.stage_of(copy), copy)
        stage = draft.source(copy)
        origin = re.search(r"--from=(\S+)", copy.value)
        place = f"from={origin[1]},source={sources[0]}" if stage else f"source={sources[0]}"
        draft.changed[copy] = []
        for one in between:
            if one.word == "RUN" and one not in hiding and to in one.value:
                draft.option(one, f"--mount=type=bind,{place},target={to}")
        for one in hiding:
            draft.without(one, lambda command, to=to: command.startswith("rm ") and to in command)


def _wheels(draft: Draft, step: NextStep) -> None:
    for one in map(draft.at, _wheres(step)):
        stage = draft.stage_of(one)
        after = stage.instructions[stage.instructions.index(one) + 1 :] if stage else []
        if not any(line.word == "RUN" and _target(stage, one) in line.value for line in after):
            raise _by_hand("No line installs from where the wheels are copied to.")
        _mounted(draft, [one], [], after)


def _caches(draft: Draft, step: NextStep) -> None:
    for one in map(draft.at, _wheres(step)):
        if one.word != "RUN":
            raise _by_hand("A cache that is copied is best left out where it is made.")
        user = _user(draft.stage_of(one), one)
        if user and not user.isdigit():
            raise _by_hand(f"The line runs as {user}: a cache mount takes its number, uid=….")
        own = f",uid={user}" if user else ""
        shared = {folder: ",sharing=locked" if "/apt" in folder else own for folder in step.of}
        draft.option(one, " ".join(f"--mount=type=cache,target={folder}{more}" for folder, more in shared.items()))


def _ignored(draft: Draft, step: NextStep) -> None:
    draft.ignore += step.of


def _second_pip(draft: Draft, step: NextStep) -> None:
    for one in map(draft.at, _wheres(step)):
        stage = draft.source(one) if one.word == "COPY" else draft.stage_of(one)
        makes = next((line for line in stage.instructions if _VENV.search(line.value)), None) if stage else None
        if not makes or makes.here:
            raise _by_hand("No line makes the virtual environment with `python -m venv`.")
        path = _VENV.search(makes.value)["path"]
        draft.changed[makes] = [line.replace("-m venv ", "-m venv --without-pip ", 1) for line in draft.lines(makes)]
        for line in stage.instructions[stage.instructions.index(makes) :]:
            if line.word == "RUN" and _PIP.search(line.value):
                call = f"/usr/local/bin/python -m pip --python {path}/bin/python install"
                draft.changed[line] = [_PIP.sub(call, text) for text in draft.lines(line)]


def _upgraded(draft: Draft, step: NextStep) -> None:
    for one in map(draft.at, _wheres(step)):
        commands = [command.strip() for command in _AND.split(one.value)]
        if one.word != "RUN" or one.here or not any(map(_UPGRADE.fullmatch, commands)):
            raise _by_hand("No command of the line upgrades pip alone.")
        draft.without(one, lambda command: bool(_UPGRADE.fullmatch(command)))


def _recommended(draft: Draft, step: NextStep) -> None:
    for one in map(draft.at, _wheres(step)):
        lines = [_APT.sub(r"\1 --no-install-recommends", line) for line in draft.lines(one)]
        if lines == draft.lines(one):
            raise _by_hand("No `apt-get install` stands in the line.")
        draft.changed[one] = lines


def _base_bytecode(draft: Draft, step: NextStep) -> None:
    for one in map(draft.at, _wheres(step)):
        draft.changed[one] = ["ARG PYTHONDONTWRITEBYTECODE=1", *draft.lines(one)]


def _development(draft: Draft, step: NextStep) -> None:
    wanted = set(step.of)
    place = next((one.location for one in draft.report.packages if one.name in wanted and one.location), "")
    prefix = place.partition("/lib/python")[0]
    pips = [location.partition("/lib/python")[0] for location in draft.report.facts.pip] if draft.report.facts else []
    if not pips:
        raise _by_hand("The image has no pip that could take them away: name them in no list that it installs.")
    pip = (
        f"{prefix}/bin/python -m pip" if prefix in pips else f"{pips[0]}/bin/python -m pip --python {prefix}/bin/python"
    )
    for where in _wheres(step):
        draft.also(where, f"{pip} uninstall --yes {' '.join(step.of)}")


def _slim(draft: Draft, step: NextStep) -> None:
    first = draft.dockerfile.chain(draft.target)[0]
    match = _FULL.match(first.image)
    if not match or "slim" in first.image:
        raise _by_hand(f"Which image is the slim one of {first.image} is not known.")
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
        raise _by_hand("Where the packages are is not known.")
    command = f"find {folders} -type d -name tests -prune -exec rm -rf {{}} +"
    if ".pyi" in step.what:
        command += f" && find {folders} -name '*.pyi' -delete"
    for where in _wheres(step):
        draft.also(where, command)


def _lists_alone(named: list[str], target: str) -> list[str]:
    """Lines that copy lists of requirements alone; of a folder all, because they name each other."""
    to = f"{target.rstrip('/')}/" if any(one.startswith("/") for one in named) else "./"
    names = [posixpath.relpath(one, target) if one.startswith("/") else posixpath.normpath(one) for one in named]
    if any(one.startswith("..") for one in names):
        raise _by_hand("The list of requirements is not in the folder that the code is copied to.")
    alone = [one for one in names if "/" not in one]
    folders = dict.fromkeys(posixpath.dirname(one) for one in names if "/" in one)
    return [*([f"COPY {' '.join(alone)} {to}"] if alone else []), *(f"COPY {one} {to}{one}" for one in folders)]


def _order(draft: Draft, step: NextStep) -> None:
    lines = [one for stage in draft.dockerfile.chain(draft.target) for one in stage.instructions]
    late, copy = late_install(lines), next(filter(copies_all, lines))
    if draft.stage_of(late) is not draft.stage_of(copy):
        raise _by_hand("The code is copied in another stage of the same file.")
    text = f"{late.value} {' '.join(late.here)}"
    named = re.findall(r"(?<!\S)(?:-r|-c|--requirement|--constraint)[ =]?([\w./-]+)", text)
    tool = next((name for name in _LISTS if re.search(rf"\b{name}\b", text)), "")
    if tool in ("poetry", "uv") and not re.search(r"--no-root|--no-install-project|pip install", text):
        raise _by_hand(f"{tool} installs the project itself too, and its code is copied later then.")
    named += [] if named or not tool else _LISTS[tool]
    if not named and (late.here or not _NAMED.search(late.value)):
        raise _by_hand("Which file lists the requirements is not to be seen in the line.")
    if named and re.search(r"(?<!\S)(-e|--editable|\.(\[\S*\])?|\./\S*|cd)(?!\S)", text):
        raise _by_hand("The line installs the project itself too, or works in another folder.")
    first = _lists_alone(named, _target(draft.stage_of(copy), copy))
    draft.changed[copy] = [*first, *draft.lines(late), *draft.lines(copy)]
    draft.changed[late] = []


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
    "recommended packages": _recommended,
    "slim base": _slim,
    "tests": _tests,
    "order of lines": _order,
}


def edited(dockerfile: Dockerfile, target: str | None, report: Report, step: NextStep) -> Draft:
    """A Dockerfile with a next step of its report done. Raises Problem for a step that takes a person."""
    way = WAYS.get(step.name)
    if not way:
        raise _by_hand(f"How it is done depends on what the image is for: docs/{step.page} teaches it.")
    draft = Draft(dockerfile, target, report)
    way(draft, step)
    return draft
