"""Next steps: what to change, and what that saves in this very image. Each file is counted in one step only."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterator

from measure.base.dockerfiles import Dockerfile, Instruction
from measure.mine import facts, system
from measure.mine.context import AVOIDABLE
from measure.mine.model import Context, NextStep
from measure.mine.seen import Sum
from measure.mine.work import Work, files_of, gone, next_step, tools
from measure.weigh.filesystem import Inode

#: At most so many are told, and none that saves less.
MOST, LEAST_BYTES = 5, 100_000
_INSTALLS = re.compile(
    r"\b(pip3?|uv|poetry|pipenv|pdm|conda|mamba|npm|yarn|pnpm)\b[^&|;]*\b(install|sync|ci|update)\b", re.IGNORECASE
)


def _again(work: Work) -> Iterator[NextStep]:
    """A tree that is there twice because a later line changed its owner or mode."""
    copies = [inode for inode in work.seen.image.files.inodes if inode.again and work.seen.is_own(inode)]
    if copies:
        work.counted |= {id(inode.again) for inode in copies}  # the copies stay for what other steps leave out
        where = work.where(copies)
        made = dict.fromkeys(
            work.seen.origin.where[inode.again.layer] for inode in copies if work.seen.is_own(inode.again)
        )
        what = "set owner and mode where the files arrive (COPY --chown, --chmod), and not in a line of its own"
        yield next_step("written twice", what, work.seen.sum_of(copies), where, "steps/step-3.md", made)


def _hidden(work: Work) -> Iterator[NextStep]:
    """Files of own lines that a later line deletes or replaces."""
    hidden = [
        inode
        for inode in work.seen.image.files.inodes
        if not inode.names and work.seen.is_own(inode) and inode.hidden_by is not None and inode.hidden_by > inode.layer
    ]
    if hidden:
        by = [work.seen.origin.where[layer] for layer in sorted({inode.hidden_by for inode in hidden})]
        what = f"delete in the line that makes them, or build in another stage: {', '.join(by[:3])} only hides them"
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
        if node.inode and work.seen.is_own(node.inode) and path.endswith(".whl") and "-packages/" not in path
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
        match = AVOIDABLE.search(path)
        text = work.seen.origin.text[node.inode.layer]
        if match and text.startswith(("COPY ", "ADD ")) and "--from" not in text and _is_of_context(match[2]):
            found[id(node.inode)] = node.inode
            names[match[2]] = None
    if found:
        what = f"name {', '.join(list(names)[:5])} in .dockerignore"
        saved, where = work.take(found.values()), work.where(found.values())
        yield next_step("ignore file", what, saved, where, "steps/step-1.md", (f"**/{name}" for name in names))


def _is_of_context(name: str) -> bool:
    """A virtual environment that is copied may be the application's own: it is, from another stage."""
    return not name.endswith(".pyc") and name != "env"


def _pips(work: Work) -> Iterator[NextStep]:
    """pip, setuptools and wheel in a virtual environment, where the base has pip."""
    has_base = any(one.of_base and one.installed.name == "pip" for one in work.python)
    second = [one for one in work.python if not one.of_base and one.installed.name.lower() == "pip"]
    if has_base and second:
        files = files_of(second, own=work.seen.is_own)
        what = "make the virtual environment with `python -m venv --without-pip`, or leave pip in the builder's stage"
        of = (one.installed.location for one in second)
        yield next_step("a second pip", what, work.take(files), work.where(files), "steps/step-3.md", of)


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
    if found := [one for one in tools(work.python) if one.asked_for and one.installed.name != "pip"]:
        files, of = gone(work, work.python, found)
        names = sorted({one.installed.name for one in found})
        what = f"leave out development tools and what only they bring: {', '.join(names[:6])}"
        yield next_step("development tools", what, work.take(files), work.where(files), "steps/step-2.md", of)


def _tests(work: Work) -> Iterator[NextStep]:
    found = {
        id(node.inode): node.inode
        for path, node in work.seen.visible
        if node.inode and work.seen.is_own(node.inode) and (facts.TESTS.search(path) or facts.STUBS.search(path))
    }
    if found:
        what = "delete packages' tests and .pyi files in the line or the stage that installs them"
        of = dict.fromkeys(one.installed.location for one in work.python if not one.of_base)
        yield next_step("tests", what, work.take(found.values()), work.where(found.values()), "guide/floor.md", of)


def _stale(work: Work) -> Iterator[NextStep]:
    found = {
        id(node.inode): node.inode
        for _, node, source in facts.compiled(work.seen)
        if source and work.seen.is_own(node.inode) and facts.is_stale(node, source)
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
        layers = [number for number, one in enumerate(work.seen.origin.where) if one == step.where]
        sent = sum(work.seen.image.facts[number].packed_bytes for number in layers)
        other = {"other_bytes": sent, "other": "sent again after each edit of the code"}
        yield step.model_copy(update={"transfer_bytes": 0, **other})


def order_steps(dockerfile: Dockerfile, target: str | None) -> Iterator[NextStep]:
    """Requirements after the code, as far as a Dockerfile alone tells."""
    if late := late_install(dockerfile.chain(target)[-1].instructions):
        yield NextStep(
            name="order of lines",
            what="copy the list of requirements alone, install, then copy the code",
            where=f"{posixpath.basename(dockerfile.name)}:{late.first}",
            transfer_bytes=None,
            unpacked_tar_bytes=0,
            other="installed again after each edit of the code",
            page="steps/step-1.md",
        )


def late_install(lines: list[Instruction]) -> Instruction | None:
    """The first line that installs packages although all of the code was copied before it."""
    copied = False
    for one in lines:
        words = [word for word in one.value.split() if not word.startswith("--")]
        if one.word in ("COPY", "ADD") and "--from" not in one.value and words[:1] in (["."], ["./"]):
            copied = True
        if copied and one.word == "RUN" and _INSTALLS.search(f"{one.value} {' '.join(one.here)}"):
            return one
    return None


def context_steps(context: Context | None) -> list[NextStep]:
    """What an ignore file keeps out of the build context."""
    total = sum(context.avoidable.values()) if context else 0
    if total < LEAST_BYTES:
        return []
    names = ", ".join(list(context.avoidable)[:5])
    return [
        NextStep(
            name="build context",
            what=f"name {names} in .dockerignore",
            where=context.ignore_file or ".dockerignore",
            of=list(context.avoidable),
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
    _pips,
    _upgraded,
    _base_bytecode,
    _development,
    system.compilers,
    system.called,
    system.recommended,
    system.slim,
    _tests,
    _stale,
    _order,
)


def next_steps(work: Work, context: Context | None) -> list[NextStep]:
    """The steps that save most, at most five; what is saved in the image counts before what is saved elsewhere."""
    found = [step for make in STEPS for step in make(work)] + context_steps(context)
    worth = [step for step in found if max(step.unpacked_tar_bytes, step.other_bytes) >= LEAST_BYTES]
    return sorted(worth, key=_worth, reverse=True)[:MOST]


def _worth(step: NextStep) -> tuple[int, int]:
    saved = step.unpacked_tar_bytes if step.transfer_bytes is None else step.transfer_bytes
    return max(saved, step.other_bytes // 2), step.unpacked_tar_bytes
