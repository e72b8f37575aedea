"""The same image from every checkout: what a user's umask does to files of a working copy does not get into it."""

import json
import os
import shutil
import tarfile
from pathlib import Path

import httpx
import pytest

from measure.run.probe import running, wait_for
from measure.run.step import provide_bases
from measure.steps.compose import Step, all_steps, find_step
from measure.steps.inputs import git_files
from tests.conftest import HARDENED, NATIVE, ON_BOTH

#: What most have, what keeps others out, and what keeps out everybody.
UMASKS = ("022", "027", "077")
#: `make test` has the first and the one whose Dockerfile the others follow; each checkout installs all packages anew.
EVERYBODYS = ("step-1-kiss", "step-3-multistage")
#: What is there to be copied: of each step, and of each language.
CASES = [
    pytest.param(step, variant, id=variant.service, marks=[] if variant.service in EVERYBODYS else pytest.mark.study)
    for step in all_steps()
    for variant in step.variants
    if variant.dockerfile.name == "Dockerfile"
]
Entry = tuple[str, int, int, int, str, int]


def checkout(step: Step, umask: str, folder: Path) -> Step:
    """A step's folder as a new clone has it under this umask."""
    copy = folder / f"umask-{umask}" / step.folder.name
    old = os.umask(int(umask, 8))
    try:
        for name in git_files(step.folder):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(step.folder / name, copy / name)
    finally:
        os.umask(old)
    return Step(step.name, copy)


def copied(layout: Path) -> dict[str, list[Entry]]:
    """What each COPY of an image's last stage brought, by its instruction: all that a layer has, but for times.

    Name, kind, mode, user, content's link or size: from the context alone, since other stages have their own times.
    """
    (index,) = json.loads((layout / "index.json").read_text())["manifests"]

    def blob(digest: str) -> Path:
        return layout / "blobs" / digest.replace(":", "/")

    manifest = json.loads(blob(index["digest"]).read_text())
    history = json.loads(blob(manifest["config"]["digest"]).read_text())["history"]
    made_by = [one["created_by"] for one in history if not one.get("empty_layer")]
    found = {}
    for words, layer in zip(made_by, manifest["layers"], strict=True):
        if words.startswith("COPY") and "/opt/venv" not in words:
            with tarfile.open(blob(layer["digest"])) as tar:
                found[words] = [
                    (one.name, one.mode, one.uid, one.gid, one.linkname, one.size) for one in tar.getmembers()
                ]
    return found


def exported(docker, context: Path, folder: Path) -> Path:
    """The image that a context's Dockerfile makes, as an OCI layout."""
    target = folder / "layout"
    built = docker("buildx", "build", "--quiet", "--output", f"type=oci,tar=false,dest={target}", str(context))
    assert built.returncode == 0, built.stderr
    return target


@pytest.mark.parametrize(("step", "variant"), CASES)
def test_what_is_copied_is_the_same_whatever_the_umask(engine, docker, tmp_path, step, variant):
    provide_bases(engine, [(variant, NATIVE)])
    found = {}
    for umask in UMASKS:
        other = checkout(step, umask, tmp_path).folder
        found[umask] = copied(exported(docker, other / variant.context.relative_to(step.folder), other.parent))
    assert all(words and len(entries) for words, entries in found["022"].items())
    assert len(found["022"]) >= 2
    for umask in UMASKS[1:]:
        assert found[umask] == found["022"], umask


@pytest.mark.parametrize("platform", **ON_BOTH)
@pytest.mark.parametrize("name", ["step-1", "step-3"])
def test_an_image_from_a_checkout_that_only_its_owner_can_read_serves(engine, docker, tmp_path, name, platform):
    """It built without a word before, and ended with PermissionError: /app/gunicorn.conf.py."""
    step = find_step(name)
    provide_bases(engine, [(step.recommended, platform)])
    strict = checkout(step, "077", tmp_path)
    tag = f"{step.name}:strict"
    built = docker("build", "--quiet", "--platform", platform, "--tag", tag, str(strict.folder))
    assert built.returncode == 0, built.stderr
    try:
        with running(engine, tag, step.recommended, platform, **HARDENED) as (_, url):
            assert wait_for(url, 120).json()["step"] == step.name
            assert httpx.get(f"{url}/health", trust_env=False).status_code == 200
    finally:
        docker("image", "rm", "--force", tag)
