"""What base images are made from: Debian's root file systems, and CPython's source. Fetched once, and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.config import SUITE, Lab
from lab.processes import bounded, inside
from lab.recipe import BUILD_PLATFORM, FOREIGN_OPTIONS, PYTHON_SHA256, PYTHON_VERSION, ROOTFS_OPTIONS
from lab.tree import apt_settings, run_logged
from measure.base import progress
from measure.base.errors import Problem, say
from measure.base.files import sha256_of


@contextmanager
def beside(lab: Lab, platforms: Iterable[str]) -> Iterator[None]:
    """Make these platforms' root file systems at the side, and wait in the end; who needs one that failed is told."""

    def make() -> None:
        for platform in platforms:
            with suppress(Problem):
                rootfs(lab, platform, inside(lab, "nice", "--adjustment=19", "mmdebstrap"))

    with progress.aside(make):
        yield


def rootfs(lab: Lab, platform: str, mmdebstrap: list[str] | None = None) -> Path:
    """An archive with Debian's minimal system for a platform; made unless it is there. `mmdebstrap` calls it."""
    architecture = platform.split("/")[1]
    options = [*ROOTFS_OPTIONS, *(FOREIGN_OPTIONS if platform != BUILD_PLATFORM else ())]
    key = hashlib.sha256(" ".join((SUITE, *options)).encode()).hexdigest()[:12]
    finished = lab.sources / f"rootfs-{architecture}-{key}.tar"
    if not finished.exists():
        lab.sources.mkdir(parents=True, exist_ok=True)
        partial = finished.with_suffix(".partial")
        options += ["--format=tar", *(f"--aptopt={line}" for line in apt_settings())]
        command = [*(mmdebstrap or inside(lab, "mmdebstrap")), *options, f"--architectures={architecture}"]
        run_logged(
            bounded(["env", f"TMPDIR={lab.work}", *command, SUITE, str(partial)]),
            lab.logs / f"rootfs-{architecture}.log",
            what=f"Making Debian's root file system for {platform}",
        )
        partial.rename(finished)
    return finished


def _mirror(lab: Lab) -> str:
    return (lab.tree / "etc/apt/sources.list").read_text().split()[1]


def apt_options(lab: Lab, work: Path, kind: str, *suites: str) -> str:
    """Options that have the tree's apt take packages, deb or deb-src, from these suites alone, with lists in `work`."""
    (work / "lists/partial").mkdir(parents=True, exist_ok=True)
    (work / "sources.list").write_text("".join(f"{kind} {_mirror(lab)} {suite} main\n" for suite in suites))
    return (
        f"-o Dir::Etc::sourcelist={work}/sources.list -o Dir::Etc::sourceparts=/nonexistent"
        f" -o Dir::State::lists={work}/lists -o APT::Sandbox::User=root"
    )


def python_source(lab: Lab) -> tuple[Path, str, str]:
    """CPython's source archive, its version and SHA-256.

    First the pinned release. Debian keeps only the newest ones, so once that is gone, any 3.14 that Debian has as a
    source package serves; base image and fidelity table tell which one it was.
    """
    pinned = lab.sources / f"python-{PYTHON_VERSION}.tar.xz"
    if not pinned.exists():
        if others := sorted(lab.sources.glob("fallback-*.tar.xz"), key=lambda path: path.stat().st_mtime):
            return others[-1], others[-1].name[len("fallback-") : -len(".tar.xz")], sha256_of(others[-1])
        url = f"{_mirror(lab)}/pool/main/p/python3.14/python3.14_{PYTHON_VERSION}.orig.tar.xz"
        partial = lab.sources / "python.partial"
        fetch = ["/usr/lib/apt/apt-helper", "download-file", url, str(partial), f"SHA256:{PYTHON_SHA256}"]
        log = lab.logs / "python-source.log"
        try:
            run_logged(bounded(inside(lab, *fetch)), log, what="Fetching CPython's source")
        except Problem:
            if "404" not in log.read_text():
                raise
            say(f"Debian's mirror no longer has CPython {PYTHON_VERSION}; taking the newest 3.14 it has")
            version = _python_source_package(lab, partial)
            path = lab.sources / f"fallback-{version}.tar.xz"
            partial.rename(path)
            return path, version, sha256_of(path)
        partial.rename(pinned)
    return pinned, PYTHON_VERSION, PYTHON_SHA256


def _python_source_package(lab: Lab, target: Path) -> str:
    """Fetch CPython's source by apt from Debian's testing or unstable; returns its version."""
    work = lab.work / "python-source"
    options = apt_options(lab, work, "deb-src", "testing", "unstable")
    script = (
        f"cd {work} && apt-get {options} update &&"
        f" for v in $(apt-cache {options} showsrc python3.14 | sed -n 's/^Version: //p' | sort -rV);"
        f" do apt-get {options} source --download-only python3.14=$v && exit; done; exit 1"
    )
    run_logged(
        bounded(inside(lab, "bash", "-c", script)),
        lab.logs / "python-source.log",
        what="Fetching CPython's source package",
    )
    archive = next(work.glob("python3.14_*.orig.tar.xz"))
    archive.rename(target)
    return archive.name.removeprefix("python3.14_").removesuffix(".orig.tar.xz")
