"""Next steps: what to change, and what that saves in this very image. Each file is counted in one step only."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterator

from packaging.utils import canonicalize_name

from measure.mine import facts, system
from measure.mine.context import AVOIDABLE
from measure.mine.model import Context, NextStep
from measure.mine.order import order_steps
from measure.mine.packages import Owned
from measure.mine.seen import Sum
from measure.mine.work import Work, files_of, gone, next_step, tools
from measure.weigh.filesystem import Inode

#: At most so many are told, and none that saves less.
MOST, LEAST_BYTES = 5, 100_000
#: Where dpkg and rpm keep what is installed.
_LISTS = re.compile(r"(var/lib|usr/lib/sysimage)/(dpkg|rpm|libdnf5)/")
#: Where an installer makes an environment for a tool alone, with a pip that nobody calls.
_OF_TOOL = re.compile(r"/(pypoetry/venv|poetry(/venv)?|pipx/venvs/[\w-]+)/lib/")


def _again(work: Work) -> Iterator[NextStep]:
    """A tree that is there twice because a later line changed its owner or mode."""
    copies = [inode for inode in work.seen.image.files.inodes if inode.again and work.seen.is_own(inode)]
    if copies:
        # The copies stay for what other steps leave out, but where the base has the same: it keeps that.
        work.counted |= {id(inode.again if work.seen.is_own(inode.again) else inode) for inode in copies}
        where = work.where(copies)
        made = dict.fromkeys(
            work.seen.origin.where[inode.again.layer] for inode in copies if work.seen.is_own(inode.again)
        )
        what = "set owner and mode where the files arrive (COPY --chown, --chmod), later only of folders to write in"
        if all(work.seen.origin.text[inode.layer].startswith(("COPY ", "ADD ")) for inode in copies):
            what = "copy what is new alone: the same files are there already"
            if not made and any("-packages/" in work.seen.names.get(id(inode), "") for inode in copies):
                what = "install into a virtual environment and copy that: the base has the same files already"
        yield next_step("written twice", what, work.seen.sum_of(copies), where, "steps/step-3.md", made)


def _hidden(work: Work) -> Iterator[NextStep]:
    """Files of own lines that a later line deletes or replaces."""
    hidden = [
        inode
        for inode in work.seen.image.files.inodes
        if not inode.names and work.seen.is_own(inode) and inode.hidden_by is not None and inode.hidden_by > inode.layer
    ]
    if hidden:
        layers, text = sorted({inode.hidden_by for inode in hidden}), work.seen.origin.text
        by = [work.seen.origin.where[layer] for layer in layers]
        what = "delete in the line that makes them, or build in another stage"
        lists = sum(one.size for one in hidden if one.entry and _LISTS.match(one.entry.path))
        if lists * 2 > sum(one.size for one in hidden):
            what = "install the distribution's packages in one line, as each writes the list of all anew"
        if all(text[at].startswith("RUN") for at in layers):
            if all(_copies_context(text[one.layer]) for one in hidden):
                what = "name in .dockerignore, or mount, what is copied to be deleted"
            elif all(text[one.layer].startswith("COPY ") for one in hidden):
                what = "mount what is only read (RUN --mount=type=bind), or delete it in its own stage"
        what += f": {', '.join(by[:3])} only hides them"
        yield next_step("hidden files", what, work.take(hidden), work.where(hidden), "steps/step-3.md", by)


def _caches(work: Work) -> Iterator[NextStep]:
    every: list[Inode] = []
    sizes: Counter[str] = Counter()
    folders: dict[str, None] = {}
    for name, folder, inode in facts.cached(work.seen):
        every.append(inode)
        sizes[name] += inode.size
        folders[folder] = None
    if every:
        names = [name for name in sizes if sizes[name] * 20 >= sum(sizes.values())]
        what = f"leave out {', '.join(names)}: a cache mount keeps them for the next build, and out of the image"
        yield next_step("caches", what, work.take(every), work.where(every), "steps/extra-need-for-speed.md", folders)


def _wheels(work: Work) -> Iterator[NextStep]:
    """Wheels that were copied to be installed from, and stay."""
    found = {
        id(node.inode): node.inode
        for path, node in work.seen.visible
        if node.inode and work.seen.is_own(node.inode) and path.endswith(".whl")
        and not re.search(r"-packages/|/ensurepip/|/python-wheels/", path)  # what `python -m venv` installs
        and work.seen.origin.text[node.inode.layer].startswith("COPY ")
    }  # fmt: skip
    if found:
        what = "install from a mount, RUN --mount=type=bind,…, and copy no wheels into the image"
        saved, where = work.take(found.values()), work.where(found.values())
        yield next_step("copied wheels", what, saved, where, "steps/step-3.md")


def _avoidable(work: Work) -> Iterator[NextStep]:
    """What an ignore file keeps out, where it was copied into the image."""
    found: dict[int, Inode] = {}
    names: dict[str, None] = {}
    for path, node in work.seen.visible:
        if not node.inode or not work.seen.is_own(node.inode) or "-packages/" in path:
            continue
        match, first = AVOIDABLE.search(path), node.inode
        while first.again and work.seen.is_own(first.again):  # its owner was changed since
            first = first.again
        text = work.seen.origin.text[first.layer]
        if match and _copies_context(text) and _is_of_context(match[2]):
            found[id(node.inode)] = node.inode
            names[match[2]] = None
    if found:
        what = f"name {', '.join(list(names)[:5])} in .dockerignore"
        saved, where = work.take(found.values()), work.where(found.values())
        yield next_step("ignore file", what, saved, where, "steps/step-1.md", (f"**/{name}" for name in names))


def _copies_context(text: str) -> bool:
    """Does a line copy from the build context? A history says no --from, but what is in a stage has a whole path."""
    words = [word for word in text.split() if not word.startswith("--")]
    return words[:1] in (["COPY"], ["ADD"]) and "--from" not in text and not "".join(words[1:2]).startswith("/")


def _cloned(work: Work) -> Iterator[NextStep]:
    """The history that comes with a repository that a line clones."""
    found = {
        id(node.inode): node.inode
        for path, node in work.seen.visible
        if node.inode and work.seen.is_own(node.inode) and "/.git/" in path
        and re.search(r"\bgit\b.*\bclone\b|git\+", work.seen.origin.text[node.inode.layer])
    }  # fmt: skip
    if found:
        what = "unless your code calls git there, delete .git in the line that clones, or have ADD fetch the repository"
        saved, where = work.take(found.values()), work.where(found.values())
        yield next_step("git history", what, saved, where, "guide/practices.md")


def _is_of_context(name: str) -> bool:
    """A virtual environment that is copied may be the application's own: it is, from another stage."""
    return not name.endswith(".pyc") and name != "env"


