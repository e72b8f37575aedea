"""What a trace says was looked at, and what of an image that touches."""

import io
import tarfile
from pathlib import Path

import pytest

from measure.studies.floor.packing import touched_by
from measure.studies.floor.trace import Look, Touched, belongs_to, interpreter, looks
from measure.weigh import layers
from measure.weigh.filesystem import FileSystem
from tests.conftest import run
from tests.handmade import tar

#: As strace 6.13 writes it.
TRACE = r"""execve("/opt/venv/bin/gunicorn", ["gunicorn", "whichimage:app"], 0x7ffc49a301f0 /* 9 vars */) = 0
access("/etc/ld.so.preload", R_OK)      = -1 ENOENT (No such file or directory)
openat(AT_FDCWD</app>, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3</etc/ld.so.cache>
newfstatat(3</etc/ld.so.cache>, "", {st_mode=S_IFREG|0644, st_size=34547, ...}, AT_EMPTY_PATH) = 0
openat(AT_FDCWD</app>, "whichimage/__init__.py", O_RDONLY) = 4</app/whichimage/__init__.py>
newfstatat(5</opt/venv/lib>, "python3.14/site-packages", {st_mode=S_IFDIR|0755, ...}, AT_SYMLINK_NOFOLLOW) = 0
readlink("/usr/local/bin/python", "python3", 4095) = 7
readlink("/usr/local/bin/python3.14", 0x7ffe, 4095) = -1 EINVAL (Invalid argument)
openat(AT_FDCWD</app>, "/etc/shadow", O_RDONLY) = -1 EACCES (Permission denied)
newfstatat(AT_FDCWD</etc>, "\303\244 \"b\".py", 0x7fbd11c77950, 0) = -1 ENOENT (No such file or directory)
chdir("..")                             = 0
access("hosts", R_OK)                   = 0
chdir("/nowhere")                       = -1 ENOENT (No such file or directory)
access("passwd", R_OK)                  = 0
execve("/usr/bin/ls", ["ls"], 0x7ffc49a301f0 /* 9 vars */) = -1 ENOENT (No such file or directory)
openat(AT_FDCWD</app>, "/dev/shm/w", O_RDWR|O_CREAT|O_EXCL, 0600) = 6</dev/shm/w>(deleted)
+++ exited with 0 +++
"""


def test_a_trace_is_read():
    found = list(looks(TRACE.splitlines(), "/begin"))
    assert found == [
        Look("/opt/venv/bin/gunicorn", there=True, executed=True),
        Look("/etc/ld.so.preload", there=False),
        Look("/etc/ld.so.cache", there=True),
        Look("/app/whichimage/__init__.py", there=True),
        Look("/opt/venv/lib/python3.14/site-packages", there=True, follow=False),
        Look("/usr/local/bin/python", there=True, follow=False),
        Look("/usr/local/bin/python3.14", there=True, follow=False),
        Look("/etc/shadow", there=True),
        Look('/etc/ä "b".py', there=False),
        Look("/etc/..", there=True),
        Look("/etc/../hosts", there=True),
        Look("/nowhere", there=False),
        Look("/etc/../passwd", there=True),
        Look("/usr/bin/ls", there=False),
        Look("/dev/shm/w", there=True),
    ]


def stacked(folder, members, links=None) -> FileSystem:
    """The file system of one hand-made layer."""
    path = folder / "layer.tar"
    path.write_bytes(tar(members, links))
    return FileSystem([layers.read_layer(path)])


USR = {
    "usr/lib/libc.so.6": b"c" * 100,
    "usr/lib/libm.so.6": b"m" * 50,
    "lib": "usr/lib",
    "usr/bin/python": "python3",
    "usr/bin/python3": "/usr/bin/python3.14",
    "usr/bin/python3.14": b"\x7fELF",
    "usr/bin/round": "round",
}


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/lib/libc.so.6", ["/lib", "/usr", "/usr/lib", "/usr/lib/libc.so.6"]),
        ("/usr/bin/python", ["/usr", "/usr/bin", "/usr/bin/python", "/usr/bin/python3", "/usr", "/usr/bin",
                             "/usr/bin/python3.14"]),
        ("/usr/../usr//./lib/nothing.so", ["/usr", "/usr", "/usr/lib"]),
        ("/usr/bin/python3.14/x", ["/usr", "/usr/bin", "/usr/bin/python3.14"]),
        ("/", []),
    ],
)  # fmt: skip
def test_the_way_along_a_path_leads_through_links(tmp_path, path, names):
    files = stacked(tmp_path, USR)

    def way(path: str, *, follow: bool = True) -> list[str]:
        found = []
        files.find(path, follow=follow, way=found)
        return [name for name, _ in found]

    assert way(path) == names
    assert way("/usr/bin/python", follow=False)[-1] == "/usr/bin/python"
    assert len(way("/usr/bin/round")) < 50


