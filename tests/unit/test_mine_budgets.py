"""Budgets, what grew since, and the command with its exit codes."""

import json
import re
from xml.etree import ElementTree

import jsonschema
import pytest
from typer.testing import CliRunner

from measure.base.errors import Problem
from measure.base.files import ROOT
from measure.mine import cli, page
from measure.mine.budgets import breaches, read_budget
from measure.mine.model import LineTime, Report, Timed
from tests.handmade import tar
from tests.images_by_hand import docker_archive, layout, package


@pytest.fixture(autouse=True)
def here(cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


HISTORY = [
    {"created_by": "COPY / / # buildkit"}, {"created_by": 'CMD ["python3"]', "empty_layer": True},
    {"created_by": "RUN /bin/sh -c install # buildkit"}, {"created_by": "COPY app /app # buildkit"},
]  # fmt: skip


def image(root, bytes_of_flask=1000, **more):
    own = {**package("flask", {"flask.py": b"x" * bytes_of_flask}), **more}
    return layout(root, [tar({"base": b"b" * 100}), tar(own), tar({"app/a": b"a"})], history=HISTORY).root


def run(*words):
    return CliRunner().invoke(cli.app, list(map(str, words)))


def budget(tmp_path, text):
    (tmp_path / "budget.toml").write_text(text)
    return tmp_path / "budget.toml"


def test_the_report_in_json_is_as_its_schema_says(tmp_path):
    found = run(image(tmp_path / "a"), "--json")
    assert found.exit_code == 0, found.output
    schema = json.loads((ROOT / "results/mine.schema.json").read_text())
    jsonschema.validate(json.loads(found.stdout), schema)
    assert schema == Report.model_json_schema()


def test_the_screen_and_the_comment_say_what_each_line_takes(tmp_path):
    for way in ([], ["--markdown"], ["--all"]):
        found = run(image(tmp_path / f"a{len(way)}{way}"), *way)
        assert found.exit_code == 0, found.output
        for words in ("layer 2", "RUN install", "flask 1.0", "transfer", "user root"):
            assert words in found.stdout.replace("\\", ""), (way, words)
    assert len(run(image(tmp_path / "b")).stdout.splitlines()) < 45


def test_what_grew_is_told_by_line_and_by_package_against_an_image_and_a_report(tmp_path):
    old, new = image(tmp_path / "old"), image(tmp_path / "new", 50_000, **package("extra", {"e.py": b"1"}))
    (tmp_path / "old.json").write_text(run(old, "--json").stdout)
    for other in (old, tmp_path / "old.json"):
        grown = json.loads(run(new, "--against", other, "--json").stdout)["growth"]
        assert [(one["kind"], one["where"], one["is_new"]) for one in grown] == [
            ("line", "layer 2", False), ("package", "flask 1.0", False), ("package", "extra 1.0", True)
        ]  # fmt: skip
        assert grown[1]["bytes"] == 49_000
    assert "the same, line by line" in run(new, "--against", new).stdout
    assert "layer 2" in run(new, "--against", old, "--markdown").stdout


def test_over_the_budget_is_exit_code_3_with_the_line_that_grew(tmp_path):
    limit = budget(tmp_path, 'unpacked = "40 kB"\n')
    old, new = image(tmp_path / "old"), image(tmp_path / "new", 50_000)
    assert run(old, "--budget", limit).exit_code == 0
    found = run(new, "--budget", limit)
    assert found.exit_code == 3
    assert "the heaviest line is layer 2" in found.output.replace("\n", " ")
    found = run(new, "--budget", limit, "--against", old)
    assert found.exit_code == 3
    assert "layer 2 grew" in found.output.replace("\n", " ")


def test_each_limit_holds_for_its_platform(tmp_path):
    made = Report.model_validate_json(run(image(tmp_path / "a"), "--json").stdout)
    for text, told in {
        "transfer = 100": "transfer", "unpacked = 5000": "unpacked", "packages = 0": "1 Python packages",
        'forbidden = ["Flask"]': "flask 1.0 is in the image", "root = false": "runs as root",
        'transfer = "1 GB"\n[platform."linux/x86_64"]\ntransfer = 100': "transfer",
    }.items():  # fmt: skip
        (one,) = breaches(read_budget(budget(tmp_path, text)), made)
        assert told in one.told
    for text in ('transfer = "1 MiB"\nroot = true', '[platform."linux/arm64"]\ntransfer = 1', ""):
        assert not breaches(read_budget(budget(tmp_path, text)), made)
    bigger = Report.model_validate_json(run(image(tmp_path / "b", 50_000), "--json").stdout)
    (one,) = breaches(read_budget(budget(tmp_path, 'growth = "2 %"')), bigger, made)
    assert "grew by" in one.told
    assert not breaches(read_budget(budget(tmp_path, 'growth = "2 %"')), bigger, bigger)


SLOW = [
    LineTime(where="Dockerfile:3", instruction="COPY . .", cold_seconds=0.1, edit_seconds=0.1),
    LineTime(
        where="Dockerfile:4", instruction="RUN pip", cold_seconds=8, edit_seconds=7, why="line 3 before it changed"
    ),
    LineTime(where="Dockerfile:5", instruction="RUN apt", cold_seconds=20, edit_seconds=None),
]


def test_seconds_are_bounded_as_a_part_of_those_of_a_cold_build_of_the_same_run(tmp_path, monkeypatch):
    limit = budget(tmp_path, 'edit = "25 %"')
    timed = Timed(cold_seconds=20, edit_seconds=7.4, edit_part=0.37, edited="a.py", lines=SLOW)
    monkeypatch.setattr(
        cli, "_reported", lambda *_, **asked: Report(subject="x", timed=timed if asked["time"] else None)
    )
    found = run(tmp_path, "--time", "--budget", limit)
    assert found.exit_code == 3
    told = " ".join(found.output.split())
    assert "a build after an edit takes 37% of a cold one, and 25% are allowed" in told
    assert "Dockerfile:4 takes 7.0 s of it (line 3 before it changed): RUN pip" in told
    assert json.loads(run(tmp_path, "--time", "--json", "--budget", limit).stdout)["timed"]["edit_part"] == 0.37
    assert run(tmp_path, "--time", "--budget", budget(tmp_path, "edit = 0.4")).exit_code == 0
    found = run(tmp_path, "--budget", limit)
    assert found.exit_code == 1, "a limit that nothing was held against is not kept"
    assert "no build was timed" in found.output


@pytest.mark.parametrize("text", ["transfer =", 'transfer = "many"', "speed = 1", 'platform = "x"'])
def test_a_budget_that_is_none_is_told(tmp_path, text):
    with pytest.raises(Problem) as problem:
        read_budget(budget(tmp_path, text))
    assert problem.value.next


def test_a_transfer_that_the_archive_does_not_tell_is_no_budget_kept(tmp_path):
    path = docker_archive(tmp_path / "a.tar", [tar({"a": b"1"})])
    found = run(path, "--budget", budget(tmp_path, "transfer = 1"))
    assert found.exit_code == 1
    assert "does not tell it" in found.output.replace("\n", " ")


def test_what_is_named_wrongly_is_one_message(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "no.json").write_text("{}")
    good = image(tmp_path / "a")
    for words in (
        ["gone.tar"],
        ["./gone"],
        ["empty"],
        [good, "-f", "none"],
        [good, "--budget", "none"],
        [good, "--against", "no.json"],
    ):
        found = run(*words)
        assert (found.exit_code, found.output.count("✗")) == (1, 1), found.output
        assert "Next:" in found.output


def test_the_page_has_all_of_it_and_nothing_from_elsewhere(tmp_path):
    evil = package("<script>alert(1)</script>", {"x.py": b"x" * 9000})
    found = run(image(tmp_path / "a", **evil), "--html", tmp_path / "page.html")
    assert found.exit_code == 0, found.output
    text = (tmp_path / "page.html").read_text()
    for words in ("RUN install", "flask 1.0", "By line", "user root", "<svg"):
        assert words in text
    assert "<script" not in text
    assert not re.search(r"(src|href)=", text)
    ElementTree.fromstring(re.search(r"<svg.*</svg>", text, re.DOTALL)[0])


@pytest.mark.parametrize("sizes", [[1], [5, 4, 3, 2, 1], [1000, 1, 1], [7] * 50])
def test_the_map_is_filled_by_parts_as_large_as_what_they_stand_for(sizes):
    parts = [page.Part(str(size), size, "other") for size in sizes]
    found = list(page.boxes(parts, 100.0, 60.0))
    assert [box.part for box in found] == parts
    for box in found:
        assert box.width * box.height == pytest.approx(6000 * box.part.size / sum(sizes))
        assert min(box.x, box.y) >= -0.001
        assert box.x + box.width <= 100.001
        assert box.y + box.height <= 60.001
