"""Which line of a Dockerfile made which layer, for histories as each builder writes them."""

import pytest

from measure.base.dockerfiles import Dockerfile
from measure.mine.archives import read_archive
from measure.mine.reporting import report_of
from tests.handmade import tar
from tests.images_by_hand import layout

pytestmark = pytest.mark.usefixtures("cache")


BASE = [
    {"created_by": "# debian.sh --arch 'amd64' out/ 'trixie'"},
    {"created_by": 'CMD ["python3"]', "empty_layer": True},
]
TEXT = """# syntax=docker/dockerfile:1
FROM python:3.14-slim AS builder
RUN pip install --target /x flask
FROM python:3.14-slim
ARG VERSION=1
ENV A=b
WORKDIR /app
RUN --mount=type=cache,target=/root/.cache apt-get update && \\
    # why
    apt-get install -y curl
RUN <<EOF
set -e
echo $VERSION
EOF
COPY --from=builder --chown=1000 /x /x
COPY <<EOF /etc/conf
text
EOF
USER 1000
CMD ["python", "-m", "app"]
"""
BUILDKIT = [
    ("ARG VERSION=1", True), ("ENV A=b", True), ("WORKDIR /app", False),
    ("RUN |1 VERSION=1 /bin/sh -c apt-get update &&     apt-get install -y curl # buildkit", False),
    ("RUN |1 VERSION=1 /bin/sh -c set -e\necho $VERSION\n # buildkit", False),
    ("COPY --chown=1000 /x /x # buildkit", False), ("COPY <<EOF /etc/conf # buildkit", False), ("USER 1000", True),
    ('CMD ["python" "-m" "app"]', True),
]  # fmt: skip
OLDER = [
    ("/bin/sh -c #(nop)  ARG VERSION=1", True), ("/bin/sh -c #(nop)  ENV A=b", True),
    ("/bin/sh -c #(nop) WORKDIR /app", False),
    ("|1 VERSION=1 /bin/sh -c apt-get update &&     apt-get install -y curl", False),
    ("|1 VERSION=1 /bin/sh -c set -e\necho $VERSION\n", False),
    ("/bin/sh -c #(nop) COPY dir:0f2 in /x ", False), ("/bin/sh -c #(nop) COPY file:1a in /etc/conf ", False),
    ("/bin/sh -c #(nop)  USER 1000", True), ('/bin/sh -c #(nop)  CMD ["python" "-m" "app"]', True),
]  # fmt: skip
LINES = ["base", "Dockerfile:7", "Dockerfile:8", "Dockerfile:11", "Dockerfile:15", "Dockerfile:16"]


def lines(tmp_path, history, text=TEXT, target=None, base=BASE):
    steps = [*base, *({"created_by": words, "empty_layer": empty} for words, empty in history)]
    layers = [tar({f"f{number}": b"x" * 1000 * (number + 1)}) for number in range(len(steps))]
    layers = [one for one, step in zip(layers, steps, strict=True) if not step.get("empty_layer")]
    image, platform, _ = read_archive(layout(tmp_path / "layout", layers, history=steps).root)
    return report_of(image, platform, Dockerfile("Dockerfile", text) if text else None, target).lines


@pytest.mark.parametrize("history", [BUILDKIT, OLDER], ids=["BuildKit", "Docker before it, and buildah"])
def test_each_layer_has_its_line_whoever_built_it(tmp_path, history):
    found = lines(tmp_path, history)
    assert [one.where for one in found] == LINES
    assert [one.of_base for one in found] == [True] + [False] * 5
    assert found[0].instruction == "FROM python:3.14-slim"
    assert found[3].instruction == "RUN <<EOF"
    assert not any(one.changed for one in found)
    assert sum(one.files for one in found) == 6


def test_a_line_that_says_something_else_now_is_marked(tmp_path):
    found = lines(tmp_path, BUILDKIT, TEXT.replace("install -y curl", "install -y curl git"))
    assert [one.where for one in found if one.changed] == ["Dockerfile:8"]
    assert [one.where for one in lines(tmp_path / "b", BUILDKIT, TEXT.replace("echo $", "echo ")) if one.changed] == [
        "Dockerfile:11"
    ]


def test_lines_that_came_and_went_since_do_not_hide_the_others(tmp_path):
    text = TEXT.replace("WORKDIR /app\n", "WORKDIR /app\nRUN true\n").replace("USER 1000\n", "")
    found = {one.instruction: one.where for one in lines(tmp_path, BUILDKIT, text)}
    assert found["RUN <<EOF"] == "Dockerfile:12"


