"""Containers are run and removed, whatever the engine does."""

from types import SimpleNamespace

import pytest
from python_on_whales.exceptions import DockerException

from measure.build.engine import STILLBORN
from measure.run import probe

VARIANT = SimpleNamespace(depends_on=[], environment={}, port=8000)


def an_engine(*failures: str) -> tuple[SimpleNamespace, list[str]]:
    """An engine whose first containers do not start, for these reasons, and what it was told to do."""
    left, told = list(failures), []

    def run(image, *, name, **_):
        told.append(f"run {name}")
        if left:
            raise DockerException(["docker", "run"], 125, stderr=left.pop(0).encode())
        published = {"8000/tcp": [{"HostPort": "4242"}]}
        return SimpleNamespace(network_settings=SimpleNamespace(ports=published))

    def remove(name, **_):
        told.append(f"remove {name}")

    return SimpleNamespace(docker=SimpleNamespace(run=run, remove=remove)), told


@pytest.mark.parametrize("failures", [1, 2])
def test_a_container_that_runc_lost_is_removed_and_run_again(failures):
    engine, told = an_engine(*[f"docker: runc create failed: {STILLBORN}: unknown."] * failures)
    begun = []
    with probe.running(engine, "image", VARIANT, "linux/amd64", when_run=lambda: begun.append(1)) as (_, url):
        assert url == "http://127.0.0.1:4242"
    assert len(begun) == failures + 1
    assert [words.split()[0] for words in told] == ["run", "remove"] * (failures + 1)
    assert len({words.split()[1] for words in told}) == 1


@pytest.mark.parametrize(("failures", "tries"), [([STILLBORN] * 3, 3), (["docker: no such image"], 1)])
def test_one_that_is_lost_each_time_or_fails_otherwise_is_an_error_and_leaves_nothing(failures, tries):
    engine, told = an_engine(*failures)
    with pytest.raises(DockerException), probe.running(engine, "image", VARIANT, "linux/amd64"):
        pass
    assert [words.split()[0] for words in told] == ["run", "remove"] * tries
