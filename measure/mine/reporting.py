"""A report, put together: of an archive, of a folder, or of both. What was reported before comes from the cache."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from measure.base import dockerfiles
from measure.base.dockerfiles import OF_TARGET, Dockerfile
from measure.base.errors import Problem
from measure.base.files import cache_folder, write_whole
from measure.base.model import kept
from measure.base.platforms import native_platform, normal
from measure.mine import advice, facts, packages
from measure.mine.archives import read_archive
from measure.mine.context import context_of
from measure.mine.lines import lines_of, origin_of
from measure.mine.model import Context, Report, plain
from measure.mine.seen import Seen
from measure.steps.inputs import hash_of
from measure.weigh.layers import reader_version
from measure.weigh.oci import Opened

#: Reports that are kept.
_KEPT = 100


@dataclass(frozen=True)
class Asked:
    """What a report is wanted of."""

    #: A file or an OCI layout folder; None for a folder alone.
    archive: Path | None = None
    #: Which of several images in it.
    image: str = ""
    platform: str = ""
    dockerfile: Path | None = None
    target: str | None = None
    #: Build arguments.
    args: tuple[tuple[str, str], ...] = ()
    #: The build context.
    folder: Path | None = None
    #: What the reader typed.
    subject: str = ""


@functools.cache
def version() -> str:
    """Changes whenever the code that makes reports does."""
    here = Path(__file__).parent
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(here.glob("*.py")))).hexdigest()[:12]


def _key(asked: Asked) -> str | None:
    """What decides a report: the archive by name, size and time, and the Dockerfile. None for what is not kept."""
    if not asked.archive or asked.folder or asked.archive.is_relative_to(cache_folder()):
        return None
    index = asked.archive / "index.json" if asked.archive.is_dir() else asked.archive
    told = index.stat()
    dockerfile = asked.dockerfile.read_bytes() if asked.dockerfile else b""
    parts = [
        str(asked.archive.resolve()), told.st_size, told.st_mtime_ns, told.st_ino, asked.image, asked.platform,
        asked.target, asked.subject, asked.args, hashlib.sha256(dockerfile).hexdigest(), reader_version(), version(),
    ]  # fmt: skip
    return hash_of(parts)


def report(asked: Asked) -> Report:
    """Everything about an image or a folder. Raises Problem for what cannot be read."""
    key = _key(asked)
    cached = cache_folder() / "mine" / f"{key}.json" if key else None
    if cached and (found := kept(Report, cached)):
        return found
    made = _report(asked)
    if cached:
        write_whole(cached, made.model_dump_json())
        _tidy(cached.parent)
    return made


def _tidy(folder: Path) -> None:
    """Keep the latest reports alone."""
    for old in sorted(folder.glob("*.json"), key=lambda path: -path.stat().st_mtime)[_KEPT:]:
        old.unlink(missing_ok=True)


def _report(asked: Asked) -> Report:
    dockerfile = None
    if asked.dockerfile:
        dockerfile = dockerfiles.read(asked.dockerfile, dict(asked.args))
        dockerfile.check()
        dockerfile.chain(asked.target)
    context = context_of(asked.folder, asked.dockerfile or asked.folder / "Dockerfile") if asked.folder else None
    if not asked.archive:
        if not dockerfile:
            raise Problem(f"{asked.subject} has no Dockerfile.", next="the same command with -f FILE")
        dockerfile = _on(normal(asked.platform) if asked.platform else native_platform(), dockerfile)
        return Report(
            subject=asked.subject,
            dockerfile=asked.dockerfile.name,
            base=dockerfile.base_image(asked.target) or "scratch",
            context=context,
            next_steps=[*advice.order_steps(dockerfile, asked.target), *advice.context_steps(context)],
        )
    image, platform, others = read_archive(asked.archive, asked.image, asked.platform)
    made = report_of(image, platform, dockerfile, asked.target, context)
    names = [plain(one, 200) for one in others]
    return made.model_copy(update={"subject": asked.subject, "others": names})


def report_of(
    image: Opened,
    platform: str,
    dockerfile: Dockerfile | None = None,
    target: str | None = None,
    context: Context | None = None,
) -> Report:
    """The report of an image that was read, with the Dockerfile and the context that it was built from."""
    dockerfile = dockerfile and _on(platform, dockerfile)
    origin = origin_of(image, dockerfile, target)
    seen = Seen(image, origin, platform)
    base = (dockerfile.base_image(target) or "scratch") if dockerfile else _said_base(image)
    python, distribution = packages.python_owned(seen), packages.os_owned(seen)
    work = advice.Work(seen, python, distribution, dockerfile, target)
    return Report(
        subject="",
        dockerfile=Path(dockerfile.name).name if dockerfile else None,
        platform=platform,
        digest=image.digest,
        base=base,
        sizes=facts.sizes_of(seen),
        lines=lines_of(image, origin, base),
        packages=[*packages.rows(seen, python), *packages.rows(seen, distribution)],
        facts=facts.facts_of(seen),
        context=context,
        next_steps=advice.next_steps(work, context),
    )


def _on(platform: str, dockerfile: Dockerfile) -> Dockerfile:
    """A Dockerfile with what a builder puts in for the platform that it builds for: FROM base-$TARGETARCH."""
    said = (platform, *platform.split("/"), "", "")
    return replace(dockerfile, args={**dict(zip(OF_TARGET, said, strict=False)), **dockerfile.args})


def _said_base(image: Opened) -> str | None:
    labels = image.settings.get("Labels") or {}
    said = labels.get("org.opencontainers.image.base.name")
    return plain(str(said), 200) if said else None
