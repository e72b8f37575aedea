"""The site: pages rendered from docs/ into plain Markdown, with every number from a record, then built by MkDocs.

`docs/` holds what we write. `build/docs/` holds what MkDocs reads: the same pages with their expressions filled in, the
records to download, and what the pages advise as data. Needs neither an engine nor a network.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from jinja2 import TemplateError
from watchfiles import watch

from measure.base.errors import Problem, say
from measure.base.files import RESULTS, ROOT, shown, write_whole
from measure.base.names import LAB_ENVIRONMENT
from measure.record.records import MEMORY, TIMES, Record
from measure.record.records import environments as all_environments
from measure.steps.compose import all_steps
from measure.tell import (  # noqa: F401 - what pages call
    advice,
    environments,
    folklore,
    glossary,
    instructions,
    ladder,
    languages,
    messages,
    sizes,
    stages,
    steps,
    times,
    where,
    workshop,
)
from measure.tell.page import FRONT_MATTER, MEASURED, Page, Readme, front_matter, records_file
from measure.tell.reading import Records

PAGES = ROOT / "docs"
RENDERED = ROOT / "build/docs"
SITE = ROOT / "site"
#: Files by their place on the site.
Files = dict[PurePosixPath, str | bytes]
#: What others put beside the pages.
_BESIDE: list[Callable[[], Files]] = []
#: The part of README.md that is made from records.
_GENERATED = re.compile(r"(<!-- generated: (?P<what>.+?) -->\n).*?(\n<!-- end -->)", re.DOTALL)


def beside_pages(files: Callable[[], Files]) -> Callable[[], Files]:
    """Let a function put files beside the pages."""
    _BESIDE.append(files)
    return files


def render_page(records: Records, path: PurePosixPath, text: str) -> str:
    """A page, of this path below docs/, filled in. Raises Problem for a stale record or a wrong expression."""
    meta = front_matter(text)
    page = Page(records, path, meta)
    # As many empty lines as the front matter has: so an error's line is the file's.
    body = FRONT_MATTER.sub(lambda found: "\n" * found[0].count("\n"), text)
    filled = _fill(page, f"docs/{path}", body).lstrip("\n")
    theirs = {name: meta[name] for name in ("title", "hide") if name in meta}  # the theme's; the others are ours
    head = f"---\n{yaml.safe_dump(theirs)}---\n\n" if theirs else ""
    return head + (f"{filled.rstrip()}\n\n{page.origin()}\n" if MEASURED in filled else filled)


def _fill(page: Page, name: str, text: str) -> str:
    try:
        return page.fill(text)
    except Problem as problem:
        raise Problem(f"{name}: {problem.what}", why=problem.why, next=problem.next) from None
    except (TemplateError, TypeError, KeyError, AttributeError) as error:
        line = getattr(error, "lineno", None) or _line_of(error)
        why = "An expression of the page is wrong."
        raise Problem(f"{name}, line {line}: {error}", why=why, next=f"mend {name}") from None


def _line_of(error: BaseException) -> int:
    """The line of a template that an error came from."""
    trace, line = error.__traceback__, 0
    while trace:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _as_csv(records: list[Record]) -> str:
    """The records' plain figures as a table, one row each: sizes in bytes, medians of times in seconds."""
    rows = [_flat(record) for record in records]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _flat(record: Record) -> dict[str, Any]:
    row: dict[str, Any] = record.model_dump(
        mode="json", include={"environment", "step", "variant", "platform", "dockerfile", "outcome", "inputs_sha256"}
    )
    row["failure"] = record.failure.line if record.failure else None
    if record.size:
        row |= record.size.model_dump(exclude={"layers", "wasted"})
        row |= {f"wasted_{name}": value for name, value in record.size.wasted.model_dump().items()}
    if record.contents:
        row |= record.contents.model_dump(exclude={"setuid_files", "os_packages", "python_packages", "directories"})
        for name in ("setuid_files", "os_packages", "python_packages"):
            row[name] = len(getattr(record.contents, name))
    provenance = record.provenance.model_dump(mode="json", exclude={"bases"})
    row["bases"] = " ".join(base.name for base in record.provenance.bases)
    row["origin"] = " ".join(sorted({base.origin for base in record.provenance.bases}))
    if record.time:
        for field in [*TIMES.values(), *MEMORY.values()]:
            found = getattr(record.time, field)
            row[f"median_{field}"] = found.median if found else None
        row |= {"load_before": record.time.load_before, "timed_at": record.time.measured_at.isoformat()}
    return row | provenance


def _records(environment: str) -> Records:
    """The records of an environment. Raises Problem when it has none."""
    if environment not in all_environments():
        why = f"These have some: {', '.join(all_environments())}."
        raise Problem(f"There are no records of {environment}.", why=why, next="leave ENVIRONMENT out")
    return Records(environment=environment)


