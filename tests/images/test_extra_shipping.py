"""extra-shipping: one digest from two clones, what a push sends by three counts, and each trap with its message."""

import contextlib
import json
import os
import shutil
import tarfile
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import pytest

from measure.build import images as builder
from measure.build.images import BuildError
from measure.record.records import as_json
from measure.run.step import provide_bases, weighed
from measure.steps.compose import Step, find_step
from measure.studies.builders.trying import other_builders
from measure.studies.shipping import pushing
from measure.studies.shipping.counting import Count
from measure.weigh.oci import Image
from tests.conftest import NATIVE, python_m, run, serving
from tests.unit.test_messages import seen

pytestmark = pytest.mark.study
STEP = find_step("extra-shipping")


@pytest.fixture
def fresh_registry(engine):
    """A registry that has nothing."""
    if engine.registry is None:
        pytest.skip("only the lab makes registries")
    with engine.registry() as registry:
        yield registry


def digest(engine, folder, variant, umask: int, zone: str) -> str:
    """Build a variant from a clone with nothing cached, as a reader does; returns the image's digest."""
    told, client = folder / "told.json", engine.docker.client_config.client_call
    output = f"type=oci,dest={folder / 'image.tar'}{variant.exported or ',rewrite-timestamp=true'}"
    words = ["buildx", "bake", "--file", "compose.yaml", "--metadata-file", str(told), "--set", "*.no-cache=true"]
    words += ["--set", f"*.platform={NATIVE}", "--set", f"*.output={output}", variant.service]
    environment = {**os.environ, "TZ": zone, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "SOURCE_DATE_EPOCH": "1767225600"}
    result = run(*client, *words, cwd=folder, env=environment, umask=umask)
    assert result.returncode == 0, result.stderr
    return json.loads(told.read_text())[variant.service]["containerimage.digest"]


#: What the page says to do about packages from apt and about one that is compiled, by what stands in the Dockerfile.
TRACES = "/var/log/apt /var/log/dpkg.log /var/cache/ldconfig/aux-cache"
CURES = {
    "extra-need-for-speed": {
        "rm -rf /var/lib/apt/lists/*": f"rm -rf /var/lib/apt/lists/* {TRACES}",
        "    pip --python": "    CFLAGS=-g0 pip --python",
    }
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "name",
    ["extra-shipping", "step-3", "step-4", "extra-moving-complexity", "extra-need-for-speed", "extra-second-platform"],
)
def test_two_clones_with_two_umasks_in_two_time_zones_give_one_digest(engine, tmp_path, name):
    """The recommended image of every step whose Dockerfile asks for a time. useradd's day counts: both on one day."""
    if (left := 86_400 - time.time() % 86_400) < 300:
        time.sleep(left)
    step = find_step(name)
    provide_bases(engine, [(step.recommended, NATIVE)])
    found = []
    for umask, zone, clone in ((0o022, "UTC", "one"), (0o077, "Pacific/Auckland", "another")):
        folder = tmp_path / clone / step.name
        before = os.umask(umask)
        try:
            shutil.copytree(step.folder, folder, copy_function=shutil.copyfile)
        finally:
            os.umask(before)
        text = (folder / "Dockerfile").read_text()
        for old, new in CURES.get(name, {}).items():
            assert old in text
            text = text.replace(old, new)
        (folder / "Dockerfile").write_text(text)
        found.append(digest(engine, folder, step.recommended, umask, zone))
    modes = {(tmp_path / clone / step.name / "gunicorn.conf.py").stat().st_mode & 0o777 for clone in ("one", "another")}
    assert modes == {0o644, 0o600}
    assert found[0] == found[1]


def layers(archive: Path) -> list[str]:
    """Digests of an image's layers, in an OCI archive."""
    with tarfile.open(archive) as tar:
        read = lambda name: json.load(tar.extractfile(name))  # noqa: E731
        (image,) = read("index.json")["manifests"]
        return [one["digest"] for one in read(f"blobs/{image['digest'].replace(':', '/')}")["layers"]]


