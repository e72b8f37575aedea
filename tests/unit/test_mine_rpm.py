"""Images of distributions with rpm, whose list of packages is not read: what their files and lines tell."""

import pytest

from measure.base.dockerfiles import Dockerfile
from measure.base.errors import Problem
from measure.mine.editing import edited
from tests.unit.test_mine_others import BLOCKS, NOISE, steps, weigh
from tests.unit.test_mine_trying import report_with, step

pytestmark = pytest.mark.usefixtures("cache")

OWN = {
    "usr/share/doc/git/a.html": NOISE, "usr/share/man/man1/git.1.gz": NOISE, "usr/share/licenses/git/COPYING": NOISE,
    "usr/share/git/a": NOISE,
}  # fmt: skip


def of(tmp_path, *lines, own=(OWN,), **more):
    """The next steps for an image of ubi and these lines, each with files of its own."""
    return steps(weigh(tmp_path, *own, lines=lines, text="\n".join(["FROM ubi", *lines]), **more))


@pytest.mark.parametrize(
    "command", ["dnf install -y git", "microdnf -y install git && microdnf clean all", "yum -y update"]
)
def test_manuals_that_dnf_installs_are_told_and_licences_stay(tmp_path, command):
    one = of(tmp_path, f"RUN {command}")["documentation"]
    assert (one.where, one.unpacked_tar_bytes) == ("Dockerfile:2", 2 * BLOCKS)
    assert "--setopt=tsflags=nodocs" in one.what


def test_manuals_that_something_else_brings_are_left_alone(tmp_path):
    for number, line in enumerate(
        ("RUN dnf install -y --nodocs git", "RUN yum install --setopt=tsflags=nodocs git", "RUN make install",
         "COPY --from=one /usr /usr", "RUN apt-get install -y git", "RUN dnf clean all && pip install git")
    ):  # fmt: skip
        assert "documentation" not in of(tmp_path / str(number), line)
    assert "documentation" not in of(tmp_path / "base", "RUN dnf install -y git", own=({"a": b"1"},), base=OWN)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("dnf -y install git && dnf clean all", "dnf -y install --setopt=tsflags=nodocs git && dnf clean all"),
        ("yum update -y && \\\n    yum install -y git",
         "yum update --setopt=tsflags=nodocs -y && \\\n    yum install --setopt=tsflags=nodocs -y git"),
        ("./install-all", None),
    ],
)  # fmt: skip
def test_manuals_are_left_out_where_packages_are_installed(before, after):
    dockerfile, late = Dockerfile("Dockerfile", f"FROM a\nRUN {before}\n"), step("documentation", "Dockerfile:2", [])
    if after:
        assert edited(dockerfile, None, report_with(), late).text == f"FROM a\nRUN {after}\n"
    else:
        with pytest.raises(Problem, match="not done by itself"):
            edited(dockerfile, None, report_with(), late)


def test_what_dnf_and_microdnf_keep_is_a_cache_to_mount(tmp_path):
    for number, folder in enumerate(("var/cache/dnf", "var/cache/yum", "var/cache/libdnf5")):
        found = of(tmp_path / str(number), "RUN microdnf install -y git", own=({f"{folder}/x/repodata/a": NOISE},))
        assert found["caches"].of == [f"/{folder}"]


@pytest.mark.parametrize(
    "path", ["var/lib/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite", "var/lib/dpkg/status"]
)
def test_the_list_of_packages_that_each_line_writes_anew_is_best_written_once(tmp_path, path):
    own = {path: NOISE}, {path: NOISE + b"1", "etc/ld.so.cache": b"1"}
    one = of(tmp_path, "RUN dnf install -y git", "RUN dnf install -y tar", own=own)["hidden files"]
    assert "packages in one line" in one.what and "Dockerfile:3 only hides them" in one.what
    joined = edited(
        Dockerfile("Dockerfile", "FROM ubi\nRUN dnf install -y git\nRUN dnf install -y tar\n"), None, report_with(), one
    )
    assert joined.text == "FROM ubi\nRUN dnf install -y git && dnf install -y tar\n"
