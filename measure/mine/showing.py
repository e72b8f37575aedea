"""A report on one screen of a terminal, and as Markdown for a pull request's comment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.markup import escape

from measure.base.screen import plain_table
from measure.base.units import megabytes, signed
from measure.mine.model import Context, Facts, Floor, Line, NextStep, Package, Report, Sizes, Started, Timed, Tried

#: Rows that one screen has place for; `--all` shows every one.
LINES, PACKAGES, GROWN = 10, 6, 5
#: The widest text of an instruction in Markdown.
_WIDEST = 70


def size(number: int | None) -> str:
    """Bytes for people; a dash where they are not known."""
    return "-" if number is None else megabytes(number)


def headline(report: Report) -> str:
    """What was weighed: its name, platform and digest."""
    parts = [report.subject, report.platform or "", (report.digest or "")[:19]]
    return " · ".join(filter(None, parts))


def size_lines(sizes: Sizes) -> Iterator[str]:
    """How large it is, and what `docker images` shows."""
    transfer = "transfer not known (the layers in this archive are not compressed)"
    if sizes.transfer_bytes is not None:
        transfer = f"transfer {megabytes(sizes.transfer_bytes)}"
    yield f"{transfer}, unpacked {megabytes(sizes.unpacked_tar_bytes)}, hidden {megabytes(sizes.hidden_bytes)}"
    shows = f"about {megabytes(sizes.overlay2_bytes)} with the overlay2 store (files alone)"
    if sizes.containerd_bytes is not None:
        shows += f", {megabytes(sizes.containerd_bytes)} with containerd's (compressed and on disk)"
    yield f"`docker images` shows {shows}"


def _shown_lines(lines: list[Line], most: int | None) -> list[Line]:
    """Lines that add something, the heaviest where there are too many, in the order of the file."""
    kept = [line for line in lines if line.files or line.hidden_bytes or line.of_base]
    if most is not None and len(kept) > most:
        heaviest = sorted(kept, key=lambda line: -line.unpacked_tar_bytes)[: most - 1]
        return [line for line in kept if line in heaviest]
    return kept


def _hidden(line: Line) -> str:
    """What of a line is hidden, and by which others for the most part: of a Dockerfile's lines the numbers alone."""
    if not line.hidden_bytes:
        return ""
    most = [name for name, size in line.hidden_by.items() if name != line.where and size * 10 >= line.hidden_bytes]
    names = [name[len(name.rpartition(":")[0]) :] for name in most]
    return f"{megabytes(line.hidden_bytes)}{' by ' if names else ''}{', '.join(names[:2])}{' …' if names[2:] else ''}"


def line_rows(report: Report, most: int | None) -> list[list[str]]:
    """A row for each line that adds something: where, transfer, unpacked, hidden, and what it says."""
    shown = _shown_lines(report.lines, most)
    rows = []
    for line in shown:
        changed = "(changed since it was built) " if line.changed else ""
        sizes = [size(line.transfer_bytes), megabytes(line.unpacked_tar_bytes), _hidden(line)]
        rows.append([line.where, *sizes, f"{changed}{line.instruction}"])
    left = [line for line in report.lines if line not in shown]
    if left:
        known = [line.transfer_bytes for line in left if line.transfer_bytes is not None]
        total = sum(line.unpacked_tar_bytes for line in left)
        transfer = size(sum(known)) if len(known) == len(left) else "-"
        rows.append([f"{len(left)} more", transfer, megabytes(total), "", "that add little or nothing"])
    return rows


def package_rows(packages: list[Package], most: int | None) -> list[list[str]]:
    """A row for each package: its name, bytes, what of these is libraries and bytecode, and who brings it."""
    rows = []
    for one in packages[:most]:
        parts = [("libraries", one.vendored_bytes), ("bytecode", one.bytecode_bytes)]
        inside = ", ".join(f"{word} {megabytes(part)}" for word, part in parts if part)
        brought = f"for {one.brought_by[0]}" if one.brought_by else "in the base" if one.of_base else "asked for"
        word = ", development tool" if one.development else ""
        rows.append([f"{one.name} {one.version}", size(one.bytes), inside, f"{brought}{word}"])
    return rows


