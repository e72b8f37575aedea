import json
from types import SimpleNamespace

import pytest

from lab import bases, config, extras, recipe, services
from measure.base.errors import Problem
from measure.base.platforms import PLATFORMS

BUILD = bases._build


def test_an_unknown_base_is_refused_with_the_list_of_those_there_are():
    with pytest.raises(Problem) as problem:
        bases.check(["python:3.14-slim", "node:24"])
    assert "node:24" in problem.value.what
    assert "python:3.14-slim" not in problem.value.what
    assert "python:3.14-slim" in problem.value.why


def test_what_only_other_bases_may_name_is_not_on_the_list():
    assert "cpython:3.14" not in recipe.available()
    with pytest.raises(Problem):
        bases.check(["cpython:3.14"])


def test_bases_are_built_after_those_they_need():
    order = recipe.order(["python:3.14-slim", "python:3.14"])
    for name in order:
        for needed in recipe.known()[name].needs:
            assert order.index(needed) < order.index(name)


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A lab whose registry has everything, and which writes down what it would build, and what of that is kept."""
    monkeypatch.setenv(config.HOME_VARIABLE, str(tmp_path))
    found = config.Lab.from_environment()
    built: list[dict[str, list[str]]] = []
    kepts: list[list[str]] = []
    monkeypatch.setattr(extras, "identity", lambda lab: "")
    monkeypatch.setattr(bases, "digest", lambda lab, name: "sha256:0")
    monkeypatch.setattr(bases, "_build", lambda lab, platforms, kept: built.append(platforms) or kepts.append(kept))
    return SimpleNamespace(lab=found, built=built, kept=kepts)


AMD64, ARM64 = PLATFORMS


def test_a_base_is_built_for_the_platforms_asked_for_and_later_for_the_others_too(lab):
    bases.provide(lab.lab, ["python:3.14-slim"], [AMD64])
    assert set(map(tuple, lab.built.pop().values())) == {(AMD64,)}
    bases.provide(lab.lab, ["python:3.14-slim"], [AMD64])
    assert not lab.built
    bases.provide(lab.lab, ["python:3.14-slim"])
    assert lab.built.pop()["python:3.14-slim"] == [AMD64, ARM64]
    bases.provide(lab.lab, ["python:3.14-slim"], [ARM64])
    assert not lab.built


def test_what_a_base_stands_on_is_built_for_the_builder_too_and_not_kept(lab):
    bases.provide(lab.lab, ["python:3.14-slim"], [ARM64])
    built = lab.built.pop()
    assert built["python:3.14-slim"] == [ARM64]
    assert built["debian:trixie"] == built["installer:trixie"] == built["cpython:3.14"] == [AMD64, ARM64]
    assert lab.kept.pop() == ["python:3.14-slim"]


def test_what_a_base_stands_on_is_built_for_each_of_its_platforms(lab):
    """The builder would take that of another platform, and say nothing."""
    bases.provide(lab.lab, ["python:3.14-slim"], [ARM64])
    bases.provide(lab.lab, ["python:3.14-slim", "python:3.14"], [AMD64])
    built = lab.built.pop()
    for name, platforms in built.items():
        for needed in recipe.known()[name].needs:
            assert set(platforms) | {AMD64} <= set(built[needed])
    assert built["python:3.14-slim"] == built["debian:trixie"] == [AMD64, ARM64]


def test_only_what_is_missing_is_built(lab):
    bases.provide(lab.lab, ["python:3.14-slim"], [AMD64])
    lab.built.clear()
    bases.provide(lab.lab, ["python:3.14-slim", "python:3.14"], [AMD64])
    assert "python:3.14-slim" not in lab.built.pop()


def test_a_base_of_another_recipe_is_missing(lab):
    bases.provide(lab.lab, ["python:3.14-slim"])
    state = json.loads(lab.lab.bases_file.read_text())
    state["python:3.14-slim"]["key"] = "another recipe"
    lab.lab.bases_file.write_text(json.dumps(state))
    lab.built.clear()
    bases.provide(lab.lab, ["python:3.14-slim"], [AMD64])
    assert lab.built.pop()["python:3.14-slim"] == [AMD64]


def test_packages_for_the_stand_in_for_apk_are_kept_with_the_image_that_needs_them(lab):
    bases._apk_folder(lab.lab).mkdir(parents=True)
    bases.provide(lab.lab, ["python:3.14-alpine"], [AMD64])
    assert lab.kept.pop() == [bases.APK_PACKAGES, "python:3.14-alpine"]


def test_a_recipe_changes_with_its_files_and_with_its_bases(tmp_path, monkeypatch):
    import shutil

    folder = tmp_path / "bases"
    shutil.copytree(recipe.FOLDER, folder)
    monkeypatch.setattr(recipe, "FOLDER", folder)

    def hashes() -> dict[str, str]:
        recipe.known.cache_clear()
        recipe.recipe_sha256.cache_clear()
        return {name: recipe.recipe_sha256(name) for name in recipe.known()}

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


def test_a_recipe_that_makes_the_same_image_goes_by_the_first_ones_name(monkeypatch):
    name = "python:3.14-slim"
    now = recipe.recipe_sha256(name)
    monkeypatch.setattr(recipe, "equals", lambda: [{"name": name, "first": "1" * 64, "now": now, "shown": ""}])
    assert recipe.recipe_of(name) == "1" * 64
    monkeypatch.setattr(recipe, "equals", lambda: [{"name": name, "first": "1" * 64, "now": "2" * 64, "shown": ""}])
    assert recipe.recipe_of(name) == now


def test_each_line_of_equal_recipes_is_about_a_recipe_of_today_and_says_how_it_was_shown():
    for one in recipe.equals():
        assert one["now"] == recipe.recipe_sha256(one["name"])
        assert one["now"] != one["first"] and one["shown"]


def test_what_the_lab_adds_is_a_few_kilobytes(monkeypatch):
    monkeypatch.setattr(extras, "extra_certificates", lambda lab: [])
    files = extras.files(config.Lab.from_environment())
    assert "extras/python/etc/pip.conf" in files
    assert sum(map(len, files.values())) < 10_000


@pytest.mark.parametrize(
    ("line", "times"),
    [("E: Failed to fetch http://mirror/Sources  404  Not Found", 3), ("gcc: fatal error: no input files", 1)],
)
def test_a_build_is_tried_twice_more_where_a_mirror_did_not_answer(lab, monkeypatch, line, times):
    tried = []

    def fail(command, log, **_):
        tried.append(command)
        log.write_text(f"#62 124.9 {line}\n" + "a line of the end\n" * 50)
        raise Problem("Building failed.", why="a line of the end")

    monkeypatch.setattr(bases, "PATIENCE", (0, 0))
    monkeypatch.setattr(bases, "run_logged", fail)
    monkeypatch.setattr(extras, "put", lambda lab, context: None)
    lab.lab.logs.mkdir(parents=True)
    lab.lab.work.mkdir(parents=True)
    with pytest.raises(Problem, match="Building failed"):
        BUILD(lab.lab, {}, [])
    assert len(tried) == times


#: user:p@ss
KNOWN = "Basic dXNlcjpwQHNz"


@pytest.mark.parametrize(
    ("url", "netrc", "told"),
    [
        ("https://user:p%40ss@index.example/simple/", "", KNOWN),
        ("https://index.example/simple/", "machine index.example login user password p@ss", KNOWN),
        ("https://index.example/simple/", "machine other.example login user password p@ss", ""),
        ("https://index.example/simple/", "no netrc at all", ""),
    ],
)
def test_the_index_is_told_who_asks_and_no_other_host_is(tmp_path, monkeypatch, url, netrc, told):
    (tmp_path / "netrc").write_text(netrc)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    found = services.index_config(config.Lab(tmp_path, 5031), url)
    assert f'map $file_host $authorization {{ "" "{told}"; "index.example" "{told}"; default ""; }}' in found
    assert "\n    proxy_set_header Authorization $authorization;" in found
    assert "set $upstream https://index.example/simple;" in found and "set $upstream https://index.example;" in found
    assert "p%40ss" not in found and "user:" not in found


def test_a_host_without_certificates_has_those_of_the_engines_tree(tmp_path, monkeypatch):
    """As python:3.14-slim is one."""
    lab = config.Lab(tmp_path, 5031)
    shipped = lab.tree / "etc/ssl/certs/ca-certificates.crt"
    shipped.parent.mkdir(parents=True)
    shipped.write_text("-----BEGIN CERTIFICATE-----a-----END CERTIFICATE-----")
    monkeypatch.setattr(services.Path, "is_file", lambda path: False)
    assert services.ca_bundle(lab) == shipped
    assert extras.extra_certificates(lab) == []
    services.index_config(lab, "https://index.example/simple")
    assert (tmp_path / "ca-bundle.crt").read_text() == shipped.read_text()
