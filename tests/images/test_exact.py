"""What measure reads from layers, against others who count: skopeo, tar, docker save, docker export, dpkg, pip."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import recipe
from lab.config import Lab
from measure.base.files import ROOT
from measure.build import images as builder
from measure.steps.compose import Step, all_steps, find_step
from measure.weigh.oci import read_image
from tests.conftest import NATIVE, marks, run

#: Something of everything: a file, a hard link, a symbolic link, a file of the base deleted, one written anew.
DOCKERFILE = """FROM {base}
RUN echo hello > /hello && ln /hello /again && ln -s /hello /soft && rm -f /etc/issue && echo new > /etc/motd
RUN rm /hello && chmod 4755 /again
"""
#: What everybody counts.
SLIM = "python:3.14-slim"


def case(base: str, platform: str) -> pytest.param:
    """A base image to count in."""
    wanted = {"arm64": platform != NATIVE, "alpine": base.endswith("alpine"), "study": base != SLIM}
    found = [getattr(pytest.mark, name) for name, is_so in wanted.items() if is_so]
    return pytest.param((base, platform), id=f"{base}-{platform.split('/')[1]}", marks=found)


CASES = [*(case(base, NATIVE) for base in recipe.available()), case(SLIM, "linux/arm64")]
#: Every variant that builds, natively.
STEPS_CASES = [
    pytest.param(step, variant, NATIVE, id=f"{step.name}-{variant.name}", marks=marks(variant))
    for step in all_steps()
    for variant in step.variants
    if not variant.teaching.fails_with
]


class Built:
    """An image built once, and had three ways: as an OCI layout, in the engine, and in the lab's registry, if any."""

    def __init__(self, engine, base: str, platform: str, folder: Path) -> None:
        self.engine, self.platform = engine, platform
        self.lab = Lab.from_environment()
        place = f"{self.lab.registry}/" if engine.kind == "lab" else ""
        self.tag = f"{place}test/exact:{base.replace(':', '-')}-{platform.split('/')[1]}"
        (folder / "Dockerfile").write_text(DOCKERFILE.format(base=base))
        outputs = [f"type=oci,tar=false,dest={folder}/layout", "type=docker", *(["type=registry"] if place else [])]
        builder = ["--builder", engine.builder] if engine.builder else []
        environment = {**os.environ, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
        for output in outputs:
            self.docker("buildx", "build", *builder, "--platform", platform, "--tag", self.tag, "--output", output,
                        str(folder), env=environment)  # fmt: skip
        index = json.loads((folder / "layout/index.json").read_text())
        self.image = read_image(folder / "layout", index["manifests"][0]["digest"])

    def docker(self, *words: str, **options) -> str:
        result = run(self.engine.docker.client_config.client_call[0], *words, **options)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def inside(self, script: str) -> str:
        """What a shell script prints in the running image."""
        return self.docker("run", "--rm", "--platform", self.platform, "--entrypoint", "sh", self.tag, "-c", script)


@pytest.fixture(scope="module", params=CASES)
def built(request, engine, tmp_path_factory):
    base, platform = request.param
    engine.provide([base], [platform])
    found = Built(engine, base, platform, tmp_path_factory.mktemp("exact"))
    yield found
    found.docker("image", "rm", "--force", found.tag)


def listing(tar: Path) -> list[int]:
    """Sizes of the regular files in a tar file, plain or gzipped, as tar lists them."""
    shown = subprocess.run(["tar", "--list", "--verbose", "--file", tar], capture_output=True, text=True, check=True)
    return [int(line.split()[2]) for line in shown.stdout.splitlines() if line.startswith("-") and ".wh." not in line]


def test_transfer_bytes_are_those_that_skopeo_sees(built):
    if built.engine.kind != "lab":
        pytest.skip("there is no registry to ask but the lab's; run it with ENGINE=lab")
    skopeo = [
        "chroot",
        str(built.lab.tree),
        "skopeo",
        "inspect",
        "--raw",
        "--tls-verify=false",
        f"docker://{built.tag}",
    ]
    manifest = json.loads(run(*skopeo).stdout)
    if "manifests" in manifest:
        digest = manifest["manifests"][0]["digest"]
        manifest = json.loads(run(*skopeo[:-1], f"docker://{built.tag.rpartition(':')[0]}@{digest}").stdout)
    assert [layer["size"] for layer in manifest["layers"]] == [layer.transfer_bytes for layer in built.image.layers]


def test_unpacked_bytes_are_those_of_docker_save(built, tmp_path):
    built.docker("save", "--output", str(tmp_path / "saved.tar"), built.tag)
    run("tar", "--extract", "--file", "saved.tar", cwd=tmp_path).check_returncode()
    (saved,) = json.loads((tmp_path / "manifest.json").read_text())
    for name, layer in zip(saved["Layers"], built.image.layers, strict=True):
        unzipped = tmp_path / "layer.tar"
        with unzipped.open("wb") as file:
            subprocess.run(["gzip", "--decompress", "--stdout", "--force", tmp_path / name], stdout=file, check=True)
        sizes = listing(unzipped)
        assert unzipped.stat().st_size == layer.unpacked_tar_bytes
        assert (sum(sizes), len(sizes)) == (layer.unpacked_file_bytes, layer.files)


def test_what_is_visible_is_what_docker_export_gives(built, tmp_path):
    """Of what was deleted and overwritten, nothing is left there: visible and wasted bytes add up to the shipped."""
    container = built.docker("create", "--platform", built.platform, "--entrypoint", "sh", built.tag).strip()
    built.docker("export", "--output", str(tmp_path / "exported.tar"), container)
    built.docker("rm", container)
    sizes = listing(tmp_path / "exported.tar")
    contents = built.image.contents
    wasted = sum(layer.wasted_bytes for layer in built.image.layers)
    assert contents.file_bytes + wasted == built.image.unpacked_file_bytes
    # The engine adds .dockerenv, etc/hostname, etc/hosts and etc/resolv.conf, or empties them.
    assert abs(sum(sizes) - contents.file_bytes) < 2000
    assert abs(len(sizes) - contents.files) <= 4


def test_wasted_bytes_of_the_last_layers(built):
    """/hello lives on as /again; its mode changed in the last layer, so its bytes are shipped twice."""
    own = built.image.layers[-2:]
    assert [layer.wasted_bytes for layer in own] == [len("hello\n"), 0]


def test_os_packages_are_those_that_the_image_lists_itself(built):
    """Debian's tool gives a name and a version, apk's a line that begins with NAME-VERSION."""
    found = {(package.name, package.version) for package in built.image.contents.os_packages}
    tool = built.inside("command -v dpkg-query || command -v apk || echo none").strip()
    if tool == "none":
        assert found == set(), "an image without a distribution lists none"
    elif tool.endswith("apk"):
        shown = built.inside("apk list --installed").splitlines()
        assert {f"{name}-{version}" for name, version in found} == {line.split()[0] for line in shown}
        assert len(found) > 15
    else:
        shown = built.inside("dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\\n'").splitlines()
        assert found == {tuple(line.split()[:2]) for line in shown if line.endswith(" installed")}
        assert len(found) > 50


def test_python_packages_are_those_that_pip_lists(built):
    script = "command -v pip >/dev/null && pip list --format json --disable-pip-version-check || echo none"
    shown = built.inside(script)
    found = {p.name: p.version for p in built.image.contents.python_packages if "/usr/local/" in p.location}
    assert built.image.contents.has_pip == (shown.strip() != "none")
    if built.image.contents.has_pip:
        assert found == {package["name"]: package["version"] for package in json.loads(shown)}


def test_setuid_files_bytecode_user_shell_and_compiler_are_those_that_the_image_has(built):
    contents = built.image.contents
    assert built.inside("find / -xdev -type f -perm -4000 | sort").splitlines() == contents.setuid_files
    assert "/again" in contents.setuid_files
    assert int(built.inside("find / -xdev -type f -name '*.pyc' | wc -l")) == contents.pyc_files
    assert built.inside("id -un").strip() == contents.user
    assert contents.has_shell
    assert contents.has_compiler == (built.inside("command -v gcc || command -v cc || echo none").strip() != "none")


@pytest.mark.study
@pytest.mark.parametrize(("step", "variant", "platform"), STEPS_CASES)
def test_what_a_step_installs_is_what_its_image_says(engine, image, step, variant, platform):
    """The variants of each step, natively: pip in the running image against the layers."""
    name = image(step, variant, platform)
    read = builder.build(engine, step, variant, platform, lambda _: None)
    assert [layer.of_base for layer in read.layers] == sorted((layer.of_base for layer in read.layers), reverse=True)
    assert not all(layer.of_base for layer in read.layers)
    for location in {p.location for p in read.contents.python_packages if not p.location.startswith("/usr/lib/")}:
        if read.contents.has_pip:
            command = ["/usr/local/bin/pip", "list", "--path", location, "--format", "json"]
            shown = engine.docker.run(name, command, remove=True, user="root")
            listed = {package["name"]: package["version"] for package in json.loads(shown.splitlines()[0])}
            found = {p.name: p.version for p in read.contents.python_packages if p.location == location}
            assert found == listed, location


@pytest.mark.study
def test_the_context_is_what_the_builder_sees(engine):
    """The rules for what is ignored are ours where no engine is at hand: they must agree with the builder's."""
    for step in all_steps():
        for variant in step.variants:
            theirs = dict(builder.context_listing(engine, step, variant))
            ours = {name: (variant.context / name).lstat().st_size for name, *_ in variant.context_files}
            assert ours == theirs, variant.name


@pytest.mark.study
@pytest.mark.parametrize(
    "rules",
    [
        "*\n!app.py\n!src\n**/*.pyc\n",
        "src\n!src/deep/kept.txt\n",
        "*\n!src/**/*.txt\n",
        "**/deep\n!**/kept.txt\n",
        "# nothing\n\n/src/../notes*\n./app.py/\n",
        "src/*\n!src/deep\n",
        "s?c\n[m-o]otes.md\n",
        "**\n!app.py\n",
        "!notes.md\nnotes.md\n",
        "src/**\n!src/one.py\n",
    ],
)
def test_ignore_rules_agree_with_the_builders(engine, tmp_path, rules):
    folder = tmp_path / "step-9-demo"
    sources = [f"src/{name}" for name in ("one.py", "one.pyc", "deep/kept.txt", "deep/er/two.py")]
    for name in ["app.py", "notes.md", "Dockerfile", *sources]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    service = "{build: ., x-measure: {title: A, teaches: B, question: C}}"
    (folder / "compose.yaml").write_text(f"services: {{step-9-demo: {service}}}\n")
    (folder / ".dockerignore").write_text(rules)
    step = Step(folder.name, folder)
    theirs = {path for path, _ in builder.context_listing(engine, step, step.recommended)}
    assert {name for name, *_ in step.recommended.context_files} == theirs


READER = """
import json, resource, sys, time
from pathlib import Path
from measure.weigh.oci import read_image
times = []
for _ in range(2):
    begun = time.process_time()
    image = read_image(Path(sys.argv[1]), sys.argv[2])
    times.append(time.process_time() - begun)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps([image.unpacked_tar_bytes, *times, peak]))
"""


@pytest.mark.study
def test_a_large_image_is_read_quickly_and_in_little_memory(engine, tmp_path):
    """1.2 GB: under 15 s of a processor and 200 MB; under 1 s when nothing changed."""
    step = find_step("step-1")
    large = step.variant("full")
    engine.provide(large.external_images, ["linux/amd64"])
    digest = builder.build(engine, step, large, "linux/amd64", lambda _: None).digest
    result = run(
        sys.executable, "-c", READER, builder.layout(), digest,
        cwd=ROOT, env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
    )  # fmt: skip
    unpacked, cold, again, peak = json.loads(result.stdout)
    assert unpacked > 1_100_000_000
    assert cold < 15
    assert again < 1
    assert peak < 200_000_000