def render(environment: str = LAB_ENVIRONMENT) -> None:
    """Fill in every page, and put the records beside them. Writes only what changed, and deletes what is no more.

    Numbers are those of one environment. Raises Problem with all that stands in the way; then nothing is written.
    """
    records = _records(environment)
    wanted: Files = {}
    metas: dict[PurePosixPath, dict[str, Any]] = {}
    problems: list[Problem] = []
    for source in sorted(path for path in PAGES.rglob("*") if path.is_file()):
        path = PurePosixPath(source.relative_to(PAGES).as_posix())
        if path.suffix != ".md":
            wanted[path] = source.read_bytes()
            continue
        try:
            text = source.read_text()
            wanted[path] = render_page(records, path, text)
            metas[path] = front_matter(text)
        except Problem as problem:
            problems.append(problem)
    if problems:
        raise Problem(
            "\n  ".join(dict.fromkeys(problem.what for problem in problems)),
            why="\n".join(
                dict.fromkeys([*(problem.why for problem in problems), *map(str, records.findings.values())])
            ),
            next="; ".join(dict.fromkeys(problem.next for problem in problems)),
        )
    for path in RESULTS.rglob("*.json"):
        wanted[records_file(path)] = path.read_bytes()
    wanted[PurePosixPath("results/records.csv")] = _as_csv(records.all())
    content = [record.model_dump(mode="json", exclude_none=True) for record in records.all()]
    wanted[PurePosixPath("results/records.json")] = json.dumps(content, indent=1)
    wanted |= advice.files(records, metas)
    for files in _BESIDE:
        wanted |= files()
    for old in RENDERED.rglob("*"):
        if old.is_file() and PurePosixPath(old.relative_to(RENDERED).as_posix()) not in wanted:
            old.unlink()
    for path, content in wanted.items():
        data = content.encode() if isinstance(content, str) else content
        target = RENDERED / path
        if not target.exists() or target.read_bytes() != data:
            write_whole(target, data)


def _mkdocs(*words: str) -> list[str]:
    return [sys.executable, "-m", "mkdocs", *words]


def _environment() -> dict[str, str]:
    # MkDocs Material prints an advertisement of its successor; the choice is made (mkdocs < 2).
    return {**os.environ, "NO_MKDOCS_2_WARNING": "1", "DISABLE_MKDOCS_2_WARNING": "true"}


def build(folder: Path = SITE, environment: str = LAB_ENVIRONMENT) -> None:
    """Build the site, strictly. Raises Problem for a page, link or anchor that is wrong; the site before stays."""
    render(environment)
    fresh = folder.with_name(f".{folder.name}.partial")
    try:
        command = _mkdocs("build", "--strict", "--site-dir", str(fresh))
        result = subprocess.run(command, cwd=ROOT, env=_environment(), capture_output=True, text=True)
        if result.returncode:
            raise Problem(
                "MkDocs does not build the site.",
                why="\n".join(_telling(result.stderr + result.stdout)),
                next="mend the page, then make docs",
            )
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    say(f"the site is in {shown(folder)}/; `make serve` shows it")


def _telling(log: str) -> list[str]:
    """The warnings and errors in what MkDocs printed; its last lines when there are none."""
    lines = log.strip().splitlines()
    return [line for line in lines if not line.startswith(("INFO", "DEBUG"))][-20:] or lines[-20:]


def serve(port: int, environment: str = LAB_ENVIRONMENT) -> None:
    """Serve the site on loopback, rendered anew whenever a page, a record or a step changes, until Ctrl-C.

    Raises Problem for a port that is taken, before anything is made.
    """
    address = f"localhost:{port}"
    try:
        socket.create_server(("localhost", port)).close()
    except (OSError, OverflowError) as error:
        raise _unserved(address, str(error)) from None
    render(environment)
    stop = threading.Event()
    places = [PAGES, RESULTS, ROOT / "measure", ROOT / "lab", ROOT / "folklore"]
    places += [step.folder for step in all_steps()]
    watcher = threading.Thread(target=_render_on_change, args=(places, environment, stop), daemon=True)
    watcher.start()
    # --livereload: with click 8.3 MkDocs 1.6 forgets that it is the default.
    server = subprocess.Popen(_mkdocs("serve", "--dev-addr", address, "--livereload"), cwd=ROOT, env=_environment())
    try:
        code = server.wait()
    except KeyboardInterrupt:
        code = 0
    finally:
        stop.set()
        server.terminate()
        server.wait(timeout=10)
    if code:
        raise _unserved(address, "MkDocs says why above.")


def _unserved(address: str, why: str) -> Problem:
    return Problem(f"The site cannot be served on {address}.", why=why, next="PORT=8009 make serve")


def _render_on_change(places: list[Path], environment: str, stop: threading.Event) -> None:
    for _ in watch(*places, stop_event=stop, raise_interrupt=False):
        try:
            render(environment)
        except Problem as problem:
            problem.show()


def readme(text: str, name: str = "README.md") -> str:
    """A README, its generated parts made anew from the lab's records. Raises Problem for one that does not hold."""
    records = Records()

    def fill(match: re.Match[str]) -> str:
        made = _fill(Readme(records), name, f"{{{{ {match['what']} }}}}")
        return f"{match[1]}\n{made}\n{match[3]}"

    return _GENERATED.sub(fill, text)


def readmes() -> list[Path]:
    """The files that `readme` makes parts of: the repository's own and each step's."""
    return [ROOT / "README.md", *(step.folder / "README.md" for step in all_steps())]
