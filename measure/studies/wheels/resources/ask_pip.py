"""Runs inside a container, with nothing but Python and its pip: which wheels would pip choose for a package?

`python ask_pip.py NAME…` prints {"packages": […], "asked": {…}} as measure/studies/wheels/model.py has it, or
{"failed": NAME, "why": REASON} when the package index did not answer: that is never a "no".

It uses pip's own finder, from pip's inside, because `pip install --dry-run` would download each wheel to tell its name
where the index has no metadata beside it. Each "no" is asked again on the command line, whose words are kept.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from typing import Any

from pip import __version__ as pip_version
from pip._internal.commands import create_command
from pip._internal.exceptions import PipError
from pip._internal.index.collector import LinkCollector, parse_links
from pip._internal.models.link import Link
from pip._internal.models.target_python import TargetPython
from pip._vendor.packaging import _manylinux
from pip._vendor.packaging.utils import canonicalize_name

MACHINES = ("x86_64", "aarch64")
#: The musl of every Alpine since 3.13, of January 2021. pip there takes wheels for it and for older ones (PEP 656).
MUSL = (1, 2)
#: An index may refuse HEAD; then it does not tell sizes.
HEAD_REFUSED = (405, 501)


class Unanswered(Exception):  # noqa: N818 - like measure.errors.Problem, which is out of reach here
    """The package index, or pip, did not answer in a way that may be taken for a yes or a no."""


class _LastWords(logging.Handler):
    """Keeps what pip's collector said last: why a page could not be had."""

    words = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.words = record.getMessage()


def platforms(libc: str, machine: str) -> list[str]:
    """The platform tags that pip accepts, best first: with this system's glibc, or with musl."""
    if libc == "manylinux":
        return list(_manylinux.platform_tags([machine]))
    return [f"musllinux_{MUSL[0]}_{minor}_{machine}" for minor in range(MUSL[1], -1, -1)]


def _size(session: Any, url: str) -> int | None:
    """Bytes of a file, as the index tells them without sending it; None where it does not.

    The lab's cache in front of the index fetches the file all the same, and keeps it.
    """
    try:
        answer = session.head(url, allow_redirects=True, headers={"Accept-Encoding": "identity"})
    except (OSError, PipError) as error:
        raise Unanswered(str(error)) from None
    if answer.status_code in HEAD_REFUSED:
        return None
    if answer.status_code != 200:
        raise Unanswered(f"it lists {url.rsplit('/', 1)[-1]} and answers {answer.status_code} for it")
    length = answer.headers.get("Content-Length")
    return int(length) if length else None


def _refusal(name: str, tags: list[str]) -> str:
    """What `pip install` says of a package that has no wheel for these tags. Raises Unanswered if it finds one."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--only-binary=:all:"]
        command += ["--disable-pip-version-check", f"--target={folder}", *(f"--platform={tag}" for tag in tags), name]
        result = subprocess.run(command, capture_output=True, text=True)
    said = [line for line in result.stderr.splitlines() if line.startswith("ERROR: No matching distribution found")]
    # An index that cannot be reached makes pip say the same, after some warnings.
    if result.returncode == 0 or not said or "WARNING: Retrying" in result.stderr:
        raise Unanswered(f"pip's finder found no wheel for {tags[0]}, its command line says:\n{result.stderr}")
    return said[-1]


def ask(name: str, command: Any, options: Any, session: Any) -> dict[str, Any]:
    """All that is to be known about a package. The index is asked for its page once.

    Raises Unanswered when the index, or one of the indexes, has no page or cannot be reached.
    """
    logger, last = logging.getLogger("pip._internal.index.collector"), _LastWords()
    logger.setLevel(logging.DEBUG)
    logger.addHandler(last)
    try:
        collector = LinkCollector.create(session, options=options)
        addresses = collector.search_scope.get_index_urls_locations(name)
        pages = [collector.fetch_response(Link(address)) for address in addresses]
    finally:
        logger.removeHandler(last)
    if not pages or None in pages:
        raise Unanswered(last.words or "pip is told to ask no index")
    links = [link for page in pages for link in parse_links(page)]
    answers, newest, all_candidates = [], [], []
    for libc in ("manylinux", "musllinux"):
        for machine in MACHINES:
            tags = platforms(libc, machine)
            finder = command._build_package_finder(options, session, target_python=TargetPython(platforms=tags))
            candidates = finder.evaluate_links(finder.make_link_evaluator(name), links)
            choose = finder.make_candidate_evaluator(name).compute_best_candidate
            answer: dict[str, Any] = {"libc": libc, "machine": machine}
            if best := choose([one for one in candidates if one.link.is_wheel]).best_candidate:
                file, size = best.link.filename, _size(session, best.link.url_without_fragment)
                answer["wheel"] = {"file": file, "version": str(best.version), "bytes": size}
            else:
                answer["said"] = _refusal(name, tags)
            if best := choose(candidates).best_candidate:
                newest.append(best.version)
            answers.append(answer)
            all_candidates += candidates
    if not newest:
        raise Unanswered("its page has neither a wheel nor a source distribution that pip would take")
    latest = max(newest)
    sdist = any(one.version == latest and not one.link.is_wheel for one in all_candidates)
    return {"name": canonicalize_name(name), "latest": str(latest), "sdist": sdist, "answers": answers}


def main(names: list[str]) -> dict[str, Any]:
    """Ask about each of these packages; stop at the first that the index does not answer for."""
    packages = []
    command = create_command("index")
    options, _ = command.parse_args(["--retries=2", "versions", "-"])
    with command.main_context():
        session = command._build_session(options)
        for name in names:
            try:
                packages.append(ask(name, command, options, session))
            except Unanswered as error:
                return {"failed": name, "why": str(error)}
    asked = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "pip": pip_version,
        "glibc": os.confstr("CS_GNU_LIBC_VERSION").split()[-1],
        "musl": ".".join(map(str, MUSL)),
    }
    return {"packages": [package | {"asked": asked} for package in packages]}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
