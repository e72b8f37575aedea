"""Build dependencies, verified: what is taken off a row, what is proved again, and what is no evidence."""

import subprocess
from datetime import UTC, datetime
from pathlib import PurePosixPath
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

import measure.pages  # noqa: F401
from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.build.images import BuildError
from measure.record import records
from measure.record.records import BaseImage, Failure, Provenance
from measure.studies.recipes import model, proving
from measure.studies.recipes.model import Built, Cost, Recipe, RecipeRecord, RecipeTable, listed, load, why_stale
from measure.studies.recipes.proving import measure_recipes, minimised, mishap, telling
from measure.studies.wheels import model as wheels
from measure.studies.wheels.model import WheelTable
from measure.tell.page import Page
from measure.tell.reading import Records
from tests.unit.test_wheels import package

BUILT = Built(
    file="one-1.0-cp314-cp314-linux_x86_64.whl", bytes=1000, seconds=6.5, load_before=0.5,
    build_cost=Cost(transfer_bytes=73_000_000, unpacked_tar_bytes=197_000_000),
    run_cost=Cost(transfer_bytes=400_000, unpacked_tar_bytes=900_000),
)  # fmt: skip


def recipe(**changes) -> Recipe:
    usual = {"package": "one", "version": "1.0", "build": ["gcc", "a-dev", "b-dev"], "run": ["a", "b"]}
    return Recipe(**{**usual, "proof": "import one", **changes})


def failure(line: str, instruction: str = "[build 3/3] RUN pip wheel") -> BuildError:
    """A build whose second instruction failed and printed a line."""
    log = ["#4 [build 1/3] FROM", "#4 DONE 0.1s", f"#5 {instruction}", f"#5 0.4 {line}"]
    return BuildError(1, [*log, f'#5 ERROR: process "{instruction}" did not complete successfully: exit code: 1'])


