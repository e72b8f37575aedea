"""Dockerfiles in the manner of real projects, built: each line is found, and layers, packages and steps add up."""

import json
import shutil
import tarfile

import pytest

from measure.mine import building
from measure.mine.reporting import Asked, report
from tests.conftest import NATIVE
from tests.manners_of_others import MANNERS, source

ALPINE = pytest.mark.alpine


@pytest.mark.study
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[ALPINE] if "alpine" in known["base"] else [])
        for name, known in MANNERS.items()
        if known.get("built")
    ],
)
def test_each_is_built_and_weighed(engine, name, tmp_path):
    known, of = MANNERS[name], source(name)
    with building.built(of) as archive:
        made = report(Asked(archive=archive, folder=of.folder, dockerfile=of.dockerfile, subject=name))
        shutil.copy(archive, tmp_path / "image.tar")
    file = of.dockerfile.name
    assert [line.where for line in made.lines] == ["base", *(f"{file}:{number}" for number in known["lines"])]
    assert not any(line.changed for line in made.lines)
    assert (made.platform, made.facts.user) == (NATIVE, known["user"])
    assert known.get("argument") in (None, *made.facts.secrets)
    assert set(known["steps"]) == {one.name for one in made.next_steps}
    # An independent count: the archive's own members, and what tar says is in each layer.
    unpacked = transfer = files = 0
    with tarfile.open(tmp_path / "image.tar") as outer:
        layers = [one for one in outer if one.isfile() and outer.extractfile(one).read(2) == b"\x1f\x8b"]
        for one in layers:
            transfer += one.size
            with tarfile.open(fileobj=outer.extractfile(one), mode="r:gz") as layer:
                names = [member for member in layer if not member.name.rpartition("/")[2].startswith(".wh.")]
                files += sum(member.isreg() for member in names)
                unpacked += sum(member.size for member in names if member.isreg())
    assert made.sizes.transfer_bytes == transfer == sum(line.transfer_bytes for line in made.lines)
    assert (made.sizes.unpacked_file_bytes, sum(line.files for line in made.lines)) == (unpacked, files)
    own = sum(line.unpacked_tar_bytes for line in made.lines if not line.of_base)
    assert sum(one.bytes or 0 for one in made.packages if not one.of_base) <= own
    assert sum(one.unpacked_tar_bytes for one in made.next_steps) < made.sizes.unpacked_tar_bytes


#: What Python itself says of its packages: bytes of the files that each lists, byte-compiled ones included.
SCRIPT = """
import importlib.metadata, json, os
found = {}
for one in importlib.metadata.distributions():
    paths = {os.path.realpath(one.locate_file(path)) for path in one.files or ()}
    for path in list(paths):
        folder, name = os.path.split(path)
        cache = os.path.join(folder, "__pycache__")
        if name.endswith(".py") and os.path.isdir(cache):
            made = [other for other in os.listdir(cache) if other.startswith(name[:-2] + "cpython-314.")]
            paths |= {os.path.join(cache, other) for other in made}
    found[one.name] = sum(os.path.getsize(path) for path in paths if os.path.isfile(path))
print(json.dumps(found))
"""


@pytest.mark.study
@pytest.mark.parametrize(("name", "python"), [("monorepo", "/opt/api/bin/python"), ("celery-worker", "python")])
def test_packages_are_as_large_as_python_itself_says(engine, name, python):
    of = source(name)
    with building.built(of) as archive:
        made = report(Asked(archive=archive, dockerfile=of.dockerfile, subject=name))
    docker = building.client_of(of)
    with building.loaded(docker, of) as image:
        told = json.loads(docker.ask("run", "--rm", "--network=none", "--entrypoint", python, image, "-c", SCRIPT))
    own = {one.name: one.bytes for one in made.packages if one.kind == "python" and not one.of_base}
    assert own == {one: told[one] for one in own}
    assert len(own) >= 4
