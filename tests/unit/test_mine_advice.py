"""Next steps: what each would save is what its files take, and each file is counted once."""

import random

import pytest

from measure.base.dockerfiles import Dockerfile
from measure.base.files import ROOT
from measure.mine import order
from measure.mine.archives import read_archive
from measure.mine.reporting import report_of
from tests.handmade import tar
from tests.images_by_hand import SITE, layout, package

pytestmark = pytest.mark.usefixtures("cache")


NOISE = random.Random(1).randbytes(200_000)
SIZE = len(NOISE)
#: What a file of this size takes of a tar stream: a header, and whole blocks.
BLOCKS = 512 + SIZE + -SIZE % 512
BASE = {"usr/local/lib/python3.14/os.py": b"x"} | package(
    "pip", {"pip/a.py": b"x"}, site="usr/local/lib/python3.14/site-packages"
)


def told(tmp_path, *own, lines=None, modes=None, settings=None):
    """The next steps for an image of a base and of own layers, each a line RUN or those given."""
    lines = lines or [f"RUN {number}" for number in range(len(own))]
    history = [{"created_by": "COPY / / # buildkit"}, {"created_by": 'CMD ["python3"]', "empty_layer": True}]
    history += [{"created_by": line.replace("RUN ", "RUN /bin/sh -c ")} for line in lines]
    tars = [tar(BASE), *(tar(one, modes=(modes or {}).get(number)) for number, one in enumerate(own))]
    image, platform, _ = read_archive(layout(tmp_path / "layout", tars, history=history, settings=settings).root)
    text = "\n".join(["FROM python:3.14", *lines])
    report = report_of(image, platform, Dockerfile("Dockerfile", text))
    for one in report.next_steps:
        assert (ROOT / "docs" / one.page).exists(), f"{one.page} teaches {one.name}, and is not there"
    return {one.name: one for one in report.next_steps}


def test_a_lean_image_has_no_next_step(tmp_path):
    assert told(tmp_path, package("flask", {"flask.py": NOISE})) == {}


def test_a_tree_that_is_there_twice(tmp_path):
    found = told(tmp_path, {"app/a": NOISE}, {"app/a": NOISE}, modes={1: {"app/a": 0o600}})
    assert {name: (one.unpacked_tar_bytes, one.where) for name, one in found.items()} == {
        "written twice": (BLOCKS, "Dockerfile:3")
    }
    assert found["written twice"].transfer_bytes == pytest.approx(SIZE, rel=0.06)


def test_files_that_a_later_line_hides(tmp_path):
    found = told(tmp_path, {"app/a": NOISE, "app/b": NOISE}, {"app/.wh.a": b"", "app/b": b"1"})
    (one,) = found.values()
    assert (one.name, one.unpacked_tar_bytes, one.where) == ("hidden files", 2 * BLOCKS, "Dockerfile:2")
    assert "Dockerfile:3 only hides them" in one.what


def test_caches_tests_a_second_pip_and_development_tools(tmp_path):
    own = {
        "root/.cache/pip/http/a": NOISE, "var/lib/apt/lists/deb.example_Packages.lz4": NOISE, "root/.cache/pdm/x": b"1",
        **package("pip", {"pip/a.py": NOISE}), **package("numpy", {"numpy/tests/a.py": NOISE, "numpy/a.pyi": NOISE}),
        **package("pytest", {"pytest.py": NOISE}, ("pluggy", "shared")), **package("pluggy", {"pluggy.py": NOISE}),
        **package("app", {"app.py": b"x"}, ("shared",)), **package("shared", {"shared.py": NOISE}),
    }  # fmt: skip
    found = told(tmp_path, own)
    assert set(found) == {"caches", "a second pip", "development tools", "tests"}
    assert found["caches"].unpacked_tar_bytes == 2 * BLOCKS + 1024
    assert "pip's cache, apt's lists:" in found["caches"].what
    assert found["tests"].unpacked_tar_bytes == 2 * BLOCKS
    assert 2 * BLOCKS < found["development tools"].unpacked_tar_bytes < 2 * BLOCKS + 20_000, "not what others need"
    assert next(iter(found)) in ("caches", "tests", "development tools"), "what saves most stands first"


