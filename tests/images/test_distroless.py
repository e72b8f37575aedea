"""The images without a distribution: nothing in them but what runs, and all of that runs."""

import json
import re

import pytest

from measure.base.names import LAB_ENVIRONMENT
from measure.record.records import load, record_path
from measure.run.probe import running, wait_for
from measure.steps.compose import all_steps
from measure.steps.copying import clean_copy
from tests.conftest import HARDENED, marks

CASES = [
    pytest.param(step, variant, platform, id=f"{step.name}-{platform.split('/')[1]}", marks=marks(variant, platform))
    for step in all_steps()
    for variant in step.variants
    for platform in variant.platforms()
    if variant.name == "distroless"
]
pytestmark = pytest.mark.parametrize(("step", "variant", "platform"), CASES)
#: Imports each module of the standard library that is compiled, and some that need data or a library of their own.
EVERY_MODULE = """
import glob, importlib.util, os, sysconfig
folder = sysconfig.get_config_var("DESTSHARED")
names = sorted(os.path.basename(path).partition(".")[0] for path in glob.glob(folder + "/*.so"))
for name in [*names, "ssl", "sqlite3", "ctypes", "lzma", "compression.zstd", "decimal", "asyncio", "email", "unittest"]:
    importlib.import_module(name)
print(len(names), *(name for name in ("pip", "ensurepip") if importlib.util.find_spec(name)))
"""
#: Files that the kernel would run and that are no shared libraries: programs, and scripts whose interpreter is there.
PROGRAMS = """
import os
for folder, _, names in os.walk("/"):
    if folder.startswith(("/proc", "/sys", "/dev")):
        continue
    for name in names:
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK) and ".so" not in name and not os.path.islink(path):
            with open(path, "rb") as file:
                begin, *_ = file.readline().split() or [b""]
            if begin.startswith(b"\x7fELF") or begin.startswith(b"#!") and os.path.exists(begin[2:]):
                print(path)
"""


@pytest.fixture
def said(engine, image, step, variant, platform):
    """What Python prints in the image."""
    name = image(step, variant, platform)
    return lambda script, **options: engine.docker.run(
        name, ["python", "-c", script], platform=platform, remove=True, **options
    )


@pytest.mark.parametrize("program", ["sh", "pip", "apt-get", "dpkg", "/bin/sh", "/usr/bin/env"])
def test_there_is_no_shell_and_no_package_manager(docker, image, step, variant, platform, program):
    refused = docker("run", "--rm", "--platform", platform, image(step, variant, platform), program, "--version")
    assert refused.returncode == 127
    assert re.search(r"executable file not found|no such file or directory", refused.stderr)


def test_what_can_be_executed_is_python_and_what_pip_made_for_it(said):
    programs = said(PROGRAMS).split()
    assert "/usr/local/bin/python3.14" in programs
    python = ("/opt/venv/bin/", "/usr/local/bin/python3.14")
    assert [path for path in programs if not path.startswith(python)] == []


def test_images_with_other_packages_share_the_layer_of_python(docker, engine, image, step, variant, platform):
    """A machine that has one of them fetches the packages of the next one, and no Python again."""

    def layers(name: str) -> list[str]:
        return json.loads(docker("inspect", "--format", "{{json .RootFS.Layers}}", name).stdout)

    with clean_copy(step.folder) as folder:
        listed = folder / "requirements.txt"
        listed.write_text(re.sub(r"^blinker==(.|\n    )*\n", "", listed.read_text()))
        file = folder / variant.dockerfile.name
        built = docker("build", "--quiet", "--platform", platform, "--file", str(file), str(folder))
    assert built.returncode == 0, built.stderr
    ours, other = layers(image(step, variant, platform)), layers(built.stdout.strip())
    docker("image", "rm", "--force", built.stdout.strip())
    assert ours[0] == other[0]
    assert ours[1] != other[1]
    assert len(ours) == 5, "Python, packages, a folder, the configuration and the code"


def test_every_compiled_module_finds_its_libraries_and_pip_is_no_module_either(said):
    assert int(said(EVERY_MODULE)) > 40


def test_names_users_certificates_and_temporary_files(said):
    script = """if True:
        import json, os, pwd, socket, ssl, sys, tempfile
        tempfile.TemporaryFile().close()
        print(json.dumps([
            pwd.getpwuid(os.getuid()).pw_name,
            socket.getaddrinfo("localhost", 80, socket.AF_INET)[0][4][0],
            ssl.create_default_context().cert_store_stats()["x509_ca"] > 100,
            sys.getfilesystemencoding(),
            ssl.create_default_context().security_level,
            os.path.exists(ssl.get_default_verify_paths().openssl_cafile.replace("cert.pem", "openssl.cnf")),
            open("/etc/os-release").read().startswith("PRETTY_NAME"),
        ]))
    """
    assert json.loads(said(script)) == ["app", "127.0.0.1", True, "utf-8", 2, True, True]


def test_a_name_is_looked_up_with_the_resolver(engine, docker, said):
    """By glibc's own resolver, at the engine's name server: it needs nothing in the image that ldd would not tell."""
    assert docker("network", "create", "distroless-names").returncode == 0
    try:
        options = {"networks": ["distroless-names"], "hostname": "me", "network_aliases": ["an-alias"]}
        script = "import socket; print(socket.gethostbyname('an-alias'))"
        assert re.fullmatch(r"\d+\.\d+\.\d+\.\d+", said(script, **options))
        script = "import socket\ntry: socket.gethostbyname('nobody.invalid')\nexcept socket.gaierror: print('unknown')"
        assert said(script, **options) == "unknown"
    finally:
        docker("network", "rm", "distroless-names")


def test_it_gets_healthy_and_stops_on_a_read_only_disk_without_rights(engine, image, step, variant, platform):
    with running(engine, image(step, variant, platform), variant, platform, **HARDENED) as (container, url):
        assert wait_for(url, 120).json()["variant"] == "distroless"
        assert container.execute(["python", "-c", "import os; print(os.getuid())"]) == "10001"
        health = container.config.healthcheck.test
        assert health[0] == "CMD"
        container.execute(health[1:])
        engine.docker.stop(container, time=60)
        container.reload()
        assert container.state.exit_code == 0


def test_a_scanner_reads_which_debian_packages_its_libraries_are_from(step, variant, platform):
    contents = load(record_path(LAB_ENVIRONMENT, step.name, variant.name, platform)).contents
    names = {package.name for package in contents.os_packages}
    assert {"libc6", "libgcc-s1", "libssl3t64", "zlib1g"} <= names
    assert not names & {"dash", "bash", "dpkg", "apt", "coreutils"}
    assert (contents.has_shell, contents.has_pip, contents.has_compiler) == (False, False, False)
    assert contents.setuid_files == []