def own(packages: list[Package], kind: str) -> list[Package]:
    """The packages of one kind that own lines bring."""
    return [one for one in packages if one.kind == kind and not one.of_base]


def fact_lines(facts: Facts) -> list[str]:
    """What an image is like, in a few lines; what needs attention has a mark."""
    has = {"shell": facts.has_shell, "compiler": facts.has_compiler, "pip": bool(facts.pip)}
    tools = ", ".join(name for name, there in has.items() if there) or "no shell, compiler or pip"
    root = " (!)" if facts.user.partition(":")[0] in ("root", "0") else ""
    compiled = facts.bytecode
    bytecode = f"bytecode {megabytes(compiled.bytes)}"
    bytecode += f", {compiled.stale_files} stale (!)" if compiled.stale_files else ""
    bytecode += f", missing for {compiled.missing_files} files" if compiled.missing_files else ""
    lines = [f"user {facts.user}{root} · {tools} · {len(facts.setuid_files)} setuid files · {bytecode}"]
    waste = [f"{name} {megabytes(number)}" for name, number in facts.caches.items() if number]
    waste += [f"packages' tests {megabytes(facts.test_bytes)}"] if facts.test_bytes else []
    lines += [" · ".join(waste)] if waste else []
    shell = " (!) in shell form: SIGTERM reaches the shell alone" if facts.shell_form else ""
    lines.append(f"runs: {facts.command or 'nothing by itself'}{shell}")
    if facts.secrets:
        lines.append(f"(!) readable by whoever has the image: {', '.join(facts.secrets)}")
    odd = {"device files": facts.device_files, "names that lead out of the image": facts.escaping_names}
    lines += [f"(!) {number} {name}" for name, number in odd.items() if number]
    return lines


def context_lines(context: Context, most: int = 5) -> list[str]:
    """What a build context offers, in a few lines."""
    ignored = context.ignore_file or "no ignore file"
    lines = [
        f"build context: {megabytes(context.bytes)} in {context.files} files, of {megabytes(context.folder_bytes)} in "
        f"{context.folder_files} ({ignored})"
    ]
    largest = [f"{path} {megabytes(number)}" for path, number in list(context.largest.items())[:most] if number]
    lines += [f"largest: {', '.join(largest)}"] if largest else []
    lines += [f"matches nothing: {'; '.join(context.idle_patterns[:most])}"] if context.idle_patterns else []
    lines += [f"(!) looks like secrets: {', '.join(context.secrets[:most])}"] if context.secrets else []
    return lines


def saving(step: NextStep) -> str:
    """What a step saves, in words."""
    parts = []
    if step.unpacked_tar_bytes:
        parts.append(f"{megabytes(step.unpacked_tar_bytes)} unpacked")
    if step.transfer_bytes:
        parts.insert(0, f"{megabytes(step.transfer_bytes)} transfer")
    if step.other:
        parts.append(f"{megabytes(step.other_bytes)} {step.other}" if step.other_bytes else step.other)
    return ", ".join(parts)


def told(report: Report) -> list[str]:
    """What is told in words, of the image and of the build context."""
    return [
        *(fact_lines(report.facts) if report.facts else []),
        *([f"started: {_began(report.started)}"] if report.started else []),
        *(_floor_lines(report.floor, report.sizes) if report.floor and report.sizes else []),
        *(context_lines(report.context) if report.context else []),
    ]


