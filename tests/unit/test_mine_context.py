"""What a folder offers to a builder, and what its ignore file does."""

import pytest

from measure.base import dockerfiles
from measure.base.errors import Problem
from measure.mine import context
from measure.mine.context import context_of, looks_secret
from measure.mine.reporting import Asked, report


@pytest.fixture
def folder(tmp_path):
    for path, size in {
        "Dockerfile": 0, "app.py": 10, "data/big.csv": 5000, ".git/objects/a": 300_000, ".env": 20, ".env.example": 5,
        "a/b/__pycache__/x.pyc": 700, "keys/id_rsa": 9, "tests/test_a.py": 4,
    }.items():  # fmt: skip
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"x" * size)
    (tmp_path / "link").symlink_to("/etc/hostname")
    return tmp_path


def test_what_is_sent_and_what_is_offered(folder):
    found = context_of(folder, folder / "Dockerfile")
    assert (found.files, found.bytes) == (found.folder_files, found.folder_bytes) == (10, 306_048 - 300)
    assert list(found.largest)[:2] == [".git/objects/a", "data/big.csv"]
    assert found.secrets == [".env", "keys/id_rsa"]
    assert found.avoidable == {".git": 300_000, "**/__pycache__": 700}
    assert found.ignore_file is None


def test_an_ignore_file_and_its_patterns_that_match_nothing(folder):
    (folder / ".dockerignore").write_text("# why\n.git\n**/__pycache__\n\n*.log\n!data\nkeys/\nnode_modules/\n.env\r\n")
    found = context_of(folder, folder / "Dockerfile")
    assert found.idle_patterns == [".dockerignore:5: *.log", ".dockerignore:8: node_modules/"]
    assert (found.avoidable, found.secrets) == ({}, [])
    assert found.folder_bytes - found.bytes == 300_000 + 700 + 9 + 20
    (folder / "x.Dockerfile.dockerignore").write_text("data\n")
    assert context_of(folder, folder / "x.Dockerfile").ignore_file == "x.Dockerfile.dockerignore"


def test_more_files_than_a_context_has_are_told(folder, monkeypatch):
    monkeypatch.setattr(context, "_MOST_FILES", 3)
    with pytest.raises(Problem, match="more than 3 files"):
        context_of(folder, folder / "Dockerfile")


def test_a_folder_alone_has_a_report(folder):
    (folder / "Dockerfile").write_text("FROM python:3.14\nCOPY . .\nRUN pip install -r requirements.txt\n")
    made = report(Asked(folder=folder, dockerfile=folder / "Dockerfile", subject="."))
    assert (made.base, made.sizes, made.lines) == ("python:3.14", None, [])
    assert [(one.name, one.where) for one in made.next_steps] == [
        ("order of lines", "Dockerfile:3"), ("build context", ".dockerignore")
    ]  # fmt: skip


BUILDKIT = """# syntax=docker/dockerfile:1-labs
# check=skip=all
ARG V=3.14
FROM --platform=$BUILDPLATFORM python:${V} AS build
RUN --mount=type=secret,id=token,env=TOKEN --network=none --security=insecure <<-"EOF" bash
	FROM nowhere
	EOF
ADD --checksum=sha256:0 --unpack=true https://example.com/a.tar.gz /a/
ADD --keep-git-dir=true git@example.com:a/b.git#main /b
FROM python:${V:-3}-slim
COPY --link --parents --exclude=*.md --from=build ./a/./b/ /c/
COPY <<one <<two /etc/
FROM one
one
FROM two
two
HEALTHCHECK --start-interval=1s CMD ["true"]
"""


def test_what_buildkit_alone_takes_is_read(folder):
    (folder / "Dockerfile").write_text(BUILDKIT)
    made = report(Asked(folder=folder, dockerfile=folder / "Dockerfile", subject="."))
    assert made.base == "python:3.14-slim"
    dockerfile = dockerfiles.read(folder / "Dockerfile")
    assert dockerfile.external_images == ["python:3.14", "python:3.14-slim"]
    assert [(one.word, one.first) for one in dockerfile.chain()[-1].instructions] == [
        ("COPY", 11), ("COPY", 12), ("HEALTHCHECK", 17)
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["RUN true\n", "FROM a\nRUM x\n", "FROM a\nRUN <<EOF\nx\n", ""])
def test_a_dockerfile_that_no_builder_takes_is_told(folder, text):
    (folder / "Dockerfile").write_text(text)
    with pytest.raises(Problem) as problem:
        report(Asked(folder=folder, dockerfile=folder / "Dockerfile", subject="."))
    assert problem.value.next


def test_names_that_secrets_have():
    for name in (
        ".env",
        "a/.env.production",
        "x/.netrc",
        "id_ed25519",
        "tls/server.key",
        ".aws/credentials",
        "secrets.yaml",
    ):
        assert looks_secret(name), name
    for name in (".env.example", "env.py", "monkey.py", "keys.py", "secrets.py", ".environment"):
        assert not looks_secret(name), name
