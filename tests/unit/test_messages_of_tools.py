"""Messages that can be provoked without an engine, each read as its tool prints it."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.record.records import load, record_path
from measure.steps.compose import find_step
from measure.studies.floor.finding import compare
from tests.conftest import TOOLS, eventually, run, venv_with
from tests.handmade import wheel
from tests.unit.test_messages import MESSAGES, seen

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take the network away")
APP = """
import time
def app(environ, start_response):
    time.sleep(30 if environ["PATH_INFO"] == "/slow" else 0)
    start_response("200 OK", [])
    return [b""]
"""


@pytest.fixture(scope="module")
def tools():
    """A folder of programs, installed once."""
    return venv_with(TOOLS)


@pytest.fixture
def said(tools, tmp_path):
    """What a command prints, run in an empty folder with nothing of this machine's settings."""
    (tmp_path / "home").mkdir()
    path = {"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(tmp_path / "home"), "POETRY_VIRTUALENVS_IN_PROJECT": "1"}

    def call(*command: str, **environment: str) -> str:
        done = run(*command, cwd=tmp_path, env=path | environment)
        return done.stdout + done.stderr

    return call


def test_a_floor_that_misses_something_says_so():
    def ran(status: int) -> SimpleNamespace:
        answer = SimpleNamespace(question="GET /", status=status)
        return SimpleNamespace(answered=[answer], healthy=(True, ""), exit_code=0)

    step = find_step("step-4")
    with pytest.raises(Problem) as problem:
        compare(step, step.variant("recommended"), ran(200), ran(500))
    seen("floor-more-files", problem.value.what)


@pytest.mark.parametrize(("name", "variant"), [("pg-config", "broken"), ("no-distribution", "only-binary")])
def test_what_a_build_ended_with_is_what_its_record_has(name, variant):
    seen(name, load(record_path("lab-amd64", "extra-compiling-deps", variant, "linux/amd64")).failure.line)


def test_pip_says_that_there_is_no_wheel(said):
    output = said("pip", "download", "--no-index", "--only-binary=:all:", "psycopg2")
    seen("no-version", output)
    seen("no-distribution", output)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("hashes-do-not-match", f"thing==1 --hash=sha256:{'0' * 64}"),
        ("hashes-are-required", "thing==1"),
    ],
)
def test_pip_says_what_is_wrong_with_hashes(said, tmp_path, name, line):
    wheel(tmp_path)
    (tmp_path / "list").write_text(line)
    install = ("pip", "install", "--no-index", "--find-links", ".", "--target", "t", "--require-hashes", "-r", "list")
    seen(name, said(*install))


DOWNLOAD = ("pip", "download", "--retries", "1", "--index-url", "https://index.example/simple/", "thing")


@AS_ROOT
def test_pip_says_that_no_name_is_known(said):
    seen("name-resolution", said("unshare", "--net", *DOWNLOAD))


def test_pip_says_that_the_proxy_does_not_answer(said):
    seen("proxy-refused", said(*DOWNLOAD, https_proxy="http://127.0.0.1:9"))


class Index(http.server.BaseHTTPRequestHandler):
    """A package index with one wheel, which may ask who is there."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        known = self.headers.get("Authorization") == "Basic bWU6c2VjcmV0"  # me:secret
        name = self.server.wheel.name
        file = self.server.wheel.read_bytes()
        page = f'<a href="/{name}#sha256={hashlib.sha256(file).hexdigest()}">{name}</a>'.encode()
        body = file if self.path.endswith(".whl") else page
        self.send_response(200 if known or not self.server.private else 401)
        self.send_header("WWW-Authenticate", 'Basic realm="index"')
        self.send_header("Content-Type", "application/zip" if self.path.endswith(".whl") else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self):
        self.send_error(405)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def index(folder: Path, certificate: Path | None = None):
    """An index on loopback; its address. Private where it has no certificate."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    server.wheel, server.private = wheel(folder), certificate is None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"{'https' if certificate else 'http'}://localhost:{server.server_port}/simple/"
    server.shutdown()


