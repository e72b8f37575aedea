"""Counts what reaches a registry: on its disk, in its access log, and by what the images in it name."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from measure.base.errors import Problem
from measure.base.names import MANIFEST_TYPES
from measure.build.engine import Registry
from measure.studies.shipping.model import Sent

#: An upload that ended, in an access log of the combined form: the registry took a blob with this digest.
_UPLOADED = re.compile(r'"(?:PUT|POST) /v2/\S+/blobs/uploads/\S*[?&]digest=sha256(?:%3A|:)([0-9a-f]{64})\S* \S+" 201 ')
#: One that was not sent, because another repository of the registry has it.
_MOUNTED = re.compile(r'"POST /v2/\S+/blobs/uploads/\S*[?&]mount=sha256(?:%3A|:)([0-9a-f]{64})\S* \S+" 201 ')
#: Seconds that the log may be behind an answer.
_BEHIND = 0.3


@dataclass
class Count:
    """A registry, and what was counted in it so far."""

    registry: Registry
    _read: int = 0
    _stored: int = 0
    _named: dict[str, int] = field(default_factory=dict)

    def sent(self, repository: str, tag: str) -> Sent:
        """What came since it was asked last, of a push with this name. Raises Problem when the registry has no such."""
        sizes, log = blobs(self.registry.blobs), settled(self.registry.log)
        named = self._names(repository, tag)
        new = {digest: size for digest, size in named.items() if digest not in self._named}
        found = Sent(
            sent_bytes=sum(sizes[digest] for digest in uploaded(log[self._read :])),
            stored_bytes=sum(sizes.values()) - self._stored,
            named_bytes=sum(new.values()),
        )
        self._read, self._stored = len(log), sum(sizes.values())
        self._named |= named
        return found

    def _names(self, repository: str, tag: str) -> dict[str, int]:
        """Bytes of each layer and configuration that an image names, by digest, those of its attestations included."""
        url = f"http://{self.registry.address}/v2/{repository}/manifests/"
        waiting, named = [tag], {}
        while waiting:
            answer = httpx.get(url + waiting.pop(), headers={"Accept": MANIFEST_TYPES}, timeout=20, trust_env=False)
            if not answer.is_success:
                raise Problem(f"The registry has no {repository}:{tag}.", why=answer.text, next="make lab-status")
            content = answer.json()
            waiting += [one["digest"] for one in content.get("manifests", [])]
            parts = [*content.get("layers", []), *([content["config"]] if "config" in content else [])]
            named |= {part["digest"].removeprefix("sha256:"): part["size"] for part in parts}
        return named


def blobs(folder: Path) -> dict[str, int]:
    """Bytes of each blob that a registry keeps in this folder, by digest."""
    return {path.parent.name: path.stat().st_size for path in folder.glob("sha256/*/*/data")}


def settled(log: Path) -> str:
    """An access log, when what was answered is in it."""
    time.sleep(_BEHIND)
    return log.read_text()


def uploaded(log: str) -> list[str]:
    """Digest of each blob that an access log says was sent, as often as it was sent."""
    return _UPLOADED.findall(log)


def mounted(log: str) -> int:
    """How many blobs an access log says were not sent, because another repository of the registry had them."""
    return len(_MOUNTED.findall(log))