def _pips(work: Work) -> Iterator[NextStep]:
    """pip, setuptools and wheel in a virtual environment, where the base has pip."""
    has_base = any(one.of_base and one.installed.name == "pip" for one in work.python)
    second = [one for one in work.python if not one.of_base and one.installed.name == "pip"]
    second = [one for one in second if not _is_condas(work, one) and not _OF_TOOL.search(one.installed.location)]
    if has_base and second:
        files = files_of(second, own=work.seen.is_own)
        what = "make the virtual environment with `python -m venv --without-pip`, or leave pip in the builder's stage"
        of = (one.installed.location for one in second)
        yield next_step("a second pip", what, work.take(files), work.where(files), "steps/step-3.md", of)


def _is_condas(work: Work, one: Owned) -> bool:
    """Is it in an environment that conda makes? That brings pip, and setuptools with it, along with Python."""
    return f"{one.installed.location.partition('/lib/python')[0]}/conda-meta" in work.seen.nodes


def _upgraded(work: Work) -> Iterator[NextStep]:
    """A pip that was put over the base's one."""
    over = {
        inode.hidden_by
        for inode in work.seen.image.files.inodes
        if not work.seen.is_own(inode) and inode.entry and "-packages/pip/" in inode.entry.path
    }
    files = [
        inode
        for inode in files_of((one for one in work.python if one.installed.name == "pip"), own=work.seen.is_own)
        if inode.layer in over and _upgrades_pip(work.seen.origin.text[inode.layer])
    ]
    if files:
        what = "leave out the upgrade of pip: the base's own one installs the same"
        yield next_step("an upgraded pip", what, work.take(files), work.where(files), "steps/step-3.md")


def _upgrades_pip(text: str) -> bool:
    """Is there a command that installs pip over the one that is there?"""
    for command in re.split(r"&&|\|\||[;|\n]", text):
        words = command.split()
        asked = words[words.index("install") :] if "install" in words else []
        if {"--upgrade", "-U"} & set(asked) and any(
            re.fullmatch(r"['\"]?pip([=<>~!].*)?['\"]?", word) for word in asked
        ):
            return True
    return False


def _base_bytecode(work: Work) -> Iterator[NextStep]:
    """What Python compiled of the base's own files while pip ran: pip, and what pip imports.

    Where pip itself is not among it, somebody compiled the standard library on purpose: that shortens each start.
    """
    found: dict[int, list[Inode]] = {}
    of_pip: set[int] = set()
    for path, node, source in facts.compiled(work.seen):
        if source and work.seen.is_own(node.inode) and not work.seen.is_own(source.inode):
            found.setdefault(node.inode.layer, []).append(node.inode)
            if "-packages/pip/" in path:
                of_pip.add(node.inode.layer)
    if of_pip:
        files = [inode for layer in of_pip for inode in found[layer]]
        what = "pip compiled itself and what it imports: install in another stage, or with PYTHONDONTWRITEBYTECODE=1"
        page = "steps/extra-need-for-speed.md"
        yield next_step("bytecode of the base", what, work.take(files), work.where(files), page)


