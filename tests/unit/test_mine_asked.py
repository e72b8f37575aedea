"""What people ask for: archives of other writers, services, budgets, and names that lead elsewhere."""

import gzip
import hashlib
import json
import lzma
import random

import pytest
from typer.testing import CliRunner

from measure.mine import cli
from tests.handmade import Layout, add_image, config, tar
from tests.images_by_hand import as_archive, docker_archive, layout, package, write_index

NOISE = random.Random(3).randbytes(100_000)


@pytest.fixture(autouse=True)
def here(cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("measure.mine.archives.native_platform", lambda: "linux/amd64")


def run(*words):
    return CliRunner().invoke(cli.app, list(map(str, words)))


def said(*words):
    """What a command reports, in JSON."""
    found = run(*words, "--json")
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


def compressed_archive(to, tars, name=""):
    """An archive as kaniko, crane, ko and Jib write it: compressed layers beside manifest.json."""
    content, files, names = config(tars), {}, []
    for one in tars:
        stored = gzip.compress(one, mtime=0)
        names.append(f"{hashlib.sha256(stored).hexdigest()}.tar.gz")
        files[names[-1]] = stored
    name = name or f"sha256:{hashlib.sha256(content).hexdigest()}"
    listed = [{"Config": name, "RepoTags": ["app:1"], "Layers": names}]
    to.write_bytes(tar({**files, name: content, "manifest.json": json.dumps(listed).encode()}))
    return to


@pytest.mark.parametrize("turn", [0, 1, 2])
def test_the_same_image_of_several_writers_is_told_as_each_wrote_it(tmp_path, turn):
    """Layers of one digest are there plain and compressed: what was read of one is not told of the other."""
    tars = [tar({"a": NOISE}), tar({"b": b"b" * 5000})]
    known = sum(len(gzip.compress(one, mtime=0)) for one in tars)
    ways = [
        (compressed_archive(tmp_path / "kaniko.tar", tars), known),
        (layout(tmp_path / "plain", tars, "plain").root, None),
        (docker_archive(tmp_path / "saved.tar", tars), None),
        (compressed_archive(tmp_path / "jib.tar", tars, "config.json"), known),
    ]  # fmt: skip
    for path, transfer in ways[turn:] + ways[:turn]:
        made = said(path)
        assert made["sizes"]["transfer_bytes"] == transfer, path.name
        assert made["sizes"]["unpacked_tar_bytes"] == sum(map(len, tars))


def test_the_platform_that_is_there_is_meant_where_the_list_names_more(tmp_path):
    made = Layout(tmp_path / "layout")
    platforms = [{"os": "linux", "architecture": name} for name in ("amd64", "arm64")]
    listed = [
        {**add_image(made, [tar({"a": NOISE})], architecture=one["architecture"]), "platform": one} for one in platforms
    ]
    kind = "application/vnd.oci.image.index.v1+json"
    digest, size = made.add(json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": listed}).encode())
    write_index(made, "app:1", [{"mediaType": kind, "digest": digest, "size": size}])
    assert said(made.root)["others"] == ["app:1 linux/arm64"]
    made.blob(listed[0]["digest"]).unlink()
    found = said(as_archive(made.root, tmp_path / "image.tar"))
    assert (found["platform"], found["others"]) == ("linux/arm64", [])
    assert "no such image" in run(tmp_path / "image.tar", "--platform", "linux/amd64").output


@pytest.mark.parametrize(
    ("name", "content", "next"),
    [
        ("app.Dockerfile", b"FROM python\n", "measure-mine FOLDER --file app.Dockerfile"),
        ("compose.yaml", b"services: {}\n", "--service NAME"),
        ("image.tar.xz", lzma.compress(b"x"), "xz --decompress image.tar.xz"), ("a.tar", b"\0\1\2", "docker save"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_archive_is_told_with_what_to_do_with_it(tmp_path, name, content, next):
    (tmp_path / name).write_bytes(content)
    found = run(name)
    assert (found.exit_code, found.output.count("✗")) == (1, 1)
    assert next in found.output


@pytest.mark.parametrize(
    ("name", "content"), [("docker-bake.hcl", 'target "web" {}\n'), ("docker-bake.override.json", '{"target": {}}\n')]
)
def test_a_file_for_bake_is_told_with_what_says_the_same_in_words_of_the_command(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    found = run(name)
    assert (found.exit_code, found.output.count("✗"), "tar archive" in found.output) == (1, 1, False)
    assert "says what to build" in found.output and f"docker buildx bake --print --file {name}" in found.output


@pytest.mark.parametrize(
    ("name", "next"), [("Containerfile", "-f app/Containerfile"), ("compose.yaml", "--service"), ("x", "-f and the"),
                       ("docker-bake.hcl", "-f and the Dockerfile's path: `docker buildx bake --print` says it")]
)  # fmt: skip
def test_a_folder_without_a_dockerfile_is_told_with_what_it_has(tmp_path, name, next):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / name).write_text("services: {}\n")
    found = run("app")
    assert found.exit_code == 1
    assert f"the same command with {next}" in found.output


TEXT = """FROM ubi:9 AS b
FROM ubi:9
RUN --mount=type=cache,target=/c pip install x
COPY --from=b /v /v
RUN <<EOF
set -e
EOF
"""


def built(root, content):
    """An image on a base whose history does not tell where it ends."""
    words = ["/bin/sh -c #(nop) ADD file:1 in /", "RUN /bin/sh -c pip install x # buildkit", "COPY /v /v # buildkit",
             "RUN /bin/sh -c set -e\n # buildkit"]  # fmt: skip
    tars = [tar({"base": b"b"}), tar({"x": content}), tar({"v": b"v"}), tar({"s": b"s"})]
    return layout(root, tars, history=[{"created_by": one} for one in words]).root


def test_the_same_dockerfile_names_the_lines_of_both_images(tmp_path):
    (tmp_path / "Dockerfile").write_text(TEXT)
    old, new = built(tmp_path / "old", NOISE[:50_000]), built(tmp_path / "new", NOISE)
    (row,) = said(new, "-f", "Dockerfile", "--against", old)["growth"]
    assert (row["where"], row["is_new"], row["bytes"]) == ("Dockerfile:3", False, 40_960)


def test_a_folder_is_no_image_to_hold_another_against(tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app/Dockerfile").write_text("FROM a\n")
    found = run(layout(tmp_path / "a", [tar({"a": b"1"})]).root, "--against", "app")
    assert found.exit_code == 1
    assert "no image to hold this one against" in found.output


def budget(tmp_path, text):
    (tmp_path / "budget.toml").write_text(text)
    return tmp_path / "budget.toml"


@pytest.mark.parametrize(
    "text", ["transfer = 1", "unpacked = 1", "root = false", 'forbidden = ["gcc"]', "packages = 0"]
)
def test_limits_of_an_image_are_not_kept_by_a_folder(tmp_path, text):
    (tmp_path / "Dockerfile").write_text("FROM a\n")
    found = run(".", "--budget", budget(tmp_path, text))
    assert found.exit_code == 1
    assert "no image was weighed" in found.output
    assert "--build" in found.output
    assert run(".", "--budget", budget(tmp_path, 'context = "1 MB"')).exit_code == 0


def test_a_limit_that_nothing_is_held_against_is_said(tmp_path):
    made = layout(tmp_path / "a", [tar({"a": b"1"})]).root
    found = run(made, "--budget", budget(tmp_path, 'context = 1\ngrowth = "2 %"'))
    assert found.exit_code == 0
    assert "limits context" in found.stderr
    assert "limits growth" in found.stderr
    assert "limits" not in run(made, "--against", made, "--budget", budget(tmp_path, 'growth = "2 %"')).stderr


@pytest.mark.parametrize("limit", ["growth", "edit"])
def test_percent_without_a_sign_are_not_taken_for_a_hundred_times_as_much(tmp_path, limit):
    found = run(layout(tmp_path / "a", [tar({"a": b"1"})]).root, "--budget", budget(tmp_path, f"{limit} = 2"))
    assert found.exit_code == 1
    assert 'write "2 %"' in found.output


def test_a_forbidden_name_counts_however_it_is_spelled(tmp_path):
    made = layout(tmp_path / "a", [tar(package("typing_extensions", {"t.py": b"1"}))]).root
    assert run(made, "--budget", budget(tmp_path, 'forbidden = ["Typing.Extensions"]')).exit_code == 3


def test_a_build_argument_without_a_value_has_that_of_the_environment(tmp_path, monkeypatch):
    (tmp_path / "Dockerfile").write_text("ARG V=3.13\nFROM python:$V\n")
    monkeypatch.setenv("V", "3.14")
    assert said(".", "--build-arg", "V")["base"] == "python:3.14"
    assert said(".", "--build-arg", "V=3.12")["base"] == "python:3.12"
    monkeypatch.delenv("V")
    assert said(".", "--build-arg", "V")["base"] == "python:3.13"


def test_a_file_that_is_named_comes_before_that_of_the_service(tmp_path):
    (tmp_path / "compose.yaml").write_text("services: {web: {build: .}}\n")
    (tmp_path / "Dockerfile").write_text("FROM a\n")
    (tmp_path / "other").write_text("FROM b\n")
    assert said(".", "--service", "web")["base"] == "a"
    assert said(".", "--service", "web", "-f", "other")["base"] == "b"


def test_a_name_without_a_value_says_nothing(tmp_path):
    (tmp_path / "compose.yaml").write_text(
        "services:\n  web:\n    build:\n      context: .\n      dockerfile:\n      target:\n"
    )
    (tmp_path / "Dockerfile").write_text("FROM a\n")
    assert said(".", "--service", "web")["base"] == "a"


@pytest.mark.parametrize("context", ["git@example.com:a/b.git#main", "https://example.com/a.git", "ssh://git@a/b"])
def test_a_context_that_is_elsewhere_is_told(tmp_path, context):
    (tmp_path / "compose.yaml").write_text(f"services: {{web: {{build: '{context}'}}}}\n")
    found = run(".", "--service", "web")
    assert found.exit_code == 1
    assert "built from no file here" in found.output


@pytest.mark.parametrize(
    "contexts", ["{shared: ../lib, base: 'docker-image://python:3.14'}", "[shared=../lib, base=b]"]
)
def test_a_service_of_several_contexts_is_read_and_not_built_from_other_images(tmp_path, monkeypatch, contexts):
    """A builder that is not told of them takes images of these names from a registry."""
    monkeypatch.setattr("measure.mine.building.client", lambda images, platform: pytest.fail("no builder is asked"))
    (tmp_path / "compose.yaml").write_text(
        f"services: {{web: {{build: {{context: ., additional_contexts: {contexts}}}}}}}"
    )
    (tmp_path / "Dockerfile").write_text("FROM base\nCOPY --from=shared /a /a\nCOPY . .\nRUN pip install a\n")
    assert [one["where"] for one in said(".", "--service", "web")["next_steps"]] == ["Dockerfile:4"]
    for words in (["--build"], ["--start"], ["--time"], ["--try", "1"]):
        found = run(".", "--service", "web", *words)
        assert found.exit_code == 1
        assert "built from shared, base too" in found.output and "docker compose build web" in found.output
    found = run("compose.yaml", "--service", "web", "--build")
    assert "docker compose --file compose.yaml build web" in found.output


BY_ARCH = """FROM a AS base-amd64
RUN one
FROM b AS base-arm64
RUN other
FROM base-${TARGETARCH} AS last
RUN end
"""


def test_a_stage_that_the_platform_chooses_is_the_images_own(tmp_path):
    (tmp_path / "Dockerfile").write_text(BY_ARCH)
    history = [{"created_by": f"RUN /bin/sh -c {one} # buildkit"} for one in ("base", "other", "end")]
    tars = [tar({name: b"1"}) for name in "abc"]
    made = said(layout(tmp_path / "a", tars, history=history, architecture="arm64").root, "-f", "Dockerfile")
    assert (made["base"], [one["where"] for one in made["lines"]]) == ("b", ["base", "Dockerfile:4", "Dockerfile:6"])
    assert [said(".", "--platform", one)["base"] for one in ("linux/arm64", "x86_64")] == ["b", "a"]


@pytest.mark.parametrize("name", ["app", "app:latest", "team/app", "registry.example.com/team/app:latest"])
def test_an_image_is_named_as_with_docker(tmp_path, name):
    made = Layout(tmp_path / "layout")
    add_image(made, [tar({"a": b"1"})])
    add_image(made, [tar({"b": b"2"})])
    names = ("registry.example.com/team/app:latest", "registry.example.com/team/myapp:latest")
    entries = [
        {**one, "annotations": {"io.containerd.image.name": of}} for one, of in zip(made.entries, names, strict=True)
    ]
    write_index(made, entries=entries)
    assert said(made.root, "--image", name)["others"] == ["registry.example.com/team/myapp:latest"]
