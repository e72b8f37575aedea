from types import SimpleNamespace

import pytest
from python_on_whales import DockerClient

from measure.build.images import AGAIN, BuildError, build_text
from tests.conftest import program

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


#: What bake says and does from buildx 0.20 on (bake/entitlements.go, Prompt) about a file outside the folder that it is
#: called in; 0.19 only warned, and older ones know nothing of it. On a terminal it would ask, and wait for an answer.
BAKE = """#!/bin/sh
if [ "$BUILDX_BAKE_ENTITLEMENTS_FS" != 0 ]; then
  echo "Your build is requesting privileges for following possibly insecure capabilities:" >&2
  echo " - Read access to path /tmp/measure-1" >&2
  echo "ERROR: additional privileges requested" >&2
  exit 1
fi
while [ "$1" != --metadata-file ]; do shift; done
echo '{}' > "$2"
echo "#1 epoch=$SOURCE_DATE_EPOCH attestations=$BUILDX_NO_DEFAULT_ATTESTATIONS" >&2
"""


@pytest.mark.parametrize("own", [{}, {"BUILDX_BAKE_ENTITLEMENTS_FS": "1", "SOURCE_DATE_EPOCH": "315532800"}])
def test_a_build_of_a_temporary_folder_is_allowed_and_has_no_time_of_the_readers_own(tmp_path, monkeypatch, own):
    """Nix sets SOURCE_DATE_EPOCH in its shells, and bake hands it on to each build (commands/bake.go)."""
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    docker = DockerClient(client_call=[str(program(tmp_path / "bin/docker", BAKE))])
    engine = SimpleNamespace(docker=docker, builder=None, platform="linux/amd64")
    assert build_text(engine, "FROM scratch\n", lambda _: None) == ["#1 epoch= attestations=1"]
