#!/usr/bin/env python3
"""Serve a folder over plain HTTP, with Python's own modules alone: python3 serve.py FOLDER ADDRESS PORT [proxy].

To a room, as a web server: a download that was cut short goes on where it stopped (`curl -C -`). To builds, as their
`proxy`: they ask for `http://HOST/PATH`, and get what FOLDER has as PATH, whatever the host; what it lacks is asked for
at HOST, where there is a network. But for the package index: that of the lab, which base images name, is nowhere else.
"""

from __future__ import annotations  # a room's first laptop may have an old Python as its python3

import contextlib
import http.server
import re
import sys
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Handler(http.server.SimpleHTTPRequestHandler):
    """Answers GET and HEAD; of a range (RFC 9110, 14.2), one that begins at a byte and goes on to the end."""

    protocol_version = "HTTP/1.1"
    #: Is what FOLDER lacks asked for elsewhere?
    forwards = False

    def handle(self) -> None:
        """A client that hangs up is no news."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def translate_path(self, path: str) -> str:
        """The file for a path, or for the whole address that a proxy is asked for."""
        return super().translate_path(urlsplit(path).path)

    def send_head(self) -> BinaryIO | None:
        """Send what goes before a file; returns the file, where its content is still to be sent."""
        path, asked = Path(self.translate_path(self.path)), urlsplit(self.path)
        if self.forwards and not path.exists() and asked.scheme == "http" and not asked.path.startswith("/simple/"):
            return self.elsewhere(path)
        if path.is_dir() and asked.netloc:  # a page of the package index: no redirect, it names the host wrong
            self.path = asked.path.rstrip("/") + "/index.html"
        begin = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not begin or not path.is_file():
            return super().send_head()
        size, first = path.stat().st_size, int(begin[1])
        self.send_response(206 if first < size else 416)
        self.send_header("Content-Range", f"bytes {first}-{size - 1}/{size}" if first < size else f"bytes */{size}")
        self.send_header("Content-Length", str(max(0, size - first)))
        self.end_headers()
        if first >= size:
            return None
        file = path.open("rb")
        file.seek(first)
        return file

    def elsewhere(self, path: Path) -> None:
        """Pass on what the host itself answers; `path` is where the file would be."""
        try:
            with DIRECT.open(self.path, timeout=10) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            return self.send_error(error.code)
        except OSError as error:
            return self.send_error(504, "Not in the kit, and the network does not answer", str(error))
        self.keep(path, content)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def keep(self, path: Path, content: bytes) -> None:
        """What came from elsewhere is not kept; whoever makes a kit keeps it."""

    def log_message(self, form: str, *values: object) -> None:
        """Say nothing of what went well."""

    def log_error(self, form: str, *values: object) -> None:
        """Say what did not."""
        print(f"{self.path}: {form % values}", file=sys.stderr)


def main() -> None:
    """Serve until Ctrl-C."""
    folder, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    Handler.forwards = sys.argv[4:] == ["proxy"]
    try:
        server = http.server.ThreadingHTTPServer((address, port), partial(Handler, directory=folder))
    except OSError as error:
        sys.exit(f"✗ Nothing can be served on {address}:{port}.\n  {error}\n  Next: ip address  # which has it?")
    print(f"serving {folder} on http://{address}:{port}/ until Ctrl-C", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
