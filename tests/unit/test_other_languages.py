"""extra-other-languages as it is written: each language has the same variants, and Python's are those of the ladder."""

import re
from pathlib import PurePosixPath

import pytest

from measure.base import dockerfiles
from measure.base.platforms import PLATFORMS
from measure.steps.compose import RECOMMENDED, find_step
from measure.tell.languages import NAIVE, SMALLEST, by_language
from measure.tell.page import FUNCTIONS, Page
from measure.tell.reading import Records

STEP = find_step("extra-other-languages")
LANGUAGES = by_language(STEP)
GO, PYTHON = (STEP.folder / name for name in ("go", "python"))


def instructions(path) -> list[str]:
    return dockerfiles.read(path).instructions


def test_each_language_has_one_of_each_kind():
    assert {"python", "go"} <= {*LANGUAGES}
    for language, found in LANGUAGES.items():
        assert [*found] == [NAIVE, RECOMMENDED, SMALLEST], language
        files = [f"{NAIVE}.Dockerfile", "Dockerfile", f"{SMALLEST}.Dockerfile"]
        assert [variant.dockerfile.name for variant in found.values()] == files


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_to_be_copied_runs_as_a_number_and_asks_itself(language):
    for kind, variant in LANGUAGES[language].items():
        last = [line.split()[0] for line in variant.parsed.instructions]
        assert ("HEALTHCHECK" in last) == (kind != NAIVE)
        assert ("USER 10001" in variant.parsed.instructions) == (kind != NAIVE)


def test_pythons_dockerfiles_and_application_are_those_of_the_ladder():
    step_3, step_4 = (find_step(name).folder for name in ("step-3", "step-4"))
    assert instructions(PYTHON / "Dockerfile") == instructions(step_3 / "Dockerfile")
    wanted = [
        line.replace(" OPENBLAS_NUM_THREADS=1", "") for line in instructions(step_4 / "alpine-multistage.Dockerfile")
    ]
    assert instructions(PYTHON / "smallest.Dockerfile") == wanted
    for name in ("src/whichimage/__init__.py", "gunicorn.conf.py", "poetry.lock", "pyproject.toml", "requirements.txt"):
        assert (PYTHON / name).read_text().replace(STEP.name, "step-3-multistage") == (step_3 / name).read_text()


def functions(path) -> dict[str, str]:
    """The functions of a program of Go, by name."""
    return dict(re.findall(r"^func (\w+)\((.*?)^}", path.read_text(), re.DOTALL | re.MULTILINE))


def test_both_programs_of_go_stop_and_ask_themselves_alike():
    """Each is in a folder that can be copied, so what they share is written twice."""
    ours, theirs = functions(GO / "main.go"), functions(STEP.folder / "react/server/main.go")
    for name in ("main", "probe"):
        assert ours[name] == theirs[name]
    ends = [one["serve"][one["serve"].index("failed := ") :] for one in (ours, theirs)]
    assert ends[0] == ends[1]


def test_gos_broken_build_differs_in_its_tests_alone_and_the_solution_adds_a_stage():
    pairs = zip(instructions(GO / "Dockerfile"), instructions(GO / "broken.Dockerfile"), strict=True)
    assert [(a.partition(" go ")[2], b.partition(" go ")[2]) for a, b in pairs if a != b] == [
        ("test ./...", "test -tags broken ./...")
    ]
    smallest, solution = (instructions(GO / f"{name}.Dockerfile") for name in ("smallest", "solution"))
    added = ["FROM debian:trixie-slim AS debug", "COPY --from=builder /server /server", 'CMD ["/server"]']
    last = smallest.index("FROM scratch")
    assert solution == [*smallest[:last], *added, *smallest[last:]]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_gos_smallest_image_is_below_six_megabytes_and_has_the_program_alone(platform):
    page = Page(Records(), PurePosixPath("steps/extra-other-languages.md"))
    smallest, copied = (page.built(f"{STEP.name}/{name}", platform) for name in ("go-smallest", "go"))
    assert smallest.size.transfer_bytes < 6_000_000
    assert smallest.size.transfer_bytes < copied.size.transfer_bytes
    inside = smallest.contents
    assert (inside.has_shell, inside.has_compiler, inside.user) == (False, False, "10001")
    assert inside.files == 2, "the program, and whom it trusts"


def test_the_table_has_each_language():
    page = Page(Records(), PurePosixPath("steps/extra-other-languages.md"))
    head, _, *rows = (row.strip("| ").split(" | ") for row in FUNCTIONS["languages"](page, STEP.name).splitlines())
    names = [one.capitalize() for one in LANGUAGES]
    assert [row[0] for row in rows] == [
        label for one in names for label in (f"{one}, {NAIVE}", f"**{one}**", f"{one}, {SMALLEST}")
    ]
    assert {len(row) for row in rows} == {len(head), len(head) - 1}
