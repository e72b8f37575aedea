"""The workshop's offline kit: what goes in, what serves it, and what its installer says of a bad one. No engine."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from kit import making, packages, serve, wanted
from lab import config, services, tree
from lab import kit as lab_kit
from measure.base.errors import Problem
from measure.base.files import ROOT, sha256_of
from measure.exercises.model import exercises
from tests.conftest import TOOLS, eventually, program, run, serving, venv_with
from tests.handmade import wheel

INSTALL = ROOT / "kit/install.py"


@pytest.mark.parametrize(
    ("text", "found"), [("", [1, 2, 3, 4, 5]), ("1-3", [1, 2, 3]), ("2", [2]), ("1,4-5", [1, 4, 5])]
)
def test_chapters_are_told_by_numbers_and_a_kit_is_named_after_them(text, found):
    assert wanted.numbers(text) == found
    assert wanted.Wanted(found, ["linux/amd64"]).name.endswith(f"-chapters-{text}" if text else "-amd64")


@pytest.mark.parametrize("text", ["0", "1-9", "3-1", "one", "1-", "-2"])
def test_what_is_no_chapter_is_told(text):
    with pytest.raises(Problem, match="means nothing"):
        wanted.numbers(text)


def test_the_kit_for_the_first_two_routes_has_their_exercises_and_not_those_of_the_third():
    pages = ROOT / "docs/workshop"
    routes = re.findall(r"route\(\d+, (.+?)\)", (pages / "routes.md").read_text())
    row = re.search(r"CHAPTERS=(\S+) DOCKER=1` \| the exercises of the first two", (pages / "kit.md").read_text())
    there = {one.number for one in exercises() if one.check.chapter in wanted.numbers(row[1])}
    first, second, third = (set(map(int, one.split(","))) for one in routes)
    assert first | second <= there
    assert not third <= there


def test_a_kit_has_what_the_exercises_of_its_chapters_name_and_no_more():
    least, all_of_it = wanted.Wanted([1, 2, 3], ["linux/amd64"]), wanted.Wanted(wanted.numbers(""), ["linux/amd64"])
    assert {one.check.chapter for one in least.exercises} == {1, 2, 3}
    assert "python:3.14-alpine" not in least.bases
    assert least.bases["python:3.14-slim"] == ["linux/amd64"]
    assert "numpy" not in least.requirements()
    assert least.name == "python-images-workshop-amd64-chapters-1-3"
    assert [one.name for one in all_of_it.exercises] == [*(one.name for one in exercises()), "golf"]
    assert all_of_it.bases["python:3.14-slim"] == ["linux/amd64", "linux/arm64"]  # one exercise is for the other one
    assert ["gcc", "libc6-dev", "libpq-dev"] in all_of_it.debian()
    assert any(line.startswith("pytest==") for line in least.resolved())
    assert any(line.startswith("poetry==") for line in all_of_it.resolved())


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("numpy-2.4.6-cp314-cp314-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl", True),
        ("numpy-2.4.6-cp314-cp314-musllinux_1_2_x86_64.whl", True),
        ("psutil-7.2.2-cp36-abi3-manylinux2010_x86_64.whl", True),
        ("flask-3.1.3-py3-none-any.whl", True),
        ("psycopg2-2.9.13.tar.gz", True),
        ("numpy-2.4.6-cp314-cp314t-manylinux_2_28_x86_64.whl", False),
        ("numpy-2.4.6-cp313-cp313-manylinux_2_28_x86_64.whl", False),
        ("numpy-2.4.6-cp314-cp314-macosx_11_0_arm64.whl", False),
        ("numpy-2.4.6-cp314-cp314-manylinux_2_28_aarch64.whl", False),
        ("flask-3.2.0rc1-py3-none-any.whl", False),
        ("flask.exe", False),
    ],
)
def test_a_file_is_taken_when_pip_could_take_it(name, fits):
    assert (wanted.version_of(name, wanted.IMAGES, ["x86_64"]) is not None) is fits


def test_pages_of_the_index_are_read_and_written_alike(tmp_path):
    digest = "a" * 64
    page = f'<a href="../../f/one-1.whl#sha256={digest}" data-requires-python="&gt;=3">one-1.whl</a>'
    page += (
        f'<a data-yanked="bad" href="/f/one-2.whl#sha256={digest}">one-2.whl</a><a href="/f/one-3.whl">one-3.whl</a>'
    )
    assert packages.links(page, "http://h/simple/one/") == {"one-1.whl": ("http://h/f/one-1.whl", digest)}
    packages._page(tmp_path, "one", {"one-1.whl": digest})
    written = packages.links((tmp_path / "simple/one/index.html").read_text(), "http://h/simple/one/")
    assert written == {"one-1.whl": ("http://h/files/one-1.whl", digest)}


def test_packages_are_fetched_once_checked_and_dropped_when_nobody_needs_them(tmp_path, served):
    """From an index on loopback that has a package in two versions, and one whose checksum is wrong."""
    index, web = tmp_path / "index", tmp_path / "web"
    good, bad = hashlib.sha256(b"a wheel").hexdigest(), "0" * 64
    for name, digest in {"good": good, "bad": bad}.items():
        files = [f"{name}-{version}-py3-none-any.whl" for version in (1, 2)]
        (index / "simple" / name).mkdir(parents=True)
        lines = [f'<a href="/{file}#sha256={digest}">{file}</a>' for file in files]
        (index / "simple" / name / "index.html").write_text("".join(lines))
        for file in files:
            (index / file).write_text("a wheel")
    lab = SimpleNamespace(index=served(index))

    def fetch(versions):
        packages.python_packages(lab, web, versions, wanted.IMAGES, ["x86_64"], lambda _: None)
        return sorted(path.name for path in (web / "files").iterdir())

    assert fetch({"good": set()}) == ["good-2-py3-none-any.whl"]
    assert fetch({"good": {"1"}}) == ["good-1-py3-none-any.whl"]
    with pytest.raises(Problem, match="has no good 3"):
        fetch({"good": {"3"}})
    with pytest.raises(Problem, match="did not come as it should"):
        fetch({"bad": set()})
    assert sorted(path.name for path in (web / "files").iterdir()) == ["good-1-py3-none-any.whl"]


@pytest.fixture
def served(tmp_path):
    """Starts servers of a folder on loopback; returns the address of one."""
    with contextlib.ExitStack() as stack:

        def start(folder, kind=serve.Handler):
            server = stack.enter_context(serving(partial(kind, directory=str(folder))))
            return f"http://127.0.0.1:{server.server_port}"

        yield start


def test_a_download_that_was_cut_short_goes_on_where_it_stopped(tmp_path, served):
    content = bytes(range(256)) * 40
    (tmp_path / "web").mkdir()
    (tmp_path / "web/kit.tar").write_bytes(content)
    (tmp_path / "begun.tar").write_bytes(content[:1000])
    address = f"{served(tmp_path / 'web')}/kit.tar"
    assert shutil.which("curl"), "the page tells people to use it"
    for _ in range(2):  # the second time there is nothing left to send
        done = subprocess.run(["curl", "-sS", "-C", "-", "-o", "begun.tar", address], cwd=tmp_path, timeout=30)
        assert done.returncode in (0, 33)
        assert (tmp_path / "begun.tar").read_bytes() == content
    assert httpx.get(address, headers={"Range": "bytes=99999-"}, trust_env=False).status_code == 416


PROJECT = """
[project]
name = "app"
version = "1"
requires-python = ">=3.11"
dependencies = ["thing"]
[tool.poetry]
package-mode = false
[[tool.poetry.source]]
name = "kit"
url = "{}"
priority = "primary"
"""


def test_pip_poetry_and_uv_install_from_its_index(tmp_path, served):
    programs = venv_with(TOOLS)
    (tmp_path / "web/files").mkdir(parents=True)
    path = wheel(tmp_path / "web/files")
    packages._page(tmp_path / "web", "thing", {path.name: hashlib.sha256(path.read_bytes()).hexdigest()})
    index = f"{served(tmp_path / 'web')}/simple/"
    (tmp_path / "pyproject.toml").write_text(PROJECT.format(index))
    for name, *commands in (
        ("pip", ["pip", "--python", "{}", "install", "--index-url", index, "thing"]),
        ("poetry", ["poetry", "lock"], ["poetry", "sync"]),
        ("uv", ["uv", "pip", "install", "--no-cache", "--python", "{}", "--default-index", index, "thing"]),
    ):
        own = tmp_path / name
        run(sys.executable, "-m", "venv", "--without-pip", own).check_returncode()
        environment = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(tmp_path), "VIRTUAL_ENV": str(own)}
        for command in commands:
            done = run(*(word.format(own) for word in command), cwd=tmp_path, env=environment)
            assert done.returncode == 0, done.stdout + done.stderr
        assert [*own.glob("lib/python*/site-packages/thing.py")], name


def test_a_client_that_hangs_up_is_no_news_to_a_server(tmp_path, served, capfd):
    address = served(tmp_path)
    host, port = address.removeprefix("http://").split(":")
    for _ in range(3):
        with socket.create_connection((host, int(port))) as client:
            client.send(b"GET /")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # with a reset
    assert httpx.get(address, trust_env=False).status_code == 200
    time.sleep(0.2)
    assert "Traceback" not in capfd.readouterr().err


def test_a_proxy_gives_what_the_kit_has_and_asks_elsewhere_for_the_rest(tmp_path, served):
    for name, text in {
        "kit/simple/flask/index.html": "a page",
        "kit/debian/a.deb": "ours",
        "net/b.deb": "theirs",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    net = served(tmp_path / "net")
    proxy = served(tmp_path / "kit", type("Forwarding", (serve.Handler,), {"forwards": True}))
    with httpx.Client(proxy=proxy, trust_env=False) as client:
        assert client.get("http://nowhere.invalid/simple/flask/").text == "a page"
        assert client.get("http://nowhere.invalid/debian/a.deb").text == "ours"
        assert client.get(f"{net}/b.deb").text == "theirs"
        assert client.get(f"{net}/c.deb").status_code == 404
        assert client.get("http://nowhere.invalid/simple/other/").status_code == 404
        assert client.get("http://nowhere.invalid/d.deb").status_code == 504
        assert client.get("http://nowhere.invalid/../../net/b.deb").status_code == 504
    with httpx.Client(proxy=served(tmp_path / "kit"), trust_env=False) as client:  # to a room, it is no proxy
        assert client.get(f"{net}/b.deb").status_code == 404


@pytest.fixture
def kit(tmp_path):
    """A kit's folder with two files, as far as its installer looks at it before it changes anything."""
    stage = tmp_path / "stage"
    (stage / "web").mkdir(parents=True)
    (stage / "web/a.whl").write_text("a wheel")
    (stage / "bases.json").write_text("{}")
    making._described(wanted.Wanted([1], ["linux/amd64"]), stage, {"packages": ["web"]})
    making._pack(stage, [*making.SCRIPTS, "kit.json", "SHA256SUMS", "web"], tmp_path / "kit.tar")
    return stage