@pytest.mark.timeout(900)
def test_a_line_of_code_pushes_its_layer_and_with_the_time_of_each_commit_every_layer(engine, tmp_path):
    provide_bases(engine, [(STEP.recommended, NATIVE)])
    folder, found = tmp_path / STEP.name, []
    shutil.copytree(STEP.folder, folder)
    for file, old, new in (
        ("gunicorn.conf.py", "", ""),
        ("src/whichimage/__init__.py", "", "RELEASE = 2\n"),
        ("compose.yaml", "1767225600", "1767225601"),
    ):
        text = (folder / file).read_text()
        (folder / file).write_text(text.replace(old, new) if old else text + new)
        digest(engine, folder, STEP.recommended, 0o022, "UTC")
        found.append(layers(folder / "image.tar"))
    first, edited, later = found
    assert [one == two for one, two in zip(first, edited, strict=True)] == [True] * (len(first) - 1) + [False]
    kept = [one == two for one, two in zip(edited, later, strict=True)]
    base = len(builder.base_layers(engine, STEP.recommended.base_image, NATIVE))
    assert kept == [True] * base + [False] * (len(kept) - base)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("recommended", "It holds: same digest, sha256:"),
        ("reproducible", "in bytecode (opt/venv/"),
        ("plain", "in time ("),
    ],
)
def test_verify_tells_the_same_digest_or_what_kind_of_difference_it_is(engine, tmp_path, name, words):
    variant = STEP.variant(name)
    provide_bases(engine, [(variant, NATIVE)])
    path = tmp_path / "record.json"
    path.write_text(as_json(weighed(engine, STEP, variant, NATIVE, lambda line: None)))
    result = python_m("measure", "verify", str(path), seconds=600)
    assert result.returncode == 0, result.stdout + result.stderr
    assert words in result.stdout


@pytest.mark.timeout(600)
def test_the_disk_the_log_and_the_manifests_of_a_registry_agree_about_what_a_push_sent(engine, fresh_registry):
    variant, count = STEP.variant("plain"), Count(fresh_registry)
    provide_bases(engine, [(variant, NATIVE)])
    sent = {}
    # A machine that has nothing: one that built both before, and one of them again without its cache, has the layers of
    # the same lines twice.
    with engine.fresh() as machine:
        for kind in ("first", "edit"):
            with pushing.changed(STEP, kind) as copy:
                builder.push(machine, copy, copy.variant("plain"), f"{fresh_registry.address}/counted:{kind}")
            sent[kind] = count.sent("counted", kind)
            assert sent[kind].sent_bytes == sent[kind].named_bytes
            assert 0 < sent[kind].stored_bytes - sent[kind].sent_bytes < 10_000, "the manifest"
    weighed_bytes = _weighed(engine, variant).transfer_bytes
    assert 0 < sent["first"].sent_bytes - weighed_bytes < 20_000, "the layers, and the configuration"
    assert sent["edit"].sent_bytes < 20_000, "one layer of code, and the configuration"


def _weighed(engine, variant) -> Image:
    return builder.build(engine, STEP, variant, NATIVE, lambda line: None, remember=False)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("name", "is_stale"), [("reproducible", True), ("recommended", False)])
def test_setting_times_makes_bytecode_stale_unless_pip_knew_of_it(engine, fresh_registry, name, is_stale):
    image = f"{fresh_registry.address}/pulled:{name}"
    builder.push(engine, STEP, STEP.variant(name), image)
    engine.docker.image.pull(image, quiet=True)
    try:
        files, stale = map(int, pushing.in_python(engine, image, pushing.BYTECODE).split())
    finally:
        engine.docker.image.remove(image, force=True)
    assert files > 100
    assert stale == (files if is_stale else 0)


