"""An image as people have it in a file or a folder: what `docker save` writes, and OCI image layouts. Read in place.

Formats: OCI image spec v1.1, image-layout.md; Docker image spec v1.2 (manifest.json beside one folder for each layer).
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import posixpath
import re
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from measure.base.errors import Problem
from measure.base.files import cache_folder
from measure.base.platforms import native_platform, normal
from measure.weigh.oci import Opened, checked, images_in, manifest_of, open_image, opened
from measure.weigh.unpacking import Damaged, Unpacked

#: An archive of an image has fewer members than this, and its lists are not longer.
_MOST_MEMBERS, _MOST_JSON = 100_000, 64_000_000
_LAYER_TYPES = re.compile(
    r"application/vnd\.(oci\.image\.layer(\.nondistributable)?\.v1\.tar(\+gzip|\+zstd)?"
    r"|docker\.image\.rootfs\.(foreign\.)?diff\.tar(\.gzip|\.zstd)?)"
)
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_AGAIN = "docker save IMAGE --output image.tar  # write it anew"


class _Slice(io.RawIOBase):
    """Part of a file, for one of several readers."""

    def __init__(self, path: Path, start: int, size: int) -> None:
        self._file, self._start, self._size, self._at = path.open("rb"), start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = max(self._size - self._at, 0)
        data = os.pread(self._file.fileno(), left if size < 0 else min(size, left), self._start + self._at)
        self._at += len(data)
        return data

    def close(self) -> None:
        self._file.close()
        super().close()


@dataclass(frozen=True)
class _Files:
    """The files of an archive or of a folder, by name; also by the digests that an older archive has no names of."""

    path: Path
    #: Where each is in the archive, and how long it is; None for a folder.
    members: dict[str, tuple[int, int]] | None
    #: What the reader called it.
    name: str
    by_digest: dict[str, str] = field(default_factory=dict)
    next: str = _AGAIN

    def file(self, name: str) -> IO[bytes]:
        """Open one. Raises FileNotFoundError when it is not there."""
        if self.members is None:
            full = (self.path / name).resolve()
            if not full.is_relative_to(self.path.resolve()) or not full.is_file():
                raise FileNotFoundError(name)
            return full.open("rb")
        if name not in self.members:
            raise FileNotFoundError(name)
        return _Slice(self.path, *self.members[name])

    def has(self, digest: str) -> bool:
        """Is the part with this digest there?"""
        try:
            self.open(digest).close()
        except FileNotFoundError:
            return False
        return True

    def json(self, name: str) -> Any:
        """What a list in it says; None when it is not there."""
        try:
            with self.file(name) as file:
                return json.loads(file.read(_MOST_JSON))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError:
            raise self.damaged(name, f"{name} should be JSON, and is not.") from None

    def open(self, digest: str) -> IO[bytes]:
        """See `Blobs`."""
        return self.file(self.by_digest.get(digest) or f"blobs/{checked(digest).replace(':', '/')}")

    def damaged(self, digest: str, why: str) -> Problem:
        """See `Blobs`. What a reader brings is left as it is."""
        return Problem(f"{self.name} is damaged: {digest[:19]}.", why=why, next=self.next)


def _members(path: Path, shown: str) -> dict[str, tuple[int, int]]:
    """Where the files of an archive are: only headers are read. Links in it are followed, to other files of it."""
    found: dict[str, tuple[int, int]] = {}
    links: dict[str, str] = {}
    size = path.stat().st_size
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                name = posixpath.normpath(member.name).lstrip("/")
                if member.isfile():
                    if member.offset_data + member.size > size:
                        raise tarfile.ReadError(f"{name} is cut short")
                    found[name] = (member.offset_data, member.size)
                elif member.issym() or member.islnk():
                    base = posixpath.dirname(name) if member.issym() else ""
                    links[name] = posixpath.normpath(posixpath.join(base, member.linkname))
                if len(found) + len(links) > _MOST_MEMBERS:
                    raise tarfile.ReadError(f"it has more than {_MOST_MEMBERS:,} members")
    except (tarfile.TarError, EOFError, ValueError) as error:
        if re.fullmatch(r"docker-bake.*\.(hcl|json)", path.name):
            raise Problem(
                f"{shown} says what to build, and is no image.",
                why="Bake puts variables and functions into it, which are not read here.",
                next=f"docker buildx bake --print --file {shown}  # each target's folder, -f, --target, --build-arg",
            ) from None
        with path.open("rb") as file:
            begin = file.read(512)
        ways = {b"\xfd7zXZ\0": f"xz --decompress {shown}", b"BZh": f"bzip2 --decompress {shown}"}
        way = next((way for magic, way in ways.items() if begin.startswith(magic)), _AGAIN)
        if begin.strip() and b"\0" not in begin:  # a text
            way = f"measure-mine FOLDER --file {shown}  # where it is a Dockerfile; of a compose file: --service NAME"
        raise Problem(f"{shown} is no whole tar archive.", why=str(error), next=way) from None
    for name, target in links.items():
        for _ in range(5):
            target = links.get(target, target)
        if target in found:
            found[name] = found[target]
    return found


@contextlib.contextmanager
def _plain(path: Path) -> Iterator[Path]:
    """The archive, unpacked in the cache folder for as long as it is needed where it is compressed as a whole."""
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b" and not (file.seek(0) or file.read(4) == b"\x28\xb5\x2f\xfd"):
            yield path
            return
        file.seek(0)
        with tempfile.NamedTemporaryFile(dir=cache_folder(), prefix="mine-", suffix=".tar") as copy:
            try:
                stream = Unpacked(file)
                while data := stream.take(1 << 20):
                    copy.write(data)
            except Damaged as error:
                raise Problem(f"{path.name} is damaged.", why=str(error), next=_AGAIN) from None
            copy.flush()
            yield Path(copy.name)


@dataclass(frozen=True)
class Found:
    """One image that an archive holds: its platform, '' where that is not said, its names, and how to read it."""

    platform: str
    names: tuple[str, ...]
    digest: str
    config: dict[str, Any] | None = None
    layers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join(filter(None, (*self.names, self.platform))) or self.digest[:19]


def _in_layout(files: _Files, index: dict[str, Any]) -> Iterator[Found]:
    for entry in index["manifests"]:
        said = entry.get("annotations") or {}
        names = tuple(said[name] for name in _NAMES if name in said)[:1]
        for platform, digest in images_in(files, {"manifests": [entry]}):
            yield Found(platform, names, digest)


def _in_docker_archive(files: _Files, listed: list[dict[str, Any]]) -> Iterator[Found]:
    for entry in listed:
        name = entry["Config"]
        with files.file(name) as file:
            content = file.read(_MOST_JSON)
        digest = hashlib.sha256(content).hexdigest()
        stated = re.search(r"[0-9a-f]{64}", name)
        if stated and stated[0] != digest:
            raise files.damaged(name, "Its content has another digest.")
        config = json.loads(content)
        platform = "/".join(filter(None, (config.get(key) for key in ("os", "architecture", "variant"))))
        layers = tuple(posixpath.normpath(one) for one in entry["Layers"] or ())
        names = tuple(entry.get("RepoTags") or ())
        yield Found(normal(platform) if platform else "", names, f"sha256:{digest}", config, layers)


def _chosen(path: Path, found: list[Found], name: str, platform: str) -> Found:
    """The image that is meant, by name and platform; the machine's own platform where none is asked for."""
    wanted = (f"/{name}", f"/{name}:latest")
    fitting = [one for one in found if not name or one.digest.startswith(f"sha256:{name}")
               or any(f"/{of}".endswith(wanted) for of in one.names)]  # fmt: skip
    asked = normal(platform) if platform else ""
    if asked:
        fitting = [one for one in fitting if one.platform in ("", asked)]
    elif len({one.digest for one in fitting}) > 1:
        fitting = [one for one in fitting if one.platform == native_platform()] or fitting
    if len({one.digest for one in fitting}) != 1:
        several = "several images" if fitting else "no such image"
        raise Problem(
            f"{path.name} holds {several}.",
            why="\n".join(["It holds:", *sorted({str(one) for one in found})][:20]),
            next="the same command with --image NAME or --platform linux/amd64",
        )
    return fitting[0]


