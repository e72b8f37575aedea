"""What the lines of a Dockerfile do to files, owners and packages, as far as a changed order may change it.

It builds nothing and gives no number. It is what a test holds two Dockerfiles against each other by: as Docker's
reference for Dockerfiles and the manuals of the commands tell it, for the few commands that the test draws.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from measure.base.dockerfiles import Dockerfile, Instruction

#: The build context: by its path the content of a file; `-r` in a list names another list.
CONTEXT = {
    "requirements.txt": "flask", "prod.txt": "-r req/base.txt\ngunicorn", "req/base.txt": "flask",
    "req/prod.txt": "-r base.txt\ngunicorn", "pyproject.toml": "flask", "poetry.lock": "flask 3", "main.py": "main",
    "config.json": "{}", "prepare": "script", "app/__init__.py": "", "app/main.py": "main of app",
    "app/requirements.txt": "numpy", "app/prepare": "script of app", "tests/test_main.py": "test",
    "Dockerfile": "FROM a",
}  # fmt: skip
FOLDER = "(folder)"
#: Folders that a base image has.
BASE = ("/", "/home", "/srv", "/tmp")


class Fails(Exception):  # noqa: N818 - it is what a build does
    """A line ends the build: a file is missing, or the user may not."""


@dataclass
class Machine:
    """A container's file system while it is built: by a path content, owner and mode; and who has which packages."""

    files: dict[str, tuple[str, str, str]] = field(default_factory=lambda: dict.fromkeys(BASE, (FOLDER, "root", "755")))
    packages: set[tuple[str, str]] = field(default_factory=set)
    users: set[str] = field(default_factory=lambda: {"root"})
    folder: str = "/"
    user: str = "root"
    line: int = field(default=0, compare=False)
    mounts: dict[str, str] = field(default_factory=dict, compare=False)
    #: By a path the line that made it; and by a line those whose files it gave another owner or mode.
    made_by: dict[str, int] = field(default_factory=dict, compare=False)
    changed: dict[int, set[int]] = field(default_factory=dict, compare=False)
    deleted: dict[int, set[int]] = field(default_factory=dict, compare=False)

    def at(self, path: str) -> str:
        return posixpath.normpath(posixpath.join(self.folder, path))

    def below(self, path: str) -> list[str]:
        return [one for one in self.files if one == path or one.startswith(path.rstrip("/") + "/")]

    def make(self, path: str, owner: str = "root", mode: str = "755") -> None:
        """A folder, and those above it."""
        for one in (*reversed([*_above(path)]), path):
            self.made_by.setdefault(one, self.line)
            if self.files.setdefault(one, (FOLDER, owner, mode))[0] != FOLDER:
                raise Fails(f"{one} is a file")

    def may_write(self, path: str) -> None:
        there = next(one for one in (path, *_above(path)) if one in self.files)
        if self.user not in ("root", self.files[there][1]):
            raise Fails(f"{self.user} may not write {path}")

    def write(self, path: str, content: str, owner: str, mode: str = "644") -> None:
        if self.files.get(path, ("",))[0] == FOLDER:
            raise Fails(f"{path} is a folder")
        self.make(posixpath.dirname(path), owner if owner != "root" else "root")
        self.files[path], self.made_by[path] = (content, owner, mode), self.line

    def set(self, path: str, owner: str, mode: str) -> None:
        """Give a file another owner and mode."""
        content, *before = self.files[path]
        if before != [owner, mode] and content != FOLDER:
            self.changed.setdefault(self.line, set()).add(self.made_by[path])
        self.files[path] = (content, owner, mode)

    def read(self, path: str) -> str:
        content = self.files.get(self.at(path), (FOLDER,))[0]
        if content == FOLDER:
            raise Fails(f"{path} is not there")
        return content


def _above(path: str) -> list[str]:
    found = []
    while path != "/":
        path = posixpath.dirname(path)
        found.append(path)
    return found


