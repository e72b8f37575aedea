"""Dockerfiles in the manner of real projects, read without an engine: their folders, and the order of lines."""

import pytest

from measure.base import dockerfiles
from measure.mine.reporting import Asked, report
from measure.mine.showing import markdown
from tests.manners_of_others import FOLDER, MANNERS, source


def test_every_folder_is_described():
    assert {path.name for path in FOLDER.iterdir() if path.is_dir()} == set(MANNERS)
    assert len(MANNERS) >= 12


@pytest.mark.parametrize("name", MANNERS)
def test_each_is_read_without_an_engine(name):
    known, of = MANNERS[name], source(name)
    made = report(Asked(folder=of.folder, dockerfile=of.dockerfile, subject=name))
    files = sum(path.is_file() for path in of.folder.rglob("*"))
    assert (made.base, made.context.files, made.context.folder_files) == (known["base"], known["sent"], files)
    assert made.context.secrets == known.get("secrets", [])
    assert len(made.context.idle_patterns) == known.get("idle", 0)
    late = "order of lines" in known.get("steps", [])
    assert [one.name for one in made.next_steps] == (["order of lines"] if late else [])
    assert known["base"] in made.model_dump_json() and name in markdown(made)


@pytest.mark.parametrize("name", [name for name, known in MANNERS.items() if known.get("lines")])
def test_the_lines_that_make_a_layer_are_found(name):
    """Numbers as an editor shows them, whatever the file's line ends, continuations and here-documents."""
    dockerfile = dockerfiles.read(source(name).dockerfile)
    dockerfile.check()
    makes = [one.first for one in dockerfile.chain()[-1].instructions if one.word in ("RUN", "COPY", "ADD", "WORKDIR")]
    assert makes == MANNERS[name]["lines"]