def install(kit: Path, *words, **options):
    return subprocess.run(
        [sys.executable, kit / "install", *words], capture_output=True, text=True, timeout=60, **options
    )


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda kit: (kit / "web/a.whl").write_text("a whee"), "web/a.whl is not what SHA256SUMS says"),
        (lambda kit: (kit / "web/a.whl").unlink(), "web/a.whl: No such file"),
        (lambda kit: (kit / "SHA256SUMS").unlink(), "no file SHA256SUMS"),
    ],
)
def test_a_kit_that_is_cut_short_is_told_and_nothing_is_installed(kit, tmp_path, spoil, told):
    spoil(kit)
    done = install(kit, str(tmp_path / "new"))
    assert done.returncode == 1
    assert "cut short" in done.stderr and told in done.stderr and "Next: tar -xf" in done.stderr
    assert not (tmp_path / "new").exists()


def test_a_full_disk_is_told_before_anything_is_unpacked(kit, tmp_path):
    script = kit / "install"
    script.write_text(script.read_text().replace("DISK_BYTES = 6_000_000_000", "DISK_BYTES = 6_000_000_000_000_000"))
    sums = (kit / "SHA256SUMS").read_text().splitlines()
    digest = sha256_of(script)
    (kit / "SHA256SUMS").write_text("\n".join(f"{digest}  install" if "  install" in line else line for line in sums))
    done = install(kit, str(tmp_path / "new"))
    assert done.returncode == 1
    assert "Too little disk space" in done.stderr and "Next: df -h" in done.stderr
    assert not (tmp_path / "new").exists()


