"""pip, asked in a container, takes the very file that the study chooses from the index's page."""

import pytest

from measure.base.platforms import native_platform
from measure.run import probe
from measure.studies.wheels import asking
from measure.studies.wheels.model import TARGETS

pytestmark = pytest.mark.study
IMAGE = "python:3.14-slim"
#: With wheels for all, with none, with the stable ABI alone, with some.
NAMES = ("pyyaml", "psycopg2", "cryptography", "scikit-learn")


@pytest.mark.parametrize("target", TARGETS, ids="-".join)
def test_pip_takes_the_same_files(engine, target):
    engine.provide([IMAGE], [native_platform()])
    platforms = dict.fromkeys(tag.platform for tag in asking.accepted(*target) if tag.platform != "any")
    words = " ".join(f"--platform {name}" for name in platforms)
    pip = f"pip download -q --no-deps --only-binary :all: {words} -d /tmp/x"
    script = f"mkdir /tmp/x; for name in {' '.join(NAMES)}; do {pip} $name; done; cd /tmp/x; stat -c '%n %s' *"
    with probe.named_container(engine) as known_as:
        seen = engine.docker.run(IMAGE, ["sh", "-c", script], **known_as).splitlines()
    wheels = [row.answer(*target).wheel for row in asking.ask(list(NAMES))]
    assert sorted(seen) == sorted(f"{one.file} {one.bytes}" for one in wheels if one)
