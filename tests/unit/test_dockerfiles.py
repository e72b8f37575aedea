from pathlib import Path

import pytest

from measure.base.dockerfiles import external_images
from measure.base.errors import Problem


def images(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "Dockerfile"
    path.write_text(text)
    return external_images(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM python:3.14-slim\n", ["python:3.14-slim"]),
        ("FROM --platform=$BUILDPLATFORM debian:trixie AS a\nFROM a\n", ["debian:trixie"]),
        ("ARG TAG=3.14\nFROM python:${TAG}-slim\n", ["python:3.14-slim"]),
        ("FROM scratch\nCOPY --from=python:3.14 /a /b\n", ["python:3.14"]),
        ("FROM a:1 AS builder\nFROM b:2\nCOPY --from=builder /x /x\nCOPY --from=0 /y /y\n", ["a:1", "b:2"]),
        ("FROM a:1\nRUN --mount=type=bind,from=c:3,target=/c ls\n", ["a:1", "c:3"]),
        ("FROM a:1 AS x-amd64\nARG TARGETARCH\nFROM x-${TARGETARCH}\n", ["a:1"]),
        ("FROM a:1 AS x-amd64\nFROM x-${TARGETARCH} AS final\nFROM scratch\nCOPY --from=final / /\n", ["a:1"]),
    ],
)
def test_images_that_a_dockerfile_needs(tmp_path, text, expected):
    assert images(tmp_path, text) == expected


def test_a_dockerfile_without_from_is_told(tmp_path):
    with pytest.raises(Problem, match="no FROM"):
        images(tmp_path, "RUN true\n")
