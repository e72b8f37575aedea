"""A report on each of our own images says what its record says, and a next step saves what it is said to save.

Of the second pairs of variants that differ by that step are the truth.
"""

import pytest

from measure.base.files import ROOT
from measure.base.names import LAB_ENVIRONMENT
from measure.base.platforms import PLATFORMS
from measure.build.images import build
from measure.build.layout import layout, layout_in_use
from measure.mine import building, running
from measure.mine.archives import read_archive
from measure.mine.building import Source
from measure.mine.reporting import report_of
from measure.mine.showing import saving
from measure.record.compare import SAME
from measure.record.records import load, record_path
from measure.run.step import provide_bases
from measure.steps.compose import all_steps, find_step
from measure.studies.floor import model as floors
from tests.conftest import NATIVE, marks

#: Of a floor that was found by asking more than `/`, at least this part is looked at for `/` alone.
LEAST = 0.8
#: A variant, the one that does what is advised, and the steps that it does.
PAIRS = [
    ("step-1", "naive", "recommended", {"slim base", "caches"}),
    ("step-1", "full", "recommended", {"slim base"}),
    ("step-3", "chown", "recommended", {"written twice"}),
    ("step-3", "with-pip", "recommended", {"a second pip"}),
    ("step-3", "wheels-copied", "wheels", {"hidden files"}),
    ("step-3", "export", "recommended", {"bytecode of the base"}),
    ("step-3", "single", "recommended", None),
    ("step-4", "slim", "recommended", {"bytecode of the base"}),
    ("extra-compiling-deps", "slim", "recommended", None),
]
#: A prediction is right within this part, or these bytes.
PART, BYTES = 0.05, 1_000_000
#: Every variant that is recorded and builds, on each platform that it is recorded for.
RECORDED = [
    pytest.param(step, variant, platform, id=f"{step.name}-{variant.name}-{platform}", marks=marks(variant, platform))
    for step in all_steps()
    for variant in step.variants
    for platform in PLATFORMS
    if record_path(LAB_ENVIRONMENT, step.name, variant.name, platform).exists() and not variant.teaching.fails_with
]


def told(engine, step, variant, platform=NATIVE):
    """The report of an image that is built, read where builds are exported to."""
    with layout_in_use():
        digest = build(engine, step, variant, platform, lambda _: None).digest
        image, of, _ = read_archive(layout(), digest.removeprefix("sha256:"), platform)
    return report_of(image, of, variant.parsed, variant.target)


def is_pinned(step, name, version):
    """Does a list of the step, its lock file or a Dockerfile name this version of a package?"""
    files = [
        *step.folder.rglob("*requirements*.txt"),
        *step.folder.rglob("poetry.lock"),
        *step.folder.glob("*Dockerfile"),
    ]
    text = "\n".join(file.read_text() for file in files).lower()
    return f"{name}=={version}".lower() in text or f'name = "{name}"\nversion = "{version}"'.lower() in text


@pytest.mark.study
@pytest.mark.parametrize(("step", "variant", "platform"), RECORDED)
def test_a_report_says_what_the_record_says(engine, step, variant, platform):
    if engine.kind != "lab":
        pytest.skip("records are of images on the lab's bases; run it with ENGINE=lab")
    if platform not in engine.platforms:
        pytest.skip(f"this builder cannot build for {platform}")
    provide_bases(engine, [(variant, platform)])
    record = load(record_path(LAB_ENVIRONMENT, step.name, variant.name, platform))
    made = told(engine, step, variant, platform)
    contents, sizes, lines = record.contents, made.sizes, made.lines
    for size in ("transfer_bytes", "unpacked_tar_bytes"):
        of_base = sum(getattr(layer, size) for layer in record.size.layers if layer.of_base)
        assert getattr(sizes, size) == pytest.approx(getattr(record.size, size), rel=SAME), size
        assert sum(getattr(line, size) for line in lines) == getattr(sizes, size), size
        assert sum(getattr(line, size) for line in lines if line.of_base) == pytest.approx(of_base, rel=SAME), size
    hidden = record.size.wasted.base_bytes + record.size.wasted.own_bytes
    assert sizes.hidden_bytes == sum(line.hidden_bytes for line in lines) == pytest.approx(hidden, rel=SAME, abs=10_000)
    file = variant.dockerfile.name
    assert [line.where for line in lines if not line.of_base and not line.where.startswith(f"{file}:")] == []
    assert [line.where for line in lines if line.changed] == []
    found = {(one.name, one.version, one.location) for one in made.packages if one.kind == "os"}
    assert found == {(one.name, one.version, "") for one in contents.os_packages}
    found = {(one.name, one.version, one.location) for one in made.packages if one.kind == "python"}
    recorded = {(one.name, one.version, one.location) for one in contents.python_packages}
    assert {(name, at) for name, _, at in found} == {(name, at) for name, _, at in recorded}
    # What no file of the step pins, as what Poetry brings along, has a new version any day: that of a record made now.
    now = build(engine, step, variant, platform, lambda _: None).contents.python_packages
    assert found == {(one.name, one.version, one.location) for one in now}
    assert [(name, version) for name, version, _ in recorded - found if is_pinned(step, name, version)] == []
    facts = made.facts
    assert (facts.user, facts.has_shell, facts.has_compiler, bool(facts.pip), facts.setuid_files) == (
        contents.user, contents.has_shell, contents.has_compiler, contents.has_pip, contents.setuid_files
    )  # fmt: skip
    for one in made.next_steps:
        assert max(one.unpacked_tar_bytes, one.other_bytes) > 0 <= (one.transfer_bytes or 0), one.name
        assert saving(one) and (ROOT / "docs" / one.page).exists(), one.name


@pytest.mark.study
@pytest.mark.parametrize(("step", "before", "after", "names"), PAIRS, ids=[f"{one[0]}/{one[1]}" for one in PAIRS])
def test_a_step_saves_what_it_is_said_to_save(engine, step, before, after, names):
    step = find_step(step)
    provide_bases(engine, [(step.variant(name), NATIVE) for name in (before, after)])
    one, other = (told(engine, step, step.variant(name)) for name in (before, after))
    assert not any(line.changed or line.where.startswith("layer") for line in one.lines)
    steps = [found for found in one.next_steps if names is None or found.name in names]
    assert names is None or {found.name for found in steps} == names
    for size in ("transfer_bytes", "unpacked_tar_bytes"):
        saved = getattr(one.sizes, size) - getattr(other.sizes, size)
        assert sum(getattr(found, size) for found in steps) == pytest.approx(saved, rel=PART, abs=BYTES), size


@pytest.mark.study
def test_the_floor_of_ones_own_image_is_within_that_of_the_study(engine):
    """The study asks every route, and with nonsense: here `/` and the health check are asked alone."""
    if engine.kind != "lab" or engine.chosen:
        pytest.skip("floors are recorded of the lab's own builder; run it with ENGINE=lab")
    step = find_step("step-3")
    of = Source(step.folder, step.recommended.dockerfile)
    found = running.floor(building.client_of(of), of)
    study = floors.load(LAB_ENVIRONMENT).get(step.name, step.recommended.name, NATIVE)
    assert (found.answered, found.healthy) == ({"GET /": 200}, True)
    for size in ("transfer_bytes", "unpacked_tar_bytes", "file_bytes", "files"):
        assert LEAST < getattr(found, size) / getattr(study.floor, size) < 1 + SAME, size
    assert {one.name for one in study.untouched[:3]} <= set(found.untouched)