def built(dockerfile: Dockerfile, context: Mapping[str, str] = CONTEXT) -> Machine:
    """What the lines of the last stage and those below it make. Raises Fails where one of them ends the build."""
    machine = Machine()
    for one in (one for stage in dockerfile.chain() for one in stage.instructions):
        machine.line = one.first
        if one.word == "WORKDIR":
            machine.folder = machine.at(one.value)
            machine.make(machine.folder, machine.user)
        elif one.word == "USER":
            if one.value not in machine.users:
                raise Fails(f"no user {one.value}")
            machine.user = one.value
        elif one.word == "COPY":
            _copy(machine, one, context)
        elif one.word == "RUN":
            options, commands = re.fullmatch(r"((?:--\S+ )*)(.*)", one.value).groups()
            with _mounted(machine, options, context):
                for command in commands.split(" && "):
                    _run(machine, command)
    return machine


@contextmanager
def _mounted(machine: Machine, options: str, context: Mapping[str, str]) -> Iterator[None]:
    """Files of the build context that are there while a line runs, and cannot be changed."""
    kept = dict(machine.files)
    machine.mounts = dict(re.findall(r"--mount=type=bind,source=(\S+),target=(\S+)", options))
    for source, target in machine.mounts.items():
        for path, content in context.items():
            if path == source or path.startswith(f"{source}/"):
                machine.write(posixpath.normpath(target + path.removeprefix(source)), content, "root")
    yield
    for target in machine.mounts.values():
        for path in machine.below(target):
            machine.files.pop(path)
        machine.files |= {path: what for path, what in kept.items() if path in machine.below(target)}
    machine.mounts = {}


def _copy(machine: Machine, one: Instruction, context: Mapping[str, str]) -> None:
    options = dict(re.findall(r"--(\w+)=(\S+)", one.value))
    if "from" in options:
        return
    *sources, to = re.sub(r"--\S+\s+", "", one.value).split()
    owner = options.get("chown", "root").partition(":")[0]
    if owner not in machine.users:
        raise Fails(f"no user {owner}")
    is_folder = to.endswith(("/", ".")) or len(sources) > 1 or machine.files.get(machine.at(to), ("",))[0] == FOLDER
    for source in sources:
        name = posixpath.normpath(source)
        files = {path: path.removeprefix(f"{name}/") for path in context if name == "." or path.startswith(f"{name}/")}
        if not files:  # a file, or a pattern
            found = (path for path in context if path.count("/") == name.count("/") and fnmatchcase(path, name))
            files = {path: posixpath.basename(path) if is_folder else "" for path in found}
        if not files:
            raise Fails(f"{source} is not in the context")
        machine.make(machine.at(to) if is_folder or len(files) > 1 else posixpath.dirname(machine.at(to)), owner)
        for path, below in files.items():
            place = posixpath.normpath(posixpath.join(machine.at(to), below))
            for inner in _above(f"/{below}")[:-1]:  # what it copies to stays as it is, but not a folder in a folder
                inner = posixpath.join(machine.at(to), inner.lstrip("/"))
                machine.make(inner, owner)
                machine.files[inner] = (FOLDER, owner, "755")
            machine.write(place, context[path], owner, options.get("chmod", "644"))


def _run(machine: Machine, command: str) -> None:
    name, _, rest = command.partition(" ")
    words = [word for word in rest.split() if not word.startswith("-")]
    if command.startswith("pip install -r "):
        _listed(machine, words[1])
    elif name in ("pip", "apt-get"):
        if name == "apt-get" and machine.user != "root":
            raise Fails("apt-get needs root")
        machine.packages |= {(word, machine.user) for word in words[1:]}
    elif name == "poetry":
        if not any(one[0] == "poetry" for one in machine.packages):
            raise Fails("no poetry")
        machine.packages |= {(machine.read("pyproject.toml") + machine.read("poetry.lock"), machine.user)}
    elif name == "useradd":
        if machine.user != "root":
            raise Fails("useradd needs root")
        if words[-1] in machine.users:
            raise Fails("it is there already")
        machine.users |= {words[-1]}
        machine.make(f"/home/{words[-1]}")
        machine.files[f"/home/{words[-1]}"] = (FOLDER, words[-1], "700")
    else:
        _change(machine, name, words, rest)


def _listed(machine: Machine, path: str) -> None:
    for line in machine.read(path).split("\n"):
        if line.startswith("-r "):
            _listed(machine, posixpath.join(posixpath.dirname(path), line[3:]))
        else:
            machine.packages |= {(line, machine.user)}