@pytest.fixture
def certificates(tmp_path):
    """A CA that nobody knows, and what it signed for localhost."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl on this machine makes certificates")
    new = ("openssl", "req", "-newkey", "rsa:2048", "-nodes")
    (tmp_path / "names").write_text("subjectAltName=DNS:localhost")
    for command in (
        (*new, "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=company"),
        (*new, "-keyout", "key", "-out", "request", "-subj", "/CN=localhost"),
        ("openssl", "x509", "-req", "-in", "request", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
         "-out", "leaf", "-extfile", "names"),
    ):  # fmt: skip
        run(*command, cwd=tmp_path).check_returncode()
    chain = "".join((tmp_path / name).read_text() for name in ("key", "leaf", "ca.pem"))
    (tmp_path / "server.pem").write_text(chain)
    return tmp_path / "ca.pem", tmp_path / "server.pem"


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("self-signed", ("pip", "install", "--retries", "0", "--no-deps", "--target", "t")),
        ("unknown-issuer", ("uv", "pip", "install", "--no-deps", "--target", "t")),
    ],
)
def test_a_ca_that_nobody_knows_is_told_and_ssl_cert_file_mends_it(said, tmp_path, certificates, name, command):
    ca, server = certificates
    with index(tmp_path, server) as url:
        seen(name, said(*command, "--index-url", url, "thing"))
        assert not (tmp_path / "t/thing.py").exists()
        mended = said(*command, "--index-url", url, "thing", SSL_CERT_FILE=str(ca))
    assert (tmp_path / "t/thing.py").exists(), mended


def test_what_installs_the_tooling_says_how_a_ca_that_nobody_knows_is_named(tmp_path, certificates):
    """It said to see whether pip reaches its index, which it does."""
    ca, server = certificates
    path = wheel(tmp_path)
    (tmp_path / "list").write_text(f"thing==1 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n")
    command = ("bash", ROOT / "measure/install.sh", sys.executable, "list")
    with index(tmp_path, server) as url:
        own = {name: value for name, value in os.environ.items() if "CA_BUNDLE" not in name}  # pip asks these first
        own |= {"PIP_INDEX_URL": url, "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
        told = run(*command, cwd=tmp_path, env=own)
        assert told.returncode == 1
        assert "Next: name the file with your company's certificates (export PIP_CERT=" in told.stderr, told.stderr
        mended = run(*command, cwd=tmp_path, env=own | {"PIP_CERT": str(ca)})
    assert mended.returncode == 0, mended.stderr


def test_an_index_that_asks_for_a_user_is_told_and_a_netrc_file_mends_it(said, tmp_path):
    with index(tmp_path) as url:
        install = ("pip", "install", "--no-deps", "--target", "t", "--index-url", url, "thing")
        seen("index-asks-for-a-user", said(*install))
        assert not (tmp_path / "t/thing.py").exists()
        (tmp_path / "home/.netrc").write_text("machine localhost login me password secret")
        mended = said(*install)
        by_uv = said("uv", "pip", "install", "--no-deps", "--target", "u", "--default-index", url, "thing")
    assert (tmp_path / "t/thing.py").exists(), mended
    assert (tmp_path / "u/thing.py").exists(), by_uv


def test_setuptools_says_that_there_is_no_compiler(said, tmp_path, tools):
    (tmp_path / "setup.py").write_text(
        "from setuptools import Extension, setup\nsetup(name='x', ext_modules=[Extension('x', ['x.c'])])\n"
    )
    (tmp_path / "x.c").touch()
    seen("gcc-not-found", said(f"{tools}/python", "setup.py", "build_ext", PATH="/nowhere", CC="gcc"))


def test_setuptools_says_that_there_is_no_rust(said, tmp_path, tools):
    (tmp_path / "setup.py").write_text(
        "from setuptools import setup\nfrom setuptools_rust import RustExtension\n"
        "setup(name='x', rust_extensions=[RustExtension('x', path='Cargo.toml')])\n"
    )
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "x"\nversion = "0.1.0"\n')
    seen("no-rust", said(f"{tools}/python", "setup.py", "build_rust", PATH="/nowhere"))


def test_django_says_that_gdal_is_not_there(said, tools):
    """Also on a machine that has it: nothing on this path or in these folders says where."""
    hidden = "import ctypes.util; ctypes.util.find_library = lambda name: None; import django.contrib.gis.gdal"
    seen("gdal", said(f"{tools}/python", "-c", hidden))


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no second file system to install into")
def test_uv_says_that_it_cannot_link(said, tmp_path):
    wheel(tmp_path)
    target = Path(f"/dev/shm/{tmp_path.name}")
    try:
        seen("hardlink", said("uv", "pip", "install", "--no-index", "--find-links", ".", "--target", target, "thing"))
    finally:
        shutil.rmtree(target, ignore_errors=True)


PROJECT = """[project]
name = "whichimage"
version = "1"
requires-python = ">=3.11"
"""


@pytest.mark.parametrize(
    ("name", "command", "files"),
    [
        ("pyproject-changed", "install --no-root", ("pyproject.toml", "poetry.lock")),
        ("no-folder-for-package", "install", ("pyproject.toml",)),
        ("no-project", "install", ()),
        ("no-export", "--no-plugins export", ("pyproject.toml",)),
        ("command-not-found-gunicorn", "run gunicorn", ("pyproject.toml",)),
    ],
)
def test_poetry_says_what_it_misses(said, tmp_path, tools, name, command, files):
    for file in files:
        (tmp_path / file).write_text(PROJECT if file == "pyproject.toml" else "")
    if "poetry.lock" in files:
        said(f"{tools}/poetry", "lock")
        (tmp_path / "pyproject.toml").write_text(PROJECT.replace("3.11", "3.10"))
    seen(name, said(f"{tools}/poetry", *command.split(), PATH="/usr/bin:/bin"))


def test_the_hook_says_what_it_misses(said, tmp_path, tools):
    (tmp_path / ".pre-commit-config.yaml").write_text(
        "repos: [{repo: local, hooks: [{id: x, name: x, language: system, entry: poetry export, always_run: true}]}]"
    )
    said("git", "init", "--quiet")
    said("git", "add", ".")
    seen("hook-no-poetry", said(f"{tools}/pre-commit", "run", "--all-files", PATH="/usr/bin:/bin"))
    said("git", "config", "core.hooksPath", "hooks")
    seen("hooks-path", said("pre-commit", "install"))


@contextlib.contextmanager
def gunicorn(tools: Path, folder: Path, *options: str, app: str = "app:app"):
    """gunicorn on a free port; yields the port, its process, and what reads its log."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (folder / "app.py").write_text(APP)
    command = [tools / "gunicorn", "--bind", f"127.0.0.1:{port}", "--no-control-socket", *options, app]
    log = folder / "gunicorn.log"
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=folder, stdout=file, stderr=file, start_new_session=True)
    try:
        eventually(lambda: "Booting worker" in log.read_text() or process.poll() is not None, told=log.read_text)
        yield port, process, log.read_text
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_gunicorn_says_that_somebody_was_silent_and_blames_the_memory(tools, tmp_path):
    with gunicorn(tools, tmp_path, "--timeout", "1") as (port, _, log), socket.create_connection(("127.0.0.1", port)):
        eventually(lambda: MESSAGES["out-of-memory"].is_in(log()), told=log)
        seen("worker-timeout", log())


