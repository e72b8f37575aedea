"""The built site on loopback, and a real browser to look at it with."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from measure.pages import site
from tests.conftest import serving

#: Without these Chromium asks its maker for updates and the like, at every start.
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]


def _chromium() -> str:
    """Path of a Chromium. On Debian, as root, it is installed where there is none; fails elsewhere."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("no Chromium on this machine: installing Debian's")
        for words in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
            command = ["apt-get", "-qq", *words]
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(command, check=True, capture_output=True, timeout=600, env=environment)
        return shutil.which("chromium") or pytest.fail("apt-get installed no chromium")
    return pytest.fail("The site is tested in a real browser, and there is none. Next: apt-get install chromium")


@pytest.fixture(scope="session")
def built() -> Path:
    """The site, built strictly."""
    site.build()
    return site.SITE


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def url(built) -> Iterator[str]:
    """Where the site is served, on loopback."""
    with serving(functools.partial(_Silent, directory=str(built))) as server:
        yield f"http://127.0.0.1:{server.server_port}/"


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        found = playwright.chromium.launch(executable_path=_chromium(), args=[*QUIET, *sandbox])
        yield found
        found.close()
