"""Every table of a report on three images of different kinds, counted once more by tar, find, dpkg, pip and Docker."""

import os
import re
from dataclasses import replace

import pytest

from measure.mine import building
from measure.mine.building import Source
from measure.mine.reporting import Asked, report
from measure.steps.compose import find_step
from tests.counted_by_hand import Apart
from tests.manners_of_others import source

pytestmark = pytest.mark.study
SITE = "/site-packages/"
#: uv reads no pip.conf: so that it asks the index that pip asks, the base has a file for it.
FOR_UV = """FROM python:3.14-slim
RUN mkdir /etc/uv && if index=$(pip config --global get global.index-url); then \\
    echo "index-url = \\"$index\\"" > /etc/uv/uv.toml; fi
"""
COMPANYS = "registry.example.com/platform/python-base:7"


def step_4(docker, folder):
    """A recommended image, as the builder writes it; its base is pulled to be looked at."""
    of = Source(find_step("step-4").folder, find_step("step-4").recommended.dockerfile)
    docker.ask("pull", "--quiet", "python:3.14-slim")
    building.build(docker, of, "--output", f"type=oci,dest={folder}/image.tar", log=[])
    return of, "python:3.14-slim", 0


def fastapi(docker, folder):
    """Installed by uv, on a base that knows the index."""
    (folder / "base.Dockerfile").write_text(FOR_UV)
    base = f"measure-by-hand-{os.getpid()}:uv"
    building.build(docker, Source(folder, folder / "base.Dockerfile"), "--load", "--tag", base, log=[])
    of = source("fastapi-uv")
    context = ("--build-context", f"python:3.14-slim=docker-image://{base}")
    building.build(docker, of, *context, "--output", f"type=oci,dest={folder}/image.tar", log=[])
    return of, base, 0


def onbuild(docker, folder):
    """What a base did for those who build on it, as `docker save` writes it; no own line makes a layer."""
    building.build(docker, source("onbuild-base"), "--load", "--tag", COMPANYS, log=[])
    of = source("onbuild-child")
    name = f"measure-by-hand-{os.getpid()}:child"
    building.build(docker, of, "--load", "--tag", name, log=[])
    docker.ask("save", name, "--output", str(folder / "image.tar"))
    docker.ask("image", "rm", "--force", name)
    return of, COMPANYS, 3  # what ONBUILD did counts as the base's


@pytest.fixture(scope="module", params=[step_4, fastapi, onbuild], ids=lambda make: make.__name__)
def both(request, engine, tmp_path_factory):
    """A report of an image, and the image taken apart."""
    if os.geteuid():
        pytest.skip("an image is taken apart as root alone; sudo make test-all")
    folder = tmp_path_factory.mktemp("by-hand")
    docker = building.client(["python:3.14-slim"], building.native_platform())
    of, base, more = request.param(docker, folder)
    layers = more + int(docker.ask("image", "inspect", "--format", "{{len .RootFS.Layers}}", base))
    if request.param is not step_4:
        docker.ask("image", "rm", "--force", base)
    (folder / "apart").mkdir()
    made = report(Asked(archive=folder / "image.tar", dockerfile=of.dockerfile, folder=of.folder, subject="x"))
    yield made, Apart(folder / "image.tar", folder / "apart", layers), of, docker


def test_sizes_and_lines(both):
    made, apart, *_ = both
    rows = [apart.layer(number) for number in range(len(apart.tars))]
    base, own = rows[: apart.base_layers], rows[apart.base_layers :]
    counted = [tuple(map(sum, zip(*base, strict=True))), *own]
    found = [(one.transfer_bytes, one.unpacked_tar_bytes, one.files, one.hidden_bytes) for one in made.lines]
    assert found == counted
    assert [one.of_base for one in made.lines] == [True] + [False] * len(own)
    sizes = made.sizes
    assert (sizes.transfer_bytes, sizes.unpacked_tar_bytes, sizes.hidden_bytes) == tuple(
        sum(row[number] for row in rows) for number in (0, 1, 3)
    )


def test_packages(both):
    made, apart, *_ = both
    system = {one.name: one for one in made.packages if one.kind == "os"}
    assert {name: one.version for name, one in system.items()} == apart.debian()
    base = apart.debian(apart.folder / f"after-{apart.base_layers - 1}")
    assert {name for name, one in system.items() if one.of_base} == set(base)
    for name in ("python3.14", "libssl3t64", "perl-base", "bash", "coreutils", "libc6"):
        if name in system:
            assert system[name].bytes == apart.debian_bytes(name), name
    for site in {one.location for one in made.packages if one.kind == "python"}:
        counted = apart.python(site)
        found = {one.name: one for one in made.packages if one.location == site}
        assert {name: one.version for name, one in found.items()} == {name: one[0] for name, one in counted.items()}
        for name, one in found.items():
            assert one.bytes == apart.sizes(counted[name][1]), name
            assert one.bytecode_bytes == apart.sizes({path for path in counted[name][1] if path.endswith(".pyc")}), name
            metadata = next(path for path in counted[name][1] if path.endswith(".dist-info/METADATA"))
            assert one.of_base != apart.own(metadata), name