def _development(work: Work) -> Iterator[NextStep]:
    """What develops or builds, but for a tool that the image itself runs: `jupyter lab`, `uv run`."""
    asked = (one for one in tools(work.python) if one.asked_for and one.installed.name != "pip")
    asked = (one for one in asked if one.installed.name not in ("setuptools", "wheel") or not _is_condas(work, one))
    if found := [one for one in asked if not facts.runs(work.seen, one.installed.name)]:
        names = sorted({one.installed.name for one in found})
        places = {one.installed.location for one in found if _OF_TOOL.search(one.installed.location)}
        found += [one for one in work.python if one.installed.name == "pip" and one.installed.location in places]
        files, of = gone(work, work.python, found)
        what = f"leave out development tools and what only they bring: {', '.join(names[:6])}"
        if script := facts.script(work.seen):
            what = f"unless {script} calls them, {what}"
        yield next_step("development tools", what, work.take(files), work.where(files), "steps/step-2.md", of)


def _tests(work: Work) -> Iterator[NextStep]:
    # lazy-loader reads .pyi files when a package is imported.
    lazy = any(canonicalize_name(one.installed.name) == "lazy-loader" for one in work.python)
    found = {
        id(node.inode): node.inode
        for path, node in work.seen.visible
        if node.inode and work.seen.is_own(node.inode)
        and (facts.TESTS.search(path) or (not lazy and facts.STUBS.search(path)))
    }  # fmt: skip
    if found:
        what = f"delete packages' tests{'' if lazy else ' and .pyi files'} in the line or the stage that installs them"
        of = dict.fromkeys(one.installed.location for one in work.python if not one.of_base)
        yield next_step("tests", what, work.take(found.values()), work.where(found.values()), "guide/floor.md", of)


def _stale(work: Work) -> Iterator[NextStep]:
    found = {
        id(node.inode): node.inode
        for path, node, source in facts.compiled(work.seen)
        if source and work.seen.is_own(node.inode) and facts.is_stale(path, node, source)
    }
    if found:
        what = "bytecode is stale: Python compiles anew at each start; compile where the files get their last time"
        step = next_step(
            "stale bytecode", what, Sum(0, 0, 0), work.where(found.values()), "steps/extra-need-for-speed.md"
        )
        stale = work.take(found.values()).bytes
        yield step.model_copy(update={"other_bytes": stale, "other": "of bytecode that no start can use"})


def _order(work: Work) -> Iterator[NextStep]:
    """Requirements after the code: each edit installs anew, and sends all of it anew."""
    for step in order_steps(work.dockerfile, work.target) if work.dockerfile else ():
        layers = [number for number, one in enumerate(work.seen.origin.where) if one in step.where.split(", ")]
        sent = sum(work.seen.image.facts[number].packed_bytes for number in layers)
        other = {"other_bytes": sent, "other": "sent again after each edit of the code"}
        yield step.model_copy(update={"transfer_bytes": 0, **other})


def context_steps(context: Context | None, told: Container[str] = ()) -> list[NextStep]:
    """What an ignore file keeps out of the build context, but for patterns that were `told` already."""
    avoidable = {name: size for name, size in (context.avoidable if context else {}).items() if name not in told}
    avoidable = {name: size for name, size in avoidable.items() if f"**/{name}" not in told}
    total = sum(avoidable.values())
    if total < LEAST_BYTES:
        return []
    names = ", ".join(list(avoidable)[:5])
    return [
        NextStep(
            name="build context",
            what=f"name {names} in .dockerignore",
            where=context.ignore_file or ".dockerignore",
            of=list(avoidable),
            transfer_bytes=0,
            unpacked_tar_bytes=0,
            other_bytes=total,
            other="offered to the builder for nothing",
            page="steps/step-1.md",
        )
    ]


#: In this order: a file that two steps would leave out is counted in the first.
STEPS = (
    _again,
    _hidden,
    _caches,
    _wheels,
    _avoidable,
    _cloned,
    _pips,
    _upgraded,
    _base_bytecode,
    _development,
    system.compilers,
    system.called,
    system.recommended,
    system.documentation,
    system.slim,
    _tests,
    _stale,
    _order,
)


def next_steps(work: Work, context: Context | None) -> list[NextStep]:
    """The steps that save most, at most five; what is saved in the image counts before what is saved elsewhere."""
    found = [step for make in STEPS for step in make(work)]
    told = {name for step in found if step.name == "ignore file" for name in step.of}
    found += context_steps(context, told)
    worth = [step for step in found if max(step.unpacked_tar_bytes, step.other_bytes) >= LEAST_BYTES]
    return sorted(worth, key=_worth, reverse=True)[:MOST]


def _worth(step: NextStep) -> tuple[int, int]:
    saved = step.unpacked_tar_bytes if step.transfer_bytes is None else step.transfer_bytes
    return max(saved, step.other_bytes // 2), step.unpacked_tar_bytes
