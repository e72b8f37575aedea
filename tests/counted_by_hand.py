"""An image in a file, taken apart and counted with tar, gzip, find, dpkg and pip: no code of measure/ is used."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tarfile
from functools import cached_property
from pathlib import Path


def told(*words: str | Path) -> str:
    """What a program says."""
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def _described(parts: Path) -> tuple[list[Path], dict]:
    """The layers of an unpacked archive as they are stored, and the image's configuration."""
    if (parts / "manifest.json").exists():
        (saved,) = json.loads((parts / "manifest.json").read_text())
        return [parts / name for name in saved["Layers"]], json.loads((parts / saved["Config"]).read_text())

    def blob(of: dict) -> Path:
        return parts / "blobs" / of["digest"].replace(":", "/")

    (entry,) = json.loads((parts / "index.json").read_text())["manifests"]
    manifest = json.loads(blob(entry).read_text())
    return [blob(one) for one in manifest["layers"]], json.loads(blob(manifest["config"]).read_text())


class Apart:
    """The layers of an image, put on one another in a real folder; after each a copy of hard links keeps the state.

    So no number of an inode is used twice, and what a later layer hides is in the copies alone.
    """

    def __init__(self, archive: Path, folder: Path, base_layers: int) -> None:
        self.folder, self.base_layers, self.root = folder, base_layers, folder / "root"
        for name in ("parts", "root"):
            (folder / name).mkdir(parents=True)
        told("tar", "-xf", archive, "-C", folder / "parts")
        self.stored, self.config = _described(folder / "parts")
        self.tars = [folder / f"{number}.tar" for number in range(len(self.stored))]
        #: By each name of a file: its layer, and its bytes with its header. A later layer's counts.
        self.members: dict[str, tuple[int, int]] = {}
        for number, (stored, plain) in enumerate(zip(self.stored, self.tars, strict=True)):
            with plain.open("wb") as file:
                subprocess.run(["gzip", "-dcf", stored], stdout=file, check=True)
            self._put(number, plain)

    def _put(self, number: int, plain: Path) -> None:
        for name in told("tar", "-tf", plain).splitlines():
            above, _, last = name.rstrip("/").rpartition("/")
            if last == ".wh..wh..opq":
                told("find", self.root / above, "-mindepth", "1", "-delete")
            elif last.startswith(".wh."):
                told("rm", "-rf", self.root / above / last.removeprefix(".wh."))
        told("tar", "-xpf", plain, "-C", self.root, "--numeric-owner", "--exclude=.wh.*")
        told("cp", "-al", self.root, self.folder / f"after-{number}")
        with tarfile.open(plain) as archive:
            for one in archive:
                if one.isreg():
                    length = one.offset_data - one.offset + -(-one.size // 512) * 512
                    self.members[f"/{one.name.strip('/')}"] = number, length
                elif one.islnk():
                    self.members[f"/{one.name.strip('/')}"] = self.members[f"/{one.linkname.strip('/')}"]

    def _files(self, where: Path) -> dict[int, tuple[int, list[str]]]:
        """Bytes and paths of each regular file, by the number of its inode."""
        found: dict[int, tuple[int, list[str]]] = {}
        for line in told("find", where, "-type", "f", "-printf", r"%i %s /%P\n").splitlines():
            number, size, path = line.split(" ", 2)
            found.setdefault(int(number), (int(size), []))[1].append(path)
        return found

    @cached_property
    def visible(self) -> dict[int, tuple[int, list[str]]]:
        """What is visible in the end, see `_files`."""
        return self._files(self.root)

    def one_name(self, path: str) -> str:
        """The same name for all names of a file."""
        return self.visible[(self.root / path[1:]).stat().st_ino][1][0]

    def layer(self, number: int) -> tuple[int, int, int, int]:
        """Of a layer: bytes as it is stored, of its tar stream, its files, and the bytes of those that are hidden."""
        listed = [line for line in told("tar", "-tvf", self.tars[number]).splitlines() if line.startswith("-")]
        before = self._files(self.folder / f"after-{number - 1}") if number else {}
        brought = self._files(self.folder / f"after-{number}")
        hidden = sum(size for one, (size, _) in brought.items() if one not in before and one not in self.visible)
        files = sum(not line.rpartition("/")[2].startswith(".wh.") for line in listed)
        return self.stored[number].stat().st_size, self.tars[number].stat().st_size, files, hidden

    def own(self, path: str) -> bool:
        """Does a visible file come with a layer above the base?"""
        return self.members[path][0] >= self.base_layers

    def matching(self, pattern: str, *, own: bool = True, all_names: bool = False) -> set[str]:
        """The visible files, of own layers or of all, a name of which matches, or all: a matching one of each."""
        found = {}
        for number, (_, paths) in self.visible.items():
            named = [path for path in paths if re.search(pattern, path)]
            if named and (len(named) == len(paths) or not all_names) and (not own or self.own(named[0])):
                found[number] = named[0]
        return {*found.values()}

    def tar_bytes(self, paths: set[str]) -> int:
        """What files take of the tar streams."""
        return sum(self.members[path][1] for path in paths)

    def sizes(self, paths: set[str]) -> int:
        """What files take, one with several names once."""
        return sum({(one := (self.root / path[1:]).stat()).st_ino: one.st_size for path in paths}.values())

    def python(self, site: str) -> dict[str, tuple[str, set[str]]]:
        """Version and files of each Python package that is installed in a place, as pip and importlib tell."""
        where = self.root / site.lstrip("/")
        listed = json.loads(told(sys.executable, "-m", "pip", "list", "--path", where, "--format", "json"))
        found = {}
        for one in importlib.metadata.distributions(path=[str(where)]):
            paths = {os.path.realpath(one.locate_file(path)) for path in one.files or ()}
            for source in [Path(path) for path in paths if path.endswith(".py")]:
                paths |= set(map(str, source.parent.glob(f"__pycache__/{source.stem}.cpython-314*.pyc")))
            inside = {f"/{Path(path).relative_to(self.root)}" for path in paths if Path(path).is_file()}
            found[one.name] = one.version, inside
        assert {name: version for name, (version, _) in found.items()} == {
            one["name"]: one["version"] for one in listed
        }
        return found

    def debian(self, state: Path | None = None) -> dict[str, str]:
        """Version of each package of the distribution, as dpkg tells; of the base too."""
        database = (state or self.root) / "var/lib/dpkg"
        lines = told("dpkg-query", f"--admindir={database}", "-W", "-f", "${Package} ${Version}\n").splitlines()
        return dict(line.split(" ") for line in lines)

    def debian_bytes(self, name: str) -> int:
        """Bytes of a package's files that are there."""
        paths = told("dpkg-query", f"--admindir={self.root}/var/lib/dpkg", "-L", name).splitlines()
        there = [Path(os.path.realpath((self.root / path.lstrip("/")).parent)) / Path(path).name for path in paths]
        files = [one.stat() for one in there if one.is_file() and not one.is_symlink()]
        return sum({one.st_ino: one.st_size for one in files}.values())
