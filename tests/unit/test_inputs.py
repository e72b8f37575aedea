import shutil
import subprocess
from pathlib import Path

import pytest

from measure.base.errors import Problem
from measure.steps.compose import RECOMMENDED, Step
from measure.steps.inputs import context_files, ignore_rules, inputs_of

COMPOSE = """
services:
  step-9-demo:
    build: {context: ., args: {A: "1"}}
    x-measure: {title: A, teaches: B, question: C}
  step-9-demo-all:
    build: {context: ., dockerfile: all.Dockerfile}
    x-measure: {title: A, teaches: B, question: C}
"""
FILES = {
    "compose.yaml": COMPOSE,
    "Dockerfile": "FROM python:3.14\nCOPY . .\n",
    "all.Dockerfile": "FROM python:3.14\nCOPY . .\n",
    "all.Dockerfile.dockerignore": "\n",
    ".dockerignore": "*\n!app.py\n!src\n**/__pycache__\n",
    "README.md": "read me\n",
    "app.py": "print()\n",
    "src/one.py": "1\n",
    ".gitignore": ".venv\n__pycache__\n",
}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A step in a repository of its own."""
    for name, text in FILES.items():
        path = tmp_path / "step-9-demo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    return tmp_path / "step-9-demo"


def hashes(folder: Path, recipe: str | None = "0" * 64) -> dict[str, str]:
    step = Step(folder.name, folder)
    return {variant.name: inputs_of(step, variant, lambda _: recipe).sha256 for variant in step.variants}


def changed(folder: Path, change) -> set[str]:
    """The variants whose inputs are others after a change."""
    before = hashes(folder)
    change()
    after = hashes(folder)
    return {name for name in before if before[name] != after[name]}


def test_the_context_is_what_the_ignore_file_lets_through(folder):
    step = Step(folder.name, folder)
    assert [str(path) for path in context_files(step.recommended)] == ["app.py", "src/one.py"]
    assert {str(path) for path in context_files(step.variant("all"))} == set(FILES)


def test_a_readme_edit_touches_only_a_variant_that_ships_it(folder):
    assert changed(folder, lambda: (folder / "README.md").write_text("other")) == {"all"}


def test_what_git_ignores_touches_nothing(folder):
    def stray():
        for name in (".venv/lib/junk.py", "src/__pycache__/one.pyc"):
            (folder / name).parent.mkdir(parents=True)
            (folder / name).write_text("junk")

    assert changed(folder, stray) == set()


def test_a_new_file_that_git_would_take_touches_those_that_see_it(folder):
    assert changed(folder, lambda: (folder / "src/new.py").write_text("")) == {RECOMMENDED, "all"}
    assert changed(folder, lambda: (folder / "notes.txt").write_text("")) == {"all"}


def test_a_changed_file_in_the_context_touches_both(folder):
    assert changed(folder, lambda: (folder / "app.py").write_text("2")) == {RECOMMENDED, "all"}


def test_the_executable_bit_counts_and_the_rest_of_the_mode_does_not(folder):
    assert changed(folder, lambda: (folder / "app.py").chmod(0o664)) == set()
    assert changed(folder, lambda: (folder / "app.py").chmod(0o755)) == {RECOMMENDED, "all"}


def test_the_time_of_a_file_does_not_count(folder):
    assert changed(folder, lambda: subprocess.run(["touch", folder / "app.py"], check=True)) == set()


def test_a_dockerfile_counts_for_its_variant_even_when_it_is_ignored(folder):
    dockerfile = folder / "Dockerfile"
    assert changed(folder, lambda: dockerfile.write_text("FROM python:3.14-slim\n")) == {RECOMMENDED, "all"}
    (folder / "all.Dockerfile.dockerignore").write_text("*Dockerfile*\n")
    assert changed(folder, lambda: dockerfile.write_text("FROM python:3.14\n")) == {RECOMMENDED}


def test_a_file_that_is_no_longer_ignored_counts(folder):
    with_readme = FILES[".dockerignore"] + "!README.md\n"
    assert RECOMMENDED in changed(folder, lambda: (folder / ".dockerignore").write_text(with_readme))


def test_an_ignore_file_that_says_the_same_in_other_words_changes_nothing(folder):
    reworded = "# only the code\n*\n!app.py\n!src/\n**/__pycache__/\n"
    assert RECOMMENDED not in changed(folder, lambda: (folder / ".dockerignore").write_text(reworded))


def test_a_build_option_counts_for_its_service(folder):
    compose = folder / "compose.yaml"
    (folder / "all.Dockerfile.dockerignore").write_text("compose.yaml\n")
    assert changed(folder, lambda: compose.write_text(COMPOSE.replace('A: "1"', 'A: "2"'))) == {RECOMMENDED}


def test_a_teaching_text_counts_for_nothing(folder):
    compose = folder / "compose.yaml"
    (folder / "all.Dockerfile.dockerignore").write_text("compose.yaml\n")
    assert changed(folder, lambda: compose.write_text(COMPOSE.replace("title: A", "title: Z"))) == set()


def test_a_base_recipe_counts(folder):
    assert set(hashes(folder, "1" * 64).values()).isdisjoint(hashes(folder, "2" * 64).values())
    assert set(hashes(folder, None).values()).isdisjoint(hashes(folder).values())


def test_a_copy_elsewhere_has_the_same_inputs(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "elsewhere" / folder.name)
    assert hashes(tmp_path / "elsewhere" / folder.name) == hashes(folder)


def test_options_whose_files_nobody_looks_at_are_refused(folder):
    (folder / "compose.yaml").write_text(COMPOSE.replace("args:", "additional_contexts:"))
    with pytest.raises(Problem, match="cannot vouch for"):
        hashes(folder)


@pytest.mark.parametrize(
    ("rules", "ignored", "kept"),
    [
        ("a", ["a", "a/b"], ["b/a", "ab"]),
        ("/a/", ["a", "a/b"], ["b/a"]),
        ("./a/../b", ["b"], ["a"]),
        ("*.py", ["a.py"], ["b/a.py"]),
        ("**/*.py", ["a.py", "b/c/a.py"], ["a.txt"]),
        ("**/cache", ["cache/a", "b/c/cache/d/e"], ["b/cached"]),
        ("*\n!a", ["b", "b/a"], ["a", "a/b"]),
        ("a\n!a/b", ["a/c"], ["a/b"]),
        ("!a\na", ["a"], []),
        ("# a\n\n  b  ", ["b"], ["a", "# a"]),
        ("a?c\n[x-z]", ["abc", "y"], ["ac", "a"]),
        ("", [], ["a"]),
    ],
)
def test_ignore_rules_are_dockers(rules, ignored, kept):
    matcher = ignore_rules(rules)
    assert [path for path in ignored if not matcher.match_file(path)] == []
    assert [path for path in kept if matcher.match_file(path)] == []