def test_a_repository_that_cannot_be_cloned_leaves_nothing(kit, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/a").touch()
    assert "is not empty" in install(kit, str(tmp_path / "full")).stderr
    done = install(kit, str(tmp_path / "new"))  # it has no bundle
    assert done.returncode == 1
    assert "git clone failed" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "kit.tar", "kit.tar.sha256", "stage"]


def test_ctrl_c_leaves_nothing_of_an_installation(kit, tmp_path):
    """A `git` that never ends stands in for one that was just cloning."""
    program(tmp_path / "bin/git", f'#!/bin/sh\nmkdir -p "$4"\ntouch {tmp_path}/begun\nexec sleep 60\n')
    command = [sys.executable, kit / "install", tmp_path / "new"]
    environment = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    started = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        eventually((tmp_path / "begun").exists)
        assert (tmp_path / "new.partial").exists()
        started.send_signal(signal.SIGINT)
        told = started.communicate(timeout=30)[1]
    finally:
        started.kill()
    assert started.returncode == 130
    assert "Stopped by you" in told
    assert not list(tmp_path.glob("new*"))


def test_a_kit_of_another_version_is_told_before_the_lab_is_touched(tmp_path, monkeypatch):
    monkeypatch.setattr(lab_kit.lifecycle, "why_not_here", lambda: None)
    monkeypatch.setattr(lab_kit.lifecycle, "other_engine", lambda lab: None)
    (tmp_path / "kit.json").write_text(json.dumps({"bases": {"python:3.14-slim": {"recipe": "old"}}}))
    with pytest.raises(Problem, match="not of this version"):
        lab_kit.take(config.Lab(tmp_path / "lab", 5031), tmp_path)
    assert not (tmp_path / "lab").exists()


