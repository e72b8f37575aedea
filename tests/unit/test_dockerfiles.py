import pytest

from measure.base.dockerfiles import Dockerfile, read
from measure.base.errors import Problem

HEREDOC = "FROM a:1\nRUN <<EOF && \\\n  true\nFROM b:2\nEOF\nCOPY <<-'one' <<two /x/\nFROM c:3\n\tone\nFROM d:4\ntwo\n"


@pytest.mark.parametrize(
    ("text", "external", "base"),
    [
        ("FROM python:3.14-slim\n", ["python:3.14-slim"], "python:3.14-slim"),
        ("FROM --platform=$BUILDPLATFORM debian:trixie AS a\nFROM a\n", ["debian:trixie"], "debian:trixie"),
        ("FROM scratch\nCOPY --from=python:3.14 /a /b\n", ["python:3.14"], None),
        ("FROM a:1 AS builder\nFROM b:2\nCOPY --from=builder /x /x\nCOPY --from=0 /y /y\n", ["a:1", "b:2"], "b:2"),
        ("FROM a:1\nRUN --mount=type=bind,from=c:3,target=/c ls\n", ["a:1", "c:3"], "a:1"),
        ("FROM a:1 AS x-amd64\nARG TARGETARCH\nFROM x-${TARGETARCH}\n", ["a:1"], "x-${TARGETARCH}"),
        ("FROM a:1 AS x-amd64\nFROM x-$ARCH AS last\nFROM scratch\nCOPY --from=last / /\n", ["a:1"], None),
        # Arguments: two on a line, quoted, of one another, with a default of their own, and those of a service.
        ("ARG TAG=3.14\nFROM python:${TAG}-slim\n", ["python:3.14-slim"], "python:3.14-slim"),
        ("ARG A=a B='1'\nARG C=$A:$B\nFROM $C\n", ["a:1"], "a:1"),
        ("ARG A\nFROM ${A:-a:1}\n", ["a:1"], "a:1"),
        ("ARG A=\nFROM a${A:+:2}${A-:1}\nFROM b${B:+:1}:2\n", ["a", "b:2"], "b:2"),
        ("ARG GIVEN=a:1\nFROM ${GIVEN:-b:2}\n", ["c:3"], "c:3"),
        ("FROM ${GIVEN:-a:1}\n", ["a:1"], "a:1"),  # not declared, so not given
        # Names of stages are the same in small and capital letters; one that comes later is not meant.
        ("FROM a:1 AS Builder\nFROM BUILDER as b\nCOPY --from=BuilDer / /\n", ["a:1"], "a:1"),
        ("FROM python:3.14 AS python\nFROM debian AS debian\n", ["python:3.14", "debian"], "debian"),
        ("# syntax=a\n# escape=`\nfrom a:1`\n\n # b`\n  as c\nCOPY . C:\\\nFROM C\n", ["a:1"], "a:1"),
        # Of an option, and not of what is run.
        ("FROM a:1\nRUN tool --from=b:2 --mount=from=c:3\n", ["a:1"], "a:1"),
        (HEREDOC, ["a:1"], "a:1"),
        ('FROM a:1\nENV A <<EOF\nRUN echo "1 <<EOF 2"\nCOPY --from=b:2 / /\n', ["a:1", "b:2"], "a:1"),
    ],
)
def test_images_that_a_dockerfile_needs_and_stands_on(text, external, base):
    found = Dockerfile("Dockerfile", text, {"GIVEN": "c:3"})
    assert (found.external_images, found.base_image()) == (external, base)


def test_a_heredoc_is_no_instruction():
    assert [one.split()[0] for one in Dockerfile("Dockerfile", HEREDOC).instructions] == ["FROM", "RUN", "COPY"]


def test_a_target_is_built_from_what_its_stage_stands_on():
    found = Dockerfile("Dockerfile", "FROM a:1 AS One\nFROM one AS two\nFROM b:2\n")
    assert found.base_image("TWO") == "a:1"
    with pytest.raises(Problem, match="no stage called three") as problem:
        found.base_image("three")
    assert problem.value.why == "Its stages are called one, two."


@pytest.mark.parametrize(
    ("text", "told"), [("RUN true\n", "no FROM"), ("ARG A='a\nFROM $A\n", "does not parse: ARG A='a")]
)
def test_a_dockerfile_that_cannot_be_built_is_told(text, told):
    with pytest.raises(Problem, match=told):
        _ = Dockerfile("Dockerfile", text).stages


def test_where_each_instruction_stands_whatever_the_ends_of_lines():
    """Continuation lines, comments in them, here-documents, a byte order mark, the escape directive after another."""
    text = "# syntax=a\n# check=skip=all\n# escape=`\nFROM a:1\n\nRUN one `\n  # why\n  two\n"
    text += "RUN <<EOF\nthree\nEOF\nUSER 1\n"
    for sign, end in (("", "\n"), ("\ufeff", "\r\n")):
        found = Dockerfile("Dockerfile", sign + text.replace("\n", end)).structure
        assert [(one.word, one.first, one.last) for one in found] == [
            ("FROM", 4, 4), ("RUN", 6, 8), ("RUN", 9, 11), ("USER", 12, 12)
        ]  # fmt: skip
        assert found[2].here == ("three\n",)
    assert [one.here for one in Dockerfile("Dockerfile", HEREDOC).structure] == [
        (), ("FROM b:2\n",), ("FROM c:3\n", "FROM d:4\n")
    ]  # fmt: skip


def test_the_stages_that_an_image_consists_of_and_their_instructions():
    text = "FROM a:1 AS one\nUSER 1\nFROM b:2 AS other\nUSER 2\nFROM one\nUSER 3\n"
    chain = Dockerfile("Dockerfile", text).chain()
    assert [(one.image, [line.value for line in one.instructions]) for one in chain] == [("a:1", ["1"]), ("one", ["3"])]
    assert len(Dockerfile("Dockerfile", text).chain("other")) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("FROM a:1\nRUM true\n", "Dockerfile:2: RUM is no"),
        ("FROM a:1\nRUN <<EOF\ntrue\n", "Dockerfile:2: the here-doc"),
    ],
)
def test_what_no_builder_takes_is_told_with_its_line(text, told):
    with pytest.raises(Problem, match=told):
        Dockerfile("Dockerfile", text).check()


def test_a_file_that_is_no_text_is_told(tmp_path):
    (tmp_path / "Dockerfile").write_bytes(b"FROM \xff\xfe\n")
    with pytest.raises(Problem, match="no text"):
        read(tmp_path / "Dockerfile")
