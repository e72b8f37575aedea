import pytest

from lab import bases, config, extras
from measure.errors import Problem


def test_an_unknown_base_is_refused_with_the_list_of_those_there_are():
    with pytest.raises(Problem) as problem:
        bases.check(["python:3.14-slim", "node:24"])
    assert "node:24" in problem.value.what
    assert "python:3.14-slim" not in problem.value.what
    assert "python:3.14-slim" in problem.value.why


def test_what_only_other_bases_may_name_is_not_on_the_list():
    assert "cpython:3.14" not in bases.available()
    with pytest.raises(Problem):
        bases.check(["cpython:3.14"])


def test_bases_are_built_after_those_they_need():
    order = bases._order(["python:3.14-slim", "python:3.14"])
    for name in order:
        for needed in bases.known()[name].needs:
            assert order.index(needed) < order.index(name)


def test_a_recipe_changes_with_its_files_and_with_its_bases(tmp_path, monkeypatch):
    import shutil

    folder = tmp_path / "bases"
    shutil.copytree(bases.FOLDER, folder)
    monkeypatch.setattr(bases, "FOLDER", folder)

    def hashes() -> dict[str, str]:
        bases.known.cache_clear()
        bases.recipe_sha256.cache_clear()
        return {name: bases.recipe_sha256(name) for name in bases.known()}

    before = hashes()
    (folder / "dpkg-slim.cfg").write_text("# other\n")
    after = hashes()
    changed = {name for name in before if before[name] != after[name]}
    assert {"debian:trixie-slim", "python:3.14-slim"} <= changed
    assert not {"debian:trixie"} & changed
    (folder / "README").write_text("not copied by any Dockerfile\n")
    assert hashes() == after
    monkeypatch.undo()
    hashes()


def test_what_the_lab_adds_is_a_few_kilobytes(monkeypatch):
    monkeypatch.setattr(extras, "extra_certificates", lambda lab: [])
    files = extras.files(config.Lab.from_environment())
    assert "extras/python/etc/pip.conf" in files
    assert sum(map(len, files.values())) < 10_000
