"""How close the lab's base images come to the official ones: sizes, and package by package."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import httpx
from rich.table import Table

from lab.recipe import recipe_sha256
from measure.base import progress
from measure.base.files import RESULTS, write_whole
from measure.base.names import MANIFEST_TYPES
from measure.base.platforms import PLATFORMS, narrow
from measure.base.units import change
from measure.build import lab_engine
from measure.studies.fidelity.model import Comparison, Fidelity, Sizes, record_path
from measure.tell.table import out
from measure.weigh.contents import read_contents
from measure.weigh.filesystem import FileSystem
from measure.weigh.layers import read_layer

#: A stand-in whose size differs from the official image's by more than this part is reported as a miss.
TOLERANCE = 0.10
HERE = Path(__file__).parent


def _get(name: str, reference: str) -> dict:
    repository = name.split(":")[0]
    url = f"http://{lab_engine.registry()}/v2/library/{repository}/manifests/{reference}"
    answer = httpx.get(url, headers={"Accept": MANIFEST_TYPES}, timeout=20, trust_env=False)
    answer.raise_for_status()
    return answer.json()


def _manifest(name: str, platform: str) -> dict:
    """The image manifest for one platform. A base built for one platform alone has no index above it."""
    manifest = _get(name, name.split(":")[1])
    if "manifests" not in manifest:
        return manifest
    architecture = platform.split("/")[1]
    digest = next(m["digest"] for m in manifest["manifests"] if m["platform"]["architecture"] == architecture)
    return _get(name, digest)


def _official_packages(name: str) -> set[str] | None:
    path = HERE / "official" / f"{name.replace(':', '-')}.packages"
    return {line.split("=")[0] for line in path.read_text().split()} if path.exists() else None


def _compare_one(name: str, platform: str, official: dict) -> Comparison:
    layers = _manifest(name, platform)["layers"]
    facts = [read_layer(lab_engine.registry_blob(layer["digest"])) for layer in layers]
    comparison = Comparison(
        image=name,
        platform=platform,
        official=Sizes(
            transfer_bytes=official["transfer"][platform], unpacked_bytes=official["unpacked"].get(platform)
        ),
        lab=Sizes(
            transfer_bytes=sum(layer["size"] for layer in layers),
            unpacked_bytes=sum(layer.file_bytes for layer in facts),
        ),
    )
    theirs = _official_packages(name)
    if theirs is not None and platform == PLATFORMS[0]:
        ours = {package.name for package in read_contents(FileSystem(facts), "").os_packages}
        comparison.packages_official, comparison.packages_lab = len(theirs), len(ours)
        comparison.packages_missing = sorted(theirs - ours)
        comparison.packages_extra = sorted(ours - theirs)
    return comparison


def beyond_tolerance(comparison: Comparison) -> bool:
    """Is one of the two sizes further from the official one than TOLERANCE?"""
    ours, theirs = comparison.lab, comparison.official
    pairs = ((ours.transfer_bytes, theirs.transfer_bytes), (ours.unpacked_bytes, theirs.unpacked_bytes))
    return any(a is not None and b is not None and abs(a - b) / b > TOLERANCE for a, b in pairs)


def compare() -> Fidelity:
    """Compare every base that official figures are at hand for, record it, print it. Builds the bases if need be.

    PLATFORMS narrows it, and then nothing is recorded: the record has all platforms.
    """
    platforms = narrow(PLATFORMS)
    official = tomllib.loads((HERE / "official.toml").read_text())
    images = official["images"]
    lab_engine.provide(images, platforms)
    with progress.task("weighing base images") as task:
        comparisons = []
        for name, figures in images.items():
            for platform in platforms:
                task.doing = f"{name} · {platform}"
                comparisons.append(_compare_one(name, platform, figures))
    fidelity = Fidelity(
        source=official["source"],
        versions={name: figures["version"] for name, figures in images.items()},
        dates={name: figures["dates"] for name, figures in images.items()},
        known_differences={name: figures["differs"] for name, figures in images.items()},
        recipes_sha256={name: recipe_sha256(name) for name in images},
        python_version=lab_engine.python_version(),
        comparisons=comparisons,
        measured_at=datetime.now(UTC).replace(microsecond=0),
    )
    show(fidelity)
    if platforms == list(PLATFORMS):
        write_whole(record_path(), fidelity.model_dump_json(indent=2, exclude_none=True) + "\n")
        out.print(f"Recorded in {record_path().relative_to(RESULTS.parent)}")
    else:
        out.print(f"Not recorded: {record_path().relative_to(RESULTS.parent)} has {' and '.join(PLATFORMS)}")
    return fidelity


def show(fidelity: Fidelity) -> None:
    """Print the comparison."""
    table = Table(title="The lab's base images against the official ones (MB = 1,000,000 bytes)")
    for column in ("image", "platform", "transfer\nofficial", "lab", "diff.", "files\nofficial", "lab", "diff."):
        table.add_column(column, justify="left" if column in ("image", "platform") else "right")
    for c in fidelity.comparisons:
        unpacked = f"{c.official.unpacked_bytes / 1e6:.1f}" if c.official.unpacked_bytes else "-"
        table.add_row(
            c.image, c.platform.split("/")[1],
            f"{c.official.transfer_bytes / 1e6:.1f}", f"{c.lab.transfer_bytes / 1e6:.1f}",
            change(c.lab.transfer_bytes, c.official.transfer_bytes),
            unpacked, f"{c.lab.unpacked_bytes / 1e6:.1f}",
            change(c.lab.unpacked_bytes, c.official.unpacked_bytes),
            style="red" if beyond_tolerance(c) else None,
        )  # fmt: skip
    out.print(table)
    for c in fidelity.comparisons:
        if c.packages_official is not None:
            out.print(
                f"{c.image}: {c.packages_lab} packages, official {c.packages_official}; "
                f"missing: {', '.join(c.packages_missing) or 'none'}; extra: {', '.join(c.packages_extra) or 'none'}"
            )
    out.print(f"CPython {fidelity.python_version}")
