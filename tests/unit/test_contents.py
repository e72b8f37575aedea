import pytest

from measure.weigh.contents import read_contents
from measure.weigh.filesystem import FileSystem
from tests.handmade import read, tar

STATUS = b"""Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.41-12
Description: one
 Version: not this one

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: held
Status: hold ok installed
Architecture: all
Version: 1:3.0+b1
"""
APK = b"""C:Q1x
P:musl
V:1.2.5-r9
F:lib
R:ld-musl-x86_64.so.1
F:etc

P:busybox
V:1.37.0-r12
F:bin
R:busybox
"""
METADATA = b"Metadata-Version: 2.4\nName: Flask\nVersion: 3.1.3\n\nName: not this one\n"
SITE = "usr/local/lib/python3.14/site-packages"


@pytest.fixture
def inside(tmp_path):
    """The contents of an image with one hand-made layer, or several."""
    return lambda *tars, user="": read_contents(FileSystem(read(tmp_path, *tars)), user)


def dumped(packages) -> list[tuple]:
    return [(one.name, one.version, one.bytes) for one in packages]


LIBC = b"/.\n/lib/libc.so\n/usr/share/doc/left-out\n"


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param(
            {"var/lib/dpkg/status": STATUS, "var/lib/dpkg/info/libc6:amd64.list": LIBC, "lib": "usr/lib",
             "usr/lib/libc.so": b"12345"},
            [("held", "1:3.0+b1", None), ("libc6", "2.41-12", 5)], id="dpkg",
        ),
        pytest.param(
            {"var/lib/dpkg/status.d/libc6": b"Package: libc6\nVersion: 2.41\n", "var/lib/dpkg/status.d/libc6.md5sums":
             b"d41d  /lib/libc.so\n"},
            [("libc6", "2.41", None)], id="no package manager",
        ),
        *(
            pytest.param({place: APK, "lib/ld-musl-x86_64.so.1": b"123", "bin/busybox": b"1234"},
                         [("busybox", "1.37.0-r12", 4), ("musl", "1.2.5-r9", 3)], id=place)
            for place in ("lib/apk/db/installed", "usr/lib/apk/db/installed")
        ),
    ],
)  # fmt: skip
def test_os_packages_with_the_bytes_that_are_really_there(inside, members, expected):
    assert dumped(inside(tar(members)).os_packages) == expected


@pytest.mark.parametrize("manager", [True, False])
def test_a_package_that_is_there_for_two_architectures_is_two(inside, manager):
    """The one that most packages are for goes without saying."""
    form = "Package: {}\nStatus: install ok installed\nArchitecture: {}\nVersion: 1\n"
    there = [
        ("libc6", "i386"),
        ("libc6", "amd64"),
        ("tzdata", "all"),
        ("bash", "amd64"),
        ("wine", "i386"),
        ("a", "amd64"),
    ]
    if manager:
        members = {"var/lib/dpkg/status": "\n".join(form.format(*one) for one in there).encode()}
        for one in ("amd64", "i386"):
            members |= {f"var/lib/dpkg/info/libc6:{one}.list": f"/{one}\n".encode(), one: one.encode()}
    else:
        members = {f"var/lib/dpkg/status.d/{n}": form.format(*one).encode() for n, one in enumerate(there)}
    found = inside(tar(members)).os_packages
    assert [one.name for one in found] == ["a", "bash", "libc6", "libc6:i386", "tzdata", "wine:i386"]
    assert [one.bytes for one in found if "libc6" in one.name] == ([5, 4] if manager else [None, None])


@pytest.mark.parametrize(
    "location",
    [SITE, "opt/venv/lib/python3.14/site-packages", "root/.local/lib/python3.14/site-packages", "opt/target"],
)
def test_python_packages_wherever_they_are_installed_with_the_libraries_they_bring(inside, location):
    record = (
        b"flask/a.py,sha256=x,4\n../../../bin/flask,,\nflask-3.dist-info/RECORD,,\nflask.libs/b.so,,\nmissing.py,,\n"
    )
    found = inside(
        tar(
            {
                f"{location}/flask-3.dist-info/METADATA": METADATA,
                f"{location}/flask-3.dist-info/RECORD": record,
                f"{location}/flask/a.py": b"1234",
                f"{location}/flask.libs/b.so": b"12",
            }
        )
    )
    (package,) = found.python_packages
    assert (package.name, package.version, package.location) == ("Flask", "3.1.3", f"/{location}")
    assert package.bytes == 4 + 2 + len(record)
    assert package.vendored == {"b.so": 2}


def test_old_style_egg_info_counts_and_what_another_package_vendors_does_not(inside):
    found = inside(
        tar(
            {
                "usr/lib/python3/dist-packages/a-1.egg-info/PKG-INFO": b"Name: a\nVersion: 1\n",
                "usr/lib/python3/dist-packages/b-2.egg-info": b"Name: b\nVersion: 2\n",
                f"{SITE}/setuptools/_vendor/flask-3.1.3.dist-info/METADATA": METADATA,
            }
        )
    )
    assert dumped(found.python_packages) == [("a", "1", None), ("b", "2", None)]


def test_a_package_removed_in_a_later_layer_is_not_there(inside):
    pip = tar({f"{SITE}/pip-26.dist-info/METADATA": b"Name: pip\nVersion: 26\n"})
    assert inside(pip).has_pip
    removed = inside(pip, tar({f"{SITE}/.wh.pip-26.dist-info": b""}))
    assert (removed.has_pip, removed.python_packages, removed.user) == (False, [], "root")


def test_shell_and_compiler_are_programs_that_exist(inside):
    executable = {"usr/bin/dash": 0o755, "usr/bin/x86_64-linux-gnu-gcc-14": 0o755}
    links = {"usr/bin/sh": "dash", "usr/bin/cc": "/etc/alternatives/cc", "etc/alternatives/cc": "../../usr/bin/gcc"}
    members = {"usr/bin/dash": b"1", "usr/bin/x86_64-linux-gnu-gcc-14": b"1", **links}
    found = inside(tar({**members, "usr/bin/gcc": "x86_64-linux-gnu-gcc-14"}, modes=executable))
    assert (found.has_shell, found.has_compiler) == (True, True)
    nothing = inside(tar({"usr/bin/sh": "dash", "usr/bin/gcc": b"1", "usr/share/bash": b"1", "usr/bin/gcc-ar": b"1"}))
    assert (nothing.has_shell, nothing.has_compiler) == (False, False)


def test_setuid_files_bytecode_user_and_directories(inside):
    found = inside(
        tar(
            {"usr/bin/su": b"12", "usr/bin/mount": b"1", "app/__pycache__/a.pyc": b"123", "opt/a/b/c/d": b"1234"},
            links={"app/b.pyc": "app/__pycache__/a.pyc"},
            modes={"usr/bin/su": 0o4755, "usr/bin/mount": 0o2755},
        ),
        user="1000:1000",
    )
    assert found.setuid_files == ["/usr/bin/su"]
    assert (found.pyc_files, found.pyc_bytes) == (1, 3)
    assert (found.files, found.file_bytes) == (4, 10)
    assert found.user == "1000:1000"
    assert found.directories == {
        "/app": 3, "/app/__pycache__": 3, "/opt": 4, "/opt/a": 4, "/opt/a/b": 4, "/usr": 3, "/usr/bin": 3,
    }  # fmt: skip
