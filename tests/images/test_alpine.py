"""The stand-in for python:3.14-alpine: a whole Python on musl, and an apk whose compiler makes what musl can load."""

import subprocess
from pathlib import Path

import pytest

from measure.base.platforms import PLATFORMS
from measure.build.engine import Engine
from tests.conftest import NATIVE, run

pytestmark = [pytest.mark.alpine, pytest.mark.timeout(3000)]  # the base is compiled where there is none
BASE = "python:3.14-alpine"
#: One image, so that the compiler is fetched once: compilers in, two extensions built, compilers out, in one RUN.
DOCKERFILE = f"""FROM {BASE}
COPY demo /demo
RUN apk add --no-cache --virtual .build-deps gcc g++ musl-dev make linux-headers \\
    && make -C /demo \\
    && pip install --no-cache-dir --no-build-isolation --target /made /demo \\
    && apk del .build-deps
RUN pip install --no-cache-dir numpy
"""
FILES = {
    "Makefile": "all:\n\tpip install --no-cache-dir setuptools\n",
    "setup.py": """from setuptools import Extension, setup
setup(name="demo", version="1", ext_modules=[Extension("in_c", ["in_c.c"]), Extension("in_cpp", ["in_cpp.cpp"])])
""",
    "in_c.c": """#include <Python.h>
#include <linux/limits.h>
static PyObject *answer(PyObject *self, PyObject *arguments) { return PyLong_FromLong(PATH_MAX); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "in_c", "", -1, methods};
PyMODINIT_FUNC PyInit_in_c(void) { return PyModule_Create(&module); }
""",
    "in_cpp.cpp": """#include <Python.h>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
static PyObject *answer(PyObject *self, PyObject *arguments) {
    std::map<std::string, int> found;
    try {
        throw std::runtime_error("thrown");
    } catch (const std::exception &error) {
        std::cerr << error.what() << std::endl;
        found[error.what()] = 42;
    }
    return PyLong_FromLong(found["thrown"]);
}
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "in_cpp", "", -1, methods};
PyMODINIT_FUNC PyInit_in_cpp(void) { return PyModule_Create(&module); }
""",
}
MODULES = "bz2 compression.zstd ctypes curses dbm.gnu hashlib lzma readline sqlite3 ssl uuid zlib zoneinfo"


class Alpine:
    """An image on the base, built for a platform, and what its shell prints."""

    def __init__(self, engine: Engine, platform: str, folder: Path) -> None:
        self.client, self.platform = engine.docker.client_config.client_call[0], platform
        self.tag = f"test-alpine:{platform.split('/')[1]}"
        (folder / "demo").mkdir()
        (folder / "Dockerfile").write_text(DOCKERFILE)
        for name, text in FILES.items():
            (folder / "demo" / name).write_text(text)
        built = run(self.client, "buildx", "build", "--platform", platform, "--tag", self.tag, "--load", folder,
                    seconds=1500)  # fmt: skip
        assert built.returncode == 0, built.stderr[-3000:]

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        return run(self.client, "run", "--rm", "--platform", self.platform, self.tag, "sh", "-c", script)

    def prints(self, script: str) -> str:
        found = self.run(script)
        assert found.returncode == 0, found.stderr
        return found.stdout.strip()


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.arm64] if name != NATIVE else []) for name in PLATFORMS],
)
def alpine(request, engine, tmp_path_factory):
    if engine.kind != "lab":
        pytest.skip("is about the lab's own stand-in; run it with ENGINE=lab")
    engine.provide([BASE], [request.param])
    built = Alpine(engine, request.param, tmp_path_factory.mktemp("alpine"))
    yield built
    run(built.client, "image", "rm", "--force", built.tag)


def test_python_is_whole_and_pip_takes_wheels_for_musl(alpine):
    alpine.prints(f"python -c 'import {MODULES.replace(' ', ', ')}; assert hashlib.sha256(b\"\").hexdigest()'")
    assert alpine.prints("python -c 'import sysconfig; print(sysconfig.get_config_var(\"CC\"))'") == "gcc"
    assert "musllinux" in alpine.prints("cat /usr/local/lib/python3.14/site-packages/numpy-*.dist-info/WHEEL")
    assert alpine.prints("python -c 'import numpy; print(numpy.arange(4).sum())'") == "6"


def test_extensions_in_c_and_cpp_work_need_musl_only_and_their_compiler_is_gone(alpine):
    code = "import in_c, in_cpp; print(in_c.answer(), in_cpp.answer())"
    assert alpine.prints(f"PYTHONPATH=/made python -c '{code}'") == "4096 42"
    for line in alpine.prints("ldd /made/*.so | grep '=>'").splitlines():
        assert line.split()[0].startswith(("libc.", "ld-musl")), line
    assert alpine.prints("command -v gcc g++ make || echo none") == "none"
    assert alpine.prints("find / -xdev -name '*zig*' -not -path '/proc/*'") == ""
    assert alpine.prints("apk info -e musl; apk info -e gcc || echo gone").split() == ["musl", "gone"]


def test_apk_refuses_by_name_what_it_does_not_have_and_does_not_pretend_to_be_alpine(alpine):
    refused = alpine.run("apk add --no-cache gcc imagemagick")
    assert refused.returncode == 1
    assert all(word in refused.stderr for word in ("imagemagick", "stand-in", "linux-headers"))
    assert alpine.run("apk info -e gcc").returncode == 1
    constraint = alpine.run("apk add 'gcc~15'")
    assert constraint.returncode == 1
    assert "gcc~15" in constraint.stderr
    assert "ID=lab-musl" in alpine.prints("cat /etc/os-release")
    assert "stand-in" in alpine.prints("apk --version")


def test_busybox_makes_users_as_alpines_does(alpine):
    assert alpine.prints("addgroup -S app && adduser -S -G app app && id -un app") == "app"
    assert alpine.prints("adduser -D -H -u 10001 app && su app -c 'id -u'") == "10001"
