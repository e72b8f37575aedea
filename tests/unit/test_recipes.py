"""Build dependencies, verified: what is taken off a row, what is proved again, and what is no evidence."""

import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import PurePosixPath

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

import measure.pages  # noqa: F401
from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.build.images import BuildError
from measure.record import records
from measure.record.records import BaseImage, Failure, Provenance
from measure.studies.recipes import model as recipes_model
from measure.studies.recipes import proving as recipes
from measure.studies.recipes.model import Built, Cost, Recipe, RecipeRecord, RecipeTable
from measure.studies.recipes.proving import (
    Journal,
    listed,
    load,
    measure_recipes,
    minimised,
    mishap,
    seconds_of,
    telling,
    why_stale,
)
from measure.studies.wheels import asking as wheels
from measure.studies.wheels.model import WheelTable
from measure.tell.page import Page
from measure.tell.reading import Records
from tests.unit.test_wheels import package

BUILT = Built(
    file="one-1.0-cp314-cp314-linux_x86_64.whl",
    bytes=1000,
    seconds=6.5,
    load_before=0.5,
    build_cost=Cost(transfer_bytes=73_000_000, unpacked_tar_bytes=197_000_000),
    run_cost=Cost(transfer_bytes=400_000, unpacked_tar_bytes=900_000),
)


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
def journal(tmp_path) -> Journal:
    return Journal(tmp_path / "journal.json", None)


