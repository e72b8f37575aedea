"""extra-other-languages: what Java's and React's images save, what a browser keeps, what ends a build."""

import httpx
import pytest

from measure.base.names import LAB_ENVIRONMENT
from measure.base.platforms import PLATFORMS
from measure.record.records import load, record_path
from measure.run.probe import running, wait_for
from measure.steps.compose import find_step
from tests.conftest import HARDENED, NATIVE, changed, marks

STEP = find_step("extra-other-languages")
SERVED = [
    pytest.param(variant, marks=marks(variant, NATIVE), id=variant.name)
    for variant in map(STEP.variant, ("react", "react-smallest"))
]


@pytest.mark.parametrize("variant", SERVED)
def test_a_browser_keeps_assets_for_ever_and_asks_for_the_rest(engine, image, variant):
    """A page of the application's own is no file; an asset that is not there is no page."""
    with (
        running(engine, image(STEP, variant, NATIVE), variant, NATIVE, **HARDENED) as (_, url),
        httpx.Client(base_url=url, trust_env=False, timeout=60) as client,
    ):
        page = wait_for(url, 60).text
        start, other = client.get("/"), client.get("/some/where")
        asset = client.get("/assets/" + page.partition("/assets/")[2].partition('"')[0])
        missing = client.get("/assets/none.js")
    assert (start.status_code, other.status_code, other.text) == (200, 200, page)
    assert start.headers["cache-control"] == other.headers["cache-control"] == "no-cache"
    assert asset.status_code == 200 and "javascript" in asset.headers["content-type"]
    assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert missing.status_code == 404 and "cache-control" not in missing.headers


@pytest.mark.study
def test_a_test_that_fails_ends_javas_build(docker, folder):
    with changed(folder / "java/src/test/java/ServiceTest.java", "404 Not Found", "200 OK"):
        built = docker("build", "--progress", "plain", str(folder / "java"))
    assert built.returncode != 0
    assert "Tests run: 5, Failures: 1" in built.stderr


@pytest.mark.parametrize(
    ("name", "times"), [("java", 2.5), ("java-smallest", 2.5), ("react", 10), ("react-smallest", 10)]
)
def test_multi_stage_saves_what_the_page_promises(name, times):
    """On both platforms, in transfer, against the naive image of the same one."""
    for platform in PLATFORMS:
        naive, image = (
            load(record_path(LAB_ENVIRONMENT, STEP.name, variant, platform)).size.transfer_bytes
            for variant in (f"{name.partition('-')[0]}-naive", name)
        )
        assert naive / image > times
