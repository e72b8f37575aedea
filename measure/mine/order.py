"""The order of lines: packages that are installed after the code, and again after each edit of it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Container, Iterator

from measure.base.dockerfiles import Dockerfile, Instruction
from measure.mine.draft import every_command, words_of
from measure.mine.model import NextStep

_INSTALLS = re.compile(
    r"\b(pip|uv|poetry|pipenv|pdm|pixi|npm|yarn|pnpm)[\d.]*\b(?!\s+(?:run|config)\b)[^&|;]*\b(?:install|sync|ci|update)\b"
    r"|\b((?:micro)?mamba|conda)\b(?!\s+(?:run|config)\b)[^&|;]*\b(?:install|create|update)\b",
    re.IGNORECASE,
)
_SYSTEM = re.compile(r"\b(apt|apt-get|apk|dnf|microdnf|yum|zypper)\b[^&|;]*\s(install|add|update|upgrade)\b")
#: A command that installs, or that people join to one that does, and that needs no code.
_NO_CODE = re.compile(
    r"(\w+=\S*\s+)*(sudo\s+)?(\S*/)?"
    r"((apt(-get|-mark)?|apk|dnf|microdnf|yum|zypper|pip[\d.]*|uv|poetry|pipenv|pdm|npm|yarn|(micro)?mamba|conda)"
    r"(?!\s+(pip\s+)?(run|exec|build|start|test|export|lock|compile|freeze|requirements)\b)|python[\d.]* -m (pip|venv)"
    r"|rm(?=(\s+(-\S+|[~/]\S+))+$)"
    r"|mkdir|set|export|echo|ldconfig|locale-gen|ln|curl|wget|(user|group)add|add(user|group))(\s|$)"
)
#: Where a command takes packages of the distribution, or their names, from files: they may come with the code.
_OF_FILES = re.compile(r"\$\(|`|(?<!<)<\s*[\w./]|\bxargs\b|\s\.{0,2}/\S+\.\w+|\.(deb|apk|rpm)\b")
_LIST = re.compile(r"\s(-[UIqv]*r|--requirements?)\b")
_PIP = re.compile(r"\bpip[\d.]*\s+install\b")
#: Options with the path that they take, and what is left then where pip installs from a folder.
_OF_OPTION = re.compile(
    r"(?<!\S)(-[UIqv]*[rctfp]"
    r"|--(requirements?|constraints?|target|prefix|root|python|find-links|cache-dir|file))[ =]?\S+"
)
_FOLDER = re.compile(
    r"""(?<!\S)["']?(-e|--editable|\.{1,2}/\S*|\.{1,2}(\[\S*\])?)["']?(?!\S)|\binstall(\s+-\S+)*\s+["']?/|\bfile:"""
    r"""|(?<!\S)["']?[\w*][\w.*/-]*(\.(whl|zip|tar\.gz)|/)["']?(?!\S)"""
)
#: pip, and nothing but options and packages by their names or addresses; programs that npm installs for all.
_NAMED = re.compile(
    r"""((\S*/)?(python[\d.]* -m |uv )?pip[\d.]* install(?!.*\s--group\b)|npm (install|i) (-g|--global))"""
    r"""(\s+(-[-\w=]+|(-[-\w]+=)?(git\+)?https?://[^\s$]+"""
    r"""|["']?(@[\w-]+/)?[A-Za-z][\w.-]*(\[[\w,-]+\])?([=<>~!@]=?[\w.*,<>=]+)?["']?))+"""
)
#: Options of pip for a list of requirements or constraints here.
ASKED = r"""(?<!\S)(?:-[UIqv]*[rc](?=["'\s\w./$])|--(?:requirement|constraint)s?\b)(?![ =]*["']?https?://)"""
#: Tools that install the project too, unless they are told not to.
_WHOLE = re.compile(r"\b(poetry|pdm|pixi)\b.*\b(install|sync)\b|\buv\b(?! pip\b).*\bsync\b")
_NOT_WHOLE = re.compile(r"--no-root\b|--no-install-(project|workspace|local)\b|--no-self\b")
_ALL_BUT_PROJECT = {"poetry": "--no-root", "uv": "--no-install-project", "pdm": "--no-self"}
#: Commands that fetch models, data or browsers by name, and the modules that one line of Python fetches them with.
_FETCH = re.compile(
    r"(?:\S{0,99}/)?(?:python[\d.]*\s+-m\s+)?"
    r"\b(?:spacy\s+download|nltk\.downloader|playwright\s+install|(?:huggingface-cli|hf)\s+download)\b[^&|;\n]*"
    r"""|(?:\S{0,99}/)?python[\d.]*\s+-c\s+(?P<sign>["'])(?P<code>(?:(?!(?P=sign)).)*)(?P=sign)"""
)
_IMPORT = re.compile(
    r"(from|import)\s+(transformers|sentence_transformers|huggingface_hub|nltk|spacy|tiktoken|(faster_)?whisper|easyocr)\b"
    r"[\w.]*(\s+(import|as)\s+[\w, ]+)?"
)
#: Folders that hold an application as a rule, and nothing that is installed.
_CODE = re.compile(
    r"(app|application|src|source|code|backend|frontend|server|service|api|web|bot|worker|project|site"
    r"|templates|static|tests|migrations|alembic)$"
)


