import pytest

from measure.build.images import AGAIN, BuildError
from measure.steps.copying import COPY_TIME, clean_copy
from tests.conftest import run

LOG = """#5 [1/3] FROM python
#5 DONE 0.1s
#7 [2/3] RUN pip install
#7 0.412 Collecting nothing
#7 0.500 ERROR: No matching distribution found for nothing
#7 ERROR: process "/bin/sh -c pip install" did not complete successfully: exit code: 1
------
 > [2/3] RUN pip install:
------""".splitlines()


def test_a_clean_copy_has_what_git_would_give(tmp_path):
    folder = tmp_path / "step-9-demo"
    (folder / ".venv").mkdir(parents=True)
    for name in ("app.py", "new.py", ".venv/junk", ".gitignore"):
        (folder / name).write_text(name)
    (folder / ".gitignore").write_text(".venv/\n")
    run("git", "init", "--quiet", cwd=tmp_path).check_returncode()
    run("git", "add", "step-9-demo/app.py", cwd=tmp_path).check_returncode()
    with clean_copy(folder) as copy:
        assert sorted(path.name for path in copy.iterdir()) == [".gitignore", "app.py", "new.py"]
        assert {int(path.stat().st_mtime) for path in copy.rglob("*")} == {COPY_TIME}
    assert not copy.exists()


def test_a_change_that_keeps_the_size_changes_the_time_that_the_builder_looks_at(tmp_path):
    folder = tmp_path / "step-9-demo"
    folder.mkdir()
    times = []
    for text in ("one", "two", "one"):
        (folder / "app.py").write_text(text)
        with clean_copy(folder) as copy:
            times.append((copy / "app.py").stat().st_mtime_ns)
    assert times[0] == times[2] != times[1]


def test_outside_of_git_a_clean_copy_has_everything(tmp_path):
    folder = tmp_path / "step-9-demo"
    folder.mkdir()
    (folder / "app.py").write_text("")
    with clean_copy(folder) as copy:
        assert [path.name for path in copy.iterdir()] == ["app.py"]


def test_the_last_lines_of_a_failed_build_are_those_of_the_instruction_that_failed():
    error = BuildError(1, LOG)
    assert error.tail[0] == "[2/3] RUN pip install"
    assert "No matching distribution" in error.tail[2]
    assert error.telling_line == "ERROR: No matching distribution found for nothing"


@pytest.mark.parametrize(
    "log",
    [
        ["#9 ERROR: failed to prepare 3x: parent snapshot sha256:4d does not exist: not found"],
        [
            "#7 [2/3] RUN pip install",
            "#7 0.114 runc run failed: unable to start container process: waiting for init preliminary setup: read "
            "init-p: connection reset by peer",
            '#7 ERROR: process "/bin/sh -c pip install" did not complete successfully: exit code: 1',
        ],
    ],
)
def test_a_build_that_the_engine_itself_spoiled_is_built_again_and_no_other(log):
    spoiled = BuildError(1, log)
    for failures, tries in (([spoiled], 2), ([spoiled] * 2, 3), ([spoiled] * 3, 3), ([BuildError(1, LOG)], 1)):
        left, tried = list(failures), []

        def build(left=left, tried=tried) -> str:
            tried.append(1)
            if left:
                raise left.pop(0)
            return "built"

        if tries > len(failures):
            assert AGAIN(build) == "built"
        else:
            with pytest.raises(BuildError):
                AGAIN(build)
        assert len(tried) == tries
