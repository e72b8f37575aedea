"""Compares the lab's base images with what is published of the official ones: sizes, and package by package."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from rich.table import Table

from lab.recipe import recipe_of
from measure.base import progress
from measure.base.errors import Problem
from measure.base.files import shown, write_whole
from measure.base.names import MANIFEST_TYPES
from measure.base.platforms import PLATFORMS, narrow
from measure.build import lab_engine
from measure.record.records import as_json
from measure.studies.fidelity.model import Comparison, Fidelity, Sizes, record_path
from measure.studies.fidelity.page import HEAD, row
from measure.tell.table import out
from measure.weigh.contents import read_contents
from measure.weigh.filesystem import FileSystem
from measure.weigh.layers import read_layer

#: A stand-in whose size differs from the official image's by more than this part is reported as a miss.
TOLERANCE = 0.10
HERE = Path(__file__).parent


def _get(name: str, reference: str) -> dict[str, Any]:
    """What the lab's registry has under a tag or a digest. Raises Problem when that is no manifest."""
    url = f"http://{lab_engine.registry()}/v2/library/{name.split(':')[0]}/manifests/{reference}"
    try:
        answer = httpx.get(url, headers={"Accept": MANIFEST_TYPES}, timeout=20, trust_env=False)
        answer.raise_for_status()
        found = answer.json()
        if not isinstance(found, dict) or not found.keys() & {"layers", "manifests"}:
            raise ValueError(f"it answers {answer.text[:200]!r}")
    except (httpx.HTTPError, ValueError) as error:
        what = f"The lab's registry has no manifest of {name}."
        raise Problem(what, why=f"{url}: {error}", next="make lab-status") from None
    return found


def manifest(name: str, platform: str) -> dict[str, Any]:
    """The manifest for a platform; of one platform alone it has no index above. Raises Problem when there is none."""
    found = _get(name, name.split(":")[1])
    if "manifests" not in found:
        return found
    for one in found["manifests"]:
        if one.get("platform", {}).get("architecture") == platform.split("/")[1]:
            return _get(name, one["digest"])
    raise Problem(f"The lab's registry has no {name} for {platform}.", next="make lab-fidelity")


def _compare_one(name: str, platform: str, official: dict[str, Any]) -> Comparison:
    layers = manifest(name, platform)["layers"]
    facts = [read_layer(lab_engine.registry_blob(layer["digest"])) for layer in layers]
    sizes = {kind: official[kind].get(platform) for kind in ("transfer_bytes", "file_bytes")}
    transfer, files = sum(layer["size"] for layer in layers), sum(layer.file_bytes for layer in facts)
    comparison = Comparison(
        image=name,
        platform=platform,
        official=Sizes(**sizes),
        lab=Sizes(transfer_bytes=transfer, file_bytes=files),
    )
    listed = HERE / "official" / f"{name.replace(':', '-')}.packages"
    if listed.exists() and platform == PLATFORMS[0]:
        theirs = {line.split("=")[0] for line in listed.read_text().split()}
        ours = {package.name for package in read_contents(FileSystem(facts), "").os_packages}
        comparison.packages_official, comparison.packages_lab = len(theirs), len(ours)
        comparison.packages_missing = sorted(theirs - ours)
        comparison.packages_extra = sorted(ours - theirs)
    return comparison


def compare() -> None:
    """Compare every base that official figures are at hand for, record it, print it. Builds the bases if need be.

    PLATFORMS narrows it, and then nothing is recorded: the record has all platforms. Raises Problem when a base cannot
    be had.
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
        recipes_sha256={name: recipe_of(name) for name in images},
        python_version=lab_engine.python_version(),
        comparisons=comparisons,
        measured_at=datetime.now(UTC).replace(microsecond=0),
    )
    show(fidelity)
    if platforms == list(PLATFORMS):
        write_whole(record_path(), as_json(fidelity))
        out.print(f"Record: {shown(record_path())}")
    else:
        out.print(f"Not recorded: {shown(record_path())} has {' and '.join(PLATFORMS)}")


def show(fidelity: Fidelity) -> None:
    """Print the comparison; what differs by more than TOLERANCE is red."""
    table = Table(*HEAD, title="the lab's base images against the official ones: transfer size, and bytes of all files")
    for one in fidelity.comparisons:
        pairs = [(getattr(one.lab, kind), getattr(one.official, kind)) for kind in ("transfer_bytes", "file_bytes")]
        beyond = any(theirs and abs(ours - theirs) / theirs > TOLERANCE for ours, theirs in pairs)
        table.add_row(*row(one), style="red" if beyond else None)
    out.print(table)
    for one in fidelity.comparisons:
        if one.packages_official is not None:
            missing, extra = (", ".join(names) or "none" for names in (one.packages_missing, one.packages_extra))
            counts = f"{one.packages_lab} packages, official {one.packages_official}"
            out.print(f"{one.image}: {counts}; missing: {missing}; extra: {extra}")
    out.print(f"CPython {fidelity.python_version}")