def order_steps(dockerfile: Dockerfile, target: str | None) -> Iterator[NextStep]:
    """What is installed after the code, as far as a Dockerfile alone tells."""
    lines = [one for stage in dockerfile.chain(target) for one in stage.instructions]
    if late := late_installs(lines):
        parts = [part for one in late for part in every_command(one) if installs_packages(part)]
        lists = any(re.search(ASKED, part) or not only_names(part) for part in parts)
        installs = parts or any(_SYSTEM.search(_text(one)) for one in late)
        words = [*(["install"] if installs else []), *(["fetch"] if any(map(_fetches, late)) else [])]
        options = dict.fromkeys(option for part in parts for option in _all_but_project(part))
        done = [f"{word} with {' and '.join(options)}" if options and word == "install" else word for word in words]
        what = f"{'copy the list of requirements alone, ' if lists else ''}{' and '.join(done)}, then copy the code"
        yield NextStep(
            name="order of lines",
            what=f"{what}{' and install the project' if options else ''}",
            where=", ".join(f"{posixpath.basename(dockerfile.name)}:{one.first}" for one in late),
            transfer_bytes=None,
            unpacked_tar_bytes=0,
            other=f"{' and '.join(f'{word}ed' for word in words)} again after each edit of the code",
            page="steps/step-2.md" if options else "steps/step-1.md",
        )


def _all_but_project(part: str) -> list[str]:
    """The option by which a tool leaves the project out that it installs along with what the project requires."""
    whole = _WHOLE.search(part) and not _NOT_WHOLE.search(part) and "--only-root" not in part
    tools = installers(part) if whole else set()
    return [option for tool, option in _ALL_BUT_PROJECT.items() if tool in tools]


def _text(one: Instruction) -> str:
    """What RUN runs; what echo says is run by nobody."""
    text = f"{one.value} {' '.join(one.here)}" if one.word == "RUN" else ""
    return re.sub(r"""\becho\s+(-\w+\s+)*("[^"]*"|'[^']*')""", "echo", text)


def installers(text: str) -> set[str]:
    """The tools that a command installs packages of a language with: pip, uv, npm and the like."""
    return {(match[1] or match[2]).lower() for match in _INSTALLS.finditer(text)}


def installs_packages(text: str) -> bool:
    """Does a command install packages of a language, as pip does, and not of the distribution?"""
    return bool(_INSTALLS.search(text))


def only_names(part: str) -> bool:
    """Does a command that installs name all that it installs, but for lists that its options ask for?"""
    return bool(_NAMED.fullmatch(part.strip()))


def installs_code(text: str) -> bool:
    """Does a command install the project itself, or from another folder, and need what is in it then?"""
    parts = [_OF_OPTION.sub("", part) for part in re.split(r"&&|[;|\n]", text) if installs_packages(part)]
    return any(_FOLDER.search(part) or (_WHOLE.search(part) and not _NOT_WHOLE.search(part)) for part in parts)


def needs_no_code(one: Instruction) -> bool:
    """Are all commands of a RUN such that install or fetch, or that people join to those?"""
    commands = every_command(one._replace(value=_FETCH.sub(_but_fetches, one.value)))
    return all(map(_NO_CODE.match, commands)) and not any(map(_takes_files, commands))


