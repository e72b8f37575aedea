"""Python packages and Debian packages for a kit: fetched through the lab, and laid out as package managers ask."""

from __future__ import annotations

import hashlib
import html
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import httpx
from packaging.version import Version

from kit.serve import Handler
from kit.wanted import version_of
from lab.config import BRIDGE_ADDRESS, Lab
from measure.base.errors import Problem
from measure.base.files import write_whole
from measure.base.packages import normal
from measure.build.engine import Engine
from measure.build.images import build_text

_LINK = re.compile(r"<a\b([^>]*)>([^<]+)</a>")
_HREF = re.compile(r'\bhref="([^"]+)"')


def links(page: str, address: str) -> dict[str, tuple[str, str]]:
    """Address and SHA-256 of each file on an index's page in HTML (PEP 503); of those withdrawn (PEP 592), none."""
    found = {}
    for attributes, name in _LINK.findall(page):
        href = _HREF.search(attributes)
        url, _, digest = urljoin(address, html.unescape(href[1] if href else "")).partition("#sha256=")
        if digest and "data-yanked" not in attributes:
            found[html.unescape(name).strip()] = url, digest
    return found


def resolved(engine: Engine, image: str, wanted: list[str], at: Callable[[str], None]) -> dict[str, set[str]]:
    """The versions of all that pip would install on `image` for these requirements. Raises BuildError."""
    if not wanted:
        return {}
    tell = "import json; [print('needs', one['metadata']['name'], one['metadata']['version'])"
    tell += " for one in json.load(open('/report'))['install']]"
    pip = f"pip install --quiet --dry-run --ignore-installed --report /report {' '.join(wanted)}"
    told = build_text(engine, f'FROM {image}\nRUN {pip} && python -c "{tell}"\n', at, **{"no-cache": True})
    return {normal(name): {version} for name, version in re.findall(r"\bneeds (\S+) (\S+)", "\n".join(told))}


def python_packages(
    lab: Lab, web: Path, versions: dict[str, set[str]], pythons: tuple[str, ...], machines: list[str],
    at: Callable[[str], None],
) -> None:  # fmt: skip
    """Fetch these versions of packages, the newest where none is named, in every file that pip may take.

    Into web/files, with a page for each package below web/simple (PEP 503). What is there already stays, unless no page
    names it any more.
    Raises Problem when a version is not to be had, or when what came is not what the index says.
    """
    kept: set[str] = set()
    shutil.rmtree(web / "simple", ignore_errors=True)
    with httpx.Client(trust_env=False, timeout=120) as client:
        for name, wanted in sorted(versions.items()):
            address = f"{lab.index}/simple/{name}/"
            listed = links(client.get(address, headers={"Accept": "text/html"}).raise_for_status().text, address)
            fit = {file: v for file in listed if (v := version_of(file, pythons, machines))}
            chosen = {Version(version) for version in wanted} or {max(fit.values(), default=Version("0"))}
            files = [file for file, version in fit.items() if version in chosen]
            if missing := chosen - {fit[file] for file in files}:
                raise Problem(f"The package index has no {name} {min(missing)}.", next=f"look at {address}")
            for file in files:
                at(file)
                _fetch(client, *listed[file], web / "files" / file)
            _page(web, name, {file: listed[file][1] for file in files})
            kept.update(files)
    for path in (web / "files").iterdir():
        if path.name not in kept:
            path.unlink()


def _fetch(client: httpx.Client, url: str, sha256: str, target: Path) -> None:
    """One file, whole or not at all. Raises Problem when it has another checksum than the index says."""
    if target.exists():
        return
    content = client.get(url).raise_for_status().content
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        why = f"Its SHA-256 is {found}, and the index says {sha256}."
        raise Problem(f"{target.name} did not come as it should.", why=why, next="the same command again")
    write_whole(target, content)


def _page(web: Path, name: str, files: dict[str, str]) -> None:
    """A package's page."""
    lines = [f'<a href="/files/{file}#sha256={digest}">{file}</a><br>\n' for file, digest in sorted(files.items())]
    write_whole(web / "simple" / name / "index.html", f"<!DOCTYPE html><title>{name}</title>\n{''.join(lines)}")


class Keeping(Handler):
    """Answers as the kit will, and keeps what it has to ask for elsewhere."""

    forwards = True
    kept: Callable[[str], None] = staticmethod(lambda name: None)

    def keep(self, path: Path, content: bytes) -> None:
        """Keep what came."""
        write_whole(path, content)
        self.kept(unquote(urlsplit(self.path).path.rpartition("/")[2]))


@contextmanager
def keeping(web: Path, kept: Callable[[str], None]) -> Iterator[str]:
    """A proxy for containers of the lab that keeps below `web` all that is asked for; yields its address."""
    handler = type("KeepingHere", (Keeping,), {"kept": staticmethod(kept)})
    server = ThreadingHTTPServer((BRIDGE_ADDRESS, 0), partial(handler, directory=str(web)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{BRIDGE_ADDRESS}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def debian_packages(engine: Engine, web: Path, image: str, wanted: list[list[str]], at: Callable[[str], None]) -> None:
    """Let apt, in a build on `image`, download what these installations need, and keep all that it asks for.

    Unless that was done today already: what Debian signs of its lists is good for a week. Raises BuildError.
    """
    note = web / "debian.json"
    now = json.dumps([str(datetime.now(UTC).date()), image, wanted])
    if not wanted or (note.exists() and note.read_text() == now):
        return
    note.unlink(missing_ok=True)
    for folder in web.glob("debian*"):
        shutil.rmtree(folder)
    download = "apt-get install --yes --no-install-recommends --download-only"
    script = " && ".join(["apt-get update", *(f"{download} {' '.join(words)}" for words in wanted)])
    with keeping(web, at) as proxy:
        build_text(engine, f"FROM {image}\nRUN {script}\n", at, args={"http_proxy": proxy}, **{"no-cache": True})
    write_whole(note, now)