def test_what_is_untouched_is_summed_by_what_it_belongs_to(tmp_path):
    site = "opt/venv/lib/python3.14/site-packages"
    files = stacked(
        tmp_path,
        {
            **USR,
            "var/lib/dpkg/status": b"",
            "var/lib/dpkg/info/libm:amd64.list": b"/.\n/lib/libm.so.6\n",
            f"{site}/numpy/__init__.py": b"n" * 10,
            f"{site}/numpy/linalg/__pycache__/a.pyc": b"n" * 7,
            f"{site}/numpy/linalg/a.py": b"n" * 3,
            f"{site}/numpy.libs/libx.so": b"n" * 5,
            f"{site}/six.py": b"n",
            "usr/local/lib/python3.14/idlelib/a.py": b"i" * 4,
            "usr/local/lib/python3.14/abc.py": b"i" * 6,
            "a/b/c/d/e": b"e" * 9,
        },
        {"usr/lib/again.so": "usr/lib/libc.so.6"},
    )
    touched = Touched(files)
    touched.add(Look("/lib/libc.so.6", there=True))  # and so, by its other name, is again.so
    touched.add(Look(f"/{site}/numpy/__init__.py", there=True))
    touched.add(Look(f"/{site}/numpy/no.py", there=False))
    found = {one.name: (one.bytes, one.files) for one in touched.untouched()}
    assert found == {
        "libm, a Debian package": (50, 1),
        "/var/lib/dpkg": (len("/.\n/lib/libm.so.6\n"), 2),
        "site-packages/numpy/linalg": (10, 2),
        "/a/b/c": (9, 1),
        "Python's own modules of one file": (6, 1),
        "site-packages/numpy.libs": (5, 1),
        "/usr/bin": (4, 1),
        "Python's own idlelib": (4, 1),
        "site-packages/six.py": (1, 1),
    }
    assert touched.missing == {f"/{site}/numpy/no.py"}
    assert [one.bytes for one in touched.untouched()] == sorted((size for size, _ in found.values()), reverse=True)
    assert [belongs_to(path, None) for path in ("/app", "/usr/share/zoneinfo/Europe/Berlin", "/etc/passwd")] == [
        "/app", "/usr/share/zoneinfo", "/etc",
    ]  # fmt: skip


def test_the_interpreter_of_a_script_and_of_a_program():
    scripts = {b"#!/opt/bin/python\nimport x\n": "/opt/bin/python", b"#! /usr/bin/env python\n": "/usr/bin/env"}
    broken = dict.fromkeys((b"just text", b"", b"#!", b"#!\n/bin/sh", b"\x7fELF\x02\x01"))
    assert {head: interpreter(head) for head in scripts | broken} == scripts | broken
    shown = run("readelf", "--program-headers", "/bin/ls").stdout
    assert f"interpreter: {interpreter(Path('/bin/ls').read_bytes()[:8192])}]" in shown


def opened(members, links=None) -> tarfile.TarFile:
    """A file system as `docker export` gives it."""
    return tarfile.open(fileobj=io.BytesIO(tar(members, links)))


def touched_of(folder, members, found) -> Touched:
    with opened(members) as exported:
        return touched_by(stacked(folder, members), found, exported)


def test_what_the_kernel_opens_by_itself_is_touched(tmp_path):
    loader = Path("/bin/ls").read_bytes()[:8192]
    own = interpreter(loader).lstrip("/")
    members = {"bin/app": b"#!/bin/py\n", "bin/py": "python3", "bin/python3": loader, own: b"loader"}
    touched = touched_of(tmp_path, members, [Look("/bin/app", there=True, executed=True)])
    assert {"/bin/app", "/bin/py", "/bin/python3", f"/{own}"} <= touched.names


def test_what_the_engine_puts_over_the_images_own_is_not_touched(tmp_path):
    members = {"etc/hosts": b"127.0.0.1 localhost", "etc/resolv.conf": b"nameserver 127.0.0.1", "etc/passwd": b"app:x"}
    touched = touched_of(tmp_path, members, [Look(f"/{name}", there=True) for name in members])
    assert {"/etc", "/etc/passwd"} <= touched.names
    assert sum(one.bytes for one in touched.untouched()) == len(members["etc/hosts"]) + len(members["etc/resolv.conf"])
