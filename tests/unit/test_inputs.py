import os
import shutil
import subprocess
from pathlib import Path

import pytest

from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.steps import inputs
from measure.steps.compose import RECOMMENDED, Step
from measure.steps.copying import COPY_TIME, clean_copy
from measure.steps.inputs import git_files, ignore_rules
from tests.conftest import run

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
    return {variant.name: variant.inputs(lambda _: recipe).sha256 for variant in step.variants}


def edit(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def stray(folder: Path) -> None:
    for name in (".venv/lib/junk.py", "src/__pycache__/one.pyc"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("junk")


BOTH = {RECOMMENDED, "all"}


@pytest.mark.parametrize(
    ("change", "who"),
    [
        pytest.param(lambda f: (f / "README.md").write_text("other"), {"all"}, id="a README, which one ships"),
        pytest.param(stray, set(), id="what git ignores"),
        pytest.param(lambda f: (f / "src/new.py").write_text(""), BOTH, id="a new file that git would take"),
        pytest.param(lambda f: (f / "notes.txt").write_text(""), {"all"}, id="a new file that one ignores"),
        pytest.param(lambda f: (f / "app.py").write_text("2"), BOTH, id="a changed file"),
        pytest.param(lambda f: (f / "app.py").chmod(0o664), set(), id="another mode"),
        pytest.param(lambda f: (f / "app.py").chmod(0o755), BOTH, id="the executable bit"),
        pytest.param(lambda f: os.utime(f / "app.py", (1, 1)), set(), id="a time"),
        pytest.param(lambda f: edit(f / "Dockerfile", ":3.14", ":3"), BOTH, id="a Dockerfile that one ships"),
        pytest.param(lambda f: edit(f / ".dockerignore", "!src", "!src\n!README.md"), BOTH, id="taken back in"),
        pytest.param(lambda f: edit(f / ".dockerignore", "!src", "# code\n!src/"), {"all"}, id="rules in other words"),
        pytest.param(lambda f: edit(f / "compose.yaml", 'A: "1"', 'A: "2"'), BOTH, id="an option of one"),
    ],
)
def test_who_is_touched_by_a_change(folder, change, who):
    """The variant called all ships every file of the folder."""
    before = hashes(folder)
    change(folder)
    assert {name for name, sha256 in hashes(folder).items() if before[name] != sha256} == who


def test_a_dockerfile_and_an_option_count_for_their_variant_alone_and_a_teaching_text_for_none(folder):
    (folder / "all.Dockerfile.dockerignore").write_text("*Dockerfile\ncompose.yaml\n")
    for name, old, new, who in (
        ("Dockerfile", ":3.14", ":3", {RECOMMENDED}),
        ("compose.yaml", 'A: "1"', 'A: "2"', {RECOMMENDED}),
        ("compose.yaml", "title: A", "title: Z", set()),
    ):
        before = hashes(folder)
        edit(folder / name, old, new)
        assert {one for one, sha256 in hashes(folder).items() if before[one] != sha256} == who


def test_a_base_recipe_counts(folder):
    assert set(hashes(folder, "1" * 64).values()).isdisjoint(hashes(folder, "2" * 64).values())
    assert set(hashes(folder, None).values()).isdisjoint(hashes(folder).values())


def test_a_copy_elsewhere_has_the_same_inputs(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "elsewhere" / folder.name)
    assert hashes(tmp_path / "elsewhere" / folder.name) == hashes(folder)


def test_options_whose_files_nobody_looks_at_are_refused(folder):
    edit(folder / "compose.yaml", "args:", "additional_contexts:")
    with pytest.raises(Problem, match="cannot vouch for"):
        hashes(folder)


def test_what_was_read_is_carried_and_now_reads_anew(folder):
    step = Step(folder.name, folder)
    read = step.recommended
    before = read.inputs(str)
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "compose.yaml":
            path.write_text(f"FROM a:{len(path.name)}\n")
    assert (read.inputs(str), read.base_image, read.ignore) == (before, "python:3.14", FILES[".dockerignore"])
    assert (step.now(read).inputs(str) == before, step.now(read).base_image) == (False, "a:10")


def test_build_arguments_of_the_service_choose_the_base(folder, monkeypatch):
    monkeypatch.setenv("FROM_SHELL", "slim")
    (folder / "Dockerfile").write_text("ARG A=0 B=1 FROM_SHELL\nFROM python:3.1$A$B-$FROM_SHELL\n")
    for args in ('{A: "4", B: "", FROM_SHELL: }', "[A=4, B=, FROM_SHELL]"):
        (folder / "compose.yaml").write_text(COMPOSE.replace('{A: "1"}', args))
        assert Step(folder.name, folder).recommended.external_images == ["python:3.14-slim"]


def test_the_context_and_a_clean_copy_are_what_git_would_give(folder):
    """A symbolic link is one, wherever it leads; to git, and so to the inputs, it is where that is."""
    stray(folder)
    links = {"to-folder": "src", "to-file": "app.py", "to-nothing": "gone"}
    for name, target in links.items():
        (folder / name).symlink_to(target)
    step = Step(folder.name, folder)
    assert [name for name, *_ in step.recommended.context_files] == ["app.py", "src/one.py"]
    offered = {name: what for name, _, what in step.variant("all").context_files}
    assert offered.keys() == {*FILES, *links}
    assert {name: offered[name] for name in links} == {name: f"-> {target}" for name, target in links.items()}
    with clean_copy(folder) as copy:
        found = {path.relative_to(copy).as_posix(): path for path in copy.rglob("*")}
        assert found.keys() == {*FILES, *links, "src"}
        assert {name: str(found[name].readlink()) for name in links} == links
        assert {int(path.lstat().st_mtime) for path in found.values()} == {COPY_TIME}
    assert not copy.exists()
    before = hashes(folder)
    (folder / "to-file").unlink()
    (folder / "to-file").symlink_to("README.md")
    assert {name for name, sha256 in hashes(folder).items() if before[name] != sha256} == {"all"}


def test_no_step_has_a_symbolic_link():
    """Their records were taken when a copy had none."""
    assert "120000 " not in run("git", "ls-files", "--stage").stdout


def test_a_clean_copy_keeps_the_modes_of_the_checkout(folder):
    """A measured build is a reader's: what his umask does to an image, it does to the one that is measured."""
    modes = {"app.py": 0o600, "README.md": 0o664, "src": 0o700, "src/one.py": 0o755, ".": 0o750}
    for name, mode in modes.items():
        (folder / name).chmod(mode)
    with clean_copy(folder) as copy:
        assert {name: (copy / name).stat().st_mode & 0o777 for name in modes} == modes


def test_a_change_that_keeps_the_size_changes_the_time_that_the_builder_looks_at(folder):
    times = []
    for text in ("one", "two", "one"):
        (folder / "app.py").write_text(text)
        with clean_copy(folder) as copy:
            times.append((copy / "app.py").stat().st_mtime_ns)
    assert times[0] == times[2] != times[1]


def test_a_refusal_of_git_is_told_with_what_mends_it(folder, monkeypatch):
    stray(folder)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    with pytest.raises(Problem, match="git does not say which files step-9-demo has") as problem:
        git_files(folder)
    assert "dubious ownership" in problem.value.why
    assert problem.value.next == f"git config --global --add safe.directory {folder.parent}"
    monkeypatch.delenv("GIT_TEST_ASSUME_DIFFERENT_OWNER")
    (folder.parent / ".git/index").write_text("no index")
    with pytest.raises(Problem) as problem:
        git_files(folder)
    assert "index file" in problem.value.why
    assert problem.value.next == f"git -C {folder} status"


@pytest.mark.parametrize("missing", ["repository", "git"])
def test_without_git_every_file_counts_and_it_is_said_once(folder, monkeypatch, capsys, missing):
    (folder / ".venv").mkdir()
    (folder / ".venv/python").symlink_to("/usr/bin/python3")
    if missing == "git":
        monkeypatch.setenv("PATH", "/nowhere")
    else:
        shutil.rmtree(folder.parent / ".git")
    inputs._say_once.cache_clear()
    monkeypatch.setattr(inputs, "ROOT", folder.parent)
    for _ in range(2):
        assert {str(path) for path in git_files(folder)} == {*FILES, ".venv/python"}
    assert capsys.readouterr().err.count("every file of a folder counts") == 1


def test_a_repository_around_a_zip_file_that_was_unpacked_in_it_is_not_asked(folder, monkeypatch, capsys):
    """Many keep their home folder's settings in one that ignores everything else: nothing was built then."""
    shutil.rmtree(folder.parent / ".git")
    project = folder.parent / "project"
    shutil.move(folder, project / folder.name)
    subprocess.run(["git", "init", "--quiet"], cwd=folder.parent, check=True)
    (folder.parent / ".gitignore").write_text("*\n")
    monkeypatch.setattr(inputs, "ROOT", project)
    inputs._say_once.cache_clear()
    assert {str(path) for path in git_files(project / folder.name)} == {*FILES}
    assert "this is no git repository" in capsys.readouterr().err
    subprocess.run(["git", "add", "--force", "."], cwd=project, check=True)  # but where it has the project in it
    stray(project / folder.name)
    assert {str(path) for path in git_files(project / folder.name)} == {*FILES}


def test_line_ends_are_those_of_the_repository_whatever_git_is_told_of_them(tmp_path):
    """core.autocrlf, which Git for Windows sets, would put a carriage return behind `#!/bin/sh` in an image."""
    (tmp_path / "start.sh").write_text("#!/bin/sh\n")
    shutil.copy(ROOT / ".gitattributes", tmp_path)
    for words in (["init", "--quiet"], ["add", "."], ["config", "core.autocrlf", "true"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    (tmp_path / "start.sh").unlink()
    subprocess.run(["git", "checkout", "--quiet", "."], cwd=tmp_path, check=True)
    assert (tmp_path / "start.sh").read_bytes() == b"#!/bin/sh\n"


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