def test_a_development_tool_that_needs_a_package_of_the_base_goes_alone(tmp_path):
    site = "usr/local/lib/python3.14/site-packages"
    (one,) = told(tmp_path, package("pip-tools", {"piptools.py": NOISE}, ("pip",), site)).values()
    assert (one.name, one.of) == ("development tools", ["pip-tools"])


def test_what_has_a_name_outside_of_a_cache_stays_when_the_cache_goes(tmp_path):
    """uv links what it installs to its cache: of two files in it, one is a package's too."""
    own = tar({"root/.cache/uv/a.py": NOISE, "root/.cache/uv/b": NOISE}, links={f"{SITE}/a.py": "root/.cache/uv/a.py"})
    image, platform, _ = read_archive(layout(tmp_path / "layout", [own]).root)
    report = report_of(image, platform)
    assert [(one.name, one.unpacked_tar_bytes) for one in report.next_steps] == [("caches", BLOCKS)]
    assert report.facts.caches == {"uv's cache": SIZE}


def test_each_file_is_counted_once_and_there_are_at_most_five(tmp_path):
    """A cache that is there twice, tests of a development tool."""
    own = {"root/.cache/pip/a": NOISE, **package("pytest", {"pytest/tests/a.py": NOISE})}
    found = told(tmp_path, own, {"root/.cache/pip/a": NOISE})
    assert 3 * BLOCKS < sum(one.unpacked_tar_bytes for one in found.values()) < 3 * BLOCKS + 20_000
    assert set(found) == {"written twice", "caches", "development tools"}


def test_compilers_and_what_only_they_need(tmp_path):
    entry = "Package: {}\nStatus: install ok installed\nVersion: 1\nDepends: {}\n"
    names = {"gcc": "libgcc-14-dev", "libgcc-14-dev": "libquad", "libquad": "", "curl": "libcurl4", "libcurl4": ""}
    own = {"var/lib/dpkg/status": "\n".join(entry.format(*one) for one in names.items()).encode()}
    for name in names:
        own |= {f"var/lib/dpkg/info/{name}.list": f"/usr/{name}\n".encode(), f"usr/{name}": NOISE}
    found = told(tmp_path, own)
    assert found["compilers"].unpacked_tar_bytes == 3 * BLOCKS
    assert "3 packages" in found["compilers"].what


def debian(entries: dict[str, str], automatic: tuple[str, ...]) -> dict[str, bytes]:
    """dpkg's packages, a file each: those of `automatic` were not asked for. An entry is what a paragraph has more."""
    entry = "Package: {}\nStatus: install ok installed\nVersion: 1\n{}\n"
    own = {"var/lib/dpkg/status": "\n".join(entry.format(*one) for one in entries.items()).encode()}
    own["var/lib/apt/extended_states"] = "\n".join(
        f"Package: {name}\nAuto-Installed: 1\n" for name in automatic
    ).encode()
    for name in entries:
        own |= {f"var/lib/dpkg/info/{name}.list": f"/usr/{name}\n".encode(), f"usr/{name}": NOISE}
    return own


def test_programs_that_no_application_calls_and_what_is_only_recommended(tmp_path):
    own = debian(
        {
            "git": "Depends: libperl5.40, libc-any\nRecommends: ssh-client (>= 1), patch | x\n", "libperl5.40": "",
            "openssh-client": "Depends: libfido2\nProvides: ssh-client, x (= 2)\n", "libfido2": "",
            "libpq5": "Recommends: libsasl2-modules\n", "libsasl2-modules": "", "curl": "", "left-over": "",
            "libc-b": "Provides: libc-any (= 2)\n", "needs-c": "Depends: libc-b\n",
        },
        ("libperl5.40", "openssh-client", "libfido2", "libsasl2-modules", "left-over", "libc-b"),
    )  # fmt: skip
    found = told(tmp_path, own, lines=["RUN apt-get install git libpq5 curl needs-c"])
    assert found["programs"].of == ["curl", "git", "libperl5.40"], "what it needs by another name is needed by others"
    assert found["programs"].unpacked_tar_bytes == 3 * BLOCKS
    assert found["recommended packages"].of == ["libfido2", "libsasl2-modules", "openssh-client"]
    assert "3 packages that none depends on" in found["recommended packages"].what
    health = {"Healthcheck": {"Test": ["CMD-SHELL", "curl --fail http://localhost/ || exit 1"]}}
    assert told(tmp_path / "b", own, settings=health)["programs"].of == ["git", "libperl5.40"]


