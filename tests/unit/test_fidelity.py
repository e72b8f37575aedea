"""Weighing base images against the official ones: what the registry and the record say is read, or told."""

from pathlib import PurePosixPath

import httpx
import pytest

import measure.pages  # noqa: F401
from measure.base.errors import Problem
from measure.base.units import megabytes
from measure.studies.fidelity import comparing, model
from measure.studies.fidelity.page import row, stand_ins
from measure.tell.page import Page
from measure.tell.reading import Records

IMAGE = {"layers": [{"digest": "sha256:1", "size": 1}]}
OTHER = {"layers": [{"digest": "sha256:2", "size": 2}]}
INDEX = {
    "manifests": [
        {"digest": "sha256:attestation"},
        {"digest": "sha256:other", "platform": {"architecture": "arm64"}},
        {"digest": "sha256:image", "platform": {"architecture": "amd64"}},
    ]
}


@pytest.fixture
def registry(monkeypatch):

    def answers(**by_reference) -> None:
        def get(url: str, **_) -> httpx.Response:
            found = by_reference[url.rpartition("/")[2]]
            if isinstance(found, Exception):
                raise found
            answer = httpx.Response(200, json=found) if isinstance(found, dict) else found
            answer.request = httpx.Request("GET", url)
            return answer

        monkeypatch.setattr(comparing.httpx, "get", get)
        monkeypatch.setattr(comparing.lab_engine, "registry", lambda: "registry")

    return answers


@pytest.mark.parametrize(
    "answers",
    [
        {"3.14-slim": INDEX, "sha256:image": IMAGE, "sha256:other": OTHER},
        {"3.14-slim": IMAGE},  # built for one platform alone: there is no index above the image
    ],
    ids=["index", "image"],
)
def test_a_base_is_found_under_its_index_or_by_itself(registry, monkeypatch, answers):
    registry(**answers)
    assert comparing.manifest("python:3.14-slim", "linux/amd64") == IMAGE


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (httpx.ConnectError("connection refused"), "refused"),
        (httpx.Response(404), "404"),
        (httpx.Response(200, text="<html>"), "Expecting value"),
        (httpx.Response(200, json=[]), "it answers"),
        ({"errors": []}, "it answers"),
        ({"manifests": []}, ""),
    ],
)
def test_an_answer_that_is_no_manifest_is_told(registry, answer, told):
    registry(**{"3.14-slim": answer})
    with pytest.raises(Problem, match="The lab's registry has no") as problem:
        comparing.manifest("python:3.14-slim", "linux/amd64")
    assert told in problem.value.why


def test_the_committed_comparison_loads_and_holds():
    found = model.complete()
    assert len(found.comparisons) == model.count("lab-amd64") > 0
    assert all(one.lab.file_bytes > one.lab.transfer_bytes for one in found.comparisons)


def test_base_images_are_shown_side_by_side_with_the_day_of_the_official_figure():
    show = Page(Records(), PurePosixPath("guide/reference.md"), {}).functions()["base_images"]
    slim, alpine = show("python:3.14-slim", "python:3.14-alpine").splitlines()[2:4]
    found = {(one.image, one.platform): one for one in model.load().comparisons}
    for line, name in ((slim, "python:3.14-slim"), (alpine, "python:3.14-alpine")):
        for platform in ("linux/amd64", "linux/arm64"):
            for sizes in (found[name, platform].official, found[name, platform].lab):
                assert f"[{megabytes(sizes.transfer_bytes).replace(' ', '&nbsp;')}]" in line
                assert f'"{sizes.transfer_bytes:,} bytes"' in line
    assert "| glibc | `sh` (dash), `bash` | 87 |" in slim
    assert "| musl | `sh` (busybox) | 29 |" in alpine
    assert (slim[-14:], alpine[-14:]) == ("| 2026-08-25 |", "| 2026-09-17 |")
    with pytest.raises(Problem, match="ubuntu is compared with no official image"):
        show("ubuntu")


def test_the_narrow_table_has_each_base_once_with_the_figures_of_the_whole_one():
    rows = stand_ins(Page(Records(), PurePosixPath("results/lab.md"))).splitlines()[2:]
    whole = [row(one) for one in model.load().comparisons if one.platform == "linux/amd64"]
    cells = [[cell.strip(" `").replace("&nbsp;", " ") for cell in line.strip("|").split("|")] for line in rows]
    assert cells == [[one[0], *one[2:5]] for one in whole]