def _fetches(one: Instruction) -> bool:
    """Does a RUN fetch models, data or browsers, and do nothing that needs code?"""
    return one.word == "RUN" and _FETCH.sub(_but_fetches, one.value) != one.value and needs_no_code(one)


def _but_fetches(command: re.Match[str]) -> str:
    """Nothing of a command that fetches; a line of Python that imports or reads what may be code stays as it is."""
    lines = [line.strip() for line in (command["code"] or "").split(";")]
    imports = [line for line in lines if re.match(r"(from|import)\b", line)]
    own = re.search(r"""\b(open|exec)\(|__|["']\.""", command["code"] or "")
    known = imports and all(map(_IMPORT.fullmatch, imports)) and not own
    return "" if command["code"] is None or known else command[0]


def _takes_files(text: str) -> bool:
    """Does a command of a line install packages of the distribution that files are or name? They may be the code's."""
    return any(_SYSTEM.search(part) and _OF_FILES.search(part) for part in re.split("&&|;", text))


def late_installs(lines: list[Instruction]) -> list[Instruction]:
    """The lines that install packages although the code, all of it or some by name, was copied before them."""
    return copied_and_late(lines)[1]


def copied_and_late(lines: list[Instruction]) -> tuple[list[Instruction], list[Instruction]]:
    """The lines that copy code, all of it or by name, and those that install packages after it.

    What is copied by name counts until a line that may need it, as one that runs a script. Where a line installs the
    project itself, it is needed there, unless the tool can leave the project out. What is fetched may need what any
    other line before it made of the code.
    """
    said = " ".join(one.value for one in lines if one.word in ("CMD", "ENTRYPOINT"))
    runs = set(re.findall(r"\w+", said))
    copied: list[Instruction] = []
    before: dict[Instruction, None] = {}
    earlier, found, apart = [], [], False
    for one in lines:
        text = _text(one)
        copied += [one] if copies_all(one) or _copies_code(one, runs) else []
        system = _SYSTEM.search(text) and not _takes_files(text)
        late = system or (installs_packages(text) and not _is_rest(text, earlier)) or (_fetches(one) and not apart)
        needed = any(installs_code(part) and not _all_but_project(part) for part in every_command(one))
        if late and copied and (any(map(copies_all, copied)) or not needed):
            found.append(one)
            before |= dict.fromkeys(copied)
        elif text:
            apart = apart or (bool(copied) and (installs_code(text) or not needs_no_code(one)))
            copied = copied if any(map(copies_all, copied)) or needs_no_code(one) else []
        earlier.append(text)
    return list(before), found


def copies_all(one: Instruction) -> bool:
    """Does a line copy the whole build context?"""
    return _of_context(one) and words_of(one)[:1] in (["."], ["./"], ["*"], ["./*"])


def _of_context(one: Instruction) -> bool:
    return one.word in ("COPY", "ADD") and "--from" not in one.value


def _copies_code(one: Instruction, runs: Container[str]) -> bool:
    """Does a line copy code by name: Python files, or a folder that the image's own command names, or that all have?"""
    for source in words_of(one)[:-1] if _of_context(one) else ():
        name = posixpath.basename(source.rstrip("/*"))
        is_file = name.endswith(".py") and name != "setup.py"
        is_folder = "." not in name and (name in runs or _CODE.match(name))
        if "://" not in source and (is_file or is_folder):
            return True
    return False


def _is_rest(text: str, earlier: list[str]) -> bool:
    """Is it the project alone that a line installs, because an earlier one has what the project requires?"""
    if _LIST.search(text):
        return False
    if re.search(r"--no-deps\b|--only-root\b", text):
        return True
    tools = installers(text)
    before = [one for one in earlier if _LIST.search(one) or not _PIP.search(one)]
    there = set().union(*map(installers, before))
    # What one tool installed from a list is there for pip too.
    there |= {"pip", "uv"} if _PIP.search(text) and there & {"pip", "uv", "poetry", "pipenv", "pdm"} else set()
    there |= {"pip", "uv"} if any(re.search(r"\benv (create|update)\b", one) for one in before) else set()
    return installs_code(text) and tools <= there