def test_a_pip_that_was_put_over_the_bases_one(tmp_path):
    site = "usr/local/lib/python3.14/site-packages"
    own = package("pip", {"pip/a.py": NOISE, "pip/b.py": NOISE}, site=site)
    for line in (
        "pip install -U pip",
        "python -m pip install --upgrade 'pip>=26' wheel",
        "a && pip install pip --upgrade",
    ):
        (one,) = told(tmp_path / line[:7], own, lines=[f"RUN {line}"]).values()
        assert one.name == "an upgraded pip"
        assert 2 * BLOCKS <= one.unpacked_tar_bytes < 2 * BLOCKS + 5_000
    for number, line in enumerate(
        ("pip install -U pip-tools", "pip install -U flask && pip list pip", "pip install pip")
    ):
        assert "an upgraded pip" not in told(tmp_path / f"no-{number}", own, lines=[f"RUN {line}"])
    of_debian = package("pip", {"pip/a.py": NOISE}, site="usr/local/lib/python3.13/dist-packages")
    assert "an upgraded pip" not in told(tmp_path / "debian", of_debian, lines=["RUN pip install -U pip"])


def test_wheels_that_are_copied_and_stay(tmp_path):
    own = {"wheels/a-1-py3-none-any.whl": NOISE, f"{SITE}/virtualenv/b.whl": NOISE}
    (one,) = told(tmp_path, own, lines=["COPY --from=builder /wheels /wheels"]).values()
    assert (one.name, one.unpacked_tar_bytes) == ("copied wheels", BLOCKS)


def test_what_an_ignore_file_keeps_out(tmp_path):
    own = {"app/.git/objects/a": NOISE, "app/node_modules/b": NOISE, "app/main.py": NOISE}
    found = told(tmp_path, own, lines=["COPY . /app"])
    assert found["ignore file"].unpacked_tar_bytes == 2 * BLOCKS
    assert "node_modules" in found["ignore file"].what
    assert "ignore file" not in told(tmp_path / "b", own, lines=["COPY --from=node /app /app"])


def test_requirements_after_the_code_are_sent_again_with_each_edit(tmp_path):
    found = told(
        tmp_path, {"app/a": b"1"}, {f"{SITE}/x": NOISE}, lines=["COPY . .", "RUN pip install -r requirements.txt"]
    )
    one = found["order of lines"]
    assert (one.where, one.other_bytes) == ("Dockerfile:3", pytest.approx(SIZE, rel=0.05))
    assert "order of lines" not in told(
        tmp_path / "b", {"a": b"1"}, {f"{SITE}/x": NOISE}, {"app/a": b"1"},
        lines=["COPY requirements.txt .", "RUN pip install -r requirements.txt", "COPY . ."],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("COPY . .\nRUN pip install -r r.txt", 3), ("COPY . /app/\nRUN <<EOF\nuv sync\nEOF", 3),
        ("ADD . .\nRUN npm ci", 3),
        ("COPY --chown=1 . .\nRUN python -m pip install .", 3), ("COPY --from=x . .\nRUN pip install x", None),
        ("COPY a .\nRUN pip install x\nCOPY . .", None), ("COPY . .\nRUN echo pip && make install", None),
    ],
)  # fmt: skip
def test_where_code_comes_before_requirements(text, line):
    late = order.late_installs(Dockerfile("Dockerfile", f"FROM a\n{text}\n").chain()[-1].instructions)
    assert [one.first for one in late] == ([line] if line else [])


def test_bytecode_of_the_bases_own_files(tmp_path):
    """pip that ran in a line; what an own package's files were compiled to is none of it."""
    library = "usr/local/lib/python3.14"
    own = {
        f"{library}/site-packages/pip/__pycache__/a.cpython-314.pyc": NOISE,
        f"{library}/site-packages/pip/__pycache__/gone.cpython-314.pyc": NOISE,
        **package("app", {"app.py": b"x", "__pycache__/app.cpython-314.pyc": bytes(16) + NOISE}),
    }
    compiled = {f"{library}/__pycache__/os.cpython-314.pyc": NOISE}
    assert told(tmp_path, own | compiled)["bytecode of the base"].unpacked_tar_bytes == 2 * BLOCKS
    assert "bytecode of the base" not in told(tmp_path / "b", compiled), "a standard library compiled on purpose"