def _floor_lines(floor: Floor, sizes: Sizes, most: int = 5) -> list[str]:
    """How small the image could be, and the largest things that nothing looks at."""
    asked = [f"{question} {status}" for question, status in floor.answered.items()]
    asked += [] if floor.healthy is None else ["healthy" if floor.healthy else "unhealthy"]
    parts = []
    for word, kind in (("transfer", "transfer_bytes"), ("unpacked", "unpacked_tar_bytes")):
        least, image = getattr(floor, kind), getattr(sizes, kind)
        times = f" (the image: {image / least:.1f} times)" if image is not None else ""
        parts.append(f"{megabytes(least)} {word}{times}")
    largest = ", ".join(f"{name} {megabytes(number)}" for name, number in list(floor.untouched.items())[:most])
    return [
        f"floor, {floor.files} files that were looked at ({', '.join(asked)}): {', '.join(parts)}",
        f"nothing looked at {megabytes(floor.untouched_bytes)}: {largest}",
    ]


def _began(one: Started) -> str:
    text = f"{one.told} ({one.seconds:.1f} s after its start)" if one.seconds else one.told
    if one.stop_seconds is not None:
        end = "is killed" if one.killed else "ends"
        text += f", {end} {one.stop_seconds:.1f} s after SIGTERM{' (!)' if one.killed else ''}"
    return text


def tried_lines(done: Tried | None) -> list[str]:
    """A next step that was done: what changed, and what was said that it saves beside what it saves."""
    if not done:
        return []
    lines = [f"tried {done.step}: {done.written} is written", *(f"  {line}" for line in done.diff)]
    for name, measured in done.measured.items():
        said = f"predicted {signed(-done.predicted[name])}, " if name in done.predicted else ""
        lines.append(f"  {name}: {said}measured {signed(-measured)}")
    return [*lines, f"  yours: {_began(done.before)}", f"  changed: {_began(done.after)}"]


def timed_rows(done: Timed) -> list[list[str]]:
    """A row for each line that a builder runs: where, seconds cold and after an edit, why, and what it says."""
    rows = []
    for one in done.lines:
        edit = "cached" if one.edit_seconds is None else f"{one.edit_seconds:.1f}"
        rows.append([one.where, f"{one.cold_seconds:.1f}", edit, one.why, one.instruction])
    part = f"{done.edit_part:.0%} of the cold build"
    return [*rows, ["whole build", f"{done.cold_seconds:.1f}", f"{done.edit_seconds:.1f}", part, ""]]


#: Heads of the columns of `timed_rows`.
TIMED = ["line", "cold, s", "after an edit, s", "why not cached", "made by"]


def growth_lines(report: Report) -> list[str]:
    """What grew and shrank most since the report that this one is held against."""
    if report.against is None:
        return []
    same = "" if report.growth else " the same, line by line and package by package"
    lines = [f"against {report.against}:{same}"]
    for kind in ("line", "package"):
        rows = sorted((one for one in report.growth if one.kind == kind), key=lambda one: -abs(one.bytes))
        for one in rows[:GROWN]:
            word = "new, " if one.is_new else "gone, " if one.is_gone else ""
            transfer = f", {signed(one.transfer_bytes)} transfer" if one.transfer_bytes is not None else ""
            lines.append(f"  {one.where}: {word}{signed(one.bytes)} unpacked{transfer} {one.name}".rstrip())
        if len(rows) > GROWN:
            lines.append(f"  and {len(rows) - GROWN} more {kind}s")
    return lines


def _step_lines(steps: list[NextStep]) -> Iterator[str]:
    for number, step in enumerate(steps, 1):
        where = f" [{step.where}]" if step.where else ""
        yield f"{number}. {saving(step)}: {step.what}{where} → {step.page}"