def _read(files: _Files, found: Found) -> Opened:
    if found.config is None:
        manifest = manifest_of(files, found.digest, found.platform)
        for layer in manifest["layers"]:
            kind = layer.get("mediaType") or "application/vnd.oci.image.layer.v1.tar"
            if not _LAYER_TYPES.fullmatch(kind):
                raise Problem(
                    f"{files.name} holds no container image.",
                    why=f"A layer of it has the media type {kind}.",
                    next="an image, as docker save or docker buildx build --output type=oci,dest=image.tar writes it",
                )
        image = open_image(files, found.digest, manifest)
    else:
        diff_ids = [checked(one) for one in (found.config.get("rootfs") or {}).get("diff_ids") or []]
        if len(diff_ids) != len(found.layers):
            why = f"It lists {len(found.layers)} layers, and its configuration {len(diff_ids)}."
            raise files.damaged("manifest.json", why)
        files.by_digest.update(zip(diff_ids, found.layers, strict=True))
        image = opened(files, found.digest, found.config, [{"digest": one} for one in diff_ids], unpacked=True)
    if (system := image.config.get("os", "linux")) != "linux":
        raise Problem(
            f"The image is for {system}.", why="Only images for Linux are weighed.", next="another --platform"
        )
    if not image.facts:
        raise Problem("The image has no layers: there is nothing to weigh.", next="another image")
    return image