@pytest.mark.parametrize(
    ("history", "where", "changed"),
    [
        ("RUN python -m compileall /app # buildkit", "Dockerfile:5", False),
        ('RUN ["python", "-m", "compileall", "/app"]', "Dockerfile:5", False),
        ("RUN python -m compileall /other # buildkit", "Dockerfile:5", True),
        ("COPY x /y # buildkit", "layer 3", False),
    ],
)  # fmt: skip
def test_a_line_between_others_is_found_although_some_are_no_more(tmp_path, history, where, changed):
    """In exec form, as builders and as kaniko write it, and with another text."""
    text = 'FROM a\nENV A=b\nRUN one\n# why\nRUN ["python", "-m", "compileall", "/app"]\nRUN two\n'
    steps = [("RUN /bin/sh -c one", False), (history, False), ("RUN /bin/sh -c two", False), ("USER gone", True)]
    found = lines(tmp_path, steps, text)
    assert [(one.where, one.changed) for one in found] == [
        ("base", False), ("Dockerfile:3", False), (where, changed), ("Dockerfile:6", False)
    ]  # fmt: skip


def test_stages_of_the_same_file_belong_to_the_image_and_onbuild_of_the_base_does_not(tmp_path):
    text = "FROM a:1 AS one\nRUN first\nFROM b:2\nRUN other\nFROM one AS last\nRUN second\nFROM last\n"
    history = [("RUN /bin/sh -c first # buildkit", False), ("RUN /bin/sh -c second # buildkit", False)]
    onbuild = [*BASE, {"created_by": "COPY . /app # buildkit"}]
    found = lines(tmp_path, history, text, base=onbuild)
    assert [(one.where, one.files) for one in found] == [("base", 2), ("Dockerfile:2", 1), ("Dockerfile:6", 1)]
    assert [one.where for one in lines(tmp_path / "b", history[:1], text, "one", onbuild)] == ["base", "Dockerfile:2"]


@pytest.mark.parametrize("text", ["FROM b:2\n", "FROM b:2\nLABEL a=b\n"])
def test_what_the_bases_onbuild_did_is_the_images_own(tmp_path, text):
    """Where the base's history lists what it asks for: the same steps come again when an image is built on it."""
    asked = ["COPY . /app", "RUN pip install x"]
    base = [*BASE, *({"created_by": f"ONBUILD {one}", "empty_layer": True} for one in asked),
            {"created_by": 'CMD ["app"]', "empty_layer": True}]  # fmt: skip
    history = [("COPY . /app # buildkit", False), ("RUN /bin/sh -c pip install x # buildkit", False)]
    label = [("LABEL a=b", True)] if "LABEL" in text else []
    found = lines(tmp_path, [*history, *label], text, base=base)
    assert [(one.where, one.instruction) for one in found] == [
        ("base", "FROM b:2"), ("layer 2", "COPY . /app"), ("layer 3", "RUN pip install x")
    ]  # fmt: skip
    assert [one.where for one in lines(tmp_path / "b", label, text, base=base)] == ["base"], "nothing was built on it"


def test_an_image_of_scratch_has_no_base(tmp_path):
    text = "FROM a:1 AS one\nFROM scratch\nCOPY --from=one / /\n"
    found = lines(tmp_path, [("COPY / / # buildkit", False)], text, base=[])
    assert [(one.where, one.of_base) for one in found] == [("Dockerfile:3", False)]


def test_without_a_dockerfile_the_history_tells_and_the_base_ends_with_its_command(tmp_path):
    found = lines(tmp_path, BUILDKIT, "")
    assert [one.where for one in found] == ["base", *(f"layer {number}" for number in range(2, 7))]
    assert found[2].instruction == "RUN apt-get update && apt-get install -y curl"


def test_an_image_without_a_history_has_layers(tmp_path):
    image, platform, _ = read_archive(
        layout(tmp_path / "layout", [tar({"a": b"1"}), tar({"b": b"2"})], history=[{}]).root
    )
    found = report_of(image, platform).lines
    assert [one.where for one in found] == ["layer 1", "layer 2"]
    assert all(one.instruction.startswith("sha256:") for one in found)


def test_what_hides_a_lines_files_is_said(tmp_path):
    steps = [{"created_by": f"RUN /bin/sh -c {word} # buildkit"} for word in ("make", "other", "rm")]
    tars = [tar({"a": b"x" * 1000, "b": b"1"}), tar({"b": b"2"}), tar({".wh.a": b""})]
    image, platform, _ = read_archive(layout(tmp_path / "layout", tars, history=steps).root)
    text = "FROM scratch\nRUN make\nRUN other\nRUN rm\n"
    found = report_of(image, platform, Dockerfile("Dockerfile", text)).lines
    assert [(one.hidden_bytes, one.hidden_by) for one in found] == [
        (1001, {"Dockerfile:3": 1, "Dockerfile:4": 1000}), (0, {}), (0, {})
    ]  # fmt: skip


def test_a_history_that_talks_to_the_terminal_is_made_harmless(tmp_path):
    found = lines(tmp_path, [("RUN /bin/sh -c echo \x1b[2J\u202e # buildkit", False)], "")
    assert found[-1].instruction == "RUN echo ?[2J?"


def test_own_lines_that_are_no_more_are_not_the_bases(tmp_path):
    found = lines(tmp_path, BUILDKIT, "FROM python:3.14\nUSER 1000\n" + TEXT.partition("WORKDIR /app\n")[2])
    assert [(one.where, one.of_base) for one in found][:2] == [("base", True), ("layer 2", False)]
