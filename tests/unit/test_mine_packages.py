"""What each package takes, and who brings it, in hand-made images."""

import struct

import pytest

from measure.base.dockerfiles import Dockerfile
from measure.mine.archives import read_archive
from measure.mine.facts import looks_secret
from measure.mine.reporting import report_of
from tests.handmade import tar
from tests.images_by_hand import SITE, layout, package

pytestmark = pytest.mark.usefixtures("cache")


HISTORY = [
    {"created_by": "COPY / / # buildkit"}, {"created_by": 'CMD ["python3"]', "empty_layer": True},
    {"created_by": "RUN /bin/sh -c install # buildkit"},
]  # fmt: skip


def told(tmp_path, base, own, text="", **described):
    image, platform, _ = read_archive(
        layout(tmp_path / "layout", [tar(base), tar(own)], history=HISTORY, **described).root
    )
    return report_of(image, platform, Dockerfile("Dockerfile", text) if text else None)


def pyc(source: bytes, time: int = 0, size: int | None = None, flags: int = 0) -> bytes:
    """Bytecode, as far as its header tells: 100 bytes in all."""
    return struct.pack("<IIII", 0x0A0D0E2B, flags, time, len(source) if size is None else size).ljust(100, b"x")


def test_a_package_has_its_libraries_and_its_bytecode_and_who_brings_it(tmp_path):
    own = {
        **package("app", {"app.py": b"x" * 500}, ("NumPy>=2", "extra[fast]", 'old ; python_version < "3"')),
        **package("numpy", {"numpy/a.py": b"x" * 1000, "numpy.libs/libblas.so": b"x" * 3000}),
        **package("extra", {"extra.py": b""}, ('quick ; extra == "fast"', 'slow ; extra == "slow"')),
        **package("quick", {"quick.py": b""}),
        **package("slow", {"slow.py": b""}),
        **package("old", {"old.py": b""}),
        f"{SITE}/numpy/__pycache__/a.cpython-314.pyc": pyc(b"x" * 1000),
        f"{SITE}/numpy/__pycache__/other.cpython-314.pyc": b"x" * 77,
    }
    report = told(tmp_path, {"bin/sh": b""}, own)
    found = {one.name: one for one in report.packages}
    assert found["numpy"].vendored_bytes == 3000
    assert found["numpy"].bytecode_bytes == 100
    metadata = sum(len(text) for path, text in own.items() if "numpy-1.0" in path)
    assert found["numpy"].bytes == 1000 + 3000 + 100 + metadata
    assert {name: one.brought_by for name, one in found.items()} == {
        "app": [], "numpy": ["app"], "extra": ["app"], "quick": ["app", "extra"], "slow": [], "old": []
    }  # fmt: skip
    assert report.packages[0].name == "numpy"


def test_packages_that_require_each_other_and_metadata_that_nobody_can_read(tmp_path):
    own = {
        **package("a", {}, ("b",)), **package("b", {}, ("a", "=broken=", "x ; nonsense == 1")),
        f"{SITE}/c-1.dist-info/METADATA": b"\xff\xfe", f"{SITE}/d-1.dist-info/RECORD": b'"' * 10,
    }  # fmt: skip
    found = {one.name: one.brought_by for one in told(tmp_path, {"x": b""}, own).packages}
    assert found == {"a": [], "b": ["a"]}


def test_packages_of_the_base_are_told_apart(tmp_path):
    base = package("pip", {"pip.py": b"x" * 10}, site="usr/local/lib/python3.14/site-packages")
    own = {**package("pip", {"pip.py": b"x" * 10}), **package("pytest", {"pytest.py": b"x"})}
    report = told(tmp_path, base, own)
    assert {(one.name, one.of_base, one.development) for one in report.packages} == {
        ("pip", True, False), ("pip", False, False), ("pytest", False, True)
    }  # fmt: skip
    assert report.facts.pip == [f"/{SITE}", "/usr/local/lib/python3.14/site-packages"]


STATUS = "Package: {0}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n{1}\n"


def status(*packages: tuple[str, str]) -> bytes:
    return "\n".join(STATUS.format(name, f"Depends: {needs}\n" if needs else "") for name, needs in packages).encode()


