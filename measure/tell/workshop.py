"""What it takes to follow these pages: where the repository is, what a laptop pulls and stores, how long pages take."""

from __future__ import annotations

import yaml

from measure.base.files import ROOT
from measure.base.platforms import PLATFORMS
from measure.base.units import megabytes
from measure.steps.compose import find_step
from measure.tell.page import Page, front_matter, markdown_table, page_function
from measure.weigh.oci import Layer


@page_function
def repository(page: Page) -> str:
    """How to get the repository: from the address that `extra: repository:` of mkdocs.yml has, where it has one."""
    address = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["extra"]["repository"]
    if address:
        return f"Clone it: `git clone {address}`."
    return "This copy names no public address: clone the folder that you have it in, with `git clone FOLDER`."


def _layers(page: Page, steps: tuple[str, ...], platforms: tuple[str, ...]) -> list[Layer]:
    """The layers of all images of some steps, each once, however many images share it."""
    found = {}
    for record in (record for step in steps for record in page.records.of_step(find_step(step).name)):
        if record.size and record.platform in platforms:
            found |= {layer.digest: layer for layer in record.size.layers}
    return list(found.values())


@page_function
def pulled(page: Page, *steps: str, platforms: tuple[str, ...] = PLATFORMS[:1]) -> str:
    """The compressed bytes of the base images that the images of some steps stand on, each layer once."""
    layers = [layer for layer in _layers(page, steps, platforms) if layer.of_base]
    return page.total(megabytes(sum(layer.transfer_bytes for layer in layers)), f"{len(layers)} layers of base images")


@page_function
def on_disk(page: Page, *steps: str, platforms: tuple[str, ...] = PLATFORMS[:1]) -> str:
    """The unpacked bytes of all images of some steps, each layer once."""
    layers = _layers(page, steps, platforms)
    return page.total(megabytes(sum(layer.unpacked_tar_bytes for layer in layers)), f"{len(layers)} layers")


@page_function
def laptop(page: Page, *steps: str) -> str:
    """What a laptop pulls and stores, on one platform: for the first of some steps alone, and for all of them."""
    rows = [
        [f"`make {name}`", pulled(page, *some), on_disk(page, *some)]
        for name, some in ((steps[0], steps[:1]), (f"{steps[0]}` … `make {steps[-1]}", steps))
    ]
    return markdown_table(["for one platform", "base images, transfer", "all images, unpacked"], rows, "lrr")


@page_function
def timetable(page: Page, *pages: str) -> str:
    """Pages, below docs/, with the minutes that each says it takes."""
    rows = []
    for name in pages:
        meta = front_matter((ROOT / "docs" / name).read_text())
        rows.append([f"[{meta['title']}]({page.link(name)})", str(meta["minutes"])])
    return markdown_table(["page", "minutes"], rows, "lr")