def test_a_timeout_ends_no_request_that_hangs_in_a_thread(tools, tmp_path):
    with (
        gunicorn(tools, tmp_path, "--threads", "4", "--timeout", "3") as (port, _, log),
        socket.create_connection(("127.0.0.1", port)) as hanging,
    ):
        hanging.sendall(b"GET /slow HTTP/1.0\r\n\r\n")
        hanging.settimeout(7)
        with pytest.raises(TimeoutError):
            hanging.recv(1)
        assert "WORKER TIMEOUT" not in log()


def test_gunicorn_ends_without_the_folder_of_its_heartbeat_and_a_variable_names_another(tools, tmp_path, monkeypatch):
    """AWS Lambda has no /dev/shm. We have no Lambda: here it is a folder that is missing."""
    (tmp_path / "gunicorn.conf.py").write_text(f"worker_tmp_dir = '{tmp_path}/missing'\n")
    with gunicorn(tools, tmp_path) as (_, process, log):
        process.wait(60)
        assert "RuntimeError" in log()
        assert "doesn't exist. Can't create workertmp." in log()
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--worker-tmp-dir=/tmp")
    with gunicorn(tools, tmp_path) as (_, process, _):
        assert process.poll() is None


def test_a_server_that_is_killed_gives_an_empty_reply(tools, tmp_path):
    if not shutil.which("curl"):
        pytest.skip("no curl on this machine")
    with gunicorn(tools, tmp_path) as (port, process, _):
        command = ["curl", "--silent", "--show-error", "--noproxy", "*", f"http://127.0.0.1:{port}/slow"]
        asking = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        time.sleep(1)
        os.killpg(process.pid, signal.SIGKILL)
        seen("empty-reply", asking.communicate(timeout=60)[1])


def test_gunicorn_says_that_the_application_is_not_there(tools, tmp_path):
    with gunicorn(tools, tmp_path, app="whichimage:app") as (_, process, log):
        process.wait(60)
        seen("module-not-found", log())


def test_gunicorn_says_that_the_port_is_taken(said):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        output = said("gunicorn", "--bind", f"127.0.0.1:{port}", "app:app")
    seen("connection-in-use", output.replace(f"('127.0.0.1', {port})", "('0.0.0.0', 8000)"))


def test_uvicorn_takes_the_address_of_a_service_that_has_its_name_for_its_port(said):
    seen("port-is-an-address", said("uvicorn", "app:app", UVICORN_PORT="tcp://10.96.0.12:80"))


def test_a_probe_asks_the_proxy_for_itself(said, tools):
    probe = "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health')"
    seen("probe-and-proxy", said(f"{tools}/python", "-c", probe, http_proxy="http://127.0.0.1:9"))


def test_python_says_that_there_is_no_time_zone(said, tools):
    seen("zone", said(f"{tools}/python", "-c", "import zoneinfo; zoneinfo.ZoneInfo('Europe/Berlin')", PYTHONTZPATH=""))


def test_a_time_zone_that_is_not_there_is_utc_and_nobody_says_so(said, tools):
    offset = "import time; print(time.timezone)"
    assert said(f"{tools}/python", "-c", offset, TZ="Nowhere/Town") == "0\n"