INSTALLED = [("libc6", "")]


def test_the_distributions_packages_with_those_that_need_them(tmp_path):
    base = {
        "var/lib/dpkg/status": status(("libc6", "")),
        "var/lib/dpkg/info/libc6.list": b"/lib\n/lib/c\n",
        "lib/c": b"c",
    }
    own = {
        "var/lib/dpkg/status": status(*INSTALLED, ("gcc", "cpp (>= 1), libc6"), ("cpp", ""), ("curl", "libcurl4 | x")),
        "var/lib/dpkg/info/gcc.list": b"/usr/bin/gcc\n", "var/lib/dpkg/info/cpp.list": b"/usr/bin/cpp\n",
        "usr/bin/gcc": b"x" * 2000, "usr/bin/cpp": b"x" * 1000,
    }  # fmt: skip
    for number, automatic in enumerate((b"", b"Package: cpp\nArchitecture: amd64\nAuto-Installed: 1\n")):
        more = {"var/lib/apt/extended_states": automatic} if automatic else {}
        report = told(tmp_path / str(number), base, {**own, **more})
        found = {one.name: (one.bytes, one.of_base, one.brought_by, one.development) for one in report.packages}
        assert found == {
            "gcc": (2000, False, [], True), "cpp": (1000, False, ["gcc"], True), "curl": (None, False, [], False),
            "libc6": (1, True, ["gcc"], False),
        }  # fmt: skip


def test_bytecode_is_stale_when_its_source_has_another_time_or_size(tmp_path):
    text = b"x" * 50
    own = {**package("a", {f"{name}.py": text for name in ("same", "time", "size", "hash", "none", "short")})}
    for name, content in {
        "same": pyc(text), "time": pyc(text, time=9), "size": pyc(text, size=51), "hash": pyc(text, 9, 9, flags=3),
        "short": b"x", "alone": pyc(text),
    }.items():  # fmt: skip
        own[f"{SITE}/__pycache__/{name}.cpython-314.pyc"] = content
    found = told(tmp_path, {"x": b""}, own).facts.bytecode
    assert (found.files, found.stale_files, found.missing_files) == (6, 3, 1)
    assert found.stale_bytes == 201


@pytest.mark.parametrize(
    ("settings", "command", "shell"),
    [
        ({"Cmd": ["gunicorn", "app"]}, "gunicorn app", False),
        ({"Cmd": ["/bin/sh", "-c", "gunicorn app"]}, "/bin/sh -c gunicorn app", True),
        ({"Cmd": ["/bin/sh", "-c", "exec gunicorn app"]}, "/bin/sh -c exec gunicorn app", False),
        ({"Entrypoint": ["tini", "--"], "Cmd": ["/bin/sh", "-c", "x"]}, "tini -- /bin/sh -c x", False),
        ({}, "", False),
    ],
)
def test_a_command_in_shell_form_is_told(tmp_path, settings, command, shell):
    facts = told(tmp_path, {"x": b""}, {"y": b""}, settings=settings).facts
    assert (facts.command, facts.shell_form, facts.user) == (command, shell, "root")


def test_secrets_are_told_by_their_names_and_never_by_what_they_are(tmp_path):
    history = [*HISTORY[:2], {"created_by": "RUN |1 PIP_TOKEN=hunter2 /bin/sh -c pip install x # buildkit"}]
    settings = {"Env": ["DB_PASSWORD=hunter3", "GPG_KEY=ABC", "PASSWORD_FILE=/run/secrets/x", "API_KEY=", "KEYS=1"]}
    tars = [tar({"x": b""}), tar({"y": b""})]
    image, platform, _ = read_archive(layout(tmp_path / "layout", tars, history=history, settings=settings).root)
    report = report_of(image, platform)
    assert report.facts.secrets == ["DB_PASSWORD", "PIP_TOKEN"]
    assert "hunter" not in report.model_dump_json()
    names = ("SECRET_KEY", "MONKEY", "AWS_SECRET_ACCESS_KEY", "TOKENIZERS_PARALLELISM")
    assert [looks_secret(name) for name in names] == [True, False, True, False]
