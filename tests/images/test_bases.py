"""The lab's base images for another processor: made by the builder's own tools, with nothing of them left in it."""

import pytest

from lab import bases
from lab.config import Lab

SCRIPT = """
dpkg --print-architecture
uname -m
dpkg --audit
grep -rl /native/ /var/lib/dpkg/info
ls -d /lib64 /usr/lib/x86_64-linux-gnu /native 2>/dev/null
openssl verify -CApath /etc/ssl/certs /etc/ssl/certs/ISRG_Root_X1.pem
"""


@pytest.mark.arm64
@pytest.mark.parametrize("name", ["python:3.14-slim", "python:3.14"])
def test_a_base_for_arm64_has_nothing_of_the_builder_in_it(engine, docker, name):
    if engine.kind != "lab":
        pytest.skip("about how the lab makes its base images; run it with ENGINE=lab")
    bases.provide(Lab.from_environment(), [name], ["linux/arm64"])
    shown = docker("run", "--rm", "--platform", "linux/arm64", name, "sh", "-c", SCRIPT)
    assert shown.stdout.splitlines() == ["arm64", "aarch64", "/etc/ssl/certs/ISRG_Root_X1.pem: OK"]