def show(report: Report, console: Console, *, everything: bool = False) -> None:
    """Print a report; `everything` with every line and package."""
    lines, packages = (None, None) if everything else (LINES, PACKAGES)
    console.print(f"[bold]{escape(headline(report))}[/]", soft_wrap=True)
    for one in report.others:
        console.print(f"  also there: {escape(one)}", soft_wrap=True)
    if report.sizes:
        for text in size_lines(report.sizes):
            console.print(f"  {escape(text)}", soft_wrap=True)
    if report.lines:
        rows, columns = line_rows(report, lines), ["line", "transfer", "unpacked", "hidden", "made by"]
        console.print(plain_table("by line", columns, rows, left=("line", "made by")))
    for kind, title in (("python", "by Python package"), ("os", "by package of the distribution")):
        if found := own(report.packages, kind):
            rows = package_rows(found, packages)
            rest = found[len(rows) :]
            if rest:
                rows.append([f"{len(rest)} more", size(sum(one.bytes or 0 for one in rest)), "", ""])
            columns = ["package", "bytes", "of it", "why"]
            console.print(plain_table(title, columns, rows, left=("package", "of it", "why")))
    if report.timed:
        left = ("line", "why not cached", "made by")
        console.print(plain_table("seconds by line", TIMED, timed_rows(report.timed), left=left))
    for text in [*told(report), *growth_lines(report)]:
        console.print(f"  {escape(text)}", soft_wrap=True)
    if report.next_steps:
        console.print("[bold]Next steps[/]")
    for text in _step_lines(report.next_steps):
        console.print(f"  {escape(text)}", soft_wrap=True)
    for text in tried_lines(report.tried):
        console.print(escape(text), soft_wrap=True)


def _cell(text: str) -> str:
    """A text in a cell of a table in Markdown: nothing in it is markup."""
    return text.translate({ord(sign): f"\\{sign}" for sign in "\\`*_{}[]<>|#!~"}).replace("\n", " ")


def _code(text: str) -> str:
    cut = text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
    return f"`{cut.replace('`', chr(39)).replace('|', chr(92) + '|')}`" if cut else ""


def table_of(columns: list[str], rows: Iterable[list[str]]) -> str:
    """A table in Markdown; the first column is aligned to the left, the others to the right."""
    lines = [f"| {' | '.join(columns)} |", f"|{'|'.join([':--', *['--:'] * (len(columns) - 1)])}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def markdown(report: Report) -> str:
    """A report for a pull request's comment."""
    parts = [f"### {_cell(headline(report))}"]
    if report.sizes:
        parts.append("\n".join(_cell(text) + "  " for text in size_lines(report.sizes)))
    if report.lines:
        rows = [[_cell(row[0]), *row[1:4], _code(row[4])] for row in line_rows(report, LINES)]
        parts.append(table_of(["line", "transfer", "unpacked", "hidden", "made by"], rows))
    if found := own(report.packages, "python"):
        rows = [[_cell(cell) for cell in row] for row in package_rows(found, PACKAGES)]
        parts.append(table_of(["package", "bytes", "of it", "why"], rows))
    texts = told(report)
    parts.append("\n".join(f"- {_cell(text)}" for text in texts))
    if breached := [f"- **{_cell(one.told)}**: {_cell(one.blame)}" for one in report.breaches]:
        parts.insert(1, "**Over the budget**\n\n" + "\n".join(breached))
    if grew := growth_lines(report):
        parts.append("\n".join([_cell(grew[0]), "", *(f"- {_cell(text.strip())}" for text in grew[1:])]))
    if report.timed:
        rows = [[_cell(row[0]), *row[1:3], _cell(row[3]), _code(row[4])] for row in timed_rows(report.timed)]
        parts.append(table_of(TIMED, rows))
    if report.next_steps:
        parts.append("**Next steps**\n\n" + "\n".join(_numbered(report.next_steps)))
    if done := tried_lines(report.tried):
        parts.append("\n".join(f"- {_cell(text)}" for text in done))
    return "\n\n".join(part for part in parts if part) + "\n"


def _numbered(steps: list[NextStep]) -> Iterator[str]:
    for number, step in enumerate(steps, 1):
        where = f" ({_cell(step.where)})" if step.where else ""
        yield f"{number}. **{_cell(saving(step))}**: {_cell(step.what)}{where}, see {step.page}"
