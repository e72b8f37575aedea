"""Lines that each Dockerfile and each compose file has, and how long lines may be."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from measure.base.dockerfiles import Dockerfile, read
from measure.base.files import ROOT
from measure.steps.compose import all_steps

#: `--8<-- "FILE:FIRST:LAST"`, the last one where it is not the file's.
PART = re.compile(r'--8<-- "([^":]+):(\d+)(?::(\d+))?"')


def from_context(dockerfile: Dockerfile, target: str | None) -> list[str]:
    """The COPY instructions that bring files of the context into the image that is built, through its own stages."""
    by_stage: list[list[str]] = []
    for line in dockerfile.instructions:
        if line.startswith("FROM"):
            by_stage.append([])
        elif by_stage:
            by_stage[-1].append(line)
    names = [stage.name for stage in dockerfile.stages]
    number = names.index(target) if target else len(names) - 1
    ships = [number]
    while (image := dockerfile.stages[ships[-1]].image) in names:
        ships.append(names.index(image))
    return [line for one in ships for line in by_stage[one] if line.startswith("COPY") and "--from=" not in line]


@pytest.mark.parametrize("step", all_steps(), ids=lambda step: step.name)
def test_each_copy_into_an_image_sets_its_modes(step):
    """In octal, which BuildKit has taken from the beginning. Naive ones copy as everybody does, and are root."""
    for variant in step.variants:
        copies = from_context(variant.parsed, variant.target)
        assert copies or not variant.parsed.stages[-1].image.startswith("python"), "a compiled program is of a stage"
        if not variant.name.endswith("naive"):
            assert all("--chmod=755 " in line or "--chmod=644 " in line for line in copies), variant.name


def test_the_sites_build_sets_them_too():
    assert "COPY --chmod=755 . ." in read(ROOT / "docs/Dockerfile").instructions


def test_the_health_check_is_the_same_in_all_images_with_python():
    checks = {
        line
        for step in all_steps()
        for variant in step.variants
        for line in variant.parsed.instructions
        if line.startswith("HEALTHCHECK") and "gunicorn" in variant.parsed.instructions[-1]
    }
    assert len(checks) == 1
    every = [any(line in checks for line in step.recommended.parsed.instructions) for step in all_steps()]
    assert all(every), "each one to copy has it"


def test_the_health_check_whose_cost_is_measured_is_that_of_the_images():
    def line(dockerfile: str, word: str) -> str:
        (found,) = [line for line in read(ROOT / dockerfile).instructions if line.startswith(word)]
        return found

    check = line("step-3-multistage/Dockerfile", "HEALTHCHECK")
    command = line("folklore/curl/python.Dockerfile", "CMD")
    words, measured = json.loads(check.partition(" CMD ")[2]), json.loads(command.removeprefix("CMD "))
    assert measured == ["python", "/app.py", *words]


def test_each_service_of_gunicorn_has_the_time_to_finish():
    """More than gunicorn takes itself: its graceful_timeout is 30 seconds."""
    for step in all_steps():
        others = {one.service for one in step.variants if "gunicorn" not in one.parsed.instructions[-1]}
        for name, service in step._read()["services"].items():
            if "build" in service and name not in others:
                assert service.get("stop_grace_period") == "35s", name


def test_no_line_is_cut_off_on_a_page():
    """Dockerfiles, compose files and scripts are shown whole; a page has room for 88 characters."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    shown = re.compile(
        r"^(step-|extra-|folklore/|docs/|compose).*(Dockerfile|compose[^/]*\.yaml|\.dockerignore|\.sh|\.conf\.py)$"
    )
    files = [Path(name) for name in names if shown.match(name)]
    assert len(files) > 80
    long = [
        f"{path}:{n}"
        for path in files
        for n, line in enumerate((ROOT / path).read_text().splitlines(), 1)
        if len(line) > 88
    ]
    assert long == []


def test_a_part_of_a_file_that_a_page_shows_begins_and_ends_where_a_part_does():
    """Pages name such parts by their lines, and files change."""
    parts = [part for page in (ROOT / "docs").rglob("*.md") for part in PART.findall(page.read_text())]
    assert parts
    for name, first, last in parts:
        lines = ["", *(ROOT / name).read_text().splitlines(), ""]
        assert (lines[int(first) - 1], lines[int(last or -2) + 1]) == ("", ""), f"{name}:{first}:{last}"
        assert lines[int(first)] and lines[int(last or -2)]