def test_into_the_engine_times_cannot_be_set_and_an_epoch_is_a_number(engine, docker, folder):
    bake = ("buildx", "bake", "--file", "compose.yaml")
    output = "*.output=type=docker,rewrite-timestamp=true"
    refused = docker(*bake, "--set", output, "--set", "*.tags=extra-shipping:refused", "extra-shipping", cwd=folder)
    docker("image", "rm", "--force", "extra-shipping:refused")
    assert refused.returncode != 0
    seen("rewrite-conflicts-with-unpack", refused.stderr)
    output = f"*.output=type=oci,dest={folder / 'image.tar'},rewrite-timestamp=true"
    words = ("--set", "*.args.SOURCE_DATE_EPOCH=yesterday", "--set", output, "extra-shipping")
    wrong = docker(*bake, *words, cwd=folder)
    assert wrong.returncode != 0
    assert (folder / "image.tar").stat().st_size == 0
    seen("epoch-is-no-number", wrong.stderr)


@pytest.mark.parametrize(("options", "is_refused"), [("", True), (builder.GZIP, False)])
def test_what_is_saved_after_a_push_in_zstd_is_not_loaded_unless_it_is_in_gzip(docker, tmp_path, options, is_refused):
    """Of a builder that has the layer in zstd alone: so the tool has it make gzip first of what it weighs in zstd.

    With an attestation it stands in an index, and is loaded all the same.
    """
    (tmp_path / "content").write_text(os.urandom(16).hex())
    (tmp_path / "Dockerfile").write_text('FROM scratch\nCOPY content /content\nCMD ["/content"]\n')
    name, saved = "extra-shipping:saved", tmp_path / "saved.tar"
    try:
        for output in (f"type=oci,compression=zstd,dest={saved}", f"type=docker,name={name}{options}"):
            docker("buildx", "build", "--provenance=false", "--output", output, tmp_path).check_returncode()
        docker("save", "--output", saved, name).check_returncode()
        docker("image", "rm", "--force", name).check_returncode()
        docker("load", "--input", saved).check_returncode()
        created = docker("create", name)
        docker("rm", created.stdout.strip() or "none")
    finally:
        docker("image", "rm", "--force", name)
    assert (created.returncode != 0) == is_refused
    if is_refused:
        seen("mismatched-rootfs", created.stderr)


def test_a_build_that_fails_pushes_nothing(engine, fresh_registry, folder):
    (folder / "requirements.txt").write_text("no-such-package==1.0 --hash=sha256:" + "0" * 64 + "\n")
    copy = Step(STEP.name, folder)
    with pytest.raises(BuildError):
        builder.push(engine, copy, copy.variant("plain"), f"{fresh_registry.address}/nothing:at-all")
    assert "PUT" not in fresh_registry.log.read_text()


class Without(BaseHTTPRequestHandler):
    """In front of a registry: hands everything on, but refuses a manifest with a layer of one kind."""

    #: The default, too: who asks by TLS first is answered in HTTP, and asks again without.
    protocol_version = default_request_version = "HTTP/1.1"
    registry: str
    kind: bytes

    def answer(self) -> None:
        body = self._body()
        if self.command == "PUT" and "/manifests/" in self.path and self.kind in body:
            refusal = {"errors": [{"code": "MANIFEST_INVALID", "message": "manifest invalid"}]}
            answer = httpx.Response(400, json=refusal)
        else:
            url = f"http://{self.registry}{self.path}"
            headers = [one for one in self.headers.items() if one[0] != "Transfer-Encoding"]
            answer = httpx.request(self.command, url, headers=headers, content=body, timeout=30, trust_env=False)
        self.send_response(answer.status_code)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.content)

    do_GET = do_HEAD = do_PATCH = do_POST = do_PUT = answer  # noqa: N815 - the names are the server's

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@contextlib.contextmanager
def without(kind: bytes, registry: str) -> Iterator[str]:
    """The address of a registry that does not take a kind of layers, in front of another one."""
    handler = type("Handler", (Without,), {"registry": registry, "kind": kind})
    with serving(handler) as server:
        yield f"127.0.0.1:{server.server_port}"


