import json
import shutil
from types import SimpleNamespace

import httpx
import pytest

from lab import bases, config, extras, recipe, services
from measure.base.errors import Problem
from measure.base.platforms import PLATFORMS

BUILD = bases._build


def test_an_unknown_base_is_refused_with_the_list_of_those_there_are():
    """What only other bases may name is not on it."""
    with pytest.raises(Problem) as problem:
        bases.check(["python:3.14-slim", "node:24", "cpython:3.14"])
    assert "cannot provide cpython:3.14, node:24." in problem.value.what
    assert "python:3.14-slim" in problem.value.why and "cpython:3.14" not in problem.value.why


def test_a_platform_that_is_added_to_a_base_changes_no_other_ones_digest(monkeypatch):
    def answer(*platforms: str) -> httpx.Response:
        parts = [(name, *name.split("/")) for name in platforms]
        images = [{"digest": f"sha256:{name}", "platform": {"os": os, "architecture": cpu}} for name, os, cpu in parts]
        headers = {"Docker-Content-Digest": f"sha256:{len(platforms)}"}
        return httpx.Response(200, json={"manifests": images} if images else {"layers": []}, headers=headers)

    def seen(platform: str) -> list[str | None]:
        found = []
        for one in (answer(), answer(PLATFORMS[0]), answer(*PLATFORMS), httpx.Response(404)):
            monkeypatch.setattr(httpx, "get", lambda *_, one=one, **__: one)
            found.append(bases.digest(SimpleNamespace(registry=""), "python:3.14", platform))
        return found

    assert seen(PLATFORMS[0]) == ["sha256:0", "sha256:linux/amd64", "sha256:linux/amd64", None]
    assert seen("") == ["sha256:0", "sha256:1", "sha256:2", None]


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


SLIM, FULL = "python:3.14-slim", "python:3.14"


def test_a_base_is_built_for_the_platforms_asked_for_and_later_for_the_others_too(lab):
    """Only what is missing is built, and a base of another recipe is."""
    for platforms, built in (([AMD64], [AMD64]), ([AMD64], None), (PLATFORMS, [AMD64, ARM64]), ([ARM64], None)):
        bases.provide(lab.lab, [SLIM], platforms)
        assert (lab.built.pop()[SLIM] if lab.built else None) == built
    bases.provide(lab.lab, [SLIM, FULL], [AMD64])
    assert SLIM not in lab.built.pop()
    state = json.loads(lab.lab.bases_file.read_text())
    state[SLIM]["key"] = "another recipe"
    lab.lab.bases_file.write_text(json.dumps(state))
    bases.provide(lab.lab, [SLIM], [AMD64])
    assert lab.built.pop()[SLIM] == [AMD64]


def test_what_a_base_stands_on_is_built_before_it_for_each_platform_and_the_builder_and_not_kept(lab):
    """The builder would take that of another platform, and say nothing."""
    bases.provide(lab.lab, [SLIM], [ARM64])
    built = lab.built.pop()
    assert built[SLIM] == [ARM64]
    assert built["debian:trixie"] == built["installer:trixie"] == built["cpython:3.14"] == [AMD64, ARM64]
    assert lab.kept.pop() == [SLIM]
    bases.provide(lab.lab, [SLIM, FULL], [AMD64])
    built = lab.built.pop()
    for name, platforms in built.items():
        for needed in recipe.known()[name].needs:
            assert set(platforms) | {AMD64} <= set(built[needed])
            assert list(built).index(needed) < list(built).index(name)
    assert built[SLIM] == built["debian:trixie"] == [AMD64, ARM64]


def test_packages_for_the_stand_in_for_apk_are_kept_with_the_image_that_needs_them(lab):
    bases.apk_folder(lab.lab).mkdir(parents=True)
    bases.provide(lab.lab, ["python:3.14-alpine"], [AMD64])
    assert lab.kept.pop() == [bases.APK_PACKAGES, "python:3.14-alpine"]


def test_a_recipe_changes_with_its_files_and_with_its_bases(tmp_path, monkeypatch):
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
    for one in recipe.equals():  # of a recipe of today, and it says how it was shown
        assert one["now"] == recipe.recipe_sha256(one["name"])
        assert one["now"] != one["first"] and one["shown"]
    now = recipe.recipe_sha256(SLIM)
    for equal, expected in ((now, "1" * 64), ("2" * 64, now)):
        monkeypatch.setattr(recipe, "equals", lambda equal=equal: [{"name": SLIM, "first": "1" * 64, "now": equal}])
        assert recipe.recipe_of(SLIM) == expected


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
