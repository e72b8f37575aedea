"""Everything that the lab adds to its base images and that the official ones do not have, in one place; a few kB.

- extras/debian: the host's apt settings (proxy, how stale a mirror may be), where it has any
- extras/ca-certificates: certificates that the host trusts and Debian does not ship (a TLS-inspecting proxy's, say)
- extras/python: /etc/pip.conf, so that pip goes through the lab's package-index cache
"""

from __future__ import annotations

import re
from pathlib import Path

from lab.config import BRIDGE_ADDRESS, Lab
from lab.services import ca_bundle
from lab.tree import apt_settings

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def _certificates(bundle: Path) -> dict[str, str]:
    """Certificates of a PEM bundle, keyed by their content without white space."""
    return {re.sub(r"\s", "", pem): pem for pem in _CERTIFICATE.findall(bundle.read_text(errors="replace"))}


def extra_certificates(lab: Lab) -> list[str]:
    """Certificates, in PEM, that the host trusts and that are not in Debian's ca-certificates."""
    shipped = _certificates(lab.tree / "etc/ssl/certs/ca-certificates.crt")
    return [pem for key, pem in _certificates(Path(ca_bundle())).items() if key not in shipped]


def files(lab: Lab) -> dict[str, str]:
    """Path below the build context, and text, of each file that the lab adds."""
    found = {
        "extras/python/etc/pip.conf": (f"[global]\nindex-url = {lab.index}/simple/\ntrusted-host = {BRIDGE_ADDRESS}\n"),
    }
    if settings := apt_settings():
        found["extras/debian/etc/apt/apt.conf.d/99host"] = "\n".join(settings) + "\n"
    for number, pem in enumerate(sorted(extra_certificates(lab))):
        found[f"extras/ca-certificates/host-{number}.crt"] = pem + "\n"
    return found