#: What a layer is called, by options of the exporter: in Docker's old form, which has no zstd, and in OCI's.
FORMS = {"docker": "compression=zstd", "gzip": "compression=gzip", "oci": "compression=zstd,oci-mediatypes=true"}


@pytest.fixture
def push(docker, tmp_path):
    """Pushes an image of one small layer in one of the forms; without an attestation, which takes OCI's by itself."""
    (tmp_path / "content").write_text(os.urandom(16).hex())
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY content /content\n")

    def call(name: str, form: str):
        output = f"type=image,name={name},push=true,force-compression=true,{FORMS[form]}"
        done = docker("buildx", "build", "--provenance=false", "--output", output, tmp_path)
        docker("image", "rm", "--force", name)
        return done

    return call


@pytest.mark.parametrize(("kind", "taken"), [(b"zstd", ["gzip"]), (b"rootfs.diff.tar.zstd", ["gzip", "oci"])])
def test_a_registry_that_does_not_take_zstd_says_so_and_has_no_tag(push, fresh_registry, kind, taken):
    with without(kind, fresh_registry.address) as address:
        for form in FORMS:
            pushed = push(f"{address}/refused:{form}", form)
            assert (pushed.returncode == 0) == (form in taken), pushed.stderr
            if pushed.returncode:
                seen("registry-without-zstd", pushed.stderr)
    tags = httpx.get(f"http://{fresh_registry.address}/v2/refused/tags/list", trust_env=False).json()["tags"]
    assert sorted(tags) == taken


@pytest.mark.timeout(600)
def test_podman_pulls_zstd_in_ocis_form_and_not_in_dockers(engine, push, fresh_registry):
    with other_builders(engine) as builders:
        for form in FORMS:
            name = f"{fresh_registry.address}/podman:{form}"
            push(name, form).check_returncode()
            code, said = builders.podman("pull", "--tls-verify=false", name)
            assert (code == 0) == (form != "docker"), said
            if code:
                seen("zstd-in-dockers-form", "\n".join(said))


def test_a_tag_that_moved_gives_another_image_and_a_digest_the_same_one_or_none(docker, fresh_registry, tmp_path):
    tag = f"{fresh_registry.address}/base:moves"

    def built(dockerfile: str, output: str) -> tuple[str, str]:
        """The digest of what comes of a Dockerfile, '' where nothing does, and what the builder says."""
        (tmp_path / "Dockerfile").write_text(dockerfile)
        told = tmp_path / "told.json"
        told.unlink(missing_ok=True)
        options = ("--no-cache", "--build-arg", "SOURCE_DATE_EPOCH=1767225600", "--metadata-file", told)
        said = docker("buildx", "build", *options, "--output", output, tmp_path).stderr
        return json.loads(told.read_text())["containerimage.digest"] if told.exists() else "", said

    bases, upon = [], []
    file = f"type=oci,dest={tmp_path / 'image.tar'},rewrite-timestamp=true"
    (tmp_path / "mine").write_text("mine")
    for content in ("before", "after"):
        (tmp_path / "content").write_text(content)
        bases.append(built("FROM scratch\nCOPY content /content\n", f"type=image,name={tag},push=true")[0])
        docker("image", "rm", "--force", tag).check_returncode()
        upon.append(built(f"FROM {tag}\nCOPY mine /mine\n", file)[0])
    assert len({*bases, *upon}) == 4, "the tag moved, and so did what stands on it"
    pinned = [built(f"FROM {tag}@{digest}\nCOPY mine /mine\n", file) for digest in (*bases, f"sha256:{0:064}")]
    assert [digest for digest, _ in pinned] == [*upon, ""]
    seen("no-such-base", pinned[-1][1])