def is_image(path: Path) -> bool:
    """Is it a file, or a folder with an OCI image layout in it?"""
    return path.is_file() or (path.is_dir() and (path / "index.json").is_file() and (path / "blobs").is_dir())


def read_archive(path: Path, name: str = "", platform: str = "") -> tuple[Opened, str, list[str]]:
    """The image in a file or an OCI layout folder, its platform, and the others that are there.

    `name` is that of one of several, or the beginning of its digest. Raises Problem when there is none, when several
    are meant, and when what is there is damaged.
    """
    with contextlib.ExitStack() as stack:
        if path.is_dir():
            files = _Files(path, None, path.name)
        else:
            plain = stack.enter_context(_plain(path))
            files = _Files(plain, _members(plain, path.name), path.name)
        try:
            return _image_in(path, files, name, platform)
        except (KeyError, TypeError, AttributeError, IndexError, ValueError, RecursionError) as error:
            why = f"Its lists are not as the format says: {type(error).__name__}: {str(error)[:200]}"
            raise Problem(f"{path.name} describes no image.", why=why, next=_AGAIN) from None
        except FileNotFoundError as error:
            raise Problem(f"{path.name} is not complete.", why=f"{error} is missing.", next=_AGAIN) from None


def _image_in(path: Path, files: _Files, name: str, platform: str) -> tuple[Opened, str, list[str]]:
    found: list[Found] = []
    if re.fullmatch(r"[0-9a-f]{64}", name):  # one that no list names
        found = [Found("", (), f"sha256:{name}")]
    elif (index := files.json("index.json")) is not None:
        found = list(_in_layout(files, index))
        # An engine that has the image for one platform saves the list of all.
        found = [one for one in found if files.has(one.digest)] or found
    if not found and (listed := files.json("manifest.json")) is not None:
        found = list(_in_docker_archive(files, listed))
    if not found:
        raise Problem(
            f"{path.name} holds no image.",
            why="It has neither index.json, as an OCI layout has, nor manifest.json, as docker save writes it.",
            next=_AGAIN,
        )
    chosen = _chosen(path, found, name, platform)
    image = _read(files, chosen)
    words = (image.config.get(key) for key in ("os", "architecture", "variant"))
    said = chosen.platform or normal("/".join(filter(None, words)) or "linux")
    others = sorted({str(one) for one in found if one.digest != chosen.digest})
    return image, said, others