def _change(machine: Machine, name: str, words: list[str], rest: str) -> None:
    path = machine.at(words[-1]) if words else machine.folder
    if name == "./prepare":  # it reads all that is there
        machine.read("prepare")
        machine.may_write(machine.folder)
        if machine.folder == "/":
            raise Fails("it reads the whole disk")
        seen = (
            (one.removeprefix(machine.folder), machine.files[one][0]) for one in sorted(machine.below(machine.folder))
        )
        machine.write(machine.at("prepared"), repr([*seen]), machine.user)
    elif name == "mkdir":
        machine.may_write(path)
        machine.make(path, machine.user)
    elif name == "echo":
        machine.may_write(path)
        said, _, _ = rest.partition(" >")
        content = f"{machine.read(words[-1])}\n{said}" if ">>" in rest else said
        machine.write(path, content, machine.files[path][1] if path in machine.files else machine.user)
    elif name == "sed":
        machine.may_write(path)
        machine.write(path, f"{machine.read(words[-1])}\ncelery", machine.files[path][1])
    elif name == "rm":
        if not machine.below(path) and "-f" not in rest and "-rf" not in rest:
            raise Fails(f"{path} is not there")
        for one in machine.below(path):
            machine.may_write(posixpath.dirname(one))
            if any(one == to or one.startswith(f"{to}/") for to in machine.mounts.values()):
                raise Fails(f"{one} is mounted")
            if machine.files.pop(one)[0] != FOLDER and machine.made_by[one] != machine.line:
                machine.deleted.setdefault(machine.line, set()).add(machine.made_by[one])
    elif name in ("chown", "chmod"):
        to, *paths = words[0].partition(":")[0], *map(machine.at, words[1:])
        if name == "chown" and to not in machine.users:
            raise Fails(f"no user {to}")
        if "/" in paths or not {*paths} <= machine.files.keys():
            raise Fails(f"{paths} are not there, or all there is")
        for one in (one for path in paths for one in (machine.below(path) if "-R" in rest else [path])):
            _, owner, mode = machine.files[one]
            if machine.user not in ("root", "" if name == "chown" else owner):
                raise Fails(f"{machine.user} may not change {one}")
            machine.set(one, *((to, mode) if name == "chown" else (owner, to)))
    elif name == "find":  # what an edit leaves to do: find PATHS … -exec chown -h USER {} +
        paths, what, to = re.fullmatch(r"(.*?) !.*-exec (chown -h|chmod) (\S+) \{\} \+", rest).groups()
        for path in (one for each in paths.split() for one in machine.below(machine.at(each))):
            _, owner, mode = machine.files[path]
            to = to.partition(":")[0]
            machine.set(path, *((to, mode) if what == "chown -h" else (owner, to)))
    else:
        raise AssertionError(f"no model of {name}")


#: By what is said the files that a tool reads, if no line copies them from elsewhere.
READ = {"npm ci": ["package.json", "package-lock.json"], "npm install": ["package.json"],
        "poetry install": ["pyproject.toml", "poetry.lock"], "uv sync": ["pyproject.toml", "uv.lock"],
        "pipenv install": ["Pipfile", "Pipfile.lock"]}  # fmt: skip


def sent(*texts: str) -> dict[str, Path]:
    """A build context with the files that lines of Dockerfiles copy by name, and the lists that they read."""
    text = "\n".join(texts)
    lines = [line.split() for line in text.splitlines()]
    copies = [line for line in lines if line[:1] in (["COPY"], ["ADD"])]
    words = [word for line in copies for word in line[1:-1] if word[0] not in "-["]
    names = [word.removeprefix("./").rstrip("/*") for word in words if word not in (".", "*", "*.py")]
    changed = {posixpath.basename(line[-1]) for line in lines if line[:2] == ["RUN", "chmod"]}
    names = [
        name if re.search(r"\.|^[A-Z]", name) or posixpath.basename(name) in changed else f"{name}/main.py"
        for name in names
    ]
    lists = re.findall(r"(?<=\s)-\w*[rc][ =]?['\"]?(?:\./)?(\w[\w/-]*\.txt)", text)
    lists += [name for said, read in READ.items() if said in text for name in read]
    elsewhere = {posixpath.basename(word) for line in copies for word in line[2 if "--from" in line[1] else -1 :]}
    names += [name for name in lists if name not in elsewhere]
    names += [f"{folder}/requirements.txt" for folder in ("src", "backend") if f"COPY {folder}/" in text]
    return {name: Path("nowhere", name) for name in ["main.py", *names]}
