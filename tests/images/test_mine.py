"""What a next step is said to save is what it saves: pairs of variants that differ by that step are the truth."""

import pytest

from measure.base import dockerfiles
from measure.build.images import build
from measure.build.layout import layout, layout_in_use
from measure.mine.archives import read_archive
from measure.mine.reporting import report_of
from measure.run.step import provide_bases
from measure.steps.compose import find_step
from tests.conftest import NATIVE

#: A variant, the one that does what is advised, and the steps that it does.
PAIRS = [
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


def told(engine, step, name):
    variant = step.variant(name)
    digest = build(engine, step, variant, NATIVE, lambda _: None).digest
    with layout_in_use():
        image, platform, _ = read_archive(layout(), digest.removeprefix("sha256:"), NATIVE)
    return report_of(image, platform, dockerfiles.read(variant.dockerfile), variant.target)


@pytest.mark.study
@pytest.mark.parametrize(("step", "before", "after", "names"), PAIRS, ids=[f"{one[0]}/{one[1]}" for one in PAIRS])
def test_a_step_saves_what_it_is_said_to_save(engine, step, before, after, names):
    step = find_step(step)
    provide_bases(engine, [(step.variant(name), NATIVE) for name in (before, after)])
    one, other = told(engine, step, before), told(engine, step, after)
    assert not any(line.changed or line.where.startswith("layer") for line in one.lines)
    steps = [found for found in one.next_steps if names is None or found.name in names]
    assert names is None or {found.name for found in steps} == names
    for size in ("transfer_bytes", "unpacked_tar_bytes"):
        saved = getattr(one.sizes, size) - getattr(other.sizes, size)
        assert sum(getattr(found, size) for found in steps) == pytest.approx(saved, rel=PART, abs=BYTES), size