def test_the_lab_has_the_packages_of_the_kit_that_it_took_last(tmp_path):
    """One for three chapters first, and then one for all: what the first lacks would be asked for at no network."""
    lab = config.Lab(tmp_path / "lab", 5031)
    lab.work.mkdir(parents=True)
    for number, file in enumerate(("one.whl", "two.whl", "two.whl")):
        kit = tmp_path / f"kit-{number}"
        (kit / "web").mkdir(parents=True)
        (kit / "web" / file).write_text(file)
        (kit / "SHA256SUMS").write_text(file)
        lab_kit._web(lab, kit)
        assert {path.name for path in lab.kit.iterdir()} == {file, "SHA256SUMS"}


def test_an_archive_is_whole_or_not_there(kit, tmp_path, monkeypatch):
    before = (tmp_path / "kit.tar").read_bytes()
    monkeypatch.setattr(making, "sha256_of", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        making._pack(kit, ["kit.json"], tmp_path / "kit.tar")
    monkeypatch.setattr(making.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(2, 1, 1))
    with pytest.raises(Problem, match="Too little disk space for the kit"):
        making._pack(kit, ["kit.json"], tmp_path / "kit.tar")
    assert (tmp_path / "kit.tar").read_bytes() == before
    assert not list(tmp_path.glob("*.partial"))


def test_a_python_that_the_kit_has_nothing_for_is_told_before_anything_is_unpacked(kit, tmp_path):
    told = json.loads((kit / "kit.json").read_text())
    assert told["pythons"] == ["3.11", "3.12", "3.13", "3.14"]
    (kit / "kit.json").write_text(json.dumps(told | {"pythons": ["3.9"]}))
    sums = [line for line in (kit / "SHA256SUMS").read_text().splitlines() if "kit.json" not in line]
    (kit / "SHA256SUMS").write_text("\n".join(sums))
    done = install(kit, str(tmp_path / "new"))
    assert done.returncode == 1
    assert "nothing for this Python" in done.stderr and "Next: python3.9 install" in done.stderr
    assert not (tmp_path / "new").exists()


def test_a_configuration_that_is_a_link_stays_one(kit, tmp_path):
    """As for whoever keeps such files in a repository of their own."""
    program(tmp_path / "bin/docker", "#!/bin/sh\n")
    (tmp_path / "kept.json").write_text(json.dumps({"proxies": {"default": {"httpProxy": "http://b:3151"}}}))
    (tmp_path / "config.json").symlink_to("kept.json")
    done = install(kit, "--remove", env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "DOCKER_CONFIG": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "config.json").is_symlink()
    assert json.loads((tmp_path / "kept.json").read_text()) == {}


def test_removing_leaves_dockers_configuration_as_it_was(kit, tmp_path):
    """A `docker` that does nothing stands in for the client: only the container would be its business."""
    program(tmp_path / "bin/docker", "#!/bin/sh\n")
    own = {"auths": {}, "proxies": {"default": {"noProxy": "a"}}}
    (tmp_path / "config.json").write_text(
        json.dumps(own | {"proxies": {"default": {"noProxy": "a", "httpProxy": "http://b:3151"}}})
    )
    (tmp_path / "config.json").chmod(0o600)
    done = install(kit, "--remove", env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "DOCKER_CONFIG": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "config.json").read_text()) == own
    assert (tmp_path / "config.json").stat().st_mode & 0o777 == 0o600


def test_a_configuration_of_docker_that_is_not_json_is_told_and_left(kit, tmp_path):
    (tmp_path / "config.json").write_text("{")
    done = install(kit, "--remove", env={"PATH": "/usr/bin:/bin", "DOCKER_CONFIG": str(tmp_path)})
    assert done.returncode == 1
    assert "is not JSON" in done.stderr
    assert (tmp_path / "config.json").read_text() == "{"


def test_the_lab_asks_the_kit_first_only_where_there_is_one(tmp_path):
    lab = config.Lab(tmp_path, 5031)
    certificates = lab.tree / "etc/ssl/certs/ca-certificates.crt"
    certificates.parent.mkdir(parents=True)
    certificates.write_text("")
    there = f"listen {config.BRIDGE_ADDRESS}:{config.KIT_PORT};"
    for kit in (False, True):
        if kit:
            lab.kit.mkdir()
        text = services.index_config(lab, "https://index.example/simple/")
        assert (there in text) is kit
        assert not re.search("@[a-z]+@", text)
        assert text.count("{") == text.count("}")
        tree.client(lab)
        assert ("proxies" in json.loads((lab.client_config / "config.json").read_text())) is kit
