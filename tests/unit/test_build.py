import pytest

from measure.build.images import AGAIN, BuildError

LOG = """#5 [1/3] FROM python
#5 DONE 0.1s
#7 [2/3] RUN pip install
#7 0.412 Collecting nothing
#7 0.500 ERROR: No matching distribution found for nothing
#7 ERROR: process "/bin/sh -c pip install" did not complete successfully: exit code: 1
------
 > [2/3] RUN pip install:
------""".splitlines()


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
