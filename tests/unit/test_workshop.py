"""What it takes to follow the pages: the repository, what a laptop pulls and stores, how far stand-ins are off."""

import re
from pathlib import PurePosixPath
from types import SimpleNamespace

import pytest

import measure.pages  # noqa: F401
from measure.base.files import ROOT
from measure.base.names import LAB_ENVIRONMENT
from measure.exercises.model import exercises
from measure.exercises.slides import PLACE, slides
from measure.studies.fidelity.model import load
from measure.tell import workshop
from measure.tell.page import Page, Readme
from measure.tell.reading import Records
from measure.weigh.oci import Layer
from tests import handmade
from tests.handmade import record, size


def call(name: str, *words: str, page: Page | None = None, **options) -> str:
    return (page or Page(Records(), PurePosixPath("guide/x.md"))).functions()[name](*words, **options)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("", "`git clone FOLDER`"),
        ("https://forge.example/you/it", "Clone it: `git clone https://forge.example/you/it`."),
    ],
)
def test_the_repositorys_address_is_said_once_in_the_sites_settings(tmp_path, monkeypatch, address, told):
    (tmp_path / "mkdocs.yml").write_text(f'extra:\n  repository: "{address}"\n')
    monkeypatch.setattr(workshop, "ROOT", tmp_path)
    assert told in call("repository")


def test_the_sites_settings_can_be_read():
    assert call("repository").startswith(("Clone it: `git clone https://", "This copy names no public address"))


def layer(name: str, of_base: bool) -> Layer:
    return handmade.layer(digest=name, of_base=of_base, transfer_bytes=10_000_000, unpacked_tar_bytes=30_000_000)


@pytest.mark.parametrize("kind", [Page, Readme])
def test_a_layer_that_images_share_counts_once_and_on_its_platform(kind):
    images = [
        record(platform="linux/amd64", size=size(layers=[layer("base", True), layer("one", False)])),
        record(platform="linux/amd64", size=size(layers=[layer("base", True), layer("two", False)])),
        record(platform="linux/arm64", size=size(layers=[layer("other", True)])),
        record(platform="linux/amd64", size=None),
    ]
    found = SimpleNamespace(of_step=lambda name: images)
    page = Readme(found) if kind is Readme else Page(found, PurePosixPath("guide/x.md"))
    space = " " if kind is Readme else "&nbsp;"
    assert call("pulled", "step-1", page=page).startswith(f"[10.0{space}MB](")
    assert call("on_disk", "step-1", page=page).startswith(f"[90.0{space}MB](")
    both = ("linux/amd64", "linux/arm64")
    assert call("pulled", "step-1", page=page, platforms=both).startswith(f"[20.0{space}MB](")
    target = re.search(r"\]\((\S+)", call("pulled", "step-1", page=page))[1]
    assert (ROOT / "docs/guide" / target if kind is Page else ROOT / target).exists()


def test_pages_say_how_long_they_take():
    rows = call("timetable", "steps/step-1.md", "final.md").splitlines()[2:]
    assert re.fullmatch(r"\| \[Step 1: .+\]\(\.\./steps/step-1\.md\) \| \d+ \|", rows[0])
    assert re.fullmatch(r"\| \[Final result\]\(\.\./final\.md\) \| \d+ \|", rows[1])


def test_stand_ins_are_told_with_how_far_they_are_off():
    off = [
        (one.lab.transfer_bytes / one.official.transfer_bytes - 1) * 100
        for one in load().comparisons
        if one.image.startswith("python:")
    ]
    text = call("standin").replace("&nbsp;", " ")
    assert re.findall(r"\[([+-][\d.]+ %)\]\(\.\./results/records/lab-amd64/fidelity\.json", text) == [
        f"{min(off):+.1f} %", f"{max(off):+.1f} %",
    ]  # fmt: skip
    assert "(../results/lab.md#how-close-the-stand-ins-are)" in text
    assert text.endswith("\n{ .takes }")


def test_where_base_images_are_the_official_ones_nothing_is_said_of_stand_ins():
    page = Page(SimpleNamespace(environment=f"not-{LAB_ENVIRONMENT}"), PurePosixPath("x.md"))
    assert call("standin", page=page) == ""


def test_each_exercise_has_its_slides_and_they_load_nothing_from_elsewhere():
    files = slides()
    page = files[PLACE / "index.html"]
    for one in exercises():
        section = page.partition(f'<section id="{one.name}"')[2].partition("</section>\n</section>")[0]
        room = one.check.room
        for told in (one.check.title, one.story, one.section("Goal"), one.section("Afterwards"), room.ask, room.skip):
            assert told in section, one.name
    icon, *loaded = sorted(re.findall(r'(?:src|href)="([^"]+)"', page))
    assert icon.startswith("../../assets/")
    assert len(loaded) == len(files) - 2  # the page itself and a license
    assert {PLACE / one for one in loaded} <= files.keys()
    for path, content in files.items():
        if path.suffix == ".css":
            assert not re.search(rb"@import|url\((?!data:)", content), path
