"""Everything that the lab adds to its base images and that the official ones do not have, in one place; a few kB.

- extras/debian: the host's apt settings (proxy, how stale a mirror may be), where it has any
- extras/ca-certificates: certificates that the host trusts and Debian does not ship (a TLS-inspecting proxy's, say)
- extras/python: /etc/pip.conf, so that pip goes through the lab's package-index cache; and for Poetry, which does not
  read that, a plugin as a zipped wheel, with a .pth file that puts it on the path of a process called poetry alone
- extras/node: npm's configuration, so that npm trusts these certificates too: Node.js does not read the system's
- extras/alpine: /etc/apk/repositories, so that the stand-in for apk finds its packages
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path

from lab.config import BRIDGE_ADDRESS, HERE, Lab
from lab.processes import bounded
from lab.services import ca_bundle
from lab.tree import apt_settings, run_logged

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def _certificates(bundle: Path) -> dict[str, str]:
    """Certificates of a PEM bundle, keyed by their content without white space."""
    return {re.sub(r"\s", "", pem): pem for pem in _CERTIFICATE.findall(bundle.read_text(errors="replace"))}


def extra_certificates(lab: Lab) -> list[str]:
    """Certificates, in PEM, that the host trusts and that are not in Debian's ca-certificates."""
    shipped = _certificates(lab.tree / "etc/ssl/certs/ca-certificates.crt")
    return [pem for key, pem in _certificates(ca_bundle(lab)).items() if key not in shipped]


#: Pinned name, version and hash of the Poetry plugin.
POETRY_MIRROR = HERE / "poetry-mirror.txt"
_WHEEL = "usr/local/share/lab-poetry-mirror.whl"
#: Python runs a line of a .pth file that begins with `import` at each start (documentation of the module `site`).
_PTH = (
    "import os, sys; any(word.endswith('poetry') for word in sys.orig_argv[1:3]) and"
    " (sys.path.append('/{wheel}'), os.environ.setdefault('POETRY_PYPI_MIRROR_URL', '{index}'))\n"
)


def wheel(lab: Lab, requirements: Path, architecture: str = "") -> Path:
    """The wheel that a file of one pinned, hashed requirement names, fetched with the host's pip if need be.

    For another architecture than the host's, like x86_64, where one is given. Raises Problem when it cannot be had.
    """
    key = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    folder = lab.sources / "-".join(filter(None, (requirements.stem, architecture, key)))
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--dest", str(partial)]
        if architecture:
            kinds = ("manylinux2014", "manylinux_2_17", "manylinux_2_28")
            command += ["--only-binary=:all:", *(f"--platform={kind}_{architecture}" for kind in kinds)]
        run_logged(
            bounded([*command, "--requirement", str(requirements)]),
            lab.logs / f"{requirements.stem}.log",
            what=f"Fetching what {requirements.name} names",
        )
        partial.rename(folder)
    return next(folder.glob("*.whl"))


def apk_repositories(lab: Lab, key: str) -> str:
    """Text of /etc/apk/repositories: where the stand-in for apk finds the packages made with this key."""
    return f"{lab.index}/apk/{key}\n"


def put(lab: Lab, context: Path) -> None:
    """Put everything that the lab adds into a build context."""
    for path, text in files(lab).items():
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        (context / path).write_text(text)
    plugin = context / "extras/python" / _WHEEL
    plugin.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(wheel(lab, POETRY_MIRROR), plugin)


def identity(lab: Lab) -> str:
    """Changes whenever something that the lab adds does."""
    return json.dumps(files(lab), sort_keys=True) + POETRY_MIRROR.read_text()


def files(lab: Lab) -> dict[str, str]:
    """Path below the build context, and text, of each text file that the lab adds."""
    found = {
        "extras/python/etc/pip.conf": (f"[global]\nindex-url = {lab.index}/simple/\ntrusted-host = {BRIDGE_ADDRESS}\n"),
        "extras/python/usr/local/lib/python3.14/site-packages/lab-poetry-mirror.pth": _PTH.format(
            wheel=_WHEEL, index=f"{lab.index}/simple/"
        ),
    }
    if settings := apt_settings():
        found["extras/debian/etc/apt/apt.conf.d/99host"] = "\n".join(settings) + "\n"
    for number, pem in enumerate(sorted(extra_certificates(lab))):
        found[f"extras/ca-certificates/host-{number}.crt"] = pem + "\n"
    return found