def as_toml(value) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {json.dumps(one)}" for key, one in value.items()) + "}"
    return json.dumps(value)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Records and the journal go to an empty folder, and two recipes are listed. Returns how to list others."""
    monkeypatch.setattr(records, "RESULTS", tmp_path)
    monkeypatch.setattr(recipes_model, "LIST", tmp_path / "recipes.toml")
    monkeypatch.setattr(recipes, "cache_folder", lambda: tmp_path)

    def rows(*some: Recipe) -> None:
        text = "".join(
            "[[recipe]]\n" + "".join(f"{key} = {as_toml(value)}\n" for key, value in row.model_dump().items()
                                     if value not in (None, {}))
            for row in some
        )  # fmt: skip
        recipes_model.LIST.write_text(text)

    rows(recipe(), recipe(package="two"))
    return rows


class Engine:
    """An engine of which nothing but its name is asked."""

    environment = "lab-amd64"

    @staticmethod
    def recipe(_name: str) -> str | None:
        return records_recipe()

    @staticmethod
    def provide(_names: list[str], _platforms: list[str]) -> None:
        """Nothing is to be provided."""


def records_recipe() -> str | None:
    return recipes_model.recipes("lab-amd64")(recipes.IMAGE)


@pytest.fixture
def run(place, monkeypatch):
    """Proves recipes with a fake builder, as `make recipes` does."""
    where = Provenance(
        bases=[BaseImage(name=recipes.IMAGE, origin="lab")],
        execution="native",
        engine="26.1.5",
        buildx="v0.13.1",
        builder_driver="docker",
        index_cache=True,
        command="make recipes",
        measured_at=datetime(2026, 11, 20, tzinfo=UTC),
    )
    monkeypatch.setattr(recipes, "provenance", lambda *_: where)
    for name in ("check_disk", "save_environment", "describe"):
        monkeypatch.setattr(recipes, name, lambda *_: None)
    monkeypatch.setattr(recipes, "tidy", lambda: None)

    def run(builds: Fake, *names: str) -> Fake:
        monkeypatch.setattr(recipes, "EngineBuilder", lambda *_: builds)
        measure_recipes(Engine, list(names))
        return builds

    return run


def record(of: Recipe, **changes) -> RecipeRecord:
    """The record of a recipe that was proved."""
    where = Provenance(
        bases=[], execution="native", engine="1", buildx="1", builder_driver="docker", index_cache=False,
        command="make recipes", measured_at=datetime(2026, 11, 20, tzinfo=UTC),
    )  # fmt: skip
    usual = {"recipe": of, "inputs_sha256": of.inputs_sha256(records_recipe()), "platform": "linux/amd64"}
    usual |= {"outcome": "proved", "built": BUILT, "provenance": where}
    return RecipeRecord(**{**usual, **changes})


def recorded(*some: RecipeRecord) -> None:
    path = recipes_model.record_path("lab-amd64")
    path.parent.mkdir(exist_ok=True)
    path.write_text(records.as_json(RecipeTable(recipes=list(some))))


def outcomes() -> dict[str, str]:
    return {one.recipe.package: one.outcome for one in load("lab-amd64").recipes}


# Minimal lists


def test_every_package_is_left_out_in_turn(journal):
    builds = Fake({"gcc", "a-dev", "b-dev"}, {"a", "b"})
    needed, built, left_out = minimised(recipe(), builds, journal)
    assert needed == recipe()
    assert built == BUILT
    assert builds.done == [
        "gcc a-dev b-dev / a b", "gcc a-dev / a b", "gcc b-dev / a b", "a-dev b-dev / a b",
        "gcc a-dev b-dev / a", "gcc a-dev b-dev / b",
    ]  # fmt: skip
    assert [(one.kind, one.package) for one in left_out] == [
        ("build", "gcc"), ("build", "a-dev"), ("build", "b-dev"), ("run", "a"), ("run", "b"),
    ]  # fmt: skip
    assert left_out[1].line == "fatal error: a-dev.h: No such file or directory"


def test_what_nothing_needs_is_taken_off_and_all_is_proved_without_it(journal):
    """What is told then is what a proof of the shorter row tells."""
    builds = Fake({"gcc", "b-dev"}, {"b"})
    found = minimised(recipe(), builds, journal)
    needed, _, left_out = found
    assert (needed.build, needed.run) == (["gcc", "b-dev"], ["b"])
    assert [one.package for one in left_out] == ["gcc", "b-dev", "b"]
    assert {"gcc b-dev / b", "b-dev / b", "gcc / b", "gcc b-dev / "} <= {*builds.done}
    fresh = Journal(journal.path.with_name("other.json"), None)
    assert minimised(needed, Fake({"gcc", "b-dev"}, {"b"}), fresh) == found


def test_of_two_that_do_the_same_the_first_stays(journal):
    class Either(Fake):
        def attempt(self, recipe):
            super().attempt(recipe)
            if not {"a-dev", "b-dev"} & {*recipe.build}:
                raise failure("fatal error: x.h")

    needed, _, left_out = minimised(recipe(), Either({"gcc"}, {"a", "b"}), journal)
    assert needed.build == ["gcc", "a-dev"]
    assert [one.package for one in left_out if one.kind == "build"] == ["gcc", "a-dev"]


def test_a_long_build_is_not_minimised_but_what_it_needs_to_run_is(journal):
    builds = Fake({"gcc"}, {"a"})
    needed, _, left_out = minimised(recipe(minimise=False), builds, journal)
    assert (needed.build, needed.run) == (["gcc", "a-dev", "b-dev"], ["a"])
    assert [one.package for one in left_out] == ["a"]


def test_a_run_that_was_stopped_goes_on_where_it_was(journal):
    needs = ({"gcc", "a-dev"}, {"a"})
    whole = Fake(*needs)
    expected = minimised(recipe(), whole, Journal(journal.path.with_name("other.json"), None))
    first = Fake(*needs, most=3)
    with pytest.raises(KeyboardInterrupt):
        minimised(recipe(), first, journal)
    second = Fake(*needs)
    assert minimised(recipe(), second, journal) == expected
    assert first.done + second.done == whole.done


def test_another_base_image_starts_from_the_beginning(journal):
    minimised(recipe(), Fake(set(), set()), journal)
    again = Fake(set(), set())
    minimised(recipe(), again, Journal(journal.path, "another"))
    assert again.done


# What is recorded


def test_only_what_has_no_record_that_holds_is_proved(run, place):
    needs = ({"gcc", "a-dev", "b-dev"}, {"a", "b"})
    run(Fake(*needs))
    assert outcomes() == {"one": "proved", "two": "proved"}
    assert recipes_model.findings("lab-amd64") == []
    before = recipes_model.record_path("lab-amd64").read_bytes()
    assert run(Fake(*needs)).done == []
    assert recipes_model.record_path("lab-amd64").read_bytes() == before
    place(recipe(), recipe(package="two", version="1.1"))
    assert len(run(Fake(*needs)).done) == 6
    assert load("lab-amd64").recipe("two").recipe.version == "1.1"


def test_a_named_recipe_is_proved_again_from_the_beginning(run):
    needs = ({"gcc", "a-dev", "b-dev"}, {"a", "b"})
    run(Fake(*needs))
    assert len(run(Fake(*needs), "Two").done) == 6
    with pytest.raises(Problem, match="no recipe for three") as problem:
        run(Fake(*needs), "three")
    assert "one, two" in problem.value.why


def test_a_superfluous_package_fails_until_it_is_taken_off_the_row_and_then_nothing_is_built(run, place):
    needs = ({"gcc", "b-dev"}, {"a"})
    with pytest.raises(Problem, match="nothing needs") as problem:
        run(Fake(*needs))
    assert problem.value.why == "one: a-dev, b\ntwo: a-dev, b"
    assert load("lab-amd64").recipe("one").recipe.build == ["gcc", "b-dev"]
    assert [(f.state, f.why.split(": ")[1]) for f in recipes_model.findings("lab-amd64")] == [
        ("stale", f"{recipes_model.LIST} lists a-dev, b, and nothing fails without")
    ] * 2
    builds = Fake(*needs)
    with pytest.raises(Problem, match="nothing needs"):
        run(builds)
    assert builds.done == []
    place(*(recipe(package=name, build=["gcc", "b-dev"], run=["a"]) for name in ("one", "two")))
    assert recipes_model.findings("lab-amd64") == []
    assert run(Fake(*needs)).done == []


def test_a_stopped_run_keeps_what_it_has(run):
    needs = ({"gcc", "a-dev", "b-dev"}, {"a", "b"})
    with pytest.raises(KeyboardInterrupt):
        run(Fake(*needs, most=8))
    assert outcomes() == {"one": "proved"}
    assert len(run(Fake(*needs)).done) == 4
    assert outcomes() == {"one": "proved", "two": "proved"}


def test_a_failure_is_told_and_recorded_and_the_others_go_on(run, place):
    class OneFails(Fake):
        def attempt(self, recipe):
            super().attempt(recipe)
            if recipe.package == "one":
                raise failure("error: cannot download from host: index.example.net")

    with pytest.raises(Problem, match="Not proved: one"):
        run(OneFails({"gcc", "a-dev", "b-dev"}, {"a", "b"}))
    assert outcomes() == {"one": "failed", "two": "proved"}
    (finding,) = recipes_model.findings("lab-amd64")
    assert (finding.state, finding.command) == ("stale", "make recipes NAME=one")
    assert "example" not in recipes_model.record_path("lab-amd64").read_text()
    place(recipe(blocked="cannot download"), recipe(package="two"))
    run(OneFails({"gcc", "a-dev", "b-dev"}, {"a", "b"}))
    assert outcomes() == {"one": "blocked", "two": "proved"}
    assert load("lab-amd64").recipe("one").failure.line == "error: cannot download from host: …"
    assert recipes_model.findings("lab-amd64") == []


def test_a_row_that_is_blocked_elsewhere_may_be_proved_here(run, place):
    place(recipe(blocked="cannot download"))
    run(Fake({"gcc", "a-dev", "b-dev"}, {"a", "b"}))
    assert outcomes() == {"one": "proved"}


def test_a_failure_does_not_replace_a_proof_of_the_same(run):
    run(Fake({"gcc", "a-dev", "b-dev"}, {"a", "b"}))
    with pytest.raises(Problem, match="Not proved: one"):
        run(Fake({"gone"}, set()), "one")
    assert outcomes()["one"] == "proved"


def test_a_row_that_is_listed_no_more_is_orphaned_and_goes(run, place):
    run(Fake({"gcc", "a-dev", "b-dev"}, {"a", "b"}))
    place(recipe(package="two"), recipe(package="new"))
    assert {(f.state, f.why.split(":")[0]) for f in recipes_model.findings("lab-amd64")} == {
        ("missing", "new"), ("orphaned", "one"),
    }  # fmt: skip
    run(Fake({"gcc", "a-dev", "b-dev"}, {"a", "b"}))
    assert list(outcomes()) == ["two", "new"]
    place(recipe(package="new"))
    assert run(Fake(set(), set())).done == []
    assert list(outcomes()) == ["new"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"version": "2.0"}, "version of the recipe changed"),
        ({"build": ["gcc"]}, "build of the recipe changed"),
        ({"proof": "import two", "environment": {"A": "1"}}, "proof and environment of the recipe changed"),
        ({"blocked": "x"}, "blocked of the recipe changed"),
    ],
)
def test_what_changed_is_told(changes, why):
    assert why_stale(record(recipe()), recipe(**changes), records_recipe()) == why


def test_another_recipe_of_the_base_image_makes_it_stale():
    assert why_stale(record(recipe()), recipe(), records_recipe()) == ""
    assert "the recipe of python:3.14-slim changed" in why_stale(record(recipe()), recipe(), "another")


# What is evidence


@pytest.mark.parametrize(
    ("instruction", "line", "told"),
    [
        ("[build 2/3] RUN apt-get update", "E: Unable to locate package a-dev", "apt-get cannot install"),
        ("[build 3/3] RUN pip wheel", "WARNING: Retrying (Retry(total=4)) after connection", "index did not answer"),
        ("[build 3/3] RUN pip wheel", "ERROR: No matching distribution found for one==9", "index did not answer"),
    ],
)
def test_a_failure_of_apt_or_of_the_index_says_nothing_of_a_package(instruction, line, told):
    problem = mishap(failure(line, instruction), recipe())
    assert told in problem.what
    assert line in problem.why


def test_a_builder_that_refuses_says_nothing_of_a_package():
    assert "does not build" in mishap(BuildError(1, ["ERROR: failed to solve"]), recipe()).what
    assert mishap(failure("fatal error: a.h"), recipe()) is None


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


def test_the_line_that_tells_names_no_host():
    error = failure("error: fetching https://index.example.net/a failed, Could not resolve host: index.example.net")
    assert telling(error) == "error: fetching https://…/a failed, Could not resolve host: …"


def test_the_seconds_are_those_of_the_instruction():
    log = ["#5 [build 2/3] RUN apt-get", "#6 [build 3/3] RUN pip wheel x", "#5 DONE 9.0s", "#6 0.5 Collecting"]
    log += ["#6 DONE 6.8s"]
    assert seconds_of(log, "RUN pip wheel") == 6.8
    with pytest.raises(ValueError, match="did not run"):
        seconds_of(["#6 [build 3/3] RUN pip wheel x", "#6 CACHED"], "RUN pip wheel")


# The data file, the Dockerfile, the page


@pytest.mark.parametrize("wrong", ["[[recipe]", "", '[[recipe]]\npackage = "a"', "same"])
def test_a_data_file_that_is_wrong_is_told(place, wrong):
    if wrong == "same":
        place(recipe(), recipe())
    else:
        recipes_model.LIST.write_text(wrong)
    with pytest.raises(Problem, match=r"recipes\.toml"):
        listed()


def test_a_proof_is_one_line_and_a_record_is_of_one_outcome():
    with pytest.raises(ValidationError, match="one line"):
        recipe(proof="import a\nimport b")
    with pytest.raises(ValidationError, match="what is proved has a wheel"):
        record(recipe(), built=None)
    with pytest.raises(ValidationError, match="what is proved has a wheel"):
        record(recipe(), outcome="failed", failure=Failure(exit_code=1, line="x"))


def test_a_file_that_is_no_table_is_told(place):
    recorded()
    recipes_model.record_path("lab-amd64").write_text('{"schema_version": 0}')
    with pytest.raises(Problem, match="not valid"):
        load("lab-amd64")


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
    one, two, three = listed()
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
    assert page["recipe_dockerfile"]("one") == f"``` dockerfile\n{one.dockerfile}```"
    with pytest.raises(Problem, match="no proved recipe"):
        page["recipe_dockerfile"]("three")


def test_the_page_refuses_recipes_that_do_not_hold(place):
    recorded(record(recipe(version="0.9")))
    page = Page(Records(), PurePosixPath("results/recipes.md"), {}).functions()
    with pytest.raises(Problem, match="stale") as problem:
        page["recipes"]()
    assert "two: not proved yet" in problem.value.why


def test_the_record_keeps_to_its_schema_and_names_no_host():
    text = (ROOT / "results/lab-amd64/recipes.json").read_text()
    schema = json.loads((ROOT / "results/recipes.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.loads(text))
    assert not re.search(r"https?://(?!…)", text)
    assert recipes_model.findings("lab-amd64") == []