class Fake:
    """Builds in no time; fails when a package that is needed is missing."""

    def __init__(self, build: set[str], run: set[str], most: int = 99) -> None:
        self.needed = {"build": build, "run": run}
        self.done: list[str] = []
        self.most = most

    def attempt(self, recipe: Recipe) -> None:
        if len(self.done) >= self.most:
            raise KeyboardInterrupt
        self.done.append(f"{' '.join(recipe.build)} / {' '.join(recipe.run)}")
        for kind, names in self.needed.items():
            if missing := sorted(names - {*getattr(recipe, kind)}):
                raise failure(f"fatal error: {missing[0]}.h: No such file or directory")

    def measure(self, recipe: Recipe) -> Built:
        self.attempt(recipe)
        return BUILT


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Records go to an empty folder, and two recipes are listed. Returns how to list others."""
    monkeypatch.setattr(records, "RESULTS", tmp_path)

    def rows(*some: Recipe) -> None:
        monkeypatch.setattr(model, "listed", lambda: list(some))

    rows(recipe(), recipe(package="two"))
    return rows


BASE = model.base_recipes("lab-amd64")(model.IMAGE)
WHERE = Provenance(
    bases=[BaseImage(name=model.IMAGE, origin="lab")], execution="native", engine="26.1.5", buildx="v0.13.1",
    builder_driver="docker", index_cache=True, command="make recipes", measured_at=datetime(2026, 11, 20, tzinfo=UTC),
)  # fmt: skip


@pytest.fixture
def run(place, monkeypatch):
    """Proves recipes with a fake builder, as `make recipes` does."""
    monkeypatch.setattr(proving, "provenance", lambda *_: WHERE)
    for name in ("check_disk", "save_environment", "describe", "tidy"):
        monkeypatch.setattr(proving, name, lambda *_: None)
    engine = SimpleNamespace(environment="lab-amd64", recipe=lambda _: BASE, provide=lambda *_: None)

    def run(builds: Fake, *names: str) -> Fake:
        monkeypatch.setattr(proving, "EngineBuilder", lambda *_: builds)
        measure_recipes(engine, list(names))
        return builds

    return run


def record(of: Recipe, **changes) -> RecipeRecord:
    """The record of a recipe that was proved."""
    usual = {"recipe": of, "inputs_sha256": of.inputs_sha256(BASE), "platform": "linux/amd64"}
    return RecipeRecord(**{**usual, "outcome": "proved", "built": BUILT, "provenance": WHERE, **changes})


def recorded(*some: RecipeRecord) -> None:
    path = model.record_path("lab-amd64")
    path.parent.mkdir(exist_ok=True)
    path.write_text(records.as_json(RecipeTable(recipes=list(some))))


def outcomes() -> dict[str, str]:
    return {one.recipe.package: one.outcome for one in load("lab-amd64").recipes}


def findings() -> list[tuple[str, str]]:
    return [(one.state, one.why.partition(":")[0]) for one in model.findings("lab-amd64")]


ALL = ({"gcc", "a-dev", "b-dev"}, {"a", "b"})


# Minimal lists


def test_every_package_is_left_out_in_turn():
    builds = Fake(*ALL)
    needed, built, left_out = minimised(recipe(), builds)
    assert (needed, built) == (recipe(), BUILT)
    assert [one.package for one in left_out] == ["gcc", "a-dev", "b-dev", "a", "b"]
    assert left_out[1].line == "fatal error: a-dev.h: No such file or directory"
    assert builds.done == [
        "gcc a-dev b-dev / a b", "gcc a-dev / a b", "gcc b-dev / a b", "a-dev b-dev / a b",
        "gcc a-dev b-dev / a", "gcc a-dev b-dev / b",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "needs", "expected"),
    [
        (recipe(), ({"gcc", "b-dev"}, {"b"}), "gcc b-dev / b"),
        (recipe(), ({"gcc", "either"}, {"a", "b"}), "gcc a-dev / a b"),  # of two that do the same, the first stays
        (recipe(minimise=False), ({"gcc"}, {"a"}), "gcc a-dev b-dev / a"),  # a long build
    ],
)
def test_what_nothing_needs_is_found(row, needs, expected):
    class Either(Fake):
        def attempt(self, recipe):
            if {"a-dev", "b-dev"} & {*recipe.build}:
                recipe = recipe.model_copy(update={"build": [*recipe.build, "either"]})
            super().attempt(recipe)

    needed, _, left_out = minimised(row, Either(*needs))
    assert f"{' '.join(needed.build)} / {' '.join(needed.run)}" == expected
    left = {one.package for one in left_out}
    assert left == {*needed.run, *(needed.build if row.minimise else ())}


# What is recorded


def test_only_what_has_no_record_that_holds_is_proved(run, place):
    run(Fake(*ALL))
    assert outcomes() == {"one": "proved", "two": "proved"}
    assert (findings(), model.count("lab-amd64")) == ([], 2)
    before = model.record_path("lab-amd64").read_bytes()
    assert run(Fake(*ALL)).done == []
    assert model.record_path("lab-amd64").read_bytes() == before
    assert len(run(Fake(*ALL), "Two").done) == 6  # by its name it is proved again
    with pytest.raises(Problem, match="no recipe for three") as problem:
        run(Fake(*ALL), "three")
    assert "one, two" in problem.value.why
    place(recipe(), recipe(package="two", version="1.1"))
    assert len(run(Fake(*ALL)).done) == 6
    assert load("lab-amd64").recipe("two").recipe.version == "1.1"


def test_a_superfluous_package_is_told_and_nothing_is_recorded_until_it_is_taken_off_the_row(run, place):
    needs = ({"gcc", "b-dev"}, {"a"})
    with pytest.raises(Problem, match="2 of 2 rows") as problem:
        run(Fake(*needs))
    lists = "lists a-dev, b, and nothing fails without."
    assert problem.value.why == f"one {lists}\ntwo {lists}"
    assert outcomes() == {}
    place(*(recipe(package=name, build=["gcc", "b-dev"], run=["a"]) for name in ("one", "two")))
    run(Fake(*needs))
    assert findings() == []


def test_a_stopped_run_keeps_what_it_has(run):
    with pytest.raises(KeyboardInterrupt):
        run(Fake(*ALL, most=8))
    assert outcomes() == {"one": "proved"}
    assert len(run(Fake(*ALL)).done) == 6
    assert outcomes() == {"one": "proved", "two": "proved"}


def test_a_failure_is_told_and_the_others_go_on_and_one_that_is_foretold_is_recorded(run, place):
    class OneFails(Fake):
        def attempt(self, recipe):
            super().attempt(recipe)
            if recipe.package == "one":
                raise failure("error: cannot download from host: index.example.net")

    with pytest.raises(Problem, match="1 of 2 rows are not proved") as problem:
        run(OneFails(*ALL))
    assert problem.value.why == "one is not proved. error: cannot download from host: …"
    assert (outcomes(), findings()) == ({"two": "proved"}, [("missing", "one")])
    blocked = recipe(blocked="cannot download")
    place(blocked, recipe(package="two"))
    run(OneFails(*ALL))
    assert outcomes() == {"one": "blocked", "two": "proved"}
    assert load("lab-amd64").recipe("one").failure.line == "error: cannot download from host: …"
    assert findings() == []
    run(Fake(*ALL), "one")  # what is blocked elsewhere may be proved here
    assert outcomes()["one"] == "proved"
    with pytest.raises(Problem, match="not proved"):  # and a failure does not replace that
        run(Fake({"gone"}, set()), "one")
    assert outcomes()["one"] == "proved"


def test_a_row_that_is_listed_no_more_is_orphaned_and_goes(run, place):
    run(Fake(*ALL))
    place(recipe(package="two"), recipe(package="new"))
    assert findings() == [("missing", "new"), ("orphaned", "one")]
    run(Fake(*ALL))
    assert list(outcomes()) == ["two", "new"]
    place(recipe(package="new"))
    assert run(Fake(set(), set())).done == []
    assert list(outcomes()) == ["new"]


@pytest.mark.parametrize(
    ("changes", "base", "why"),
    [
        ({}, BASE, ""),
        ({}, "another", "the recipe of python:3.14-slim changed, or the form of the Dockerfile"),
        ({"version": "2.0"}, BASE, "version of the recipe changed"),
        ({"proof": "import two", "environment": {"A": "1"}}, BASE, "proof and environment of the recipe changed"),
    ],
)
def test_what_changed_is_told(changes, base, why):
    assert why_stale(record(recipe()), recipe(**changes), base) == why


# What is evidence


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (failure("E: Unable to locate package a-dev", "[build 2/3] RUN apt-get update"), "apt-get cannot install"),
        (failure("WARNING: Retrying (Retry(total=4)) after connection"), "index did not answer"),
        (failure("ERROR: No matching distribution found for one==9"), "index did not answer"),
        (BuildError(1, ["ERROR: failed to solve"]), "does not build"),
        (failure("fatal error: a.h"), None),
    ],
)
def test_a_failure_of_apt_the_index_or_the_builder_says_nothing_of_a_package(error, told):
    problem = mishap(error, recipe())
    assert told in problem.what if told else problem is None


@pytest.mark.parametrize(
    ("lines", "index"),
    [
        (["error: subprocess-exited-with-error", "a.c:1:10: fatal error: a.h: No such file", "error: it failed"], 1),
        (["checking for x... not found", "/usr/bin/ld: cannot find -lz: No such file"], 1),
        (["gcc -Werror=x", "Error: pg_config executable not found.", "ERROR: Failed to build 'x'"], 1),
        (["Traceback", "ImportError: libpq.so.5: cannot open"], 1),
        (["error: [Errno 2] No such file or directory: 'gcc'"], 0),
    ],
)
def test_the_line_that_tells_is_found(lines, index):
    head = ["#7 [build 3/3] RUN pip wheel", *(f"#7 1.5       {line}" for line in lines)]
    assert telling(BuildError(1, [*head, "#7 ERROR: process did not complete successfully"])) == lines[index]
    error = failure("error: fetching https://index.example.net/a failed, Could not resolve host: index.example.net")
    assert telling(error) == "error: fetching https://…/a failed, Could not resolve host: …"


# The data file, the Dockerfile, the page


@pytest.mark.parametrize("wrong", ["[[recipe]", "", '[[recipe]]\npackage = "a"', "recipe = 1", "twice", "\xff"])
def test_a_data_file_that_is_wrong_is_told(tmp_path, monkeypatch, wrong):
    rows = (ROOT / "measure/studies/recipes/recipes.toml").read_text()
    monkeypatch.setattr(model, "LIST", tmp_path / "recipes.toml")
    model.LIST.write_bytes((rows + rows if wrong == "twice" else wrong).encode("latin-1"))
    with pytest.raises(Problem, match=r"recipes\.toml"):
        listed()


def test_a_proof_is_one_line_and_a_record_is_of_one_outcome():
    with pytest.raises(ValidationError, match="one line"):
        recipe(proof="import a\nimport b")
    for changes in ({"built": None}, {"outcome": "blocked", "failure": Failure(exit_code=1, line="x")}):
        with pytest.raises(ValidationError, match="what is proved has a wheel"):
            record(recipe(), **changes)


def test_a_recipe_with_nothing_to_run_has_no_second_apt_get():
    text = recipe(run=[], environment={"A": 'b"c'}, config={"setup-args": "-Dx=a b"}).dockerfile
    assert text.count("apt-get install") == 1
    assert 'ENV A="b\\"c"\n' in text
    assert " --config-settings='setup-args=-Dx=a b' " in text
    assert text.index("ENV A") < text.index("pip wheel")


@pytest.mark.parametrize("row", listed(), ids=lambda row: row.package)
def test_the_dockerfiles_are_clean_and_the_proofs_compile(row):
    compile(row.proof, row.package, "exec")
    seen = subprocess.run(
        [ROOT / ".venv/bin/hadolint", "-"], input=row.dockerfile, text=True, capture_output=True, cwd=ROOT
    )
    assert seen.stdout == ""


def test_every_recipe_is_of_the_version_that_wheels_today_asked_about():
    for row in listed():
        assert wheels.load().package(row.package).latest == row.version, row.package


def test_the_page_shows_lists_costs_and_errors(place, monkeypatch):
    long = {"minimise": False, "environment": {"CXX": "g++"}}
    place(recipe(), recipe(package="two", run=[], **long), recipe(package="three", blocked="no net"))
    left_out = [{"kind": "build", "package": "gcc", "line": "error: 'gcc' | not found"}]
    blocked = {"outcome": "blocked", "built": None, "failure": Failure(exit_code=1, line="no net")}
    free = BUILT.model_copy(update={"run_cost": Cost()})
    one, two, three = model.listed()
    recorded(record(one, left_out=left_out), record(two, built=free), record(three, **blocked))
    asked = [package("one"), package("two", ("2.0", None, None, None)), package("three", (None,) * 4)]
    monkeypatch.setattr("measure.studies.wheels.page.complete", lambda: WheelTable(packages=asked))
    page = Page(Records(), PurePosixPath("results/recipes.md"), {}).functions()
    rows = [line for line in page["recipes"]().splitlines() if line.startswith("| `")]
    assert rows[0].startswith("| `one` 1.0 | `gcc a-dev b-dev` | <span ")
    assert 'title="73,000,000 bytes; unpacked 197,000,000 bytes">73.0&nbsp;MB</span>' in rows[0]
    assert rows[0].endswith("| yes |")
    assert "`gcc a-dev b-dev` (listed, not minimised), with `CXX=g++` |" in rows[1]
    assert "| nothing |  |" in rows[1]
    assert rows[1].endswith("| on x86_64 alone |")
    assert rows[2].endswith("| `gcc a-dev b-dev` |  | blocked |  |  | no |")
    assert "| `one` | build | `gcc` | `error: 'gcc' \\| not found` |" in page["recipe_errors"]()
    assert "| `three` | build | nothing: it is blocked | `no net` |" in page["recipe_errors"]()
    assert page["left_out"]("one").splitlines()[2:] == ["| `gcc` | building | `error: 'gcc' \\| not found` |"]
    assert page["recipe_dockerfile"]("one") == f"``` dockerfile\n{one.dockerfile}```"
    with pytest.raises(Problem, match="no proved recipe"):
        page["recipe_dockerfile"]("three")


def test_the_page_refuses_recipes_that_do_not_hold(place):
    recorded(record(recipe(version="0.9")))
    page = Page(Records(), PurePosixPath("results/recipes.md"), {}).functions()
    with pytest.raises(Problem, match="stale") as problem:
        page["recipes"]()
    assert "two: not proved yet" in problem.value.why