def test_context(both, tmp_path):
    """What the builder itself finds in the context, under the ignore file that counts."""
    made, _, of, docker = both
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    if (of.folder / ".dockerignore").exists():
        (tmp_path / "Dockerfile.dockerignore").write_text((of.folder / ".dockerignore").read_text())
    listed = replace(of, dockerfile=tmp_path / "Dockerfile", target=None)
    building.build(docker, listed, "--output", f"type=local,dest={tmp_path}/out", log=[])
    files = {str(one.relative_to(tmp_path / "out")): one.stat().st_size for one in (tmp_path / "out").rglob("*.*")}
    files |= {one.name: one.stat().st_size for one in (tmp_path / "out").iterdir() if one.is_file()}
    files = {name: size for name, size in files.items() if (tmp_path / "out" / name).is_file()}
    context = made.context
    assert (context.files, context.bytes) == (len(files), sum(files.values()))
    assert all(files[name] == size for name, size in context.largest.items())


def test_facts(both):
    made, apart, *_ = both
    facts, settings = made.facts, apart.config["config"]
    assert facts.user == (settings.get("User") or "root")
    assert facts.command == " ".join([*(settings.get("Entrypoint") or []), *(settings.get("Cmd") or [])])
    modes = {str(one)[len(str(apart.root)) :] for one in apart.root.rglob("*") if _is_setuid(one)}
    assert set(facts.setuid_files) == modes
    assert facts.pip == sorted(
        {path.rpartition("/pip/")[0] for path in apart.matching(r"-packages/pip/__init__.py$", own=False)}
    )
    assert facts.has_shell == os.path.lexists(apart.root / "bin/sh")
    assert facts.has_compiler == any((apart.root / "usr/bin" / name).exists() for name in ("gcc", "cc", "clang"))
    compiled = apart.matching(r"/__pycache__/[^/]+\.pyc$", own=False)
    assert (facts.bytecode.files, facts.bytecode.bytes) == (len(compiled), apart.sizes(compiled))
    assert facts.bytecode.stale_files == sum(_is_stale(apart.root / path[1:]) for path in compiled)
    tests = apart.matching(rf"{SITE}(.*/)?tests/")
    assert facts.test_bytes == apart.sizes(tests)
    assert facts.caches.get("pip's cache", 0) == apart.sizes(apart.matching(r"/\.cache/pip/", all_names=True))
    assert facts.caches.get("uv's cache", 0) == apart.sizes(apart.matching(r"/\.cache/uv/", all_names=True))
    assert (facts.device_files, facts.escaping_names, facts.secrets) == (0, 0, [])


def _is_setuid(path):
    return path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o4000


def _is_stale(compiled):
    """As importlib judges: time and size of the source are in the header, where it has no hash."""
    source = compiled.parent.parent / f"{compiled.name.partition('.')[0]}.py"
    head = compiled.read_bytes()[:16]
    if not source.exists() or int.from_bytes(head[4:8], "little"):
        return False
    of = source.stat()
    return head[8:16] != int(of.st_mtime).to_bytes(4, "little") + of.st_size.to_bytes(4, "little")


def _counted(apart, packages):
    """By the name of a next step, the files that it would leave out; each in the first one only."""
    source = re.compile(r"^(.*)/__pycache__/([^/]+)\.cpython-314[^/]*\.pyc$")

    def of_base(path):
        match = source.match(path)
        made_of = match and f"{match[1]}/{match[2]}.py"
        return bool(made_of and made_of in apart.members and not apart.own(made_of))

    own_pip = {path for (_, name), (_, paths) in packages.items() if name in ("pip",) for path in paths}
    tools = {path for (_, name), (_, paths) in packages.items() if name in ("uv",) for path in paths}
    ways = {
        "caches": apart.matching(r"/\.cache/", all_names=True),
        "a second pip": {path for path in own_pip if apart.own(path) and not path.startswith("/usr/local/")},
        "bytecode of the base": {path for path in apart.matching(r"\.pyc$") if of_base(path)},
        "development tools": {path for path in tools if apart.own(path)},
        "tests": apart.matching(rf"{SITE}(.*/)?tests/|{SITE}.*\.pyi$"),
    }
    found, seen = {}, set()
    for name, paths in ways.items():
        named = {apart.one_name(path) for path in paths}
        found[name] = named - seen
        seen |= named
    return found


def test_next_steps(both):
    made, apart, *_ = both
    sites = {one.location for one in made.packages if one.kind == "python"}
    packages = {(site, name): one for site in sites for name, one in apart.python(site).items()}
    counted = {name: apart.tar_bytes(paths) for name, paths in _counted(apart, packages).items()}
    found = {one.name: one.unpacked_tar_bytes for one in made.next_steps}
    assert found == {name: size for name, size in counted.items() if size >= 100_000}
