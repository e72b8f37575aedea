"""Weighing base images against the official ones: what the registry answers is read whichever shape it has."""

import pytest

from measure.studies.fidelity import comparing as fidelity

IMAGE = {"layers": [{"digest": "sha256:1", "size": 1}]}
OTHER = {"layers": [{"digest": "sha256:2", "size": 2}]}
INDEX = {
    "manifests": [
        {"digest": "sha256:other", "platform": {"architecture": "arm64"}},
        {"digest": "sha256:image", "platform": {"architecture": "amd64"}},
    ]
}


@pytest.mark.parametrize(
    "answers",
    [
        {"3.14-slim": INDEX, "sha256:image": IMAGE, "sha256:other": OTHER},
        {"3.14-slim": IMAGE},  # built for one platform alone: there is no index above the image
    ],
    ids=["index", "image"],
)
def test_a_base_is_found_under_its_index_or_by_itself(monkeypatch, answers):
    monkeypatch.setattr(fidelity, "_get", lambda _name, reference: answers[reference])
    assert fidelity._manifest("python:3.14-slim", "linux/amd64") == IMAGE
